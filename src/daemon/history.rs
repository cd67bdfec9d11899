//! What happened lately, kept over a restart of the daemon.
//!
//! The file has the boot it belongs to in the first line, and behind it the events: the length of each in four bytes,
//! and the event as it goes over the bus. It is appended to, and begun anew when it has twice as many events as are of
//! interest. It lives in memory, so that it costs no flash, and it is void after a reboot, when ages can't be told any
//! more.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::collect::{IntoVec as _, take_first};
use crate::engine::Instant;
use crate::status::Happening;
use crate::ubus::{Data, Decimal};
use crate::{disk, limits};

/// The last events of this node.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    boot: String,
    events: Vec<Happening>,
    /// `None` after a failure: memory alone has to do.
    file: Option<File>,
    /// How many events it has.
    length: usize,
}

impl History {
    /// Reads what an earlier life has left in `path`, if it was in the same boot.
    pub fn open(path: PathBuf, boot: Option<&str>) -> History {
        let boot = boot.unwrap_or("unknown").to_owned();
        let events = read(&path, &boot).unwrap_or_default();
        let mut history = History { path, boot, events, file: None, length: 0 };
        history.rewrite();
        history
    }

    /// Adds an event. What can't be written to the file is still remembered.
    pub fn add(&mut self, now: Instant, mut event: Happening) {
        event.at_us = Some(now.as_micros());
        let record = encode(&event);
        if self.events.len() >= limits::HISTORY_ENTRIES {
            take_first(&mut self.events);
        }
        self.events.push(event);
        if self.length > 2 * limits::HISTORY_ENTRIES {
            return self.rewrite();
        }
        self.append(&record);
    }

    /// The last events, at most `limit`, the youngest last, with their ages.
    pub fn last(&self, limit: usize, now: Instant) -> Vec<Happening> {
        let skipped = self.events.len().saturating_sub(limit);
        self.events.iter().skip(skipped).map(|event| with_age(event, now)).into_vec()
    }

    fn append(&mut self, record: &[u8]) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.write_all(record) {
            log::warn!(
                "{}: {}; history will not survive a restart",
                self.path.display(),
                disk::plain(&error)
            );
            self.file = None;
        }
        self.length = self.length.saturating_add(1);
    }

    fn rewrite(&mut self) {
        self.length = self.events.len();
        self.file = self
            .begin()
            .inspect_err(|error| log::warn!("{}: {}", self.path.display(), disk::plain(error)))
            .ok();
    }

    fn begin(&self) -> io::Result<File> {
        let mut content = self.boot.clone().into_bytes();
        content.push(b'\n');
        for event in &self.events {
            content.extend(encode(event));
        }
        disk::replace(&self.path, 0o600, &content)
    }
}

fn read(path: &Path, boot: &str) -> io::Result<Vec<Happening>> {
    let content = disk::beginning(&disk::open(path, disk::OFlag::O_RDONLY)?, limits::HISTORY_BYTES)?;
    let records = content.strip_prefix(boot.as_bytes()).and_then(|rest| rest.strip_prefix(b"\n"));
    let mut events = decode(records.unwrap_or_default());
    let too_many = events.len().saturating_sub(limits::HISTORY_ENTRIES);
    events.drain(..too_many);
    Ok(events)
}

fn encode(event: &Happening) -> Vec<u8> {
    let data = Data::encode(event).unwrap_or_default();
    // limits: a message has 1 MiB at most.
    let mut record = (data.as_bytes().len() as u32).to_be_bytes().to_vec();
    record.extend(data.as_bytes());
    record
}

/// What can be read, up to where a record ends too early.
fn decode(mut records: &[u8]) -> Vec<Happening> {
    let mut events: Vec<Happening> = Vec::new();
    while let Some((length, rest)) = records.split_first_chunk() {
        let Some((record, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize) else { break };
        events.extend(Data::from_bytes(record.to_vec()).decode());
        records = rest;
    }
    events.retain(|event| event.at_us.is_some());
    events
}

fn with_age(event: &Happening, now: Instant) -> Happening {
    let at = Instant::from_micros(event.at_us.unwrap_or(0));
    Happening { age: Some(Decimal::seconds(now.since(at))), at_us: None, ..event.clone() }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn event(text: &str) -> Happening {
        Happening { event: "role".into(), message: text.into(), epoch: Some(3), ..Happening::default() }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn messages(history: &History) -> Vec<String> {
        history.last(usize::MAX, at(0)).into_iter().map(|event| event.message).collect()
    }

    #[test]
    fn restart_in_the_same_boot_keeps_events_and_their_ages() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history");
        let mut history = History::open(path.clone(), Some("boot-1"));
        history.add(at(10), event("one\nwith \"quotes\""));
        history.add(at(20), event("two"));
        drop(history);

        let events = History::open(path, Some("boot-1")).last(10, at(25));

        assert_eq!(events.len(), 2);
        assert_eq!(events[0].message, "one\nwith \"quotes\"");
        assert_eq!(events[0].epoch, Some(3));
        assert_eq!(events[0].age, Some(Decimal::thousandths(15_000)));
        assert_eq!(events[1].age, Some(Decimal::thousandths(5000)));
    }

    #[test]
    fn reboot_forgets_and_junk_is_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history");
        let mut history = History::open(path.clone(), Some("boot-1"));
        history.add(at(1), event("one"));
        drop(history);
        assert!(messages(&History::open(path.clone(), Some("boot-2"))).is_empty());

        let good = |text: &str| encode(&Happening { at_us: Some(1), ..event(text) });
        let without_time = encode(&event("when?"));
        let torn = &good("torn")[..20];
        let junk = [b"boot-3\n", &*good("good"), b"\0\0\0\x08not blob", &without_time, &good("too"), torn];
        fs::write(&path, junk.concat()).unwrap();
        assert_eq!(messages(&History::open(path.clone(), Some("boot-3"))), ["good", "too"]);

        for junk in ["boot-4", "boot-4\n", "boot-4\n\0", "boot-4\n\u{7f}\0\0\0"] {
            fs::write(&path, junk).unwrap();
            assert!(messages(&History::open(path.clone(), Some("boot-4"))).is_empty());
        }
    }

    #[test]
    fn neither_memory_nor_file_grows_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history");
        let mut history = History::open(path.clone(), Some("boot-1"));

        for number in 0..10 * limits::HISTORY_ENTRIES {
            history.add(at(1), event(&format!("event {number}")));
        }

        assert_eq!(history.events.len(), limits::HISTORY_ENTRIES);
        let last = format!("event {}", 10 * limits::HISTORY_ENTRIES - 1);
        assert_eq!(messages(&history).last(), Some(&last));
        drop(history);
        let content = fs::read(&path).unwrap();
        let count = decode(content.strip_prefix(b"boot-1\n").unwrap()).len();
        assert!(count <= 2 * limits::HISTORY_ENTRIES + 3, "{count} events");
        assert_eq!(messages(&History::open(path, Some("boot-1"))).last(), Some(&last));
    }
}

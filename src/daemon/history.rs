//! What happened lately, kept over a restart of the daemon.
//!
//! The file has one JSON table a line, the boot it belongs to in the first. It is appended to, and begun anew when it
//! has twice as many lines as are of interest. It lives in memory, so that it costs no flash, and it is void
//! after a reboot, when ages can't be told any more.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::collect::{IntoVec as _, take_first};
use crate::engine::Instant;
use crate::status::Happening;
use crate::ubus::{Data, json};
use crate::{disk, limits};

/// The last events of this node.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    boot: String,
    events: Vec<Happening>,
    /// `None` after a failure: memory alone has to do.
    file: Option<File>,
    lines: usize,
}

impl History {
    /// Reads what an earlier life has left in `path`, if it was in the same boot.
    pub fn open(path: PathBuf, boot: Option<&str>) -> History {
        let boot = boot.unwrap_or("unknown").to_owned();
        let events = read(&path, &boot).unwrap_or_default();
        let mut history = History { path, boot, events, file: None, lines: 0 };
        history.rewrite();
        history
    }

    /// Adds an event. What can't be written to the file is still remembered.
    pub fn add(&mut self, now: Instant, mut event: Happening) {
        event.at_us = Some(now.as_micros());
        let line = encode(&event);
        if self.events.len() >= limits::HISTORY_ENTRIES {
            take_first(&mut self.events);
        }
        self.events.push(event);
        if self.lines > 2 * limits::HISTORY_ENTRIES {
            return self.rewrite();
        }
        self.append(&line);
    }

    /// The last events, at most `limit`, the youngest last, with their ages.
    pub fn last(&self, limit: usize, now: Instant) -> Vec<Happening> {
        let skipped = self.events.len().saturating_sub(limit);
        self.events.iter().skip(skipped).map(|event| with_age(event, now)).into_vec()
    }

    fn append(&mut self, line: &str) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.write_all(line.as_bytes()) {
            log::warn!("{}: {error}; history will not survive a restart", self.path.display());
            self.file = None;
        }
        self.lines = self.lines.saturating_add(1);
    }

    fn rewrite(&mut self) {
        self.lines = self.events.len();
        self.file = self.begin().inspect_err(|error| log::warn!("{}: {error}", self.path.display())).ok();
    }

    fn begin(&self) -> io::Result<File> {
        let mut text = format!("{}\n", self.boot);
        text.extend(self.events.iter().map(encode));
        disk::replace(&self.path, 0o600, text.as_bytes())
    }
}

fn read(path: &Path, boot: &str) -> io::Result<Vec<Happening>> {
    let text = disk::beginning(&File::open(path)?, limits::HISTORY_BYTES)?;
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines();
    if lines.next() != Some(boot) {
        return Ok(Vec::new());
    }
    let mut events = lines.filter_map(decode).into_vec();
    let too_many = events.len().saturating_sub(limits::HISTORY_ENTRIES);
    events.drain(..too_many);
    Ok(events)
}

fn encode(event: &Happening) -> String {
    let data = Data::encode(event).unwrap_or_default();
    data.to_json(json::Layout::Compact).unwrap_or_default() + "\n"
}

fn decode(line: &str) -> Option<Happening> {
    let event: Happening = Data::encode(&json::parse(line).ok()?).ok()?.decode().ok()?;
    event.at_us.is_some().then_some(event)
}

fn with_age(event: &Happening, now: Instant) -> Happening {
    let at = Instant::from_micros(event.at_us.unwrap_or(0));
    Happening { age: Some(now.since(at).as_secs_f64()), at_us: None, ..event.clone() }
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
        assert_eq!(events[0].age, Some(15.0));
        assert_eq!(events[1].age, Some(5.0));
    }

    #[test]
    fn reboot_forgets_and_junk_is_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history");
        let mut history = History::open(path.clone(), Some("boot-1"));
        history.add(at(1), event("one"));
        drop(history);
        assert!(messages(&History::open(path.clone(), Some("boot-2"))).is_empty());

        let junk = "boot-3\n{\"at_us\":1,\"message\":\"good\"}\nnot json\n{\"at_us\":\"x\"}\n{\"mess";
        fs::write(&path, junk).unwrap();
        assert_eq!(messages(&History::open(path, Some("boot-3"))), ["good"]);
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
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 2 * limits::HISTORY_ENTRIES + 3, "{lines} lines");
        assert_eq!(messages(&History::open(path, Some("boot-1"))).last(), Some(&last));
    }
}

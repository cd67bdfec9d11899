//! What a restarted daemon wants to know of its last life (protocol rule 13).
//!
//! A small file in memory: for each group its epoch and when it last advertised as master. All adverts of a
//! turn cost one `pwrite` of a few dozen bytes, next to a `sendmsg` each. After a kill the file
//! says the truth up to the last turn; it is void after a reboot.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::engine::{Epoch, Instant, Remembered};
use crate::{disk, limits};

/// The remembered groups, in memory and in the file.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
    boot: Option<String>,
    /// `None` once it could not be written: to remember nothing is safe, to remember old things is not.
    file: Option<File>,
    names: Vec<String>,
    bytes: Vec<u8>,
    /// Groups whose record differs from the file's: from the first to the last of them.
    dirty: Option<(usize, usize)>,
}

impl Memory {
    /// What an earlier life in the same boot has left in `path`.
    pub fn recall(path: &Path, boot: Option<&str>) -> Vec<Remembered> {
        let bytes = disk::load(path, disk::SMALL).unwrap_or_default();
        let Some((header, records)) = bytes.split_at_checked(RECORD_BYTES) else { return Vec::new() };
        if boot.is_none_or(|boot| header_of(boot) != header) {
            return Vec::new();
        }
        decode_all(records)
    }

    /// A memory that has nothing to remember yet; the file stays as it is until [`Memory::set_groups`].
    pub fn new(path: PathBuf, boot: Option<&str>) -> Memory {
        Memory {
            path,
            boot: boot.map(str::to_owned),
            file: None,
            names: Vec::new(),
            bytes: Vec::new(),
            dirty: None,
        }
    }

    /// Begins a new file for these groups, in the order of their ids. Groups of the same name keep what is
    /// remembered of them.
    pub fn set_groups(&mut self, names: Vec<String>, left: &[Remembered]) {
        let known = decode_all(&self.bytes);
        self.bytes = vec![0; names.len().min(limits::REMEMBERED_GROUPS) * RECORD_BYTES];
        for (name, record) in names.iter().zip(self.bytes.chunks_exact_mut(RECORD_BYTES)) {
            let is_it = |known: &&Remembered| known.group == *name;
            match known.iter().find(is_it).or_else(|| left.iter().find(is_it)) {
                Some(known) => encode(record, name, known.epoch, known.last_advert),
                None => encode(record, name, Epoch(0), None),
            }
        }
        self.names = names;
        self.dirty = None;
        self.file = self.begin().inspect_err(|error| self.complain(error)).ok();
    }

    /// The group has just advertised as master.
    pub fn advertised(&mut self, group: usize, epoch: Epoch, at: Instant) {
        self.set(group, epoch, Some(at));
    }

    /// The group is not master.
    pub fn stands_by(&mut self, group: usize, epoch: Epoch) {
        self.set(group, epoch, None);
    }

    /// Brings the file up to date. Once a turn.
    pub fn flush(&mut self) {
        let Some((first, last)) = self.dirty.take() else { return };
        let (Some(file), Some(bytes)) =
            (&self.file, self.bytes.get(first * RECORD_BYTES..(last + 1) * RECORD_BYTES))
        else {
            return;
        };
        let offset = ((first + 1) * RECORD_BYTES) as u64;
        if let Err(error) = file.write_all_at(bytes, offset) {
            self.complain(&error);
            self.file = None;
            let _ = fs::remove_file(&self.path);
        }
    }

    fn set(&mut self, group: usize, epoch: Epoch, last_advert: Option<Instant>) {
        let record = self.bytes.get_mut(group * RECORD_BYTES..(group + 1) * RECORD_BYTES);
        if let (Some(name), Some(record)) = (self.names.get(group), record) {
            encode(record, name, epoch, last_advert);
            self.dirty =
                Some(self.dirty.map_or((group, group), |(first, last)| (first.min(group), last.max(group))));
        }
    }

    /// Replaces the file by one that holds what is in memory.
    fn begin(&self) -> io::Result<File> {
        let Some(boot) = &self.boot else { return Err(io::ErrorKind::Unsupported.into()) };
        let content = [header_of(boot).as_slice(), &self.bytes].concat();
        disk::replace(&self.path, 0o600, &content)
    }

    fn complain(&self, error: &io::Error) {
        log::warn!("{}: {}; a restart will begin as standby", self.path.display(), disk::plain(error));
    }
}

/// Longer group names are not remembered: their nodes begin as standby.
const NAME_BYTES: usize = 48;

/// A name, padded with zeros; the epoch; whether there was an advert; and when. In the byte order of the
/// machine, as only the machine that wrote it reads it.
const RECORD_BYTES: usize = NAME_BYTES + 16;

const MAGIC: &[u8; 16] = b"gwha memory v1\n\0";

fn header_of(boot: &str) -> [u8; RECORD_BYTES] {
    let mut header = [0; RECORD_BYTES];
    let (magic, rest) = header.split_at_mut(MAGIC.len());
    magic.copy_from_slice(MAGIC);
    put(rest, boot.as_bytes());
    header
}

fn encode(record: &mut [u8], name: &str, epoch: Epoch, last_advert: Option<Instant>) {
    let name = if name.len() <= NAME_BYTES { name } else { "" };
    let micros = last_advert.map_or(0, Instant::as_micros);
    let (place, rest) = record.split_at_mut(NAME_BYTES.min(record.len()));
    put(place, name.as_bytes());
    let rest = put(rest, &epoch.0.to_ne_bytes());
    let rest = put(rest, &u32::from(last_advert.is_some()).to_ne_bytes());
    put(rest, &micros.to_ne_bytes());
}

/// Puts bytes at the beginning of a place, as many as fit; what is left of it.
fn put<'a>(place: &'a mut [u8], bytes: &[u8]) -> &'a mut [u8] {
    let length = bytes.len().min(place.len());
    let (begin, rest) = place.split_at_mut(length);
    begin.copy_from_slice(bytes.get(..length).unwrap_or_default());
    rest
}

fn decode_all(mut records: &[u8]) -> Vec<Remembered> {
    let mut all = Vec::new();
    while let Some((record, rest)) = records.split_at_checked(RECORD_BYTES) {
        all.extend(decode(record));
        records = rest;
        if all.len() >= limits::REMEMBERED_GROUPS {
            break;
        }
    }
    all
}

fn decode(record: &[u8]) -> Option<Remembered> {
    let (name, rest) = record.split_at_checked(NAME_BYTES)?;
    let length = name.iter().position(|byte| *byte == 0).unwrap_or(NAME_BYTES);
    let group = core::str::from_utf8(name.get(..length)?).ok()?;
    let (epoch, rest) = rest.split_first_chunk::<4>()?;
    let (is_known, rest) = rest.split_first_chunk::<4>()?;
    let (micros, _) = rest.split_first_chunk::<8>()?;
    if group.is_empty() {
        return None;
    }
    let is_known = u32::from_ne_bytes(*is_known) == 1;
    Some(Remembered {
        group: group.to_owned(),
        epoch: Epoch(u32::from_ne_bytes(*epoch)),
        last_advert: is_known.then_some(Instant::from_micros(u64::from_ne_bytes(*micros))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(group: &str, epoch: u32, last_advert: Option<u64>) -> Remembered {
        let last_advert = last_advert.map(Instant::from_micros);
        Remembered { group: group.to_owned(), epoch: Epoch(epoch), last_advert }
    }

    fn memory(dir: &Path, names: &[&str]) -> Memory {
        let mut memory = Memory::new(dir.join("memory"), Some("boot-1"));
        memory.set_groups(names.iter().map(|name| name.to_string()).collect(), &[]);
        memory
    }

    #[test]
    fn last_advert_is_recalled_without_any_farewell() {
        let dir = tempfile::tempdir().unwrap();
        let mut memory = memory(dir.path(), &["lan", "wan"]);

        memory.advertised(1, Epoch(3), Instant::from_micros(5_000_000));
        memory.flush();
        memory.advertised(1, Epoch(3), Instant::from_micros(6_000_000));
        memory.stands_by(0, Epoch(2));
        memory.flush();
        core::mem::forget(memory);

        let left = Memory::recall(&dir.path().join("memory"), Some("boot-1"));
        assert_eq!(left, [remembered("lan", 2, None), remembered("wan", 3, Some(6_000_000))]);
    }

    #[test]
    fn nothing_is_recalled_from_another_boot_or_from_junk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memory");
        let mut memory = memory(dir.path(), &["lan"]);
        memory.advertised(0, Epoch(1), Instant::from_micros(1));
        memory.flush();

        assert_eq!(Memory::recall(&path, Some("boot-2")), []);
        assert_eq!(Memory::recall(&path, None), []);
        fs::write(&path, [0xff; 999]).unwrap();
        assert_eq!(Memory::recall(&path, Some("boot-1")), []);
        fs::write(&path, b"short").unwrap();
        assert_eq!(Memory::recall(&path, Some("boot-1")), []);
    }

    #[test]
    fn reload_keeps_what_is_known_of_groups_that_stay() {
        let dir = tempfile::tempdir().unwrap();
        let mut memory = memory(dir.path(), &["lan", "wan"]);
        memory.advertised(1, Epoch(7), Instant::from_micros(42));
        memory.flush();

        memory.set_groups(vec!["wan".into(), "iot".into()], &[]);

        let left = Memory::recall(&dir.path().join("memory"), Some("boot-1"));
        assert_eq!(left, [remembered("wan", 7, Some(42)), remembered("iot", 0, None)]);
    }

    #[test]
    fn overlong_names_are_forgotten_and_not_confused() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = ("x".repeat(60) + "1", "x".repeat(60) + "2");
        let mut memory = memory(dir.path(), &[&one, &other]);
        memory.advertised(0, Epoch(1), Instant::from_micros(9));
        memory.flush();

        assert_eq!(Memory::recall(&dir.path().join("memory"), Some("boot-1")), []);
    }
}

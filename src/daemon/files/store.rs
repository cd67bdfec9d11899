//! The disk, for [`crate::sync::file::party::Party`].

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::sorted::Map;
use crate::sync::file::rules::Rules;
use crate::sync::file::{Disk, Entry, Hash, Kind, Meta, Settled};
use crate::{disk, limits};

use super::super::bounded::plain;
use super::aside::Asides;
use super::place::{self, Place};
use super::record;

/// The disk.
#[derive(Debug)]
pub struct Store {
    pub(super) rules: Rules,
    /// Where the records of this router are.
    state: PathBuf,
    /// The hashes of files that have not changed since they were read.
    pub(super) known: Map<String, (Stamp, Hash)>,
    asides: Asides,
    /// The directories in which something may happen.
    pub(super) watched: Vec<PathBuf>,
    /// Half-written files of an earlier life are removed at the first look.
    pub(super) is_swept: bool,
    /// Something was being written while it was read, so it has to be looked at again soon.
    pub(super) is_unsteady: bool,
}

/// What tells a file that was changed from one that was not.
pub type Stamp = [i64; 6];

/// The stamp of a file.
pub fn stamp(metadata: &fs::Metadata) -> Stamp {
    let size = i64::try_from(metadata.size()).unwrap_or(i64::MAX);
    let inode = i64::from_ne_bytes(metadata.ino().to_ne_bytes());
    [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec(), size, inode]
}

impl Store {
    /// The disk of a router whose records are in the directory `state`.
    pub fn new(state: PathBuf) -> Store {
        let asides = Asides(state.join("aside"));
        Store {
            rules: Rules::default(),
            state,
            known: Map::new(),
            asides,
            watched: Vec::new(),
            is_swept: false,
            is_unsteady: false,
        }
    }

    /// Other rules.
    pub fn configure(&mut self, rules: &Rules) {
        self.rules.clone_from(rules);
        self.is_swept = false;
    }

    /// What an earlier life has remembered.
    pub fn recall(&self) -> Settled {
        record::read(&self.record())
    }

    /// The directories in which something may happen; and whether to look again without it.
    pub fn take_watched(&mut self) -> (Vec<PathBuf>, bool) {
        (core::mem::take(&mut self.watched), core::mem::take(&mut self.is_unsteady))
    }

    fn record(&self) -> PathBuf {
        self.state.join("synced")
    }

    fn place(&self, path: &str) -> io::Result<Place> {
        Place::find(&self.rules, path)
    }

    /// Makes the directories above what is listed itself.
    fn make_above(&self, path: &str) -> io::Result<()> {
        if self.rules.roots.iter().any(|root| root == path) {
            return disk::make_above(Path::new(path), 0o755);
        }
        Ok(())
    }

    fn try_replace(&self, entry: &Entry, content: &[u8], own: Option<&[u8]>) -> io::Result<bool> {
        self.make_above(&entry.path)?;
        self.place(&entry.path)?.replace(content, entry.meta, own, &|edit| self.keep(&entry.path, edit))
    }

    fn try_adjust(&self, entry: &Entry) -> io::Result<()> {
        place::adjust(&self.place(&entry.path)?.open()?, entry.meta)
    }

    fn try_make_dir(&self, entry: &Entry) -> io::Result<()> {
        self.make_above(&entry.path)?;
        let place = self.place(&entry.path)?;
        disk::make_dir(&place.path(), 0o755)?;
        place.settle()?;
        self.try_adjust(entry)
    }

    fn try_remove(&self, entry: &Entry, own: Option<&[u8]>) -> io::Result<bool> {
        let place = self.place(&entry.path)?;
        match (&entry.kind, own) {
            (Kind::File { .. }, Some(own)) => place.remove(own, &|edit| self.keep(&entry.path, edit)),
            (Kind::Dir, _) => {
                fs::remove_dir(place.path())?;
                place.settle().map(|()| true)
            }
            // It has gone by itself.
            (Kind::File { .. } | Kind::Held(_), _) => Ok(false),
        }
    }

    fn keep(&self, path: &str, edit: &[u8]) -> io::Result<()> {
        self.asides.add(path, edit).map_err(disk::failure)
    }

    fn try_put_aside(&self, path: &str, content: &[u8]) -> io::Result<()> {
        if let Ok(place) = self.place(path) {
            place.is_free()?;
        }
        self.keep(path, content)
    }
}

fn in_words<T>(done: io::Result<T>) -> Result<T, String> {
    done.map_err(|error| words(&error))
}

/// An error in words.
pub fn words(error: &io::Error) -> String {
    if error.raw_os_error() == Some(libc::ELOOP) {
        return LINK.to_owned();
    }
    // Whatever else there may be has the system's own words.
    #[allow(clippy::wildcard_enum_match_arm)]
    match error.kind() {
        ErrorKind::InvalidInput => OTHER.to_owned(),
        ErrorKind::ResourceBusy if error.raw_os_error().is_none() => BUSY.to_owned(),
        ErrorKind::FileTooLarge => "larger than 1 MiB".to_owned(),
        ErrorKind::QuotaExceeded if error.raw_os_error().is_none() => {
            "more than 1024 files and directories".to_owned()
        }
        _ => plain(error),
    }
}

const _: () = assert!(limits::FILE_BYTES == 1 << 20 && limits::FILES == 1024);

/// Why a link is left alone.
pub const LINK: &str = "a symbolic link is not followed";

/// Why a file is neither replaced nor removed at this moment.
pub const BUSY: &str = "it is being written";

/// Why a device is left alone.
pub const OTHER: &str = "neither a file nor a directory";

impl Disk for Store {
    fn scan(&mut self) -> Vec<Entry> {
        super::walk::walk(self)
    }

    fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>, String> {
        let file = self.place(path).and_then(|place| place.open());
        match file.and_then(|file| disk::read(&file, limits::FILE_BYTES)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(words(&error)),
        }
    }

    fn replace(&mut self, entry: &Entry, content: &[u8], own: Option<&[u8]>) -> Result<bool, String> {
        in_words(self.try_replace(entry, content, own))
    }

    fn adjust(&mut self, entry: &Entry) -> Result<(), String> {
        in_words(self.try_adjust(entry))
    }

    fn make_dir(&mut self, entry: &Entry) -> Result<(), String> {
        in_words(self.try_make_dir(entry))
    }

    fn remove(&mut self, entry: &Entry, own: Option<&[u8]>) -> Result<bool, String> {
        in_words(self.try_remove(entry, own))
    }

    fn put_aside(&mut self, path: &str, content: &[u8]) -> Result<(), String> {
        in_words(self.try_put_aside(path, content))
    }

    fn asides(&mut self) -> Vec<(String, String)> {
        self.watched.push(self.asides.0.clone());
        let mut asides = Vec::new();
        for kept in self.asides.files() {
            asides.push((kept.path, kept.place.display().to_string()));
        }
        asides
    }

    fn remember(&mut self, settled: &Settled) {
        if let Err(error) = record::write(&self.record(), settled) {
            log::warn!("{}: {}", self.record().display(), plain(&error));
        }
    }
}

/// Owner and permissions as they follow.
pub fn meta(metadata: &fs::Metadata) -> Meta {
    Meta { mode: metadata.mode() & 0o777, uid: metadata.uid(), gid: metadata.gid() }
}

#[cfg(test)]
mod tests;

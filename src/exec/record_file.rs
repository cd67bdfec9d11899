//! The file that says which addresses are ours, for the next life of the daemon.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk;
use crate::reconcile::Record;

/// The record on file.
///
/// Its first line names the boot of the machine: addresses don't survive a reboot, and a run-time directory can.
#[derive(Debug)]
pub struct RecordFile {
    path: PathBuf,
    boot: String,
    written: Option<Record>,
    /// The last attempt failed, and that has been logged.
    is_failing: bool,
}

impl RecordFile {
    /// The record at `path`, and what an earlier life in the same boot has left in it.
    pub fn open(path: &Path, boot: Option<&str>) -> (RecordFile, Record) {
        let boot = boot.unwrap_or("unknown").to_owned();
        let left = read(path).unwrap_or_default();
        let left = left.split_once('\n').filter(|(first, _)| *first == boot);
        let record = left.map(|(_, rest)| Record::parse(rest)).unwrap_or_default();
        (RecordFile { path: path.to_owned(), boot, written: None, is_failing: false }, record)
    }

    /// Puts `record` on file, unless it is there. A failure is logged once: the addresses matter more.
    pub fn keep(&mut self, record: &Record) {
        if self.written.as_ref() == Some(record) {
            return;
        }
        match self.write(record) {
            Ok(()) => {
                self.written = Some(record.clone());
                self.is_failing = false;
            }
            Err(error) if !self.is_failing => {
                log::warn!(
                    "{}: {}; after a crash some addresses may be left",
                    self.path.display(),
                    disk::plain(&error)
                );
                self.is_failing = true;
            }
            Err(_) => {}
        }
    }

    /// Whole or not at all: a daemon that dies half-way must not forget what it had.
    fn write(&self, record: &Record) -> io::Result<()> {
        disk::replace(&self.path, 0o644, format!("{}\n{record}", self.boot).as_bytes()).map(drop)
    }
}

fn read(path: &Path) -> io::Result<String> {
    let bytes = disk::beginning(&disk::open(path, disk::OFlag::O_RDONLY)?, FILE_BYTES_MAX)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A record of 4096 addresses.
const FILE_BYTES_MAX: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::netlink::IfName;

    fn record() -> Record {
        let mut record = Record::default();
        record.insert(IfName::new("br-lan").unwrap(), "192.0.2.1".parse().unwrap());
        record
    }

    #[test]
    fn the_next_life_reads_what_this_one_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("owned");
        let (mut file, left) = RecordFile::open(&path, Some("boot-1"));
        assert_eq!(left, Record::default());

        file.keep(&record());

        assert_eq!(RecordFile::open(&path, Some("boot-1")).1, record());
        assert_eq!(RecordFile::open(&path, Some("boot-2")).1, Record::default());
    }

    #[test]
    fn junk_and_a_missing_file_are_an_empty_record() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("owned");
        for junk in [&b"\xff\xfe"[..], b"", b"boot-1", b"\n\n\n"] {
            fs::write(&path, junk).unwrap();
            assert_eq!(RecordFile::open(&path, Some("boot-1")).1, Record::default());
        }
    }

    #[test]
    fn what_is_on_file_is_not_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("owned");
        let (mut file, _) = RecordFile::open(&path, Some("boot-1"));
        file.keep(&record());
        fs::remove_file(&path).unwrap();

        file.keep(&record());
        assert!(!path.exists());
        file.keep(&Record::default());
        assert_eq!(fs::read_to_string(&path).unwrap(), "boot-1\n");
    }

    #[test]
    fn a_directory_that_is_gone_is_survived_and_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/owned");
        let (mut file, _) = RecordFile::open(&path, Some("boot-1"));
        file.keep(&record());

        fs::create_dir(dir.path().join("run")).unwrap();
        file.keep(&record());

        assert_eq!(RecordFile::open(&path, Some("boot-1")).1, record());
    }
}

//! The table on tmpfs, so that a restart of the daemon keeps it.
//!
//! Entries as they go over the wire, one behind the other, with the end of a lease in seconds since boot. What
//! changes is appended; when the file has grown to several times its content it is written anew. After a kill the
//! file says the truth up to the last turn, and it is void after a reboot.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::engine::Instant;
use crate::sync::lease::table::{Entry, Table};
use crate::sync::lease::wire;
use crate::{disk, limits};

/// The file. What others have cannot be told from it, so after a restart the other router sends everything once.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    boot: String,
    /// `None` once it could not be written: a restart then begins with what the other router has.
    file: Option<File>,
    /// Bytes in it.
    length: usize,
    /// Bytes in it when it was written anew.
    fresh: usize,
    /// Entries of this turn.
    waiting: Vec<u8>,
}

const MAGIC: &str = "gwha leases v1 ";
const ORIGIN: Instant = Instant::from_micros(0);

/// A file that has grown to this many times its content is written anew.
const GROWTH: usize = 4;
/// But not a small one.
const SMALL_BYTES: usize = 64 << 10;

impl Journal {
    /// Takes what an earlier life in the same boot has left into the table, and begins a new file.
    pub fn open(path: PathBuf, boot: Option<&str>, table: &mut Table, now: Instant) -> Journal {
        let boot = format!("{MAGIC}{}\n", boot.unwrap_or_default());
        if let Some(left) = left(&path).as_deref().and_then(|bytes| bytes.strip_prefix(boot.as_bytes())) {
            for (address, entry) in wire::entries(left, ORIGIN) {
                table.merge(address, entry);
            }
            table.purge(now);
        }
        let mut journal = Journal { path, boot, file: None, length: 0, fresh: 0, waiting: Vec::new() };
        journal.rewrite(table);
        journal
    }

    /// An entry is news.
    pub fn add(&mut self, address: IpAddr, entry: &Entry) {
        wire::put_entry(address, entry, ORIGIN, &mut self.waiting);
    }

    /// Brings the file up to date. Once a turn.
    pub fn flush(&mut self, table: &Table) {
        if self.waiting.is_empty() {
            return;
        }
        let Some(file) = &mut self.file else { return self.waiting.clear() };
        if let Err(error) = file.write_all(&self.waiting) {
            return self.give_up(&error);
        }
        self.length = self.length.saturating_add(self.waiting.len());
        self.waiting.clear();
        if self.length > SMALL_BYTES.max(self.fresh.saturating_mul(GROWTH)) {
            self.rewrite(table);
        }
    }

    fn rewrite(&mut self, table: &Table) {
        let mut bytes = self.boot.clone().into_bytes();
        // In each writer's order, as over the wire.
        for (address, entry) in table.lacking(&Default::default()) {
            wire::put_entry(address, entry, ORIGIN, &mut bytes);
        }
        match disk::replace(&self.path, 0o600, &bytes) {
            Ok(file) => {
                self.file = Some(file);
                (self.length, self.fresh) = (bytes.len(), bytes.len());
            }
            Err(error) => self.give_up(&error),
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        log::warn!("{}: {}; a restart will begin without leases", self.path.display(), disk::plain(error));
        self.waiting.clear();
        self.file = None;
        let _ = fs::remove_file(&self.path);
    }
}

fn left(path: &Path) -> Option<Vec<u8>> {
    disk::load(path, limits::LEASE_JOURNAL_BYTES).ok()
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::sync::lease::{Client, Life, Node};

    const NOW: Instant = Instant::from_micros(500_000_000);

    fn grant(table: &mut Table, journal: &mut Journal, host: u8) {
        let client = Client::new(&format!("02:00:00:00:00:{host:02x}"), "*", "*").unwrap();
        let address = IpAddr::from([10, 0, 0, host]);
        table.grant(address, client, Life::Until(NOW.after(Duration::from_secs(60))));
        journal.add(address, table.get(address).unwrap());
    }

    fn reopen(path: &Path, boot: &str, now: Instant) -> Table {
        let mut table = Table::new(Node(77));
        Journal::open(path.to_owned(), Some(boot), &mut table, now);
        table
    }

    #[test]
    fn restart_keeps_what_the_last_turn_knew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("leases");
        let mut table = Table::new(Node(1));
        let mut journal = Journal::open(path.clone(), Some("b1"), &mut table, NOW);
        for host in 1..=5 {
            grant(&mut table, &mut journal, host);
            journal.flush(&table);
        }
        table.release([10, 0, 0, 2].into(), NOW);
        journal.add([10, 0, 0, 2].into(), table.get([10, 0, 0, 2].into()).unwrap());
        journal.flush(&table);
        core::mem::forget(journal);

        let again = reopen(&path, "b1", NOW);
        assert_eq!(again.digest(), table.digest());
        assert_eq!(again.leases(NOW), table.leases(NOW));
        assert_eq!(again.own(), Node(77));
        let late = NOW.after(Duration::from_secs(61));
        assert_eq!(reopen(&path, "b1", late).count(late), 0);
    }

    #[test]
    fn nothing_is_kept_over_a_reboot_and_nothing_comes_of_junk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("leases");
        let mut table = Table::new(Node(1));
        let mut journal = Journal::open(path.clone(), Some("b1"), &mut table, NOW);
        grant(&mut table, &mut journal, 1);
        journal.flush(&table);
        let bytes = fs::read(&path).unwrap();
        assert_eq!(reopen(&path, "b2", NOW).count(NOW), 0);
        for cut in 0..bytes.len() {
            fs::write(&path, &bytes[..cut]).unwrap();
            assert_eq!(reopen(&path, "b1", NOW).count(NOW), 0, "{cut}");
        }
    }

    #[test]
    fn file_does_not_grow_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("leases");
        let mut table = Table::new(Node(1));
        let mut journal = Journal::open(path.clone(), Some("b1"), &mut table, NOW);
        for turn in 0..5000u32 {
            grant(&mut table, &mut journal, (turn % 3) as u8);
            journal.flush(&table);
        }
        assert!(fs::metadata(&path).unwrap().len() <= SMALL_BYTES as u64 + 200);
        assert_eq!(reopen(&path, "b1", NOW).digest(), table.digest());
    }

    #[test]
    fn file_that_cannot_be_written_is_given_up() {
        let mut table = Table::new(Node(1));
        let mut journal = Journal::open("/dev/full/leases".into(), Some("b1"), &mut table, NOW);
        grant(&mut table, &mut journal, 1);
        journal.flush(&table);
        assert_eq!(table.count(NOW), 1);
    }
}

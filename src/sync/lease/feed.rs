//! From one table to the other: what the other router still lacks, what is on its way, what it has confirmed.

use core::time::Duration;

use crate::engine::Instant;
use crate::limits;

use super::table::{Have, Table};
use super::wire::{self, Batch, Head, Hello};
use super::{Node, Stamp};

/// One direction of the exchange with one router. It outlives a connection: what was confirmed stays confirmed.
#[derive(Debug, Default)]
pub struct Feed {
    /// Whether the other router has said what it has, on this connection.
    is_open: bool,
    /// Leases there, as said last.
    count: Option<u32>,
    /// What it has, with what is on its way.
    sent: Have,
    /// What it has for certain.
    acked: Have,
    flying: Vec<Flying>,
    /// Number of the next batch.
    number: u32,
    /// When own changes were made that are not confirmed yet: up to which, and when the first of them.
    marks: Vec<(u64, Instant)>,
    /// In a row, hellos that contradict what should be equal.
    contradictions: u32,
}

#[derive(Debug)]
struct Flying {
    number: u32,
    /// What the other router has when it has taken this in; nothing is known of that while more is to come.
    have: Have,
}

/// Whether two versions can talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Understood {
    /// They can.
    Yes,
    /// They can't: the other speaks these versions.
    No {
        /// The oldest.
        oldest: u8,
        /// The newest.
        newest: u8,
    },
}

/// Batches that may be on their way at once: the next ones wait for an answer, so a standby with a slow processor is
/// given no more than it can take.
const WINDOW: usize = 4;

/// Bytes of a batch, up to one entry more.
const BATCH_BYTES: usize = 14 << 10;

/// Tables of a healthy pair can differ while a lease ends on both. Not twice in a row.
const CONTRADICTIONS_MAX: u32 = 2;

impl Feed {
    /// The channel is new: nothing that was on its way may be relied on.
    pub fn begin(&mut self) {
        self.is_open = false;
        self.count = None;
        self.rewind();
    }

    /// What was on its way did not go, or may not have arrived.
    pub fn rewind(&mut self) {
        self.flying.clear();
        self.sent = self.acked.clone();
    }

    /// What to say of a table.
    pub fn hello(table: &Table, now: Instant) -> Hello {
        Hello {
            version: wire::VERSION,
            oldest: wire::OLDEST,
            node: table.own(),
            term: table.term(),
            count: u32::try_from(table.count(now)).unwrap_or(u32::MAX),
            digest: table.digest(),
            have: table.have().clone(),
        }
    }

    /// The other router says what it has.
    pub fn heard(&mut self, hello: Hello, table: &Table) -> Understood {
        if hello.version < wire::OLDEST || wire::VERSION < hello.oldest {
            self.begin();
            return Understood::No { oldest: hello.oldest, newest: hello.version };
        }
        self.count = Some(hello.count);
        if !self.is_open {
            self.acked = hello.have.clone();
            self.rewind();
        }
        let is_idle = self.flying.is_empty() && table.lacking(&self.sent).next().is_none();
        let contradicts = is_idle && hello.digest != table.digest();
        self.contradictions = if contradicts { self.contradictions.saturating_add(1) } else { 0 };
        if self.contradictions >= CONTRADICTIONS_MAX {
            // The numbers are equal and the entries are not: begin anew.
            self.contradictions = 0;
            self.acked = Have::default();
            self.rewind();
        } else {
            // It may have got from a third router what it lacked.
            self.acked.join(&hello.have);
            self.sent.join(&hello.have);
            self.confirm(table.own());
        }
        self.is_open = true;
        Understood::Yes
    }

    /// The next batch, if the other router lacks something and can take it.
    pub fn next(&mut self, table: &Table, now: Instant) -> Option<Vec<u8>> {
        if !self.is_open || self.flying.len() >= WINDOW {
            return None;
        }
        let mut entries = Vec::new();
        let mut sent = self.sent.clone();
        for (address, entry) in table.lacking(&self.sent) {
            wire::put_entry(address, entry, now, &mut entries);
            sent.add(entry.stamp.node, entry.stamp.seq);
            if entries.len() >= BATCH_BYTES {
                break;
            }
        }
        if entries.is_empty() {
            return None;
        }
        self.sent = sent;
        let is_last = table.lacking(&self.sent).next().is_none();
        let have = if is_last { table.have().clone() } else { Have::default() };
        let head = Head { number: self.number, count: u32::try_from(table.count(now)).unwrap_or(u32::MAX) };
        let body = Batch { head, have: have.clone(), entries: &entries }.encode();
        self.flying.push(Flying { number: self.number, have });
        self.number = self.number.wrapping_add(1);
        Some(body)
    }

    /// The other router has taken in all batches up to this one. Whether that is everything it lacked.
    pub fn acked(&mut self, head: Head, table: &Table) -> bool {
        self.count = Some(head.count);
        let Some(last) = self.flying.iter().position(|batch| batch.number == head.number) else {
            return false;
        };
        for batch in self.flying.drain(..=last) {
            self.acked.join(&batch.have);
        }
        self.confirm(table.own());
        self.is_level(table)
    }

    /// The other router has sent a batch. While these come the tables are not equal yet.
    pub fn came(&mut self, batch: &Batch<'_>) {
        self.count = Some(batch.head.count);
        self.contradictions = 0;
        // It has that itself.
        self.sent.join(&batch.have);
        self.acked.join(&batch.have);
    }

    /// This router has just made changes.
    pub fn changed(&mut self, table: &Table, now: Instant) {
        if self.marks.len() < limits::LEASE_MARKS {
            self.marks.push((table.head(), now));
        } else if let Some((head, _)) = self.marks.last_mut() {
            *head = table.head();
        }
    }

    fn confirm(&mut self, own: Node) {
        let acked = self.acked.of(own);
        self.marks.retain(|(head, _)| *head > acked);
    }

    /// Whether the other router has an entry, or a later one of the same writer.
    pub fn has(&self, stamp: Stamp) -> bool {
        self.acked.of(stamp.node) >= stamp.seq
    }

    /// Whether the other router has everything, and has said so.
    pub fn is_level(&self, table: &Table) -> bool {
        self.is_open && self.flying.is_empty() && table.lacking(&self.acked).next().is_none()
    }

    /// Whether the other router has said what it has.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Own changes that are not confirmed.
    pub fn pending(&self, table: &Table) -> usize {
        table.own_since(self.acked.of(table.own()))
    }

    /// Age of the oldest of these.
    pub fn lag(&self, now: Instant) -> Option<Duration> {
        self.marks.first().map(|(_, at)| now.since(*at))
    }

    /// Leases there.
    pub fn count(&self) -> Option<u32> {
        self.count
    }
}

#[cfg(test)]
mod tests;

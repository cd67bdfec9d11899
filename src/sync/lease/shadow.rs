//! From the file as it was to the file as it is.
//!
//! dnsmasq truncates its file and writes it anew, in blocks, at each change. Whoever reads at the wrong moment sees
//! the beginning of it. The reader makes sure that a text is a beginning of one version (no write came while it read), so
//! a line that is whole is true, but a line that is missing may only not be written yet. A missing lease counts as
//! released
//!
//! * if one that stood behind it is there, for then the writer was past it, or
//! * if the text is settled: read twice with some time between, the same, whole, and nobody wrote.
//!
//! A lease whose end has come is not released but over: both routers find that out by themselves. (If it had time
//! left on the other clock, the wall clock was stepped. Then the server has forgotten it, and the table has not.) And
//! nobody releases most of a network's leases at once, or by making a new file: what is missing then is lost.

use std::net::IpAddr;

use super::Client;
use super::blocks::Blocks;
use super::file::{self, Clock, Line, Row};

/// What the file said when it was looked at last.
#[derive(Debug, Default)]
pub struct Shadow {
    rows: Blocks<IpAddr, Seen>,
    /// Lines that are not leases.
    others: Vec<String>,
}

#[derive(Debug)]
struct Seen {
    end: u64,
    client: Client,
    /// Its place in the file.
    place: u32,
    /// The look in which it was there last.
    look: Look,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Last,
    Earlier,
}

/// How a text was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Nobody wrote meanwhile.
    Clean,
    /// Nor here, but it is another file than the one before.
    Glimpse,
    /// And it was the same some time before, with nobody writing in between.
    Settled,
    /// The same of another file than the one before.
    NewFile,
}

/// What has changed in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A lease was granted or renewed.
    Granted {
        /// The address.
        address: IpAddr,
        /// Who has it.
        client: Client,
        /// The first number of its line.
        end: u64,
    },
    /// A lease was released, or its address was declined, before its end.
    Released(IpAddr),
}

/// What came of a look.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// In the order of the file, releases last.
    pub changes: Vec<Change>,
    /// Leases are missing for which this text is no proof: look again when it may be settled.
    pub doubts: usize,
    /// Leases that are gone from the file without having been released: their end came, or somebody took the file away.
    pub dropped: Vec<IpAddr>,
}

/// Up to so many leases may be released at once whatever the size of the network.
const RELEASES_MIN: usize = 8;

impl Shadow {
    /// Forgets the file: the next look finds everything new, and nothing released.
    pub fn clear(&mut self) {
        *self = Shadow::default();
    }

    /// Lines that are not leases.
    pub fn others(&self) -> &[String] {
        &self.others
    }

    /// Whether the file has a lease of this address for this client.
    pub fn has(&self, address: IpAddr, client: &Client) -> bool {
        self.rows.get(&address).is_some_and(|seen| seen.client == *client)
    }

    /// Takes in a text, and tells what is new in it.
    pub fn look(&mut self, text: &str, read: Read, clock: Clock, limit: usize) -> Found {
        let mut found = Found::default();
        self.rows.retain(&mut |_, seen| {
            seen.look = Look::Earlier;
            true
        });
        let is_whole = text.is_empty() || text.ends_with('\n');
        let mut others = Vec::new();
        let mut order = Order::default();
        let mut place = 0u32;
        for line in file::lines(text).take(limit) {
            match line {
                Line::Lease(row) => self.take(&row, place, &mut order, &mut found),
                Line::Other(line) if others.len() < OTHERS_MAX => others.push(line.to_owned()),
                Line::Other(_) => {}
            }
            place = place.saturating_add(1);
        }
        let is_settled = matches!(read, Read::Settled | Read::NewFile) && is_whole;
        if is_settled {
            self.others = others;
        }
        self.drop_missing(read, is_settled, &order, clock, &mut found);
        found
    }

    fn take(&mut self, row: &Row<'_>, place: u32, order: &mut Order, found: &mut Found) {
        match self.rows.get_mut(&row.address) {
            // Two lines with one address: the running server finds the first.
            Some(seen) if seen.look == Look::Last => return,
            Some(seen) => {
                let before = core::mem::replace(&mut seen.place, place);
                seen.look = Look::Last;
                if seen.end == row.end && row.is_of(&seen.client) {
                    return order.passed(before);
                }
                // What was released and granted anew stands in front: it tells nothing of what it stood behind.
            }
            None => {}
        }
        let Some(client) = row.client() else { return };
        found.changes.push(Change::Granted { address: row.address, client: client.clone(), end: row.end });
        self.rows.insert(row.address, Seen { end: row.end, client, place, look: Look::Last });
    }

    fn drop_missing(&mut self, read: Read, is_settled: bool, order: &Order, clock: Clock, found: &mut Found) {
        let is_proven = |seen: &Seen| is_settled || (read == Read::Clean && order.is_past(seen.place));
        let (mut gone, mut over) = (Vec::new(), Vec::new());
        for (address, seen) in self.rows.iter() {
            if seen.look == Look::Earlier && is_proven(seen) {
                let is_over = seen.end != 0 && file::life(seen.end, clock.soon()).is_none();
                if is_over { &mut over } else { &mut gone }.push(*address);
            }
        }
        let is_mass = gone.len() > RELEASES_MIN && gone.len() > self.rows.len() / 2;
        // So much is believed of a settled text only, and then it was no release.
        let is_believed = is_settled || !is_mass;
        self.rows.retain(&mut |_, seen| {
            if seen.look == Look::Last {
                return true;
            }
            let is_kept = !(is_believed && is_proven(seen));
            if is_kept {
                seen.place = UNKNOWN;
                found.doubts = found.doubts.saturating_add(1);
            }
            is_kept
        });
        if is_believed {
            found.dropped = over;
            if is_mass || read == Read::NewFile {
                found.dropped.extend(gone);
            } else {
                found.changes.extend(gone.into_iter().map(Change::Released));
            }
        }
    }
}

/// Lines of a newer version that are kept: a few for each lease.
const OTHERS_MAX: usize = 4096;

/// The place of a line that is missing from a text that proves nothing.
const UNKNOWN: u32 = u32::MAX;

/// Whether the file's lines stand in the order in which they stood before, and how far the text reaches.
#[derive(Debug, Default)]
struct Order {
    last: Option<u32>,
    is_broken: bool,
}

impl Order {
    fn passed(&mut self, place: u32) {
        if place == UNKNOWN {
            return;
        }
        self.is_broken |= self.last.is_some_and(|last| place <= last);
        self.last = self.last.max(Some(place));
    }

    /// Whether the writer was past the place. A restarted server writes its leases in the opposite order.
    fn is_past(&self, place: u32) -> bool {
        !self.is_broken && self.last.is_some_and(|last| place < last)
    }
}

impl Clock {
    /// A second later: a server may remove a lease in the second in which it ends.
    fn soon(self) -> Clock {
        Clock { now: self.now, wall: self.wall.saturating_add(1_000_000) }
    }
}

#[cfg(test)]
mod tests;

//! What this router knows of each address.

use core::time::Duration;
use std::net::IpAddr;

use crate::engine::Instant;
use crate::limits;
use crate::sorted::Map;

use super::blocks::{Blocks, Entries};
use super::{Client, Life, Node, Stamp};

/// What was said of an address last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// By whom, and in which order.
    pub stamp: Stamp,
    /// Who has the address; `None`: it was released, or declined.
    pub client: Option<Client>,
    /// How long that holds.
    pub life: Life,
}

/// For each writer, up to which of its changes everything is known: for each of them the table has that entry, or a higher one
/// of the same address, or it is over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Have(Map<Node, u64>);

impl Have {
    /// Up to which change of a writer.
    pub fn of(&self, node: Node) -> u64 {
        self.0.get(&node).copied().unwrap_or(0)
    }

    /// Everything up to this change of a writer.
    pub fn add(&mut self, node: Node, seq: u64) {
        let known = self.0.get_or_default(node);
        *known = seq.max(*known);
    }

    /// Everything that another has.
    pub fn join(&mut self, other: &Have) {
        other.iter().for_each(|(node, seq)| self.add(node, seq));
    }

    /// The writers, and up to where.
    pub fn iter(&self) -> impl Iterator<Item = (Node, u64)> + '_ {
        self.0.iter().map(|(node, seq)| (*node, *seq))
    }
}

/// What this router knows of all addresses.
#[derive(Debug)]
pub struct Table {
    own: Node,
    /// This router's changes.
    seq: u64,
    /// The highest term seen, and whose it is.
    top: (u32, Node),
    entries: Blocks<IpAddr, Entry>,
    /// The same entries in the order in which each writer made them.
    order: Blocks<(Node, u64), IpAddr>,
    have: Have,
    digest: u64,
}

/// Whether an entry was news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    /// It was.
    News,
    /// It, or something later, was known.
    Known,
    /// The table is full.
    Full,
}

/// How long it is remembered that a lease without end was released.
const RELEASE_REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

impl Table {
    /// Nothing is known. A [`Node`] is never used for a second table.
    pub fn new(own: Node) -> Table {
        Table {
            own,
            seq: 0,
            top: (0, own),
            entries: Blocks::new(),
            order: Blocks::new(),
            have: Have::default(),
            digest: 0,
        }
    }

    /// This router.
    pub fn own(&self) -> Node {
        self.own
    }

    /// How many changes this router has made.
    pub fn head(&self) -> u64 {
        self.seq
    }

    /// The highest term seen.
    pub fn term(&self) -> u32 {
        self.top.0
    }

    /// Up to where the changes of each writer are known.
    pub fn have(&self) -> &Have {
        &self.have
    }

    /// A number that is the same for two tables with the same entries, and hardly ever for others.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// What is known of an address.
    pub fn get(&self, address: IpAddr) -> Option<&Entry> {
        self.entries.get(&address)
    }

    /// Everything that is known.
    pub fn entries(&self) -> impl Iterator<Item = (IpAddr, &Entry)> {
        self.entries.iter().map(|(address, entry)| (*address, entry))
    }

    /// Leases that run, in the order in which they were granted.
    pub fn leases(&self, now: Instant) -> Vec<Lease<'_>> {
        let mut running = self.running(now);
        running.sort_unstable_by_key(|lease| lease.stamp);
        running
    }

    /// Leases that run, in the order of their addresses.
    pub fn running(&self, now: Instant) -> Vec<Lease<'_>> {
        let mut running = Vec::new();
        for (address, entry) in self.entries.iter() {
            let Some(client) = entry.client.as_ref().filter(|_| !entry.life.is_over(now)) else { continue };
            running.push(Lease { address: *address, client, life: entry.life, stamp: entry.stamp });
        }
        running
    }

    /// How many leases run.
    pub fn count(&self, now: Instant) -> usize {
        self.entries.iter().filter(|(_, entry)| entry.client.is_some() && !entry.life.is_over(now)).count()
    }

    /// This router's server has granted or renewed a lease.
    pub fn grant(&mut self, address: IpAddr, client: Client, life: Life) -> Merged {
        self.write(address, Some(client), life)
    }

    /// This router's server has been told that the address is not used any more.
    pub fn release(&mut self, address: IpAddr, now: Instant) -> Merged {
        let Some(entry) = self.entries.get(&address).filter(|entry| entry.client.is_some()) else {
            return Merged::Known;
        };
        let life = match entry.life {
            Life::Until(end) => Life::Until(end),
            Life::Length(_) | Life::Forever => Life::Until(now.after(RELEASE_REMEMBERED)),
        };
        self.write(address, None, life)
    }

    fn write(&mut self, address: IpAddr, client: Option<Client>, life: Life) -> Merged {
        let term = if self.top.1 == self.own { self.top.0.max(1) } else { self.top.0.saturating_add(1) };
        let stamp = Stamp { term, node: self.own, seq: self.seq.saturating_add(1) };
        let merged = self.merge(address, Entry { stamp, client, life });
        if merged == Merged::News {
            self.seq = stamp.seq;
            self.have.add(self.own, self.seq);
        }
        merged
    }

    /// Takes in an entry of another router's.
    pub fn merge(&mut self, address: IpAddr, entry: Entry) -> Merged {
        let stamp = entry.stamp;
        let before = self.entries.get(&address).map(|it| it.stamp);
        if before.is_none() && self.entries.len() >= limits::LEASES {
            return Merged::Full;
        }
        self.top = self.top.max((stamp.term, stamp.node));
        if before.is_some_and(|before| before >= stamp) {
            return Merged::Known;
        }
        if let Some(before) = before {
            self.order.remove(&(before.node, before.seq));
            self.digest ^= hash(address, before);
        }
        self.digest ^= hash(address, stamp);
        self.order.insert((stamp.node, stamp.seq), address);
        self.entries.insert(address, entry);
        Merged::News
    }

    /// Another router has given everything that was lacking: what it had then is known from here on. Not earlier, for an entry
    /// that it did not send may be one that a later one replaces, which was still to come.
    pub fn complete(&mut self, have: &Have) {
        self.have.join(have);
    }

    /// Forgets what is over.
    pub fn purge(&mut self, now: Instant) {
        let Table { entries, order, digest, .. } = self;
        entries.retain(&mut |address, entry| {
            let is_over = entry.life.is_over(now);
            if is_over {
                order.remove(&(entry.stamp.node, entry.stamp.seq));
                *digest ^= hash(*address, entry.stamp);
            }
            !is_over
        });
        // Of a writer without entries there is nothing that anybody could lack.
        let own = self.own;
        let is_used = |node: Node| order.from(&(node, 0)).next().is_some_and(|((from, _), _)| *from == node);
        self.have.0.retain(|node, _| *node == own || is_used(*node));
    }

    /// The entries that somebody lacks who has this, each writer's in its order.
    pub fn lacking<'a>(&'a self, have: &'a Have) -> Lacking<'a> {
        Lacking { table: self, have, rest: self.order.iter() }
    }

    /// How many of this router's changes come after the given one and still stand.
    pub fn own_since(&self, seq: u64) -> usize {
        let later = self.order.from(&(self.own, seq.saturating_add(1)));
        later.take_while(|((writer, _), _)| *writer == self.own).count()
    }
}

/// A lease that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease<'a> {
    /// The address that is lent.
    pub address: IpAddr,
    /// To whom.
    pub client: &'a Client,
    /// For how long.
    pub life: Life,
    /// Who said so, and in which order.
    pub stamp: Stamp,
}

/// See [`Table::lacking`].
pub struct Lacking<'a> {
    table: &'a Table,
    have: &'a Have,
    /// The changes that were not looked at yet.
    rest: Entries<'a, (Node, u64), IpAddr>,
}

impl<'a> Iterator for Lacking<'a> {
    type Item = (IpAddr, &'a Entry);

    fn next(&mut self) -> Option<(IpAddr, &'a Entry)> {
        loop {
            let ((node, seq), address) = self.rest.next()?;
            let known = self.have.of(*node);
            if *seq > known {
                if let Some(entry) = self.table.entries.get(address) {
                    return Some((*address, entry));
                }
            } else if let Some(next) = known.checked_add(1) {
                self.rest = self.table.order.from(&(*node, next));
            }
        }
    }
}

/// FNV-1a, mixed once more so that the sums of neighbours don't cancel out.
fn hash(address: IpAddr, stamp: Stamp) -> u64 {
    let octets = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    };
    let (term, node, seq) = (stamp.term.to_be_bytes(), stamp.node.0.to_be_bytes(), stamp.seq.to_be_bytes());
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in [octets.as_slice(), &term, &node, &seq] {
        for byte in part {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests;

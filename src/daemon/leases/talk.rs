//! Leases on the channel.

use core::net::IpAddr;

use crate::collect::IntoVec as _;
use crate::engine::Instant;
use crate::peer::PeerId;
use crate::peer::frame::Need;
use crate::peer::message::{BULK_LEASES, Bulk, Message};
use crate::sync::lease::feed::{Feed, Understood};
use crate::sync::lease::table::{Entry, Merged};
use crate::sync::lease::wire::{self, Batch, Head, Hello};

use super::super::notify;
use super::super::run::Daemon;
use super::{Leases, Service};

const HELLO: u8 = BULK_LEASES;
const BATCH: u8 = BULK_LEASES + 1;
const ACK: u8 = BULK_LEASES + 2;

/// Kinds that belong to leases; those that are not known are a later version's.
pub fn is_lease(kind: u8) -> bool {
    (BULK_LEASES..crate::peer::message::BULK_FILES).contains(&kind)
}

impl Daemon {
    /// The channel to a router stands.
    pub(in crate::daemon) fn leases_up(&mut self, peer: PeerId, now: Instant) {
        self.leases.feeds.get_or_default(peer).begin();
        self.greet(peer, now);
    }

    /// It is gone.
    pub(in crate::daemon) fn leases_down(&mut self, peer: PeerId, now: Instant) {
        if let Some(feed) = self.leases.feeds.get_mut(&peer) {
            feed.begin();
        }
        self.check_flushes(now);
    }

    /// A router says something about leases.
    pub(in crate::daemon) fn leases_said(&mut self, peer: PeerId, bulk: &Bulk, now: Instant) {
        if self.leases.watcher.is_none() {
            return;
        }
        match bulk.kind {
            HELLO => self.heard_hello(peer, &bulk.body, now),
            BATCH => self.heard_batch(peer, &bulk.body, now),
            ACK => self.heard_ack(peer, &bulk.body, now),
            other => log::debug!("leases: a message of the unknown kind {other}"),
        }
    }

    /// Tells every router what is here.
    pub(super) fn greet_leases(&mut self, now: Instant) {
        let peers: Vec<PeerId> = self.peering.mesh.connected().into_vec();
        for peer in peers {
            self.greet(peer, now);
        }
    }

    fn greet(&mut self, peer: PeerId, now: Instant) {
        if self.leases.watcher.is_some() {
            let body = Feed::hello(&self.leases.table, now).encode();
            self.say(peer, HELLO, body, now);
        }
    }

    /// Sends every router what it lacks, as far as it can take it.
    pub(super) fn feed_leases(&mut self, now: Instant) {
        let peers: Vec<PeerId> = self.peering.mesh.connected().into_vec();
        for peer in peers {
            self.feed(peer, now);
        }
    }

    fn feed(&mut self, peer: PeerId, now: Instant) {
        loop {
            let Leases { feeds, table, .. } = &mut self.leases;
            let Some(body) = feeds.get_mut(&peer).and_then(|feed| feed.next(table, now)) else { return };
            if !self.say(peer, BATCH, body, now) {
                // The queue is full: the next acknowledgement, or hello, tries again.
                self.leases.feeds.get_or_default(peer).rewind();
                return;
            }
        }
    }

    fn say(&mut self, peer: PeerId, kind: u8, body: Vec<u8>, now: Instant) -> bool {
        let message = Message::Bulk(Bulk { kind, need: Need::Optional, body });
        self.peering.mesh.send(peer, &message, &mut self.poller, now).is_ok()
    }

    fn heard_hello(&mut self, peer: PeerId, body: &[u8], now: Instant) {
        let Some(hello) = Hello::decode(body) else { return };
        let Leases { feeds, table, trouble, level, .. } = &mut self.leases;
        let feed = feeds.get_or_default(peer);
        match feed.heard(hello, table) {
            Understood::Yes => trouble.version = None,
            Understood::No { oldest, newest } => {
                let why = format!("the other router speaks versions {oldest} to {newest} of lease sync");
                let since = trouble.version.take().map_or(now, |(_, since)| since);
                trouble.version = Some((why, since));
            }
        }
        if feed.is_level(table) {
            *level = Some(now);
        }
        self.feed(peer, now);
        self.check_flushes(now);
    }

    fn heard_batch(&mut self, peer: PeerId, body: &[u8], now: Instant) {
        let Some(batch) = Batch::decode(body) else { return };
        let (mut foreign, mut doubled) = (Vec::new(), Vec::new());
        for (address, entry) in wire::entries(batch.entries, now) {
            if self.leases.is_doubled(peer, address, &entry, now) {
                doubled.push(address);
            }
            let merged = self.leases.table.merge(address, entry);
            if merged == Merged::News {
                foreign.push(address);
            }
            self.leases.keep(address, merged, now);
        }
        self.leases.table.complete(&batch.have);
        self.leases.feeds.get_or_default(peer).came(&batch);
        if matches!(self.leases.service, Service::On | Service::Ending(_)) {
            self.leases.compare(&foreign, now);
        }
        if !doubled.is_empty() {
            self.tell(now, notify::lent_twice(&doubled));
        }
        self.leases.level = Some(now);
        let count = u32::try_from(self.leases.table.count(now)).unwrap_or(u32::MAX);
        self.say(peer, ACK, Head { count, ..batch.head }.encode(), now);
    }

    fn heard_ack(&mut self, peer: PeerId, body: &[u8], now: Instant) {
        let Some((head, _)) = Head::decode(body) else { return };
        let Leases { feeds, table, level, .. } = &mut self.leases;
        if feeds.get_or_default(peer).acked(head, table) {
            *level = Some(now);
        }
        self.feed(peer, now);
        self.check_flushes(now);
    }
}

impl Leases {
    /// Whether another router lends an address to somebody else than this one does, and did so without knowing of that.
    fn is_doubled(&self, peer: PeerId, address: IpAddr, entry: &Entry, now: Instant) -> bool {
        let Some(before) = self.table.get(address) else { return false };
        let is_known = self.feeds.get(&peer).is_none_or(|feed| feed.has(before.stamp));
        let are_running = !before.life.is_over(now) && !entry.life.is_over(now);
        let are_two =
            matches!((&before.client, &entry.client), (Some(one), Some(other)) if !one.is_same(other));
        entry.stamp > before.stamp && are_running && are_two && !is_known
    }

    /// Notes which of these, that came from elsewhere, the running server does not know of.
    fn compare(&mut self, addresses: &[IpAddr], now: Instant) {
        let Some(watcher) = &self.watcher else { return };
        let desk = watcher.desk();
        let is_known = |address: &IpAddr| {
            let client = self.table.get(*address).and_then(|entry| entry.client.as_ref());
            client.is_none_or(|client| desk.has(*address, client))
        };
        let unknown: Vec<_> = addresses.iter().filter(|address| !is_known(address)).copied().into_vec();
        drop(desk);
        for address in unknown {
            self.note_unserved(address, now);
        }
    }
}

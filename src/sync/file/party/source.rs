//! The source: lists what it has, and hands it out.

use core::time::Duration;

use crate::engine::Instant;
use crate::peer::PeerId;

use super::super::plan::find;
use super::super::rules::is_within;
use super::super::wire::{self, Ask, Matter, PIECE_BYTES, Piece, kind};
use super::super::{Agreed, Disk, Entry, Kind, hash};
use super::{Party, forget_others, is_unreleased};

/// Why the own configuration does not follow yet.
pub const UNRELEASED: &str = "waits for 'gwha reload' on the master";

/// How long a list may be on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(5);

impl Party {
    /// Lists what is here, if that is news, for whoever does not have the list.
    pub(super) fn list(&mut self, now: Instant) {
        let hold = |entry: &Entry| match is_unreleased(entry, &self.rules, self.released) {
            true => Entry { kind: Kind::Held(UNRELEASED.to_owned()), ..entry.clone() },
            false => entry.clone(),
        };
        let mut listed = Vec::new();
        for entry in &self.found {
            listed.push(hold(entry));
        }
        if self.number == 0 || listed != self.listed {
            self.listed = listed;
            self.number = self.number.wrapping_add(1).max(1);
            // So that it hears of it soon who could not be told before.
            self.routine_due = now;
        }
        let mut lacking = Vec::new();
        for (id, peer) in self.peers.iter() {
            let fits = peer.hello.as_ref().is_some_and(|hello| self.obstacle(hello).is_none());
            if fits && peer.sent != self.number {
                lacking.push(*id);
            }
        }
        for id in lacking {
            self.greet(id);
            for part in wire::encode_list(self.number, &self.listed) {
                self.send(id, kind::LIST, part);
            }
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.sent = self.number;
                peer.sent_at = now;
            }
        }
    }

    /// A router wants a piece of a content.
    pub(super) fn asked(&mut self, peer: PeerId, body: &[u8], disk: &mut dyn Disk, now: Instant) {
        let Some(ask) = Ask::decode(body) else { return };
        match self.serve(&ask, disk) {
            Ok(bytes) => {
                let piece = Piece { hash: ask.hash, offset: ask.offset, bytes: &bytes };
                self.send(peer, kind::PIECE, piece.encode());
            }
            Err(why) => {
                self.send(peer, kind::REFUSAL, wire::encode_refusal(&ask.hash, &why));
                // It may be another one already.
                self.touched(now);
            }
        }
    }

    fn serve(&mut self, ask: &Ask, disk: &mut dyn Disk) -> Result<Vec<u8>, String> {
        let changed = || "it has just changed".to_owned();
        let is_listed = |entry: &Entry| matches!(entry.kind, Kind::File { hash, .. } if hash == ask.hash);
        if !self.own.is_source || !find(&self.listed, &ask.path).is_some_and(is_listed) {
            return Err(changed());
        }
        if self.served.as_ref().is_none_or(|(hash, _)| *hash != ask.hash) {
            let content = disk.read(&ask.path)?.ok_or_else(changed)?;
            self.served = Some((hash(&content), content));
        }
        let Some((_, content)) = self.served.as_ref().filter(|(hash, _)| *hash == ask.hash) else {
            return Err(changed());
        };
        let from = usize::try_from(ask.offset).unwrap_or(usize::MAX).min(content.len());
        let to = from.saturating_add(PIECE_BYTES).min(content.len());
        let piece = content.get(from..to).unwrap_or_default().to_vec();
        if to == content.len() {
            self.served = None;
        }
        Ok(piece)
    }

    /// A router tells how far it has come. What it has it has for certain.
    pub(super) fn reported(&mut self, id: PeerId, now: Instant, disk: &mut dyn Disk) {
        let (number, is_source) = (self.number, self.own.is_source);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(report) = peer.report.clone().filter(|_| is_source) else { return };
        if report.number != number {
            // Lost in a queue that was full, or on its way.
            if now.since(peer.sent_at) >= ON_ITS_WAY {
                peer.sent = 0;
            }
            return;
        }
        if !report.is_settled {
            return;
        }
        let is_failed = |path: &str| {
            report.told.iter().any(|told| told.what != Matter::Aside && is_within(path, &told.path))
        };
        let mut is_news = false;
        for entry in &self.listed {
            if let Kind::File { hash, .. } = entry.kind {
                let agreed = Agreed { there: hash, here: hash };
                if self.settled.get(&entry.path) != Some(&agreed) && !is_failed(&entry.path) {
                    self.settled.insert(entry.path.clone(), agreed);
                    is_news = true;
                }
            }
        }
        if forget_others(&mut self.settled, &self.listed) || is_news {
            disk.remember(&self.settled);
        }
        for root in &self.rules.roots {
            if !report.told.iter().any(|told| is_within(&told.path, root)) {
                self.level.insert(root.clone(), now);
            }
        }
    }
}

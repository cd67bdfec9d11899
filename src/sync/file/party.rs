//! One router's part: what it tells the others as the source, and how it follows one that is.
//!
//! Everything is done in [`Party::work`], which may take as long as the disk does. What is to be sent, and what
//! follows from files that have changed, is collected for the caller.

mod follow;
mod source;
mod view;

use core::time::Duration;

use crate::collect::IntoVec as _;
use crate::engine::Instant;
use crate::peer::PeerId;
use crate::sorted::Map;

use super::plan::find;
use super::rules::Rules;
use super::wire::{self, Hello, List, Report, kind};
use super::{Disk, Entry, Hash, Kind, Settled};

use follow::{Fetch, Trouble};
pub use view::{Row, State, View};

/// A router's part.
#[derive(Debug)]
pub struct Party {
    rules: Rules,
    own: Hello,
    /// The hash of the configuration that this router's daemon runs with; only that one follows.
    released: Option<Hash>,
    /// What is on the disk.
    found: Vec<Entry>,
    /// When the disk is looked at again.
    scan_due: Instant,
    /// The number of what was listed last as the source.
    number: u32,
    listed: Vec<Entry>,
    peers: Map<PeerId, Peer>,
    /// The content that others ask for.
    served: Option<(Hash, Vec<u8>)>,
    fetch: Option<Fetch>,
    troubles: Map<String, Trouble>,
    settled: Settled,
    /// What was said last of how far this router has come.
    report: Report,
    /// When that is said again, and who is there.
    routine_due: Instant,
    /// When each listed file or directory was the same on both routers last.
    level: Map<String, Instant>,
    /// Edits that were put aside: whose, and where they are.
    asides: Vec<(String, String)>,
    changed: Vec<String>,
    out: Vec<Out>,
}

/// Another router, on this channel.
#[derive(Debug)]
struct Peer {
    hello: Option<Hello>,
    /// What it has, if it is the source.
    list: List,
    /// How far it has come.
    report: Option<Report>,
    /// The number of the list that it was sent last.
    sent: u32,
    /// When that was.
    sent_at: Instant,
    /// When it said anything.
    heard: Instant,
    /// It is to be told how far this router has come.
    is_owed: bool,
    /// What it has asked for since the last work. Who follows asks for one piece at a time.
    asks: u32,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    /// A message: its kind, counted from the first of files, and its body.
    Send(PeerId, u8, Vec<u8>),
    /// This router's own configuration is another one.
    OwnChanged,
    /// These files have come or gone, and nothing more will for the moment.
    Changed(Vec<String>),
}

/// How often routers say hello, and how far they have come.
const ROUTINE_EVERY: Duration = Duration::from_secs(10);

/// Who has not said anything for this long has nothing to do with files: three routines and some more.
const SILENCE_MAX: Duration = Duration::from_secs(35);

/// How often the disk is looked at without any news: a watch can miss something.
const SCAN_EVERY: Duration = Duration::from_secs(60);

/// Pieces that a router is given between two calls of [`Party::work`]: what it asked for, and what it asked for after a new
/// list. All that is given waits in memory.
const ASKS_MAX: u32 = 4;

/// Rounds of [`Party::work`] in which something may come up that needs another one.
const ROUNDS_MAX: u32 = 4;

impl Party {
    /// A router that knows nothing but what is settled.
    pub fn new(rules: Rules, own: Hello, settled: Settled, now: Instant) -> Party {
        Party {
            own: Hello {
                version: wire::VERSION,
                oldest: wire::OLDEST,
                is_source: false,
                roots: rules.roots.join("\n"),
                ..own
            },
            rules,
            released: None,
            found: Vec::new(),
            scan_due: now,
            number: 0,
            listed: Vec::new(),
            peers: Map::new(),
            served: None,
            fetch: None,
            troubles: Map::new(),
            settled,
            report: Report::default(),
            routine_due: now,
            level: Map::new(),
            asides: Vec::new(),
            changed: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Takes other rules.
    pub fn configure(&mut self, rules: Rules, now: Instant) {
        self.troubles.clear();
        self.fetch = None;
        self.level.retain(|root, _| rules.roots.contains(root));
        // What was made of the source's with this router's own options is made anew. If others are kept now it may hold what is
        // nowhere else; at a start nobody knows, and then it is no edit.
        let is_other = rules.keep != self.rules.keep && !self.rules.roots.is_empty();
        self.settled.retain(|_, agreed| {
            let is_made = agreed.there != agreed.here;
            agreed.there = agreed.here;
            !(is_made && is_other)
        });
        self.own.roots = rules.roots.join("\n");
        self.rules = rules;
        self.scan_due = now;
        self.routine_due = now;
    }

    /// The role: whether this router is the source.
    pub fn set_source(&mut self, is_source: bool, now: Instant) {
        if is_source == self.own.is_source {
            return;
        }
        self.own.is_source = is_source;
        self.fetch = None;
        self.served = None;
        self.troubles.clear();
        self.scan_due = now;
        self.routine_due = now;
        self.report = Report::default();
        // From nobody but the one that is it now.
        self.peers.values_mut().for_each(|peer| peer.list = List::default());
        self.listed.clear();
    }

    /// The daemon runs with this configuration.
    pub fn release(&mut self, content: Hash) {
        self.released = Some(content);
    }

    /// The disk may have changed; it is to be looked at then.
    pub fn touched(&mut self, at: Instant) {
        self.scan_due = self.scan_due.min(at);
    }

    /// The channel to a router stands.
    pub fn up(&mut self, peer: PeerId, now: Instant) {
        let fresh = Peer {
            hello: None,
            list: List::default(),
            report: None,
            sent: 0,
            sent_at: now,
            heard: now,
            is_owed: false,
            asks: 0,
        };
        self.peers.insert(peer, fresh);
        // It may take the role as soon as it has what is listed: that has to be what is here now.
        self.scan_due = now;
        self.greet(peer);
    }

    /// It is gone.
    pub fn down(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
        if self.fetch.as_ref().is_some_and(|fetch| fetch.peer == peer) {
            self.fetch = None;
        }
    }

    /// A router says something.
    pub fn said(&mut self, id: PeerId, what: u8, body: &[u8], now: Instant, disk: &mut dyn Disk) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.heard = now;
        match what {
            kind::HELLO => {
                let Some(hello) = Hello::decode(body) else { return };
                if !hello.is_source {
                    peer.list = List::default();
                }
                if peer.hello.as_ref() != Some(&hello) {
                    peer.hello = Some(hello);
                    peer.is_owed = true;
                }
            }
            kind::LIST => {
                let is_source = peer.hello.as_ref().is_some_and(|hello| hello.is_source);
                if !is_source || peer.list.add(body).is_none() {
                    peer.list = List::default();
                }
                if peer.list.is_whole() {
                    self.forgive(id);
                }
            }
            kind::ASK => {
                peer.asks = peer.asks.saturating_add(1);
                if peer.asks <= ASKS_MAX {
                    self.asked(id, body, disk, now);
                }
            }
            kind::PIECE => self.piece_came(id, body, now, disk),
            kind::REFUSAL => self.refused(id, body, now),
            kind::REPORT => {
                let Some(report) = Report::decode(body) else { return };
                peer.report = Some(report);
                self.reported(id, now, disk);
            }
            _ => {}
        }
    }

    /// Does everything that can be done.
    pub fn work(&mut self, now: Instant, disk: &mut dyn Disk) {
        for peer in self.peers.values_mut().filter(|peer| now.since(peer.heard) > SILENCE_MAX) {
            // Files are not listed there any more.
            (peer.hello, peer.report, peer.sent) = (None, None, 0);
            peer.list = List::default();
        }
        for _ in 0..ROUNDS_MAX {
            if self.scan_due <= now {
                self.found = disk.scan();
                self.asides = disk.asides();
                self.scan_due = now.after(SCAN_EVERY);
            }
            if self.own.is_source {
                self.list(now);
            } else {
                self.follow(now, disk);
            }
            if self.scan_due > now {
                break;
            }
        }
        let is_routine = self.routine_due <= now;
        if is_routine {
            self.routine_due = now.after(ROUTINE_EVERY);
        }
        let peers: Vec<PeerId> = self.peers.keys().copied().into_vec();
        for id in peers {
            if is_routine {
                self.greet(id);
            }
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            peer.asks = 0;
            if core::mem::take(&mut peer.is_owed) || is_routine {
                self.say_report(id);
            }
        }
    }

    /// When [`Party::work`] has something to do without any news.
    pub fn next_deadline(&self) -> Instant {
        let fetch = self.fetch.as_ref().map(|fetch| fetch.until);
        let retry = self.troubles.values().map(|trouble| trouble.retry).min();
        let own = self.scan_due.min(self.routine_due);
        Instant::earliest(&[Some(own), fetch, retry]).unwrap_or(own)
    }

    /// What has to be done outside, in its order.
    pub fn take_out(&mut self) -> Vec<Out> {
        core::mem::take(&mut self.out)
    }

    fn send(&mut self, peer: PeerId, kind: u8, body: Vec<u8>) {
        self.out.push(Out::Send(peer, kind, body));
    }

    fn greet(&mut self, peer: PeerId) {
        self.send(peer, kind::HELLO, self.own.encode());
    }

    /// Why files don't go between this router and that one.
    fn obstacle(&self, other: &Hello) -> Option<String> {
        let own = &self.own;
        if other.version < wire::OLDEST || wire::VERSION < other.oldest {
            let Hello { oldest, version, .. } = other;
            return Some(format!("the other router speaks versions {oldest} to {version} of file sync"));
        }
        if own.release != other.release && !own.release.is_empty() && !other.release.is_empty() {
            let (here, there) = (&own.release, &other.release);
            return Some(format!(
                "this router runs OpenWrt {here}, the other one {there}: files don't go between these"
            ));
        }
        None
    }
}

/// Forgets what is settled of files that are not listed. Whether there was any.
fn forget_others(settled: &mut Settled, listed: &[Entry]) -> bool {
    let before = settled.len();
    settled.retain(|path, _| find(listed, path).is_some());
    settled.len() != before
}

/// Whether the own configuration is held back.
fn is_unreleased(entry: &Entry, rules: &Rules, released: Option<Hash>) -> bool {
    match entry.kind {
        Kind::File { hash, .. } => entry.path == rules.own && released != Some(hash),
        Kind::Dir | Kind::Held(_) => false,
    }
}

#[cfg(test)]
mod tests;

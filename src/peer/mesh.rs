//! The sockets of the channel: who connects to whom, on which segment, and how often.
//!
//! Both routers listen and both connect, so either may start first and a flood on the one's listener keeps nobody
//! apart. Of the connections that come of it the router with the lower life chooses one: the preferred segment's,
//! else the older one. Every call does a bounded piece of work.

mod listen;
mod serve;
mod view;

use core::time::Duration;

use socket2::Socket;

use crate::collect::IntoVec as _;
use crate::daemon::poller::{Interest, Poller, Source};
use crate::engine::Instant;
use crate::reconcile::Jitter;
use crate::sorted::Set;

use super::PeerId;
use super::dial::{CONNECT_PATIENCE, Dial, Reach};
use super::gate::Gate;
use super::key::Key;
use super::link::{Link, State};
use super::message::{Hello, Message};
use super::plan::{Plan, Route};
use super::session::{End, Unsent};

pub use view::View;

/// What the daemon hears of the channel.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// The channel to this router stands.
    Up(PeerId),
    /// It says something.
    Message(PeerId, Message),
    /// The channel is gone.
    Down(PeerId, End),
}

/// All connections to the other routers.
#[derive(Debug)]
pub struct Mesh {
    identity: Option<Identity>,
    plan: Plan,
    listeners: Vec<Option<Listener>>,
    links: Vec<Option<Link>>,
    peers: Vec<Peer>,
    jitter: Jitter,
    /// Whether a handshake may still be made in this turn: each costs milliseconds on a small router.
    handshake: Budget,
    /// When listeners that could not be opened are tried again.
    retry: Option<Instant>,
    buffer: Vec<u8>,
    /// Connections refused since the start.
    refused: u32,
}

/// What this router says of itself, and proves it with.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The shared key.
    pub key: Key,
    /// What is said.
    pub hello: Hello,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Budget {
    Left,
    Spent,
}

#[derive(Debug)]
struct Listener {
    route: Route,
    socket: Socket,
    gate: Gate,
    interest: Interest,
}

#[derive(Debug)]
struct Peer {
    id: PeerId,
    gate: Gate,
    dial: Dial,
    /// The attempt under way, by its slot.
    attempt: Option<usize>,
    /// The channel, by its slot.
    current: Option<usize>,
    /// Since when the channel stands, or does not.
    since: Instant,
    /// Who was there last.
    hello: Option<Hello>,
    /// How the last channel ended.
    ended: Option<End>,
    /// A handshake of its with another key, and when.
    wrong_key: Option<Instant>,
}

impl Peer {
    const fn new(id: PeerId, now: Instant) -> Peer {
        Peer {
            id,
            gate: Gate::new(HANDSHAKES_BURST, HANDSHAKES_EVERY, now),
            dial: Dial::new(now),
            attempt: None,
            current: None,
            since: now,
            hello: None,
            ended: None,
            wrong_key: None,
        }
    }

    /// An attempt on one of so many segments has failed.
    fn failed(&mut self, reach: Reach, count: usize, now: Instant, jitter: &mut Jitter) {
        match self.current {
            Some(_) => self.dial.not_better(now, jitter),
            None => self.dial.failed(reach, count, now, jitter),
        }
    }
}

fn link_in(links: &mut [Option<Link>], slot: usize) -> Option<&mut Link> {
    links.get_mut(slot)?.as_mut()
}

fn peer_in(peers: &mut [Peer], id: PeerId) -> Option<&mut Peer> {
    peers.iter_mut().find(|peer| peer.id == id)
}

impl Mesh {
    /// Nothing to connect to yet. The seed is for the jitter of retries.
    pub fn new(seed: u64) -> Mesh {
        Mesh {
            identity: None,
            plan: Plan::default(),
            listeners: Vec::new(),
            links: Vec::new(),
            peers: Vec::new(),
            jitter: Jitter::new(seed),
            handshake: Budget::Left,
            retry: None,
            buffer: vec![0; BUFFER_BYTES],
            refused: 0,
        }
    }

    /// Takes the key; `None` switches the channel off. Another key ends what was made with the old one.
    pub fn identify(
        &mut self,
        identity: Option<Identity>,
        poller: &mut Poller,
        out: &mut Vec<Happening>,
        now: Instant,
    ) {
        let same = match (&self.identity, &identity) {
            (Some(old), Some(new)) => old.key == new.key,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        self.identity = identity;
        if !same {
            self.close_all(poller, out, now);
            let plan = core::mem::take(&mut self.plan);
            self.configure(plan, poller, out, now);
        }
    }

    /// Ends every connection: what the other side has shown is that it has the old key.
    fn close_all(&mut self, poller: &mut Poller, out: &mut Vec<Happening>, now: Instant) {
        self.say_goodbye("reload", now);
        for slot in 0..self.links.len() {
            self.close(slot, &End::Closed, poller, out, now);
        }
    }

    fn say_goodbye(&mut self, why: &str, now: Instant) {
        for link in self.links.iter_mut().filter_map(Option::as_mut) {
            if let Some(session) = link.session() {
                session.leave(why, now);
            }
            link.write();
        }
    }

    /// Makes sockets and attempts those that `plan` asks for. What fits already is not touched.
    pub fn configure(&mut self, plan: Plan, poller: &mut Poller, out: &mut Vec<Happening>, now: Instant) {
        let plan = if self.identity.is_some() { plan } else { Plan::default() };
        if plan == self.plan && self.retry.is_none() {
            return;
        }
        let mut known = Set::new();
        for route in &plan.routes {
            for (id, _) in &route.others {
                known.insert(*id);
            }
        }
        for slot in 0..self.links.len() {
            let is_right = |link: &Link| plan.routes.iter().any(|route| link.is_on(route));
            if self.link(slot).is_some_and(|link| !is_right(link)) {
                self.close(slot, &End::Closed, poller, out, now);
            }
        }
        // A router whose segments are all gone for the moment is still the same router.
        if !plan.routes.is_empty() || self.identity.is_none() {
            self.peers.retain(|peer| known.contains(&peer.id));
        }
        for id in known {
            match peer_in(&mut self.peers, id) {
                Some(peer) => peer.dial.changed(now),
                None => self.peers.push(Peer::new(id, now)),
            }
        }
        self.plan = plan;
        self.listen(poller, now);
    }

    /// Queues a message for a router.
    ///
    /// # Errors
    /// See [`Unsent`].
    pub fn send(
        &mut self,
        peer: PeerId,
        message: &Message,
        poller: &mut Poller,
        now: Instant,
    ) -> Result<(), Unsent> {
        let slot = self.peer(peer).and_then(|peer| peer.current).ok_or(Unsent::NotConnected)?;
        let link = link_in(&mut self.links, slot).ok_or(Unsent::NotConnected)?;
        link.session().ok_or(Unsent::NotConnected)?.send(message, now)?;
        link.write();
        self.watch(slot, poller);
        Ok(())
    }

    /// Queues a message for every router that is connected.
    pub fn send_all(&mut self, message: &Message, poller: &mut Poller, now: Instant) {
        let ids: Vec<PeerId> = self.connected().into_vec();
        for id in ids {
            if let Err(unsent) = self.send(id, message, poller, now) {
                log::debug!("peer channel: not sent: {unsent}");
            }
        }
    }

    /// The routers to which the channel stands.
    pub fn connected(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers.iter().filter(|peer| peer.current.is_some()).map(|peer| peer.id)
    }

    /// Says goodbye to everybody.
    pub fn leave(&mut self, now: Instant) {
        self.say_goodbye("stopping", now);
    }

    /// The turn of the loop is over: the next one may begin another handshake.
    pub fn end_turn(&mut self) {
        self.handshake = Budget::Left;
    }

    /// When [`Mesh::expire`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.identity.as_ref()?;
        let mut next = self.retry;
        for link in self.links.iter().filter_map(Option::as_ref) {
            next = Instant::earliest(&[next, link.next_deadline()]);
        }
        for listener in self.listeners.iter().filter_map(Option::as_ref) {
            if listener.interest == Interest::Nothing {
                next = Instant::earliest(&[next, listener.gate.opens_at()]);
            }
        }
        for peer in &self.peers {
            if peer.attempt.is_none() && !self.plan.routes.is_empty() {
                next = Instant::earliest(&[next, peer.dial.due()]);
            }
        }
        next
    }

    /// Does what is due.
    pub fn expire(&mut self, poller: &mut Poller, out: &mut Vec<Happening>, now: Instant) {
        if self.retry.is_some_and(|at| at <= now) {
            self.listen(poller, now);
        }
        self.open_gates(poller, now);
        for slot in 0..self.links.len() {
            if self.link(slot).and_then(Link::next_deadline).is_none_or(|at| at > now) {
                continue;
            }
            let Some(link) = link_in(&mut self.links, slot) else { continue };
            match &mut link.state {
                State::Connecting(_) => self.attempt_failed(slot, Reach::NoAnswer, poller, now),
                State::Made(session) => {
                    session.timeout(now);
                    link.write();
                    self.settle(slot, poller, out, now);
                }
            }
        }
        self.dial(poller, now);
    }

    fn dial(&mut self, poller: &mut Poller, now: Instant) {
        for at in 0..self.peers.len() {
            let Some(peer) = self.peers.get_mut(at) else { continue };
            if peer.attempt.is_some() || peer.dial.due().is_none_or(|due| due > now) {
                continue;
            }
            let routes = self.plan.routes_to(peer.id);
            let Some((route, remote)) = routes.get(peer.dial.segment(routes.len())) else {
                peer.dial.begun(now.after(LISTEN_RETRY));
                continue;
            };
            let until = now.after(CONNECT_PATIENCE);
            match Link::connect(route, peer.id, *remote, until) {
                Ok(link) => {
                    peer.dial.begun(until);
                    let slot = self.keep(link, poller);
                    if let Some(peer) = self.peers.get_mut(at) {
                        peer.attempt = slot;
                    }
                }
                Err(_) => peer.failed(Reach::NoAnswer, routes.len(), now, &mut self.jitter),
            }
        }
    }

    /// Stops waiting for an attempt.
    fn attempt_failed(&mut self, slot: usize, reach: Reach, poller: &mut Poller, now: Instant) {
        let Some(link) = self.links.get_mut(slot).and_then(Option::take) else { return };
        let _ = poller.remove(&link);
        let count = self.plan.routes_to(link.peer).len();
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.attempt == Some(slot)) else { return };
        peer.attempt = None;
        peer.failed(reach, count, now, &mut self.jitter);
    }

    /// Gives a connection a slot.
    fn keep(&mut self, link: Link, poller: &mut Poller) -> Option<usize> {
        let free = self.links.iter().position(Option::is_none).unwrap_or(self.links.len());
        let interest = if link.wants_to_write() { Interest::Both } else { Interest::Read };
        poller.add(&link, Source::Peer(u16::try_from(free).ok()?), interest).ok()?;
        match self.links.get_mut(free) {
            Some(place) => *place = Some(link),
            None => self.links.push(Some(link)),
        }
        Some(free)
    }

    fn link(&self, slot: usize) -> Option<&Link> {
        self.links.get(slot)?.as_ref()
    }

    fn peer(&self, id: PeerId) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.id == id)
    }

    fn watch(&self, slot: usize, poller: &Poller) {
        let Some(link) = self.link(slot) else { return };
        let interest = if link.wants_to_write() { Interest::Both } else { Interest::Read };
        if let Ok(token) = u16::try_from(slot) {
            let _ = poller.change(link, Source::Peer(token), interest);
        }
    }
}

/// Handshakes of one router: it needs one; what a flood of its connections costs is bounded by this.
const HANDSHAKES_BURST: u32 = 6;
const HANDSHAKES_EVERY: Duration = Duration::from_secs(1);

/// An address that was there a moment ago may be back soon.
const LISTEN_RETRY: Duration = Duration::from_secs(1);

const BUFFER_BYTES: usize = 16 << 10;

//! What comes in: connections, and bytes on them.

use std::io::ErrorKind;

use crate::daemon::poller::{Interest, Poller, Source};
use crate::engine::Instant;

use super::{Budget, Happening, Mesh, link_in, peer_in};
use crate::peer::PeerId;
use crate::peer::dial::Reach;
use crate::peer::handshake::{Ends, Failure, Side};
use crate::peer::link::{Link, State};
use crate::peer::session::{End, Event, Session};

/// Connections of one router that have not been adopted yet.
const PENDING_MAX: usize = 2;

impl Mesh {
    /// Somebody connects.
    pub fn accept(&mut self, slot: u16, poller: &mut Poller, now: Instant) {
        let Some(Some(listener)) = self.listeners.get_mut(usize::from(slot)) else { return };
        if !listener.gate.admit(now) {
            listener.interest = Interest::Nothing;
            let _ = poller.change(&listener.socket, Source::PeerListener(slot), Interest::Nothing);
            return;
        }
        let Ok((socket, address)) = listener.socket.accept() else { return };
        let route = listener.route.clone();
        let Some(remote) = address.as_socket().map(|it| it.ip()) else { return };
        let Some(id) = route.peer(remote).filter(|id| self.is_welcome(*id, now)) else {
            self.refused = self.refused.saturating_add(1);
            log::debug!("peer channel: connection of {remote} refused");
            return;
        };
        let Some(identity) = &self.identity else { return };
        let ends = Ends { initiator: remote, responder: route.own };
        let session = Session::new(Side::Responder, &identity.key, &ends, identity.hello.clone(), now);
        if let Ok(link) = Link::accepted(socket, &route, id, remote, session) {
            self.keep(link, poller);
        }
    }

    /// A configured router with few enough connections and handshakes.
    fn is_welcome(&mut self, id: PeerId, now: Instant) -> bool {
        let Some(peer) = peer_in(&mut self.peers, id) else { return false };
        let (current, attempt) = (peer.current, peer.attempt);
        let is_pending = |slot: usize| Some(slot) != current && Some(slot) != attempt;
        let of_peer = |link: &Option<Link>| link.as_ref().is_some_and(|link| link.peer == id);
        let mut pending = 0usize;
        for (slot, link) in self.links.iter().enumerate() {
            if is_pending(slot) && of_peer(link) {
                pending = pending.saturating_add(1);
            }
        }
        pending < PENDING_MAX && peer.gate.admit(now)
    }

    /// A connection is ready.
    pub fn serve(&mut self, slot: u16, poller: &mut Poller, out: &mut Vec<Happening>, now: Instant) {
        let slot = usize::from(slot);
        let Some(link) = link_in(&mut self.links, slot) else { return };
        let may_shake = match &link.state {
            State::Connecting(_) => true,
            State::Made(session) => session.is_shaking(),
        };
        if may_shake && core::mem::replace(&mut self.handshake, Budget::Spent) == Budget::Spent {
            // It is as ready in the next turn.
            return;
        }
        if let State::Connecting(_) = link.state {
            return self.connected_or_not(slot, poller, now);
        }
        let mut events = Vec::new();
        link.read(now, &mut self.buffer, &mut events);
        for event in events {
            self.heard(slot, event, poller, out, now);
        }
        if let Some(link) = link_in(&mut self.links, slot) {
            link.write();
        }
        self.settle(slot, poller, out, now);
    }

    fn connected_or_not(&mut self, slot: usize, poller: &mut Poller, now: Instant) {
        let Some(link) = link_in(&mut self.links, slot) else { return };
        let Some(identity) = &self.identity else { return };
        match link.outcome() {
            Ok(()) => {
                let ends = Ends { initiator: link.own, responder: link.remote };
                let session =
                    Session::new(Side::Initiator, &identity.key, &ends, identity.hello.clone(), now);
                link.state = State::Made(Box::new(session));
                link.write();
                self.watch(slot, poller);
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                self.attempt_failed(slot, Reach::Refused, poller, now);
            }
            Err(_) => self.attempt_failed(slot, Reach::NoAnswer, poller, now),
        }
    }

    fn heard(
        &mut self,
        slot: usize,
        event: Event,
        poller: &mut Poller,
        out: &mut Vec<Happening>,
        now: Instant,
    ) {
        let Some(link) = link_in(&mut self.links, slot) else { return };
        let id = link.peer;
        match event {
            Event::Greeted(hello) => {
                link.hello = Some(hello.clone());
                let is_chooser = self.identity.as_ref().is_some_and(|own| own.hello.life < hello.life);
                if !is_chooser {
                    return;
                }
                if self.is_better(slot, &hello.life, now) {
                    if let Some(session) = link_in(&mut self.links, slot).and_then(Link::session) {
                        session.adopt(now);
                    }
                    self.raise(slot, poller, out, now);
                } else if let Some(session) = link_in(&mut self.links, slot).and_then(Link::session) {
                    session.leave("duplicate", now);
                }
            }
            Event::Adopted => self.raise(slot, poller, out, now),
            Event::Message(message) => {
                if self.peer(id).is_some_and(|peer| peer.current == Some(slot)) {
                    out.push(Happening::Message(id, message));
                }
            }
        }
    }

    /// Whether a greeted connection should take the place of the channel there is.
    fn is_better(&self, slot: usize, life: &str, now: Instant) -> bool {
        let Some(link) = self.link(slot) else { return false };
        let Some(current) = self.peer(link.peer).and_then(|peer| peer.current) else { return true };
        let Some(old) = self.link(current) else { return true };
        let is_quiet = match &old.state {
            State::Made(session) => session.is_quiet(now),
            State::Connecting(_) => true,
        };
        is_quiet
            || old.hello.as_ref().is_none_or(|hello| hello.life != life)
            || self.rank(link) < self.rank(old)
    }

    /// A connection's segment in the order of preference.
    pub(super) fn rank(&self, link: &Link) -> usize {
        self.plan.routes.iter().position(|route| link.is_on(route)).unwrap_or(usize::MAX)
    }

    /// A connection becomes the channel.
    fn raise(&mut self, slot: usize, poller: &mut Poller, out: &mut Vec<Happening>, now: Instant) {
        let Some(link) = self.link(slot) else { return };
        let (id, rank, hello) = (link.peer, self.rank(link), link.hello.clone());
        let before = self.peer(id).and_then(|peer| peer.current).filter(|before| *before != slot);
        if let Some(before) = before {
            if let Some(session) = link_in(&mut self.links, before).and_then(Link::session) {
                session.leave("duplicate", now);
            }
            self.settle(before, poller, out, now);
        }
        let jitter = &mut self.jitter;
        let Some(peer) = peer_in(&mut self.peers, id) else { return };
        peer.current = Some(slot);
        peer.attempt = peer.attempt.filter(|attempt| *attempt != slot);
        peer.since = now;
        peer.hello = hello;
        peer.ended = None;
        peer.wrong_key = None;
        peer.dial.up(rank, now, jitter);
        out.push(Happening::Up(id));
    }

    /// Closes a connection that is over, else watches it for what it wants.
    pub(super) fn settle(
        &mut self,
        slot: usize,
        poller: &mut Poller,
        out: &mut Vec<Happening>,
        now: Instant,
    ) {
        match self.link(slot).map(|link| link.end().cloned()) {
            Some(Some(end)) => {
                if let Some(link) = link_in(&mut self.links, slot) {
                    // The reason, if the other side is still there to hear it. `write` does nothing to a closed one.
                    link.write();
                }
                self.close(slot, &end, poller, out, now);
            }
            Some(None) => self.watch(slot, poller),
            None => {}
        }
    }

    /// Ends a connection.
    pub(super) fn close(
        &mut self,
        slot: usize,
        end: &End,
        poller: &mut Poller,
        out: &mut Vec<Happening>,
        now: Instant,
    ) {
        let Some(id) = self.link(slot).map(|link| link.peer) else { return };
        let Some(peer) = peer_in(&mut self.peers, id) else { return };
        if matches!(end, End::Handshake(Failure::Key) | End::KeyRefused) {
            peer.wrong_key = Some(now);
        }
        if peer.attempt == Some(slot) {
            return self.attempt_failed(slot, Reach::of(end), poller, now);
        }
        if peer.current == Some(slot) {
            peer.current = None;
            peer.since = now;
            peer.ended = Some(end.clone());
            peer.dial.down(now, &mut self.jitter);
            out.push(Happening::Down(id, end.clone()));
        }
        if let Some(link) = self.links.get_mut(slot).and_then(Option::take) {
            let _ = poller.remove(&link);
        }
    }
}

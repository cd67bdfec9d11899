//! Planned moves over the channel: the other router is asked before a role moves, and may be asked to take it.
//!
//! All of it has a deadline (protocol rule 19). Without the channel a move between two routers goes as it always did.

use core::time::Duration;
use std::net::IpAddr;

use crate::config::model::Routers;
use crate::engine::{Command, CommandId, Event, Instant, SwitchTo};
use crate::limits;
use crate::peer::PeerId;
use crate::peer::message::{Message, Reply, Request, clean};

use super::leases::After;
use super::methods::{self, Caller};
use super::run::Daemon;

/// Questions to other routers that are not answered yet.
#[derive(Debug, Default)]
pub struct Asked {
    open: Vec<Ask>,
    last: u32,
}

#[derive(Debug)]
struct Ask {
    id: u32,
    peer: PeerId,
    command: CommandId,
    began: Instant,
    until: Instant,
    then: Then,
}

/// What follows from the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The engine carries the command out, also if there is no answer; a refusal is passed on.
    Switch(Command),
    /// The answer is the caller's.
    Tell,
}

/// How long the other router may take to bring over what is not yet.
const PREPARE_PATIENCE: Duration = Duration::from_secs(1);

/// How long this router may take for that: the answer has to be there in time.
const FLUSH_PATIENCE: Duration = Duration::from_millis(800);

/// How long it may take to become master: it does so at once or never.
const TAKE_PATIENCE: Duration = Duration::from_secs(3);

impl Asked {
    /// When [`Daemon::expire_asked`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.open.iter().map(|ask| ask.until).min()
    }

    fn answered(&mut self, peer: PeerId, id: u32) -> Option<Ask> {
        let at = self.open.iter().position(|ask| ask.peer == peer && ask.id == id)?;
        Some(self.open.swap_remove(at))
    }
}

impl Daemon {
    /// Begins a switch that an operator wants: asks the other router first, where there is a channel.
    pub(super) fn begin_switch(&mut self, command: CommandId, to: SwitchTo, now: Instant) {
        let is_serving = self.is_serving();
        let addressed = match to {
            SwitchTo::Router(address) => self.peer_at(address),
            SwitchTo::Other | SwitchTo::This => None,
        };
        let is_pair = self.is_pair();
        self.push_leases(now);
        let asked = match addressed {
            // Between two the engine can do it alone; among several only that router itself can take the role.
            Some(peer) if !(is_pair && is_serving) => self.ask(peer, command, Then::Tell, now),
            Some(_) | None => {
                let other = self.peering.mesh.connected().next().filter(|_| is_pair);
                other.is_some_and(|peer| self.ask(peer, command, Then::Switch(Command::Switch(to)), now))
            }
        };
        if !asked {
            self.step(now, Event::Command { id: command, command: Command::Switch(to) });
        }
    }

    fn ask(&mut self, peer: PeerId, command: CommandId, then: Then, now: Instant) -> bool {
        if self.asked.open.len() >= limits::PENDING_COMMANDS {
            return false;
        }
        self.asked.last = self.asked.last.wrapping_add(1);
        let id = self.asked.last;
        let (message, patience) = match then {
            Then::Switch(_) => (Message::Prepare(Request { id, take: self.is_serving() }), PREPARE_PATIENCE),
            Then::Tell => (Message::Take(Request { id, take: true }), TAKE_PATIENCE),
        };
        let is_sent = self.peering.mesh.send(peer, &message, &mut self.poller, now).is_ok();
        if is_sent {
            self.asked.open.push(Ask { id, peer, command, began: now, until: now.after(patience), then });
        }
        is_sent
    }

    /// The other router is about to give or take the role: what it must have has to be there.
    pub(super) fn prepare(&mut self, peer: PeerId, request: Request, now: Instant) {
        match self.cannot_take(now).filter(|_| request.take) {
            Some(error) => self.prepared(peer, request.id, Some(error), now),
            None => self.flush_leases(After::Prepared(peer, request.id), FLUSH_PATIENCE, now),
        }
    }

    /// Tells another router what came of its `Prepare`.
    pub(super) fn prepared(&mut self, peer: PeerId, id: u32, error: Option<String>, now: Instant) {
        let message = Message::Prepared(Reply { id, error });
        let _ = self.peering.mesh.send(peer, &message, &mut self.poller, now);
    }

    /// An operator on another router wants this one to be master.
    pub(super) fn take(&mut self, peer: PeerId, request: Request, now: Instant) {
        match self.waiting().enter(Caller::Peer(peer, request.id)) {
            Ok(id) => self.step(now, Event::Command { id, command: Command::Switch(SwitchTo::This) }),
            Err(failure) => self.taken(peer, request.id, Some(failure.text().to_owned()), now),
        }
    }

    /// Tells another router what came of its `Take`.
    pub(super) fn taken(&mut self, peer: PeerId, id: u32, error: Option<String>, now: Instant) {
        let message = Message::Taken(Reply { id, error });
        let _ = self.peering.mesh.send(peer, &message, &mut self.poller, now);
    }

    /// Another router answers.
    pub(super) fn answered(&mut self, peer: PeerId, reply: Reply, now: Instant) {
        let Some(ask) = self.asked.answered(peer, reply.id) else { return };
        match (ask.then, reply.error) {
            (Then::Switch(command), None) => {
                self.flush_leases(After::Step(ask.command, command), ask.until.since(now), now);
            }
            (Then::Tell, None) => self.conclude(ask.command, &methods::done(now.since(ask.began)), now),
            (Then::Switch(_) | Then::Tell, Some(error)) => {
                let why = format!("the other router can't take over: {}", clean(&error));
                self.conclude(ask.command, &methods::refused_answer(&why), now);
            }
        }
    }

    /// Goes on without the answers that are overdue.
    pub(super) fn expire_asked(&mut self, now: Instant) {
        self.give_up(&|ask| ask.until <= now, now);
    }

    /// Goes on without the answers of a router that is gone.
    pub(super) fn peer_gone(&mut self, peer: PeerId, now: Instant) {
        self.give_up(&|ask| ask.peer == peer, now);
    }

    fn give_up(&mut self, is_lost: &dyn Fn(&Ask) -> bool, now: Instant) {
        while let Some(at) = self.asked.open.iter().position(is_lost) {
            let ask = self.asked.open.swap_remove(at);
            match ask.then {
                Then::Switch(command) => {
                    log::info!("the other router did not answer before a switch; going on without it");
                    self.step(now, Event::Command { id: ask.command, command });
                }
                Then::Tell => {
                    let why = "that router did not answer; nothing is known to have changed";
                    self.conclude(ask.command, &methods::refused_answer(why), now);
                }
            }
        }
    }

    fn is_serving(&self) -> bool {
        self.groups().any(|id| self.engine.role(id).0 == crate::engine::Role::Master)
    }

    /// Why this router would not take over; `None` if it would.
    fn cannot_take(&self, now: Instant) -> Option<String> {
        for id in self.groups() {
            let view = self.engine.group(id, now);
            if view.role != crate::engine::Role::Master && view.priority <= STEP_BACK {
                let is_known = !view.blocked_by.is_empty();
                return Some(if is_known { view.blocked_by.join("; ") } else { "not healthy".to_owned() });
            }
        }
        None
    }

    fn groups(&self) -> impl Iterator<Item = crate::config::model::GroupId> + use<> {
        (0..).map(crate::config::model::GroupId).take(self.engine.config().groups.len())
    }

    fn is_pair(&self) -> bool {
        self.config.instances.iter().all(|instance| match &instance.routers {
            Routers::Listed(all) => all.len() == 2,
            Routers::Peers { peers, .. } => peers.len() == 1,
        })
    }

    /// The router that has this address on some instance.
    fn peer_at(&self, address: IpAddr) -> Option<PeerId> {
        self.config.instances.iter().find_map(|instance| {
            let (Routers::Listed(all) | Routers::Peers { peers: all, .. }) = &instance.routers;
            let at = all.iter().position(|it| *it == address)?;
            let id = PeerId(u8::try_from(at).ok()?);
            self.peering.mesh.connected().any(|connected| connected == id).then_some(id)
        })
    }

    /// The address of the router with this host name, on any instance.
    pub(super) fn router_named(&self, name: &str, now: Instant) -> Option<IpAddr> {
        let mut views = self.peering.mesh.views(now);
        views.retain(|view| view.trouble.is_none() && view.hello.as_ref().is_some_and(|it| it.node == name));
        let [view] = views.as_slice() else { return None };
        self.config.instances.iter().find_map(|instance| {
            let (Routers::Listed(all) | Routers::Peers { peers: all, .. }) = &instance.routers;
            all.get(usize::from(view.id.0)).copied()
        })
    }
}

/// Protocol rule 2: at 4 and below a router does not take over.
const STEP_BACK: u8 = 4;

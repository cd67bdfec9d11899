//! From an event to its effects: the engine decides, the hands carry out.

use std::fmt::Write as _;
use std::sync::Arc;

use nix::errno::Errno;

use crate::collect::take_first;
use crate::config::model::{GroupId, InstanceId};
use crate::control::Answer;
use crate::engine::{
    Action, ApplyOutcome, CommandId, Done, Epoch, Event, Instant, Notice, Refusal, Role, RoleChange,
};
use crate::netlink::words;

use super::methods::{self, Caller};
use super::notify::{self, Line};
use super::probes::Answer as ProbeAnswer;
use super::run::{Daemon, Life};
use super::storage::Job;

/// What came of an action at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// An advert could not be sent.
    SendFailed(InstanceId),
    /// Addresses are, or are not, as a role asks.
    Applied(GroupId, Epoch, ApplyOutcome),
    /// A probe was answered before it was asked for twice.
    Answered(ProbeAnswer),
}

impl Fact {
    fn event(self) -> Event<'static> {
        match self {
            Fact::SendFailed(instance) => Event::SendFailed { instance },
            Fact::Applied(group, epoch, outcome) => Event::Applied { group, epoch, outcome },
            Fact::Answered(answer) => answer.event(),
        }
    }
}

impl Daemon {
    /// Gives an event to the engine and carries out what it asks for, in its order. What comes of that is given to
    /// the engine too, afterwards.
    pub fn step(&mut self, now: Instant, event: Event<'_>) {
        self.step_once(now, event);
        self.digest(now);
    }

    /// Gives what came of actions to the engine.
    pub(super) fn digest(&mut self, now: Instant) {
        while let Some(fact) = take_first(&mut self.facts) {
            self.step_once(now, fact.event());
        }
    }

    fn step_once(&mut self, now: Instant, event: Event<'_>) {
        let mut actions = core::mem::take(&mut self.actions);
        self.engine.step(now, event, &mut actions);
        self.take_roles(now, &actions);
        for action in &actions {
            self.perform(now, action);
        }
        actions.clear();
        self.actions = actions;
    }

    fn perform(&mut self, now: Instant, action: &Action) {
        if !matches!(action, Action::Advertise { .. }) {
            self.chores.news();
        }
        match action {
            Action::Advertise { instance, priority } => self.advertise(now, *instance, *priority),
            Action::Role(change) => self.tell_role(now, change),
            Action::Announce { instance } => self.system.announce(&self.config, *instance),
            Action::Probe { track, round } => {
                let answers = self.probes.start(*track, *round, now);
                for answer in answers {
                    self.facts.push(Fact::Answered(answer));
                }
            }
            Action::EndProbe { track, round } => self.probes.cancel(*track, *round),
            Action::KeepMaintenance(wanted) => {
                self.peering.state_changed(now);
                let flag = self.run_dir.maintenance_flag();
                self.storage.submit(Job::Maintenance { flag, wanted: *wanted });
            }
            Action::Reply { id, result } => self.reply(now, *id, result),
            Action::Notice(notice) => self.notice(now, notice),
            Action::Configured => {
                self.adopt(now);
                self.settle(now);
            }
            Action::Exit => self.life = Life::Over,
        }
    }

    fn advertise(&mut self, now: Instant, id: InstanceId, priority: u8) {
        let Some(instance) = self.config.instances.get(id.index()) else { return };
        // The last adverts of what a new configuration leaves out still carry the old source.
        let is_current = Arc::ptr_eq(&self.config, self.engine.config());
        let source = if is_current { self.engine.source(id) } else { self.sockets.last_source(id) };
        let sent = match source {
            Some(source) => self.sockets.advertise(&self.config, id, source, priority),
            None => Err(Errno::EADDRNOTAVAIL),
        };
        if let Err(errno) = sent {
            log::debug!("instance {}: advert not sent: {}", instance.name, words(errno));
            self.facts.push(Fact::SendFailed(id));
        }
        if is_current && priority > 0 {
            let (role, epoch) = self.engine.role(instance.group);
            if role == Role::Master {
                self.memory.advertised(instance.group.index(), epoch, now);
            }
        }
    }

    /// Brings the addresses of all groups whose role changes in this step to where they belong, before any of its
    /// actions is carried out: each change asks for that before its next action, and groups don't depend on
    /// each other. One by one, sixty groups would have to wait sixty times for a look at all addresses.
    fn take_roles(&mut self, now: Instant, actions: &[Action]) {
        let mut is_change = false;
        for action in actions {
            match action {
                Action::Role(change) => {
                    self.system.set_role(change.group, change.to.addresses(), change.epoch);
                    is_change = true;
                }
                // Ids mean something else from here on; `adopt` sets the new roles.
                Action::Configured => break,
                Action::Advertise { .. }
                | Action::Announce { .. }
                | Action::Probe { .. }
                | Action::EndProbe { .. }
                | Action::KeepMaintenance(_)
                | Action::Reply { .. }
                | Action::Notice(_)
                | Action::Exit => {}
            }
        }
        if is_change {
            self.settle(now);
        }
    }

    fn tell_role(&mut self, now: Instant, change: &RoleChange) {
        if change.to != Role::Master {
            self.memory.stands_by(change.group.index(), change.epoch);
        }
        self.peering.state_changed(now);
        self.duties.role_changed(&self.config, change, &self.system, now);
        self.lease_roles(now);
        self.file_roles(now);
        let line = notify::role_changed(&self.config, change);
        self.tell(now, line);
    }

    /// Brings the kernel to what the roles ask for.
    pub(super) fn settle(&mut self, now: Instant) {
        for applied in self.system.settle(now) {
            self.facts.push(Fact::Applied(applied.group, applied.epoch, applied.outcome));
        }
    }

    fn reply(&mut self, now: Instant, id: CommandId, result: &Result<Done, Refusal>) {
        match self.waiting.leave(id) {
            Some(Caller::Control(client)) => {
                self.server.answer(client, &methods::outcome(result), now, &mut self.poller);
            }
            Some(Caller::Bus(call)) => self.bus.answer(call, &methods::outcome(result)),
            Some(Caller::Peer(peer, request)) => {
                let error = result.as_ref().err().map(ToString::to_string);
                self.taken(peer, request, error, now);
            }
            None => {}
        }
    }

    /// Answers a command that the engine has nothing to do with.
    pub(super) fn conclude(&mut self, id: CommandId, answer: &Answer, now: Instant) {
        match self.waiting.leave(id) {
            Some(Caller::Control(client)) => self.server.answer(client, answer, now, &mut self.poller),
            Some(Caller::Bus(call)) => self.bus.answer(call, answer),
            // Another router never asks for what would be asked of a third one.
            Some(Caller::Peer(..)) | None => {}
        }
    }

    fn notice(&mut self, now: Instant, notice: &Notice) {
        let Some(suppressed) = self.limiter.admit(notice, now) else { return };
        let mut line = notify::noticed(&self.config, notice);
        if let Notice::Conflict { instance } = notice {
            for (claim, _) in self.conflicts.recent(now) {
                if claim.instance == *instance {
                    let _ = write!(line.happening.message, " ({})", claim.mac);
                }
            }
        }
        if suppressed > 0 {
            let message = &mut line.happening.message;
            let _ = write!(message, " ({suppressed} times more since it was said last)");
        }
        self.tell(now, line);
    }

    /// For the log, the bus, the history and the hooks, at the end of the turn.
    pub(super) fn tell(&mut self, now: Instant, line: Line) {
        self.duties.happened(&line.happening);
        self.lines.push((now, line));
    }

    /// Writes to the log, the bus and the history what the turn was about: after its adverts and announcements, which
    /// somebody is waiting for.
    pub(super) fn write_lines(&mut self) {
        for (at, line) in self.lines.drain(..) {
            log::log!(line.level, "{}", line.happening.message);
            self.bus.publish(&line.happening);
            self.history.add(at, line.happening);
        }
    }
}

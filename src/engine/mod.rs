//! How routers decide: pure, deterministic, one state machine for each sync group.
//!
//! [`Engine::step`] takes the time, one [`Event`] and a list to which it adds [`Action`]s. It cannot
//! fail, block, read a clock or do anything itself. `docs/PROTOCOL.md` states its rules.

mod action;
mod event;
mod role;
mod time;
mod view;

pub use action::{Action, Done, Mismatch, Notice, Refusal, RoleChange};
pub use event::{
    ApplyOutcome, Boot, Command, CommandId, Event, LinkCondition, LinkState, Maintenance, ProbeOutcome,
    Remembered, Round, SwitchTo,
};
pub use role::{Addresses, Cause, Epoch, Fault, LinkProblem, Role};
pub use time::Instant;
pub use view::{GroupView, InstanceView, MasterView, PeerState, PeerView, TargetView, TrackState, TrackView};

use std::net::IpAddr;
use std::sync::Arc;

use crate::config::model::{Config, GroupId, InstanceId, TrackId};

/// The decision maker of one node.
#[derive(Debug)]
pub struct Engine {
    config: Arc<Config>,
}

impl Engine {
    /// A node that has just started; every link counts as missing until told otherwise.
    pub fn new(config: Arc<Config>, boot: &Boot, now: Instant) -> Engine {
        let _ = (boot, now);
        Engine { config }
    }

    /// Takes in one event and adds what follows from it to `out`.
    pub fn step(&mut self, now: Instant, event: Event<'_>, out: &mut Vec<Action>) {
        let _ = (now, event, out);
    }

    /// When [`Event::Timeout`] is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// The configuration in force.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// A group's present role and epoch.
    pub fn role(&self, group: GroupId) -> (Role, Epoch) {
        let _ = group;
        (Role::Init, Epoch(0))
    }

    /// Own address that an instance's packets carry; `None` while it is not on the link. Those who
    /// get them are [`crate::config::model::Instance::others`].
    pub fn source(&self, id: InstanceId) -> Option<IpAddr> {
        let _ = id;
        None
    }

    /// An instance as status shows it.
    pub fn instance(&self, id: InstanceId, now: Instant) -> InstanceView {
        let _ = (id, now);
        unreachable!()
    }

    /// A group as status shows it.
    pub fn group(&self, id: GroupId, now: Instant) -> GroupView {
        let _ = (id, now);
        unreachable!()
    }

    /// A track as status shows it.
    pub fn track(&self, id: TrackId, now: Instant) -> TrackView {
        let _ = (id, now);
        unreachable!()
    }
}

//! Connections of which only one router may have one: PPPoE and its like.
//!
//! The end of one takes time, for the carrier has to hear of it and confirms it. netifd does not tell of that time: an interface
//! that is going down is neither up nor pending to it. The device does: pppd makes it when the connection stands, and takes it away
//! when it is over. So each router says over the channel which of these it has, and the new master waits with its own: see
//! [`crate::duties::Word`].

use crate::config::model::{Group, LinkRef};
use crate::daemon::bus::netifd::Interface;
use crate::daemon::run::Daemon;
use crate::daemon::system::System;
use crate::duties::{Handover, Kind, Word};
use crate::engine::Instant;
use crate::peer::message::GroupState;

use super::Duties;

/// netifd's protocols that make a connection for an account. A DHCP client has none, and is not slowed by any of this.
const PROTOCOLS: [&str; 6] = ["pppoe", "pppoa", "pptp", "l2tp", "ppp", "sstp"];

/// The interfaces of a group whose connection stands, or is being made.
fn held(group: &Group, interfaces: &[Interface], system: &System) -> Vec<String> {
    let is_held = |name: &&String| {
        let Some(interface) = interfaces.iter().find(|it| it.name == **name) else { return false };
        let is_session = interface.proto.as_deref().is_some_and(|proto| PROTOCOLS.contains(&proto));
        let device = || system.resolve(&LinkRef::Interface((*name).clone()));
        let is_there = || device().is_some_and(|device| system.link_named(device).is_some());
        is_session && (interface.up || interface.pending || is_there())
    };
    group.actions.up_on_master.iter().filter(is_held).cloned().collect()
}

impl Daemon {
    /// What the other routers are told of a group.
    pub(in crate::daemon) fn held(&self, group: &str) -> Vec<String> {
        let found = self.config.groups.iter().find(|it| it.name == group);
        found.map(|it| held(it, self.bus.network.interfaces(), &self.system)).unwrap_or_default()
    }

    /// Whether there is any of that.
    pub(in crate::daemon) fn is_holding(&self) -> bool {
        self.all_held().iter().any(|held| !held.is_empty())
    }

    fn all_held(&self) -> Vec<Vec<String>> {
        self.config.groups.iter().map(|it| held(it, self.bus.network.interfaces(), &self.system)).collect()
    }

    /// Takes in what the other routers have said.
    pub(super) fn hear_of_sessions(&mut self) {
        let Daemon { duties: Duties { planner, handovers, .. }, peering, .. } = self;
        planner.held_elsewhere(&|group, duty| {
            let handover = handovers.get(&group).copied().unwrap_or(Handover::Taken);
            let is_waited_for = |said: &GroupState| {
                let word = Word { role: &said.role, holds: &said.holds };
                said.name == duty.group && word.is_waited_for(&duty.name, handover)
            };
            let mut states = peering.known.values().filter_map(|known| known.state.as_ref());
            duty.kind == Kind::Interface && states.any(|(state, _)| state.groups.iter().any(is_waited_for))
        });
    }

    /// Tells the other routers at once of what has changed.
    pub(super) fn tell_of_sessions(&mut self, now: Instant) {
        let held = self.all_held();
        if held != self.duties.held {
            self.duties.held = held;
            self.peering.state_changed(now);
        }
    }
}

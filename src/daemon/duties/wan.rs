//! Announcements on interfaces that are up on the master only.
//!
//! A switch has learnt the shared hardware address on the other router's port, and hosts the address of a WAN with the
//! other one's. So what comes to such an interface is announced, as virtual addresses are.

use core::time::Duration;
use std::net::IpAddr;

use crate::config::model::LinkRef;
use crate::duties::{Kind, Planner, Seen, Side};
use crate::engine::Instant;
use crate::netlink::IfName;

use super::hands::Scene;

/// The interfaces, and what is to be announced on them.
#[derive(Debug, Default)]
pub struct Wans {
    all: Vec<Wan>,
}

#[derive(Debug)]
struct Wan {
    device: IfName,
    addresses: Vec<IpAddr>,
    since: Instant,
    /// Rounds that have been sent.
    rounds: usize,
}

/// One round of announcements on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Where.
    pub device: IfName,
    /// Of what.
    pub addresses: Vec<IpAddr>,
}

impl Wans {
    /// Looks which interfaces are up, and which addresses they have.
    pub fn look(&mut self, planner: &Planner, scene: &Scene<'_>, now: Instant) {
        let known = core::mem::take(&mut self.all);
        for group in &scene.config.groups {
            for name in &group.actions.up_on_master {
                let seen = planner.seen(|duty| duty.kind == Kind::Interface && duty.name == *name);
                if seen == Some(Seen::As(Side::Master)) {
                    self.add(name, &known, scene, now);
                }
            }
        }
    }

    fn add(&mut self, name: &str, known: &[Wan], scene: &Scene<'_>, now: Instant) {
        let Some(device) = scene.system.resolve(&LinkRef::Interface(name.to_owned())) else { return };
        let Some(link) = scene.system.link_named(device).filter(|link| link.flags.is_up()) else { return };
        let addresses = scene.system.addresses_on(link.index);
        let same = known.iter().find(|it| it.device == device && it.addresses == addresses);
        let (since, rounds) = same.map_or((now, 0), |same| (same.since, same.rounds));
        self.all.push(Wan { device, addresses, since, rounds });
    }

    /// The rounds that are due.
    pub fn take_due(&mut self, now: Instant) -> Vec<Announcement> {
        let mut due = Vec::new();
        for wan in &mut self.all {
            if wan.next_deadline().is_some_and(|at| at <= now) {
                wan.rounds = wan.rounds.saturating_add(1);
                due.push(Announcement { device: wan.device, addresses: wan.addresses.clone() });
            }
        }
        due
    }

    /// When the next round is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.all.iter().filter_map(Wan::next_deadline).min()
    }
}

impl Wan {
    fn next_deadline(&self) -> Option<Instant> {
        let offset = ROUNDS.get(self.rounds)?;
        (!self.addresses.is_empty()).then(|| self.since.after(*offset))
    }
}

/// As those of virtual addresses.
const ROUNDS: [Duration; 7] = [
    Duration::ZERO,
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

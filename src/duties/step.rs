//! Which things follow from a role, and in which order.

use core::time::Duration;

/// A kind of duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The packet filter that keeps a standby's DHCP server from hearing and answering anybody.
    Guard,
    /// dnsmasq's DHCP.
    Dhcp,
    /// Router advertisements: from the virtual address on the master, held back elsewhere.
    Adverts,
    /// conntrackd: says what happens on the master, listens elsewhere.
    Conntrack,
    /// Translation to the WAN's VIP, and the quiet window after a takeover.
    Firewall,
    /// The standby's own default route, and the rule that leads to it.
    Route,
    /// A network that is up on the master only.
    Interface,
    /// A service that runs on the master only.
    Service,
    /// A service that is reloaded when the role is taken.
    Reload,
}

/// How a thing should be, or is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// As on the master.
    Master,
    /// As on a standby.
    Standby,
    /// As if there were no gwha: what no configuration mentions any more.
    Gone,
}

/// What one kind waits for before it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// Everything of this kind in the same group has to be there first,
    pub kind: Kind,
    /// but not for longer than this, counted from the role change.
    pub patience: Duration,
}

/// A row of the order.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// What it is about.
    pub kind: Kind,
    /// The word of the status on the master.
    pub master: &'static str,
    /// The word of the status on a standby.
    pub standby: &'static str,
    /// What it waits for when the role is taken.
    pub promote_after: &'static [After],
    /// What it waits for when the role is given up.
    pub demote_after: &'static [After],
    /// How long one attempt may take.
    pub deadline: Duration,
    /// How often it is looked at while it is as it should be; `None`: never.
    pub look_every: Option<Duration>,
    /// What the place in the order protects from, in words.
    pub protects: &'static str,
}

/// The order of a promotion and of a demotion. docs/ACTIONS.md shows the same table.
pub static STEPS: [Step; 9] = [
    Step {
        kind: Kind::Guard,
        master: "lifted",
        standby: "in place",
        promote_after: &[after(Kind::Dhcp, 5000)],
        demote_after: &[],
        deadline: Duration::from_secs(5),
        look_every: Some(Duration::from_secs(30)),
        protects: "two DHCP servers on one network, and answers from a table that is not merged yet",
    },
    Step {
        kind: Kind::Dhcp,
        master: "answering",
        standby: "silent",
        promote_after: &[],
        demote_after: &[after(Kind::Guard, 1000)],
        deadline: Duration::from_secs(15),
        look_every: Some(Duration::from_secs(30)),
        protects: "an answer while dnsmasq restarts without its DHCP",
    },
    Step {
        kind: Kind::Adverts,
        master: "from the virtual address",
        standby: "held back",
        promote_after: &[],
        demote_after: &[],
        deadline: Duration::from_secs(5),
        look_every: Some(Duration::from_secs(30)),
        protects: "two IPv6 gateways at a client, or the farewell of a gateway that lives on",
    },
    Step {
        kind: Kind::Conntrack,
        master: "sending",
        standby: "receiving",
        promote_after: &[],
        demote_after: &[],
        deadline: Duration::from_secs(5),
        look_every: Some(Duration::from_secs(5)),
        protects: "ends of connections on a router that loses its WAN reaching the one that has taken them over",
    },
    Step {
        kind: Kind::Firewall,
        master: "in place",
        standby: "absent",
        promote_after: &[after(Kind::Route, 200)],
        demote_after: &[after(Kind::Interface, 2000)],
        deadline: Duration::from_secs(5),
        look_every: Some(Duration::from_secs(30)),
        protects: "packets that leave untranslated, and resets to servers whose connection is not known yet",
    },
    Step {
        kind: Kind::Route,
        master: "absent",
        standby: "present",
        promote_after: &[],
        demote_after: &[],
        deadline: Duration::from_secs(5),
        look_every: Some(Duration::from_secs(10)),
        protects: "a master that sends its traffic to itself",
    },
    Step {
        kind: Kind::Interface,
        master: "up",
        standby: "down",
        promote_after: &[after(Kind::Conntrack, 1000), after(Kind::Firewall, 1000)],
        demote_after: &[after(Kind::Conntrack, 1000)],
        deadline: Duration::from_secs(10),
        look_every: Some(Duration::from_secs(5)),
        protects: "one hardware address on two ports of a switch, and traffic before there is state for it",
    },
    Step {
        kind: Kind::Service,
        master: "running",
        standby: "stopped",
        promote_after: &[after(Kind::Interface, 3000), after(Kind::Adverts, 1000)],
        demote_after: &[after(Kind::Interface, 500), after(Kind::Adverts, 500)],
        deadline: Duration::from_secs(15),
        look_every: Some(Duration::from_secs(30)),
        protects: "services that bind to an interface which is not there; a DHCP client that gives the lease back",
    },
    Step {
        kind: Kind::Reload,
        master: "reloaded",
        standby: "nothing to do",
        promote_after: &[after(Kind::Interface, 3000), after(Kind::Service, 3000)],
        demote_after: &[],
        deadline: Duration::from_secs(15),
        look_every: None,
        protects: "a reload that sees the interfaces of the standby",
    },
];

const fn after(kind: Kind, patience_ms: u64) -> After {
    After { kind, patience: Duration::from_millis(patience_ms) }
}

impl Kind {
    /// The word of the status.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Guard => "dhcp_guard",
            Kind::Dhcp => "dhcp",
            Kind::Adverts => "router_adverts",
            Kind::Conntrack => "conntrack",
            Kind::Firewall => "firewall",
            Kind::Route => "route",
            Kind::Interface => "interface",
            Kind::Service => "service",
            Kind::Reload => "reload",
        }
    }

    /// Its row.
    pub fn step(self) -> &'static Step {
        let [first, ..] = &STEPS;
        STEPS.iter().find(|step| step.kind == self).unwrap_or(first)
    }
}

impl Step {
    /// What it waits for on its way to `side`.
    pub const fn after(&self, side: Side) -> &'static [After] {
        match side {
            Side::Master => self.promote_after,
            Side::Standby => self.demote_after,
            Side::Gone => &[],
        }
    }

    /// How `side` is called.
    pub const fn word(&self, side: Side) -> &'static str {
        match side {
            Side::Master => self.master,
            Side::Standby => self.standby,
            Side::Gone => "released",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_row() {
        for (place, step) in STEPS.iter().enumerate() {
            assert_eq!(step.kind.step().kind, step.kind);
            assert_eq!(step.kind as usize, place);
        }
    }

    #[test]
    fn nothing_waits_in_a_circle() {
        for side in [Side::Master, Side::Standby] {
            for step in &STEPS {
                let mut reached = vec![step.kind];
                let mut next = 0;
                while let Some(kind) = reached.get(next).copied() {
                    let waits = kind.step().after(side).iter().map(|after| after.kind);
                    assert!(waits.clone().all(|kind| kind != step.kind), "{:?} waits for itself", step.kind);
                    reached.extend(waits);
                    next += 1;
                }
            }
        }
    }
}

//! One description of a set of gateways, from which gwha's and keepalived's configurations are written.
//!
//! So a test or a benchmark that compares the two, or lets them talk to each other, cannot configure them
//! differently by accident.

use std::net::IpAddr;

use super::topology::{Host, Segment};

/// The version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V2,
    V3,
}

/// The addresses the protocol speaks between, and protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

/// How the adverts travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Unicast,
    Multicast,
}

/// How gwha is told about the routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// `list router`: the same file on every router.
    Routers,
    /// `option source`, `list peer` and `option priority`: a file of its own for each router, as for another
    /// vendor's peer.
    Peers,
}

/// Whether the instances move together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    Together,
    EachAlone,
}

/// Whether a better node takes the role from a healthy worse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preempt {
    Yes,
    No,
}

/// A ping of the carrier router that lowers the priority while it is not answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CarrierCheck {
    pub interval_s: f64,
    pub timeout_s: f64,
    pub fall: u8,
    pub rise: u8,
    pub weight: i16,
}

impl CarrierCheck {
    /// What can be had with keepalived's script: one ping a second.
    pub const EVERY_SECOND: CarrierCheck =
        CarrierCheck { interval_s: 1.0, timeout_s: 1.0, fall: 2, rise: 2, weight: -30 };

    /// Five pings a second.
    pub const FAST: CarrierCheck =
        CarrierCheck { interval_s: 0.2, timeout_s: 0.2, ..CarrierCheck::EVERY_SECOND };
}

/// A set of gateways.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// The routers by rank, the preferred one first.
    pub routers: Vec<Host>,
    pub segments: Vec<Segment>,
    pub version: Version,
    pub family: Family,
    pub mode: Mode,
    pub naming: Naming,
    pub grouping: Grouping,
    pub interval_ms: u32,
    /// The shared secret of version 2.
    pub secret: Option<&'static str>,
    pub preempt: Preempt,
    pub preempt_delay_s: f64,
    pub carrier_check: Option<CarrierCheck>,
}

impl Setup {
    /// The reference: A and B on three segments in one group, version 3, unicast.
    pub fn reference(interval_ms: u32) -> Setup {
        Setup {
            routers: vec![Host::A, Host::B],
            segments: Segment::ALL.to_vec(),
            version: Version::V3,
            family: Family::V4,
            mode: Mode::Unicast,
            naming: Naming::Routers,
            grouping: Grouping::Together,
            interval_ms,
            secret: None,
            preempt: Preempt::Yes,
            preempt_delay_s: 0.0,
            carrier_check: None,
        }
    }

    /// A and B on the LAN only.
    pub fn lan(interval_ms: u32) -> Setup {
        Setup { segments: vec![Segment::Lan], grouping: Grouping::EachAlone, ..Setup::reference(interval_ms) }
    }

    /// A healthy router's priority.
    pub fn priority(&self, host: Host) -> u8 {
        let place = self.routers.iter().position(|&router| router == host).expect("the host is a router");
        [100, 90, 80][place]
    }

    /// A router's own address on a segment, in the protocol's family.
    pub fn address(&self, host: Host, segment: Segment) -> IpAddr {
        match self.family {
            Family::V4 => host.address(segment).into(),
            Family::V6 => host.link_local().into(),
        }
    }

    /// The routers other than `host`.
    pub fn peers(&self, host: Host) -> impl Iterator<Item = Host> {
        self.routers.iter().copied().filter(move |&router| router != host)
    }

    /// The addresses shared on `segment`.
    pub fn vips(&self, segment: Segment) -> Vec<IpAddr> {
        match self.family {
            Family::V4 => vec![segment.vip().into()],
            Family::V6 => segment.vips6().map(IpAddr::V6).to_vec(),
        }
    }

    /// The length of the prefix with which the shared addresses are configured.
    pub fn prefix(&self) -> u8 {
        match self.family {
            Family::V4 => 24,
            Family::V6 => 64,
        }
    }
}

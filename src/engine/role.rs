//! Roles, and why they change.

use core::fmt;
use std::net::IpAddr;

/// A group's role. RFC 9568 calls the states Initialize, Backup and Active; configurations, users and
/// keepalived say master, and so does gwha.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Not decided yet: addresses of an earlier life stay as they are.
    Init,
    /// Standing by.
    Backup,
    /// Holds the addresses.
    Master,
    /// Standing by with a fault of its own.
    Fault,
}

impl Role {
    /// The word used in status, logs and events.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Init => "init",
            Role::Backup => "backup",
            Role::Master => "master",
            Role::Fault => "fault",
        }
    }

    /// What the kernel should hold of the group's addresses in this role.
    pub const fn addresses(self) -> Addresses {
        match self {
            Role::Init => Addresses::Hold,
            Role::Master => Addresses::Present,
            Role::Backup | Role::Fault => Addresses::Absent,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What should be with the group's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    /// Leave what is there (protocol rule 13: after a crash, until somebody is known to be master).
    Hold,
    /// Installed.
    Present,
    /// Removed.
    Absent,
}

/// Counts the role changes of a group on this node; effects of an older epoch are void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The epoch after this one.
    #[must_use]
    pub const fn next(self) -> Epoch {
        Epoch(self.0.wrapping_add(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a role changed: the first thing that an operator asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The daemon started.
    Started,
    /// Taken up again after a crash of the daemon, before anybody noticed.
    Resumed,
    /// Another master was heard.
    MasterHeard {
        /// Its address.
        from: IpAddr,
        /// What it advertised.
        priority: u8,
        /// What is wrong with this node, if anything.
        burden: String,
    },
    /// The master fell silent, or none was ever heard (protocol rule 4).
    MasterDown {
        /// Where it was heard last.
        master: Option<IpAddr>,
    },
    /// The master said that it got worse (rule 5).
    Told {
        /// Its address.
        from: IpAddr,
        /// What it advertised.
        priority: u8,
    },
    /// The master said that it stops, and did not answer when asked (rule 7).
    Stopped {
        /// Its address.
        from: IpAddr,
    },
    /// This node is preferred and has been healthy for the delay (rule 8).
    Preempt,
    /// An operator asked for it.
    Operator,
    /// A higher priority, or an equal one from a higher address, was heard (rule 10).
    HigherPriority {
        /// Who said it.
        from: IpAddr,
        /// What it advertised.
        priority: u8,
        /// What has lowered this node, if that was why.
        burden: String,
    },
    /// This node was stalled for longer than Master_Down, and another one serves (rule 10).
    Stalled {
        /// Who serves.
        from: IpAddr,
    },
    /// The last usable member is gone (rule 3).
    NoUsableMember {
        /// What is wrong with this node.
        burden: String,
    },
    /// A fault of this node began.
    FaultBegan(Fault),
    /// The last fault of this node is over.
    FaultEnded,
    /// The daemon stops (rule 13).
    Terminated,
    /// The configuration changed.
    Reconfigured,
}

impl Cause {
    /// A short stable word for events and scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Cause::Started => "started",
            Cause::Resumed => "resumed",
            Cause::MasterHeard { .. } => "master_heard",
            Cause::MasterDown { .. } => "master_down",
            Cause::Told { .. } => "told",
            Cause::Stopped { .. } => "stopped",
            Cause::Preempt => "preempt",
            Cause::Operator => "operator",
            Cause::HigherPriority { .. } => "higher_priority",
            Cause::Stalled { .. } => "stalled",
            Cause::NoUsableMember { .. } => "no_usable_member",
            Cause::FaultBegan(_) => "fault_began",
            Cause::FaultEnded => "fault_ended",
            Cause::Terminated => "terminated",
            Cause::Reconfigured => "reconfigured",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Started => f.write_str("gwha was started"),
            Cause::Resumed => f.write_str("gwha was restarted and goes on as before"),
            Cause::MasterHeard { from, priority, burden } => {
                write!(f, "{}{from} is master with priority {priority}", before(burden))
            }
            Cause::MasterDown { master: Some(master) } => write!(f, "the master {master} fell silent"),
            Cause::MasterDown { master: None } => f.write_str("no master was heard"),
            Cause::Told { from, priority } => write!(f, "{from} {} {priority}", told(*priority)),
            Cause::Stopped { from } => write!(f, "{from} stopped"),
            Cause::Preempt => {
                f.write_str("this router is preferred and has been healthy for the preempt delay")
            }
            Cause::Operator => f.write_str("switched by an operator"),
            Cause::HigherPriority { from, priority, burden } => {
                write!(f, "{}{from} took over with priority {priority}", before(burden))
            }
            Cause::Stalled { from } => write!(f, "this router was stalled, and {from} took over"),
            Cause::NoUsableMember { burden } => {
                write!(f, "{}no usable interface is left", before(burden))
            }
            Cause::FaultBegan(fault) => fault.fmt(f),
            Cause::FaultEnded => f.write_str("the fault is over"),
            Cause::Terminated => f.write_str("gwha was stopped"),
            Cause::Reconfigured => f.write_str("the configuration was changed"),
        }
    }
}

/// What is wrong here stands before what followed from it.
fn before(burden: &str) -> String {
    if burden.is_empty() { String::new() } else { format!("{burden}; ") }
}

/// What a master says with a lowered priority: some numbers have a meaning (protocol rule 2).
const fn told(priority: u8) -> &'static str {
    match priority {
        0..=3 => "has a fault: priority",
        4 => "gives the role away: priority",
        _ => "has lowered its priority to",
    }
}

/// A fault of the node itself (protocol rule 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A member's link can't be used.
    Link {
        /// Name of the instance.
        instance: String,
        /// What is wrong with it.
        problem: LinkProblem,
    },
    /// A track with weight `fault` is down.
    Track {
        /// Name of the track.
        track: String,
    },
    /// The group's addresses can't be installed (rule 22).
    Addresses,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Link { instance, problem } => write!(f, "{instance}: {problem}"),
            Fault::Track { track } => write!(f, "track {track} is down"),
            Fault::Addresses => f.write_str("the virtual addresses can't be installed"),
        }
    }
}

/// Why a link can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkProblem {
    /// Nothing has been heard of it yet, or there is no such interface.
    Missing,
    /// It is set down.
    AdminDown,
    /// No carrier.
    NoCarrier,
    /// It is a bridge, or a port of one, that does not forward yet.
    NotForwarding,
    /// The router's own address is not on it.
    NoAddress,
}

impl fmt::Display for LinkProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LinkProblem::Missing => "no such interface",
            LinkProblem::AdminDown => "the interface is down",
            LinkProblem::NoCarrier => "no carrier",
            LinkProblem::NotForwarding => "the bridge is not forwarding yet",
            LinkProblem::NoAddress => "the router's own address is missing",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cable() -> Fault {
        Fault::Link { instance: "lan".into(), problem: LinkProblem::NoCarrier }
    }

    #[test]
    fn every_cause_is_a_sentence_for_the_owner_of_a_router() {
        let from = IpAddr::from([192, 0, 2, 3]);
        let (none, burden) = (String::new, || cable().to_string());
        let heard = |burden| Cause::MasterHeard { from, priority: 90, burden };
        let higher = |burden| Cause::HigherPriority { from, priority: 90, burden };
        let told = |priority| Cause::Told { from, priority };
        let track = Fault::Track { track: "carrier".into() };
        let cases = [
            (Cause::Started, "gwha was started"),
            (Cause::Resumed, "gwha was restarted and goes on as before"),
            (heard(none()), "192.0.2.3 is master with priority 90"),
            (heard(burden()), "lan: no carrier; 192.0.2.3 is master with priority 90"),
            (Cause::MasterDown { master: Some(from) }, "the master 192.0.2.3 fell silent"),
            (Cause::MasterDown { master: None }, "no master was heard"),
            (told(3), "192.0.2.3 has a fault: priority 3"),
            (told(4), "192.0.2.3 gives the role away: priority 4"),
            (told(70), "192.0.2.3 has lowered its priority to 70"),
            (Cause::Stopped { from }, "192.0.2.3 stopped"),
            (Cause::Preempt, "this router is preferred and has been healthy for the preempt delay"),
            (Cause::Operator, "switched by an operator"),
            (higher(none()), "192.0.2.3 took over with priority 90"),
            (higher(burden()), "lan: no carrier; 192.0.2.3 took over with priority 90"),
            (Cause::Stalled { from }, "this router was stalled, and 192.0.2.3 took over"),
            (Cause::NoUsableMember { burden: none() }, "no usable interface is left"),
            (Cause::NoUsableMember { burden: burden() }, "lan: no carrier; no usable interface is left"),
            (Cause::FaultBegan(cable()), "lan: no carrier"),
            (Cause::FaultBegan(track), "track carrier is down"),
            (Cause::FaultBegan(Fault::Addresses), "the virtual addresses can't be installed"),
            (Cause::FaultEnded, "the fault is over"),
            (Cause::Terminated, "gwha was stopped"),
            (Cause::Reconfigured, "the configuration was changed"),
        ];
        for (cause, words) in cases {
            assert_eq!(cause.to_string(), words, "{cause:?}");
        }
    }
}

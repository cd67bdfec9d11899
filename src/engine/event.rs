//! Everything that can happen to the engine: one half of its contract with the world.

use core::time::Duration;
use std::net::IpAddr;
use std::sync::Arc;

use crate::config::model::{Config, GroupId, InstanceId, LinkId, TrackId};
use crate::wire::vrrp::Packet;

use super::role::Epoch;
use super::time::Instant;

/// One thing that happened.
///
/// Ids refer to the configuration in force; those of an older one must not be passed in.
/// In one turn of the loop the caller passes, with the same `now`: netlink facts, then packets and
/// answers, then [`Event::Timeout`] (if due).
#[derive(Debug)]
pub enum Event<'a> {
    /// [`super::Engine::next_deadline`] has come, or might have.
    Timeout,
    /// A VRRP packet arrived on a link; nothing about it has been checked.
    Vrrp {
        /// Where it arrived.
        link: LinkId,
        /// The packet.
        packet: Packet<'a>,
    },
    /// A link's whole present state (level, not edge: repeating it is harmless).
    Link {
        /// Which link.
        link: LinkId,
        /// Its state.
        state: &'a LinkState,
    },
    /// A target answered, or failed to, within a round that [`super::Action::Probe`] began.
    Probe {
        /// Which track.
        track: TrackId,
        /// Which round; answers to other rounds are ignored.
        round: Round,
        /// Position in the track's targets.
        target: u16,
        /// What came of it.
        outcome: ProbeOutcome,
    },
    /// Whether the addresses that the group's role asks for are in place (level).
    Applied {
        /// Which group.
        group: GroupId,
        /// The role epoch that was applied; older ones are ignored.
        epoch: Epoch,
        /// How it went.
        outcome: ApplyOutcome,
    },
    /// Somebody else claims one of the instance's addresses (ARP or ND with another MAC).
    Conflict {
        /// Which instance.
        instance: InstanceId,
    },
    /// The last advert of this instance could not be sent.
    SendFailed {
        /// Which instance.
        instance: InstanceId,
    },
    /// A new configuration, already validated.
    Config(Arc<Config>),
    /// An operator's command; answered by [`super::Action::Reply`], now or later.
    Command {
        /// Chosen by the caller, returned in the reply.
        id: CommandId,
        /// What is asked.
        command: Command,
    },
    /// The master of a group says over the peer channel that an operator moved the role away from here, which this
    /// node has forgotten (protocol rule 8). It means nothing unless a master is followed.
    Kept {
        /// Which group.
        group: GroupId,
    },
    /// No group preempts before this time; `None`: nothing holds it back any more (protocol rule 19).
    HoldPreempt {
        /// Until when.
        until: Option<Instant>,
    },
    /// SIGTERM.
    Terminate,
}

/// Identifies a command until its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u32);

/// Identifies one round of a track's probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Round(pub u32);

/// State of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkState {
    /// Whether frames can pass.
    pub condition: LinkCondition,
    /// Addresses on it, virtual ones included.
    pub addresses: Vec<IpAddr>,
}

/// Whether frames can pass a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkCondition {
    /// There is no such interface.
    Missing,
    /// Set down.
    AdminDown,
    /// No carrier.
    NoCarrier,
    /// A bridge none of whose ports forwards yet, or a port that does not.
    NotForwarding,
    /// Frames can pass.
    Up,
}

/// What came of asking one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// It answered after this time.
    Answered(Duration),
    /// It is known already that no answer will come (refused, unreachable, non-zero exit).
    Failed,
}

/// How applying a group's addresses went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplyOutcome {
    /// All are in place.
    Complete,
    /// At least one can't be installed.
    Failing,
}

/// What an operator can ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Move the role of every group.
    Switch(SwitchTo),
    /// Enter (`true` in configuration terms: `maintenance on`) or leave maintenance.
    Maintenance(Maintenance),
    /// Forget remembered verdicts of tracks that only the master can run (protocol rule 9).
    Recheck,
}

/// Where a switch goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwitchTo {
    /// Away from this node if it is master, to it if it is not.
    Other,
    /// To this node.
    This,
    /// To the router with this address.
    Router(IpAddr),
}

/// Maintenance of a node: it serves only if nobody else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maintenance {
    /// Under maintenance.
    On,
    /// In normal service.
    Off,
}

/// What is left of an earlier life of the daemon (kept on tmpfs).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// Maintenance, kept over a restart.
    pub maintenance: Maintenance,
    /// What each group did last.
    pub groups: Vec<Remembered>,
}

impl Default for Boot {
    /// A first start.
    fn default() -> Boot {
        Boot { maintenance: Maintenance::Off, groups: Vec::new() }
    }
}

/// What a group did last before the daemon was gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Name of the group.
    pub group: String,
    /// Its epoch then.
    pub epoch: Epoch,
    /// When it last advertised as master; `None` if it was not master.
    pub last_advert: Option<Instant>,
}

//! Everything that the engine can ask for: the other half of its contract with the world.

use core::time::Duration;
use std::net::IpAddr;

use crate::config::model::{GroupId, InstanceId, TrackId};

use super::event::{CommandId, Maintenance, Round};
use super::role::{Cause, Epoch, Role};

/// One thing to do. Actions of a step are carried out in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send one advert to every peer of the instance (or to the multicast group).
    Advertise {
        /// Which instance.
        instance: InstanceId,
        /// The priority in it: 0 stops, 1 asks who is master.
        priority: u8,
    },
    /// The group's role changed. Its addresses must be in the kernel as [`Role::addresses`] says
    /// before the next action is carried out; everything else follows in its own time.
    Role(RoleChange),
    /// Send one round of gratuitous ARP or neighbour advertisements for the instance's addresses.
    Announce {
        /// Which instance.
        instance: InstanceId,
    },
    /// Ask every target of a track once.
    Probe {
        /// Which track.
        track: TrackId,
        /// Goes into the answers.
        round: Round,
    },
    /// No answer to this round is wanted any more: free what it holds, end its script.
    EndProbe {
        /// Which track.
        track: TrackId,
        /// Which round.
        round: Round,
    },
    /// Maintenance was entered or left: keep it over a restart.
    KeepMaintenance(Maintenance),
    /// The answer to a command.
    Reply {
        /// Which command.
        id: CommandId,
        /// The answer.
        result: Result<Done, Refusal>,
    },
    /// Something worth a log line, an event, or a place in the history.
    Notice(Notice),
    /// From here on ids refer to the configuration that [`super::Event::Config`] brought; actions before it
    /// in the same step refer to the old one.
    Configured,
    /// All is said that had to be said: leave.
    Exit,
}

/// A role change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleChange {
    /// Which group.
    pub group: GroupId,
    /// Role before.
    pub from: Role,
    /// Role from now on.
    pub to: Role,
    /// Why.
    pub cause: Cause,
    /// Counts the changes.
    pub epoch: Epoch,
}

/// A command carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// From the command to its effect.
    pub took: Duration,
}

/// Why a command was not carried out. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No other router took over in time.
    NobodyTookOver,
    /// The router is master already.
    AlreadyMaster,
    /// No such router in the configuration.
    UnknownRouter,
    /// From the standby the role can only be asked for with `list router`, by a healthy node.
    CannotClaim,
    /// With more than two routers a certain one can be chosen only over the peer channel.
    NeedsChannel,
    /// Another switch is under way.
    Busy,
    /// The daemon stops.
    Stopping,
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Refusal::NobodyTookOver => "no other router took over in time",
            Refusal::AlreadyMaster => "that router is master already",
            Refusal::UnknownRouter => "no router of that address in the configuration",
            Refusal::CannotClaim => {
                "this router can't claim the role (not healthy, or peers are configured without `list router`); \
                 run the command on the master"
            }
            Refusal::NeedsChannel => {
                "with more than two routers a certain one can be chosen only over the peer channel"
            }
            Refusal::Busy => "another switch is under way",
            Refusal::Stopping => "the daemon is stopping",
        })
    }
}

/// A fact that is not a role change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A router was heard for the first time, or again.
    PeerFound {
        /// Where.
        instance: InstanceId,
        /// Who.
        peer: IpAddr,
        /// What it advertised.
        priority: u8,
    },
    /// A master fell silent on this instance.
    PeerLost {
        /// Where.
        instance: InstanceId,
        /// Who.
        peer: IpAddr,
    },
    /// A router's packets contradict this node's configuration.
    Misconfigured {
        /// Where.
        instance: InstanceId,
        /// Who.
        peer: IpAddr,
        /// What differs.
        what: Mismatch,
    },
    /// A lower master was told that this node is master.
    Rival {
        /// Where.
        instance: InstanceId,
        /// Who.
        peer: IpAddr,
        /// What it advertised.
        priority: u8,
    },
    /// A track changed its verdict.
    TrackChanged {
        /// Which track.
        track: TrackId,
        /// Up or down.
        up: bool,
    },
    /// The priority that the group says changed.
    PriorityChanged {
        /// Which group.
        group: GroupId,
        /// Before.
        from: u8,
        /// From now on.
        to: u8,
    },
    /// Somebody else claims one of the instance's addresses.
    Conflict {
        /// Where.
        instance: InstanceId,
    },
    /// The peer stops on one instance and advertises on another: its instances are not one group.
    PeerSplit {
        /// Which group.
        group: GroupId,
        /// Who.
        peer: IpAddr,
    },
}

/// What differs between a router's packets and this node's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// VRRP version.
    Version,
    /// v2 authentication.
    Auth,
    /// Advertisement interval.
    Interval,
    /// List of virtual addresses.
    Addresses,
    /// Checksum form.
    Checksum,
    /// Hop limit below the configured minimum.
    HopLimit,
}

impl Mismatch {
    /// The word used in status and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Mismatch::Version => "version",
            Mismatch::Auth => "authentication",
            Mismatch::Interval => "advert_interval",
            Mismatch::Addresses => "virtual addresses",
            Mismatch::Checksum => "checksum",
            Mismatch::HopLimit => "hop limit",
        }
    }
}

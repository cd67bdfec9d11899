//! What the engine shows of itself. Computed when asked for; nothing here is kept.

use core::time::Duration;
use std::net::IpAddr;

use crate::config::model::{GroupId, InstanceId, Place, TrackId};

use super::event::Maintenance;
use super::role::{Cause, Epoch, LinkProblem, Role};
use super::time::Instant;

/// A group as status shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupView {
    /// Which group.
    pub id: GroupId,
    /// Its role.
    pub role: Role,
    /// When it took the role.
    pub since: Instant,
    /// Why it took the role.
    pub cause: Cause,
    /// Counts role changes.
    pub epoch: Epoch,
    /// What it says, or would say as master (protocol rule 2).
    pub priority: u8,
    /// Priority of this node when healthy; `None` until it knows its place.
    pub base: Option<u8>,
    /// This node's place in `list router`, once known.
    pub place: Option<Place>,
    /// The master this node follows.
    pub master: Option<MasterView>,
    /// Why this node is not master, or not fully healthy; each a short sentence part.
    pub blocked_by: Vec<String>,
    /// Maintenance of the node.
    pub maintenance: Maintenance,
    /// An operator moved the role away from here (protocol rule 8).
    pub switched_away: bool,
}

/// The master that a standby follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MasterView {
    /// Its address where it was heard last.
    pub address: IpAddr,
    /// What it advertised last.
    pub priority: u8,
    /// When.
    pub last_heard: Instant,
}

/// An instance as status shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceView {
    /// Which instance.
    pub id: InstanceId,
    /// Own address in use, once known.
    pub source: Option<IpAddr>,
    /// Why its link can't be used, if so.
    pub problem: Option<LinkProblem>,
    /// Master_Down_Interval as the timer would be armed now.
    pub master_down: Duration,
    /// The others.
    pub peers: Vec<PeerView>,
    /// Adverts sent.
    pub sent: u32,
    /// Adverts accepted.
    pub received: u32,
    /// Packets refused, by name of the reason; only reasons that occurred.
    pub rejected: Vec<(&'static str, u32)>,
}

/// Another router as seen on an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    /// Its address.
    pub address: IpAddr,
    /// When its last advert was accepted.
    pub last_heard: Option<Instant>,
    /// What that said.
    pub priority: Option<u8>,
    /// Summary.
    pub state: PeerState,
}

/// Whether another router speaks. Backups are silent by design.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerState {
    /// Heard within Master_Down.
    Alive,
    /// Not heard within Master_Down.
    Silent,
    /// Its packets arrive and contradict this node's configuration.
    Misconfigured(super::Mismatch),
}

impl PeerState {
    /// The word used in status.
    pub const fn name(self) -> &'static str {
        match self {
            PeerState::Alive => "alive",
            PeerState::Silent => "silent",
            PeerState::Misconfigured(_) => "misconfigured",
        }
    }
}

/// A track as status shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackView {
    /// Which track.
    pub id: TrackId,
    /// Its verdict.
    pub state: TrackState,
    /// Its targets in the order of the configuration.
    pub targets: Vec<TargetView>,
    /// Tests in a row that agree with each other.
    pub streak: u16,
    /// How many in a row would change the verdict.
    pub needed: u16,
    /// Since when it has its verdict.
    pub since: Instant,
    /// What its verdict does now, for people: "none", "-30", "fault", "remembered", "damped".
    pub effect: String,
}

/// A verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackState {
    /// Not judged yet, or not running here.
    Unknown,
    /// Reachable.
    Up,
    /// Not reachable.
    Down,
}

impl TrackState {
    /// The word used in status.
    pub const fn name(self) -> &'static str {
        match self {
            TrackState::Unknown => "unknown",
            TrackState::Up => "up",
            TrackState::Down => "down",
        }
    }
}

/// A target of a track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetView {
    /// Its last answer.
    pub state: TrackState,
    /// Time of the last answer.
    pub rtt: Option<Duration>,
}

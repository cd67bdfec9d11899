//! What can be wrong between sections.

use core::fmt;
use core::time::Duration;
use std::net::IpAddr;

use super::problem::{DidYouMean, List, Secs};

/// Sections that do not fit each other. The fields are the values that the message shows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)]
#[rustfmt::skip]
pub enum Conflict {
    /// There may be only one section of this type.
    SecondSection { first_line: u32 },
    /// More sections of this type than `max`.
    TooManySections { max: usize },
    /// No section of that name.
    NoSuchSection { kind: &'static str, have: Vec<String>, suggestion: Option<String> },
    /// No router has this address.
    NoSuchRouter { have: Vec<IpAddr>, suggestion: Option<String> },
    /// No router of this group has one of the addresses of the track's `list only`.
    NoRouterOfGroup { track: String, have: Vec<IpAddr> },
    /// The instance is in another group already.
    InTwoGroups { other: String },
    /// The instance is in a group, and the option is the group's.
    BelongsToGroup { group: String },
    /// The VRID is used on this link and family by another instance.
    VridTaken { by: String, line: u32 },
    /// The virtual address is another instance's.
    VipTaken { by: String, line: u32 },
    /// One instance of the group has `list router`, the other has not.
    RouterForms { other: String },
    /// Another number of routers than the other instance of the group.
    RouterCounts { count: usize, other: String, other_count: usize },
    /// A router that has another place in the other instance of the group.
    RouterPlace { place: usize, other: String, other_place: usize },
    /// The same host parts as in the other instance of the group, in another order.
    RouterOrder { other: String },
    /// Not one priority for each router.
    PriorityCount { count: usize, routers: usize },
    /// The same priority for two routers.
    PriorityEqual,
    /// 254 or 255, which mean something else, with `list router`.
    PriorityReserved,
    /// Another priority than the other member of the group says.
    PriorityDiffers { other: String },
    /// One priority for whoever reads the file, although routers are listed.
    PriorityOfAll,
    /// Several priorities, but no routers to give them to.
    PriorityWithoutRouters,
    /// A check that would go out through the other router.
    TrackThroughPeer { track: String },
    /// The wait of protocol rule 5b is too short for another router's checks.
    WaitTooShort { router: IpAddr, wait: Duration, other: IpAddr, needed: Duration },
    /// A target that the master itself would answer.
    TargetIsVip { instance: String },
    /// A target that is one of the routers: it says nothing about the way out.
    TargetIsRouter { instance: String },
    /// An interface that is down on the standby, but which this instance needs.
    NeededOnStandby { instance: String },
    /// The number of routers differs from that of an instance.
    SyncRouterCount { count: usize, instance: String, other_count: usize },
    /// The instance knows no other router.
    SyncWithoutPeers,
    /// Enabled, but no instance.
    NothingToDo,
}

impl Conflict {
    /// A short word for scripts and for the status; stable.
    #[rustfmt::skip]
    pub fn code(&self) -> &'static str {
        match self {
            Conflict::SecondSection { .. } => "second_section",
            Conflict::TooManySections { .. } => "count",
            Conflict::NoSuchSection { .. } => "no_such_section",
            Conflict::NoSuchRouter { .. } | Conflict::NoRouterOfGroup { .. } => "no_such_router",
            Conflict::InTwoGroups { .. } | Conflict::BelongsToGroup { .. } => "group_membership",
            Conflict::VridTaken { .. } => "duplicate_vrid",
            Conflict::VipTaken { .. } => "duplicate_vip",
            Conflict::RouterForms { .. } | Conflict::RouterCounts { .. } => "router_list",
            Conflict::RouterPlace { .. } | Conflict::RouterOrder { .. } => "router_place",
            Conflict::PriorityCount { .. } | Conflict::PriorityEqual | Conflict::PriorityReserved => "priority",
            Conflict::PriorityDiffers { .. } | Conflict::PriorityOfAll => "priority",
            Conflict::PriorityWithoutRouters => "priority",
            Conflict::TrackThroughPeer { .. } => "track_through_peer",
            Conflict::WaitTooShort { .. } => "wait_too_short",
            Conflict::TargetIsVip { .. } | Conflict::TargetIsRouter { .. } => "track_target",
            Conflict::NeededOnStandby { .. } => "needed_on_standby",
            Conflict::SyncRouterCount { .. } | Conflict::SyncWithoutPeers => "sync",
            Conflict::NothingToDo => "nothing_to_do",
        }
    }
}

impl fmt::Display for Conflict {
    #[rustfmt::skip]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Conflict::SecondSection { first_line } => write!(f, "there can be only one; the first is on line {first_line}"),
            Conflict::TooManySections { max } => write!(f, "there can be at most {max} sections of this type"),
            Conflict::NoSuchSection { kind, have, suggestion } =>
                write!(f, "no {kind} of that name{} (have: {})", DidYouMean(suggestion), List(have)),
            Conflict::NoSuchRouter { have, suggestion } =>
                write!(f, "no 'list router' has this address{} (have: {})", DidYouMean(suggestion), List(have)),
            Conflict::NoRouterOfGroup { track, have } =>
                write!(f, "none of the addresses in 'list only' of track '{track}' is in this group's 'list router' (have: {})", List(have)),
            Conflict::InTwoGroups { other } => write!(f, "is in group '{other}' already; must be in one group"),
            Conflict::BelongsToGroup { group } => write!(f, "must stand in group '{group}', which this instance is in"),
            Conflict::VridTaken { by, line } =>
                write!(f, "is used by instance '{by}' (line {line}) on this link; must be unique for each link and family"),
            Conflict::VipTaken { by, line } => write!(f, "is a VIP of instance '{by}' (line {line}) too; must be in one instance"),
            Conflict::RouterForms { other } =>
                write!(f, "the instances of a group must all have 'list router' or none; instance '{other}' differs"),
            Conflict::RouterCounts { count, other, other_count } =>
                write!(f, "{count} routers, but instance '{other}' of the group has {other_count}; must be the same routers in the same order"),
            Conflict::RouterPlace { place, other, other_place } =>
                write!(f, "is router {place} here and router {other_place} in instance '{other}' of the group; must have the same place"),
            Conflict::RouterOrder { other } =>
                write!(f, "another order than in instance '{other}' of the group? A router must have the same place in both"),
            Conflict::PriorityCount { count, routers } => write!(f, "{count} priorities; must be one for each of the {routers} routers"),
            Conflict::PriorityEqual => f.write_str("given twice; must differ ('option preempt 0' leaves the role where it is)"),
            Conflict::PriorityReserved =>
                f.write_str("must be 16..253 beside 'list router': 254 says that an operator makes a router master, 255 that it owns the address"),
            Conflict::PriorityDiffers { other } => write!(f, "must be the same for the whole group; '{other}' says otherwise"),
            Conflict::PriorityOfAll =>
                f.write_str("is taken by every router that reads this file; 'list priority' has one for each router"),
            Conflict::PriorityWithoutRouters => f.write_str("must be a single 'option priority' without 'list router'"),
            Conflict::TrackThroughPeer { track } =>
                write!(f, "track '{track}' must have an 'interface': with 'standby_gateway' it would go out through the other router"),
            Conflict::WaitTooShort { router, wait, other, needed } =>
                write!(f, "router {router} waits {} s until it takes over from a lowered master, but the checks of {other} may need {} s to be good again; should be at least {} s more",
                    Secs(*wait), Secs(*needed), Secs(needed.saturating_sub(*wait))),
            Conflict::TargetIsVip { instance } =>
                write!(f, "is a VIP of instance '{instance}': the master would answer itself; should be beyond the routers"),
            Conflict::TargetIsRouter { instance } =>
                write!(f, "is a router of instance '{instance}': it says nothing about the way out; should be beyond the routers"),
            Conflict::NeededOnStandby { instance } =>
                write!(f, "instance '{instance}' runs on it; must be up on every router"),
            Conflict::SyncRouterCount { count, instance, other_count } =>
                write!(f, "{count} routers, but instance '{instance}' has {other_count}; must be the same routers in the same order"),
            Conflict::SyncWithoutPeers => f.write_str("must be an instance with 'list router' or 'list peer'"),
            Conflict::NothingToDo => f.write_str("there is no 'config instance'; must have one, or 'config gwha' with 'option enabled 0'"),
        }
    }
}

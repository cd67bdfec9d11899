//! The configuration as the program uses it: valid by construction, names resolved to indices.
//!
//! `/etc/config/gwha` is turned into a [`Config`] by [`super::load`], which reports everything
//! that is wrong at once. Nothing else makes one outside tests, so the engine never has to doubt it.

mod actions;

use core::fmt;
use core::time::Duration;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::wire::types::{Family, Interval, Version, Vrid};
use crate::wire::vrrp::{Auth, ChecksumForm};

pub use actions::{Actions, Tools};

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `option enabled`: a disabled daemon holds no address and says nothing.
    pub enabled: bool,
    /// Least severe message that is logged.
    pub log_level: log::LevelFilter,
    /// Where the system's own tools are, if they are not where OpenWrt has them.
    pub tools: Tools,
    /// `option realtime`.
    pub scheduling: Scheduling,
    /// The links that instances and tracks name, each once.
    pub links: Vec<LinkRef>,
    /// Virtual routers in the order of the file: adverts leave in this order.
    pub instances: Vec<Instance>,
    /// Sync groups. Every instance is in exactly one: those named by no group are groups of one.
    pub groups: Vec<Group>,
    /// Reachability checks.
    pub tracks: Vec<Track>,
    /// The channel between the routers.
    pub sync: Option<Sync>,
}

/// What the daemon gets of the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheduling {
    /// What every program gets.
    #[default]
    Ordinary,
    /// What it wants, before every ordinary program, and its memory stays in memory.
    RealTime,
}

/// A network device, as the user named it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkRef {
    /// `option interface`: a logical network of `/etc/config/network`.
    Interface(String),
    /// `option device`: a kernel device.
    Device(String),
}

impl fmt::Display for LinkRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkRef::Interface(name) | LinkRef::Device(name) => f.write_str(name),
        }
    }
}

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u16);

        impl $name {
            /// The position in its list.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index!(
    /// Position in [`Config::links`].
    LinkId
);
index!(
    /// Position in [`Config::instances`].
    InstanceId
);
index!(
    /// Position in [`Config::groups`].
    GroupId
);
index!(
    /// Position in [`Config::tracks`].
    TrackId
);

/// One virtual router: a VRID on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Section name.
    pub name: String,
    /// Where it lives.
    pub link: LinkId,
    /// Family of its addresses and of its packets.
    pub family: Family,
    /// Virtual router identifier.
    pub vrid: Vrid,
    /// VRRP version; [`Version::V2`] only with [`Family::V4`].
    pub version: Version,
    /// Own advertisement interval.
    pub interval: Interval,
    /// v2 authentication.
    pub auth: Auth,
    /// How adverts travel.
    pub mode: Mode,
    /// Who takes part.
    pub routers: Routers,
    /// Virtual addresses, at least one; for IPv6 the first is link-local.
    pub vips: Vec<Vip>,
    /// Smallest TTL or hop limit that is accepted (255: sender is on this link).
    pub hop_limit_min: u8,
    /// Which checksum v3 adverts over IPv4 are sent with.
    pub checksum: ChecksumForm,
    /// Accept the checksum of keepalived before 1.3.7 (unicast summed with the multicast group).
    pub accept_old_checksum: bool,
    /// When addresses are announced.
    pub announce: AnnounceSchedule,
    /// The group it belongs to.
    pub group: GroupId,
}

impl Instance {
    /// The other routers' addresses, for a node whose own is `source`.
    pub fn others(&self, source: IpAddr) -> impl Iterator<Item = IpAddr> + '_ {
        let (Routers::Listed(all) | Routers::Peers { peers: all, .. }) = &self.routers;
        all.iter().copied().filter(move |address| *address != source)
    }

    /// The virtual address that clients may have as their IPv6 gateway.
    pub fn gateway6(&self) -> Option<Ipv6Addr> {
        self.vips.iter().find_map(|vip| match vip.address {
            IpAddr::V6(address) if address.is_unicast_link_local() => Some(address),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        })
    }
}

/// How adverts travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// To each other router's address.
    Unicast,
    /// To 224.0.0.18 or ff02::12.
    Multicast,
}

/// Who takes part in a virtual router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routers {
    /// `list router`: everybody's address, the preferred one first. A node knows its place by its own
    /// address. 2 to 8 entries.
    Listed(Vec<IpAddr>),
    /// `option source` and `list peer`: this node's view only. Without a source the interface's first
    /// address of the family is used. No peers only in multicast, where anybody may speak.
    Peers {
        /// Own address.
        source: Option<IpAddr>,
        /// The others' addresses.
        peers: Vec<IpAddr>,
    },
}

/// A virtual address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vip {
    /// The address.
    pub address: IpAddr,
    /// Written prefix length; `None`: that of the interface's subnet which contains the address.
    pub prefix: Option<u8>,
    /// Address label, IPv4 only.
    pub label: Option<String>,
}

/// When gratuitous ARP or neighbour advertisements are sent after a takeover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnounceSchedule {
    /// Offsets from the takeover, ascending.
    pub bursts: Vec<Duration>,
    /// Repetition while master; `None`: never.
    pub refresh: Option<Duration>,
}

impl Default for AnnounceSchedule {
    /// Spread over seconds: a switch port or an access point that is not forwarding yet loses a single
    /// burst. Protocol rule 21.
    fn default() -> AnnounceSchedule {
        AnnounceSchedule {
            bursts: [0, 20, 100, 500, 1000, 2000, 5000].map(Duration::from_millis).to_vec(),
            refresh: Some(Duration::from_secs(60)),
        }
    }
}

/// A sync group: instances that have one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Section name; of an implicit group the instance's name.
    pub name: String,
    /// Members in the order of the file.
    pub instances: Vec<InstanceId>,
    /// Checks that weigh on its priority.
    pub tracks: Vec<TrackUse>,
    /// Priority of a healthy node.
    pub base: Base,
    /// Whether a higher base takes back from a healthy master.
    pub preempt: Preempt,
    /// Unbroken health before it does, and the wait of protocol rule 5b.
    pub preempt_delay: Duration,
    /// What follows from the role besides addresses.
    pub actions: Actions,
}

/// Whether a higher base takes back from a healthy master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preempt {
    /// `preempt 1`.
    On,
    /// `preempt 0`.
    Off,
}

/// Priority of a healthy node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// One for each place in `list router`.
    ByPlace(Vec<u8>),
    /// `option priority`: this node's own; the others' are unknown.
    Own(u8),
}

/// A node's position in `list router`, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u8);

/// A set of places: what `list only` selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places(pub u8);

impl Places {
    /// Every router.
    pub const ALL: Places = Places(u8::MAX);

    /// Whether a node at `place` is meant. A node that does not know its place yet is meant only by all.
    pub const fn contains(self, place: Option<Place>) -> bool {
        match place {
            Some(Place(place)) => self.0 & 1u8.wrapping_shl(place as u32) != 0,
            None => self.0 == u8::MAX,
        }
    }
}

/// A group's use of a track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackUse {
    /// Which track.
    pub track: TrackId,
    /// The routers it counts on.
    pub places: Places,
    /// Its interface is in `up_on_master`: only the master can judge it (protocol rule 9).
    pub scope: TrackScope,
}

/// Who can run a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackScope {
    /// Every node.
    Any,
    /// Only the master has the interface up.
    MasterOnly,
}

/// A reachability check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// Section name.
    pub name: String,
    /// What is asked.
    pub kind: TrackKind,
    /// The link it goes out on; always there for `arp` and `link`. Without one the routing table decides.
    pub link: Option<LinkId>,
    /// How many targets must answer for a good test.
    pub need: u16,
    /// Time between tests.
    pub interval: Duration,
    /// How long an answer may take; at most the interval.
    pub timeout: Duration,
    /// Failed tests in a row until it is down.
    pub fall: u16,
    /// Good tests in a row until it is up.
    pub rise: u16,
    /// What being down does.
    pub weight: Weight,
}

/// What a track asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackKind {
    /// ICMP echo.
    Ping {
        /// Who is asked.
        targets: Vec<IpAddr>,
    },
    /// ARP request, or neighbour solicitation for IPv6.
    Arp {
        /// Who is asked.
        targets: Vec<IpAddr>,
    },
    /// TCP connection.
    Tcp {
        /// Who is asked.
        targets: Vec<SocketAddr>,
    },
    /// Carrier of the link.
    Link,
    /// Exit status 0 of a command, run by `/bin/sh -c`.
    Script {
        /// The command.
        command: String,
    },
}

impl TrackKind {
    /// How many targets a test asks; a link or a script is one.
    pub fn targets(&self) -> usize {
        match self {
            TrackKind::Ping { targets } | TrackKind::Arp { targets } => targets.len(),
            TrackKind::Tcp { targets } => targets.len(),
            TrackKind::Link | TrackKind::Script { .. } => 1,
        }
    }
}

/// What a track that is down does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// A fault of the node: nothing better can be said of it than of a pulled cable.
    Fault,
    /// Added to the base priority, -253..=-1.
    Adjust(i16),
}

/// The channel between the routers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    /// Section name.
    pub name: String,
    /// Where it runs.
    pub path: SyncPath,
    /// Shared key.
    pub key_file: String,
    /// Whether DHCP leases are copied.
    pub leases: bool,
    /// Where the DHCP server keeps them; `None`: as its own configuration says.
    pub lease_file: Option<String>,
    /// Files and directories that follow.
    pub files: Vec<String>,
    /// Services reloaded after a file arrived, besides those known from its name.
    pub reload: Vec<String>,
    /// UCI options that stay as they are on each router.
    pub keep: Vec<String>,
}

/// Where the channel runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncPath {
    /// Between the routers' addresses of an instance.
    Instance(InstanceId),
    /// On a dedicated link.
    Dedicated {
        /// The link.
        link: LinkId,
        /// The routers' addresses there, in the order of their places.
        routers: Vec<IpAddr>,
    },
}

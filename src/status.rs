//! The state of a node as people and programs see it: `gwha status`, ubus, LuCI and the tests.
//!
//! These types are a promise (the keys are never renamed), so they are apart from the types that the program
//! works with. Ages are in seconds with a fraction. What never happened is absent.

mod answers;

pub use answers::{Checked, Happening, History, Lease, LeaseList, Outcome};

use crate::record::record;
use crate::sorted::Map;
use crate::ubus::decode::Source;
use crate::ubus::{Decimal, Decode, Encode, Error, Place};

/// The whole state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    /// Of the program.
    pub version: String,
    /// Host name.
    pub node: String,
    /// Of the daemon, in seconds.
    pub uptime: Decimal,
    /// `init`, `backup`, `master`, `fault`, or `mixed` if groups differ.
    pub role: String,
    /// Whether the node serves only if nobody else does.
    pub maintenance: bool,
    /// Age of the youngest role change.
    pub since: Option<Decimal>,
    /// Why that happened, in words.
    pub cause: Option<String>,
    /// Why, as a stable word.
    pub cause_code: Option<String>,
    /// Summary.
    pub health: Health,
    /// What is behind the summary.
    pub warnings: Vec<Warning>,
    /// The configuration file.
    pub config: ConfigState,
    /// Sync groups.
    pub groups: Vec<Group>,
    /// Virtual routers.
    pub instances: Vec<Instance>,
    /// Checks.
    pub tracks: Vec<Track>,
    /// What the role asks of the system, and how it is.
    pub actions: Vec<Action>,
    /// The other node, as the peer channel knows it; with several, the first of them.
    pub peer: Peer,
    /// All other nodes, if there are several.
    pub peers: Vec<Peer>,
    /// DHCP leases shared with the peer.
    pub leases: Leases,
    /// Files shared with the peer.
    pub files: Vec<SharedFile>,
}

/// Summary of a node's state, for lights and exit codes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Nothing to see.
    Healthy,
    /// There are warnings.
    Degraded,
    /// No master, or two, or this node serves although it is faulted.
    #[default]
    Critical,
}

impl Health {
    /// The word used in status.
    pub const fn name(self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Degraded => "degraded",
            Health::Critical => "critical",
        }
    }
}

impl Encode for Health {
    fn encode(&self, place: Place<'_>) -> Result<(), Error> {
        place.text(self.name())
    }
}

impl Decode for Health {
    fn decode(&mut self, source: Source<'_>) -> Result<(), Error> {
        let word = source.text()?;
        for health in [Health::Healthy, Health::Degraded, Health::Critical] {
            if health.name() == word {
                *self = health;
                return Ok(());
            }
        }
        Err(Error::Mismatch("a word for health"))
    }
}

/// Something that is not as it should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Warning {
    /// A stable word.
    pub code: String,
    /// A sentence.
    pub message: String,
}

/// The configuration file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigState {
    /// `applied`: what the file said when it was read last is in force; `rejected`: what was in force before still is.
    pub state: String,
    /// Its path.
    pub file: String,
    /// Why it was rejected.
    pub errors: Vec<String>,
    /// What is odd about it.
    pub warnings: Vec<String>,
}

/// A sync group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Group {
    /// Section name.
    pub name: String,
    /// `init`, `backup`, `master` or `fault`.
    pub role: String,
    /// Age of the role.
    pub since: Decimal,
    /// Why the role was taken, in words.
    pub cause: String,
    /// Why, as a stable word.
    pub cause_code: String,
    /// Counts the role changes.
    pub epoch: u32,
    /// What the node says, or would say as master.
    pub priority: u8,
    /// What it would say if nothing were wrong; absent until it knows its place.
    pub base_priority: Option<u8>,
    /// Whether a preferred router takes back.
    pub preempt: bool,
    /// Names of its instances.
    pub instances: Vec<String>,
    /// Names of its tracks.
    pub tracks: Vec<String>,
    /// Why this node is not master, or not fully healthy.
    pub blocked_by: Vec<String>,
    /// The master that this node follows.
    pub master: Option<Master>,
}

/// The master that a standby follows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Master {
    /// Where it was heard last.
    pub address: String,
    /// What it advertised last.
    pub priority: u8,
    /// Age of that advert.
    pub last_heard: Decimal,
}

/// A virtual router.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Instance {
    /// Section name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// As the user named it.
    pub interface: String,
    /// The kernel device; absent while there is none.
    pub device: Option<String>,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// Virtual router identifier.
    pub vrid: u8,
    /// Of VRRP: 2 or 3.
    pub version: u8,
    /// `unicast` or `multicast`.
    pub mode: String,
    /// The group's role, or `fault` while this instance itself can't be used.
    pub state: String,
    /// What is wrong with its link.
    pub problem: Option<String>,
    /// Virtual addresses.
    pub vips: Vec<String>,
    /// Own address.
    pub source: Option<String>,
    /// The other routers.
    pub peers: Vec<PeerRouter>,
    /// Own interval.
    pub advert_interval_ms: u32,
    /// How long the master may be silent.
    pub master_down_ms: u32,
    /// Packets.
    pub counters: Counters,
}

/// Another router, as heard on an instance.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PeerRouter {
    /// Its address.
    pub address: String,
    /// Age of its last accepted advert. Standbys are silent by design.
    pub last_heard: Option<Decimal>,
    /// What that said.
    pub priority: Option<u8>,
    /// `alive`, `silent` or `misconfigured`.
    pub state: String,
    /// What contradicts this node's configuration.
    pub mismatch: Option<String>,
}

/// Packets of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Adverts sent.
    pub sent: u32,
    /// Adverts accepted.
    pub received: u32,
    /// Packets refused, by reason.
    pub rejected: Map<String, u32>,
}

/// A check.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Track {
    /// Section name.
    pub name: String,
    /// `ping`, `arp`, `tcp`, `link` or `script`.
    pub kind: String,
    /// `up`, `down` or `unknown`.
    pub state: String,
    /// Who is asked.
    pub targets: Vec<Target>,
    /// Tests in a row that agree.
    pub streak: u16,
    /// How many would change the verdict.
    pub needed: u16,
    /// Age of the verdict.
    pub since: Decimal,
    /// What the verdict does now.
    pub effect: String,
}

/// A target of a check.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Target {
    /// Its address, or what is run.
    pub target: String,
    /// `up`, `down` or `unknown`.
    pub state: String,
    /// Time of the last answer.
    pub rtt_ms: Option<Decimal>,
}

/// Something that the role asks of the system.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Action {
    /// `address`, and later `interface`, `service`, ...
    pub kind: String,
    /// Which one.
    pub name: String,
    /// How it should be.
    pub wanted: String,
    /// How it is.
    pub observed: String,
    /// Why it is not as it should be.
    pub error: Option<String>,
    /// When it is tried again, in seconds.
    pub retry_in: Option<Decimal>,
}

/// The other node, as the peer channel knows it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Peer {
    /// Host name.
    pub name: Option<String>,
    /// Address of the channel's other end.
    pub address: Option<String>,
    /// Whether the channel stands.
    pub connected: bool,
    /// `connected`, `connecting`, `process_dead`, `host_dead`, `wrong_key`, `failed`; `off` without a key.
    pub state: Option<String>,
    /// Why it is not connected, in words.
    pub error: Option<String>,
    /// The segment that the channel runs on.
    pub instance: Option<String>,
    /// As in its own status.
    pub health: Option<String>,
    /// As in its own status.
    pub maintenance: Option<bool>,
    /// Of its daemon, in seconds.
    pub uptime: Option<Decimal>,
    /// Age of that.
    pub since: Option<Decimal>,
    /// Its role.
    pub role: Option<String>,
    /// Of its program.
    pub version: Option<String>,
    /// Whether both have the same configuration.
    pub config_equal: Option<bool>,
    /// Its wall clock minus ours in seconds; nothing depends on it.
    pub clock_offset: Option<Decimal>,
}

/// DHCP leases shared with the peer. All absent while sync is not set up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Leases {
    /// Leases here.
    pub count: Option<u32>,
    /// Leases there.
    pub peer_count: Option<u32>,
    /// Changes on their way.
    pub pending: Option<u32>,
    /// Age of the oldest of these.
    pub lag_ms: Option<Decimal>,
    /// Age of the last success.
    pub last_success: Option<Decimal>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// A file shared with the peer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SharedFile {
    /// Its path.
    pub path: String,
    /// `in_sync`, `differs`, `pending` or `failed`.
    pub state: String,
    /// `sent` from here to the other router, or `received`.
    pub direction: Option<String>,
    /// Age of the last success.
    pub last_success: Option<Decimal>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// Where edits made here are kept that the master's version has replaced.
    pub asides: Vec<String>,
}

record! {
    Status:
        version, node, uptime, role, maintenance, since, cause, cause_code, health, warnings, config, groups,
        instances, tracks, actions, peer, peers unless is_empty, leases, files;
    Warning: code, message;
    ConfigState: state, file, errors, warnings;
    Group:
        name, role, since, cause, cause_code, epoch, priority, base_priority, preempt, instances, tracks, blocked_by,
        master;
    Master: address, priority, last_heard;
    Instance:
        name, group, interface, device, family, vrid, version, mode, state, problem, vips, source, peers,
        advert_interval_ms, master_down_ms, counters;
    PeerRouter: address, last_heard, priority, state, mismatch;
    Counters: sent, received, rejected;
    Track: name, kind as "type", state, targets, streak, needed, since, effect;
    Target: target, state, rtt_ms;
    Action: kind, name, wanted, observed, error, retry_in;
    Peer:
        name, address, connected, state, error, instance, health, maintenance, uptime, since, role, version,
        config_equal, clock_offset;
    Leases: count, peer_count, pending, lag_ms, last_success, last_error;
    SharedFile: path, state, direction, last_success, last_error, asides unless is_empty;
}

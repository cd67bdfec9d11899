//! Every section type and option, once: the source of parsing, of "did you mean", of the reference in
//! the documentation and of the LuCI form.

use log::LevelFilter;

pub use super::key::{Described, Info, Key, Shape};
use super::kinds::{Address, Choice, Integer, Seconds, Switch, TrackWeight, VirtualAddress, Word};
use super::limits::{
    ACTIONS_MAX, BURSTS_MAX, FILES_MAX, GROUPS_MAX, INSTANCES_MAX, ROUTERS_MAX, TARGETS_MAX, TRACKS_MAX,
    VIPS_MAX,
};
use super::model::Mode;
use crate::wire::types::Version;
use crate::wire::vrrp::ChecksumForm;

/// What a section is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectionKind {
    /// `config gwha`.
    Main,
    /// `config instance`.
    Instance,
    /// `config group`.
    Group,
    /// `config track`.
    Track,
    /// `config sync`.
    Sync,
}

impl SectionKind {
    /// What it describes, in a line.
    pub fn doc(self) -> &'static str {
        match self {
            SectionKind::Main => "The daemon",
            SectionKind::Instance => "A virtual router: a VRID on a link, with the addresses that move",
            SectionKind::Group => "Instances that move together, and what follows from their role",
            SectionKind::Track => "A check that lowers the priority while it fails",
            SectionKind::Sync => "The encrypted channel between the routers",
        }
    }
}

/// A type of section.
pub struct SectionType {
    /// What it is.
    pub kind: SectionKind,
    /// How many there can be.
    pub max: usize,
    /// As it is written after `config`.
    pub name: &'static str,
    /// Its options, in the order of the documentation, in blocks.
    pub blocks: &'static [&'static [&'static dyn Described]],
}

impl SectionType {
    /// Its options.
    pub fn options(&self) -> impl Iterator<Item = &'static dyn Described> {
        self.blocks.iter().flat_map(|block| block.iter().copied())
    }

    /// The option of that name.
    pub fn option(&self, name: &str) -> Option<&'static dyn Described> {
        self.options().find(|option| option.name() == name)
    }
}

/// The section type of that name.
pub fn section_type(name: &str) -> Option<&'static SectionType> {
    SECTIONS.iter().find(|section| section.name == name)
}

/// Every section type.
pub static SECTIONS: &[SectionType] = &[
    SectionType {
        kind: SectionKind::Main,
        max: ROUTERS_MAX,
        name: "gwha",
        blocks: &[&[&ENABLED, &LOG_LEVEL, &REALTIME, &SERVICE_COMMAND, &DNSMASQ_DIR, &ONLY]],
    },
    SectionType {
        kind: SectionKind::Instance,
        max: INSTANCES_MAX,
        name: "instance",
        blocks: &[INSTANCE_OPTIONS, ROLE_OPTIONS],
    },
    SectionType {
        kind: SectionKind::Group,
        max: GROUPS_MAX,
        name: "group",
        blocks: &[&[&INSTANCES, &ONLY], ROLE_OPTIONS],
    },
    SectionType { kind: SectionKind::Track, max: TRACKS_MAX, name: "track", blocks: &[TRACK_OPTIONS] },
    SectionType { kind: SectionKind::Sync, max: ROUTERS_MAX, name: "sync", blocks: &[SYNC_OPTIONS] },
];

/// Options of an instance alone.
pub static INSTANCE_OPTIONS: &[&dyn Described] = &[
    &INTERFACE,
    &DEVICE,
    &VRID,
    &ROUTER,
    &VIP,
    &VERSION,
    &ADVERT_INTERVAL,
    &SOURCE,
    &PEER,
    &MODE,
    &AUTH_PASS,
    &CHECKSUM,
    &ACCEPT_OLD_CHECKSUM,
    &TTL_MIN,
    &ANNOUNCE,
    &ANNOUNCE_REFRESH,
    &ONLY,
];

/// Options of a group, and of an instance that is in none.
pub static ROLE_OPTIONS: &[&dyn Described] = &[
    &PRIORITY,
    &TRACK,
    &PREEMPT,
    &PREEMPT_DELAY,
    &UP_ON_MASTER,
    &RUN_ON_MASTER,
    &RELOAD_ON_MASTER,
    &DHCP_ON_MASTER,
    &CONNTRACK,
    &SNAT,
    &STANDBY_GATEWAY,
    &TABLE,
    &RULE_PRIORITY,
    &SCRIPT,
];

static TRACK_OPTIONS: &[&dyn Described] = &[
    &TYPE, &INTERFACE, &DEVICE, &TARGET, &COMMAND, &NEED, &INTERVAL, &TIMEOUT, &FALL, &RISE, &WEIGHT, &ONLY,
];

static SYNC_OPTIONS: &[&dyn Described] = &[
    &INSTANCE,
    &INTERFACE,
    &DEVICE,
    &SYNC_ROUTER,
    &KEY_FILE,
    &LEASES,
    &LEASE_FILE,
    &FILE,
    &RELOAD,
    &KEEP,
    &ONLY,
];

/// What a `track` asks, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackType {
    /// ICMP echo.
    Ping,
    /// ARP or neighbour solicitation.
    Arp,
    /// TCP connection.
    Tcp,
    /// Carrier.
    Link,
    /// Exit status of a command.
    Script,
}

macro_rules! keys {
    ($($(#[doc = $doc:literal])+ $ident:ident: $kind:ty = $shape:expr, $name:literal, $value:expr, $default:expr;)+) => {
        $(
            $(#[doc = $doc])+
            pub static $ident: Key<$kind> =
                Key { info: Info { name: $name, shape: $shape, default: $default }, kind: $value };
        )+

        /// What each option does, in a line: apart from the options, for the program needs few of these lines.
        pub mod docs {
            $(
                $(#[doc = $doc])+
                pub const $ident: &str = concat!($($doc),+);
            )+
        }

        static DOCS: &[(&Info, &str)] = &[$((&$ident.info, docs::$ident)),+];
    };
}

/// What an option does, in a line.
pub fn doc(option: &dyn Described) -> &'static str {
    let it = DOCS.iter().find(|(info, _)| core::ptr::eq(*info, option.info()));
    it.map_or("", |(_, doc)| doc.trim_ascii_start())
}

use Shape::{Many, One, OneOrMany};

keys! {
    // config gwha

    /// Whether the daemon does anything
    ENABLED: Switch = One, "enabled", Switch, Some("1");
    /// Least severe messages that are logged
    LOG_LEVEL: Choice<LevelFilter> = One, "log_level", Choice(LOG_LEVELS), Some("info");
    /// Program that is run as PROGRAM NAME start|stop|running|reload for services without an /etc/init.d/NAME
    SERVICE_COMMAND: Word = One, "service_command", Word::PATH, None;
    /// Directory with files that dnsmasq reads when it starts, if it is not the one that follows from /etc/config/dhcp
    DNSMASQ_DIR: Word = One, "dnsmasq_dir", Word::PATH, None;
    /// The daemon goes before every ordinary program, and its memory is never swapped out: for intervals of 100 ms and less on a busy router
    REALTIME: Switch = One, "realtime", Switch, Some("0");
    /// The routers that this section is for, each by one of its addresses in 'list router'; elsewhere it is as if not written
    ONLY: Address = Many(ROUTERS_MAX * 4), "only", Address, None;

    // config instance

    /// Network of /etc/config/network
    INTERFACE: Word = One, "interface", Word::NETWORK, None;
    /// Kernel device, instead of 'interface'
    DEVICE: Word = One, "device", Word::DEVICE, None;
    /// Virtual router identifier, the same on all routers and unique on the link
    VRID: Integer = One, "vrid", Integer { min: 1, max: 255, unit: "" }, None;
    /// All routers' own addresses on this link, the preferred one first
    ROUTER: Address = Many(ROUTERS_MAX), "router", Address, None;
    /// Address that moves to the master: ADDRESS[/LENGTH] [label NAME]
    VIP: VirtualAddress = Many(VIPS_MAX), "vip", VirtualAddress, None;
    /// VRRP version; 2 is for IPv4 only
    VERSION: Choice<Version> = One, "version", Choice(VERSIONS), Some("3");
    /// Time between adverts
    ADVERT_INTERVAL: Integer = One, "advert_interval", Integer { min: 10, max: 255_000, unit: " ms (version 3: up to 40950 in steps of 10; version 2: whole seconds)" }, Some("1000");
    /// This router's own address, instead of 'router'
    SOURCE: Address = One, "source", Address, None;
    /// The other routers' addresses, instead of 'router'
    PEER: Address = Many(ROUTERS_MAX - 1), "peer", Address, None;
    /// How adverts travel
    MODE: Choice<Mode> = One, "mode", Choice(MODES), Some("unicast");
    /// Password of version 2, in clear on the wire, up to 8 bytes
    AUTH_PASS: Word = One, "auth_pass", Word::PASSWORD, None;
    /// Checksum of version 3 over IPv4: with the pseudo-header as keepalived has it, or of the message only
    CHECKSUM: Choice<ChecksumForm> = One, "checksum", Choice(CHECKSUMS), Some("pseudo_header");
    /// Also accept the unicast checksum of keepalived before 1.3.7
    ACCEPT_OLD_CHECKSUM: Switch = One, "accept_old_checksum", Switch, Some("0");
    /// Least TTL or hop limit of adverts that are accepted; 255 means from this link only
    TTL_MIN: Integer = One, "ttl_min", Integer { min: 1, max: 255, unit: "" }, Some("255");
    /// When addresses are announced after a takeover, in ms, ascending (0 20 100 500 1000 2000 5000 if not given)
    ANNOUNCE: Integer = Many(BURSTS_MAX), "announce", Integer { min: 0, max: 60_000, unit: " ms" }, None;
    /// How often a master announces its addresses again, in s; 0 is never
    ANNOUNCE_REFRESH: Integer = One, "announce_refresh", Integer { min: 0, max: 3600, unit: " s" }, Some("60");

    // config group, and config instance outside groups

    /// The instances that move together
    INSTANCES: Word = Many(INSTANCES_MAX), "instance", Word::INSTANCE, None;
    /// As list: the routers' priorities in the order of 'router' (100, 90, 80 ... if not given); as option: this router's own
    PRIORITY: Integer = OneOrMany(ROUTERS_MAX), "priority", Integer { min: 16, max: 255, unit: "" }, None;
    /// Checks that count
    TRACK: Word = Many(TRACKS_MAX), "track", Word::TRACK, None;
    /// Whether a router of higher priority takes back from a healthy master
    PREEMPT: Switch = One, "preempt", Switch, Some("1");
    /// How long it must have been healthy without a break before it does
    PREEMPT_DELAY: Seconds = One, "preempt_delay", Seconds { min_ms: 0, max_ms: 3_600_000 }, Some("30");
    /// Networks of /etc/config/network that are up on the master and down elsewhere
    UP_ON_MASTER: Word = Many(ACTIONS_MAX), "up_on_master", Word::NETWORK, None;
    /// Services that run on the master and are stopped elsewhere
    RUN_ON_MASTER: Word = Many(ACTIONS_MAX), "run_on_master", Word::SERVICE, None;
    /// Services that are reloaded when this router becomes master
    RELOAD_ON_MASTER: Word = Many(ACTIONS_MAX), "reload_on_master", Word::SERVICE, None;
    /// Whether only the master answers DHCP on the group's interfaces
    DHCP_ON_MASTER: Switch = One, "dhcp_on_master", Switch, Some("0");
    /// Whether connection state follows the role
    CONNTRACK: Switch = One, "conntrack", Switch, Some("0");
    /// Whether forwarded traffic leaves a WAN with the VIP as its source; on with 'conntrack'
    SNAT: Switch = One, "snat", Switch, None;
    /// The standby's own way to the internet, usually a VIP of the LAN
    STANDBY_GATEWAY: Address = One, "standby_gateway", Address, None;
    /// Routing table of the standby's default route, instead of the main one
    TABLE: Integer = One, "table", Integer { min: 1, max: u32::MAX, unit: "" }, None;
    /// Priority of the rule that leads to 'table'
    RULE_PRIORITY: Integer = One, "rule_priority", Integer { min: 1, max: 32_765, unit: "" }, None;
    /// Command that is run after each change of the role
    SCRIPT: Word = One, "script", Word::COMMAND, None;

    // config track

    /// What is asked
    TYPE: Choice<TrackType> = One, "type", Choice(TRACK_TYPES), Some("ping");
    /// Who is asked: addresses, for 'tcp' ADDRESS:PORT or [ADDRESS]:PORT
    TARGET: Word = Many(TARGETS_MAX), "target", Word::TARGET, None;
    /// The command of type 'script': exit status 0 is good
    COMMAND: Word = One, "command", Word::COMMAND, None;
    /// How many targets must answer
    NEED: Integer = One, "need", Integer { min: 1, max: TARGETS_MAX as u32, unit: "" }, Some("1");
    /// Time between tests in s, fractions allowed
    INTERVAL: Seconds = One, "interval", Seconds { min_ms: 100, max_ms: 3_600_000 }, Some("5");
    /// How long an answer may take in s, at most the interval
    TIMEOUT: Seconds = One, "timeout", Seconds { min_ms: 10, max_ms: 3_600_000 }, Some("2");
    /// Failed tests in a row until it is down
    FALL: Integer = One, "fall", Integer { min: 1, max: 1000, unit: "" }, Some("2");
    /// Good tests in a row until it is up
    RISE: Integer = One, "rise", Integer { min: 1, max: 1000, unit: "" }, Some("2");
    /// What it takes from the priority while it is down; 'fault' is everything
    WEIGHT: TrackWeight = One, "weight", TrackWeight, Some("fault");

    // config sync

    /// The channel runs between the routers' addresses of this instance
    INSTANCE: Word = One, "instance", Word::INSTANCE, None;
    /// All routers' addresses on the dedicated link, in the order of the instances' 'router'
    SYNC_ROUTER: Address = Many(ROUTERS_MAX), "router", Address, None;
    /// The key, made by 'gwha keygen' or 'gwha pair'; the channel is off until it exists
    KEY_FILE: Word = One, "key_file", Word::PATH, Some("/etc/gwha/key");
    /// Whether DHCP leases follow
    LEASES: Switch = One, "leases", Switch, Some("1");
    /// Where the DHCP server keeps its leases (as /etc/config/dhcp says if not given, else /tmp/dhcp.leases)
    LEASE_FILE: Word = One, "lease_file", Word::PATH, None;
    /// Files and directories that follow the master's
    FILE: Word = Many(FILES_MAX), "file", Word::PATH, None;
    /// Services that are reloaded when a file has arrived, besides those known from its name
    RELOAD: Word = Many(ACTIONS_MAX), "reload", Word::SERVICE, None;
    /// UCI options in those files that stay as they are on each router
    KEEP: Word = Many(FILES_MAX), "keep", Word::UCI_PATH, None;
}

static LOG_LEVELS: &[(&str, LevelFilter)] = &[
    ("error", LevelFilter::Error),
    ("warn", LevelFilter::Warn),
    ("info", LevelFilter::Info),
    ("debug", LevelFilter::Debug),
];

static VERSIONS: &[(&str, Version)] = &[("2", Version::V2), ("3", Version::V3)];

static MODES: &[(&str, Mode)] = &[("unicast", Mode::Unicast), ("multicast", Mode::Multicast)];

static CHECKSUMS: &[(&str, ChecksumForm)] =
    &[("pseudo_header", ChecksumForm::PseudoHeader), ("message", ChecksumForm::Message)];

static TRACK_TYPES: &[(&str, TrackType)] = &[
    ("ping", TrackType::Ping),
    ("arp", TrackType::Arp),
    ("tcp", TrackType::Tcp),
    ("link", TrackType::Link),
    ("script", TrackType::Script),
];

//! Configurations in a line: `self=b members=lan,wan interval=1s preempt=off`.
//!
//! Routers are called a, b, c … by their place in `list router`. Member *i* (from 1) is the network
//! 10.*i*.0.0/24 or fe80::*i*:0/112, where the routers have .2, .3, .4 … and the first virtual
//! address is .1. Every member has its own link, of the same name.

use core::fmt;
use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use gwha::config::model::{
    Actions, AnnounceSchedule, Base, Config, Group, GroupId, Instance, InstanceId, LinkId, LinkRef, Mode,
    Places, Preempt, Routers, Scheduling, Track, TrackId, TrackKind, TrackScope, TrackUse, Vip, Weight,
};
use gwha::wire::types::{Family, Interval, Version, Vrid};
use gwha::wire::vrrp::{Auth, ChecksumForm};

use super::vrrp::{Advert, Cover};

/// A node: its place in `list router`.
pub type Node = usize;

/// Everything that can differ between scenarios.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// The node that a single-node scenario is about.
    pub this: Node,
    pub routers: usize,
    pub members: Vec<Member>,
    pub preempt: bool,
    pub delay: Duration,
    /// `list priority`.
    pub priorities: Option<Vec<u8>>,
    /// `option priority` with `source` and `peer` in place of `list router`.
    pub own: Option<u8>,
    pub tracks: Vec<Check>,
    /// Announcements after the first round, and their refresh; off keeps transcripts short.
    pub announce: bool,
}

/// An instance of the group, and its link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub version: u8,
    pub v6: bool,
    /// Centiseconds.
    pub interval: u16,
    pub password: Option<String>,
    pub multicast: bool,
    pub vips: u8,
    pub ttl_min: u8,
    pub checksum: ChecksumForm,
    pub old_checksum: bool,
}

/// A track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: String,
    /// The member whose link it uses.
    pub on: usize,
    pub interval: Duration,
    pub timeout: Duration,
    pub fall: u16,
    pub rise: u16,
    /// `None`: fault.
    pub weight: Option<i16>,
    pub targets: u8,
    pub need: u16,
    /// Its interface is in `up_on_master`.
    pub master_only: bool,
    /// An interface of its own, `on` no member's.
    pub link: Option<String>,
    pub kind: CheckKind,
    /// `list only`.
    pub only: Option<Node>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckKind {
    Ping,
    Link,
    Script,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            this: 0,
            routers: 2,
            members: vec![Member::named("lan")],
            preempt: true,
            delay: Duration::from_secs(30),
            priorities: None,
            own: None,
            tracks: Vec::new(),
            announce: false,
        }
    }
}

impl Member {
    pub fn named(name: &str) -> Member {
        Member {
            name: name.to_owned(),
            version: 3,
            v6: false,
            interval: 100,
            password: None,
            multicast: false,
            vips: 1,
            ttl_min: 255,
            checksum: ChecksumForm::PseudoHeader,
            old_checksum: false,
        }
    }
}

impl Check {
    pub fn named(name: &str) -> Check {
        Check {
            name: name.to_owned(),
            on: 0,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            fall: 2,
            rise: 2,
            weight: Some(-30),
            targets: 1,
            need: 1,
            master_only: false,
            link: None,
            kind: CheckKind::Ping,
            only: None,
        }
    }

    /// The longest time until a check that answers again is up again.
    pub fn rise_time(&self) -> Duration {
        self.interval * u32::from(self.rise) + self.timeout
    }

    fn set(&mut self, key: &str, value: &str, members: &[Member]) -> Result<(), String> {
        match key {
            "on" => self.on = position(members, value)?,
            "interval" => self.interval = duration(value)?,
            "timeout" => self.timeout = duration(value)?,
            "fall" => self.fall = number(value)?,
            "rise" => self.rise = number(value)?,
            "weight" if value == "fault" => self.weight = None,
            "weight" => self.weight = Some(number(value)?),
            "targets" => self.targets = number(value)?,
            "need" => self.need = number(value)?,
            "link" => self.link = Some(value.to_owned()),
            "scope" => self.master_only = choice(value, "any", "master")?,
            "kind" => {
                self.kind = match value {
                    "ping" => CheckKind::Ping,
                    "link" => CheckKind::Link,
                    "script" => CheckKind::Script,
                    other => return Err(format!("unknown kind '{other}'")),
                }
            }
            "only" => self.only = Some(node(value)?),
            other => return Err(format!("unknown track option '{other}'")),
        }
        Ok(())
    }
}

impl Setup {
    /// Takes in `key=value` pairs; `wan.interval=2s` sets an option of one member.
    pub fn set_all(&mut self, line: &str) -> Result<(), String> {
        for word in line.split_whitespace() {
            let (key, value) = word.split_once('=').ok_or(format!("'{word}' is not key=value"))?;
            self.set(key, value).map_err(|why| format!("{word}: {why}"))?;
        }
        Ok(())
    }

    /// Takes in `NAME key=value …`.
    pub fn add_track(&mut self, line: &str) -> Result<(), String> {
        let mut words = line.split_whitespace();
        let mut check = Check::named(words.next().ok_or("a track needs a name")?);
        for word in words {
            let (key, value) = word.split_once('=').ok_or(format!("'{word}' is not key=value"))?;
            check.set(key, value, &self.members).map_err(|why| format!("{word}: {why}"))?;
        }
        self.tracks.retain(|other| other.name != check.name);
        self.tracks.push(check);
        Ok(())
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "self" => self.this = node(value)?,
            "routers" => self.routers = number(value)?,
            "members" => self.members = value.split(',').map(Member::named).collect(),
            "preempt" => self.preempt = choice(value, "off", "on")?,
            "delay" => self.delay = duration(value)?,
            "priorities" => self.priorities = Some(value.split(',').map(number).collect::<Result<_, _>>()?),
            "priority" => self.own = Some(number(value)?),
            "announce" => self.announce = choice(value, "once", "full")?,
            _ => {
                let (only, key) = match key.split_once('.') {
                    Some((name, key)) => (Some(position(&self.members, name)?), key),
                    None => (None, key),
                };
                for (index, member) in self.members.iter_mut().enumerate() {
                    if only.is_none_or(|only| only == index) {
                        member.set(key, value)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The configuration as `node` reads it; with `list router` it is the same for all.
    pub fn config(&self, node: Node) -> Arc<Config> {
        let instances =
            self.members.iter().enumerate().map(|(index, member)| self.instance(index, member, node));
        Arc::new(Config {
            enabled: true,
            log_level: log::LevelFilter::Info,
            tools: Default::default(),
            scheduling: Scheduling::Ordinary,
            links: self.links().into_iter().map(LinkRef::Device).collect(),
            instances: instances.collect(),
            groups: vec![self.group()],
            tracks: self.tracks.iter().map(|check| self.track(check)).collect(),
            sync: None,
        })
    }

    fn instance(&self, index: usize, member: &Member, node: Node) -> Instance {
        let all = (0..self.routers).map(|place| self.address(index, place));
        let routers = match self.own {
            None => Routers::Listed(all.collect()),
            Some(_) => Routers::Peers {
                source: Some(self.address(index, node)),
                peers: all
                    .enumerate()
                    .filter(|(place, _)| *place != node)
                    .map(|(_, address)| address)
                    .collect(),
            },
        };
        Instance {
            name: member.name.clone(),
            link: LinkId(index as u16),
            family: if member.v6 { Family::V6 } else { Family::V4 },
            vrid: Vrid::new(VRID + index as u8).expect("small enough"),
            version: if member.version == 2 { Version::V2 } else { Version::V3 },
            interval: if member.version == 2 {
                Interval::v2((member.interval / 100) as u8).expect("whole seconds")
            } else {
                Interval::v3(member.interval).expect("12 bits")
            },
            auth: member.password.as_deref().map_or(Auth::None, |text| Auth::Password(password(text))),
            mode: if member.multicast { Mode::Multicast } else { Mode::Unicast },
            routers,
            vips: self
                .vips(index)
                .into_iter()
                .map(|address| Vip { address, prefix: None, label: None })
                .collect(),
            hop_limit_min: member.ttl_min,
            checksum: member.checksum,
            accept_old_checksum: member.old_checksum,
            announce: if self.announce {
                AnnounceSchedule::default()
            } else {
                AnnounceSchedule { bursts: vec![Duration::ZERO], refresh: None }
            },
            group: GroupId(0),
        }
    }

    fn group(&self) -> Group {
        let by_place = self
            .priorities
            .clone()
            .unwrap_or((0..self.routers).map(|place| 100 - 10 * place as u8).collect());
        let uses = self.tracks.iter().enumerate().map(|(index, check)| TrackUse {
            track: TrackId(index as u16),
            places: check.only.map_or(Places::ALL, |node| Places(1 << node)),
            scope: if check.master_only { TrackScope::MasterOnly } else { TrackScope::Any },
        });
        Group {
            name: "gateway".to_owned(),
            instances: (0..self.members.len()).map(|index| InstanceId(index as u16)).collect(),
            tracks: uses.collect(),
            base: self.own.map_or(Base::ByPlace(by_place), Base::Own),
            preempt: if self.preempt { Preempt::On } else { Preempt::Off },
            preempt_delay: self.delay,
            actions: Actions::default(),
        }
    }

    fn track(&self, check: &Check) -> Track {
        let targets = (0..check.targets).map(|target| self.host(check.on, 200 + u16::from(target))).collect();
        Track {
            name: check.name.clone(),
            kind: match check.kind {
                CheckKind::Ping => TrackKind::Ping { targets },
                CheckKind::Link => TrackKind::Link,
                CheckKind::Script => TrackKind::Script { command: "true".to_owned() },
            },
            link: (check.kind != CheckKind::Script).then_some(LinkId(self.link_of(check) as u16)),
            need: check.need,
            interval: check.interval,
            timeout: check.timeout,
            fall: check.fall,
            rise: check.rise,
            weight: check.weight.map_or(Weight::Fault, Weight::Adjust),
        }
    }

    /// The links: those of the members, then those that only tracks use.
    pub fn links(&self) -> Vec<String> {
        let mut names: Vec<String> = self.members.iter().map(|member| member.name.clone()).collect();
        for link in self.tracks.iter().filter_map(|check| check.link.as_ref()) {
            if !names.contains(link) {
                names.push(link.clone());
            }
        }
        names
    }

    /// Position of the link that a track uses.
    pub fn link_of(&self, check: &Check) -> usize {
        let own = check.link.as_ref().and_then(|link| self.links().iter().position(|name| name == link));
        own.unwrap_or(check.on)
    }

    /// A router's own address on a member's network.
    pub fn address(&self, member: usize, node: Node) -> IpAddr {
        self.host(member, 2 + node as u16)
    }

    /// The virtual addresses of a member.
    pub fn vips(&self, member: usize) -> Vec<IpAddr> {
        (0..u16::from(self.members[member].vips))
            .map(|index| self.host(member, if index == 0 { 1 } else { 100 + index }))
            .collect()
    }

    fn host(&self, member: usize, host: u16) -> IpAddr {
        let network = member as u16 + 1;
        if self.members[member].v6 {
            Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, network, host).into()
        } else {
            Ipv4Addr::new(10, network as u8, 0, host as u8).into()
        }
    }

    /// Where adverts to a node go.
    pub fn destination(&self, member: usize, to: Node) -> IpAddr {
        let Member { multicast, v6, .. } = self.members[member];
        if multicast { group(v6) } else { self.address(member, to) }
    }

    /// What a router of this member advertises.
    pub fn advert(&self, member: usize, priority: u8) -> Advert {
        let Member { version, interval, password: secret, .. } = &self.members[member];
        Advert {
            version: *version,
            kind: 1,
            vrid: VRID + member as u8,
            priority,
            interval: *interval,
            vips: self.vips(member),
            auth_type: u8::from(secret.is_some()),
            auth: secret.as_deref().map_or([0; 8], password),
        }
    }

    /// What the checksum of this member's adverts covers.
    pub fn cover(&self, member: usize, source: IpAddr, destination: IpAddr) -> Cover {
        let Member { version, v6, checksum, .. } = &self.members[member];
        let message_only = *version == 2 || (*checksum == ChecksumForm::Message && !*v6);
        if message_only { Cover::Message } else { Cover::Pseudo(source, destination) }
    }

    /// Which router has this address: a, b, c …, or x for a stranger.
    pub fn who(&self, address: IpAddr) -> char {
        let known =
            |node: &Node| (0..self.members.len()).any(|member| self.address(member, *node) == address);
        (0..self.routers).find(known).map_or('x', letter)
    }

    /// The priority of a healthy node.
    pub fn base(&self, node: Node) -> u8 {
        let listed = self.priorities.as_ref().and_then(|all| all.get(node).copied());
        self.own.or(listed).unwrap_or(100 - 10 * node as u8)
    }

    /// The slowest member's Master_Down_Interval for the lowest priority: no timer is longer.
    pub fn master_down_max(&self) -> Duration {
        let longest = self.members.iter().map(|member| match member.version {
            2 => Duration::from_millis(u64::from(member.interval) * 30 + 1000),
            _ => Duration::from_millis(u64::from(member.interval) * 40),
        });
        longest.max().unwrap_or_default()
    }
}

impl Member {
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "version" => self.version = number(value)?,
            "family" => self.v6 = choice(value, "4", "6")?,
            "interval" => self.interval = (duration(value)?.as_millis() / 10) as u16,
            "password" => self.password = Some(value.to_owned()),
            "mode" => self.multicast = choice(value, "unicast", "multicast")?,
            "vips" => self.vips = number(value)?,
            "ttl_min" => self.ttl_min = number(value)?,
            "checksum" if choice(value, "pseudo", "message")? => self.checksum = ChecksumForm::Message,
            "checksum" => self.checksum = ChecksumForm::PseudoHeader,
            "old_checksum" => self.old_checksum = choice(value, "refuse", "accept")?,
            other => return Err(format!("unknown option '{other}'")),
        }
        Ok(())
    }
}

impl fmt::Display for Setup {
    /// The lines that make this set-up, for people who rerun a seed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.members.iter().map(|member| member.name.as_str()).collect();
        write!(f, "config routers={} members={}", self.routers, names.join(","))?;
        write!(f, " preempt={} delay={:?}", if self.preempt { "on" } else { "off" }, self.delay)?;
        for member in &self.members {
            let (name, cs) = (&member.name, member.interval);
            write!(f, " {name}.version={} {name}.interval={}ms", member.version, u32::from(cs) * 10)?;
        }
        for check in &self.tracks {
            let weight = check.weight.map_or("fault".to_owned(), |weight| weight.to_string());
            write!(f, "\ntrack {} on={}", check.name, self.members[check.on].name)?;
            write!(f, " interval={:?} timeout={:?}", check.interval, check.timeout)?;
            write!(f, " fall={} rise={} weight={weight}", check.fall, check.rise)?;
            if let Some(link) = &check.link {
                write!(f, " link={link}")?;
            }
            if check.master_only {
                f.write_str(" scope=master")?;
            }
        }
        Ok(())
    }
}

/// The first member's virtual router identifier; the others count up from it.
pub const VRID: u8 = 51;

/// The multicast group of VRRP.
pub fn group(v6: bool) -> IpAddr {
    if v6 {
        Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12).into()
    } else {
        Ipv4Addr::new(224, 0, 0, 18).into()
    }
}

/// The name of a node.
pub fn letter(node: Node) -> char {
    char::from(b'a' + node as u8)
}

/// The node of that name.
pub fn node(name: &str) -> Result<Node, String> {
    match name.as_bytes() {
        [letter @ b'a'..=b'h'] => Ok(usize::from(letter - b'a')),
        _ => Err(format!("'{name}' is no router (a to h)")),
    }
}

/// A member by its name.
pub fn position(members: &[Member], name: &str) -> Result<usize, String> {
    members.iter().position(|member| member.name == name).ok_or(format!("no member '{name}'"))
}

/// `1s`, `0.5s` or `20ms`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("'{text}' is no duration");
    let (number, scale) = match text.strip_suffix("ms") {
        Some(number) => (number, 1_000.0),
        None => (text.strip_suffix('s').ok_or_else(bad)?, 1_000_000.0),
    };
    let number: f64 = number.parse().map_err(|_| bad())?;
    Ok(Duration::from_micros((number * scale).round() as u64))
}

/// A number of any kind.
pub fn number<T: core::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("'{text}' is no number that fits"))
}

fn choice(value: &str, no: &str, yes: &str) -> Result<bool, String> {
    if value == yes || value == no { Ok(value == yes) } else { Err(format!("must be {no} or {yes}")) }
}

/// A v2 password: cut or padded to 8 bytes.
pub fn password(text: &str) -> [u8; 8] {
    let mut field = [0; 8];
    for (to, from) in field.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    field
}

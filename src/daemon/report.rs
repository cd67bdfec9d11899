//! The status of this node, computed when somebody asks.

mod peers;
mod warnings;

use core::time::Duration;

use crate::collect::IntoVec as _;
use crate::config::model::{
    Config, Group, GroupId, Instance, InstanceId, Mode, Preempt, Track, TrackId, TrackKind,
};
use crate::engine::{Engine, GroupView, Instant, Maintenance, PeerState, PeerView, Role, TargetView};
use crate::netlink::IfName;
use crate::reconcile::Row;
use crate::sorted::Map;
use crate::status::{self, Status};
use crate::ubus::Decimal;
use crate::wire::types::{Family, Version};

use super::config_file::ConfigFile;
use super::conflicts::Conflicts;
use super::files::Files;
use super::leases::Leases;
use super::peering::Peering;
use super::run::Daemon;
use super::sockets::Sockets;

/// Everything that the status is made of.
pub struct Sources<'a> {
    /// Decides.
    pub engine: &'a Engine,
    /// What it was told.
    pub file: &'a ConfigFile,
    /// The devices of the links, by link.
    pub devices: &'a [Option<IfName>],
    /// What the roles ask of the kernel.
    pub rows: Vec<Row>,
    /// What the adverts leave by.
    pub sockets: &'a Sockets,
    /// Who else claims our addresses.
    pub conflicts: &'a Conflicts,
    /// The channel to the other routers.
    pub peering: &'a Peering,
    /// What is wrong with the message bus.
    pub bus: Option<String>,
    /// What DHCP clients are told and does not fit the virtual addresses.
    pub dhcp: Vec<String>,
    /// DHCP leases.
    pub leases: &'a Leases,
    /// Files that follow.
    pub files: &'a Files,
    /// When the daemon was started.
    pub started: Instant,
    /// The present.
    pub now: Instant,
}

impl Daemon {
    /// The status of this node.
    pub(super) fn status(&self, now: Instant) -> Status {
        let mut rows = self.system.rows(now);
        rows.append(&mut self.duties.rows(self.bus.network.interfaces(), now));
        Sources {
            engine: &self.engine,
            file: &self.file,
            devices: self.system.devices(),
            rows,
            sockets: &self.sockets,
            conflicts: &self.conflicts,
            peering: &self.peering,
            bus: self.bus.trouble(self.system.is_openwrt(), now),
            dhcp: self
                .duties
                .contradictions(&self.config, &|link| Some(self.system.resolve(link)?.to_string())),
            leases: &self.leases,
            files: &self.files,
            started: self.started,
            now,
        }
        .status()
    }
}

impl Sources<'_> {
    /// The status.
    pub fn status(self) -> Status {
        let config = self.engine.config();
        let views: Vec<GroupView> =
            (0..).map(GroupId).take(config.groups.len()).map(|id| self.engine.group(id, self.now)).into_vec();
        let youngest = views.iter().max_by_key(|view| view.since);
        let mut status = Status {
            version: env!("CARGO_PKG_VERSION").into(),
            node: host_name(),
            uptime: self.age(self.started),
            role: common_role(&views).into(),
            maintenance: self.engine.maintenance() == Maintenance::On,
            since: youngest.map(|view| self.age(view.since)),
            cause: youngest.map(|view| view.cause.to_string()),
            cause_code: youngest.map(|view| view.cause.code().into()),
            config: self.file.state(),
            groups: config.groups.iter().zip(&views).map(|(group, view)| self.group(group, view)).into_vec(),
            instances: zip_ids(&config.instances, InstanceId)
                .map(|(id, it)| self.instance(id, it))
                .into_vec(),
            tracks: zip_ids(&config.tracks, TrackId).map(|(id, it)| self.track(id, it)).into_vec(),
            actions: self.rows.iter().map(action).into_vec(),
            leases: self.leases.status(self.now),
            files: self.files.status(self.now),
            ..Status::default()
        };
        peers::show(&self, &mut status);
        warnings::judge(&self, &views, &mut status);
        status
    }

    fn age(&self, then: Instant) -> Decimal {
        Decimal::seconds(self.now.since(then))
    }

    fn group(&self, group: &Group, view: &GroupView) -> status::Group {
        let config = self.engine.config();
        let (mut instances, mut tracks) = (Vec::new(), Vec::new());
        for id in &group.instances {
            instances.extend(config.instances.get(id.index()).map(|it| it.name.clone()));
        }
        for used in &group.tracks {
            tracks.extend(config.tracks.get(used.track.index()).map(|it| it.name.clone()));
        }
        status::Group {
            name: group.name.clone(),
            role: view.role.name().into(),
            since: self.age(view.since),
            cause: view.cause.to_string(),
            cause_code: view.cause.code().into(),
            epoch: view.epoch.0,
            priority: view.priority,
            base_priority: view.base,
            preempt: group.preempt == Preempt::On,
            instances,
            tracks,
            blocked_by: view.blocked_by.clone(),
            master: view.master.map(|master| status::Master {
                address: master.address.to_string(),
                priority: master.priority,
                last_heard: self.age(master.last_heard),
            }),
        }
    }

    fn instance(&self, id: InstanceId, instance: &Instance) -> status::Instance {
        let config = self.engine.config();
        let view = self.engine.instance(id, self.now);
        let (role, _) = self.engine.role(instance.group);
        let state = if view.problem.is_some() { Role::Fault } else { role };
        let mut vips = Vec::new();
        for it in &instance.vips {
            vips.push(vip(it));
        }
        let mut peers = Vec::new();
        for peer in &view.peers {
            peers.push(self.peer(peer));
        }
        let mut rejected = Map::new();
        for (reason, count) in &view.rejected {
            rejected.insert((*reason).to_owned(), *count);
        }
        status::Instance {
            name: instance.name.clone(),
            group: config.groups.get(instance.group.index()).map(|it| it.name.clone()).unwrap_or_default(),
            interface: config.links.get(instance.link.index()).map(ToString::to_string).unwrap_or_default(),
            device: self.devices.get(instance.link.index()).copied().flatten().map(|name| name.to_string()),
            family: family(instance.family).into(),
            vrid: instance.vrid.get(),
            version: version(instance.version),
            mode: mode(instance.mode).into(),
            state: state.name().into(),
            problem: view.problem.map(|problem| problem.to_string()),
            vips,
            source: view.source.map(|source| source.to_string()),
            peers,
            advert_interval_ms: millis(instance.interval.duration()),
            master_down_ms: millis(view.master_down),
            counters: status::Counters { sent: view.sent, received: view.received, rejected },
        }
    }

    fn peer(&self, peer: &PeerView) -> status::PeerRouter {
        status::PeerRouter {
            address: peer.address.to_string(),
            last_heard: peer.last_heard.map(|then| self.age(then)),
            priority: peer.priority,
            state: peer.state.name().into(),
            mismatch: match peer.state {
                PeerState::Misconfigured(what) => Some(what.name().into()),
                PeerState::Alive | PeerState::Silent => None,
            },
        }
    }

    fn track(&self, id: TrackId, track: &Track) -> status::Track {
        let view = self.engine.track(id, self.now);
        let names = target_names(self.engine.config(), track);
        status::Track {
            name: track.name.clone(),
            kind: kind(&track.kind).into(),
            state: view.state.name().into(),
            targets: names.into_iter().zip(&view.targets).map(|(name, it)| target(name, it)).into_vec(),
            streak: view.streak,
            needed: view.needed,
            since: self.age(view.since),
            effect: view.effect,
        }
    }
}

/// Elements with the ids that are their positions.
fn zip_ids<T, Id>(elements: &[T], id: fn(u16) -> Id) -> impl Iterator<Item = (Id, &T)> {
    (0..).map(id).zip(elements)
}

fn common_role(views: &[GroupView]) -> &'static str {
    let mut roles = views.iter().map(|view| view.role);
    let Some(first) = roles.next() else { return Role::Init.name() };
    if roles.all(|role| role == first) { first.name() } else { "mixed" }
}

fn vip(vip: &crate::config::model::Vip) -> String {
    match vip.prefix {
        Some(length) => format!("{}/{length}", vip.address),
        None => vip.address.to_string(),
    }
}

fn target(name: String, view: &TargetView) -> status::Target {
    let rtt_ms = view.rtt.map(Decimal::milliseconds);
    status::Target { target: name, state: view.state.name().into(), rtt_ms }
}

fn target_names(config: &Config, track: &Track) -> Vec<String> {
    match &track.kind {
        TrackKind::Ping { targets } | TrackKind::Arp { targets } => {
            targets.iter().map(ToString::to_string).into_vec()
        }
        TrackKind::Tcp { targets } => targets.iter().map(ToString::to_string).into_vec(),
        TrackKind::Link => {
            let link = track.link.and_then(|link| config.links.get(link.index()));
            link.map(ToString::to_string).into_iter().into_vec()
        }
        TrackKind::Script { command } => vec![command.clone()],
    }
}

fn action(row: &Row) -> status::Action {
    status::Action {
        kind: row.kind.into(),
        name: row.name.clone(),
        wanted: row.wanted.into(),
        observed: row.observed.into(),
        error: row.error.clone(),
        retry_in: row.retry_in.map(Decimal::seconds),
    }
}

const fn kind(kind: &TrackKind) -> &'static str {
    match kind {
        TrackKind::Ping { .. } => "ping",
        TrackKind::Arp { .. } => "arp",
        TrackKind::Tcp { .. } => "tcp",
        TrackKind::Link => "link",
        TrackKind::Script { .. } => "script",
    }
}

const fn family(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    }
}

const fn version(version: Version) -> u8 {
    match version {
        Version::V2 => 2,
        Version::V3 => 3,
    }
}

const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Unicast => "unicast",
        Mode::Multicast => "multicast",
    }
}

fn millis(duration: Duration) -> u32 {
    let seconds = u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    seconds.saturating_mul(1000).saturating_add(duration.subsec_millis())
}

/// The name that people know this node by.
pub fn host_name() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests;

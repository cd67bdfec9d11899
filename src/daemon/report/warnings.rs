//! What is not as it should be, and how bad that is.

use core::time::Duration;

use crate::config::model::Group;
use crate::engine::{GroupView, InstanceView, Instant, Maintenance, PeerState, PeerView, Role, TrackState};
use crate::netlink::words;
use crate::status::{Health, Status, Warning};
use crate::syslog;

use super::Sources;

/// Adds the warnings and the health to an otherwise complete status.
pub fn judge(sources: &Sources<'_>, views: &[GroupView], status: &mut Status) {
    let mut findings = Findings::default();
    findings.about_config(sources, status);
    for (group, view) in sources.engine.config().groups.iter().zip(views) {
        findings.about_group(sources, group, view);
    }
    findings.about_conflicts(sources);
    findings.about_twins(status);
    findings.about_tracks(status);
    findings.about_actions(status);
    super::peers::judge(sources, views, status, &mut findings);
    if let Some(trouble) = &sources.bus {
        findings.degraded("ubus", trouble.as_str());
    }
    for contradiction in &sources.dhcp {
        findings.degraded("dhcp_options", contradiction.as_str());
    }
    for (code, message) in sources.leases.troubles(sources.now) {
        findings.degraded(code, message);
    }
    for (code, message) in sources.files.troubles(sources.now) {
        findings.degraded(code, message);
    }
    let untold = syslog::untold();
    if untold > 0 {
        findings.degraded("log_lost", format!("the log daemon does not take messages: {untold} lost so far"));
    }
    status.health = findings.health;
    status.warnings = findings.warnings;
}

/// What is not as it should be.
pub struct Findings {
    health: Health,
    warnings: Vec<Warning>,
}

impl Default for Findings {
    fn default() -> Findings {
        Findings { health: Health::Healthy, warnings: Vec::new() }
    }
}

impl Findings {
    /// Adds a warning.
    pub fn add(&mut self, health: Health, code: &str, message: impl Into<String>) {
        self.health = self.health.max(health);
        self.warnings.push(Warning { code: code.into(), message: message.into() });
    }

    /// Adds a warning of something that does not keep the routers from serving.
    pub fn degraded(&mut self, code: &str, message: impl Into<String>) {
        self.add(Health::Degraded, code, message);
    }

    fn about_config(&mut self, sources: &Sources<'_>, status: &Status) {
        let state = &status.config;
        if let Some(error) = state.errors.first() {
            let more = match state.errors.len() {
                1 => String::new(),
                count => format!(" (and {} more)", count.saturating_sub(1)),
            };
            // With nothing in force this router is no gateway at all.
            let health = if sources.file.is_in_force() { Health::Degraded } else { Health::Critical };
            self.add(health, "config_rejected", format!("{error}{more}"));
        }
        for warning in &state.warnings {
            self.degraded("config", warning.as_str());
        }
        if sources.file.is_disabled() {
            self.degraded("disabled", "switched off: option enabled '0'");
        }
        if sources.engine.maintenance() == Maintenance::On {
            self.degraded("maintenance", "in maintenance: serves only if nobody else does");
        }
    }

    fn about_group(&mut self, sources: &Sources<'_>, group: &Group, view: &GroupView) {
        let name = &group.name;
        let mut instances = Vec::new();
        for id in &group.instances {
            instances.push(sources.engine.instance(*id, sources.now));
        }
        self.about_mastership(sources.now, name, view, &instances);
        for instance in &instances {
            self.about_instance(sources, view, instance);
        }
        if let Some(base) = view.base.filter(|base| view.priority < *base) {
            let why = view.blocked_by.join("; ");
            let why = if why.is_empty() { why } else { format!(": {why}") };
            self.degraded("lowered", format!("group {name}: priority {} of {base}{why}", view.priority));
        }
    }

    fn about_mastership(&mut self, now: Instant, name: &str, view: &GroupView, instances: &[InstanceView]) {
        match view.role {
            Role::Master => {
                if view.priority <= FAULT_PRIORITY_MAX && view.base.is_none_or(|base| base > view.priority) {
                    let text = format!("group {name}: faulted, and master for want of a better router");
                    self.add(Health::Critical, "serving_faulted", text);
                }
                let is_rival = |peer: &&PeerView| {
                    let is_master = peer.priority.is_some_and(|priority| priority >= MASTER_PRIORITY_MIN);
                    let heard = peer.last_heard.map(|heard| heard.since(view.since));
                    peer.state == PeerState::Alive && is_master && heard.is_some_and(|it| it > SETTLING)
                };
                if let Some(peer) = instances.iter().find_map(|it| it.peers.iter().find(is_rival)) {
                    let text = format!("group {name}: {} is master too", peer.address);
                    self.add(Health::Critical, "two_masters", text);
                }
            }
            Role::Init | Role::Backup | Role::Fault => {
                let limit = instances.iter().map(|it| it.master_down).max().unwrap_or_default();
                let is_served = view.master.is_some_and(|it| now.since(it.last_heard) <= limit);
                if !is_served {
                    self.add(Health::Critical, "no_master", format!("group {name}: no master is heard"));
                }
            }
        }
    }

    fn about_instance(&mut self, sources: &Sources<'_>, group: &GroupView, view: &InstanceView) {
        let Some(instance) = sources.engine.config().instances.get(view.id.index()) else { return };
        let name = &instance.name;
        if let Some(problem) = view.problem {
            self.degraded("link", format!("instance {name}: {problem}"));
        }
        if let Some(error) = sources.sockets.failure(view.id) {
            self.degraded("send_failed", format!("instance {name}: adverts can't be sent: {}", words(error)));
        }
        let is_silent = |view: &InstanceView| !view.peers.iter().any(|it| it.state == PeerState::Alive);
        // The master is heard elsewhere, or this node would have taken over.
        if group.role == Role::Backup && group.master.is_some() && is_silent(view) && view.problem.is_none() {
            self.degraded("member_silent", format!("instance {name}: the master is not heard on this one"));
        }
        for peer in &view.peers {
            if let PeerState::Misconfigured(what) = peer.state {
                let text = format!("instance {name}: {} differs in: {}", peer.address, what.name());
                self.degraded("misconfigured", text);
            }
        }
    }

    fn about_conflicts(&mut self, sources: &Sources<'_>) {
        for (claim, at) in sources.conflicts.recent(sources.now) {
            // While another router takes itself for master too it announces the addresses. That has a warning of its own,
            // and is over when it is.
            let view = sources.engine.instance(claim.instance, sources.now);
            let was_rival = |heard: Instant| heard.after(view.master_down) >= at;
            if view.peers.iter().filter_map(|peer| peer.last_heard).any(was_rival) {
                continue;
            }
            let instance = sources.engine.config().instances.get(claim.instance.index());
            let name = instance.map_or("?", |instance| &instance.name);
            self.degraded("conflict", format!("instance {name}: {} claims a virtual address", claim.mac));
        }
    }

    /// `check` finds those on one link; here two links have turned out to be one device.
    fn about_twins(&mut self, status: &Status) {
        for (index, one) in status.instances.iter().enumerate() {
            let twin = status.instances.iter().take(index).find(|other| {
                one.device.is_some()
                    && (&one.device, one.vrid, &one.family) == (&other.device, other.vrid, &other.family)
            });
            if let (Some(twin), Some(device)) = (twin, &one.device) {
                let text = format!(
                    "instances {} and {}: both are VRID {} on {device}",
                    twin.name, one.name, one.vrid
                );
                self.degraded("vrid_twice", text);
            }
        }
    }

    fn about_tracks(&mut self, status: &Status) {
        for track in status.tracks.iter().filter(|track| track.state == TrackState::Down.name()) {
            self.degraded("track_down", format!("track {} is down (effect: {})", track.name, track.effect));
        }
    }

    fn about_actions(&mut self, status: &Status) {
        for action in &status.actions {
            if let Some(error) = &action.error {
                self.degraded("not_applied", format!("{} {}: {error}", action.kind, action.name));
            }
            if action.observed == "foreign" {
                let text = format!("{} {} was put there by somebody else", action.kind, action.name);
                self.degraded("foreign", text);
            }
        }
    }
}

/// Protocol rule 2: a faulted node says 2 or 3.
const FAULT_PRIORITY_MAX: u8 = 3;

/// 0 and 1 are said by routers that are not master (rules 10 and 12).
const MASTER_PRIORITY_MIN: u8 = 2;

/// Adverts of the old master may arrive for a moment after the new one has taken over.
const SETTLING: Duration = Duration::from_millis(50);

//! What the loop does for files in a turn.

use std::path::Path;
use std::sync::Arc;

use crate::config::model::{GroupId, Sync, SyncPath};
use crate::disk;
use crate::engine::{Event, Instant, Role};
use crate::peer::PeerId;
use crate::peer::frame::Need;
use crate::peer::message::{BULK_FILES, Bulk, Message};
use crate::sync::file::rules::Rules;
use crate::sync::file::wire::Hello;

use super::super::bounded;
use super::super::bus::{CallError, CallId};
use super::super::poller::{Interest, Source};
use super::super::run::Daemon;
use super::mail::{Item, Mail, Order, Services};
use super::worker::Worker;
use super::{Hold, PULL_PATIENCE, ROUTINE_EVERY};

/// Whether a message is about files.
pub fn is_file(kind: u8) -> bool {
    kind >= BULK_FILES
}

impl Daemon {
    /// The configuration may be another one.
    pub(in crate::daemon) fn configure_files(&mut self, now: Instant) {
        let wanted = self.config.sync.as_ref().filter(|sync| !sync.files.is_empty());
        let Some(sync) = wanted else { return self.stop_files() };
        let rules = self.file_rules(sync);
        let services =
            Services { names: sync.reload.clone(), command: self.config.tools.service_command.clone() };
        if self.files.mail.is_none() {
            self.start_files(now);
        }
        if (&rules, &services) != (&self.files.rules, &self.files.services) {
            self.files.rules.clone_from(&rules);
            self.files.services.clone_from(&services);
            self.files.order(Order::Configure(rules, services));
        }
        self.file_roles(now);
    }

    fn file_rules(&self, sync: &Sync) -> Rules {
        let text = |path: &Path| path.to_str().unwrap_or_default().to_owned();
        let own = self.file.path();
        let state = self.run_dir.state_dir();
        let trim = |path: &String| match path.trim_end_matches('/') {
            "" => "/".to_owned(),
            path => path.to_owned(),
        };
        Rules {
            roots: sync.files.iter().map(trim).collect(),
            never: [text(state), text(&self.run_dir.file("")), trim(&sync.key_file), "/etc/gwha".to_owned()]
                .iter()
                .map(trim)
                .collect(),
            keep: sync.keep.clone(),
            uci: text(disk::split(own).0),
            own: text(own),
        }
    }

    fn start_files(&mut self, now: Instant) {
        let own =
            Hello { release: release(), program: env!("CARGO_PKG_VERSION").to_owned(), ..Hello::default() };
        let started = Mail::new().and_then(|mail| {
            let mail = Arc::new(mail);
            Worker::start(Arc::clone(&mail), self.run_dir.state_dir().to_owned(), own)?;
            Ok(mail)
        });
        let mail = match started {
            Ok(mail) => mail,
            Err(error) => return log::error!("files do not follow: {}", disk::plain(&error)),
        };
        let _ = self.poller.add(&*mail, Source::Files, Interest::Read);
        self.files = super::Files { mail: Some(mail), ..super::Files::new(now) };
        self.release_own();
        let connected: Vec<PeerId> = self.peering.mesh.connected().collect();
        for peer in connected {
            self.files.order(Order::Up(peer));
        }
    }

    fn stop_files(&mut self) {
        self.files.order(Order::Stop);
        if let Some(mail) = self.files.mail.take() {
            let _ = self.poller.remove(&*mail);
        }
        self.files.orders.clear();
        self.files.rules = Rules::default();
        self.files.hold = Hold::Off;
    }

    /// Tells the thread which configuration is in force: only that one follows.
    pub(in crate::daemon) fn release_own(&mut self) {
        if let Some(content) = self.file.content() {
            self.files.order(Order::Release(content));
        }
    }

    /// A role may be another one.
    pub(in crate::daemon) fn file_roles(&mut self, now: Instant) {
        if self.files.mail.is_none() {
            return;
        }
        let role = leading_group(&self.config).map(|id| self.engine.role(id).0);
        let is_source = role == Some(Role::Master);
        if is_source != self.files.is_source {
            self.files.is_source = is_source;
            self.files.order(Order::Source(is_source));
        }
        let before = core::mem::replace(&mut self.files.role, role);
        // Already before there is a master to take the role from, for there may be one and be taken from at once.
        if role != before && !is_source && !self.files.known.view.is_pulled {
            self.files.hold = Hold::Wanted;
        }
        if is_source {
            // It took the role at the very end of its waiting, and not because nobody else had it.
            let is_late = matches!(self.files.hold, Hold::Until(at) if at <= now);
            if is_late && before == Some(Role::Backup) && !self.files.known.view.is_pulled {
                self.gave_up_waiting(now);
            }
            self.files.hold = Hold::Off;
        }
    }

    fn gave_up_waiting(&mut self, now: Instant) {
        log::warn!("files: a takeover does not wait any longer for what the master has");
        self.files.unpulled = Some(now);
    }

    /// The channel to a router stands.
    pub(in crate::daemon) fn files_up(&mut self, peer: PeerId) {
        self.files.order(Order::Up(peer));
    }

    /// It is gone.
    pub(in crate::daemon) fn files_down(&mut self, peer: PeerId, now: Instant) {
        self.files.order(Order::Down(peer));
        self.files.known.view.is_pulled = false;
        if matches!(self.files.role, Some(Role::Init | Role::Fault)) {
            self.files.hold = Hold::Wanted;
        }
        self.check_reload(now);
    }

    /// A router says something about files.
    pub(in crate::daemon) fn files_said(&mut self, peer: PeerId, bulk: Bulk) {
        let kind = bulk.kind.saturating_sub(BULK_FILES);
        self.files.order(Order::Said(peer, kind, bulk.body));
    }

    /// The thread has something to tell.
    pub(in crate::daemon) fn files_found(&mut self, now: Instant) {
        let Some((items, known, progress)) = self.files.mail.as_ref().and_then(|mail| mail.take()) else {
            return;
        };
        self.files.progress = progress;
        if let Some(known) = known {
            self.files.known = known;
        }
        for item in items {
            match item {
                Item::Send(peer, kind, body) => {
                    let kind = BULK_FILES.saturating_add(kind);
                    let message = Message::Bulk(Bulk { kind, need: Need::Optional, body });
                    // What does not go is said again.
                    let _ = self.peering.mesh.send(peer, &message, &mut self.poller, now);
                }
                Item::OwnChanged => {
                    log::info!("the master's configuration has come");
                    self.reload(now);
                }
                Item::Package(name) => self.files.notices.add(name, now),
            }
        }
        self.files.notices.tell(&mut self.bus, now);
        self.files_known(now);
    }

    /// A call of some of ours has ended: procd may have been told.
    pub(in crate::daemon) fn file_call_ended(&mut self, id: CallId, error: Option<CallError>, now: Instant) {
        let is_missed = self.bus.is_missed(self.system.is_openwrt());
        self.files.notices.ended(id, error, is_missed, now);
    }

    /// How things stand has changed, or may have.
    fn files_known(&mut self, now: Instant) {
        let view = &self.files.known.view;
        if view.is_pulled || view.is_followed && view.is_delivered {
            self.files.unpulled = None;
        }
        if self.files.is_holding() && (self.files.known.view.is_pulled || self.files.is_source) {
            self.end_hold(now);
        }
        self.check_reload(now);
        self.check_flushes(now);
        self.tell_of_files(now);
    }

    /// Before the timers that decide about roles: a node that has just become a standby waits for the master's files before it
    /// preempts.
    pub(in crate::daemon) fn hold_for_files(&mut self, now: Instant) {
        if self.files.hold == Hold::Wanted && self.files.is_on() {
            let until = now.after(PULL_PATIENCE);
            self.files.hold = Hold::Until(until);
            self.step(now, Event::HoldPreempt { until: Some(until) });
        }
    }

    fn end_hold(&mut self, now: Instant) {
        self.files.hold = Hold::Off;
        self.release_preempt(now);
    }

    /// Does what is due.
    pub(in crate::daemon) fn expire_files(&mut self, now: Instant) {
        if let Some(mail) = &self.files.mail {
            if !self.files.orders.is_empty() {
                mail.post(&mut self.files.orders);
            }
        }
        self.files.notices.tell(&mut self.bus, now);
        match self.files.hold {
            Hold::Until(_) if self.is_nobody_to_ask(now) => self.end_hold(now),
            Hold::Until(at) if at <= now && self.files.role == Some(Role::Backup) => {
                self.gave_up_waiting(now);
                self.end_hold(now);
            }
            Hold::Until(at) if at <= now => self.files.hold = Hold::Wanted,
            Hold::Until(_) | Hold::Wanted | Hold::Off => {}
        }
        if self.files.reloading.as_ref().is_some_and(|reloading| reloading.until <= now) {
            log::warn!("the other router has not taken the configuration in time");
            self.finish_reload(None, now);
        }
        if self.files.routine_due <= now && self.files.mail.is_some() {
            self.files.routine_due = now.after(ROUTINE_EVERY);
            self.file_routine(now);
        }
    }
}

/// The group whose master is the source: that of the channel's instance, else the first.
fn leading_group(config: &crate::config::model::Config) -> Option<GroupId> {
    let of_instance = match config.sync.as_ref()?.path {
        SyncPath::Instance(id) => config.instances.get(id.index()).map(|instance| instance.group),
        SyncPath::Dedicated { .. } => None,
    };
    of_instance.or((!config.groups.is_empty()).then_some(GroupId(0)))
}

/// The release of OpenWrt without its last number, or nothing.
fn release() -> String {
    let text = bounded::read(Path::new("/etc/openwrt_release")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let value = text.lines().find_map(|line| line.strip_prefix("DISTRIB_RELEASE="));
    let value = value.unwrap_or_default().trim_matches(['\'', '"']);
    let mut numbers = value.split(['.', '-']);
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => format!("{major}.{minor}"),
        (_, _) => value.to_owned(),
    }
}

//! What the loop does for leases in a turn: when roles change, when the thread has found something, when it is time.

use core::time::Duration;
use std::path::{Path, PathBuf};

use crate::config::model::{Config, GroupId};
use crate::disk;
use crate::engine::{Instant, Role};
use crate::limits;
use crate::uci;

use super::super::bounded;
use super::super::notify;
use super::super::run::Daemon;
use super::desk::Watch;
use super::watcher::Watcher;
use super::{Leases, Service, Starter, Told};

/// Where dnsmasq keeps its leases on OpenWrt, unless its configuration says otherwise.
const DEFAULT_PATH: &str = "/tmp/dhcp.leases";

/// How often the other routers are told what is here, and what is over is forgotten.
const ROUTINE_EVERY: Duration = Duration::from_secs(5);

impl Daemon {
    /// The configuration may be another one.
    pub(in crate::daemon) fn configure_leases(&mut self, now: Instant) {
        let wanted = self.config.sync.as_ref().filter(|sync| sync.leases);
        let path = wanted.map(|sync| match &sync.lease_file {
            Some(file) => PathBuf::from(file),
            None => configured_path(self.config_path()).unwrap_or_else(|| DEFAULT_PATH.into()),
        });
        self.leases.configure(path, &mut self.poller);
        self.lease_roles(now);
    }

    /// A role may be another one.
    pub(in crate::daemon) fn lease_roles(&mut self, now: Instant) {
        let is_master = |id| self.engine.role(id).0 == Role::Master;
        let is_serving = lending_groups(&self.config).any(is_master);
        self.leases.serve(is_serving, now);
    }

    /// Something was found in the file.
    pub(in crate::daemon) fn leases_found(&mut self, now: Instant) {
        let Some(watcher) = &self.leases.watcher else { return };
        let items = watcher.take(limits::LEASES_PER_TURN);
        if self.leases.apply(items, now) {
            self.feed_leases(now);
        }
    }

    /// Does what is due.
    pub(in crate::daemon) fn expire_leases(&mut self, now: Instant) {
        match self.leases.service {
            Service::Ending(at) if at <= now => {
                self.leases.service = Service::Off;
                self.leases.unserved.clear();
                self.leases.watch(Watch::Off);
            }
            Service::Starting => {
                let is_ours = self.config.groups.iter().any(|group| group.actions.dhcp_on_master);
                self.leases.start_serving(if is_ours { Starter::Gwha } else { Starter::User }, now);
            }
            Service::Off | Service::On | Service::Ending(_) => {}
        }
        if self.leases.routine_due <= now {
            self.leases.routine_due = now.after(ROUTINE_EVERY);
            self.lease_routine(now);
        }
        self.expire_flushes(now);
    }

    fn lease_routine(&mut self, now: Instant) {
        let Leases { table, unserved, watcher, trouble, .. } = &mut self.leases;
        table.purge(now);
        unserved.retain(|address| table.get(*address).is_some_and(|entry| entry.client.is_some()));
        let problem = watcher.as_ref().and_then(Watcher::problem);
        trouble.file = problem.map(|problem| match trouble.file.take() {
            Some((known, since)) if known == problem => (known, since),
            Some(_) | None => (problem, now),
        });
        self.leases.look_at_trouble(now);
        self.greet_leases(now);
        self.tell_of_leases(now);
    }

    /// Says once when something fails, and once when all is well again.
    fn tell_of_leases(&mut self, now: Instant) {
        let trouble = self.leases.troubles(now).into_iter().next().map(|(_, text)| text);
        let news = if trouble.is_some() { Told::Failed } else { Told::Well };
        if news != self.leases.told {
            self.leases.told = news;
            self.tell(
                now,
                notify::sync_changed(
                    trouble.as_deref().ok_or("leases: the other router is told of them again"),
                ),
            );
        }
    }
}

/// The groups whose master lends addresses: those that say so, or else all.
fn lending_groups(config: &Config) -> impl Iterator<Item = GroupId> + '_ {
    let is_said = config.groups.iter().any(|group| group.actions.dhcp_on_master);
    let groups = (0..).map(GroupId).zip(&config.groups);
    groups.filter(move |(_, group)| group.actions.dhcp_on_master || !is_said).map(|(id, _)| id)
}

/// The lease file of the first dnsmasq in `/etc/config/dhcp`, which stands beside our own configuration.
fn configured_path(config: &Path) -> Option<PathBuf> {
    let bytes = bounded::read(&disk::sibling(config, "dhcp")).ok()?;
    let tree = uci::parse(&bytes).unwrap_or_else(|broken| broken.tree);
    let dnsmasq = tree.sections.iter().find(|section| section.kind == "dnsmasq")?;
    let [item] = dnsmasq.get("leasefile")?.items() else { return None };
    let path = core::str::from_utf8(&item.bytes).ok().filter(|path| path.starts_with('/'))?;
    Some(path.into())
}

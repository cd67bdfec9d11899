//! Configurations coming into force, and links changing under them.

use std::sync::Arc;

use crate::collect::IntoVec as _;
use crate::config::model::{Config, Scheduling};
use crate::engine::{Boot, Engine, Event, Instant};
use crate::status::Checked;

use super::realtime;
use super::run::Daemon;

impl Daemon {
    /// The first configuration, at the start. Without a good file the daemon stays, does nothing, and says so.
    pub(super) fn first_config(&mut self, boot: &Boot, now: Instant) {
        let checked = self.file.read();
        log::set_max_level(self.file.log_level());
        realtime::change(Scheduling::Ordinary, self.file.scheduling());
        log::info!("version {} started with {}", env!("CARGO_PKG_VERSION"), checked.file);
        self.tell_about_file(&checked);
        self.system.resolver().read_beside(self.file.path());
        let config = self.file.config(&self.system.own_addresses());
        self.memory.set_groups(group_names(&config), &boot.groups);
        self.engine = Engine::new(config, boot, now);
        self.adopt(now);
        self.hold_preempt(now);
        self.tell_links(now);
    }

    /// Reads the file again. A bad one leaves everything as it is.
    pub(super) fn reload(&mut self, now: Instant) -> Checked {
        let before = self.file.scheduling();
        let checked = self.file.read();
        self.tell_about_file(&checked);
        if checked.valid {
            log::set_max_level(self.file.log_level());
            realtime::change(before, self.file.scheduling());
            log::info!("{}: read again", checked.file);
            self.system.resolver().read_beside(self.file.path());
            self.apply(now);
            // Interfaces may be other devices now, though our own file is the same.
            self.find_devices(now);
            // The key file may be another one under the same configuration.
            self.peers_configured(now);
            self.release_own();
        }
        checked
    }

    /// Interfaces may be other devices now.
    pub(super) fn find_devices(&mut self, now: Instant) {
        if self.system.find_devices(&self.config) {
            self.point_hands(now);
        }
        self.tell_links(now);
    }

    /// Brings the file's configuration into force, as it is for a node with our addresses.
    fn apply(&mut self, now: Instant) {
        let config = self.file.config(&self.system.own_addresses());
        if config != self.config {
            // The engine says when the hands have to change over: `adopt`.
            self.step(now, Event::Config(config));
        }
    }

    /// Sets the hands up for the engine's configuration. What is the same in both is not touched.
    pub(super) fn adopt(&mut self, now: Instant) {
        self.config = Arc::clone(self.engine.config());
        self.limiter.clear();
        self.conflicts.forget();
        self.memory.set_groups(group_names(&self.config), &[]);
        let engine = &self.engine;
        self.system.configure(&self.config, &|id| {
            let (role, epoch) = engine.role(id);
            (role.addresses(), epoch)
        });
        self.point_hands(now);
        self.peers_configured(now);
        self.duties.configure(&self.config, self.file.path(), &|id| self.engine.role(id).0, now);
        self.configure_leases(now);
        self.configure_files(now);
    }

    /// Points sockets and probes at the devices that the links are now.
    fn point_hands(&mut self, now: Instant) {
        self.update_sockets(now);
        self.probes.configure(&self.config, self.system.devices(), &mut self.poller);
    }

    pub(super) fn update_sockets(&mut self, now: Instant) {
        let system = &self.system;
        let device = |link| system.device(link);
        self.sockets.update(&self.config, &device, &mut self.poller, now);
        self.conflicts.update(&self.config, &device, &mut self.poller, now);
    }

    /// The kernel has news about links or addresses, or it is time to look.
    pub(super) fn links_changed(&mut self, now: Instant) {
        self.system.read(now);
        if self.file.depends_on_node() {
            self.apply(now);
        }
        self.tell_links(now);
    }

    /// Tells the engine of the links whose state is news, and puts right what strangers have done to our
    /// addresses.
    fn tell_links(&mut self, now: Instant) {
        let news = self.system.news();
        if !news.is_empty() {
            // First, for a member that comes up may have something to say at once.
            self.update_sockets(now);
        }
        for news in &news {
            self.step(now, Event::Link { link: news.link, state: &news.state });
        }
        self.settle(now);
        self.digest(now);
        if !news.is_empty() {
            self.plan_peers(now);
        }
        self.duties.look_at_interfaces(now);
    }

    fn tell_about_file(&self, checked: &Checked) {
        for warning in &checked.warnings {
            log::warn!("{warning}");
        }
        for error in &checked.errors {
            log::error!("{error}");
        }
        if !checked.valid {
            let instead =
                if self.file.is_in_force() { "what was in force still is" } else { "standing idle" };
            log::error!("{}: rejected; {instead}", checked.file);
        } else if self.file.is_disabled() {
            log::info!("{}: option enabled '0': standing idle", checked.file);
        }
    }
}

fn group_names(config: &Config) -> Vec<String> {
    config.groups.iter().map(|group| group.name.clone()).into_vec()
}

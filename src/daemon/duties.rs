//! What follows from a role besides addresses, carried out: see [`crate::duties`].
//!
//! Everything here happens after what the role itself is about. Commands run as children, netifd is asked over the bus,
//! and what netlink does at once is done at once; nothing is waited for in the loop.

mod conntrackd;
mod dnsmasq;
mod filter;
mod firewall;
mod hands;
mod hooks;
mod recipe;
mod route;
mod services;
mod sessions;
mod wan;

use core::time::Duration;
use std::path::Path;
use std::thread;

use nix::errno::Errno;

use crate::config::model::{Actions, Config, GroupId, LinkRef};
use crate::duties::{Duty, ELSEWHERE_MAX, Handover, Kind, Planner, Side, Ticket};
use crate::engine::{Instant, Role, RoleChange};
use crate::exec::children::{Children, Ended};
use crate::netlink::link::{self, Power};
use crate::netlink::{Groups, LinkKind, Socket, words};
use crate::reconcile::Row;
use crate::sorted::Map;
use crate::status::Happening;
use crate::ubus::Data;

use super::bus::netifd::Interface;
use super::bus::{Bus, CallError, CallId};
use super::clock;
use super::config_file;
use super::leases::Leases;
use super::poller::{Interest, Poller, Source};
use super::run::Daemon;
use super::run_dir::RunDir;
use super::system::System;

use conntrackd::Conntrackd;
use dnsmasq::DhcpConfig;
use firewall::Loaded;
use hands::{Scene, Toolbox};
use hooks::HookRuns;
use recipe::Recipe;
use wan::Wans;

/// The duties, and the tools for them.
#[derive(Debug)]
pub struct Duties {
    planner: Planner,
    tools: Tools,
    hooks: HookRuns,
    wans: Wans,
    /// How each group's role has come to this router, where it has.
    handovers: Vec<Handover>,
    /// What the other routers were told that this one holds.
    held: String,
    /// Something has happened since the last look.
    is_news: bool,
    next_deadline: Option<Instant>,
}

/// What attempts are carried out with.
#[derive(Debug)]
struct Tools {
    children: Children,
    /// For routes and links; `None` if it can't be had.
    netlink: Option<Socket>,
    /// Attempts that take several steps, or time.
    recipes: Map<Ticket, Recipe>,
    /// To the packet filter; `None` if there is none.
    filter: Option<Socket>,
    /// The tables that the packet filter was given.
    loaded: Vec<Loaded>,
    conntrackd: Conntrackd,
    dhcp: DhcpConfig,
}

impl Duties {
    /// None yet.
    ///
    /// # Errors
    /// Those of `epoll`.
    pub fn new(run_dir: &RunDir, now: Instant, poller: &mut Poller) -> Result<Duties, Errno> {
        Conntrackd::bury(&run_dir.file(""));
        let children = Children::new()?;
        poller.add(&children, Source::Duties, Interest::Read)?;
        Ok(Duties {
            planner: Planner::new(now.as_micros()),
            tools: Tools {
                children,
                netlink: Socket::open(Groups::NONE).ok(),
                recipes: Map::new(),
                filter: Socket::open_filter().ok(),
                loaded: Vec::new(),
                conntrackd: Conntrackd::default(),
                dhcp: DhcpConfig::default(),
            },
            hooks: HookRuns::default(),
            wans: Wans::default(),
            handovers: Vec::new(),
            held: String::new(),
            is_news: true,
            next_deadline: None,
        })
    }

    /// Kills the programs that still run.
    pub fn kill_programs(&mut self) {
        self.tools.children.kill_all();
    }

    /// Takes a configuration, read from the file at `path`, and the groups' roles.
    pub fn configure(&mut self, config: &Config, path: &Path, role: &dyn Fn(GroupId) -> Role, now: Instant) {
        self.tools.dhcp = DhcpConfig::beside(path);
        // Groups may have other numbers.
        self.handovers = vec![Handover::Taken; config.groups.len()];
        self.planner.configure(crate::duties::of(config), &|id, kind| wanted(role(id), kind), now);
        // Whatever was done for the old one may be outdated.
        self.planner.look_again(|_| true, now);
        self.is_news = true;
    }

    /// A group's role has changed.
    pub fn role_changed(&mut self, config: &Config, change: &RoleChange, system: &System, now: Instant) {
        let Some(group) = config.groups.get(change.group.index()) else { return };
        // Also what an earlier life may have left.
        if change.to != Role::Master && matches!(change.from, Role::Init | Role::Master) {
            self.let_go(&group.actions, system);
        }
        if let Some(handover) = self.handovers.get_mut(change.group.index()) {
            *handover = Handover::by(&change.cause);
        }
        self.planner.set_role(change.group, |kind| wanted(change.to, kind), now);
        self.hooks.role_changed(&group.name, change);
        self.is_news = true;
    }

    /// What must not last for a moment longer than the role: before anything is said, and before any program is started,
    /// which takes its time on a busy router. From here on nothing that ends on this one ends on the other one, and no frame
    /// leaves with a hardware address that the other one has.
    fn let_go(&mut self, actions: &Actions, system: &System) {
        let Tools { conntrackd, children, netlink, .. } = &mut self.tools;
        if actions.conntrack {
            conntrackd.stop(children);
        }
        for name in &actions.up_on_master {
            let device = system.resolve(&LinkRef::Interface(name.clone()));
            let link = device.and_then(|device| system.link_named(device));
            // A PPPoE connection is not cut: the carrier has to hear its end.
            let Some(link) = link.filter(|link| link.kind == LinkKind::Macvlan) else { continue };
            if let Some(netlink) = netlink {
                let _ = netlink.request(&link::set_power(link.index, Power::Down));
            }
        }
    }

    /// Something has happened that hooks may be told of.
    pub fn happened(&mut self, happening: &Happening) {
        self.is_news |= self.hooks.happened(happening);
    }

    /// Something outside may have changed: links, addresses, netifd's interfaces.
    pub fn look_at_interfaces(&mut self, now: Instant) {
        let depends = |duty: &Duty| match duty.kind {
            Kind::Interface | Kind::Guard | Kind::Adverts | Kind::Firewall => true,
            Kind::Dhcp | Kind::Conntrack | Kind::Route | Kind::Service | Kind::Reload => false,
        };
        self.planner.look_again(depends, now);
        self.is_news = true;
    }

    /// What another router holds may be something else.
    pub fn look_elsewhere(&mut self) {
        self.is_news = true;
    }

    /// When there is something to do without any news.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.is_news { Some(AT_ONCE) } else { self.next_deadline }
    }

    /// The lines of the status.
    pub fn rows(&self, interfaces: &[Interface], now: Instant) -> Vec<Row> {
        let mut rows = self.planner.rows(now);
        rows.iter_mut().for_each(|row| services::explain(row, interfaces));
        rows.extend_from_slice(self.hooks.rows());
        rows
    }

    /// What the user has told DHCP clients and does not fit the virtual addresses, in words.
    pub fn contradictions(
        &self,
        config: &Config,
        device_of: &dyn Fn(&LinkRef) -> Option<String>,
    ) -> Vec<String> {
        let mut all = Vec::new();
        for group in config.groups.iter().filter(|group| group.actions.dhcp_on_master) {
            let served = dnsmasq::served(config, group, device_of);
            all.append(&mut dnsmasq::contradictions(&served, &self.tools.dhcp));
        }
        all
    }

    /// What is not as it should be, in words.
    fn unsettled(&self, now: Instant) -> Vec<String> {
        let mut unsettled = Vec::new();
        for Row { kind, name, wanted, observed, error, .. } in &self.planner.rows(now) {
            if wanted != observed {
                let why = error.as_deref().unwrap_or("no reason known");
                unsettled.push(format!("{kind} {name}: {observed}, not {wanted} ({why})"));
            }
        }
        unsettled
    }

    fn run(&mut self, scene: Scene<'_>, now: Instant) {
        self.is_news = false;
        let Duties { planner, tools, hooks, wans, .. } = self;
        if scene.leases.restart_wanted() {
            planner.redo(|duty| duty.kind == Kind::Dhcp, now);
        }
        wans.look(planner, &scene, now);
        hooks.run(&scene, &mut tools.children, now);
        let mut toolbox = Toolbox { tools, scene, ops: Vec::new() };
        planner.run(now, &mut toolbox);
        self.next_deadline =
            Instant::earliest(&[planner.next_deadline(now), hooks.next_deadline(), wans.next_deadline()]);
    }

    /// A child has ended.
    fn ended(&mut self, ended: &Ended, scene: Scene<'_>, now: Instant) {
        self.is_news = true;
        if self.tools.conntrackd.is(ended.number) {
            let error = self.tools.conntrackd.ended(ended);
            self.planner.broke(|duty| duty.kind == Kind::Conntrack, &error, now);
        } else if self.hooks.is(ended.number) {
            self.hooks.ended(ended, now);
        } else {
            let mut toolbox = Toolbox { tools: &mut self.tools, scene, ops: Vec::new() };
            let ticket = Ticket(ended.number);
            if let Some(answer) = toolbox.child_ended(ticket, ended, now) {
                self.planner.answer(ticket, answer, now);
            }
        }
    }

    fn call_ended(&mut self, id: CallId, result: &Result<Data, CallError>, scene: Scene<'_>, now: Instant) {
        let mut toolbox = Toolbox { tools: &mut self.tools, scene, ops: Vec::new() };
        if let Some((ticket, answer)) = toolbox.call_ended(id, result, now) {
            self.planner.answer(ticket, answer, now);
            self.is_news = true;
        }
    }
}

/// How a thing should be in a role; `None`: as it is.
///
/// A router that starts does not know its role yet. It must not give DHCP leases then, for another router may do so. (One
/// that served a moment ago knows it in the first turn of its loop, before anything is done here.)
fn wanted(role: Role, kind: Kind) -> Option<Side> {
    match role {
        Role::Master => Some(Side::Master),
        Role::Backup | Role::Fault => Some(Side::Standby),
        Role::Init if kind == Kind::Guard => Some(Side::Standby),
        Role::Init => None,
    }
}

/// Gives everything back that follows from a role, as the configuration at `path` names it.
pub fn give_back(path: &Path, run_dir: &RunDir, system: &System, poller: &mut Poller) -> Result<(), String> {
    let (_, Some(loaded)) = config_file::check(path) else { return Ok(()) };
    // It may be switched off already.
    let config = Config { enabled: true, ..loaded.config };
    let now = clock::now();
    let mut duties = Duties::new(run_dir, now, poller).map_err(words)?;
    let mut bus = Bus::new(&[], now);
    let mut leases = Leases::open(run_dir.file("leases"), None, now);
    duties.configure(&config, path, &|_| Role::Backup, now);
    duties.planner.want_all(Side::Gone, now);
    let end = now.after(LEAVE_MAX);
    loop {
        let now = clock::now();
        let scene = Scene { config: &config, run_dir, system, bus: &mut bus, leases: &mut leases };
        duties.run(scene, now);
        if duties.planner.is_settled() {
            return Ok(());
        }
        if now >= end {
            return Err(duties.unsettled(now).join("; "));
        }
        thread::sleep(LEAVE_LOOK);
        for ended in duties.tools.children.ready() {
            let scene = Scene { config: &config, run_dir, system, bus: &mut bus, leases: &mut leases };
            duties.ended(&ended, scene, clock::now());
        }
    }
}

impl Daemon {
    /// Does what is due. At the end of a turn, when everything that somebody waits for is said.
    pub(super) fn run_duties(&mut self, now: Instant) {
        let is_due = self.duties.next_deadline().is_some_and(|deadline| deadline <= now);
        if !is_due && !self.leases.restart_wanted() {
            return;
        }
        self.hear_of_sessions();
        let Daemon { duties, config, run_dir, system, bus, leases, .. } = self;
        duties.run(Scene { config, run_dir, system, bus, leases }, now);
        self.tell_of_sessions(now);
        for announcement in self.duties.wans.take_due(now) {
            self.system.announce_addresses(announcement.device, &announcement.addresses);
        }
        for line in self.duties.hooks.take_lines() {
            self.lines.push((now, line));
        }
    }

    /// Children have ended.
    pub(super) fn serve_duties(&mut self, now: Instant) {
        for ended in self.duties.tools.children.ready() {
            let Daemon { duties, config, run_dir, system, bus, leases, .. } = self;
            duties.ended(&ended, Scene { config, run_dir, system, bus, leases }, now);
        }
    }

    /// A call on the bus has ended; it may be one of a duty.
    pub(super) fn duty_call_ended(&mut self, id: CallId, result: &Result<Data, CallError>, now: Instant) {
        let Daemon { duties, config, run_dir, system, bus, leases, .. } = self;
        duties.call_ended(id, result, Scene { config, run_dir, system, bus, leases }, now);
    }

    /// Leaves this router as a standby: after the last advert, when another router may be serving already.
    ///
    /// Nothing else is served meanwhile, so this may wait.
    pub(super) fn lay_down_duties(&mut self) {
        let begun = clock::now();
        self.duties.planner.want_all(Side::Standby, begun);
        loop {
            let now = clock::now();
            self.duties.is_news = true;
            self.system.read(now);
            self.serve_duties(now);
            self.serve_bus(now);
            self.run_duties(now);
            self.bus.flush(&mut self.poller);
            self.write_lines();
            let is_waited_for = self.is_holding() && now < begun.after(ELSEWHERE_MAX);
            if !is_waited_for {
                self.peering.mesh.leave(now);
            }
            if self.duties.planner.is_settled() && !is_waited_for {
                return;
            }
            if now >= begun.after(LEAVE_MAX) {
                for what in self.duties.unsettled(now) {
                    log::error!("{what}");
                }
                return;
            }
            thread::sleep(LEAVE_LOOK);
        }
    }
}

/// How long the end of the daemon may take: procd kills it 15 s after it was told to stop.
const LEAVE_MAX: Duration = Duration::from_secs(8);

/// How often what is under way is looked at then.
const LEAVE_LOOK: Duration = Duration::from_millis(5);

/// Long ago.
const AT_ONCE: Instant = Instant::from_micros(0);

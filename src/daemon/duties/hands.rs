//! Who carries out an attempt, by its kind.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::collect::take_first;
use crate::config::model::{Config, Group, LinkRef, Routers};
use crate::daemon::bus::{Bus, CallError, CallId};
use crate::daemon::leases::Leases;
use crate::daemon::run_dir::RunDir;
use crate::daemon::system::System;
use crate::disk;
use crate::duties::{Act, Answer, Duty, Hands, Job, Kind, Seen, Side, Started, Ticket};
use crate::engine::Instant;
use crate::exec::children::Ended;
use crate::ubus::Data;

use super::conntrackd::Between;
use super::dnsmasq::{self, Served};
use super::firewall;
use super::recipe::{self, Op, Recipe, Running, Then};
use super::{Tools, route};

/// What attempts look at.
pub struct Scene<'a> {
    /// What is in force.
    pub config: &'a Config,
    /// Where files of this life are.
    pub run_dir: &'a RunDir,
    /// The kernel's links.
    pub system: &'a System,
    /// The way to netifd.
    pub bus: &'a mut Bus,
    /// What is known of DHCP leases.
    pub leases: &'a mut Leases,
}

impl Scene<'_> {
    /// The kernel device that a link is, by name.
    pub fn device_of(&self, link: &LinkRef) -> Option<String> {
        self.system.resolve(link).map(|name| name.to_string())
    }

    /// The group that a duty follows.
    pub fn group(&self, duty: &Duty) -> Option<&Group> {
        self.config.groups.iter().find(|group| group.name == duty.group)
    }

    pub(super) fn served(&self, duty: &Duty) -> Vec<Served> {
        let group = self.group(duty);
        group
            .map(|group| dnsmasq::served(self.config, group, &|link| self.device_of(link)))
            .unwrap_or_default()
    }
}

/// The tools with what they are used on.
pub struct Toolbox<'a, 'b> {
    pub(super) tools: &'a mut Tools,
    pub(super) scene: Scene<'b>,
    /// The steps of the attempt that begins.
    pub(super) ops: Vec<Op>,
}

/// What an attempt comes to when its steps have succeeded, or why it can't begin.
pub(super) type Begun = Result<Then, Box<str>>;

impl Hands for Toolbox<'_, '_> {
    fn start(&mut self, job: Job<'_>, now: Instant) -> Started {
        self.ops.clear();
        let begun = match job.act {
            Act::Look => self.look(job.duty, job.wanted, now),
            Act::Bring(side) => self.bring(job.duty, side),
        };
        match begun {
            Err(error) => Started::Done(Err(error)),
            Ok(then) => {
                let ops = core::mem::take(&mut self.ops);
                self.tools.recipes.insert(job.ticket, Recipe { ops, then, running: None });
                self.advance(job.ticket, now).map_or(Started::Running, Started::Done)
            }
        }
    }

    fn abandon(&mut self, ticket: Ticket) {
        self.tools.recipes.remove(&ticket);
        self.tools.children.kill(ticket.0);
    }
}

impl Toolbox<'_, '_> {
    /// Takes the steps of an attempt up to one that takes time; its outcome, if that was the last.
    fn advance(&mut self, ticket: Ticket, now: Instant) -> Option<Answer> {
        let mut recipe = self.tools.recipes.remove(&ticket)?;
        while let Some(op) = take_first(&mut recipe.ops) {
            let result = match &op {
                Op::Write(path, text) => recipe::write(path, text),
                Op::Remove(path) => recipe::remove(path),
                Op::Loaded(loaded) => {
                    self.tools.loaded.retain(|it| it.table != loaded.table);
                    self.tools.loaded.push(loaded.clone());
                    Ok(())
                }
                Op::PrepareLeases => {
                    // The server starts all the same: authoritative, it gives its clients what they had. What went wrong
                    // is shown with the leases.
                    if let Err(error) = self.scene.leases.prepare_takeover(now) {
                        log::debug!("DHCP starts without the other router's leases: {error}");
                    }
                    Ok(())
                }
                Op::Run(program) | Op::Try(program) => {
                    let is_run = matches!(op, Op::Run(_));
                    recipe.running = Some(if is_run { Running::Program } else { Running::Attempt });
                    let started = self.tools.children.start(ticket.0, program);
                    let name = program.arguments.first().cloned().unwrap_or_default();
                    match started {
                        Err(error) => {
                            Err(format!("{name}: {}", crate::daemon::bounded::plain(&error)).into())
                        }
                        Ok(_) => {
                            self.tools.recipes.insert(ticket, recipe);
                            return None;
                        }
                    }
                }
                Op::Call(request) => {
                    let deadline = now.after(crate::daemon::bus::PATIENCE);
                    recipe.running = Some(Running::Call(self.scene.bus.invoke(request, deadline)));
                    self.tools.recipes.insert(ticket, recipe);
                    return None;
                }
            };
            if let Err(error) = result {
                return Some(Err(error));
            }
        }
        Some(recipe.outcome())
    }

    /// A program of an attempt has ended.
    pub fn child_ended(&mut self, ticket: Ticket, ended: &Ended, now: Instant) -> Option<Answer> {
        match self.tools.recipes.get_mut(&ticket)?.program_ended(ended) {
            Ok(()) => self.advance(ticket, now),
            Err(error) => {
                self.tools.recipes.remove(&ticket);
                Some(Err(error))
            }
        }
    }

    /// A call of some attempt has ended.
    pub fn call_ended(
        &mut self,
        id: CallId,
        result: &Result<Data, CallError>,
        now: Instant,
    ) -> Option<(Ticket, Answer)> {
        let is_it = |recipe: &Recipe| recipe.running == Some(Running::Call(id));
        let ticket = *self.tools.recipes.iter().find(|(_, recipe)| is_it(recipe))?.0;
        if let Err(error) = result {
            self.tools.recipes.remove(&ticket);
            return Some((ticket, Err(error.to_string().into())));
        }
        Some((ticket, self.advance(ticket, now)?))
    }

    fn look(&mut self, duty: &Duty, wanted: Side, now: Instant) -> Begun {
        Ok(Then::Is(match duty.kind {
            Kind::Guard | Kind::Adverts | Kind::Firewall => self.look_at_filter(duty)?,
            Kind::Dhcp => return self.look_at_dhcp(duty),
            Kind::Conntrack => self.look_at_conntrack(now),
            Kind::Route => route::look(&mut self.tools.netlink, &duty.name)?,
            Kind::Interface => self.interface(&duty.name, wanted)?,
            Kind::Service => {
                self.then_try(&duty.name, "running")?;
                return Ok(Then::ByStatus { zero: Seen::As(Side::Master), other: Seen::As(Side::Standby) });
            }
            Kind::Reload => Seen::Unknown,
        }))
    }

    fn bring(&mut self, duty: &Duty, side: Side) -> Begun {
        match duty.kind {
            Kind::Guard | Kind::Adverts | Kind::Firewall => self.bring_filter(duty, side),
            Kind::Dhcp => self.bring_dhcp(duty, side),
            Kind::Conntrack => self.bring_conntrack(duty, side),
            Kind::Route => {
                let device = |gateway| self.scene.system.device_towards(gateway);
                route::bring(&mut self.tools.netlink, &duty.name, side, &device)?;
                Ok(Then::to(side))
            }
            Kind::Interface => self.bring_interface(&duty.name, side),
            Kind::Service => self.bring_service(&duty.name, side),
            Kind::Reload => {
                if side == Side::Master {
                    self.then_run(&duty.name, "reload")?;
                }
                Ok(Then::to(side))
            }
        }
    }

    // --- DHCP ---

    fn drop_ins(&self, duty: &Duty) -> Result<Vec<PathBuf>, Box<str>> {
        let name = format!("{}.conf", firewall::table("dhcp", &duty.group));
        let mut files = Vec::new();
        match &self.scene.config.tools.dnsmasq_dir {
            Some(given) => files.push(Path::new(given).join(&name)),
            None => {
                for directory in &self.tools.dhcp.directories {
                    files.push(directory.join(&name));
                }
            }
        }
        if files.is_empty() {
            return Err("no 'config dnsmasq' in /etc/config/dhcp, and no option dnsmasq_dir".into());
        }
        Ok(files)
    }

    /// A server that has ended answers nobody, whatever it was started with.
    fn look_at_dhcp(&mut self, duty: &Duty) -> Begun {
        let seen = self.dhcp_side(duty);
        if !matches!(seen, Seen::As(_)) {
            return Ok(Then::Is(seen));
        }
        self.then_try("dnsmasq", "running")?;
        Ok(Then::ByStatus { zero: seen, other: Seen::Neither })
    }

    /// What dnsmasq was started with last, if what it would be started with now is the same.
    fn dhcp_side(&self, duty: &Duty) -> Seen {
        let Ok(started) = disk::text(&self.dhcp_stamp(duty)) else { return Seen::Neither };
        let Ok(files) = self.drop_ins(duty) else { return Seen::Unknown };
        let is = |side| started == dnsmasq::drop_in(&self.scene.served(duty), &self.tools.dhcp, side);
        let is_there = files.iter().all(|file| disk::text(file).is_ok_and(|text| text == started));
        match (is_there, is(Side::Master), is(Side::Standby)) {
            (true, true, _) => Seen::As(Side::Master),
            (true, false, true) => Seen::As(Side::Standby),
            (true, false, false) | (false, _, _) => Seen::Neither,
        }
    }

    /// Remembers what dnsmasq was started with last.
    fn dhcp_stamp(&self, duty: &Duty) -> PathBuf {
        self.scene.run_dir.file(&(firewall::table("dhcp", &duty.group) + ".started"))
    }

    fn bring_dhcp(&mut self, duty: &Duty, side: Side) -> Begun {
        let stamp = self.dhcp_stamp(duty);
        let text = dnsmasq::drop_in(&self.scene.served(duty), &self.tools.dhcp, side);
        let files = self.drop_ins(duty)?;
        self.ops.push(Op::Remove(stamp.clone()));
        self.then_try("dnsmasq", "stop")?;
        for file in files {
            self.ops.push(match side {
                Side::Master | Side::Standby => Op::Write(file, text.clone()),
                Side::Gone => Op::Remove(file),
            });
        }
        if side == Side::Master {
            self.ops.push(Op::PrepareLeases);
        }
        self.then_run("dnsmasq", "start")?;
        if side != Side::Gone {
            self.ops.push(Op::Write(stamp, text));
        }
        Ok(Then::to(side))
    }

    // --- connections ---

    fn look_at_conntrack(&mut self, now: Instant) -> Seen {
        let Some(side) = self.tools.conntrackd.side() else { return Seen::Neither };
        if let Ok(program) = program("conntrackd") {
            let ask = self.tools.conntrackd.ask(&program, &self.scene.run_dir.file(""), now);
            self.ops.extend(ask.map(Op::Try));
        }
        Seen::As(side)
    }

    fn bring_conntrack(&mut self, duty: &Duty, side: Side) -> Begun {
        // First of all: from here on nothing that ends on this router ends on the other one.
        self.tools.conntrackd.stop(&mut self.tools.children);
        if side == Side::Gone {
            return Ok(Then::to(side));
        }
        let conntrackd = program("conntrackd")?;
        let between = self.between(duty).ok_or("no address of this or the other router is known yet")?;
        let mut ignored = self.scene.system.own_addresses();
        for instance in &self.scene.config.instances {
            for vip in &instance.vips {
                ignored.push(vip.address);
            }
        }
        ignored.retain(|address| !is_link_local(*address));
        ignored.sort_unstable();
        ignored.dedup();
        let dir = self.scene.run_dir.file("");
        let text = super::conntrackd::configuration(&between, side, &dir, &ignored);
        self.tools.conntrackd.start(&conntrackd, &dir, &text, side, &mut self.tools.children)?;
        Ok(Then::to(side))
    }

    /// Where this router and the next one of the group meet.
    fn between(&self, duty: &Duty) -> Option<Between> {
        let group = self.scene.group(duty)?;
        let own = self.scene.system.own_addresses();
        for id in &group.instances {
            let Some(instance) = self.scene.config.instances.get(id.index()) else { continue };
            let Some(Some(device)) = self.scene.system.devices().get(instance.link.index()) else { continue };
            let (here, peer) = match &instance.routers {
                Routers::Listed(all) => {
                    let here = all.iter().find(|address| own.contains(address));
                    (here, all.iter().find(|address| Some(*address) != here))
                }
                Routers::Peers { source, peers } => (source.as_ref(), peers.first()),
            };
            if let (Some(here), Some(peer)) = (here.filter(|it| !is_link_local(**it)), peer) {
                return Some(Between { device: device.to_string(), own: *here, peer: *peer });
            }
        }
        None
    }
}

/// Where a program is.
pub(super) fn program(name: &str) -> Result<String, Box<str>> {
    let places = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
    for place in places {
        let path = [place, name].join("/");
        if Path::new(&path).exists() {
            return Ok(path);
        }
    }
    Err(format!("{name} is not installed").into())
}

pub(super) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

//! Who carries out an attempt, by its kind.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::collect::IntoVec as _;
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
use super::recipe::{self, Op, Recipe, Running};
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
}

/// How an attempt begins.
pub(super) enum Way {
    /// It is over.
    Done(Seen),
    /// It takes steps.
    Steps(Recipe),
}

impl Hands for Toolbox<'_, '_> {
    fn start(&mut self, job: Job<'_>, now: Instant) -> Started {
        let way = match job.act {
            Act::Look => self.look(job.duty, job.wanted, now),
            Act::Bring(side) => self.bring(job.duty, side),
        };
        match way {
            Err(error) => Started::Done(Err(error)),
            Ok(Way::Done(seen)) => Started::Done(Ok(seen)),
            Ok(Way::Steps(recipe)) => {
                self.tools.recipes.insert(job.ticket, recipe);
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
                Op::Loaded(rules, side) => {
                    self.tools.loaded.insert(rules.table.clone(), (rules.clone(), *side));
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
                        Err(error) => Err(format!("{name}: {}", crate::daemon::bounded::plain(&error))),
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
            return Some((ticket, Err(error.to_string())));
        }
        Some((ticket, self.advance(ticket, now)?))
    }

    fn look(&mut self, duty: &Duty, wanted: Side, now: Instant) -> Result<Way, String> {
        let done = |seen| Ok(Way::Done(seen));
        match duty.kind {
            Kind::Guard | Kind::Adverts | Kind::Firewall => self.look_at_filter(duty).map(Way::Done),
            Kind::Dhcp => self.look_at_dhcp(duty),
            Kind::Conntrack => Ok(self.look_at_conntrack(now)),
            Kind::Route => route::look(&mut self.tools.netlink, &duty.name).map(Way::Done),
            Kind::Interface => self.interface(&duty.name, wanted).map(Way::Done),
            Kind::Service => {
                let program = self.service(&duty.name, "running")?;
                Ok(Way::Steps(Recipe::ask(program, Seen::As(Side::Master), Seen::As(Side::Standby))))
            }
            Kind::Reload => done(Seen::Unknown),
        }
    }

    fn bring(&mut self, duty: &Duty, side: Side) -> Result<Way, String> {
        match duty.kind {
            Kind::Guard | Kind::Adverts | Kind::Firewall => self.bring_filter(duty, side),
            Kind::Dhcp => self.bring_dhcp(duty, side),
            Kind::Conntrack => self.bring_conntrack(duty, side),
            Kind::Route => route::bring(&mut self.tools.netlink, &duty.name, side, |gateway| {
                self.scene.system.device_towards(gateway)
            })
            .map(Way::Done),
            Kind::Interface => self.bring_interface(&duty.name, side),
            Kind::Service => self.bring_service(&duty.name, side),
            Kind::Reload => match side {
                Side::Master => {
                    let program = self.service(&duty.name, "reload")?;
                    Ok(Way::Steps(Recipe::to(side, vec![Op::Run(program)])))
                }
                Side::Standby | Side::Gone => Ok(Way::Done(Seen::As(side))),
            },
        }
    }

    // --- DHCP ---

    fn drop_ins(&self, duty: &Duty) -> Result<Vec<PathBuf>, String> {
        let name = format!("{}.conf", firewall::table("dhcp", &duty.group));
        let directories = match &self.scene.config.tools.dnsmasq_dir {
            Some(given) => vec![PathBuf::from(given)],
            None => self.tools.dhcp.directories.clone(),
        };
        if directories.is_empty() {
            return Err("no 'config dnsmasq' in /etc/config/dhcp, and no option dnsmasq_dir".to_owned());
        }
        Ok(directories.into_iter().map(|directory| directory.join(&name)).into_vec())
    }

    /// A server that has ended answers nobody, whatever it was started with.
    fn look_at_dhcp(&self, duty: &Duty) -> Result<Way, String> {
        let seen = self.dhcp_side(duty);
        if !matches!(seen, Seen::As(_)) {
            return Ok(Way::Done(seen));
        }
        Ok(Way::Steps(Recipe::ask(self.service("dnsmasq", "running")?, seen, Seen::Neither)))
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

    fn bring_dhcp(&mut self, duty: &Duty, side: Side) -> Result<Way, String> {
        let stamp = self.dhcp_stamp(duty);
        let text = dnsmasq::drop_in(&self.scene.served(duty), &self.tools.dhcp, side);
        let files = self.drop_ins(duty)?;
        let mut ops = vec![Op::Remove(stamp.clone()), Op::Try(self.service("dnsmasq", "stop")?)];
        ops.extend(files.into_iter().map(|file| match side {
            Side::Master | Side::Standby => Op::Write(file, text.clone()),
            Side::Gone => Op::Remove(file),
        }));
        if side == Side::Master {
            ops.push(Op::PrepareLeases);
        }
        ops.push(Op::Run(self.service("dnsmasq", "start")?));
        if side != Side::Gone {
            ops.push(Op::Write(stamp, text));
        }
        Ok(Way::Steps(Recipe::to(side, ops)))
    }

    // --- connections ---

    fn look_at_conntrack(&mut self, now: Instant) -> Way {
        let Some(side) = self.tools.conntrackd.side() else { return Way::Done(Seen::Neither) };
        let dir = self.scene.run_dir.file("");
        let found = program("conntrackd").ok();
        match found.and_then(|program| self.tools.conntrackd.ask(&program, &dir, now)) {
            Some(ask) => Way::Steps(Recipe::to(side, vec![Op::Try(ask)])),
            None => Way::Done(Seen::As(side)),
        }
    }

    fn bring_conntrack(&mut self, duty: &Duty, side: Side) -> Result<Way, String> {
        // First of all: from here on nothing that ends on this router ends on the other one.
        self.tools.conntrackd.stop(&mut self.tools.children);
        if side == Side::Gone {
            return Ok(Way::Done(Seen::As(side)));
        }
        let conntrackd = program("conntrackd").map_err(|_| "conntrackd is not installed".to_owned())?;
        let between = self.between(duty).ok_or("no address of this or the other router is known yet")?;
        let own = self.scene.system.own_addresses();
        let vips = self.scene.config.instances.iter().flat_map(|it| it.vips.iter().map(|vip| vip.address));
        let mut ignored: Vec<IpAddr> =
            own.into_iter().chain(vips).filter(|address| !is_link_local(*address)).into_vec();
        ignored.sort_unstable();
        ignored.dedup();
        let dir = self.scene.run_dir.file("");
        let text = super::conntrackd::configuration(&between, side, &dir, &ignored);
        self.tools.conntrackd.start(&conntrackd, &dir, &text, side, &mut self.tools.children)?;
        Ok(Way::Done(Seen::As(side)))
    }

    /// Where this router and the next one of the group meet.
    fn between(&self, duty: &Duty) -> Option<Between> {
        let group = self.scene.group(duty)?;
        let own = self.scene.system.own_addresses();
        group.instances.iter().find_map(|id| {
            let instance = self.scene.config.instances.get(id.index())?;
            let device = self.scene.system.devices().get(instance.link.index())?.as_ref()?.to_string();
            let (here, peer) = match &instance.routers {
                Routers::Listed(all) => {
                    let here = *all.iter().find(|address| own.contains(address))?;
                    (here, *all.iter().find(|address| **address != here)?)
                }
                Routers::Peers { source, peers } => ((*source)?, *peers.first()?),
            };
            (!is_link_local(here)).then_some(Between { device, own: here, peer })
        })
    }
}

/// Where a program is.
pub(super) fn program(name: &str) -> Result<String, String> {
    let places = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
    let mut paths = places.iter().map(|place| format!("{place}/{name}"));
    paths.find(|path| Path::new(path).exists()).ok_or_else(|| format!("{name} is not installed"))
}

pub(super) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

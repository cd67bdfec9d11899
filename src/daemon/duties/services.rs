//! Interfaces and services: what netifd and init scripts have in hand, and what stands in for them elsewhere.

use std::path::Path;

use crate::config::model::LinkRef;
use crate::daemon::bus::netifd;
use crate::duties::{Kind, Seen, Side};
use crate::exec::children::Program;
use crate::netlink::Link;
use crate::netlink::link::{self, Power};
use crate::reconcile::Row;

use super::hands::{Begun, Toolbox};
use super::recipe::{Op, Then};
use super::route;

/// Adds to the line of an interface that should be up what netifd tells of one that is not (yet).
pub fn explain(row: &mut Row, interfaces: &[netifd::Interface]) {
    let is_it = |it: &&netifd::Interface| it.name == row.name && !it.up;
    let step = Kind::Interface.step();
    if row.kind != step.kind.name() || row.wanted != step.master {
        return;
    }
    let Some(interface) = interfaces.iter().find(is_it) else { return };
    if row.observed == step.master {
        row.observed = "coming up";
    }
    if row.error.is_none() {
        row.error = interface.trouble.as_ref().map(|code| format!("netifd: {code}"));
    }
}

impl Toolbox<'_, '_> {
    fn netifd(&self, name: &str) -> Option<&netifd::Interface> {
        self.scene.bus.network.interfaces().iter().find(|interface| interface.name == name)
    }

    pub(super) fn interface(&self, name: &str, wanted: Side) -> Result<Seen, Box<str>> {
        if let Some(interface) = self.netifd(name) {
            return match (interface.autostart, interface.up || interface.pending) {
                (true, true) => Ok(Seen::As(Side::Master)),
                // It would come up later, so a standby has to take it back.
                (true, false) if wanted != Side::Master => Ok(Seen::Neither),
                (true, false) if !interface.available => {
                    Err("netifd wants it up, but its device is not there".into())
                }
                (true, false) => Err("netifd wants it up, and can't bring it up".into()),
                (false, true) => Ok(Seen::Unknown),
                (false, false) => Ok(Seen::As(Side::Standby)),
            };
        }
        if self.scene.system.is_openwrt() {
            return Err(UNKNOWN.into());
        }
        let link = self.plain_link(name)?;
        Ok(Seen::As(if link.flags.is_up() { Side::Master } else { Side::Standby }))
    }

    fn plain_link(&self, name: &str) -> Result<&Link, Box<str>> {
        let device = self.scene.system.resolve(&LinkRef::Interface(name.to_owned()));
        let link = device.and_then(|device| self.scene.system.link_named(device));
        link.ok_or_else(|| "there is no such device".into())
    }

    pub(super) fn bring_interface(&mut self, name: &str, side: Side) -> Begun {
        let known = self.netifd(name).map(|interface| interface.device.clone());
        let is_netifd = known.is_some();
        if !is_netifd && side != Side::Gone && self.scene.system.is_openwrt() {
            return Err(UNKNOWN.into());
        }
        match (is_netifd, side) {
            // As netifd would have it by itself. Its own command, since there may be no daemon to be on the bus.
            (_, Side::Gone) if self.scene.system.is_openwrt() && !self.tools.dhcp.is_manual(name) => {
                let call = Program::new(&["/bin/ubus", "call", &format!("network.interface.{name}"), "up"]);
                self.ops.push(Op::Try(call));
            }
            (_, Side::Gone) => {}
            (true, Side::Master) => self.ops.push(Op::Call(netifd::up(name))),
            // A macvlan is silent already; netifd and its scripts take their time.
            (true, Side::Standby) => self.ops.push(Op::Call(netifd::down(name))),
            (false, Side::Master | Side::Standby) => {
                let power = if side == Side::Master { Power::Up } else { Power::Down };
                let index = self.plain_link(name)?.index;
                let netlink = self.tools.netlink.as_mut().ok_or(route::NO_NETLINK)?;
                netlink.request(&link::set_power(index, power)).map_err(|error| error.to_string())?;
            }
        }
        Ok(Then::to(side))
    }

    /// A step: a service is told something, and has to do it.
    pub(super) fn then_run(&mut self, name: &str, verb: &str) -> Result<(), Box<str>> {
        let program = self.service(name, verb)?;
        self.ops.push(Op::Run(program));
        Ok(())
    }

    /// A step: a service is told something, whether it does it or not.
    pub(super) fn then_try(&mut self, name: &str, verb: &str) -> Result<(), Box<str>> {
        let program = self.service(name, verb)?;
        self.ops.push(Op::Try(program));
        Ok(())
    }

    /// How a service is told something: by its init script, or by the configured program.
    fn service(&self, name: &str, verb: &str) -> Result<Program, Box<str>> {
        let script = format!("/etc/init.d/{name}");
        match &self.scene.config.tools.service_command {
            Some(command) => Ok(Program::new(&[command, name, verb])),
            None if Path::new(&script).exists() => Ok(Program::new(&[&script, verb])),
            None => Err(format!("there is no {script}, and no option service_command").into()),
        }
    }

    pub(super) fn bring_service(&mut self, name: &str, side: Side) -> Begun {
        match side {
            Side::Master => self.then_run(name, "start")?,
            Side::Standby => self.then_run(name, "stop")?,
            Side::Gone => {
                // As it would be after a boot without gwha.
                let script = format!("/etc/init.d/{name}");
                self.ops.push(Op::Try(Program::shell("\"$0\" enabled && \"$0\" start", &[&script])));
            }
        }
        Ok(Then::to(side))
    }
}

const UNKNOWN: &str = "netifd is not there, or does not know it";

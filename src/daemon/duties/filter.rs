//! The tables of the packet filter: whether they are there, and for which role.

use core::time::Duration;

use crate::collect::IntoVec as _;
use crate::config::model::{Instance, InstanceId, LinkRef};
use crate::duties::{Duty, Kind, Seen, Side};
use crate::exec::children::Program;
use crate::netlink::{IfName, SetContent};

use super::firewall::{self, Loaded, Ruleset, Translation};
use super::hands::{Begun, Toolbox, is_link_local, program};
use super::recipe::{Op, Then};
use super::route;

impl Toolbox<'_, '_> {
    /// A table may have been removed by a stranger, and be of an older life or of devices that have changed since.
    pub(super) fn look_at_filter(&mut self, duty: &Duty) -> Result<Seen, Box<str>> {
        let rules = self.ruleset(duty)?;
        let Some(side) = self.loaded(&rules) else { return Ok(Seen::Neither) };
        let there = self.tools.filter.as_mut().map(|filter| filter.has_table(&rules.table));
        Ok(match there {
            Some(Ok(true)) => Seen::As(side),
            Some(Ok(false)) => Seen::Neither,
            Some(Err(_)) | None => Seen::Unknown,
        })
    }

    pub(super) fn bring_filter(&mut self, duty: &Duty, side: Side) -> Begun {
        if side == Side::Gone {
            let table = table(duty);
            self.tools.loaded.retain(|loaded| loaded.table != table);
            self.load(&table, firewall::remove(&table))?;
            return Ok(Then::to(side));
        }
        let rules = self.ruleset(duty)?;
        let is_loaded = self.loaded(&rules).is_some();
        // At once, also what an earlier life has left: to start nft takes its time on a busy router, and until then
        // the DHCP server of a killed master would go on.
        let is_filled = self.fill(&rules, side);
        self.tools.loaded.retain(|loaded| loaded.table != rules.table);
        let master = rules.master();
        let script = if side == Side::Master { master.clone() } else { rules.script };
        let loaded = Loaded { table: rules.table.clone(), master, side };
        if is_loaded && is_filled {
            self.tools.loaded.push(loaded);
            return Ok(Then::to(side));
        }
        self.load(&rules.table, script)?;
        self.ops.push(Op::Loaded(loaded));
        Ok(Then::to(side))
    }

    /// For which side the packet filter was given this table, if it was.
    fn loaded(&self, rules: &Ruleset) -> Option<Side> {
        let known = self.tools.loaded.iter().find(|loaded| loaded.table == rules.table)?;
        (known.master == rules.master()).then_some(known.side)
    }

    /// Changes nothing but the sets: at once. Whether that was possible.
    fn fill(&mut self, rules: &Ruleset, side: Side) -> bool {
        let Some(filter) = &mut self.tools.filter else { return false };
        rules.sets.iter().all(|set| {
            let (devices, timeout): (_, Option<Duration>) = match side {
                Side::Master => (&set.master, set.timeout),
                Side::Standby | Side::Gone => (&set.standby, None),
            };
            let content = SetContent { table: &rules.table, set: set.name, devices, timeout };
            filter.fill(&content).is_ok()
        })
    }

    fn load(&mut self, table: &str, script: String) -> Result<(), Box<str>> {
        let nft = program("nft")?;
        let path = self.scene.run_dir.file(&format!("{table}.nft"));
        let run = Program::new(&[&nft, "-f", &path.to_string_lossy()]);
        self.ops.push(Op::Write(path, script));
        self.ops.push(Op::Run(run));
        Ok(())
    }

    fn ruleset(&mut self, duty: &Duty) -> Result<Ruleset, Box<str>> {
        let table = table(duty);
        match duty.kind {
            Kind::Adverts => Ok(firewall::advertisements(&table, &self.gateways6(duty))),
            Kind::Firewall => {
                let (translations, wans) = self.exits(duty)?;
                Ok(firewall::master(&table, &self.devices(duty), &translations, &wans))
            }
            Kind::Guard
            | Kind::Dhcp
            | Kind::Conntrack
            | Kind::Route
            | Kind::Interface
            | Kind::Service
            | Kind::Reload => {
                let served = self.scene.served(duty);
                let devices: Vec<String> = served.into_iter().map(|served| served.device).into_vec();
                Ok(firewall::guard(&table, &devices))
            }
        }
    }

    /// The instances of a group with their devices, where there is one.
    fn members(&self, duty: &Duty) -> Vec<(&Instance, IfName)> {
        let ids = self.scene.group(duty).map(|group| group.instances.as_slice()).unwrap_or_default();
        let of = |id: &InstanceId| {
            let instance = self.scene.config.instances.get(id.index())?;
            let device = *self.scene.system.devices().get(instance.link.index())?;
            Some((instance, device?))
        };
        ids.iter().filter_map(of).into_vec()
    }

    /// The devices of a group, each once.
    fn devices(&self, duty: &Duty) -> Vec<String> {
        let mut devices: Vec<String> =
            self.members(duty).iter().map(|(_, device)| device.to_string()).into_vec();
        devices.sort_unstable();
        devices.dedup();
        devices
    }

    /// The IPv6 gateway of clients on each device.
    fn gateways6(&self, duty: &Duty) -> Vec<Translation> {
        let of = |(instance, device): &(&Instance, IfName)| {
            Some(Translation { device: device.to_string(), to: instance.gateway6()?.into() })
        };
        self.members(duty).iter().filter_map(of).into_vec()
    }

    /// The WANs are the members that the default route leaves by, and what is up on the master only.
    fn exits(&mut self, duty: &Duty) -> Result<(Vec<Translation>, Vec<String>), Box<str>> {
        let (mut translations, mut wans) = (Vec::new(), Vec::new());
        let Some(group) = self.scene.group(duty) else { return Ok((translations, wans)) };
        let exits = route::default_devices(&mut self.tools.netlink)?;
        let is_exit =
            |name: IfName| self.scene.system.link_named(name).is_some_and(|link| exits.contains(&link.index));
        for (instance, device) in self.members(duty) {
            if !is_exit(device) {
                continue;
            }
            let device = device.to_string();
            if let Some(vip) = instance.vips.iter().find(|vip| !is_link_local(vip.address)) {
                if group.actions.snat {
                    translations.push(Translation { device: device.clone(), to: vip.address });
                }
            }
            wans.push(device);
        }
        let own = group.actions.up_on_master.iter();
        wans.extend(own.filter_map(|name| self.scene.device_of(&LinkRef::Interface(name.clone()))));
        wans.sort_unstable();
        wans.dedup();
        Ok((translations, wans))
    }
}

/// The name of a duty's table.
fn table(duty: &Duty) -> String {
    let what = match duty.kind {
        Kind::Firewall => "wan",
        Kind::Adverts => "ra",
        Kind::Guard
        | Kind::Dhcp
        | Kind::Conntrack
        | Kind::Route
        | Kind::Interface
        | Kind::Service
        | Kind::Reload => "dhcp",
    };
    firewall::table(what, &duty.group)
}

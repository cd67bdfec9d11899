//! `/etc/config/firewall`: zones, translation, port forwards.
//!
//! Adverts, the channel and conntrackd need nothing here: the init script has fw4 let them in before all zones.

use std::net::IpAddr;

use super::{Check, flag, named, text, words};
use crate::config::model::{Group, Instance, Routers};
use crate::uci::Section;

impl Check<'_> {
    pub(super) fn firewall(&mut self) {
        let (config, files) = (self.config, self.files);
        let zones = named(&files.firewall, "firewall", "zone");
        if zones.is_empty() {
            return;
        }
        if config.groups.iter().any(|group| group.actions.conntrack) {
            self.offloading();
        }
        for group in &config.groups {
            for instance in self.instances(group) {
                let Some(network) = self.network_of(instance) else { continue };
                self.membership(network, &zones);
                if let Some((zone, path)) = zones.iter().find(|(zone, _)| has(zone, network)) {
                    self.translation(group, instance, zone, path);
                    self.forwards(instance, zone);
                }
            }
            for network in &group.actions.up_on_master {
                self.membership(network, &zones);
            }
        }
    }

    /// A connection that is in a flow table when a router becomes master stays unknown to the other one (seen with Linux 6.1).
    fn offloading(&mut self) {
        for (section, path) in named(&self.files.firewall, "firewall", "defaults") {
            if flag(section, "flow_offloading", false) {
                let why = "connections that go on after a takeover end with the one after the next one";
                self.set(&format!("{path}.flow_offloading"), "0", why);
            }
        }
    }

    /// A network without a zone: nothing gets through.
    fn membership(&mut self, network: &str, zones: &[(&Section, String)]) {
        let device = self.interface(network).and_then(|section| text(section, "device"));
        let is_in = |zone: &Section| {
            has(zone, network) || device.is_some_and(|it| words(zone, "device").contains(&it))
        };
        if zones.iter().any(|(zone, _)| is_in(zone)) {
            return;
        }
        let namesake = zones.iter().find(|(zone, _)| text(zone, "name") == Some(network));
        let remedy = namesake.map(|(_, path)| format!("uci add_list {path}.network='{network}'"));
        let text = format!(
            "network '{network}' is in no zone of the firewall: as master this router lets nothing through"
        );
        self.add(text, remedy.unwrap_or_default());
    }

    /// A connection that leaves with this router's own address can't go on through the other one.
    fn translation(&mut self, group: &Group, instance: &Instance, zone: &Section, path: &str) {
        let is_v4 = instance.vips.iter().any(|vip| vip.address.is_ipv4());
        if flag(zone, "masq", false) && is_v4 && group.actions.conntrack && !group.actions.snat {
            let why = format!(
                "{path}.masq gives connections this router's own address, and none survives a takeover"
            );
            self.set(&format!("gwha.{}.snat", group.name), "1", &why);
        }
    }

    /// Port forwards of the zone in which a virtual address is.
    fn forwards(&mut self, instance: &Instance, zone: &Section) {
        let Some(vip) = instance.vips.iter().map(|vip| vip.address).find(IpAddr::is_ipv4) else { return };
        let own: &[IpAddr] = match &instance.routers {
            Routers::Listed(all) => all,
            Routers::Peers { source, .. } => source.as_slice(),
        };
        for (forward, path) in named(&self.files.firewall, "firewall", "redirect") {
            if text(forward, "src") != text(zone, "name")
                || text(forward, "target").is_some_and(|it| it != "DNAT")
            {
                continue;
            }
            let to = text(forward, "src_dip");
            let is_own = to.and_then(|to| to.parse().ok()).is_some_and(|to| own.contains(&to));
            let is_reflected = to.is_none() && flag(zone, "masq", false) && flag(forward, "reflection", true);
            let why = match (is_own, is_reflected) {
                (true, _) => "after a takeover nobody asks for this router's own address",
                (false, true) => "hosts inside reach the forwarded port by the virtual address only then",
                (false, false) => continue,
            };
            self.set(&format!("{path}.src_dip"), &vip.to_string(), why);
        }
    }
}

fn has(zone: &Section, network: &str) -> bool {
    words(zone, "network").contains(&network)
}

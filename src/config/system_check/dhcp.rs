//! `/etc/config/dhcp`: leases and router advertisements.

use std::net::IpAddr;

use super::{Check, flag, list, named, text};
use crate::collect::IntoVec as _;
use crate::config::model::Group;
use crate::uci::Section;

impl Check<'_> {
    pub(super) fn dhcp(&mut self) {
        let (config, files) = (self.config, self.files);
        let groups = || config.groups.iter().filter(|group| group.actions.dhcp_on_master);
        if groups().next().is_none() {
            return;
        }
        for (section, path) in named(&files.dhcp, "dhcp", "dnsmasq") {
            self.dnsmasq(section, &path);
        }
        for (section, path) in named(&files.dhcp, "dhcp", "odhcpd") {
            if flag(section, "maindhcp", false) {
                self.set(&format!("{path}.maindhcp"), "0", "leases of odhcpd can't follow the role");
            }
        }
        for group in groups() {
            for (section, path) in named(&files.dhcp, "dhcp", "dhcp") {
                let network = text(section, "interface");
                let mut on_it = self.instances(group);
                on_it.retain(|instance| network.is_some() && self.network_of(instance) == network);
                if !on_it.is_empty() {
                    let vips = on_it.iter().flat_map(|instance| instance.vips.iter().map(|vip| vip.address));
                    self.served(group, &vips.into_vec(), section, &path);
                }
            }
        }
    }

    fn dnsmasq(&mut self, section: &Section, path: &str) {
        for (option, default, wanted, why) in [
            ("authoritative", false, true, "after a takeover it is silent to clients it does not know yet"),
            (
                "sequential_ip",
                false,
                false,
                "a client that is not known yet is given an address that is in use",
            ),
            ("noping", false, false, "an address that is in use is given away without a try"),
            ("nonwildcard", true, true, "DNS never answers on an address that comes later"),
        ] {
            if flag(section, option, default) != wanted {
                self.set(&format!("{path}.{option}"), if wanted { "1" } else { "0" }, why);
            }
        }
    }

    /// A network with these virtual addresses, on which only the master answers DHCP.
    fn served(&mut self, group: &Group, vips: &[IpAddr], section: &Section, path: &str) {
        self.advertisements(group, section, path);
        if flag(section, "ignore", false) {
            return;
        }
        if !flag(section, "force", false) {
            let why = "dnsmasq finds the other router's DHCP and refuses to serve";
            self.set(&format!("{path}.force"), "1", why);
        }
        for key in ["dhcp_option", "dhcp_option_force"] {
            for option in list(section, key) {
                if let Some(why) = misleads(option, vips) {
                    self.add(
                        format!("{path}.{key} has '{option}': {why}"),
                        format!("uci del_list {path}.{key}='{option}'"),
                    );
                }
            }
        }
    }

    /// odhcpd speaks on every router where nobody stops it.
    fn advertisements(&mut self, group: &Group, section: &Section, path: &str) {
        let is_on = |option: &&str| text(section, option).is_some_and(|mode| mode != "disabled");
        let Some(option) = ["ra", "dhcpv6"].into_iter().find(is_on) else { return };
        if group.actions.run_on_master.iter().all(|name| name != "odhcpd") {
            self.add(
                format!("{path}.{option} is on: odhcpd gives clients this router as gateway also while it stands by"),
                format!("uci add_list gwha.{}.run_on_master='odhcpd'", group.name),
            );
        }
    }
}

/// What an option that clients are told does to them. Without options 3 and 6 gwha tells them the virtual address.
fn misleads(option: &str, vips: &[IpAddr]) -> Option<&'static str> {
    let (number, values) = option.split_once(',')?;
    match number {
        "54" | "option:server-identifier" => Some("clients then refuse what they are given"),
        "3" | "6" | "option:router" | "option:dns-server" => {
            let is_vip = |word: &str| word.trim_ascii().parse().is_ok_and(|address| vips.contains(&address));
            let is_wrong = vips.iter().any(IpAddr::is_ipv4) && !values.split(',').any(is_vip);
            is_wrong.then_some("clients are not told the virtual address")
        }
        _ => None,
    }
}

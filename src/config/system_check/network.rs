//! `/etc/config/network`: what is up on the master only, and the networks of the virtual addresses.

use std::net::IpAddr;

use super::{Check, flag, named, text, words};
use crate::collect::IntoVec as _;
use crate::config::model::{Instance, Routers};
use crate::uci::Section;

impl Check<'_> {
    pub(super) fn network(&mut self) {
        let (config, files) = (self.config, self.files);
        for name in config.groups.iter().flat_map(|group| &group.actions.up_on_master) {
            self.on_master(name);
        }
        for instance in &config.instances {
            self.segment(instance);
        }
        for (section, path) in named(&files.network, "network", "globals") {
            if text(section, "ula_prefix") == Some("auto") {
                let why = "each router makes up a prefix of its own; this or another one, the same on both";
                self.set(&format!("{path}.ula_prefix"), "fd5e:91c2:a704::/48", why);
            }
        }
    }

    /// An interface that is up on the master only.
    fn on_master(&mut self, name: &str) {
        let Some(section) = self.interface(name) else {
            let text = format!(
                "there is no interface '{name}' in /etc/config/network, though it is in up_on_master"
            );
            return self.add(text, String::new());
        };
        let path = format!("network.{name}");
        if flag(section, "auto", true) {
            self.set(&format!("{path}.auto"), "0", "it comes up at boot, also on a standby");
        }
        self.lease(section, &path);
        if text(section, "proto") == Some("dhcp") {
            self.hardware_address(name, section);
            self.companions(name, section);
        }
        for (other, path) in named(&self.files.network, "network", "interface") {
            if text(other, "device").and_then(|device| device.strip_prefix('@')) == Some(name) {
                self.lease(other, &path);
            }
        }
    }

    /// The carrier's server has to see one client, and nobody who says goodbye.
    fn lease(&mut self, section: &Section, path: &str) {
        let (is_v6, id) = match text(section, "proto") {
            Some("dhcp") => (false, "01020304050607"),
            Some("dhcpv6") => (true, "00030001020304050607"),
            Some(_) | None => return,
        };
        if !flag(section, "norelease", false) {
            let why = "the lease is given back when it goes down, and the other router gets another address";
            self.set(&format!("{path}.norelease"), "1", why);
        }
        if text(section, "clientid").is_none() {
            let why =
                "made of this router's own identity otherwise; this or another one, the same on both routers";
            self.set(&format!("{path}.clientid"), id, why);
        }
        if !is_v6 && text(section, "hostname").is_none() {
            self.set(&format!("{path}.hostname"), "*", "the router's name is sent, and the names differ");
        }
    }

    /// The carrier gives one hardware address one lease.
    fn hardware_address(&mut self, name: &str, section: &Section) {
        let device = text(section, "device").unwrap_or(name);
        let described = self.device(device);
        let has_address = |section: &Section| text(section, "macaddr").is_some();
        let text = if !described.is_some_and(has_address) && !has_address(section) {
            format!(
                "network.{name}: its device '{device}' has the hardware address of this router; with one of its own \
                 on a macvlan, the same on both routers, the carrier sees one client"
            )
        } else if described.and_then(|section| text(section, "type")) != Some("macvlan") {
            format!(
                "network.{name}: '{device}' is a port with a changed hardware address, and loses its link for seconds \
                 at each takeover; a device of type macvlan on the port does not"
            )
        } else {
            return;
        };
        self.add(text, String::new());
    }

    /// Another interface on the same device keeps that up, and with it the shared hardware address.
    fn companions(&mut self, name: &str, section: &Section) {
        let Some(device) = text(section, "device") else { return };
        let groups = &self.config.groups;
        let follows = |other: Option<&str>| {
            groups.iter().flat_map(|group| &group.actions.up_on_master).any(|it| Some(it.as_str()) == other)
        };
        for (other, path) in named(&self.files.network, "network", "interface") {
            if text(other, "device") == Some(device)
                && !follows(other.name.as_deref())
                && flag(other, "auto", true)
            {
                let why =
                    format!("it keeps '{device}' up on a standby; as an alias it goes down with '{name}'");
                self.set(&format!("{path}.device"), &format!("@{name}"), &why);
            }
        }
    }

    /// A network with virtual addresses.
    fn segment(&mut self, instance: &Instance) {
        let Some(section) = self.network_of(instance).and_then(|name| self.interface(name)) else { return };
        let path = format!("network.{}", section.name.as_deref().unwrap_or_default());
        for key in ["ipaddr", "ip6addr"] {
            for given in words(section, key) {
                let address = given.split('/').next().and_then(|address| address.parse::<IpAddr>().ok());
                if instance.vips.iter().any(|vip| Some(vip.address) == address) {
                    self.own_vip(instance, &path, key, given);
                }
            }
        }
        let device = text(section, "device").unwrap_or_default();
        let bridge = device.split('.').next().and_then(|bridge| self.device_with_path(bridge));
        let (bridge, path) = bridge.unwrap_or((section, path));
        if flag(bridge, "stp", false) {
            let why = "for seconds after a cable is plugged in, the routers can't hear each other, and both are master";
            self.set(&format!("{path}.stp"), "0", why);
        }
    }

    /// A router that has the virtual address as its own answers there also while it stands by.
    fn own_vip(&mut self, instance: &Instance, path: &str, key: &str, given: &str) {
        let own = match &instance.routers {
            Routers::Listed(own) => own.as_slice(),
            Routers::Peers { source, .. } => source.as_slice(),
        };
        let own = own.iter().map(ToString::to_string).into_vec().join(" or ");
        let text = format!(
            "{path}.{key} has '{given}', which only the master may have; it should be this router's own: {own}"
        );
        let first = own.split(' ').next().unwrap_or_default();
        self.add(text, format!("uci set {path}.{key}='{first}'"));
    }

    fn device(&self, name: &str) -> Option<&Section> {
        self.device_with_path(name).map(|(section, _)| section)
    }

    fn device_with_path(&self, name: &str) -> Option<(&Section, String)> {
        let all = named(&self.files.network, "network", "device");
        all.into_iter().find(|(section, _)| text(section, "name") == Some(name))
    }
}

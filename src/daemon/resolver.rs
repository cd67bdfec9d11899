//! Which kernel device a logical interface is.
//!
//! netifd knows best: it is asked over ubus. Until it has answered, where there is none, and for interfaces that are
//! down, the file that it reads says as much: `/etc/config/network`, beside our own configuration file. What
//! neither names is taken for the name of a device.

use crate::sorted::Map;
use std::path::Path;

use crate::config::model::LinkRef;
use crate::disk;
use crate::netlink::IfName;
use crate::uci;

use super::bounded;
use super::bus::netifd::Interface;

/// Finds devices.
#[derive(Debug, Default)]
pub struct Resolver {
    /// What the file says.
    devices: Map<String, String>,
    /// What netifd has said, of interfaces that were up then.
    learnt: Map<String, String>,
}

impl Resolver {
    /// Reads the network configuration beside `config`. None is fine: this may be no OpenWrt.
    pub fn read_beside(&mut self, config: &Path) {
        match bounded::read(&disk::sibling(config, "network")) {
            Ok(bytes) => self.read(&bytes),
            Err(_) => self.devices.clear(),
        }
    }

    /// Reads a network configuration. Of a broken one, what could be read.
    pub fn read(&mut self, bytes: &[u8]) {
        let tree = uci::parse(bytes).unwrap_or_else(|broken| broken.tree);
        self.devices.clear();
        for section in tree.sections.iter().filter(|section| section.kind == "interface") {
            if let (Some(name), Some(device)) = (&section.name, device_of(section)) {
                self.devices.insert(name.clone(), device);
            }
        }
    }

    /// Takes the devices that netifd's interfaces have now, in place of all that it said before.
    pub fn learn(&mut self, interfaces: &[Interface]) {
        self.learnt.clear();
        for interface in interfaces {
            if let Some(device) = &interface.l3_device {
                self.learnt.insert(interface.name.clone(), device.clone());
            }
        }
    }

    /// Whether there is a network configuration: then there should be a netifd too.
    pub fn is_openwrt(&self) -> bool {
        !self.devices.is_empty()
    }

    /// An interface of the file that is this device; `lan` if there are several and it is one of them.
    pub fn interface_on(&self, device: &str) -> Option<&str> {
        let mut on_it =
            self.devices.iter().map(|(name, _)| name.as_str()).filter(|name| self.follow(name) == device);
        let first = on_it.next()?;
        Some(on_it.find(|name| *name == "lan").unwrap_or(first))
    }

    /// The device that a link is; `None` if that can't be the name of one.
    pub fn device(&self, link: &LinkRef) -> Option<IfName> {
        let name = match link {
            LinkRef::Device(name) => name,
            LinkRef::Interface(name) => self.follow(name),
        };
        IfName::new(name.as_bytes())
    }

    /// Aliases (`option device '@lan'`) lead to another interface.
    fn follow<'a>(&'a self, interface: &'a str) -> &'a str {
        let mut name = interface;
        for _ in 0..ALIASES_MAX {
            if let Some(device) = self.learnt.get(name) {
                return device;
            }
            let Some(device) = self.devices.get(name) else { return name };
            match device.strip_prefix('@') {
                Some(alias) => name = alias,
                None => return device,
            }
        }
        name
    }
}

/// netifd's rules: a tunnel is named after its protocol, an old-style bridge after its interface, and
/// anything else is what `device` (once `ifname`) says.
fn device_of(section: &uci::Section) -> Option<String> {
    let name = section.name.as_deref()?;
    let option = |key: &str| -> Option<&str> {
        let [item] = section.get(key)?.items() else { return None };
        core::str::from_utf8(&item.bytes).ok()
    };
    let protocol = option("proto").unwrap_or_default();
    if protocol == "wireguard" {
        return Some(name.to_owned());
    }
    if TUNNELS.contains(&protocol) {
        return Some(option("pppname").map_or_else(|| format!("{protocol}-{name}"), str::to_owned));
    }
    if option("type") == Some("bridge") {
        return Some(format!("br-{name}"));
    }
    option("device").or_else(|| option("ifname")).map(str::to_owned)
}

/// Protocols whose handlers make a device of their own.
const TUNNELS: [&str; 10] = ["pppoe", "pptp", "l2tp", "3g", "ppp", "pppoa", "6in4", "6to4", "6rd", "map"];

/// More than anybody has, and an end to a circle.
const ALIASES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: &[u8] = b"
config interface 'lan'
    option device 'br-lan'
    option proto 'static'
config interface 'old'
    option type 'bridge'
    option ifname 'eth0 eth1'
config interface 'wan'
    option device 'eth1'
    option proto 'pppoe'
config interface 'dsl'
    option proto 'pppoe'
    option pppname 'ppp-isp'
config interface 'wan6'
    option device '@wan'
    option proto 'dhcpv6'
config interface 'wg0'
    option proto 'wireguard'
config interface 'a'
    option device '@b'
config interface 'b'
    option device '@a'
config device
    option name 'br-lan'
";

    fn resolver() -> Resolver {
        let mut resolver = Resolver::default();
        resolver.read(NETWORK);
        resolver
    }

    fn device_by(resolver: &Resolver, interface: &str) -> Option<String> {
        resolver.device(&LinkRef::Interface(interface.into())).map(|name| name.to_string())
    }

    fn device(interface: &str) -> Option<String> {
        device_by(&resolver(), interface)
    }

    #[test]
    fn netifd_knows_better_than_the_file_while_an_interface_is_up() {
        let mut resolver = resolver();
        resolver.learn(&[("lan", "br-lan.1"), ("wan", "pppoe-wan"), ("dyn", "wwan0")].map(up));
        assert_eq!(device_by(&resolver, "lan").as_deref(), Some("br-lan.1"));
        assert_eq!(device_by(&resolver, "dyn").as_deref(), Some("wwan0"));
        assert_eq!(device_by(&resolver, "wan6").as_deref(), Some("pppoe-wan"), "an alias of one that is up");
        assert_eq!(device_by(&resolver, "wg0").as_deref(), Some("wg0"), "by the file");

        resolver.learn(&[]);
        assert_eq!(device_by(&resolver, "lan").as_deref(), Some("br-lan"), "down: by the file again");
    }

    fn up((name, device): (&str, &str)) -> Interface {
        Interface { name: name.to_owned(), l3_device: Some(device.to_owned()), ..Interface::default() }
    }

    #[test]
    fn interface_is_the_device_that_netifd_would_use() {
        let expected = [
            ("lan", "br-lan"),
            ("old", "br-old"),
            ("wan", "pppoe-wan"),
            ("wan6", "pppoe-wan"),
            ("dsl", "ppp-isp"),
            ("wg0", "wg0"),
            ("eth7", "eth7"),
        ];
        for (interface, expected) in expected {
            assert_eq!(device(interface).as_deref(), Some(expected), "{interface}");
        }
    }

    #[test]
    fn device_is_known_by_its_interface() {
        let mut resolver = resolver();
        for (device, interface) in [("br-lan", Some("lan")), ("pppoe-wan", Some("wan")), ("eth9", None)] {
            assert_eq!(resolver.interface_on(device), interface, "{device}");
        }
        resolver.read(
            b"config interface 'guest'\n option device 'br'\nconfig interface 'lan'\n option device 'br'\n",
        );
        assert_eq!(resolver.interface_on("br"), Some("lan"));
    }

    #[test]
    fn circle_of_aliases_ends() {
        assert!(device("a").is_some());
    }

    #[test]
    fn name_that_no_device_can_have_is_none() {
        assert_eq!(device("a-name-longer-than-fifteen"), None);
    }

    #[test]
    fn device_is_taken_as_it_is() {
        let link = LinkRef::Device("lan".into());
        assert_eq!(resolver().device(&link).unwrap().to_string(), "lan");
    }

    #[test]
    fn missing_network_configuration_is_fine() {
        let dir = tempfile::tempdir().unwrap();
        let mut resolver = Resolver::default();
        resolver.read_beside(&dir.path().join("gwha"));
        assert!(!resolver.is_openwrt());
        assert_eq!(resolver.device(&LinkRef::Interface("lan".into())).unwrap().to_string(), "lan");
    }
}

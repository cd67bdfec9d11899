//! What dnsmasq is told by files in its drop-in directory, which is in memory: nothing is written to flash.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::collect::IntoVec as _;
use crate::config::model::{Config, Group, LinkRef};
use crate::daemon::bounded;
use crate::disk;
use crate::duties::Side;
use crate::sorted::Map;
use crate::uci::{self, Section, Tree};

/// What `/etc/config/dhcp` has to say, and `/etc/config/network` of what is up by itself.
#[derive(Debug, Default)]
pub struct DhcpConfig {
    /// The drop-in directories of all instances.
    pub directories: Vec<PathBuf>,
    /// Interfaces that netifd leaves down (`option auto '0'`), of `/etc/config/network`.
    manual: Vec<String>,
    /// For each network the options that are given to clients, as they are written (`3,192.168.1.1`).
    options: Map<String, Vec<String>>,
}

impl DhcpConfig {
    /// Reads the file beside our own configuration. None is fine: this may be no OpenWrt.
    pub fn beside(config: &Path) -> DhcpConfig {
        let tree = |name| {
            let bytes = bounded::read(&disk::sibling(config, name)).unwrap_or_default();
            uci::parse(&bytes).unwrap_or_else(|broken| broken.tree)
        };
        let mut found = DhcpConfig::of(&tree("dhcp"));
        for section in &tree("network").sections {
            if section.kind == "interface" && text(section, "auto").as_deref() == Some("0") {
                found.manual.extend(section.name.clone());
            }
        }
        found
    }

    /// Whether netifd leaves an interface down.
    pub fn is_manual(&self, interface: &str) -> bool {
        self.manual.iter().any(|name| name == interface)
    }

    fn of(tree: &Tree) -> DhcpConfig {
        let mut found = DhcpConfig::default();
        for (section, number) in tree.sections.iter().zip(1u32..) {
            match section.kind.as_str() {
                "dnsmasq" => found.directories.extend(directories(section, number)),
                "dhcp" => {
                    if let Some(network) = text(section, "interface") {
                        found.options.get_or_default(network).extend(list(section, "dhcp_option"));
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// What the user gives as option `number` to the clients of a network.
    pub fn option(&self, network: &str, number: u8, name: &str) -> Option<&str> {
        let options = self.options.get(network)?.iter();
        options.rev().find_map(|written| {
            let (key, value) = written.split_once(',')?;
            let is_it =
                key.trim_ascii() == number.to_string() || key.trim_ascii() == format!("option:{name}");
            is_it.then_some(value.trim_ascii())
        })
    }
}

/// Where an instance reads further files: what `confdir` says, or what OpenWrt's init script makes of its name. Before
/// 24.10 all instances had one.
fn directories(section: &Section, number: u32) -> Vec<PathBuf> {
    if let Some(given) = text(section, "confdir") {
        let path = given.split(',').next().unwrap_or_default();
        return vec![PathBuf::from(path)];
    }
    let name = section.name.clone().unwrap_or_else(|| anonymous(&section.kind, number));
    vec![PathBuf::from(format!("/tmp/dnsmasq.{name}.d")), PathBuf::from("/tmp/dnsmasq.d")]
}

/// The name that libuci gives to the section without one at a place of a file, counted from 1.
fn anonymous(kind: &str, number: u32) -> String {
    // Its hash of the type (djb2), while the section has no options yet.
    let hash = kind.bytes().fold(5381u32, |hash, byte| hash.wrapping_mul(33).wrapping_add(u32::from(byte)))
        & 0x7fff_ffff;
    format!("cfg{number:02x}{:04x}", hash & 0xffff)
}

fn text(section: &Section, key: &str) -> Option<String> {
    list(section, key).into_iter().next()
}

fn list(section: &Section, key: &str) -> Vec<String> {
    let items = section.get(key).map(|value| value.items()).unwrap_or_default();
    items.iter().map(|item| String::from_utf8_lossy(&item.bytes).into_owned()).into_vec()
}

/// A network of a group that has DHCP clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// As the user named it; `None` for a device.
    pub network: Option<String>,
    /// The kernel device.
    pub device: String,
    /// The virtual address that clients are to use, if it is of IPv4.
    pub vip: Option<IpAddr>,
}

/// The networks of a group, each device once.
pub fn served(config: &Config, group: &Group, device_of: &dyn Fn(&LinkRef) -> Option<String>) -> Vec<Served> {
    let mut all: Vec<Served> = Vec::new();
    for id in &group.instances {
        let Some(instance) = config.instances.get(id.index()) else { continue };
        let Some(link) = config.links.get(instance.link.index()) else { continue };
        let Some(device) = device_of(link) else { continue };
        let network = match link {
            LinkRef::Interface(name) => Some(name.clone()),
            LinkRef::Device(_) => None,
        };
        let vip = instance.vips.iter().map(|vip| vip.address).find(IpAddr::is_ipv4);
        match all.iter_mut().find(|known| known.device == device) {
            Some(known) => known.vip = known.vip.or(vip),
            None => all.push(Served { network, device, vip }),
        }
    }
    all
}

/// The file for dnsmasq. On a standby it answers no DHCP on these devices; everywhere the clients are told the virtual
/// address and not the router's own, unless the user has told dnsmasq what to tell them.
pub fn drop_in(served: &[Served], dhcp: &DhcpConfig, side: Side) -> String {
    let mut text = String::from("# written by gwha: changes are lost\n");
    for Served { network, device, vip } in served {
        if side != Side::Master {
            let _ = writeln!(text, "no-dhcp-interface={device}");
        }
        let Some(vip) = vip else { continue };
        for (number, name) in [(3, "router"), (6, "dns-server")] {
            let is_given =
                network.as_ref().is_some_and(|network| dhcp.option(network, number, name).is_some());
            if !is_given {
                // dnsmasq tags each request with the name of the device that it came in by.
                let _ = writeln!(text, "dhcp-option=tag:{device},option:{name},{vip}");
            }
        }
    }
    text
}

/// What the user tells clients himself and is not the virtual address.
pub fn contradictions(served: &[Served], dhcp: &DhcpConfig) -> Vec<String> {
    let mut all = Vec::new();
    for Served { network, vip, .. } in served {
        let (Some(network), Some(vip)) = (network, vip) else { continue };
        for (number, name) in [(3, "router"), (6, "dns-server")] {
            let Some(given) = dhcp.option(network, number, name) else { continue };
            if !given.split(',').any(|address| address.trim_ascii() == vip.to_string()) {
                all.push(format!(
                    "network {network}: DHCP clients are told {name} {given}, not the virtual address {vip}"
                ));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dhcp(text: &str) -> DhcpConfig {
        DhcpConfig::of(&uci::parse(text.as_bytes()).unwrap_or_else(|broken| broken.tree))
    }

    fn lan() -> Vec<Served> {
        let vip = Some("192.168.1.1".parse().unwrap());
        vec![Served { network: Some("lan".into()), device: "br-lan".into(), vip }]
    }

    #[test]
    fn a_section_without_a_name_is_called_as_libuci_calls_it() {
        // As everybody's OpenWrt has it: /var/etc/dnsmasq.conf.cfg01411c.
        assert_eq!(anonymous("dnsmasq", 1), "cfg01411c");
    }

    #[test]
    fn drop_in_directory_follows_from_the_configuration() {
        let directories = |text: &str| dhcp(text).directories;
        assert_eq!(
            directories("config dnsmasq\n\toption domainneeded '1'\n"),
            ["/tmp/dnsmasq.cfg01411c.d", "/tmp/dnsmasq.d"].map(PathBuf::from)
        );
        assert_eq!(
            directories("config dnsmasq 'home'\n"),
            ["/tmp/dnsmasq.home.d", "/tmp/dnsmasq.d"].map(PathBuf::from)
        );
        assert_eq!(
            directories("config dnsmasq\n\toption confdir '/etc/dnsmasq.d,*.conf'\n"),
            [PathBuf::from("/etc/dnsmasq.d")]
        );
        assert!(directories("config dhcp 'lan'\n").is_empty());
    }

    #[test]
    fn standby_answers_no_dhcp_and_clients_are_told_the_virtual_address() {
        let none = DhcpConfig::default();
        let standby = drop_in(&lan(), &none, Side::Standby);
        assert!(standby.contains("\nno-dhcp-interface=br-lan\n"), "{standby}");
        let master = drop_in(&lan(), &none, Side::Master);
        assert!(!master.contains("no-dhcp-interface"), "{master}");
        assert!(master.contains("\ndhcp-option=tag:br-lan,option:router,192.168.1.1\n"), "{master}");
        assert!(master.contains("\ndhcp-option=tag:br-lan,option:dns-server,192.168.1.1\n"), "{master}");
    }

    #[test]
    fn what_the_user_tells_clients_is_left_alone_and_compared() {
        let dhcp = dhcp(
            "config dhcp 'x'\n\toption interface 'lan'\n\tlist dhcp_option '3,192.168.1.1'\n\
             \tlist dhcp_option 'option:dns-server, 192.168.1.9,1.1.1.1'\n",
        );
        let text = drop_in(&lan(), &dhcp, Side::Master);
        assert!(!text.contains("dhcp-option"), "{text}");
        assert_eq!(
            contradictions(&lan(), &dhcp),
            ["network lan: DHCP clients are told dns-server 192.168.1.9,1.1.1.1, \
              not the virtual address 192.168.1.1"]
        );
    }
}

//! What in OpenWrt's own configuration would spoil a takeover. Pure: it compares trees.

use super::model::{Config, Group, LinkRef};
use crate::uci::{Section, Tree};

/// The files beside our own, as far as they are there.
#[derive(Debug, Default)]
pub struct SystemFiles {
    /// `/etc/config/network`.
    pub network: Tree,
    /// `/etc/config/dhcp`.
    pub dhcp: Tree,
}

/// A setting that would spoil a takeover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hazard {
    /// What is wrong, and what comes of it.
    pub text: String,
    /// The commands of `uci` that mend it; none if it takes more than that.
    pub remedy: Vec<String>,
}

/// All of them, in the order of the files.
pub fn hazards(config: &Config, files: &SystemFiles) -> Vec<Hazard> {
    let mut found = Vec::new();
    if config.groups.iter().any(|group| group.actions.dhcp_on_master) {
        for (section, path) in named(&files.dhcp, "dhcp", "dnsmasq") {
            dnsmasq(section, &path, &mut found);
        }
    }
    for group in &config.groups {
        if group.actions.dhcp_on_master {
            networks(config, group, files, &mut found);
        }
        for name in &group.actions.up_on_master {
            interface(name, files, &mut found);
        }
    }
    found
}

fn dnsmasq(section: &Section, path: &str, found: &mut Vec<Hazard>) {
    let mut want = |option: &str, default: bool, wanted: bool, why: &str| {
        if flag(section, option, default) != wanted {
            let value = u8::from(wanted);
            found.push(Hazard {
                text: format!("{path}.{option} should be {value}: {why}"),
                remedy: vec![format!("uci set {path}.{option}='{value}'")],
            });
        }
    };
    want("authoritative", false, true, "after a takeover it is silent to clients it does not know yet");
    want("sequential_ip", false, false, "a client that is not known yet is given an address that is in use");
    want("noping", false, false, "an address that is in use is given away without a try");
    want("nonwildcard", true, true, "DNS never answers on an address that comes later");
}

/// The networks on which only the master answers DHCP.
fn networks(config: &Config, group: &Group, files: &SystemFiles, found: &mut Vec<Hazard>) {
    let instances = group.instances.iter().filter_map(|id| config.instances.get(id.index()));
    for instance in instances {
        let Some(LinkRef::Interface(network)) = config.links.get(instance.link.index()) else { continue };
        let of_network =
            |(section, _): &(&Section, String)| text(section, "interface") == Some(network.as_str());
        for (section, path) in named(&files.dhcp, "dhcp", "dhcp").filter(of_network) {
            advertisements(group, section, &path, found);
            if flag(section, "ignore", false) {
                continue;
            }
            if !flag(section, "force", false) {
                found.push(Hazard {
                    text: format!(
                        "{path}.force should be 1: dnsmasq finds the other router's DHCP and refuses to serve"
                    ),
                    remedy: vec![format!("uci set {path}.force='1'")],
                });
            }
            for option in list(section, "dhcp_option").filter(|option| option.starts_with("54,")) {
                found.push(Hazard {
                    text: format!(
                        "{path}.dhcp_option has '{option}': clients then refuse what they are given"
                    ),
                    remedy: vec![format!("uci del_list {path}.dhcp_option='{option}'")],
                });
            }
        }
    }
}

/// odhcpd speaks on every router where nobody stops it.
fn advertisements(group: &Group, section: &Section, path: &str, found: &mut Vec<Hazard>) {
    let is_on = |option: &str| text(section, option).is_some_and(|mode| mode != "disabled");
    let Some(option) = ["ra", "dhcpv6"].into_iter().find(|option| is_on(option)) else { return };
    if group.actions.run_on_master.iter().any(|name| name == "odhcpd") {
        return;
    }
    let remedy = format!("uci add_list gwha.{}.run_on_master='odhcpd'", group.name);
    let is_known = found.iter().any(|hazard| hazard.remedy.first() == Some(&remedy));
    if !is_known {
        found.push(Hazard {
            text: format!(
                "{path}.{option} is on: odhcpd gives clients this router as gateway also while it stands by"
            ),
            remedy: vec![remedy],
        });
    }
}

/// An interface that is up on the master only.
fn interface(name: &str, files: &SystemFiles, found: &mut Vec<Hazard>) {
    let is_it = |section: &&Section| section.kind == "interface" && section.name.as_deref() == Some(name);
    let Some(section) = files.network.sections.iter().find(is_it) else {
        found.push(Hazard {
            text: format!(
                "there is no interface '{name}' in /etc/config/network, though it is in up_on_master"
            ),
            remedy: Vec::new(),
        });
        return;
    };
    let path = format!("network.{name}");
    let mut missing = |option: &str, value: &str, why: &str| {
        found.push(Hazard {
            text: format!("{path}.{option}: {why}"),
            remedy: vec![format!("uci set {path}.{option}='{value}'")],
        });
    };
    if flag(section, "auto", true) {
        missing("auto", "0", "it comes up at boot, also on a standby");
    }
    if text(section, "proto") != Some("dhcp") {
        return;
    }
    if !flag(section, "norelease", false) {
        missing(
            "norelease",
            "1",
            "the lease is given back when it goes down, and the other router gets another address",
        );
    }
    if text(section, "clientid").is_none() {
        missing(
            "clientid",
            "01020304050607",
            "made of this router's own identity: set the same one on both routers",
        );
    }
    if text(section, "hostname").is_none() {
        missing("hostname", "*", "the router's name is sent, and the names differ");
    }
    hardware_address(name, section, files, found);
}

/// The carrier gives one hardware address one lease.
fn hardware_address(name: &str, section: &Section, files: &SystemFiles, found: &mut Vec<Hazard>) {
    let device = text(section, "device").unwrap_or(name);
    let is_it = |it: &&Section| it.kind == "device" && text(it, "name") == Some(device);
    let described = files.network.sections.iter().find(is_it);
    let has_address = |section: &Section| text(section, "macaddr").is_some();
    if !described.is_some_and(has_address) && !has_address(section) {
        found.push(Hazard {
            text: format!(
                "network.{name}: its device '{device}' has the hardware address of this router; with one of its own \
                 on a macvlan, the same on both routers, the carrier sees one client"
            ),
            remedy: Vec::new(),
        });
    } else if described.and_then(|section| text(section, "type")) != Some("macvlan") {
        found.push(Hazard {
            text: format!(
                "network.{name}: '{device}' is a port with a changed hardware address, and loses its link for seconds \
                 at each takeover; a device of type macvlan on the port does not"
            ),
            remedy: Vec::new(),
        });
    }
}

/// The sections of a type with their paths, as the command `uci` takes them.
fn named<'a>(tree: &'a Tree, file: &'a str, kind: &'a str) -> impl Iterator<Item = (&'a Section, String)> {
    let sections = tree.sections.iter().filter(move |section| section.kind == kind);
    sections.zip(0u32..).map(move |(section, index)| {
        let path = match &section.name {
            Some(name) => format!("{file}.{name}"),
            None => format!("{file}.@{kind}[{index}]"),
        };
        (section, path)
    })
}

fn list<'a>(section: &'a Section, key: &str) -> impl Iterator<Item = &'a str> {
    let items = section.get(key).map(|value| value.items()).unwrap_or_default();
    items.iter().filter_map(|item| core::str::from_utf8(&item.bytes).ok())
}

fn text<'a>(section: &'a Section, key: &str) -> Option<&'a str> {
    list(section, key).next()
}

/// As OpenWrt's `config_get_bool` reads it.
fn flag(section: &Section, key: &str, default: bool) -> bool {
    match text(section, key) {
        Some("1" | "on" | "true" | "yes" | "enabled") => true,
        Some("0" | "off" | "false" | "no" | "disabled") => false,
        Some(_) | None => default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uci;

    const GWHA: &[u8] = b"
config instance 'lan'
    option interface 'lan'
    option vrid '1'
    list router '192.168.1.2'
    list router '192.168.1.3'
    list vip '192.168.1.1/24'
    option dhcp_on_master '1'
    list up_on_master 'wan'
";

    fn check(network: &str, dhcp: &str) -> Vec<Hazard> {
        let config = crate::config::load("gwha", GWHA).unwrap().config;
        let tree = |text: &str| uci::parse(text.as_bytes()).unwrap_or_else(|broken| broken.tree);
        hazards(&config, &SystemFiles { network: tree(network), dhcp: tree(dhcp) })
    }

    /// The files with every remedy applied by hand.
    const NETWORK: &str = "
config device
    option type 'macvlan'
    option ifname 'eth1'
    option name 'wanmac'
    option macaddr '02:00:00:00:00:01'
config interface 'wan'
    option device 'wanmac'
    option proto 'dhcp'
    option auto '0'
    option norelease '1'
    option clientid '01020304050607'
    option hostname '*'
";
    const DHCP: &str = "
config dnsmasq
    option authoritative '1'
config dhcp 'lan'
    option interface 'lan'
    option force '1'
";

    #[test]
    fn system_that_is_in_order_has_no_hazards() {
        assert_eq!(check(NETWORK, DHCP), []);
    }

    #[test]
    fn stock_openwrt_is_told_everything_that_matters() {
        let network = "config interface 'wan'\n\toption device 'eth1'\n\toption proto 'dhcp'\n";
        let dhcp =
            "config dnsmasq\n\toption sequential_ip '1'\nconfig dhcp 'lan'\n\toption interface 'lan'\n";
        let remedies: Vec<String> = check(network, dhcp).into_iter().flat_map(|it| it.remedy).collect();
        assert_eq!(
            remedies,
            [
                "uci set dhcp.@dnsmasq[0].authoritative='1'",
                "uci set dhcp.@dnsmasq[0].sequential_ip='0'",
                "uci set dhcp.lan.force='1'",
                "uci set network.wan.auto='0'",
                "uci set network.wan.norelease='1'",
                "uci set network.wan.clientid='01020304050607'",
                "uci set network.wan.hostname='*'",
            ]
        );
    }

    #[test]
    fn each_setting_that_spoils_a_takeover_is_named() {
        for (file, from, to, part) in [
            ("network", "macvlan", "", "loses its link"),
            ("network", "option macaddr '02:00:00:00:00:01'", "", "has the hardware address of this router"),
            ("network", "interface 'wan'", "interface 'other'", "no interface 'wan'"),
            ("dhcp", "authoritative '1'", "noping '1'\n option authoritative '1'", "noping"),
            ("dhcp", "authoritative '1'", "nonwildcard '0'\n option authoritative '1'", "nonwildcard"),
            ("dhcp", "force '1'", "force '1'\n list dhcp_option '54,192.168.1.1'", "54,"),
            (
                "dhcp",
                "force '1'",
                "force '1'\n option ra 'server'\n option dhcpv6 'server'",
                "dhcp.lan.ra is on",
            ),
        ] {
            let (network, dhcp) = match file {
                "network" => (NETWORK.replace(from, to), DHCP.to_owned()),
                _ => (NETWORK.to_owned(), DHCP.replace(from, to)),
            };
            let found = check(&network, &dhcp);
            assert!(found.len() == 1 && found[0].text.contains(part), "{to}: {found:#?}");
        }
    }
}

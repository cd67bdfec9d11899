//! What the packet filter is told, as text for `nft -f`. Each duty has a table of its own, so that fw4, which only ever
//! touches its own, and an administrator see at a glance what is gwha's.

use core::time::Duration;
use std::fmt::Write as _;
use std::net::IpAddr;

use crate::collect::IntoVec as _;
use crate::duties::Side;

/// Where a group's addresses are translated to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// The device that the traffic leaves by.
    pub device: String,
    /// The virtual address that it leaves with.
    pub to: IpAddr,
}

/// The name of a duty's table. Groups may have names that nft would not take.
pub fn table(what: &str, group: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("gwha_{what}_{}", group.chars().map(fits).collect::<String>())
}

/// A script that removes a table, whether it is there or not.
pub fn remove(table: &str) -> String {
    format!("table inet {table}\ndelete table inet {table}\n")
}

/// A table, which is the same on the master and on a standby but for what its sets hold.
///
/// So a change of the role is one message to the kernel, and the rules are in force before the first packet that they are
/// for.
#[derive(Debug)]
pub struct Ruleset {
    /// Its name.
    pub table: String,
    /// The script that makes it, or makes it anew, as on a standby.
    pub script: String,
    /// Its sets.
    pub sets: Vec<Set>,
}

/// A table that the packet filter was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Its name.
    pub table: String,
    /// The script that makes it as on the master.
    pub master: String,
    /// The side that it is for.
    pub side: Side,
}

/// A set of devices.
#[derive(Debug)]
pub struct Set {
    /// Its name.
    pub name: &'static str,
    /// What it holds on the master.
    pub master: Vec<String>,
    /// For so long, if not for ever.
    pub timeout: Option<Duration>,
    /// What it holds on a standby.
    pub standby: Vec<String>,
}

impl Ruleset {
    fn begin(table: &str, sets: Vec<Set>) -> Ruleset {
        let mut script = remove(table);
        let _ = writeln!(script, "table inet {table} {{");
        for Set { name, timeout, standby, .. } in &sets {
            let flags = if timeout.is_some() { "flags timeout; " } else { "" };
            let _ = write!(script, "\tset {name} {{ type ifname; {flags}");
            if !standby.is_empty() {
                let _ = write!(script, "elements = {{ {} }}; ", quoted(standby));
            }
            script.push_str("}\n");
        }
        Ruleset { table: table.to_owned(), script, sets }
    }

    /// A chain of the filter.
    fn chain(&mut self, hook: &str, priority: i32, rules: &[String]) {
        let kind = if hook == "postrouting" { "nat" } else { "filter" };
        let _ = writeln!(
            self.script,
            "\tchain {hook} {{\n\t\ttype {kind} hook {hook} priority {priority}; policy accept;\n\t\t{}\n\t}}",
            rules.join("\n\t\t")
        );
    }

    fn end(mut self) -> Ruleset {
        self.script += "}\n";
        self
    }

    /// The script that makes it as on the master: two tables are the same if these are.
    pub fn master(&self) -> String {
        let mut script = self.script.clone();
        for set in &self.sets {
            refill(&self.table, set, &mut script);
        }
        script
    }
}

/// Lines that make of a standby's set the master's.
fn refill(table: &str, set: &Set, script: &mut String) {
    let name = set.name;
    let _ = writeln!(script, "flush set inet {table} {name}");
    for device in &set.master {
        let _ = write!(script, "add element inet {table} {name} {{ \"{device}\"");
        if let Some(timeout) = set.timeout {
            let _ = write!(script, " timeout {}s", timeout.as_secs());
        }
        script.push_str(" }\n");
    }
}

/// The devices on which this router is master.
fn serving(devices: &[String]) -> Set {
    Set { name: SERVING, master: devices.to_vec(), timeout: None, standby: Vec::new() }
}

/// A standby's DHCP server hears nobody and answers nobody on these devices.
///
/// Before everything else in the filter, so that no other rule can let it through. Clients of DHCP on the router itself
/// (port 68, 546) are not concerned.
pub fn guard(table: &str, devices: &[String]) -> Ruleset {
    let mut rules = Ruleset::begin(table, vec![serving(devices)]);
    if devices.is_empty() {
        return rules.end();
    }
    let devices = quoted(devices);
    for (hook, way, port) in [("input", "iifname", "dport"), ("output", "oifname", "sport")] {
        let rule = format!("{way} != @{SERVING} {way} {{ {devices} }} udp {port} {{ 67, 547 }} drop");
        rules.chain(hook, FIRST, &[rule]);
    }
    rules.end()
}

/// Router advertisements leave from the virtual address of their device, whoever sends them, and on the master only.
///
/// So a client's default route is one through the virtual address, and stays as it is when the role moves. For the same
/// reason the farewell of a standby's daemon (lifetime 0) does not leave: that gateway lives on.
pub fn advertisements(table: &str, gateways: &[Translation]) -> Ruleset {
    let mut devices: Vec<String> = gateways.iter().map(|gateway| gateway.device.clone()).into_vec();
    devices.dedup();
    let mut rules = Ruleset::begin(table, vec![serving(&devices)]);
    if devices.is_empty() {
        return rules.end();
    }
    let devices = quoted(&devices);
    let advert = "icmpv6 type nd-router-advert";
    let mut lines = vec![format!("oifname != @{SERVING} oifname {{ {devices} }} {advert} drop")];
    for Translation { device, to } in gateways {
        lines.push(format!("oifname \"{device}\" {advert} ip6 saddr set {to}"));
    }
    rules.chain("output", FIRST, &lines);
    rules.end()
}

/// On the master, forwarded traffic leaves with the virtual address of its WAN. On a standby, and for some seconds after a
/// takeover, nobody is told that a connection is not known here.
///
/// The quiet: until the connections of the other router are known (or for ever, without a conntrackd), a packet in the
/// middle of one would be refused with a reset by the usual rules, and the reset would end it at both ends.
///
/// A packet that a standby still gets from a client leaves by where it came from, to the master, by the standby's own default
/// route. It is not tracked: an entry made of it would be one without translation, and a connection that never pauses would
/// be stuck with it when this router is master again.
pub fn master(table: &str, members: &[String], translations: &[Translation], wans: &[String]) -> Ruleset {
    let quiet = Set { name: "quiet", master: wans.to_vec(), timeout: Some(QUIET), standby: wans.to_vec() };
    let mut rules = Ruleset::begin(table, vec![serving(members), quiet]);
    let mut lines = Vec::new();
    for Translation { device, to } in translations {
        let (family, nfproto) = if to.is_ipv4() { ("ip", "ipv4") } else { ("ip6", "ipv6") };
        lines.push(format!(
            "oifname @{SERVING} oifname \"{device}\" meta nfproto {nfproto} fib saddr type != local \
             snat {family} to {to}"
        ));
    }
    // Also without any: there is no translation of what the other router has told of without a chain that might.
    rules.chain("postrouting", 99, &lines);
    lines.clear();
    for device in members {
        lines.push(format!(
            "iifname != @{SERVING} iifname \"{device}\" fib daddr type != local fib daddr oifname \"{device}\" notrack"
        ));
    }
    rules.chain("prerouting", RAW, &lines);
    let drop =
        "iifname @quiet meta l4proto tcp ct state { new, invalid } tcp flags & (syn | ack) != syn drop";
    for hook in ["input", "forward"] {
        rules.chain(hook, -1, &[drop.to_owned()]);
    }
    rules.end()
}

fn quoted(devices: &[String]) -> String {
    let names = devices.join("\", \"");
    ["\"", &names, "\""].concat()
}

/// How long nobody is told that a connection is not known. A retransmission comes within a second or two.
const QUIET: Duration = Duration::from_secs(5);
/// The set of every table: the devices on which this router is master.
const SERVING: &str = "serving";
/// Before everything else in the filter, connection tracking included.
const FIRST: i32 = -310;
/// Before connection tracking.
const RAW: i32 = -300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_names_are_names_to_nft() {
        assert_eq!(table("dhcp", "gateway"), "gwha_dhcp_gateway");
        assert_eq!(table("dhcp", "the gate-way"), "gwha_dhcp_the_gate_way");
    }

    #[test]
    fn every_script_replaces_its_table_at_one_stroke() {
        let translation = Translation { device: "wan".into(), to: "10.0.0.4".parse().unwrap() };
        let gateway = Translation { device: "lan".into(), to: "fe80::1".parse().unwrap() };
        let all = [
            guard("t", &["lan".into()]),
            advertisements("t", &[gateway]),
            master("t", &["wan".into()], &[translation], &["wan".into()]),
            master("t", &[], &[], &[]),
        ];
        for Ruleset { script, .. } in all {
            assert!(script.starts_with("table inet t\ndelete table inet t\ntable inet t {"), "{script}");
            assert_eq!(script.matches('{').count(), script.matches('}').count(), "{script}");
        }
    }
}

//! What the packet filter is told, as text for `nft -f`. Each duty has a table of its own, so that fw4, which only ever
//! touches its own, and an administrator see at a glance what is gwha's.

use std::fmt::Write as _;
use std::net::IpAddr;

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

/// A standby's DHCP server hears nobody and answers nobody on these devices.
///
/// Before everything else in the filter, so that no other rule can let it through. Clients of DHCP on the router itself
/// (port 68, 546) are not concerned.
pub fn guard(table: &str, devices: &[String]) -> String {
    let devices = quoted(devices);
    let mut script = remove(table);
    let _ = write!(
        script,
        "table inet {table} {{\n\
         \tchain input {{\n\
         \t\ttype filter hook input priority -310; policy accept;\n\
         \t\tiifname {{ {devices} }} udp dport {{ 67, 547 }} drop\n\
         \t}}\n\
         \tchain output {{\n\
         \t\ttype filter hook output priority -310; policy accept;\n\
         \t\toifname {{ {devices} }} udp sport {{ 67, 547 }} drop\n\
         \t}}\n\
         }}\n"
    );
    script
}

/// Forwarded traffic leaves with the virtual address of its WAN, and for some seconds nobody is told that a connection
/// is not known here.
///
/// The window: until the connections of the other router are known (or for ever, without a conntrackd), a packet in the
/// middle of one would be refused with a reset by the usual rules, and the reset would end it at both ends. The
/// elements of the set run out by themselves, so nothing has to be taken back.
pub fn master(table: &str, translations: &[Translation], wans: &[String]) -> String {
    let mut script = remove(table);
    let _ = writeln!(script, "table inet {table} {{");
    if !translations.is_empty() {
        script += "\tchain postrouting {\n\t\ttype nat hook postrouting priority 99; policy accept;\n";
        for Translation { device, to } in translations {
            let family = if to.is_ipv4() { "ip" } else { "ip6" };
            let nfproto = if to.is_ipv4() { "ipv4" } else { "ipv6" };
            let _ = writeln!(
                script,
                "\t\toifname \"{device}\" meta nfproto {nfproto} fib saddr type != local snat {family} to {to}"
            );
        }
        script += "\t}\n";
    }
    if !wans.is_empty() {
        let elements: Vec<String> =
            wans.iter().map(|device| format!("\"{device}\" timeout {QUIET_SECONDS}s")).collect();
        let _ = write!(
            script,
            "\tset quiet {{\n\
             \t\ttype ifname\n\
             \t\tflags timeout\n\
             \t\telements = {{ {} }}\n\
             \t}}\n\
             \tchain quiet_input {{\n\
             \t\ttype filter hook input priority -1; policy accept;\n\
             \t\tiifname @quiet meta l4proto tcp ct state {{ new, invalid }} tcp flags & (syn | ack) != syn drop\n\
             \t}}\n\
             \tchain quiet_forward {{\n\
             \t\ttype filter hook forward priority -1; policy accept;\n\
             \t\tiifname @quiet meta l4proto tcp ct state {{ new, invalid }} tcp flags & (syn | ack) != syn drop\n\
             \t}}\n",
            elements.join(", ")
        );
    }
    script += "}\n";
    script
}

fn quoted(devices: &[String]) -> String {
    devices.iter().map(|device| format!("\"{device}\"")).collect::<Vec<_>>().join(", ")
}

/// How long nobody is told that a connection is not known. A retransmission comes within a second or two.
const QUIET_SECONDS: u32 = 5;

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
        for script in [guard("t", &["lan".into()]), master("t", &[translation], &["wan".into()])] {
            assert!(script.starts_with("table inet t\ndelete table inet t\ntable inet t {"), "{script}");
            assert_eq!(script.matches('{').count(), script.matches('}').count(), "{script}");
        }
    }
}

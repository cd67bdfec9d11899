//! What follows from a role, and what that is carried out with.

use std::net::IpAddr;

/// What follows from a group's role besides its addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Actions {
    /// netifd interfaces up on the master, down elsewhere.
    pub up_on_master: Vec<String>,
    /// procd services running on the master, stopped elsewhere.
    pub run_on_master: Vec<String>,
    /// procd services reloaded at promotion.
    pub reload_on_master: Vec<String>,
    /// Only the master answers DHCP.
    pub dhcp_on_master: bool,
    /// Connection state follows the role.
    pub conntrack: bool,
    /// Forwarded traffic is translated to the WAN VIP while master.
    pub snat: bool,
    /// The standby's own way to the internet.
    pub standby_gateway: Option<IpAddr>,
    /// Routing table of the standby's default route; `None`: main.
    pub table: Option<u32>,
    /// Preference of the rule that points to `table`.
    pub rule_priority: Option<u32>,
    /// Command run after each role change.
    pub script: Option<String>,
}

/// Where the system's own tools are, if they are not where OpenWrt has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tools {
    /// Run as `PROGRAM NAME start|stop|running|reload` for services without an init script.
    pub service_command: Option<String>,
    /// Where dnsmasq reads further files.
    pub dnsmasq_dir: Option<String>,
}

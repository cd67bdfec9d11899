use super::*;
use crate::uci;

const GWHA: &str = "
config instance 'lan'
    option interface 'lan'
    option vrid '1'
    list router '192.168.1.2'
    list router '192.168.1.3'
    list vip '192.168.1.1/24'
config instance 'up'
    option interface 'up'
    option vrid '2'
    list router '10.0.0.2'
    list router '10.0.0.3'
    list vip '10.0.0.4/24'
config group 'gateway'
    list instance 'lan'
    list instance 'up'
    option dhcp_on_master '1'
    option conntrack '1'
    list up_on_master 'wan'
";

/// The files with every remedy applied by hand.
const NETWORK: &str = "
config globals 'globals'
    option ula_prefix 'fd00:1:2::/48'
config device
    option type 'bridge'
    option name 'br-lan'
config device
    option type 'macvlan'
    option ifname 'eth1'
    option name 'wanmac'
    option macaddr '02:00:00:00:00:01'
config interface 'lan'
    option device 'br-lan'
    option ipaddr '192.168.1.2'
config interface 'up'
    option device 'eth2'
    option ipaddr '10.0.0.2'
config interface 'wan'
    option device 'wanmac'
    option proto 'dhcp'
    option auto '0'
    option norelease '1'
    option clientid '01020304050607'
    option hostname '*'
config interface 'wan6'
    option device '@wan'
    option proto 'dhcpv6'
    option norelease '1'
    option clientid '00030001020000000001'
";
const DHCP: &str = "
config dnsmasq
    option authoritative '1'
config odhcpd 'odhcpd'
    option maindhcp '0'
config dhcp 'lan'
    option interface 'lan'
    option force '1'
";
const FIREWALL: &str = "
config zone
    option name 'lan'
    list network 'lan'
config zone
    option name 'wan'
    option network 'wan wan6 up'
    option masq '1'
config redirect
    option src 'wan'
    option dest 'lan'
    option src_dip '10.0.0.4'
";

fn check(gwha: &str, network: &str, dhcp: &str, firewall: &str) -> Vec<Hazard> {
    let config = crate::config::load("gwha", gwha.as_bytes()).unwrap().config;
    let tree = |text: &str| uci::parse(text.as_bytes()).unwrap_or_else(|broken| broken.tree);
    hazards(&config, &SystemFiles { network: tree(network), dhcp: tree(dhcp), firewall: tree(firewall) })
}

#[test]
fn system_that_is_in_order_has_no_hazards() {
    assert_eq!(check(GWHA, NETWORK, DHCP, FIREWALL), []);
}

#[test]
fn stock_openwrt_is_told_everything_that_matters() {
    let network = "config globals 'globals'\n\toption ula_prefix 'auto'\n\
        config interface 'lan'\n\toption device 'br-lan'\n\toption ipaddr '192.168.1.1'\n\
        config interface 'up'\n\toption device 'eth2'\n\
        config interface 'wan'\n\toption device 'eth1'\n\toption proto 'dhcp'\n\
        config interface 'wan6'\n\toption device 'eth1'\n\toption proto 'dhcpv6'\n";
    let dhcp = "config dnsmasq\n\toption sequential_ip '1'\n\
        config dhcp 'lan'\n\toption interface 'lan'\n\toption ra 'server'\n\toption dhcpv6 'server'\n\
        config dhcp 'wan'\n\toption interface 'wan'\n\toption ignore '1'\n";
    let found = check(GWHA, network, dhcp, FIREWALL);
    let remedies: Vec<&str> = found.iter().map(|it| it.remedy.as_str()).collect();
    assert_eq!(
        remedies,
        [
            "uci set dhcp.@dnsmasq[0].authoritative='1'",
            "uci set dhcp.@dnsmasq[0].sequential_ip='0'",
            "uci add_list gwha.gateway.run_on_master='odhcpd'",
            "uci set dhcp.lan.force='1'",
            "uci set network.wan.auto='0'",
            "uci set network.wan.norelease='1'",
            "uci set network.wan.clientid='01020304050607'",
            "uci set network.wan.hostname='*'",
            "",
            "uci set network.wan6.device='@wan'",
            "uci set network.lan.ipaddr='192.168.1.2'",
            "uci set network.globals.ula_prefix='fd5e:91c2:a704::/48'",
        ]
    );
}

/// One change of the good files each, and what is said of it.
const SPOILED: &[(&str, &str, &str, &str, &str)] = &[
    ("network", "macvlan", "", "loses its link", ""),
    ("network", "    option macaddr '02:00:00:00:00:01'", "", "has the hardware address of this router", ""),
    ("network", "interface 'wan'", "interface 'other'", "no interface 'wan'", ""),
    ("network", "auto '0'", "auto '1'", "also on a standby", "uci set network.wan.auto='0'"),
    ("network", "option hostname '*'", "", "names differ", "uci set network.wan.hostname='*'"),
    (
        "network",
        "clientid '01020304050607'",
        "other '1'",
        "own identity",
        "uci set network.wan.clientid='01020304050607'",
    ),
    (
        "network",
        "norelease '1'\n    option clientid '00",
        "clientid '00",
        "given back",
        "uci set network.wan6.norelease='1'",
    ),
    (
        "network",
        "clientid '00030001020000000001'",
        "other '1'",
        "own identity",
        "uci set network.wan6.clientid='00030001020304050607'",
    ),
    (
        "network",
        "device '@wan'",
        "device 'wanmac'",
        "keeps 'wanmac' up on a standby",
        "uci set network.wan6.device='@wan'",
    ),
    (
        "network",
        "ipaddr '192.168.1.2'",
        "ipaddr '192.168.1.1/24'",
        "192.168.1.2 or 192.168.1.3",
        "uci set network.lan.ipaddr='192.168.1.2'",
    ),
    (
        "network",
        "option name 'br-lan'",
        "option name 'br-lan'\n    option stp '1'",
        "both are master",
        "uci set network.@device[0].stp='0'",
    ),
    (
        "network",
        "fd00:1:2::/48",
        "auto",
        "makes up a prefix",
        "uci set network.globals.ula_prefix='fd5e:91c2:a704::/48'",
    ),
    (
        "dhcp",
        "authoritative '1'",
        "authoritative '0'",
        "silent to clients",
        "uci set dhcp.@dnsmasq[0].authoritative='1'",
    ),
    (
        "dhcp",
        "authoritative '1'",
        "noping '1'\n option authoritative '1'",
        "without a try",
        "uci set dhcp.@dnsmasq[0].noping='0'",
    ),
    (
        "dhcp",
        "authoritative '1'",
        "sequential_ip '1'\n option authoritative '1'",
        "in use",
        "uci set dhcp.@dnsmasq[0].sequential_ip='0'",
    ),
    (
        "dhcp",
        "authoritative '1'",
        "nonwildcard '0'\n option authoritative '1'",
        "comes later",
        "uci set dhcp.@dnsmasq[0].nonwildcard='1'",
    ),
    ("dhcp", "maindhcp '0'", "maindhcp '1'", "odhcpd", "uci set dhcp.odhcpd.maindhcp='0'"),
    ("dhcp", "force '1'", "force '0'", "refuses to serve", "uci set dhcp.lan.force='1'"),
    (
        "dhcp",
        "force '1'",
        "force '1'\n list dhcp_option '54,192.168.1.1'",
        "refuse what they are given",
        "uci del_list dhcp.lan.dhcp_option='54,192.168.1.1'",
    ),
    (
        "dhcp",
        "force '1'",
        "force '1'\n list dhcp_option '6,192.168.1.1'\n list dhcp_option '3,192.168.1.2'",
        "not told the virtual address",
        "uci del_list dhcp.lan.dhcp_option='3,192.168.1.2'",
    ),
    (
        "dhcp",
        "force '1'",
        "force '1'\n list dhcp_option_force 'option:dns-server,9.9.9.9'",
        "not told the virtual address",
        "uci del_list dhcp.lan.dhcp_option_force='option:dns-server,9.9.9.9'",
    ),
    (
        "dhcp",
        "force '1'",
        "force '1'\n option ra 'server'\n option dhcpv6 'server'",
        "dhcp.lan.ra is on",
        "uci add_list gwha.gateway.run_on_master='odhcpd'",
    ),
    (
        "firewall",
        "config zone",
        "config defaults\n    option flow_offloading '1'\nconfig zone",
        "after the next one",
        "uci set firewall.@defaults[0].flow_offloading='0'",
    ),
    (
        "firewall",
        "wan wan6 up",
        "wan6 up",
        "network 'wan' is in no zone",
        "uci add_list firewall.@zone[1].network='wan'",
    ),
    ("firewall", "wan wan6 up", "wan wan6", "network 'up' is in no zone", ""),
    (
        "firewall",
        "    option src_dip '10.0.0.4'",
        "",
        "hosts inside",
        "uci set firewall.@redirect[0].src_dip='10.0.0.4'",
    ),
    (
        "firewall",
        "src_dip '10.0.0.4'",
        "src_dip '10.0.0.3'",
        "own address",
        "uci set firewall.@redirect[0].src_dip='10.0.0.4'",
    ),
    (
        "gwha",
        "conntrack '1'",
        "conntrack '1'\n option snat '0'",
        "none survives",
        "uci set gwha.gateway.snat='1'",
    ),
];

#[test]
fn each_setting_that_spoils_a_takeover_is_named_with_what_mends_it() {
    for (file, from, to, part, remedy) in SPOILED {
        let spoil = |name: &str, text: &str| {
            assert!(name != *file || text.contains(from), "{name} has no {from}");
            if name == *file { text.replacen(from, to, 1) } else { text.to_owned() }
        };
        let found = check(
            &spoil("gwha", GWHA),
            &spoil("network", NETWORK),
            &spoil("dhcp", DHCP),
            &spoil("firewall", FIREWALL),
        );
        let [hazard] = &found[..] else { panic!("{to}: {found:#?}") };
        assert!(hazard.text.contains(part) && hazard.remedy == *remedy, "{to}: {hazard:?}");
    }
}

#[test]
fn what_is_not_there_is_no_hazard() {
    // No firewall of OpenWrt's, an address that is the router's own business, a zone by its device.
    assert_eq!(check(GWHA, NETWORK, DHCP, ""), []);
    let by_device = FIREWALL.replace("'wan wan6 up'", "'wan wan6'\n    list device 'eth2'");
    assert_eq!(check(GWHA, NETWORK, DHCP, &by_device), []);
    let others = FIREWALL.replace("option src_dip '10.0.0.4'", "option src_dip '10.0.0.9'");
    assert_eq!(check(GWHA, NETWORK, DHCP, &others), []);
    let unreflected = FIREWALL.replace("src_dip '10.0.0.4'", "reflection '0'");
    assert_eq!(check(GWHA, NETWORK, DHCP, &unreflected), []);
}

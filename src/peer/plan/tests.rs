use crate::config;
use crate::netlink::IfName;

use super::*;

const PAIR: &str = "
config instance 'lan'
    option interface 'lan'
    option vrid '1'
    list router '192.168.1.2'
    list router '192.168.1.3'
    list vip '192.168.1.1/24'
config instance 'wan'
    option interface 'wan'
    option vrid '2'
    list router '10.0.0.2'
    list router '10.0.0.3'
    list vip '10.0.0.4/24'
";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn config(text: &str) -> Config {
    config::load("gwha", text.as_bytes()).unwrap().config
}

/// The plan of the router with these addresses; every link is a device.
fn plan(config: &Config, own: &[&str]) -> Plan {
    let own: Vec<IpAddr> = own.iter().map(|text| ip(text)).collect();
    let source = |id: InstanceId| {
        let (Routers::Listed(all) | Routers::Peers { peers: all, .. }) =
            &config.instances[id.index()].routers;
        all.iter().find(|address| own.contains(address)).copied()
    };
    let device = |link: LinkId| {
        let name = IfName::new(config.links[link.index()].to_string())?;
        Some(Device { index: link.index() as u32 + 1, name })
    };
    Plan::new(config, &source, &own, &device)
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.routes.iter().map(|route| route.name.as_str()).collect()
}

#[test]
fn without_a_sync_section_there_is_no_channel() {
    assert_eq!(plan(&config(PAIR), &["192.168.1.2"]), Plan::default());
}

#[test]
fn chosen_instance_comes_first_and_the_others_stand_in() {
    let config = config(&format!(
        "{PAIR}config sync 'peer'\n option instance 'wan'\n option key_file '/etc/gwha/key'\n"
    ));
    let plan = plan(&config, &["192.168.1.3", "10.0.0.3"]);
    assert_eq!(names(&plan), ["wan", "lan"]);
    assert_eq!(plan.routes[0].own, ip("10.0.0.3"));
    assert_eq!(plan.routes[0].others, [(PeerId(0), ip("10.0.0.2"))]);
    assert_eq!(plan.routes[1].peer(ip("192.168.1.2")), Some(PeerId(0)), "one router, whichever segment");
    assert_eq!(plan.routes[1].address(PeerId(1)), None, "nobody is his own peer");
}

#[test]
fn segment_without_an_address_of_ours_is_left_out() {
    let config = config(&format!(
        "{PAIR}config sync 'peer'\n option instance 'lan'\n option key_file '/etc/gwha/key'\n"
    ));
    assert_eq!(names(&plan(&config, &["10.0.0.2"])), ["wan"]);
    assert_eq!(names(&plan(&config, &[])), [""; 0]);
}

#[test]
fn dedicated_link_is_used_before_any_instance() {
    let sync = "config sync 'peer'\n option interface 'ha'\n list router '172.16.0.1'\n list router '172.16.0.2'\n \
                option key_file '/etc/gwha/key'\n";
    let config = config(&format!("{PAIR}{sync}"));
    let plan = plan(&config, &["172.16.0.2", "192.168.1.3", "10.0.0.3"]);
    assert_eq!(plan.routes[0].own, ip("172.16.0.2"));
    assert_eq!(plan.routes[0].others, [(PeerId(0), ip("172.16.0.1"))]);
    assert_eq!(names(&plan)[1..], ["lan", "wan"]);
}

#[test]
fn instance_with_other_routers_does_not_stand_in() {
    let third = "
config instance 'iot'
    option interface 'iot'
    option vrid '3'
    list router '192.168.2.2'
    list router '192.168.2.3'
    list router '192.168.2.4'
    list vip '192.168.2.1/24'
config sync 'peer'
    option instance 'lan'
    option key_file '/etc/gwha/key'
";
    let plan = plan(&config(&format!("{PAIR}{third}")), &["192.168.1.2", "192.168.2.2", "10.0.0.2"]);
    assert_eq!(names(&plan), ["lan", "wan"]);
}

use super::*;

fn facts(node: &str, last: u8) -> Facts {
    Facts {
        node: node.into(),
        version: "0.1.0".into(),
        address: (Ipv4Addr::new(192, 168, 1, last), 24),
        network: Some("lan".into()),
        device: "br-lan".into(),
        serves_dhcp: false,
        key: None,
        config: None,
    }
}

fn host() -> Facts {
    facts("gw-a", 2)
}

fn guest() -> Facts {
    facts("gw-b", 3)
}

fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

fn vip() -> Vip {
    Ok(Gateway { address: Ipv4Addr::new(192, 168, 1, 1), length: 24, vrid: 51 })
}

fn plan(host: &Facts, guest: &Facts) -> Plan {
    agree(host, guest, &vip(), &key(9)).unwrap_or_else(|why| panic!("{why}"))
}

fn refused(host: &Facts, guest: &Facts) -> String {
    agree(host, guest, &vip(), &key(9)).expect_err("that should not work")
}

/// One that somebody wrote, without a channel.
const WRITTEN: &str = "config gwha 'main'\n\toption enabled '1'\n\nconfig instance 'home'\n\toption interface 'lan'\n\
    \toption vrid '7'\n\tlist router '192.168.1.2'\n\tlist router '192.168.1.3'\n\tlist vip '192.168.1.254/24'\n";

fn with_config(facts: Facts, config: &str) -> Facts {
    Facts { config: Some(config.into()), ..facts }
}

#[test]
fn two_bare_routers_get_the_smallest_configuration_and_a_new_key() {
    let plan = plan(&host(), &guest());

    assert_eq!(plan.key, key(9));
    let loaded = config::load("gwha", plan.config.as_bytes()).unwrap_or_else(|_| panic!("{}", plan.config));
    assert_eq!(loaded.warnings, []);
    let config = loaded.config;
    assert!(config.enabled);
    let routers: Vec<IpAddr> = vec![[192, 168, 1, 2].into(), [192, 168, 1, 3].into()];
    assert_eq!(config.instances[0].routers, Routers::Listed(routers));
    assert_eq!(config.instances[0].vips[0].address, IpAddr::from([192, 168, 1, 1]));
    assert_eq!(config.links[0].to_string(), "lan");
    assert_eq!(config.sync.as_ref().map(|sync| sync.leases), Some(false));
    assert_eq!(key_file(&config), "/etc/gwha/key");
    assert!(!plan.config.contains("dhcp_on_master"));
}

#[test]
fn dhcp_is_the_masters_where_both_serve_it_and_leases_follow_where_one_does() {
    let serves = |facts: Facts| Facts { serves_dhcp: true, ..facts };
    let both = load(&plan(&serves(host()), &serves(guest())).config).unwrap();
    assert!(both.groups[0].actions.dhcp_on_master);
    assert!(both.sync.unwrap().leases);
    let one = load(&plan(&host(), &serves(guest())).config).unwrap();
    assert!(!one.groups[0].actions.dhcp_on_master);
    assert!(one.sync.unwrap().leases);
}

#[test]
fn network_has_the_name_that_both_know() {
    let bare = |facts: Facts, device: &str| Facts { network: None, device: device.into(), ..facts };
    let both = plan(&bare(host(), "br-lan.7"), &bare(guest(), "br-lan.7"));
    assert!(both.config.contains("option device 'br-lan.7'"), "{}", both.config);
    assert!(both.config.contains("config instance 'br_lan_7'"), "{}", both.config);
    let mixed = plan(&host(), &bare(guest(), "br-lan"));
    assert!(mixed.config.contains("option device 'br-lan'"), "{}", mixed.config);
    let why = refused(&host(), &bare(guest(), "eth0"));
    assert!(why.contains("lan on gw-a") && why.contains("eth0 on gw-b"), "{why}");
}

#[test]
fn name_that_is_no_name_can_add_nothing_to_the_configuration() {
    let odd = |facts: Facts| Facts { network: Some("x'\n\toption".into()), ..facts };
    if let Ok(plan) = agree(&odd(host()), &odd(guest()), &vip(), &key(9)) {
        assert_eq!(load(&plan.config).unwrap().links[0].to_string(), "x'\n\toption");
    }
}

#[test]
fn configuration_in_use_on_one_router_goes_to_the_other_with_the_channel_added() {
    for (host, guest) in [(with_config(host(), WRITTEN), guest()), (host(), with_config(guest(), WRITTEN))] {
        let plan = plan(&host, &guest);
        assert!(plan.config.starts_with(WRITTEN), "{}", plan.config);
        let config = load(&plan.config).unwrap();
        assert_eq!(config.instances[0].name, "home");
        assert!(config.sync.is_some());
    }
}

#[test]
fn attempt_that_broke_off_is_taken_up_where_it_was() {
    let first = plan(&with_config(host(), WRITTEN), &guest());
    // The host has carried it out, the guest has not.
    let host_now = Facts { key: Some(first.key.clone()), ..with_config(host(), &first.config) };
    for guest_now in [guest(), with_config(guest(), WRITTEN), with_config(guest(), &first.config)] {
        let again = agree(&host_now, &guest_now, &Err("none".into()), &key(200)).unwrap();
        assert_eq!(again, first);
    }
    // The code is made on the other router this time.
    let turned = agree(&guest(), &host_now, &vip(), &key(200)).unwrap();
    assert_eq!((&turned.key, &turned.config), (&first.key, &first.config));
}

#[test]
fn configurations_that_differ_are_refused_and_a_router_can_give_its_own_up() {
    let other = WRITTEN.replace("'7'", "'8'");
    let why = refused(&with_config(host(), WRITTEN), &with_config(guest(), &other));
    assert!(why.contains("differ") && why.contains("--force"), "{why}");
    assert!(plan(&host(), &with_config(guest(), &other)).config.starts_with(&other));
}

#[test]
fn key_of_one_router_goes_to_the_other_and_two_keys_must_be_one() {
    let with_key = |facts: Facts, byte| Facts { key: Some(key(byte)), ..facts };
    assert_eq!(plan(&with_key(host(), 1), &guest()).key, key(1));
    assert_eq!(plan(&host(), &with_key(guest(), 2)).key, key(2));
    assert_eq!(plan(&with_key(host(), 3), &with_key(guest(), 3)).key, key(3));
    let why = refused(&with_key(host(), 1), &with_key(guest(), 2));
    assert!(why.contains("key") && why.contains("--force"), "{why}");
}

#[test]
fn routers_that_are_not_neighbours_are_refused() {
    assert!(refused(&host(), &host()).contains("both routers have the address"));
    let far = Facts { address: (Ipv4Addr::new(192, 168, 2, 3), 24), ..guest() };
    assert!(refused(&host(), &far).contains("not in the network"));
}

#[test]
fn configuration_that_is_not_for_both_is_refused() {
    let foreign = WRITTEN.replace("192.168.1.3", "192.168.1.9");
    let why = refused(&with_config(host(), &foreign), &guest());
    assert!(why.contains("192.168.1.3") && why.contains("list router"), "{why}");

    let own = "config instance 'lan'\n\toption device 'lan'\n\toption vrid '1'\n\toption source '192.168.1.2'\n\
        \tlist peer '192.168.1.3'\n\toption priority '100'\n\tlist vip '192.168.1.1/24'\n";
    let why = refused(&with_config(host(), own), &guest());
    assert!(why.contains("source"), "{why}");

    let broken = WRITTEN.replace("'7'", "'700'");
    assert!(refused(&with_config(host(), &broken), &guest()).contains("vrid"));
    let huge = WRITTEN.to_owned() + &"# long\n".repeat(8000);
    assert!(refused(&with_config(host(), &huge), &guest()).contains("bytes"));
}

#[test]
fn virtual_address_is_nobodys_own() {
    for last in [2, 3] {
        let vip = Ok(Gateway { address: Ipv4Addr::new(192, 168, 1, last), length: 24, vrid: 51 });
        let why = agree(&host(), &guest(), &vip, &key(9)).unwrap_err();
        assert!(why.contains("own") && why.contains("--vip"), "{why}");
    }
    let taken = Err("192.168.1.1 is in use".into());
    assert_eq!(agree(&host(), &guest(), &taken, &key(9)), Err("192.168.1.1 is in use".into()));
    let elsewhere = Ok(Gateway { address: Ipv4Addr::new(10, 0, 0, 1), length: 24, vrid: 51 });
    assert!(agree(&host(), &guest(), &elsewhere, &key(9)).unwrap_err().contains("subnet"));
}

#[test]
fn usual_gateway_is_the_first_address_of_the_network() {
    let of = |text: &str, length| usual_vip((text.parse().unwrap(), length)).map(|(vip, _)| vip.to_string());
    assert_eq!(of("192.168.1.77", 24).as_deref(), Some("192.168.1.1"));
    assert_eq!(of("10.1.2.3", 16).as_deref(), Some("10.1.0.1"));
    assert_eq!(of("10.1.2.3", 30).as_deref(), Some("10.1.2.1"));
    assert_eq!(of("10.1.2.3", 31), None);
    assert_eq!(of("10.1.2.3", 32), None);
}

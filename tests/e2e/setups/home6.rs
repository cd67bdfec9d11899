//! S4 with IPv6: a client configures itself (SLAAC) by the advertisements of the master, and its default route.

use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::lab::frame::Frame;
use crate::lab::gwha::{Gwha, configuration};
use crate::lab::probe::Probe;
use crate::lab::setup::{Preempt, Setup};
use crate::lab::topology::{Host, Segment};
use crate::lab::{Lab, scenario, until};

use super::super::support::{LIMIT, until_role};
use super::super::wire::assert_one_at_a_time;
use super::SETTLED;
use super::place::{Place, is_settled};

/// An address of the world behind the carrier router.
pub const OUTSIDE6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

const RADVD: &str = "interface lan {\n AdvSendAdvert on;\n MinRtrAdvInterval 3;\n MaxRtrAdvInterval 10;\n\
                     AdvDefaultLifetime 1800;\n prefix fd00:0:0:100::/64 { };\n};\n";

/// Where clients have their gateway.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Gateway {
    /// At the link-local virtual address.
    Virtual,
    /// At the address of the router itself: the LAN has no IPv6 instance.
    Own,
}

fn instance(segment: Segment, number: u8) -> String {
    let [link_local, global] = segment.vips6();
    let name = segment.name();
    format!(
        "\nconfig instance '{name}6'\n\toption device '{name}'\n\toption vrid '{number}'\n\
         \toption advert_interval '200'\n\tlist router 'fe80::2'\n\tlist router 'fe80::3'\n\
         \tlist vip '{link_local}/64'\n\tlist vip '{global}/64'\n"
    )
}

fn router(lab: &Lab, host: Host, gateway: Gateway) -> (Place, Gwha) {
    let place = Place::new(lab, host);
    place.dnsmasq();
    let conf = place.dir.join("radvd.conf");
    std::fs::write(&conf, RADVD).expect("radvd's configuration can be written");
    let pid = place.dir.join("radvd.own-pid");
    place.service("radvd", &format!("radvd -n -C {} -p {} -m stderr", conf.display(), pid.display()));
    host.netns().sysctl(&[("ipv6/conf/all/forwarding", "1")]);
    host.netns().ip_batch("route replace ::/0 via fe80::1 dev wan\n");

    let setup = Setup { preempt: Preempt::No, ..Setup::reference(200) };
    let text = configuration(&setup, host);
    let (_, rest) = text.split_once("\n\n").expect("the first section ends");
    let mut role = String::from(
        "config group 'gateway'\n\toption dhcp_on_master '1'\n\tlist run_on_master 'radvd'\n\tlist instance 'wan6'\n",
    );
    let mut instances = instance(Segment::Wan, 13);
    if gateway == Gateway::Virtual {
        role += "\tlist instance 'lan6'\n";
        instances += &instance(Segment::Lan, 11);
    } else {
        // What the router has on the LAN besides, as it has of its prefix from the carrier.
        host.netns().ip_batch(&format!("address add fd00:0:0:100::{}/64 dev lan nodad\n", host.name()));
    }
    let rest = rest.replace("config group 'gateway'\n", &role);
    let gwha =
        Gwha::start_with(lab, host, &format!("{}\n{rest}{instances}{}", place.options(), place.sync()));
    (place, gwha)
}

/// Two routers, of which A is master, and a client that configures itself.
pub fn pair(lab: &Lab, gateway: Gateway) -> ((Place, Gwha), (Place, Gwha)) {
    Host::Carrier.netns().sysctl(&[("ipv6/conf/all/forwarding", "1")]);
    let [wan_vip, _] = Segment::Wan.vips6();
    Host::Carrier.netns().ip_batch(&format!(
        "address add {OUTSIDE6}/128 dev lo\nroute add fd00:0:0:100::/64 via {wan_vip} dev wan\n"
    ));
    let a = router(lab, Host::A, gateway);
    until_role(&a.1, "master");
    let b = router(lab, Host::B, gateway);
    until_role(&b.1, "backup");
    for (_, node) in [&a, &b] {
        until("everything follows the role", SETTLED, || is_settled(node));
    }
    Host::Client.netns().sysctl(&[("ipv6/conf/lan/accept_ra", "1"), ("ipv6/conf/lan/autoconf", "1")]);
    // Asks for an advertisement, as a client does whose cable is plugged in.
    Host::Client.netns().ip_batch("link set lan addrgenmode eui64\nlink set lan down\nlink set lan up\n");
    (a, b)
}

/// The client's default routers.
fn gateways() -> Vec<String> {
    let output = Host::Client.netns().command("ip").args(["-6", "route", "show", "default"]).output();
    let text = String::from_utf8_lossy(&output.expect("ip can be run").stdout).into_owned();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.windows(2).filter(|pair| pair[0] == "via").map(|pair| pair[1].to_owned()).collect()
}

/// The router advertisements of the gateways on the LAN: when, whose, from which address, with which lifetime.
fn advertisements(lab: &Lab, since: Instant) -> Vec<(Instant, Host, Ipv6Addr, u16)> {
    let all = lab.capture.since(since).into_iter();
    all.filter_map(|sighting| match sighting.frame {
        Frame::RouterAdvert { source, lifetime } if sighting.segment == Segment::Lan => {
            Some((sighting.at, sighting.from, source, lifetime))
        }
        _ => None,
    })
    .collect()
}

/// Moves the role from A to B, and tells for how long the client could not reach the world.
fn outage(b: &Gwha, probe: &Probe, event: impl FnOnce()) -> Duration {
    probe.until_answered(SETTLED);
    let start = Instant::now();
    event();
    until_role(b, "master");
    probe.until_answered(SETTLED);
    until("everything follows the role", SETTLED, || is_settled(b));
    probe.outage(start).duration
}

#[test]
fn default_route_of_a_client_stays_over_a_switch_and_a_power_loss() {
    scenario(|lab| {
        let ((place_a, mut a), (place_b, b)) = pair(lab, Gateway::Virtual);
        let [vip, _] = Segment::Lan.vips6();
        let only_vip = || gateways() == [vip.to_string()];
        until("the client has its default route", SETTLED, only_vip);
        assert!(place_a.is_running("radvd") && !place_b.is_running("radvd"));
        let probe = Probe::start(Host::Client, IpAddr::V6(OUTSIDE6), Duration::from_millis(5));

        let took = outage(&b, &probe, || assert!(a.cli(&["switch"]).status.success()));
        eprintln!("IPv6: away for {took:?} by a switch");
        assert!(only_vip(), "{:?}", gateways());
        let took = outage(&a, &probe, || assert!(b.cli(&["switch"]).status.success()));
        eprintln!("IPv6: away for {took:?} by the switch back");
        let took = outage(&b, &probe, || {
            a.daemon.kill();
            lab.power_off(Host::A);
        });
        eprintln!("IPv6: away for {took:?} by a power loss");
        assert!(only_vip(), "{:?}", gateways());
        until("B advertises", LIMIT, || {
            advertisements(lab, lab.started).last().is_some_and(|it| it.1 == Host::B)
        });

        let seen = advertisements(lab, lab.started);
        assert!(seen.iter().all(|(_, _, source, lifetime)| *source == vip && *lifetime > 0), "{seen:?}");
        let whose: Vec<Host> = seen.iter().map(|(_, host, ..)| *host).collect();
        let moves = whose.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(moves == 3, "advertisements of {whose:?}");
        assert_one_at_a_time(lab);
    });
}

#[test]
fn without_a_virtual_gateway_the_old_master_says_goodbye() {
    scenario(|lab| {
        let ((_place_a, a), (_place_b, b)) = pair(lab, Gateway::Own);
        until("the client's gateway is A", SETTLED, || gateways() == ["fe80::2"]);
        let probe = Probe::start(Host::Client, IpAddr::V6(OUTSIDE6), Duration::from_millis(5));
        let event = Instant::now();
        let took = outage(&b, &probe, || assert!(a.cli(&["switch"]).status.success()));
        eprintln!("IPv6: away for {took:?} by a switch, by the daemons' own addresses");
        until("the client's gateway is B", SETTLED, || gateways() == ["fe80::3"]);
        let farewell =
            |(_, host, _, lifetime): &(Instant, Host, Ipv6Addr, u16)| *host == Host::A && *lifetime == 0;
        assert!(advertisements(lab, event).iter().any(farewell));
        assert_one_at_a_time(lab);
    });
}

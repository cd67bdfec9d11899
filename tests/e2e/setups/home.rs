//! S4, the reference: two routers behind a carrier router, everything moves as one.

use std::time::Instant;

use crate::lab::gwha::{Gwha, configuration};
use crate::lab::setup::{CarrierCheck, Preempt, Setup};
use crate::lab::topology::{Host, Segment};
use crate::lab::{Lab, scenario, until};

use super::super::support::{LIMIT, ms, until_role};
use super::super::wire::assert_one_at_a_time;
use super::SETTLED;
use super::place::{Place, is_settled, lease};
use super::streams::{Direction, Stream, resolves};

/// What S4 has besides addresses.
const ROLE: &str = "\toption dhcp_on_master '1'\n\toption conntrack '1'\n\tlist up_on_master 'wg0'\n\
                    \tlist run_on_master 'vpn'\n\toption standby_gateway '192.168.100.1'\n";

fn router(lab: &Lab, host: Host, setup: &Setup) -> (Place, Gwha) {
    let place = Place::new(lab, host);
    place.dnsmasq();
    place.service("vpn", "sleep 100000");
    host.netns().ip_batch("link add wg0 type veth peer name wg0-far\nlink set wg0-far up\n");
    let text = configuration(setup, host);
    let (_, rest) = text.split_once("\n\n").expect("the first section ends");
    let rest = rest.replace("config group 'gateway'\n", &format!("config group 'gateway'\n{ROLE}"));
    let gwha = Gwha::start_with(lab, host, &format!("{}\n{rest}{}", place.options(), place.sync()));
    (place, gwha)
}

/// Two routers, of which A is master, and everything follows.
pub fn pair(lab: &Lab, setup: &Setup) -> ((Place, Gwha), (Place, Gwha)) {
    let a = router(lab, Host::A, setup);
    until_role(&a.1, "master");
    let b = router(lab, Host::B, setup);
    until_role(&b.1, "backup");
    for (_, node) in [&a, &b] {
        until("everything follows the role", SETTLED, || is_settled(node));
    }
    (a, b)
}

/// Three segments and a carrier check, at a brisk pace.
pub fn setup() -> Setup {
    Setup { carrier_check: Some(CarrierCheck::FAST), preempt: Preempt::No, ..Setup::reference(200) }
}

/// What the master and the standby of S4 look like.
fn assert_roles(master: &Place, standby: &Place) {
    assert!(master.is_up("wg0") && !standby.is_up("wg0"), "wg0 is up on the master only");
    assert!(master.is_running("vpn") && !standby.is_running("vpn"), "vpn runs on the master only");
    assert!(master.is_running("dnsmasq") && standby.is_running("dnsmasq"), "dnsmasq runs on both");
    for table in ["gwha_dhcp_gateway", "gwha_wan_gateway"] {
        assert!(master.is_serving(table) && !standby.is_serving(table), "{table}");
    }
    let routes = |place: &Place| {
        String::from_utf8_lossy(&place.run("ip", &["route", "show", "default"]).stdout).into_owned()
    };
    assert!(routes(standby).contains("via 192.168.100.1"), "{}", routes(standby));
    assert!(!routes(master).contains("via 192.168.100.1"), "{}", routes(master));
}

#[test]
fn power_loss_of_the_master_moves_leases_services_and_connections() {
    scenario(|lab| {
        let ((place_a, mut a), (place_b, b)) = pair(lab, &setup());
        assert_roles(&place_a, &place_b);
        let first = lease(lab, Host::Phone, Segment::Iot);
        assert_eq!(first, None, "the lab's DHCP is on the LAN only");
        let before = lease(lab, Host::Client, Segment::Lan).expect("the master gives leases");
        assert_eq!((before.server.as_str(), before.router.as_str()), ("192.168.100.2", "192.168.100.1"));
        assert_eq!(before.dns, "192.168.100.1");
        let streams = [Direction::Upload, Direction::Download].map(|way| Stream::start(Host::Client, way));

        let event = Instant::now();
        lab.power_off(Host::A);
        a.daemon.kill();
        until_role(&b, "master");
        for stream in &streams {
            let took = stream.until_flowing(SETTLED);
            eprintln!(
                "{:?} flows again {took:?} later, {:?} after the power loss",
                stream.direction,
                event.elapsed()
            );
        }
        until("everything follows the role", SETTLED, || is_settled(&b));
        assert!(place_b.is_up("wg0") && place_b.is_running("vpn"));

        let after = lease(lab, Host::Client, Segment::Lan).expect("the new master gives leases");
        assert_eq!((after.server.as_str(), after.router.as_str()), ("192.168.100.3", "192.168.100.1"));
        assert_eq!(after.address, before.address);
        until("the new master answers DNS", LIMIT, || resolves(Host::Client, Segment::Lan.vip()));
        for stream in &streams {
            stream.assert_whole();
        }
        assert_one_at_a_time(lab);
    });
}

#[test]
fn any_one_cable_moves_everything_and_back() {
    scenario(|lab| {
        let (a, b) = pair(lab, &setup());
        let (mut from, mut to) = (&a, &b);
        for segment in Segment::ALL {
            lab.pull_cable(from.1.host, segment);
            lab.until_serving(to.1.host, LIMIT);
            until("the new master has everything", SETTLED, || is_settled(&to.1));
            until("the old one has nothing", SETTLED, || is_settled(&from.1));
            lab.plug_cable(from.1.host, segment);
            until_role(&from.1, "backup");
            until("the standby is one", SETTLED, || is_settled(&from.1));
            assert_roles(&to.0, &from.0);
            (from, to) = (to, from);
        }
        assert_one_at_a_time(lab);
    });
}

#[test]
fn a_standby_answers_dns_and_never_dhcp_not_even_a_dnsmasq_started_by_somebody_else() {
    scenario(|lab| {
        let ((_place_a, _a), (place_b, _b)) = pair(lab, &setup());
        until("the standby answers DNS", LIMIT, || resolves(Host::Client, Host::B.address(Segment::Lan)));
        // Somebody removes the file and starts dnsmasq again: only the guard is left.
        for file in std::fs::read_dir(place_b.dir.join("dnsmasq.d")).expect("it is there").flatten() {
            std::fs::remove_file(file.path()).expect("it can be removed");
        }
        for verb in ["stop", "start"] {
            place_b.run(&place_b.dir.join("service").to_string_lossy(), &["dnsmasq", verb]);
        }
        let got = lease(lab, Host::Client, Segment::Lan).expect("the master gives a lease");
        assert_eq!(got.server, "192.168.100.2");
        let log = std::fs::read_to_string(place_b.dir.join("dnsmasq.log")).unwrap_or_default();
        assert!(!log.contains("DHCPDISCOVER"), "the standby has heard a client:\n{log}");
        until("the file is back", ms(40_000), || {
            std::fs::read_dir(place_b.dir.join("dnsmasq.d")).is_ok_and(|mut files| files.next().is_some())
        });
        assert_one_at_a_time(lab);
    });
}

#[test]
fn a_stopped_daemon_leaves_a_standby() {
    scenario(|lab| {
        let ((place_a, mut a), (place_b, b)) = pair(lab, &setup());
        a.daemon.terminate(LIMIT);
        lab.until_serving(Host::B, LIMIT);
        until("B has everything", SETTLED, || is_settled(&b));
        assert_roles(&place_b, &place_a);
        let got = lease(lab, Host::Client, Segment::Lan).expect("B gives a lease");
        assert_eq!(got.server, "192.168.100.3");

        // Without gwha it is a router like any other again.
        let program = crate::lab::gwha::binary();
        let [config, run_dir] = [&a.config, &a.run_dir].map(|path| path.to_string_lossy().into_owned());
        let released =
            place_a.run(&program.to_string_lossy(), &["release", "--config", &config, "--run-dir", &run_dir]);
        assert!(released.status.success(), "{released:?}");
        assert!(!place_a.has_table("gwha_dhcp_gateway") && !place_a.has_table("gwha_wan_gateway"));
        assert!(std::fs::read_dir(place_a.dir.join("dnsmasq.d")).expect("it is there").next().is_none());
        let routes = place_a.run("ip", &["route", "show", "proto", "103"]);
        assert_eq!(String::from_utf8_lossy(&routes.stdout), "");
        assert_one_at_a_time(lab);
    });
}

#[test]
fn a_carrier_lost_for_both_moves_nothing() {
    scenario(|lab| {
        let ((place_a, a), (place_b, b)) = pair(lab, &setup());
        let calls =
            || [&place_a, &place_b].map(|place| std::fs::read(place.dir.join("calls")).unwrap_or_default());
        let (before, epochs) = (calls(), [a.epoch(), b.epoch()]);
        lab.cut_carrier(Host::A);
        lab.cut_carrier(Host::B);
        for node in [&a, &b] {
            until("the carrier is missed", LIMIT, || node.at("/tracks/0/state") == "down");
        }
        lab.stays_serving(Host::A, ms(2000));
        assert_roles(&place_a, &place_b);
        assert_eq!([a.epoch(), b.epoch()], epochs);
        // Nobody was started, stopped or asked to reload.
        let started = |calls: Vec<u8>| {
            let text = String::from_utf8_lossy(&calls).into_owned();
            text.lines().filter(|line| !line.ends_with("running")).count()
        };
        assert_eq!(calls().map(started), before.map(started));
        assert_one_at_a_time(lab);
    });
}

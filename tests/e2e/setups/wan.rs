//! S0, S2 and S3: one public address by DHCP, one hardware address on both routers, up on the master only.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use crate::lab::gwha::{Gwha, configuration};
use crate::lab::probe::Probe;
use crate::lab::process::Daemon;
use crate::lab::setup::{Preempt, Setup};
use crate::lab::topology::{Host, OUTSIDE, Segment};
use crate::lab::{Lab, scenario, until};

use super::super::support::{LIMIT, ms, until_role};
use super::super::wire::{assert_one_at_a_time, shared_frames};
use super::SETTLED;
use super::place::{Place, is_settled, lease};
use super::streams::{Direction, Stream, resolves};

/// The hardware address that the carrier knows.
const MAC: &str = "02:00:00:00:ff:01";

const ROLE: &str = "\toption dhcp_on_master '1'\n\toption conntrack '1'\n\tlist up_on_master 'pub'\n\
                    \tlist run_on_master 'dhcp-client'\n\tlist reload_on_master 'firewall'\n\
                    \toption standby_gateway '192.168.100.1'\n";

/// What a firewall of OpenWrt does with a WAN: masquerade, and no answer but a reset.
const FIREWALL: &str = "table inet fw {\n\
    chain postrouting { type nat hook postrouting priority 100; oifname pub masquerade; }\n\
    chain input { type filter hook input priority 0; iifname pub ct state established,related accept; \
        iifname pub meta l4proto tcp reject with tcp reset; }\n\
    chain forward { type filter hook forward priority 0; ct state established,related accept; \
        iifname lan oifname pub accept; iifname pub meta l4proto tcp reject with tcp reset; }\n}\n";

/// The carrier's DHCP server, with one address to give.
pub struct Carrier {
    leases: PathBuf,
    _server: Daemon,
}

impl Carrier {
    pub fn start(lab: &Lab) -> Carrier {
        let leases = lab.dir.join("isp.leases");
        let mut command = Host::Carrier.netns().command("dnsmasq");
        command.args([
            "-k",
            "--port=0",
            "--interface=wan",
            "--bind-dynamic",
            "--no-ping",
            "--user=root",
            "--pid-file=",
        ]);
        command.args([
            "--conf-file=/dev/null",
            "--dhcp-range=10.0.0.100,10.0.0.150,1h",
            "--dhcp-authoritative",
        ]);
        command.arg(format!("--dhcp-leasefile={}", leases.display()));
        let server = Daemon::start(command, &lab.dir.join("isp.log"));
        Carrier { leases, _server: server }
    }

    /// The clients that it knows, and their addresses.
    fn clients(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(&self.leases).unwrap_or_default();
        let line = |line: &str| {
            let mut words = line.split(' ').skip(1).map(str::to_owned);
            Some((words.next()?, words.next()?))
        };
        text.lines().filter_map(line).collect()
    }
}

fn router(lab: &Lab, host: Host, interval_ms: u32) -> (Place, Gwha) {
    let place = Place::new(lab, host);
    place.dnsmasq();
    let dir = place.dir.display();
    let script = "[ \"$1\" = bound ] || [ \"$1\" = renew ] || exit 0\n\
                  ip address replace $ip/$mask dev $interface\nip route replace default via $router dev $interface\n";
    fs::write(place.dir.join("bound"), format!("#!/bin/sh\n{script}")).expect("a script can be written");
    place.run("chmod", &["+x", &format!("{dir}/bound")]);
    place.service(
        "dhcp-client",
        &format!(
            "busybox udhcpc -f -t 20 -T 1 -A 1 -i pub -x 0x3d:01020000aabb01 -x hostname:gw -s {dir}/bound"
        ),
    );
    host.netns().ip_batch(&format!(
        "address flush dev wan\nlink add pub link wan address {MAC} type macvlan mode private\n"
    ));
    let file = place.dir.join("fw.nft");
    fs::write(&file, FIREWALL).expect("the firewall can be written");
    assert!(place.run("nft", &["-f", &file.to_string_lossy()]).status.success());
    let setup = Setup { preempt: Preempt::No, ..Setup::lan(interval_ms) };
    let text = configuration(&setup, host);
    let (_, rest) = text.split_once("\n\n").expect("the first section ends");
    let text = format!("{}\n{rest}{ROLE}{}", place.options(), place.sync());
    let gwha = Gwha::start_with(lab, host, &text);
    (place, gwha)
}

fn pair(lab: &Lab) -> ((Place, Gwha), (Place, Gwha)) {
    pair_at(lab, 100)
}

/// Two routers with one public address, and adverts at this interval.
pub fn pair_at(lab: &Lab, interval_ms: u32) -> ((Place, Gwha), (Place, Gwha)) {
    // Who knows the public address by the shared hardware address needs no routes into the LAN.
    let a = router(lab, Host::A, interval_ms);
    until_role(&a.1, "master");
    let b = router(lab, Host::B, interval_ms);
    until_role(&b.1, "backup");
    for (_, node) in [&a, &b] {
        until("everything follows the role", SETTLED, || is_settled(node));
    }
    // The DHCP client sets the route after the address.
    let has_way_out = || a.0.run("ip", &["route", "get", &OUTSIDE.to_string()]).status.success();
    until("the master has the public address", SETTLED, || public(&a.0).is_some() && has_way_out());
    (a, b)
}

/// The public address, while a router has it.
fn public(place: &Place) -> Option<String> {
    let output = place.run("ip", &["-4", "-o", "address", "show", "dev", "pub"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let word = text.split_whitespace().skip_while(|word| *word != "inet").nth(1)?;
    Some(word.split('/').next()?.to_owned())
}

#[test]
fn power_loss_keeps_the_public_address_and_the_connections() {
    scenario(|lab| {
        let carrier = Carrier::start(lab);
        let ((place_a, mut a), (place_b, b)) = pair(lab);
        let address = public(&place_a);
        assert!(place_a.is_up("pub") && !place_b.is_up("pub"));
        let before = lease(lab, Host::Client, Segment::Lan).expect("the master gives leases");
        let streams = [Direction::Upload, Direction::Download].map(|way| Stream::start(Host::Client, way));

        let event = Instant::now();
        lab.power_off(Host::A);
        a.daemon.kill();
        until_role(&b, "master");
        for stream in &streams {
            stream.until_flowing(SETTLED);
            eprintln!("{:?} flows again {:?} after the power loss", stream.direction, event.elapsed());
        }
        until("everything follows the role", SETTLED, || is_settled(&b));
        assert_eq!(public(&place_b), address, "the public address has changed");
        assert_eq!(carrier.clients().len(), 1, "the carrier sees two clients: {:?}", carrier.clients());
        assert_eq!(carrier.clients()[0].0, MAC);
        until("DNS answers", LIMIT, || resolves(Host::Client, Segment::Lan.vip()));
        let after = lease(lab, Host::Client, Segment::Lan).expect("the new master gives leases");
        assert_eq!(after.address, before.address);
        let calls = fs::read_to_string(place_b.dir.join("calls")).unwrap_or_default();
        assert_eq!(calls.matches("firewall reload").count(), 1, "{calls}");
        streams.iter().for_each(Stream::assert_whole);
        assert_one_at_a_time(lab);
    });
}

#[test]
fn a_switch_never_shows_the_shared_address_on_two_ports() {
    scenario(|lab| {
        let carrier = Carrier::start(lab);
        let ((place_a, a), (place_b, b)) = pair(lab);
        let address = public(&place_a);
        let streams = [Direction::Upload, Direction::Download].map(|way| Stream::start(Host::Client, way));

        let event = Instant::now();
        assert!(a.cli(&["switch"]).status.success());
        until_role(&b, "master");
        for stream in &streams {
            stream.until_flowing(SETTLED);
            eprintln!("{:?} flows again {:?} after the switch", stream.direction, event.elapsed());
        }
        for node in [&a, &b] {
            until("everything follows the role", SETTLED, || is_settled(node));
        }
        let seen = shared_frames(lab, lab.started);
        for host in [Host::A, Host::B] {
            let count = seen.iter().filter(|(_, from)| *from == host).count();
            assert!(count > 10, "{count} frames of {host}");
        }
        assert!(!place_a.is_up("pub") && place_b.is_up("pub"));
        assert_eq!((public(&place_b), carrier.clients().len()), (address, 1));
        streams.iter().for_each(Stream::assert_whole);
        assert_one_at_a_time(lab);
    });
}

/// How many of the client's connections to the world a router knows.
fn known(place: &Place) -> usize {
    let output = place.run("conntrack", &["-L", "-p", "tcp", "-d", &OUTSIDE.to_string()]);
    String::from_utf8_lossy(&output.stdout).matches("ESTABLISHED").count()
}

/// A router that loses its WAN forgets its connections, and the other one has nothing new to tell of them.
#[test]
fn connections_survive_the_second_switch_as_they_do_the_first() {
    scenario(|lab| {
        let _carrier = Carrier::start(lab);
        let ((place_a, a), (place_b, b)) = pair(lab);
        let streams = [Direction::Upload, Direction::Download].map(|way| Stream::start(Host::Client, way));
        let (mut master, mut standby) = ((&a, &place_a), (&b, &place_b));
        for turn in 0..3 {
            until("everything follows the role", SETTLED, || is_settled(master.0) && is_settled(standby.0));
            until("the standby knows both connections", SETTLED, || known(standby.1) == 2);
            assert!(master.0.cli(&["switch"]).status.success());
            until_role(standby.0, "master");
            for stream in &streams {
                stream.until_flowing(SETTLED);
            }
            eprintln!("both go on after switch {turn}");
            (master, standby) = (standby, master);
        }
        streams.iter().for_each(Stream::assert_whole);
        assert_one_at_a_time(lab);
    });
}

#[test]
fn the_standby_has_internet_through_the_master() {
    scenario(|lab| {
        let _carrier = Carrier::start(lab);
        let ((_place_a, _a), (place_b, _b)) = pair(lab);
        let outside = OUTSIDE.to_string();
        let reached = || place_b.run("ping", &["-c", "1", "-W", "1", &outside]).status.success();
        until("the standby reaches the world", ms(10_000), reached);
        assert_one_at_a_time(lab);
    });
}

/// What goes on without a pause never gives a wrong entry in the table of connections the time to run out.
#[test]
fn a_flow_that_never_pauses_goes_on_after_every_switch() {
    scenario(|lab| {
        let _carrier = Carrier::start(lab);
        let ((place_a, a), (place_b, b)) = pair(lab);
        let probe = Probe::start(Host::Client, OUTSIDE, ms(1));
        let (mut master, mut standby) = ((&a, &place_a), (&b, &place_b));
        for turn in 0..6 {
            probe.until_answered(LIMIT);
            for node in [&a, &b] {
                until("everything follows the role", SETTLED, || is_settled(node));
            }
            assert!(master.0.cli(&["switch"]).status.success());
            until_role(standby.0, "master");
            (master, standby) = (standby, master);
            std::thread::sleep(ms(1000));
            let event = Instant::now();
            while !probe.is_answered() {
                if event.elapsed() > ms(5000) {
                    let table = master.1.run("conntrack", &["-L", "-p", "icmp"]);
                    let routes = master.1.run("ip", &["route"]);
                    panic!("turn {turn}: {table:?}\n{routes:?}");
                }
            }
        }
        assert_one_at_a_time(lab);
    });
}

//! From takeover to the first reply through the WAN.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::gwha::Gwha;
use crate::lab::probe::Probe;
use crate::lab::topology::{Host, OUTSIDE, Segment};
use crate::lab::{Lab, until};
use crate::setups::place::{Place, follows};
use crate::setups::{SETTLED, home, home6, uplinks, wan};
use crate::support::{LIMIT, until_role};

/// The setups, as README and the tests call them. S0, S2 and S3 are one here: one public address by DHCP, one hardware
/// address, on a macvlan that is up on the master only.
pub const CASES: [&str; 4] = ["S0-S2-S3", "S1", "S4", "S4-IPv6"];

/// What the rows are about.
pub fn head(text: &mut String) {
    text.push_str(
        "\nFrom the last virtual address on the new master to the first reply from the world that a client on the LAN \
         gets; a probe every 5 ms, so up to 5 ms of it are waiting for the next probe. Median / worst, ms.\n\n\
         | setup | move | event to takeover | takeover to first reply |\n|---|---|---|---|\n",
    );
}

type Router = (Place, Gwha);

/// Moves the role so many times, by a switch and by a power loss, and prints two rows.
pub fn run(lab: &Lab, case: &str, times: usize) {
    let _carrier;
    let (a, b) = match case {
        "S1" => two_uplinks(lab),
        "S4" => home::pair(lab, &home::setup()),
        "S4-IPv6" => home6::pair(lab, home6::Gateway::Virtual),
        _ => {
            _carrier = wan::Carrier::start(lab);
            wan::pair_at(lab, 100)
        }
    };
    let target = if case == "S4-IPv6" { IpAddr::V6(home6::OUTSIDE6) } else { OUTSIDE };
    let probe = Probe::start(Host::Client, target, Duration::from_millis(5));
    let (mut master, mut standby) = (a, b);
    for what in ["switch", "power loss"] {
        let (mut takeovers, mut replies) = (Vec::new(), Vec::new());
        for _ in 0..times {
            probe.until_answered(SETTLED);
            settle(&master, &standby);
            let event = Instant::now();
            if what == "switch" {
                assert!(master.1.cli(&["switch"]).status.success(), "a switch");
            } else {
                master.1.daemon.kill();
                lab.power_off(master.1.host);
            }
            until("another router serves", LIMIT, || {
                lab.watch.holds(standby.1.host, Segment::Lan.vip().into())
            });
            until_role(&standby.1, "master");
            probe.until_answered(SETTLED);
            let host = standby.1.host;
            let added = |segment: Segment| {
                let vips = segment.vips6().map(IpAddr::V6).into_iter().chain([segment.vip().into()]);
                vips.filter_map(|vip| lab.watch.last_added(host, vip)).max()
            };
            let takeover = Segment::ALL.into_iter().filter_map(added).max().expect("addresses have come");
            let reply = probe.first_answer(takeover).expect("there was a reply");
            takeovers.push(takeover.saturating_duration_since(event));
            replies.push(reply.saturating_duration_since(takeover));
            if what != "switch" {
                come_back(lab, &mut master);
            }
            std::mem::swap(&mut master, &mut standby);
        }
        println!(
            "| {case}, {times} times | {what} | {} | {} |",
            crate::figures(&mut takeovers),
            crate::figures(&mut replies)
        );
    }
}

fn settle(master: &Router, standby: &Router) {
    for (_, node) in [master, standby] {
        until("everything follows the role", SETTLED, || follows(node));
    }
    until_role(&standby.1, "backup");
    thread::sleep(Duration::from_millis(700));
}

/// The daemon starts again on what a power loss has left here: its services are stopped and its links come up.
fn come_back(lab: &Lab, router: &mut Router) {
    for &segment in router.1.host.segments() {
        lab.plug_cable(router.1.host, segment);
    }
    router.1.restart();
    until_role(&router.1, "backup");
}

/// What the firewall of a router with an uplink of its own does.
const MASQUERADE: &str = "add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }; add rule ip nat post oifname wan masquerade";

/// S1: the main router and its backup, for whom the world is there.
fn two_uplinks(lab: &Lab) -> (Router, Router) {
    for number in 2..=4 {
        uplinks::world(lab, number, "add");
    }
    let file = uplinks::file().replace("\toption preempt_delay '0'", "\toption preempt '0'");
    let [a, b] = [Host::A, Host::B].map(|host| {
        let place = Place::new(lab, host);
        assert!(place.run("nft", &[MASQUERADE]).status.success());
        let gwha = Gwha::start_with(lab, host, &file);
        until_role(&gwha, if host == Host::A { "master" } else { "backup" });
        (place, gwha)
    });
    (a, b)
}

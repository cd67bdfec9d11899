//! gwha and Debian's keepalived as the two routers of one gateway, each in both places.
//!
//! The same course for each form of the protocol: election, power loss of the preferred router, its return
//! (it takes back), its orderly stop, and its return again. In every settled state exactly one of them holds
//! the addresses.

use std::time::Duration;

use crate::lab::gwha::Gwha;
use crate::lab::process::Daemon;
use crate::lab::setup::{Family, Mode, Naming, Setup, Version};
use crate::lab::topology::{Host, Segment};
use crate::lab::{Lab, holds_for, keepalived, scenario, until};

use super::support::LIMIT;

#[test]
fn v2_with_password_unicast_gwha_preferred() {
    scenario(|lab| course(lab, &v2_with_password(), [Speaker::Gwha, Speaker::Keepalived]));
}

#[test]
fn v2_with_password_unicast_keepalived_preferred() {
    scenario(|lab| course(lab, &v2_with_password(), [Speaker::Keepalived, Speaker::Gwha]));
}

#[test]
fn v3_ipv4_unicast_gwha_preferred() {
    scenario(|lab| course(lab, &v3(Family::V4), [Speaker::Gwha, Speaker::Keepalived]));
}

#[test]
fn v3_ipv4_unicast_keepalived_preferred() {
    scenario(|lab| course(lab, &v3(Family::V4), [Speaker::Keepalived, Speaker::Gwha]));
}

#[test]
fn v3_ipv6_unicast_gwha_preferred() {
    scenario(|lab| course(lab, &v3(Family::V6), [Speaker::Gwha, Speaker::Keepalived]));
}

#[test]
fn v3_ipv6_unicast_keepalived_preferred() {
    scenario(|lab| course(lab, &v3(Family::V6), [Speaker::Keepalived, Speaker::Gwha]));
}

#[test]
fn v2_multicast_gwha_preferred() {
    scenario(|lab| course(lab, &v2_multicast(), [Speaker::Gwha, Speaker::Keepalived]));
}

#[test]
fn v2_multicast_keepalived_preferred() {
    scenario(|lab| course(lab, &v2_multicast(), [Speaker::Keepalived, Speaker::Gwha]));
}

fn v2_with_password() -> Setup {
    Setup { version: Version::V2, secret: Some("s3cr3t12"), naming: Naming::Peers, ..Setup::lan(1000) }
}

fn v2_multicast() -> Setup {
    Setup { version: Version::V2, mode: Mode::Multicast, naming: Naming::Peers, ..Setup::lan(1000) }
}

fn v3(family: Family) -> Setup {
    Setup { family, naming: Naming::Peers, ..Setup::lan(100) }
}

/// Which program runs on a router.
#[derive(Clone, Copy)]
enum Speaker {
    Gwha,
    Keepalived,
}

/// A router with either program.
enum Router {
    Gwha(Gwha),
    Keepalived(Daemon),
}

impl Router {
    fn start(lab: &Lab, host: Host, setup: &Setup, speaker: Speaker) -> Router {
        match speaker {
            Speaker::Gwha => Router::Gwha(Gwha::start(lab, host, setup)),
            Speaker::Keepalived => Router::Keepalived(keepalived::start(lab, host, setup)),
        }
    }

    fn daemon(&mut self) -> &mut Daemon {
        match self {
            Router::Gwha(gwha) => &mut gwha.daemon,
            Router::Keepalived(daemon) => daemon,
        }
    }
}

fn course(lab: &Lab, setup: &Setup, [preferred, other]: [Speaker; 2]) {
    let mut a = Router::start(lab, Host::A, setup, preferred);
    let _b = Router::start(lab, Host::B, setup, other);
    settled(lab, setup, Host::A, "election");

    lab.silence(Host::A);
    a.daemon().kill();
    until("B holds the addresses after the power loss", LIMIT, || holders(lab, setup).contains(&Host::B));
    lab.reboot(Host::A);
    settled(lab, setup, Host::B, "power loss");

    let mut a = Router::start(lab, Host::A, setup, preferred);
    settled(lab, setup, Host::A, "return");

    a.daemon().terminate(LIMIT);
    settled(lab, setup, Host::B, "orderly stop");

    let _a = Router::start(lab, Host::A, setup, preferred);
    settled(lab, setup, Host::A, "second return");
}

/// Waits until `host` alone holds every address, and asserts that it stays so for three intervals.
#[track_caller]
fn settled(lab: &Lab, setup: &Setup, host: Host, after: &str) {
    let what = format!("after the {after} {host} alone holds the addresses");
    until(&what, LIMIT, || holders(lab, setup) == [host]);
    holds_for(&what, Duration::from_millis(3 * u64::from(setup.interval_ms)), || {
        holders(lab, setup) == [host]
    });
}

/// The gateways that hold any of the addresses; in no settled state one holds some and another the others.
fn holders(lab: &Lab, setup: &Setup) -> Vec<Host> {
    let vips = setup.vips(Segment::Lan);
    let holds = |host: &Host| vips.iter().any(|&vip| lab.watch.holds(*host, vip));
    Host::GATEWAYS.into_iter().filter(holds).collect()
}

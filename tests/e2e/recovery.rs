//! Interference, crashes, stalls and reloads: what was not asked for is put right, and nothing else is touched.

use std::net::IpAddr;
use std::thread;
use std::time::Instant;

use crate::lab::gwha::configuration;
use crate::lab::setup::{Preempt, Setup};
use crate::lab::topology::{Host, Segment};
use crate::lab::watch::Change;
use crate::lab::{holds_for, scenario, until};

use super::support::{LIMIT, ms, pair, until_holds, until_role};

const LAN: [Segment; 1] = [Segment::Lan];

/// An address on A that gwha has nothing to do with.
const FOREIGN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 100, 77));

#[test]
fn a_vip_deleted_by_hand_comes_back_without_a_role_change() {
    scenario(|lab| {
        let (a, b) = pair(lab, &Setup::lan(200));
        let epochs = (a.epoch(), b.epoch());
        for _ in 0..2 {
            let removal = Instant::now();
            lab.remove_address(Host::A, Segment::Lan, Segment::Lan.vip().into());
            until("the address is gone", LIMIT, || {
                lab.watch.since(removal).iter().any(|entry| entry.change == Change::Removed)
            });
            until_holds(lab, Host::A, &LAN);
        }
        assert_eq!((a.epoch(), b.epoch()), epochs);
    });
}

#[test]
fn killed_and_restarted_at_once_it_goes_on_as_master_and_nothing_is_touched() {
    scenario(|lab| {
        let (mut a, b) = pair(lab, &Setup::reference(1000));
        let probe = lab.probe_outside();
        probe.until_answered(LIMIT);
        let epoch = b.epoch();

        let event = Instant::now();
        a.daemon.kill();
        a.restart();
        until_role(&a, "master");
        lab.stays_serving(Host::A, ms(4000));

        assert_eq!(b.epoch(), epoch, "B has changed its role");
        assert!(lab.watch.since(event).is_empty(), "addresses have moved: {:?}", lab.watch.since(event));
        assert_eq!(probe.lost_since(event), 0);
    });
}

#[test]
fn killed_and_restarted_after_the_takeover_it_drops_its_addresses_and_no_others() {
    scenario(|lab| {
        let setup = Setup { preempt: Preempt::No, ..Setup::lan(200) };
        let (mut a, b) = pair(lab, &setup);
        lab.add_address(Host::A, Segment::Lan, FOREIGN);

        a.daemon.kill();
        until_role(&b, "master");
        a.restart();
        until_role(&a, "backup");
        until_holds(lab, Host::B, &LAN);
        holds_for("A stays without the address", ms(1000), || lab.holders(Segment::Lan) == [Host::B]);
        assert!(lab.watch.holds(Host::A, FOREIGN), "an address that is not gwha's was removed");
    });
}

#[test]
fn killed_and_restarted_alone_it_keeps_its_addresses() {
    scenario(|lab| {
        let (mut a, mut b) = pair(lab, &Setup::lan(200));
        lab.add_address(Host::A, Segment::Lan, FOREIGN);
        lab.silence(Host::B);
        b.daemon.kill();

        a.daemon.kill();
        // Long enough for its mastership to have lapsed: it has to be elected again.
        thread::sleep(ms(2000));
        let restart = Instant::now();
        a.restart();
        until_role(&a, "master");
        let removed = |lab: &crate::lab::Lab| {
            lab.watch.since(restart).into_iter().any(|m| m.host == Host::A && m.change == Change::Removed)
        };
        holds_for("A keeps the address", ms(1000), || lab.holders(Segment::Lan).contains(&Host::A));
        assert!(!removed(lab), "A has dropped an address: {:?}", lab.watch.since(restart));
        assert!(lab.watch.holds(Host::A, FOREIGN));
    });
}

#[test]
fn an_address_that_left_the_configuration_while_the_daemon_was_dead_is_removed() {
    scenario(|lab| {
        let setup = Setup::lan(200);
        let (mut a, _b) = pair(lab, &setup);
        let (old, new) = (Segment::Lan.vip().to_string(), "192.168.100.9");
        lab.add_address(Host::A, Segment::Lan, FOREIGN);

        a.daemon.kill();
        a.write_config(&configuration(&setup, Host::A).replace(&format!("'{old}/"), &format!("'{new}/")));
        a.restart();
        let new: IpAddr = new.parse().expect("an address");
        until("A has the new address and not the old one", LIMIT, || {
            lab.watch.holds(Host::A, new) && !lab.watch.holds(Host::A, Segment::Lan.vip().into())
        });
        assert!(lab.watch.holds(Host::A, FOREIGN));
    });
}

#[test]
fn a_backup_stopped_for_longer_than_master_down_does_not_take_over() {
    scenario(|lab| {
        let (a, b) = pair(lab, &Setup::lan(200));
        let epochs = (a.epoch(), b.epoch());
        let event = Instant::now();
        b.daemon.freeze();
        thread::sleep(ms(900));
        b.daemon.thaw();
        holds_for("A serves", ms(2000), || lab.holders(Segment::Lan) == [Host::A]);
        assert_eq!((a.epoch(), b.epoch()), epochs);
        assert!(lab.watch.since(event).is_empty(), "addresses have moved: {:?}", lab.watch.since(event));
    });
}

#[test]
fn a_master_stopped_for_seconds_gives_way_and_nobody_shares_the_address_for_long() {
    scenario(|lab| {
        let (a, _b) = pair(lab, &Setup { preempt: Preempt::No, ..Setup::lan(200) });
        a.daemon.freeze();
        until("B has taken over", LIMIT, || lab.holders(Segment::Lan).contains(&Host::B));
        a.daemon.thaw();
        until_holds(lab, Host::B, &LAN);
        until_role(&a, "backup");
        holds_for("B serves", ms(1000), || lab.holders(Segment::Lan) == [Host::B]);
    });
}

#[test]
fn a_reload_that_changes_nothing_sends_nothing() {
    scenario(|lab| {
        let setup = Setup::lan(1000);
        let (a, b) = pair(lab, &setup);
        let epochs = (a.epoch(), b.epoch());
        // The announcements that follow a promotion come to their end first.
        thread::sleep(ms(6000));
        let quiet = Instant::now();
        until("an advert", LIMIT, || !lab.capture.adverts(Host::A, Segment::Lan, quiet).is_empty());

        let event = Instant::now();
        a.hup();
        b.hup();
        thread::sleep(ms(3500));
        for host in [Host::A, Host::B] {
            let announced = lab.capture.announcements(host, event);
            assert!(announced.is_empty(), "{host} has announced: {announced:?}");
        }
        let adverts = lab.capture.adverts(Host::A, Segment::Lan, event).len();
        assert!((3..=4).contains(&adverts), "{adverts} adverts of A in 3.5 s");
        assert!(lab.capture.adverts(Host::B, Segment::Lan, event).is_empty(), "B has sent an advert");
        assert!(lab.watch.since(event).is_empty());
        assert_eq!((a.epoch(), b.epoch()), epochs);
        assert_eq!(a.at("/config/state"), "applied");
    });
}

#[test]
fn a_broken_file_at_reload_is_reported_and_the_running_configuration_stays() {
    scenario(|lab| {
        let setup = Setup::lan(200);
        let (mut a, _b) = pair(lab, &setup);
        let epoch = a.epoch();
        let event = Instant::now();

        a.write_config("config instance 'lan'\n\toption vrid '999'\n\toption device 'nonesuch'\n");
        a.hup();
        until("the file is reported as rejected", LIMIT, || a.at("/config/state") == "rejected");
        let errors = a.at("/config/errors");
        assert!(errors.as_array().is_some_and(|list| list.len() >= 2), "not every error is there: {errors}");
        holds_for("A serves", ms(1000), || lab.holders(Segment::Lan) == [Host::A]);

        a.write_config(&configuration(&setup, Host::A));
        a.hup();
        until("the good file is applied", LIMIT, || a.at("/config/state") == "applied");
        assert!(a.daemon.is_running());
        assert_eq!(a.epoch(), epoch);
        assert!(lab.watch.since(event).is_empty(), "addresses have moved: {:?}", lab.watch.since(event));
    });
}

#[test]
fn a_reload_adds_and_removes_an_address_of_the_master_without_a_role_change() {
    scenario(|lab| {
        let setup = Setup::lan(200);
        let (a, b) = pair(lab, &setup);
        let epochs = (a.epoch(), b.epoch());
        let second: IpAddr = "192.168.100.8".parse().expect("an address");
        let with_two = |host| {
            configuration(&setup, host).replace("\tlist vip", "\tlist vip '192.168.100.8/24'\n\tlist vip")
        };

        // On one node only, and on the other one later: neither may make them quarrel.
        for node in [&a, &b] {
            node.write_config(&with_two(node.host));
            node.hup();
            until("A has both addresses", LIMIT, || lab.holders_of(second) == [Host::A]);
            holds_for("A keeps the first", ms(1000), || lab.holders(Segment::Lan) == [Host::A]);
        }
        a.write_config(&configuration(&setup, Host::A));
        a.hup();
        until("A has dropped the second", LIMIT, || lab.holders_of(second).is_empty());
        assert_eq!(lab.holders(Segment::Lan), [Host::A]);
        assert_eq!((a.epoch(), b.epoch()), epochs);
    });
}

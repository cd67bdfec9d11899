//! Three segments in one group: it moves as one, it serves what it can, and it never drops anything to nobody.

use std::time::{Duration, Instant};

use crate::lab::probe::Probe;
use crate::lab::setup::{CarrierCheck, Setup};
use crate::lab::topology::{Host, OUTSIDE, Segment};
use crate::lab::{holds_for, scenario, until};

use super::support::{LIMIT, holds, ms, pair, until_holds, until_role};

#[test]
fn one_members_cable_moves_all_three_well_within_an_interval() {
    scenario(|lab| {
        let setup = Setup::reference(1000);
        let (_a, _b) = pair(lab, &setup);
        for segment in Segment::ALL {
            let event = Instant::now();
            lab.pull_cable(Host::A, segment);
            let moved = lab.until_serving(Host::B, LIMIT).duration_since(event);
            assert!(moved < ms(500), "{segment}: the group moved after {moved:?}");
            lab.plug_cable(Host::A, segment);
            lab.until_serving(Host::A, LIMIT);
        }
    });
}

#[test]
fn both_without_a_lan_still_serve_the_wan_and_the_iot() {
    scenario(|lab| {
        let (_a, _b) = pair(lab, &Setup::reference(200));
        let phone = Probe::start(Host::Phone, OUTSIDE, ms(5));

        lab.pull_cable(Host::A, Segment::Lan);
        lab.until_serving(Host::B, LIMIT);
        lab.pull_cable(Host::B, Segment::Lan);
        let rest = [Segment::Iot, Segment::Wan];
        until("one of them serves the rest", LIMIT, || {
            [Host::A, Host::B].into_iter().any(|host| holds(lab, host, &rest))
        });
        phone.until_answered(LIMIT);
        let since = Instant::now();
        holds_for("the rest is served by one of them", ms(2000), || {
            [Host::A, Host::B].into_iter().any(|host| holds(lab, host, &rest))
        });
        assert_eq!(phone.lost_since(since), 0, "the phone lost probes while both had no LAN");

        lab.plug_cable(Host::A, Segment::Lan);
        lab.plug_cable(Host::B, Segment::Lan);
        lab.until_serving(Host::A, LIMIT);
    });
}

#[test]
fn a_carrier_lost_for_the_master_moves_the_group_and_its_return_brings_it_back() {
    scenario(|lab| {
        let setup = Setup { carrier_check: Some(CarrierCheck::FAST), ..Setup::reference(200) };
        let (_a, _b) = pair(lab, &setup);
        lab.cut_carrier(Host::A);
        lab.until_serving(Host::B, LIMIT);
        lab.mend_all();
        lab.until_serving(Host::A, LIMIT);
    });
}

#[test]
fn a_carrier_lost_for_both_moves_nothing() {
    scenario(|lab| {
        let setup = Setup { carrier_check: Some(CarrierCheck::FAST), ..Setup::reference(200) };
        let (a, b) = pair(lab, &setup);
        let until_track = |state: &str| {
            until(&format!("both see the carrier {state}"), LIMIT, || {
                [&a, &b].into_iter().all(|node| node.at("/tracks/0/state") == state)
            });
        };
        until_track("up");
        let epochs = (a.epoch(), b.epoch());

        let event = Instant::now();
        lab.pull_cable(Host::Carrier, Segment::Wan);
        until_track("down");
        holds_for("A serves while the carrier is lost for both", ms(2000), || lab.serves_alone(Host::A));
        lab.plug_cable(Host::Carrier, Segment::Wan);
        until_track("up");
        holds_for("A serves once the carrier is back", ms(2000), || lab.serves_alone(Host::A));

        assert_eq!((a.epoch(), b.epoch()), epochs);
        assert!(lab.watch.since(event).is_empty(), "addresses have moved: {:?}", lab.watch.since(event));
    });
}

#[test]
fn alone_neither_a_fault_nor_a_switch_makes_the_master_drop_anything() {
    scenario(|lab| {
        let setup = Setup { carrier_check: Some(CarrierCheck::FAST), ..Setup::reference(200) };
        let (a, mut b) = pair(lab, &setup);
        lab.silence(Host::B);
        b.daemon.kill();
        let gateway = Probe::start(Host::Client, Segment::Lan.vip().into(), ms(5));
        gateway.until_answered(LIMIT);
        let epoch = a.epoch();
        let event = Instant::now();
        let serves = |what: &str, segments: &[Segment]| {
            holds_for(what, ms(1500), || segments.iter().all(|&s| lab.holders(s).contains(&Host::A)));
        };

        lab.pull_cable(Host::Carrier, Segment::Wan);
        until("the carrier is lost", LIMIT, || a.at("/tracks/0/state") == "down");
        serves("A serves without the carrier", &Segment::ALL);
        lab.plug_cable(Host::Carrier, Segment::Wan);

        lab.pull_cable(Host::A, Segment::Iot);
        serves("A serves without the IoT", &[Segment::Lan, Segment::Wan]);
        lab.plug_cable(Host::A, Segment::Iot);

        let refused = a.cli(&["switch"]);
        assert!(!refused.status.success(), "a switch to nobody was not refused: {refused:?}");
        serves("A serves after the refused switch", &Segment::ALL);

        assert_eq!(a.role(), "master");
        assert_eq!(a.epoch(), epoch);
        assert_eq!(gateway.lost_since(event), 0);
    });
}

#[test]
fn a_backup_that_was_dead_takes_over_from_a_master_that_got_worse_meanwhile() {
    scenario(|lab| {
        let setup = Setup::reference(200);
        let (_a, mut b) = pair(lab, &setup);
        lab.silence(Host::B);
        b.daemon.kill();
        lab.pull_cable(Host::A, Segment::Lan);
        holds_for("A serves what it can", Duration::from_secs(1), || {
            [Segment::Iot, Segment::Wan].into_iter().all(|s| lab.holders(s).contains(&Host::A))
        });

        lab.reboot(Host::B);
        b.restart();
        until_role(&b, "master");
        until_holds(lab, Host::B, &Segment::ALL);
    });
}

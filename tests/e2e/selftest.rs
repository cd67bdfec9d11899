//! The lab itself, with keepalived on both gateways: what the other scenarios observe is observed rightly.

use std::thread;
use std::time::{Duration, Instant};

use crate::lab::attack::{Forgery, Stranger, Sum};
use crate::lab::setup::{CarrierCheck, Setup};
use crate::lab::topology::{Host, Segment};
use crate::lab::{keepalived, scenario, until};

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

#[test]
fn keepalived_takes_over_when_the_power_goes_and_the_probes_show_the_gap() {
    scenario(|lab| {
        let setup = Setup::reference(100);
        let mut a = keepalived::start(lab, Host::A, &setup);
        let _b = keepalived::start(lab, Host::B, &setup);
        lab.until_serving(Host::A, SECONDS(10));
        let probe = lab.probe_outside();
        probe.until_answered(SECONDS(5));

        let event = Instant::now();
        lab.silence(Host::A);
        a.kill();
        until("B holds every VIP", SECONDS(10), || {
            Segment::ALL.into_iter().all(|s| lab.holders(s).contains(&Host::B))
        });
        probe.until_answered(SECONDS(5));

        let outage = probe.outage(event);
        assert!(outage.lost > 20, "{outage:?}");
        assert!(outage.duration > Duration::from_millis(200) && outage.duration < SECONDS(5), "{outage:?}");
        assert!(lab.capture.adverts(Host::A, Segment::Lan, event).len() <= 1);
        assert!(!lab.capture.adverts(Host::B, Segment::Lan, event).is_empty());
        assert!(!lab.capture.announcements(Host::B, event).is_empty());

        lab.reboot(Host::A);
        let _a = keepalived::start(lab, Host::A, &setup);
        lab.until_serving(Host::A, SECONDS(10));
    });
}

#[test]
fn keepalived_moves_when_the_carrier_is_lost_for_the_master_only() {
    scenario(|lab| {
        let setup = Setup { carrier_check: Some(CarrierCheck::EVERY_SECOND), ..Setup::reference(100) };
        let _a = keepalived::start(lab, Host::A, &setup);
        let _b = keepalived::start(lab, Host::B, &setup);
        lab.until_serving(Host::A, SECONDS(10));

        lab.cut_carrier(Host::A);
        lab.until_serving(Host::B, SECONDS(20));
        lab.mend_all();
        lab.until_serving(Host::A, SECONDS(20));
    });
}

#[test]
fn a_pulled_cable_takes_the_carrier_and_an_idle_lab_loses_no_probe() {
    scenario(|lab| {
        let setup = Setup::reference(100);
        let _a = keepalived::start(lab, Host::A, &setup);
        let _b = keepalived::start(lab, Host::B, &setup);
        lab.until_serving(Host::A, SECONDS(10));
        let probe = lab.probe_outside();
        probe.until_answered(SECONDS(5));

        let quiet = Instant::now();
        lab.stays_serving(Host::A, SECONDS(1));
        assert_eq!(probe.lost_since(quiet), 0);

        lab.pull_cable(Host::A, Segment::Lan);
        lab.until_serving(Host::B, SECONDS(10));
        lab.plug_cable(Host::A, Segment::Lan);
        lab.until_serving(Host::A, SECONDS(10));
    });
}

/// What `hostile.rs` asks of gwha, keepalived 2.2.7 does not do: so the stranger's packets do arrive, and their effect
/// would be seen.
#[test]
fn junk_from_the_stranger_silences_keepalived() {
    scenario(|lab| {
        let setup = Setup::lan(200);
        let _a = keepalived::start(lab, Host::A, &setup);
        let _b = keepalived::start(lab, Host::B, &setup);
        until("A holds the address", SECONDS(10), || lab.holders(Segment::Lan) == [Host::A]);

        let [to, from] = [Host::A, Host::Stranger].map(|host| host.address(Segment::Lan));
        let junk = Forgery { sum: Sum::Wrong, ..Forgery::v3(from, to, Segment::Lan.vip(), 20) }.packet();
        let stranger = Stranger::new();
        let start = Instant::now();
        for _ in 0..20 {
            stranger.send(&junk, to);
            thread::sleep(Duration::from_millis(100));
        }
        let adverts = lab.capture.adverts(Host::A, Segment::Lan, start).len();
        assert!(adverts <= 5, "{adverts} of 10 adverts were sent");
    });
}

//! The carrier, lost for one and for both, at every phase of the probes.

use crate::fault::Order;

use super::*;

/// Intervals, falls and weights.
const TRACKS: [&str; 6] = [
    "track carrier on=wan interval=5s timeout=2s fall=2 rise=2 weight=-30",
    "track carrier on=wan interval=5s timeout=5s fall=1 rise=3 weight=-30",
    "track carrier on=wan interval=1s timeout=0.5s fall=2 rise=2 weight=fault",
    "track carrier on=wan interval=5s timeout=2s fall=1 rise=1 weight=fault",
    "track carrier on=wan interval=200ms timeout=100ms fall=3 rise=5 weight=-15",
    "track carrier on=wan kind=script interval=1s timeout=1s fall=2 rise=2 weight=-30",
];

#[test]
fn a_carrier_lost_for_the_master_moves_the_role_when_it_says_so() {
    for seed in 0..PHASES {
        for track in TRACKS {
            let mut play = Play::pair(seed, &[THREE, track]);
            let lost = play.world.now;
            play.fault(Fault::Carrier(A, false));
            play.run(20 * S);

            play.assert_master(B);
            play.assert_took(B, lost, 13 * S);
        }
    }
}

#[test]
fn a_carrier_that_returns_for_the_master_brings_the_role_back_after_the_delay() {
    for seed in 0..PHASES {
        for track in TRACKS {
            let mut play = Play::pair(seed, &[THREE, track, "delay=10s"]);
            play.fault(Fault::Carrier(A, false));
            play.run(20 * S);
            play.forget();
            let back = play.world.now;
            play.fault(Fault::Carrier(A, true));
            play.run(60 * S);

            play.assert_master(A);
            assert!(play.took(A, back) >= Some(10 * S), "seed {seed}: not before the delay");
            assert_eq!(play.moves().len(), 2, "one move");
        }
    }
}

#[test]
fn a_carrier_lost_for_the_backup_moves_nothing() {
    for seed in 0..PHASES {
        for track in TRACKS {
            let mut play = Play::pair(seed, &[THREE, track]);
            play.fault(Fault::Carrier(B, false));
            play.run(60 * S);
            play.fault(Fault::Carrier(B, true));
            play.run(60 * S);

            play.assert_still();
        }
    }
}

#[test]
fn a_carrier_lost_for_both_and_back_moves_nothing() {
    for seed in 0..PHASES {
        for track in TRACKS {
            let mut play = Play::pair(seed, &[THREE, track]);
            play.fault(Fault::CarrierForAll(false));
            play.run(60 * S);
            play.assert_still();
            play.fault(Fault::CarrierForAll(true));
            play.run(90 * S);

            play.assert_still();
        }
    }
}

#[test]
fn a_carrier_lost_for_both_moves_nothing_where_the_second_router_serves() {
    for seed in 0..PHASES {
        for track in TRACKS {
            let mut play = Play::pair(seed, &[THREE, track, "preempt=off"]);
            play.fault(Fault::PowerOff(A));
            play.run(10 * S);
            play.boot(A);
            play.settle();
            play.assert_master(B);
            play.forget();
            play.fault(Fault::CarrierForAll(false));
            play.run(60 * S);
            play.fault(Fault::CarrierForAll(true));
            play.run(90 * S);

            play.assert_still();
        }
    }
}

#[test]
fn a_carrier_behind_up_on_master_that_is_dead_for_both_moves_the_role_a_few_times_an_hour() {
    for seed in 0..10 {
        let track =
            "track carrier on=wan interval=1s timeout=0.5s fall=2 rise=2 link=wg0 scope=master weight=-30";
        let mut play = Play::pair(seed, &[THREE, track, "delay=5s"]);
        play.fault(Fault::CarrierForAll(false));
        play.run(3600 * S);

        let taken = play.moves().iter().filter(|moved| moved.to == Role::Master).count();
        assert!(taken <= 6, "seed {seed}: {taken} moves in an hour");
        assert!(play.master().is_some(), "somebody serves");
    }
}

#[test]
fn a_carrier_behind_up_on_master_that_is_dead_for_one_leaves_the_role_with_the_other() {
    for seed in 0..10 {
        let track =
            "track carrier on=wan interval=1s timeout=0.5s fall=2 rise=2 link=wg0 scope=master weight=-30";
        let mut play = Play::pair(seed, &[THREE, track, "delay=5s"]);
        play.fault(Fault::Carrier(A, false));
        play.run(600 * S);

        play.assert_master(B);
        assert_eq!(play.moves().len(), 2, "one move");
    }
}

#[test]
fn a_recheck_forgets_what_only_the_master_could_judge() {
    for seed in 0..10 {
        let track =
            "track carrier on=wan interval=1s timeout=0.5s fall=2 rise=2 link=wg0 scope=master weight=-30";
        let mut play = Play::pair(seed, &[THREE, track, "delay=5s"]);
        play.fault(Fault::Carrier(A, false));
        play.run(60 * S);
        play.fault(Fault::Carrier(A, true));
        play.run(60 * S);
        play.assert_master(B);
        play.fault(Fault::Order(A, Order::Recheck));
        play.run(10 * S);

        play.assert_master(A);
    }
}

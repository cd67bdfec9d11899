//! Switch and maintenance.

use crate::fault::Order;

use super::*;

#[test]
fn a_switch_moves_the_role_within_milliseconds_and_for_good() {
    for seed in 0..PHASES {
        for asked in [A, B] {
            let mut play = Play::pair(seed, &[THREE, CARRIER, "delay=5s"]);
            let ordered = play.world.now;
            play.fault(Fault::Order(asked, Order::Switch));
            play.run(60 * S);

            play.assert_master(B);
            play.assert_took(B, ordered, 5 * MS);
            assert_eq!(play.moves().len(), 2, "one move");
        }
    }
}

#[test]
fn a_switch_to_nobody_is_refused_and_nothing_is_lost() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE, CARRIER]);
        play.fault(Fault::PowerOff(B));
        let soon = play.rng.between(0, 10 * S);
        play.run(soon);
        play.fault(Fault::Order(A, Order::Switch));
        play.run(20 * S);

        play.assert_still();
        play.assert_master(A);
    }
}

#[test]
fn a_switch_to_a_router_whose_carrier_is_dead_stays_where_it_is() {
    for seed in 0..PHASES {
        let track = "track carrier on=wan interval=1s timeout=0.5s fall=2 rise=2 weight=fault";
        let mut play = Play::pair(seed, &[THREE, track]);
        play.fault(Fault::Carrier(B, false));
        play.run(10 * S);
        play.fault(Fault::Order(A, Order::Switch));
        play.run(20 * S);

        play.assert_still();
    }
}

#[test]
fn there_and_back_again() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE, "delay=5s"]);
        for master in [B, A, B, A] {
            let asked = play.rng.pick(&[A, B]);
            play.fault(Fault::Order(asked, Order::Switch));
            play.run(30 * S);
            play.assert_master(master);
        }
    }
}

#[test]
fn maintenance_moves_the_role_and_its_end_brings_it_back() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE, CARRIER, "delay=5s"]);
        let ordered = play.world.now;
        play.fault(Fault::Order(A, Order::Maintenance(true)));
        play.run(60 * S);
        play.assert_took(B, ordered, 10 * MS);
        play.assert_master(B);
        play.fault(Fault::Order(A, Order::Maintenance(false)));
        play.run(60 * S);

        play.assert_master(A);
    }
}

#[test]
fn maintenance_on_both_leaves_one_master() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE, "delay=5s"]);
        play.fault(Fault::Order(B, Order::Maintenance(true)));
        play.run(10 * S);
        play.fault(Fault::Order(A, Order::Maintenance(true)));
        play.run(60 * S);

        play.assert_still();
        play.assert_master(A);
    }
}

#[test]
fn maintenance_survives_a_restart() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE, "delay=5s"]);
        play.fault(Fault::Order(A, Order::Maintenance(true)));
        play.run(10 * S);
        play.fault(Fault::Kill(A));
        play.run(2 * S);
        play.fault(Fault::Start(A));
        play.run(60 * S);

        play.assert_master(B);
    }
}

#[test]
fn a_node_in_maintenance_serves_if_nobody_else_does() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE]);
        play.fault(Fault::Order(A, Order::Maintenance(true)));
        play.run(10 * S);
        let lost = play.world.now;
        play.fault(Fault::PowerOff(B));
        play.run(5 * S);

        play.assert_took(A, lost, 3130 * MS);
    }
}

#[test]
fn a_master_whose_addresses_fail_is_relieved() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE, "delay=5s"]);
        let failed = play.world.now;
        play.fault(Fault::Addresses(A, false));
        play.run(10 * S);

        play.assert_master(B);
        play.assert_took(B, failed, 3 * S + 20 * MS);
    }
}

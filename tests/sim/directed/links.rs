//! Cables, partitions, one-way loss, forged packets.

use super::*;

/// Netlink's news, two adverts, and what a loop takes.
const MOMENT: Micros = 5 * MS;

#[test]
fn a_pulled_cable_of_the_master_moves_all_members() {
    for seed in 0..PHASES {
        for member in 0..3 {
            for interval in ["interval=1s", "interval=10ms"] {
                let mut play = Play::pair(seed, &[THREE, CARRIER, interval]);
                let pulled = play.world.now;
                play.cable(A, member, false);
                play.run(100 * MS);

                play.assert_master(B);
                play.assert_took(B, pulled, MOMENT);
            }
        }
    }
}

#[test]
fn a_pulled_cable_of_the_backup_moves_nothing() {
    for seed in 0..PHASES {
        for member in 0..3 {
            let mut play = Play::pair(seed, &[THREE]);
            play.cable(B, member, false);
            play.run(20 * S);
            play.cable(B, member, true);
            play.run(20 * S);

            play.assert_still();
        }
    }
}

#[test]
fn all_cables_of_the_master_and_back() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE, CARRIER, "delay=5s"]);
        let order = play.rng.between(0, 3) as usize;
        let pulled = play.world.now;
        (0..3).for_each(|member| play.cable(A, (member + order) % 3, false));
        play.run(5 * S);
        play.assert_took(B, pulled, 3130 * MS);
        play.assert_master(B);
        (0..3).for_each(|member| play.cable(A, (member + order) % 3, true));
        play.run(4 * S);
        play.assert_master(B);
        play.settle();

        play.assert_master(A);
    }
}

#[test]
fn with_the_backup_dead_no_fault_of_the_master_moves_anything() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE, CARRIER]);
        play.fault(Fault::PowerOff(B));
        play.run(10 * S);
        play.fault(Fault::CarrierForAll(false));
        play.run(20 * S);
        for member in [0, 1] {
            play.cable(A, member, false);
            play.run(5 * S);
        }
        play.fault(Fault::Addresses(A, false));
        play.run(10 * S);
        play.cable(A, 0, true);
        play.run(10 * S);

        play.assert_master(A);
        play.assert_still();
    }
}

#[test]
fn only_the_last_cable_of_a_lone_master_ends_it() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE]);
        play.fault(Fault::PowerOff(B));
        play.run(10 * S);
        (0..3).for_each(|member| play.cable(A, member, false));
        play.run(10 * S);
        assert_eq!(play.master(), None);
        let back = play.world.now;
        play.cable(A, 1, true);
        play.run(6 * S);

        play.assert_took(A, back, 4 * S);
    }
}

#[test]
fn a_backup_that_returns_relieves_a_degraded_master_once() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE, CARRIER, "preempt=off delay=5s"]);
        play.fault(Fault::PowerOff(B));
        play.run(10 * S);
        play.fault(Fault::Carrier(A, false));
        play.run(30 * S);
        play.assert_still();
        play.boot(B);
        play.run(60 * S);

        play.assert_master(B);
        assert_eq!(play.moves().len(), 2, "B took, A gave");
    }
}

#[test]
fn both_lose_the_lan_and_the_others_are_served() {
    for seed in 0..PHASES {
        for [first, second] in [[A, B], [B, A]] {
            let mut play = Play::pair(seed, &[THREE, "delay=5s"]);
            let gap = play.rng.between(0, 10 * S);
            play.cable(first, 0, false);
            play.run(gap);
            play.cable(second, 0, false);
            play.run(20 * S);
            assert!(play.master().is_some(), "seed {seed}: iot and wan are served");
            play.cable(first, 0, true);
            play.run(gap);
            play.cable(second, 0, true);
            play.settle();

            play.assert_master(A);
        }
    }
}

#[test]
fn a_healed_partition_leaves_one_master_and_it_announces() {
    for seed in 0..PHASES {
        for length in [S, 3 * S, 10 * S, 300 * S] {
            let mut play = Play::pair(seed, &[THREE, "announce=full"]);
            (0..3).for_each(|member| play.path(member, false));
            play.run(length);
            let split = play.master().is_none();
            let healed = play.world.now;
            (0..3).for_each(|member| play.path(member, true));
            play.run(S + 50 * MS);

            play.assert_master(A);
            let announced = play.world.announced[A].iter().any(|at| *at >= healed);
            assert!(announced || !split, "seed {seed}: A says where the addresses are");
        }
    }
}

#[test]
fn one_silent_segment_is_a_warning_only() {
    for seed in 0..PHASES {
        for member in 0..3 {
            let mut play = Play::pair(seed, &[THREE]);
            play.path(member, false);
            play.run(60 * S);
            play.path(member, true);
            play.run(60 * S);

            play.assert_still();
        }
    }
}

#[test]
fn one_way_loss_makes_no_storm() {
    for seed in 0..PHASES {
        for (from, to) in [(A, B), (B, A)] {
            let mut play = Play::pair(seed, &["members=lan interval=1s announce=full"]);
            let began = play.world.now;
            play.fault(Fault::Path { member: 0, from, to, open: false });
            play.run(60 * S);
            let announced = |node: Node| play.world.announced[node].iter().filter(|at| **at >= began).count();

            // A schedule has seven rounds; it may begin again once a second.
            assert!(announced(A) <= 4 * 60 && announced(B) <= 4 * 60, "{} {}", announced(A), announced(B));
            assert!(play.world.sent[A] + play.world.sent[B] < 3_000, "adverts are bounded");
            play.fault(Fault::Path { member: 0, from, to, open: true });
            play.settle();
            play.assert_master(A);
        }
    }
}

#[test]
fn priority_0_in_the_masters_name_moves_nothing_at_10_a_second() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE, CARRIER]);
        for _ in 0..200 {
            play.fault(Fault::Forge { member: 0, as_if: A, to: B, priority: 0 });
            play.run(100 * MS);
        }

        play.assert_still();
    }
}

#[test]
fn priority_0_in_the_masters_name_moves_nothing_at_any_hundredth_of_a_second() {
    let mut play = Play::pair(1, &[THREE]);
    for hundredth in 0..400 {
        play.run(2 * S + hundredth * 10 * MS % S);
        play.fault(Fault::Forge { member: (hundredth % 3) as usize, as_if: A, to: B, priority: 0 });
        play.run(S);
    }

    play.assert_still();
}

#[test]
fn priority_0_in_the_backups_name_moves_nothing() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE]);
        for _ in 0..500 {
            play.fault(Fault::Forge { member: 0, as_if: B, to: A, priority: 0 });
            play.run(10 * MS);
        }

        play.assert_still();
    }
}

#[test]
fn a_stolen_address_and_a_reload_move_nothing() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE]);
        let sent = play.world.sent[A];
        play.fault(Fault::Steal(A));
        for vips in [2, 3, 1] {
            play.fault(Fault::Reload(A, vips));
            play.run(3 * S);
        }
        play.fault(Fault::Reload(B, 2));
        play.run(S);

        play.assert_still();
        let periodic = 3 * 10;
        assert!(play.world.sent[A] - sent <= periodic + 9, "a reload sends next to nothing");
    }
}

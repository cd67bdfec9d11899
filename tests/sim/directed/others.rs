//! A third router, and RFC routers in either place.

use super::*;

const THIRD: [Who; 3] = [Who::Gwha, Who::Gwha, Who::Gwha];

/// keepalived, as members of a `vrrp_sync_group`.
const SPEAKER: Who = Who::Speaker { preempt: true, coupled: true };
const NOPREEMPT: Who = Who::Speaker { preempt: false, coupled: true };

#[test]
fn three_routers_follow_each_other() {
    for seed in 0..PHASES {
        let mut play = Play::settled(seed, &THIRD, &[THREE, "delay=5s"]);
        for (dead, next) in [(A, B), (B, C)] {
            let lost = play.world.now;
            play.fault(Fault::PowerOff(dead));
            play.run(5 * S);
            play.assert_master(next);
            play.assert_took(next, lost, 3700 * MS);
        }
        play.boot(B);
        play.boot(A);
        play.settle();

        play.assert_master(A);
    }
}

#[test]
fn of_three_the_second_takes_over_from_a_lowered_master() {
    for seed in 0..PHASES {
        let mut play = Play::settled(seed, &THIRD, &[THREE, CARRIER]);
        let pulled = play.world.now;
        play.cable(A, 0, false);
        play.run(S);

        play.assert_master(B);
        play.assert_took(B, pulled, 5 * MS);
    }
}

#[test]
fn of_three_one_takes_over_after_sigterm() {
    for seed in 0..PHASES {
        let mut play = Play::settled(seed, &THIRD, &[THREE]);
        let stopped = play.world.now;
        play.fault(Fault::Terminate(A));
        play.run(S);

        play.assert_master(B);
        play.assert_took(B, stopped, 32 * MS);
        assert!(play.moves().iter().all(|moved| moved.node != C), "seed {seed}: the third waits its turn");
    }
}

#[test]
fn a_carrier_lost_for_three_moves_nothing() {
    for seed in 0..PHASES {
        let mut play = Play::settled(seed, &THIRD, &[THREE, CARRIER]);
        play.fault(Fault::CarrierForAll(false));
        play.run(60 * S);
        play.fault(Fault::CarrierForAll(true));
        play.run(60 * S);

        play.assert_still();
    }
}

#[test]
fn a_speaker_takes_over_after_power_loss_and_gives_back() {
    for seed in 0..PHASES {
        for speaker in [SPEAKER, NOPREEMPT] {
            for version in ["version=3", "version=2"] {
                let mut play = Play::settled(seed, &[Who::Gwha, speaker], &[THREE, version, "delay=5s"]);
                let lost = play.world.now;
                play.fault(Fault::PowerOff(A));
                play.run(5 * S);
                play.assert_master(B);
                play.assert_took(B, lost, 3660 * MS);
                play.boot(A);
                play.settle();

                play.assert_master(A);
            }
        }
    }
}

#[test]
fn gwha_takes_over_from_a_speaker_that_loses_power() {
    for seed in 0..PHASES {
        for version in ["version=3", "version=2"] {
            let mut play = Play::settled(seed, &[SPEAKER, Who::Gwha], &[THREE, version]);
            let lost = play.world.now;
            play.fault(Fault::PowerOff(A));
            play.run(5 * S);
            play.assert_master(B);
            play.assert_took(B, lost, 3130 * MS);
            play.boot(A);
            play.settle();

            play.assert_master(A);
        }
    }
}

#[test]
fn gwha_takes_over_from_a_speaker_that_stops() {
    for seed in 0..PHASES {
        let mut play = Play::settled(seed, &[SPEAKER, Who::Gwha], &[THREE]);
        let stopped = play.world.now;
        play.fault(Fault::Terminate(A));
        play.run(S);

        play.assert_master(B);
        play.assert_took(B, stopped, 22 * MS);
    }
}

#[test]
fn a_speaker_takes_over_from_gwha_that_stops_or_loses_a_cable() {
    for seed in 0..PHASES {
        for fault in [Fault::Terminate(A), Fault::Link(A, 0, LinkCondition::NoCarrier)] {
            let mut play = Play::settled(seed, &[Who::Gwha, SPEAKER], &[THREE]);
            play.fault(fault);
            play.run(5 * S);

            play.assert_master(B);
        }
    }
}

#[test]
fn a_speaker_that_never_preempts_leaves_a_lowered_gwha_alone() {
    for seed in 0..PHASES {
        let mut play = Play::settled(seed, &[Who::Gwha, NOPREEMPT], &["members=lan", CARRIER_ON_LAN]);
        play.fault(Fault::Carrier(A, false));
        play.run(60 * S);

        play.assert_still();
    }
}

const CARRIER_ON_LAN: &str = "track carrier on=lan interval=1s timeout=0.5s fall=2 rise=2 weight=-30";

#[test]
fn a_partition_from_a_speaker_heals() {
    for seed in 0..PHASES {
        for kinds in [[Who::Gwha, SPEAKER], [SPEAKER, Who::Gwha]] {
            let mut play = Play::settled(seed, &kinds, &[THREE]);
            (0..3).for_each(|member| play.path(member, false));
            play.run(30 * S);
            (0..3).for_each(|member| play.path(member, true));
            play.run(2 * S);

            play.assert_master(A);
        }
    }
}

#[test]
fn a_stalled_gwha_does_not_disturb_a_speaker() {
    for seed in 0..PHASES {
        let mut play = Play::settled(seed, &[SPEAKER, Who::Gwha], &["members=lan,wan interval=200ms"]);
        play.fault(Fault::Stall(B, 2 * S));
        play.run(10 * S);

        play.assert_still();
    }
}

#[test]
fn a_cold_boot_with_a_speaker_ends_with_one_master() {
    for seed in 0..PHASES {
        for kinds in [[Who::Gwha, SPEAKER], [SPEAKER, Who::Gwha], [NOPREEMPT, Who::Gwha]] {
            let mut play = Play::dark(seed, &kinds, &[THREE, "delay=5s"]);
            let gap = play.rng.between(0, 4 * S);
            let order = play.rng.pick(&[[A, B], [B, A]]);
            play.boot(order[0]);
            play.run(gap);
            play.boot(order[1]);
            play.settle();

            assert!(play.master().is_some(), "seed {seed}: one of them");
        }
    }
}

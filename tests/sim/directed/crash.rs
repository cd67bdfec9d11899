//! Power loss, kill, stall, SIGTERM.

use super::*;

/// 3 × I + I/8 after the last advert, which was an interval ago at most.
const DOWN: Micros = 3125 * MS;

#[test]
fn power_loss_is_noticed_after_master_down() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE]);
        let lost = play.world.now;
        play.fault(Fault::PowerOff(A));
        play.run(4 * S);

        play.assert_master(B);
        play.assert_took(B, lost, DOWN + 5 * MS);
        assert!(play.took(B, lost) > Some(DOWN - S), "seed {seed}: not before");
    }
}

#[test]
fn the_preferred_router_takes_back_after_a_power_cut_and_the_delay() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE, CARRIER, "delay=30s"]);
        play.fault(Fault::PowerOff(A));
        play.run(10 * S);
        play.assert_master(B);
        let back = play.world.now;
        play.boot(A);
        play.run(29 * S);
        play.assert_master(B);
        play.run(5 * S);

        play.assert_took(A, back, 32 * S);
        play.settle();
        play.assert_master(A);
    }
}

#[test]
fn with_preempt_0_the_role_stays_where_it_went() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE, CARRIER, "preempt=off"]);
        play.fault(Fault::PowerOff(A));
        play.run(10 * S);
        play.boot(A);
        play.run(120 * S);

        play.assert_master(B);
    }
}

#[test]
fn sigterm_hands_over_within_the_question() {
    for seed in 0..PHASES {
        for interval in ["interval=1s", "interval=100ms", "interval=10ms"] {
            let mut play = Play::pair(seed, &[THREE, interval]);
            let stopped = play.world.now;
            play.fault(Fault::Terminate(A));
            play.run(100 * MS);

            play.assert_master(B);
            play.assert_took(B, stopped, 22 * MS);
        }
    }
}

#[test]
fn a_stalled_master_concedes_when_it_wakes() {
    for seed in 0..PHASES {
        for preempt in ["preempt=on", "preempt=off"] {
            let mut play = Play::pair(seed, &["members=lan,wan interval=200ms delay=5s", preempt]);
            play.fault(Fault::Stall(A, 2 * S));
            play.run(2 * S - MS);
            assert!(play.took(B, 0).is_some(), "seed {seed}: B serves meanwhile");
            play.run(100 * MS);
            play.assert_master(B);
            play.settle();

            play.assert_master(if preempt == "preempt=on" { A } else { B });
        }
    }
}

#[test]
fn a_stalled_backup_reads_its_sockets_before_its_timers() {
    for seed in 0..PHASES {
        for length in [900 * MS, 2 * S, 20 * S] {
            let mut play = Play::pair(seed, &["members=lan,wan interval=200ms"]);
            play.fault(Fault::Stall(B, length));
            play.run(length + 5 * S);

            play.assert_still();
        }
    }
}

#[test]
fn a_master_killed_and_back_within_master_down_goes_on() {
    for seed in 0..PHASES {
        for gap in [200 * MS, S] {
            for peer_alive in [true, false] {
                let mut play = Play::pair(seed, &[THREE]);
                if !peer_alive {
                    play.fault(Fault::PowerOff(B));
                    play.run(5 * S);
                }
                play.fault(Fault::Kill(A));
                play.run(gap);
                play.fault(Fault::Start(A));
                play.run(10 * S);

                play.assert_master(A);
                assert!(play.moves().iter().all(|moved| moved.node == A), "seed {seed}: nobody else served");
            }
        }
    }
}

#[test]
fn a_master_killed_and_back_late_is_a_standby() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE, "preempt=off"]);
        play.fault(Fault::Kill(A));
        play.run(5 * S);
        play.assert_master(B);
        play.forget();
        play.fault(Fault::Start(A));
        play.run(30 * S);

        play.assert_master(B);
        play.assert_still();
    }
}

#[test]
fn a_lone_master_killed_and_back_late_serves_again() {
    for seed in 0..PHASES {
        let mut play = Play::pair(seed, &[THREE]);
        play.fault(Fault::PowerOff(B));
        play.run(5 * S);
        play.fault(Fault::Kill(A));
        play.run(5 * S);
        let back = play.world.now;
        play.fault(Fault::Start(A));
        play.run(6 * S);

        play.assert_took(A, back, 3620 * MS);
    }
}

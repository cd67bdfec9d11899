//! Cold boots, lone routers, equal bases.

use super::*;

const GWHA: [Who; 2] = [Who::Gwha, Who::Gwha];

#[test]
fn a_lone_router_after_a_power_cut_serves_within_master_down_and_2_s_of_link_up() {
    for seed in 0..PHASES {
        let mut play = Play::dark(seed, &GWHA, &[THREE, CARRIER]);
        play.fault(Fault::Start(B));
        play.run(20 * S);
        let up = play.world.now;
        (0..3).for_each(|member| play.cable(B, member, true));
        play.run(10 * S);

        play.assert_took(B, up, 3648 * MS + 2 * S);
    }
}

#[test]
fn of_two_that_boot_at_once_the_preferred_one_is_the_only_master() {
    for seed in 0..PHASES {
        let mut play = Play::dark(seed, &GWHA, &[THREE, "interval=1s delay=5s"]);
        let gap = play.rng.between(0, 30 * MS);
        let nodes = if seed % 2 == 0 { [A, B] } else { [B, A] };
        play.boot(nodes[0]);
        play.run(gap);
        play.boot(nodes[1]);
        play.run(5 * S);

        play.assert_master(A);
        assert!(play.moves().iter().all(|moved| moved.node == A), "seed {seed}: B never was");
    }
}

#[test]
fn of_two_that_boot_one_after_the_other_there_is_one_master_at_any_time() {
    for seed in 0..PHASES {
        for [first, second] in [[A, B], [B, A]] {
            let mut play = Play::dark(seed, &GWHA, &[THREE, "delay=5s"]);
            let gap = play.rng.between(30 * MS, 10 * S);
            play.boot(first);
            play.run(gap);
            play.boot(second);
            play.settle();

            play.assert_master(A);
        }
    }
}

#[test]
fn reordered_and_repeated_first_adverts_make_no_second_master() {
    for seed in 0..PHASES {
        let mut play = Play::dark(seed, &GWHA, &["members=lan,wan interval=100ms delay=1s"]);
        let rough = Quality { latency: 300, jitter: 500, duplicated: 500, reordered: 700, straggle: 2 * MS };
        play.world.segments.iter_mut().for_each(|segment| segment.quality = rough);
        play.world.truth.bounds.latency = rough.slowest() + MS;
        let gap = play.rng.between(0, 20 * MS);
        play.boot(A);
        play.run(gap);
        play.boot(B);
        play.settle();

        play.assert_master(A);
    }
}

#[test]
fn equal_bases_settle_on_one_master_and_stay_there() {
    for seed in 0..PHASES {
        let mut play = Play::dark(seed, &GWHA, &[THREE, "priorities=100,100 delay=1s"]);
        let gap = play.rng.between(0, 100 * MS);
        play.boot(A);
        play.run(gap);
        play.boot(B);
        play.run(10 * S);
        let master = play.master().expect("one of them");
        play.forget();
        play.run(60 * S);

        play.assert_master(master);
        play.assert_still();
    }
}

#[test]
fn equal_bases_have_one_master_after_a_partition() {
    for seed in 0..PHASES {
        let mut play = Play::dark(seed, &GWHA, &[THREE, "priorities=100,100"]);
        play.boot(A);
        play.boot(B);
        play.run(10 * S);
        (0..3).for_each(|member| play.path(member, false));
        play.settle();
        assert_eq!(play.master(), None, "both serve");
        (0..3).for_each(|member| play.path(member, true));
        play.run(S + 20 * MS);

        // RFC 9568 §6.4.3: the higher address.
        play.assert_master(B);
    }
}

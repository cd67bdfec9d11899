//! Each checker is shown able to fail: the world breaks in a way that it is not told of, or an engine is
//! given another configuration, and the checker has to notice.

use gwha::config::model::{GroupId, InstanceId};
use gwha::engine::{Action, Boot, Cause, Engine, Epoch, Instant, LinkCondition, Role, RoleChange};

use crate::checks::*;
use crate::contract::Contract;
use crate::directed::Play;
use crate::fault::Fault;
use crate::support::setup::{Node, Setup};
use crate::world::{Micros, Station, Who};

const A: Node = 0;
const B: Node = 1;
const S: Micros = 1_000_000;

/// A settled pair that only one checker watches.
fn pair(property: impl Property + 'static, lines: &[&str]) -> Play {
    let mut play = Play::watched(1, &[Who::Gwha, Who::Gwha], lines, vec![Box::new(property)]);
    play.boot(A);
    play.run(20 * S);
    play.boot(B);
    play.settle();
    play
}

/// The checker fires within ten minutes.
#[track_caller]
fn assert_fires(mut play: Play, name: &str) {
    let failure = play.run_to_failure(600 * S);
    assert_eq!(failure.map(|failure| failure.what), Some(name), "the checker has seen nothing");
}

/// Frames between the two pass on no member any more, or do again.
fn secretly_part(play: &mut Play) {
    for member in 0..play.world.plan.setup.members.len() {
        for (from, to) in [(A, B), (B, A)] {
            play.secret(Fault::Path { member, from, to, open: false });
        }
    }
}

/// A node reads its configuration with these changes, and nobody knows.
fn secretly_configure(play: &mut Play, node: Node, line: &str) {
    let mut setup: Setup = play.world.plan.setup.clone();
    setup.set_all(line).expect("a good line");
    if let Station::Gwha(station) = &mut play.world.stations[node] {
        station.set_config(setup.config(node));
    }
}

fn secretly_deafen(play: &mut Play, node: Node) {
    if let Station::Gwha(station) = &mut play.world.stations[node] {
        station.deaf_to_timers = true;
    }
}

#[test]
fn two_masters_when_all_is_well_are_seen() {
    let mut play = pair(OneMasterWhenSettled::default(), &["interval=1s"]);
    play.fault(Fault::Healed);
    secretly_part(&mut play);

    assert_fires(play, "S1");
}

#[test]
fn no_master_when_all_is_well_is_seen() {
    let mut play = pair(OneMasterWhenSettled::default(), &["interval=1s"]);
    play.fault(Fault::Healed);
    secretly_deafen(&mut play, B);
    play.secret(Fault::PowerOff(A));
    play.world.truth.gone(A);

    assert_fires(play, "S1");
}

#[test]
fn the_worse_router_as_master_when_all_is_well_is_seen() {
    let mut play = pair(BestWins::default(), &["interval=1s delay=1s"]);
    secretly_configure(&mut play, A, "preempt=off");
    play.fault(Fault::PowerOff(A));
    play.run(10 * S);
    play.boot(A);
    play.fault(Fault::Healed);

    assert_fires(play, "S1 (best)");
}

#[test]
fn two_masters_that_hear_each_other_are_seen() {
    let mut play = pair(OneMasterWhenCalm::default(), &["interval=1s"]);
    secretly_part(&mut play);

    assert_fires(play, "S2");
}

#[test]
fn a_lone_node_that_does_not_serve_is_seen() {
    let mut play = pair(LoneNodeServes::default(), &["interval=1s"]);
    secretly_deafen(&mut play, B);
    play.fault(Fault::PowerOff(A));

    assert_fires(play, "S3");
}

#[test]
fn a_segment_that_nobody_serves_is_seen() {
    let mut play = pair(SegmentIsServed::default(), &["members=lan,wan interval=1s"]);
    secretly_deafen(&mut play, B);
    play.fault(Fault::PowerOff(A));

    assert_fires(play, "S4");
}

#[test]
fn a_role_that_flaps_is_seen() {
    let track = "track carrier on=lan interval=1s timeout=0.5s fall=1 rise=1 weight=-30";
    let mut play = pair(FewMoves::default(), &["interval=1s delay=0s", track]);
    let failure = (0..60).find_map(|round| {
        play.secret(Fault::Carrier(A, round % 2 == 0));
        play.run_to_failure(10 * S)
    });

    assert_eq!(failure.map(|failure| failure.what), Some("S5"));
}

#[test]
fn a_move_for_a_carrier_that_is_dead_for_all_is_seen() {
    let track = "track carrier on=lan interval=1s timeout=0.5s weight=-30";
    let mut play = pair(CarrierDeadForAll::default(), &["interval=1s delay=1s", track]);
    play.fault(Fault::CarrierForAll(false));
    play.secret(Fault::Carrier(B, true));

    assert_fires(play, "S6");
}

#[test]
fn a_lone_master_that_gives_up_is_seen() {
    let mut play = pair(MasterOfDeadBackupStays, &["interval=1s"]);
    play.fault(Fault::PowerOff(B));
    play.run(10 * S);
    play.secret(Fault::Forge { member: 0, as_if: B, to: A, priority: 254 });

    assert_fires(play, "S7");
}

#[test]
fn a_forged_stop_that_works_is_seen() {
    let mut play = pair(ForgeryMovesNothing::default(), &["interval=1s"]);
    play.secret(Fault::Path { member: 0, from: A, to: B, open: false });
    play.fault(Fault::Forge { member: 0, as_if: A, to: B, priority: 0 });

    assert_fires(play, "S8");
}

#[test]
fn a_lowered_master_that_stays_is_seen() {
    let mut play = pair(LoweredMasterYields::default(), &["members=lan,iot interval=1s"]);
    secretly_part(&mut play);
    play.fault(Fault::Link(A, 0, LinkCondition::NoCarrier));

    assert_fires(play, "S9");
}

#[test]
fn a_role_taken_from_a_healthy_master_is_seen() {
    let mut play = pair(NothingTakenFromHealthy, &["interval=1s delay=1s preempt=off"]);
    secretly_configure(&mut play, A, "preempt=on");
    play.fault(Fault::PowerOff(A));
    play.settle();
    play.settle();
    play.boot(A);

    assert_fires(play, "S10");
}

#[test]
fn two_masters_at_boot_are_seen() {
    let properties: Vec<Box<dyn Property>> = vec![Box::new(BootHasOneMaster::default())];
    let mut play = Play::watched(1, &[Who::Gwha, Who::Gwha], &["interval=1s"], properties);
    secretly_part(&mut play);
    play.boot(A);
    play.boot(B);

    assert_fires(play, "S11");
}

/// The contract, on actions that no engine should ask for.
fn looks(role: Role, actions: &[Action]) -> Result<(), String> {
    let config = Setup::default().config(A);
    let engine = Engine::new(config, &Boot::default(), Instant::from_micros(0));
    let mut contract = Contract::default();
    contract.pretend(role);
    contract.look(Instant::from_micros(0), actions, &engine)
}

fn advert(priority: u8) -> Action {
    Action::Advertise { instance: InstanceId(0), priority }
}

fn change(from: Role, to: Role, epoch: u32) -> Action {
    let (group, cause, epoch) = (GroupId(0), Cause::Started, Epoch(epoch));
    Action::Role(RoleChange { group, from, to, cause, epoch })
}

/// What the contract says against it.
fn objection(role: Role, actions: &[Action]) -> String {
    looks(role, actions).expect_err("the contract has seen nothing")
}

#[test]
fn a_standby_may_not_advertise_or_announce() {
    let announce = Action::Announce { instance: InstanceId(0) };

    assert_eq!(objection(Role::Backup, &[advert(100)]), "a backup advertises priority 100");
    assert_eq!(objection(Role::Backup, &[announce]), "a backup announces the addresses");
    assert_eq!(looks(Role::Init, &[advert(1)]), Ok(()), "but it may ask");
}

#[test]
fn nobody_says_0_who_does_not_stop() {
    assert_eq!(objection(Role::Master, &[advert(0)]), "priority 0 from a daemon that does not stop");
}

#[test]
fn nobody_says_a_word_without_a_meaning() {
    assert_eq!(objection(Role::Master, &[advert(9)]), "a master advertises priority 9");
}

#[test]
fn roles_and_epochs_follow_each_other() {
    let skips = [change(Role::Init, Role::Backup, 1), change(Role::Backup, Role::Fault, 3)];

    assert_eq!(
        objection(Role::Init, &[change(Role::Backup, Role::Fault, 1)]),
        "role change backup to fault of a init"
    );
    assert_eq!(
        objection(Role::Init, &[change(Role::Init, Role::Init, 1)]),
        "role change init to init of a init"
    );
    assert_eq!(objection(Role::Init, &skips), "epoch 3 follows 1");
}

#[test]
fn a_role_is_never_taken_in_silence() {
    assert_eq!(objection(Role::Backup, &[]), "the engine is init in epoch 0, and never said so");
}

#[test]
fn a_node_without_a_link_may_not_rise() {
    let rises = [change(Role::Init, Role::Master, 1)];

    assert_eq!(objection(Role::Init, &rises), "a node without a usable member becomes master");
}

#[test]
fn a_step_that_does_too_much_is_seen() {
    assert_eq!(objection(Role::Init, &vec![advert(1); 65]), "65 actions in one step");
}

#[test]
fn a_storm_is_seen() {
    let engine = Engine::new(Setup::default().config(A), &Boot::default(), Instant::from_micros(0));
    let mut contract = Contract::default();
    let mut storm = (0..200).map(|_| contract.look(Instant::from_micros(0), &[advert(1)], &engine));

    let objection = storm.find_map(Result::err);

    assert_eq!(objection.as_deref(), Some("103 adverts of one instance within a second"));
}

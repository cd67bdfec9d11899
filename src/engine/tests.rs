//! Two engines and an ideal wire: the courses of events that everything else rests on. The rules one by one
//! are in `tests/conformance`, bad luck is in `tests/sim`.

#![allow(clippy::wildcard_enum_match_arm)]

use core::time::Duration;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::*;
use crate::config::model::{
    Actions, AnnounceSchedule, Base, Group as GroupConfig, Instance, LinkRef, Mode, Preempt, Routers,
    Scheduling, Vip,
};
use crate::wire::types::{Family, Interval, Version, Vrid};
use crate::wire::vrrp::{Auth, ChecksumForm, Outgoing, Packet};

const A: usize = 0;
const B: usize = 1;
const LATENCY: Duration = Duration::from_micros(300);

fn address(segment: u8, host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, segment, host))
}

/// Three instances in one group, 1 s, version 3.
fn config() -> Config {
    let instance = |segment: u8| Instance {
        name: ["lan", "iot", "wan"][usize::from(segment)].to_string(),
        link: LinkId(u16::from(segment)),
        family: Family::V4,
        vrid: Vrid::new(segment + 1).unwrap(),
        version: Version::V3,
        interval: Interval::DEFAULT,
        auth: Auth::None,
        mode: Mode::Unicast,
        routers: Routers::Listed(vec![address(segment, 2), address(segment, 3)]),
        vips: vec![Vip { address: address(segment, 1), prefix: Some(24), label: None }],
        hop_limit_min: 255,
        checksum: ChecksumForm::PseudoHeader,
        accept_old_checksum: false,
        announce: AnnounceSchedule::default(),
        group: GroupId(0),
    };
    Config {
        enabled: true,
        log_level: log::LevelFilter::Info,
        tools: Default::default(),
        scheduling: Scheduling::Ordinary,
        links: ["lan", "iot", "wan"].map(|name| LinkRef::Interface(name.to_string())).to_vec(),
        instances: (0..3).map(instance).collect(),
        groups: vec![GroupConfig {
            name: "gateway".to_string(),
            instances: (0..3).map(InstanceId).collect(),
            tracks: Vec::new(),
            base: Base::ByPlace(vec![100, 90]),
            preempt: Preempt::On,
            preempt_delay: Duration::from_secs(30),
            actions: Actions::default(),
        }],
        tracks: Vec::new(),
        sync: None,
    }
}

/// When a packet arrives, at which node, on which link, and its bytes.
type OnTheWay = (Instant, usize, u16, Vec<u8>);

/// Two routers; what is on the way is sorted by its time of arrival.
struct Pair {
    now: Instant,
    nodes: [Option<Engine>; 2],
    wire: BinaryHeap<Reverse<OnTheWay>>,
    log: Vec<(Instant, usize, Action)>,
}

impl Pair {
    fn new() -> Pair {
        Pair {
            now: Instant::from_micros(1_000_000),
            nodes: [None, None],
            wire: BinaryHeap::new(),
            log: Vec::new(),
        }
    }

    /// Both routers, a while after they started: the first is master.
    fn settled() -> Pair {
        let mut pair = Pair::new();
        pair.start(A);
        pair.run(Duration::from_secs(5));
        pair.start(B);
        pair.run(Duration::from_secs(5));
        assert_eq!(pair.roles(), [Some(Role::Master), Some(Role::Backup)]);
        pair.log.clear();
        pair
    }

    fn start(&mut self, node: usize) {
        self.nodes[node] = Some(Engine::new(Arc::new(config()), &Boot::default(), self.now));
        for link in 0..3 {
            self.link(node, link, LinkCondition::Up);
        }
    }

    fn link(&mut self, node: usize, link: u16, condition: LinkCondition) {
        let own = address(link as u8, node as u8 + 2);
        let state = LinkState { condition, addresses: vec![own] };
        self.step(node, Event::Link { link: LinkId(link), state: &state });
    }

    fn step(&mut self, node: usize, event: Event<'_>) {
        let mut out = Vec::new();
        let Some(engine) = self.nodes[node].as_mut() else { return };
        engine.step(self.now, event, &mut out);
        for action in out {
            if let Action::Advertise { instance, priority } = action {
                self.send(node, instance, priority);
            }
            self.log.push((self.now, node, action));
        }
    }

    fn send(&mut self, node: usize, id: InstanceId, priority: u8) {
        let engine = self.nodes[node].as_ref().unwrap();
        let instance = &engine.config().instances[id.index()];
        let source = engine.source(id).expect("only a node with an address speaks");
        let addresses: Vec<IpAddr> = instance.vips.iter().map(|vip| vip.address).collect();
        let mut bytes = Vec::new();
        Outgoing {
            version: instance.version,
            vrid: instance.vrid,
            priority,
            interval: instance.interval,
            auth: instance.auth,
            addresses: &addresses,
            checksum: instance.checksum,
            source,
            destination: instance.others(source).next().unwrap(),
        }
        .emit(&mut bytes);
        self.wire.push(Reverse((self.now.after(LATENCY), 1 - node, instance.link.0, bytes)));
    }

    fn deliver(&mut self, node: usize, link: u16, bytes: &[u8]) {
        let host = |node: usize| address(link as u8, node as u8 + 2);
        let packet = Packet { source: host(1 - node), destination: host(node), hop_limit: 255, bytes };
        self.step(node, Event::Vrrp { link: LinkId(link), packet });
    }

    /// Lets time pass.
    fn run(&mut self, time: Duration) {
        let end = self.now.after(time);
        for turn in 0.. {
            assert!(turn < 100_000, "a deadline that is never met: {:?}", self.log.last());
            let due = |node: usize| self.nodes[node].as_ref().and_then(|engine| engine.next_deadline());
            let arrival = self.wire.peek().map(|next| next.0.0);
            let next = Instant::earliest(&[due(A), due(B), arrival]).filter(|next| *next <= end);
            let Some(next) = next else { break };
            assert!(next >= self.now || arrival != Some(next), "time runs forward");
            self.now = next.max(self.now);
            while self.wire.peek().is_some_and(|next| next.0.0 <= self.now) {
                let Reverse((_, node, link, bytes)) = self.wire.pop().unwrap();
                self.deliver(node, link, &bytes);
            }
            for node in [A, B] {
                if self.nodes[node]
                    .as_ref()
                    .and_then(Engine::next_deadline)
                    .is_some_and(|due| due <= self.now)
                {
                    self.step(node, Event::Timeout);
                    let due = self.nodes[node].as_ref().and_then(Engine::next_deadline);
                    assert!(due.is_none_or(|due| due > self.now || self.log.len() < 100_000), "busy loop");
                }
            }
        }
        self.now = end;
    }

    fn roles(&self) -> [Option<Role>; 2] {
        [A, B].map(|node| self.nodes[node].as_ref().map(|engine| engine.role(GroupId(0)).0))
    }

    /// When `node` took on `role`, counted from `since`.
    fn became(&self, node: usize, role: Role, since: Instant) -> Option<Duration> {
        let to = |(at, who, action): &(Instant, usize, Action)| match action {
            Action::Role(change) if *who == node && change.to == role && *at >= since => {
                Some(at.since(since))
            }
            _ => None,
        };
        self.log.iter().find_map(to)
    }

    fn cause(&self, node: usize) -> Cause {
        self.nodes[node].as_ref().unwrap().group(GroupId(0), self.now).cause
    }

    fn adverts(&self, node: usize) -> Vec<u8> {
        let said = |(_, who, action): &(Instant, usize, Action)| match action {
            Action::Advertise { priority, .. } if *who == node => Some(*priority),
            _ => None,
        };
        self.log.iter().filter_map(said).collect()
    }
}

#[test]
fn a_lone_router_serves_after_master_down() {
    let mut pair = Pair::new();

    pair.start(A);
    pair.run(Duration::from_secs(4));

    let took = pair.became(A, Role::Master, Instant::from_micros(1_000_000)).unwrap();
    assert_eq!(took, Duration::from_millis(3000) + Duration::from_secs(1) * (256 - 100) / 256);
    assert_eq!(pair.cause(A), Cause::MasterDown { master: None });
}

#[test]
fn both_start_at_once_and_the_first_one_serves() {
    let mut pair = Pair::new();

    pair.start(A);
    pair.start(B);
    pair.run(Duration::from_secs(10));

    assert_eq!(pair.roles(), [Some(Role::Master), Some(Role::Backup)]);
    assert_eq!(pair.became(B, Role::Master, Instant::default()), None);
}

#[test]
fn a_crashed_master_is_replaced_after_three_intervals_and_an_eighth() {
    let mut pair = Pair::settled();

    pair.nodes[A] = None;
    let crash = pair.now;
    pair.run(Duration::from_secs(5));

    let took = pair.became(B, Role::Master, crash).unwrap();
    assert!(took > Duration::from_millis(2125) && took <= Duration::from_millis(3126), "{took:?}");
    let Cause::MasterDown { master: Some(master) } = pair.cause(B) else { panic!("{}", pair.cause(B)) };
    assert!((0..3).any(|segment| master == address(segment, 2)), "{master}");
}

#[test]
fn a_pulled_cable_moves_the_whole_group_in_milliseconds() {
    let mut pair = Pair::settled();

    let pulled = pair.now;
    pair.link(A, 0, LinkCondition::NoCarrier);
    pair.run(Duration::from_secs(1));

    assert_eq!(pair.roles(), [Some(Role::Fault), Some(Role::Master)]);
    assert!(pair.became(B, Role::Master, pulled).unwrap() < Duration::from_millis(5));
    assert_eq!(pair.cause(A).to_string(), "lan: no carrier; 10.0.0.3 took over with priority 90");
    assert!(pair.cause(B).to_string().ends_with(" has a fault: priority 3"), "{}", pair.cause(B));
}

#[test]
fn a_stopped_master_is_replaced_within_the_question() {
    let mut pair = Pair::settled();

    let stopped = pair.now;
    pair.step(A, Event::Terminate);
    pair.nodes[A] = None;
    pair.run(Duration::from_secs(1));

    let took = pair.became(B, Role::Master, stopped).unwrap();
    assert!(took >= Duration::from_millis(20) && took < Duration::from_millis(25), "{took:?}");
    assert!(matches!(pair.cause(B), Cause::Stopped { .. }));
}

#[test]
fn a_forged_stop_moves_nothing() {
    let mut pair = Pair::settled();

    for _ in 0..100 {
        let mut bytes = Vec::new();
        let (source, destination) = (address(0, 2), address(0, 3));
        Outgoing {
            version: Version::V3,
            vrid: Vrid::new(1).unwrap(),
            priority: 0,
            interval: Interval::DEFAULT,
            auth: Auth::None,
            addresses: &[address(0, 1)],
            checksum: ChecksumForm::PseudoHeader,
            source,
            destination,
        }
        .emit(&mut bytes);
        pair.deliver(B, 0, &bytes);
        pair.run(Duration::from_millis(110));
    }

    assert_eq!(pair.roles(), [Some(Role::Master), Some(Role::Backup)]);
    assert_eq!(pair.became(B, Role::Master, Instant::default()), None);
}

#[test]
fn the_preferred_router_takes_back_after_the_delay() {
    let mut pair = Pair::settled();
    pair.nodes[A] = None;
    pair.run(Duration::from_secs(10));

    pair.start(A);
    let back = pair.now;
    pair.run(Duration::from_secs(40));

    assert_eq!(pair.roles(), [Some(Role::Master), Some(Role::Backup)]);
    let took = pair.became(A, Role::Master, back).unwrap();
    assert!(took >= Duration::from_secs(30) && took < Duration::from_millis(31_100), "{took:?}");
    assert_eq!(pair.adverts(B).last(), Some(&1), "the loser asks the winner to say itself again");
}

#[test]
fn a_switch_moves_the_role_and_it_stays() {
    let mut pair = Pair::settled();

    let command = Command::Switch(SwitchTo::Other);
    pair.step(A, Event::Command { id: CommandId(7), command });
    pair.run(Duration::from_secs(100));

    assert_eq!(pair.roles(), [Some(Role::Backup), Some(Role::Master)]);
    let replies = |(_, _, action): &(Instant, usize, Action)| match action {
        Action::Reply { id, result } => Some((*id, result.is_ok())),
        _ => None,
    };
    assert_eq!(pair.log.iter().filter_map(replies).collect::<Vec<_>>(), [(CommandId(7), true)]);
    assert_eq!(pair.cause(A), Cause::Operator);
}

#[test]
fn a_standby_takes_the_role_when_told_and_keeps_it() {
    let mut pair = Pair::settled();

    pair.step(B, Event::Command { id: CommandId(7), command: Command::Switch(SwitchTo::This) });
    pair.run(Duration::from_secs(100));

    assert_eq!(pair.roles(), [Some(Role::Backup), Some(Role::Master)]);
    assert_eq!(pair.adverts(B).last(), Some(&90));
}

#[test]
fn a_role_that_is_being_taken_is_not_taken_back_at_once() {
    let mut pair = Pair::settled();
    let take = Command::Switch(SwitchTo::This);

    pair.step(B, Event::Command { id: CommandId(1), command: take });
    pair.run(Duration::from_millis(100));
    pair.step(A, Event::Command { id: CommandId(2), command: take });
    pair.run(Duration::from_secs(6));
    assert_eq!(pair.roles(), [Some(Role::Backup), Some(Role::Master)]);
    pair.step(A, Event::Command { id: CommandId(3), command: take });
    pair.run(Duration::from_secs(6));

    assert_eq!(pair.roles(), [Some(Role::Master), Some(Role::Backup)]);
    let replies = |(_, _, action): &(Instant, usize, Action)| match action {
        Action::Reply { id, result } => Some((id.0, result.map(|_| ()))),
        _ => None,
    };
    let replies: Vec<_> = pair.log.iter().filter_map(replies).collect();
    assert_eq!(replies, [(1, Ok(())), (2, Err(Refusal::Busy)), (3, Ok(()))]);
}

#[test]
fn a_switch_with_nobody_there_is_refused_and_loses_nothing() {
    let mut pair = Pair::settled();
    pair.nodes[B] = None;

    pair.step(A, Event::Command { id: CommandId(7), command: Command::Switch(SwitchTo::Other) });
    pair.run(Duration::from_secs(10));

    assert_eq!(pair.roles()[A], Some(Role::Master));
    let refused = Action::Reply { id: CommandId(7), result: Err(Refusal::NobodyTookOver) };
    assert!(pair.log.iter().any(|(_, _, action)| *action == refused));
    assert!(!pair.log.iter().any(|(_, _, action)| matches!(action, Action::Role(_))));
}

#[test]
fn a_reload_of_the_same_configuration_does_nothing() {
    let mut pair = Pair::settled();

    pair.step(A, Event::Config(Arc::new(config())));

    assert_eq!(pair.log, []);
}

#[test]
fn a_reload_that_adds_an_address_announces_it_and_keeps_the_role() {
    let mut pair = Pair::settled();
    let mut changed = config();
    changed.instances[0].vips.push(Vip { address: address(0, 9), prefix: Some(24), label: None });

    pair.step(A, Event::Config(Arc::new(changed)));
    pair.run(Duration::from_millis(50));

    assert!(pair.log.iter().any(|(_, _, action)| *action == Action::Announce { instance: InstanceId(0) }));
    assert_eq!(pair.roles(), [Some(Role::Master), Some(Role::Backup)]);
    assert!(!pair.log.iter().any(|(_, _, action)| matches!(action, Action::Role(_))));
}

/// The master was heard last on an instance that is in another group from then on.
#[test]
fn a_reload_that_splits_a_group_leaves_a_standby_that_listens() {
    let mut pair = Pair::settled();
    let mut split = config();
    let whole = split.groups[0].clone();
    split.groups = (0..)
        .map(GroupId)
        .zip(whole.instances.clone())
        .map(|(id, instance)| {
            split.instances[instance.index()].group = id;
            crate::config::model::Group {
                name: format!("group{}", id.0),
                instances: vec![instance],
                ..whole.clone()
            }
        })
        .collect();
    let split = Arc::new(split);

    pair.step(B, Event::Config(Arc::clone(&split)));
    pair.step(A, Event::Config(split));
    pair.run(Duration::from_secs(10));

    assert_eq!(pair.roles(), [Some(Role::Master), Some(Role::Backup)]);
}

/// A lone master with a carrier check on its WAN, asked every 200 ms, that answers until `lost`.
fn told_of_carrier_loss(boot: impl Fn(&mut Engine, Instant, &mut Vec<Action>), lost: Duration) -> Duration {
    let mut config = config();
    config.tracks.push(crate::config::model::Track {
        name: "carrier".to_string(),
        kind: crate::config::model::TrackKind::Ping { targets: vec![address(2, 9)] },
        link: Some(LinkId(2)),
        need: 1,
        interval: Duration::from_millis(200),
        timeout: Duration::from_millis(200),
        fall: 2,
        rise: 2,
        weight: crate::config::model::Weight::Adjust(-30),
    });
    config.groups[0].tracks.push(crate::config::model::TrackUse {
        track: TrackId(0),
        places: crate::config::model::Places::ALL,
        scope: crate::config::model::TrackScope::Any,
    });
    let mut now = Instant::from_micros(1_000_000);
    let mut engine = Engine::new(Arc::new(config), &Boot::default(), now);
    let (mut out, until) = (Vec::new(), now.after(lost));
    boot(&mut engine, now, &mut out);
    while now < until.after(Duration::from_secs(60)) {
        for action in core::mem::take(&mut out) {
            match action {
                Action::Probe { track, round } if now < until => {
                    let outcome = ProbeOutcome::Answered(Duration::from_millis(1));
                    engine.step(now, Event::Probe { track, round, target: 0, outcome }, &mut out);
                }
                Action::Notice(Notice::TrackChanged { up: false, .. }) => return now.since(until),
                _ => {}
            }
        }
        now = engine.next_deadline().unwrap();
        engine.step(now, Event::Timeout, &mut out);
    }
    panic!("the loss was never noticed");
}

#[test]
fn a_carrier_lost_soon_after_a_slow_boot_is_noticed_as_fast_as_ever() {
    let boot = |engine: &mut Engine, now: Instant, out: &mut Vec<Action>| {
        for condition in [LinkCondition::NoCarrier, LinkCondition::Up] {
            for link in 0..3 {
                let state = LinkState { condition, addresses: vec![address(link as u8, 2)] };
                engine.step(now, Event::Link { link: LinkId(link), state: &state }, out);
            }
        }
    };

    let noticed = told_of_carrier_loss(boot, Duration::from_secs(5));

    assert!(noticed <= Duration::from_millis(600), "{noticed:?}");
}

//! A seed makes a world: not only when things break, but which kinds of things can break at all, and
//! how badly. Runs differ in kind, not in detail.

use core::time::Duration;

use gwha::engine::LinkCondition;

use crate::fault::{Fault, Order, Word};
use crate::net::Quality;
use crate::node::Clock;
use crate::rng::Rng;
use crate::support::setup::{Check, CheckKind, Member, Node, Setup};
use crate::truth::Bounds;
use crate::world::{Micros, Pace, Plan, Who};

/// The world of a seed.
pub fn plan(seed: u64) -> Plan {
    let mut rng = Rng::new(seed);
    let nodes = if rng.chance(250) { 3 } else { 2 };
    let setup = setup(&mut rng, nodes);
    let kinds = kinds(&mut rng, nodes, setup.members.len());
    let quality = quality(&mut rng);
    let pace = pace(&mut rng, &setup);
    let clocks = (0..nodes).map(|_| clock(&mut rng)).collect();
    let bounds = Bounds::new(&setup, quality.slowest() + pace.netlink, pace.answer);
    let mut mishaps = Mishaps { rng, setup: &setup, kinds: &kinds, bounds, faults: Vec::new() };
    let booted = mishaps.boot();
    let healed = mishaps.break_things(booted);
    mishaps.heal(healed);
    let mut faults = mishaps.faults;
    faults.extend(lies(seed, &kinds, healed));
    let end = healed + bounds.settle + 20_000_000.min(20 * bounds.master_down);
    Plan { seed, setup, kinds, quality, pace, clocks, faults, secrets: Vec::new(), end }
}

/// In every third world the peer channel talks, whether what it says is true or not: it may hold back what a node does of its
/// own accord, and nothing else. Drawn apart, so that a seed's world is otherwise the same.
fn lies(seed: u64, kinds: &[Who], until: Micros) -> Vec<(Micros, Fault)> {
    let mut rng = Rng::new(seed ^ 0x6c69_6573);
    if !rng.chance(333) {
        return Vec::new();
    }
    let count = rng.between(1, 40);
    let mut said = Vec::new();
    for _ in 0..count {
        let node = rng.between(0, kinds.len() as u64) as usize;
        let word = rng.pick(&[Word::Kept, Word::Hold(30_000_000), Word::Hold(1_000), Word::HoldOver]);
        if kinds[node] == Who::Gwha {
            said.push((rng.between(0, until.max(1)), Fault::Channel(node, word)));
        }
    }
    said
}

fn setup(rng: &mut Rng, nodes: usize) -> Setup {
    let members = rng.between(1, 4) as usize;
    let v2 = rng.chance(200);
    let v6 = !v2 && rng.chance(150);
    let interval = if v2 { rng.pick(&[100, 100, 200]) } else { rng.pick(&[1, 10, 20, 100, 100, 300]) };
    let mixed = rng.chance(150);
    let mut all = Vec::new();
    for name in ["lan", "iot", "wan"].into_iter().take(members) {
        let factor = if mixed { rng.pick(&[1, 2, 3]) } else { 1 };
        let password = (v2 && rng.chance(500)).then(|| "s3cret".to_owned());
        let version = if v2 { 2 } else { 3 };
        all.push(Member { version, v6, interval: interval * factor, password, ..Member::named(name) });
    }
    let quick = interval < 50;
    let delay = if quick { rng.pick(&[0, 500, 2_000]) } else { rng.pick(&[0, 1_000, 5_000, 30_000]) };
    let mut setup = Setup {
        routers: nodes,
        members: all,
        preempt: rng.chance(600),
        delay: Duration::from_millis(delay),
        announce: rng.chance(300),
        ..Setup::default()
    };
    if rng.chance(650) {
        setup.tracks.push(check(rng, members, quick));
    }
    setup
}

fn check(rng: &mut Rng, members: usize, quick: bool) -> Check {
    let interval = if quick { rng.pick(&[100, 300]) } else { rng.pick(&[200, 1_000, 5_000]) };
    let master_only = rng.chance(120);
    Check {
        on: members - 1,
        interval: Duration::from_millis(interval),
        timeout: Duration::from_millis(rng.pick(&[interval / 4, interval / 2, interval])),
        fall: rng.between(1, 4) as u16,
        rise: rng.between(1, 4) as u16,
        weight: rng.pick(&[Some(-30), Some(-30), Some(-5), None]),
        kind: if rng.chance(150) { CheckKind::Script } else { CheckKind::Ping },
        master_only,
        link: master_only.then(|| "wg0".to_owned()),
        ..Check::named("carrier")
    }
}

/// Mostly gwha; sometimes one of them is an RFC router.
fn kinds(rng: &mut Rng, nodes: usize, members: usize) -> Vec<Who> {
    let mut kinds = vec![Who::Gwha; nodes];
    if rng.chance(200) {
        let speaker = Who::Speaker { preempt: rng.chance(600), coupled: members > 1 || rng.chance(300) };
        kinds[rng.between(0, nodes as u64) as usize] = speaker;
    }
    kinds
}

fn quality(rng: &mut Rng) -> Quality {
    Quality {
        latency: rng.pick(&[30, 200, 1_000]),
        jitter: rng.pick(&[0, 200, 1_000]),
        duplicated: rng.pick(&[0, 0, 20, 200]),
        reordered: rng.pick(&[0, 0, 20, 300]),
        straggle: rng.pick(&[200, 1_500]),
    }
}

fn pace(rng: &mut Rng, setup: &Setup) -> Pace {
    let timeout =
        setup.tracks.iter().map(|track| track.timeout.as_micros() as Micros).min().unwrap_or(1_000_000);
    Pace {
        turn: rng.pick(&[50, 300, 1_000]),
        netlink: rng.pick(&[200, 2_000]),
        timer: rng.pick(&[100, 1_000]),
        answer: rng.pick(&[400, 3_000, 15_000]).min(timeout / 2),
        apply: 500,
        service: 300_000,
    }
}

fn clock(rng: &mut Rng) -> Clock {
    let offset = rng.between(1_000_000, 1_000_000_000_000);
    Clock { offset, drift: rng.between(0, 401) as i64 - 200 }
}

/// The faults of a world, being written.
struct Mishaps<'s> {
    rng: Rng,
    setup: &'s Setup,
    kinds: &'s [Who],
    bounds: Bounds,
    faults: Vec<(Micros, Fault)>,
}

/// A kind of mishap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    LinkLoss,
    BridgeFlap,
    Partition,
    OneWay,
    Loss,
    Clog,
    Power,
    Kill,
    Terminate,
    Stall,
    Carrier,
    CarrierForAll,
    Addresses,
    Steal,
    SendErrors,
    Switch,
    Maintenance,
    Forge,
    Reload,
}

const KINDS: [Kind; 19] = [
    Kind::LinkLoss,
    Kind::BridgeFlap,
    Kind::Partition,
    Kind::OneWay,
    Kind::Loss,
    Kind::Clog,
    Kind::Power,
    Kind::Kill,
    Kind::Terminate,
    Kind::Stall,
    Kind::Carrier,
    Kind::CarrierForAll,
    Kind::Addresses,
    Kind::Steal,
    Kind::SendErrors,
    Kind::Switch,
    Kind::Maintenance,
    Kind::Forge,
    Kind::Reload,
];

impl Mishaps<'_> {
    fn add(&mut self, at: Micros, fault: Fault) {
        self.faults.push((at, fault));
    }

    /// All at once, or one after the other; links before or after the daemon.
    fn boot(&mut self) -> Micros {
        let together = self.rng.chance(500);
        let spread = if together { 5_000 } else { 2 * self.bounds.master_down };
        let mut last = 0;
        for node in 0..self.kinds.len() {
            let at = 1_000 + self.rng.between(0, spread);
            self.add(at, Fault::Start(node));
            let linked = at.saturating_add_signed(self.rng.pick(&[-900, 300, 2_000_000]));
            for member in 0..self.setup.members.len() {
                self.add(linked, Fault::Link(node, member, LinkCondition::Up));
            }
            last = last.max(linked);
        }
        last
    }

    /// Between `from` and the returned time things break and are mended.
    fn break_things(&mut self, from: Micros) -> Micros {
        let sparse = self.rng.chance(400);
        let possible: Vec<Kind> = KINDS.into_iter().filter(|_| self.rng.chance(300)).collect();
        let (count, gap) = if sparse {
            (self.rng.between(2, 7), 2 * self.bounds.settle)
        } else {
            (self.rng.between(4, 30), self.rng.pick(&[1, 3, 8]) * self.bounds.master_down)
        };
        let mut at = from + self.rng.between(0, gap);
        for _ in 0..count {
            if !possible.is_empty() {
                let kind = self.rng.pick(&possible);
                let lasts = self.duration();
                self.mishap(kind, at, lasts);
            }
            at += if sparse { gap } else { 0 } + self.rng.between(0, gap);
        }
        at
    }

    /// From an instant to minutes, most of it around the times that the protocol counts in.
    fn duration(&mut self) -> Micros {
        let down = self.bounds.master_down;
        let longest =
            self.rng.pick(&[20_000, down / 4, down / 2, down, 2 * down, 5 * down, self.bounds.settle]);
        self.rng.between(longest / 2, longest + 1).max(1)
    }

    fn mishap(&mut self, kind: Kind, at: Micros, lasts: Micros) {
        let node = self.rng.between(0, self.kinds.len() as u64) as usize;
        let other = (node + self.rng.between(1, self.kinds.len() as u64) as usize) % self.kinds.len();
        let member = self.rng.between(0, self.setup.members.len() as u64) as usize;
        let end = at + lasts;
        // A speaker has no tracks, no operator, no tmpfs, and is never paused.
        let gwha = self.kinds[node] == Who::Gwha;
        match kind {
            Kind::LinkLoss => self.links(node, member, at, end),
            Kind::BridgeFlap => {
                self.add(at, Fault::Link(node, member, LinkCondition::NotForwarding));
                self.add(end, Fault::Link(node, member, LinkCondition::Up));
            }
            Kind::Partition => self.partition(node, at, end),
            Kind::OneWay => self.path(member, node, other, at, end),
            Kind::Loss => {
                let permille = self.rng.pick(&[10, 50, 200, 500]);
                self.both(at, Fault::Loss(member, permille), end, Fault::Loss(member, 0));
            }
            Kind::Clog => {
                let delay = self.rng.pick(&[10_000, 100_000, 2_000_000]);
                self.both(at, Fault::Clog(member, delay), end, Fault::Clog(member, 0));
            }
            Kind::Power => self.both(at, Fault::PowerOff(node), end, Fault::Start(node)),
            Kind::Kill => self.both(at, Fault::Kill(node), end, Fault::Start(node)),
            Kind::Terminate => self.both(at, Fault::Terminate(node), end, Fault::Start(node)),
            Kind::Stall if gwha => self.add(at, Fault::Stall(node, lasts)),
            Kind::Carrier if gwha => {
                self.both(at, Fault::Carrier(node, false), end, Fault::Carrier(node, true))
            }
            Kind::CarrierForAll => {
                self.both(at, Fault::CarrierForAll(false), end, Fault::CarrierForAll(true))
            }
            Kind::Addresses if gwha => {
                self.both(at, Fault::Addresses(node, false), end, Fault::Addresses(node, true));
            }
            Kind::Steal if gwha => self.add(at, Fault::Steal(node)),
            Kind::SendErrors if gwha => {
                let permille = self.rng.pick(&[50, 300]);
                self.both(at, Fault::SendErrors(node, permille), end, Fault::SendErrors(node, 0));
            }
            Kind::Switch if gwha => self.add(at, Fault::Order(node, Order::Switch)),
            Kind::Maintenance if gwha => {
                let order = |on| Fault::Order(node, Order::Maintenance(on));
                self.both(at, order(true), end, order(false));
            }
            Kind::Forge => self.forge(member, node, other, at, end),
            Kind::Reload if gwha => self.add(at, Fault::Reload(node, 2)),
            Kind::Stall
            | Kind::Carrier
            | Kind::Addresses
            | Kind::Steal
            | Kind::SendErrors
            | Kind::Switch
            | Kind::Maintenance
            | Kind::Reload => {}
        }
    }

    fn both(&mut self, at: Micros, fault: Fault, end: Micros, undo: Fault) {
        self.add(at, fault);
        self.add(end, undo);
    }

    /// One cable, or all of them.
    fn links(&mut self, node: Node, member: usize, at: Micros, end: Micros) {
        let all = self.rng.chance(200);
        for member in (0..self.setup.members.len()).filter(|other| all || *other == member) {
            let down = Fault::Link(node, member, LinkCondition::NoCarrier);
            self.both(at, down, end, Fault::Link(node, member, LinkCondition::Up));
        }
    }

    /// Nothing passes between a node and the others; every link stays up.
    fn partition(&mut self, node: Node, at: Micros, end: Micros) {
        let all = self.rng.chance(600);
        let one = self.rng.between(0, self.setup.members.len() as u64) as usize;
        for member in (0..self.setup.members.len()).filter(|other| all || *other == one) {
            for other in (0..self.kinds.len()).filter(|other| *other != node) {
                self.path(member, node, other, at, end);
                self.path(member, other, node, at, end);
            }
        }
    }

    fn path(&mut self, member: usize, from: Node, to: Node, at: Micros, end: Micros) {
        let path = |open| Fault::Path { member, from, to, open };
        self.both(at, path(false), end, path(true));
    }

    /// Priority 0 in another's name, ten times a second or a hundred times.
    fn forge(&mut self, member: usize, to: Node, as_if: Node, at: Micros, end: Micros) {
        let gap = self.rng.pick(&[10_000, 100_000]);
        let mut next = at;
        while next < end.min(at + 200 * gap) {
            self.add(next, Fault::Forge { member, as_if, to, priority: 0 });
            next += gap;
        }
        self.add(next, Fault::ForgingEnds);
    }

    /// Mends everything, whatever was broken.
    fn heal(&mut self, at: Micros) {
        self.faults.retain(|(when, _)| *when < at);
        for (when, fault) in &mut self.faults {
            if let Fault::Stall(_, length) = fault {
                *length = (*length).min(at - *when);
            }
        }
        self.faults.sort_by_key(|(when, _)| *when);
        for node in 0..self.kinds.len() {
            self.add(at, Fault::Start(node));
            for member in 0..self.setup.members.len() {
                self.add(at, Fault::Link(node, member, LinkCondition::Up));
            }
            if self.kinds[node] == Who::Gwha {
                self.add(at, Fault::Addresses(node, true));
                self.add(at, Fault::SendErrors(node, 0));
                self.add(at + 1, Fault::Order(node, Order::Maintenance(false)));
                self.add(at, Fault::Reload(node, 1));
            }
            for (member, other) in
                (0..self.setup.members.len()).flat_map(|m| (0..self.kinds.len()).map(move |o| (m, o)))
            {
                self.add(at, Fault::Path { member, from: node, to: other, open: true });
            }
        }
        for member in 0..self.setup.members.len() {
            self.add(at, Fault::Loss(member, 0));
            self.add(at, Fault::Clog(member, 0));
        }
        self.add(at, Fault::CarrierForAll(true));
        self.add(at, Fault::ForgingEnds);
        // Who was about to stop has stopped by now.
        (0..self.kinds.len()).for_each(|node| self.add(at + 1_000_000, Fault::Start(node)));
        self.add(at + 1_000_001, Fault::Healed);
    }
}

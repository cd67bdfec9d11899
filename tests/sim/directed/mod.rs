//! The sequences of the rule book, each at many phases, with every property watching.
//!
//! A play is driven by hand: something happens, time passes, and the test says who has to be master.

mod boot;
mod carrier;
mod crash;
mod links;
mod operator;
mod others;

use std::cell::RefCell;
use std::rc::Rc;

use gwha::engine::{LinkCondition, Role};

use crate::checks::{self, Change, Property};
use crate::fault::{Declared, Fault};
use crate::net::Quality;
use crate::node::Clock;
use crate::rng::Rng;
use crate::support::setup::{Node, Setup};
use crate::truth::Truth;
use crate::world::{Failure, Micros, Pace, Plan, Who, World};

const MS: Micros = 1_000;
const S: Micros = 1_000_000;

/// The preferred router, the other one, and a third.
const A: Node = 0;
const B: Node = 1;
const C: Node = 2;

/// How many phases a sequence is played at.
const PHASES: u64 = 50;

/// A world that a test drives.
pub struct Play {
    pub world: World,
    moves: Rc<RefCell<Vec<Move>>>,
    rng: Rng,
}

/// A role that was taken or given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Move {
    at: Micros,
    node: Node,
    /// Taken, or given up.
    to: Role,
}

/// Notes every change from or to master.
struct Recorder(Rc<RefCell<Vec<Move>>>);

impl Property for Recorder {
    fn name(&self) -> &'static str {
        "recorder"
    }

    fn look(&mut self, truth: &Truth, change: Change) -> Result<(), String> {
        if let Change::Role { node, from, to } = change {
            if from == Role::Master || to == Role::Master {
                self.0.borrow_mut().push(Move { at: truth.now, node, to });
            }
        }
        Ok(())
    }
}

impl Play {
    /// Machines that are off: a line each for the configuration and its tracks.
    fn dark(seed: u64, kinds: &[Who], lines: &[&str]) -> Play {
        Play::watched(seed, kinds, lines, checks::all())
    }

    /// Machines that are off, and only these properties watch.
    pub fn watched(seed: u64, kinds: &[Who], lines: &[&str], mut properties: Vec<Box<dyn Property>>) -> Play {
        let mut setup = Setup { routers: kinds.len(), ..Setup::default() };
        for line in lines {
            let done = match line.strip_prefix("track ") {
                Some(track) => setup.add_track(track),
                None => setup.set_all(line),
            };
            done.expect("a test writes good configurations");
        }
        let mut rng = Rng::new(seed);
        let clock = |rng: &mut Rng| Clock { offset: rng.between(S, 1_000_000 * S), drift: 100 };
        let plan = Plan {
            seed,
            clocks: kinds.iter().map(|_| clock(&mut rng)).collect(),
            setup,
            kinds: kinds.to_vec(),
            quality: Quality { latency: 150, jitter: 100, duplicated: 5, reordered: 20, straggle: 500 },
            pace: Pace { turn: 100, netlink: 300, timer: 200, answer: 2 * MS, apply: 500, service: 300 * MS },
            faults: Vec::new(),
            secrets: Vec::new(),
            end: 0,
        };
        let moves = Rc::new(RefCell::new(Vec::new()));
        properties.push(Box::new(Recorder(Rc::clone(&moves))));
        Play { world: World::new(plan, properties), moves, rng }
    }

    /// Two gwha routers, up and settled; the preferred one is master.
    fn pair(seed: u64, lines: &[&str]) -> Play {
        Play::settled(seed, &[Who::Gwha, Who::Gwha], lines)
    }

    /// Routers that started one after the other and have settled, at some phase of everything.
    fn settled(seed: u64, kinds: &[Who], lines: &[&str]) -> Play {
        let mut play = Play::dark(seed, kinds, lines);
        for node in 0..kinds.len() {
            play.boot(node);
            play.run(5 * play.world.truth.bounds.master_down);
        }
        play.settle();
        assert_eq!(play.master(), Some(A), "the preferred router begins");
        play.forget();
        play
    }

    /// A node starts with good links.
    pub fn boot(&mut self, node: Node) {
        for member in 0..self.members() {
            self.fault(Fault::Link(node, member, LinkCondition::Up));
        }
        self.fault(Fault::Start(node));
    }

    /// As long as it can take, and a little more, so that no phase is special.
    pub fn settle(&mut self) {
        let phase = self.rng.between(0, 10 * S);
        self.run(self.world.truth.bounds.settle + phase);
    }

    /// Time passes. Every property has to hold meanwhile.
    pub fn run(&mut self, time: Micros) {
        let until = self.world.now + time;
        while self.world.now < until {
            let next = until.min(self.world.now + S);
            if let Err(failure) = self.world.run_until(next) {
                let Failure { at, what, why, tail } = failure;
                panic!("{tail}\nseed {} at {at}: {what} {why}", self.world.plan.seed);
            }
        }
    }

    /// Time passes until a property does not hold.
    pub fn run_to_failure(&mut self, time: Micros) -> Option<Failure> {
        let until = self.world.now + time;
        (self.world.now..until).step_by(S as usize).find_map(|next| self.world.run_until(next).err())
    }

    pub fn fault(&mut self, fault: Fault) {
        self.world.apply(fault, Declared::Yes);
    }

    /// Something that the checkers are not told of.
    pub fn secret(&mut self, fault: Fault) {
        self.world.apply(fault, Declared::No);
    }

    /// A cable is pulled, or put back.
    fn cable(&mut self, node: Node, member: usize, up: bool) {
        let condition = if up { LinkCondition::Up } else { LinkCondition::NoCarrier };
        self.fault(Fault::Link(node, member, condition));
    }

    /// Nothing passes between two nodes on a member's segment, or everything does.
    fn path(&mut self, member: usize, open: bool) {
        for (from, to) in [(A, B), (B, A)] {
            self.fault(Fault::Path { member, from, to, open });
        }
    }

    fn members(&self) -> usize {
        self.world.plan.setup.members.len()
    }

    /// The only master.
    fn master(&self) -> Option<Node> {
        let masters: Vec<Node> = self.world.truth.masters().map(|node| node.place).collect();
        if let [master] = masters[..] { Some(master) } else { None }
    }

    fn forget(&mut self) {
        self.moves.borrow_mut().clear();
    }

    fn moves(&self) -> Vec<Move> {
        self.moves.borrow().clone()
    }

    /// How long after `since` a node took the role.
    fn took(&self, node: Node, since: Micros) -> Option<Micros> {
        let moves = self.moves.borrow();
        let taken =
            moves.iter().find(|moved| moved.node == node && moved.to == Role::Master && moved.at >= since);
        taken.map(|moved| moved.at - since)
    }

    /// Nobody took a role or gave one up.
    #[track_caller]
    fn assert_still(&self) {
        assert_eq!(self.moves(), [], "seed {}\n{}", self.world.plan.seed, self.world.trace.tail());
    }

    #[track_caller]
    fn assert_master(&self, node: Node) {
        assert_eq!(self.master(), Some(node), "seed {}\n{}", self.world.plan.seed, self.world.trace.tail());
    }

    /// A node took the role within `limit` of `since`.
    #[track_caller]
    fn assert_took(&self, node: Node, since: Micros, limit: Micros) {
        let took = self.took(node, since);
        assert!(
            took.is_some_and(|took| took <= limit),
            "seed {}: took {took:?} µs, not {limit}\n{}",
            self.world.plan.seed,
            self.world.trace.tail()
        );
    }
}

/// The reference: three members in unicast.
const THREE: &str = "members=lan,iot,wan interval=1s";

/// Its carrier check.
const CARRIER: &str = "track carrier on=wan interval=5s timeout=2s fall=2 rise=2 weight=-30";

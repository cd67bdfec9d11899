//! A world of routers, in virtual time: one queue of things that will happen, one source of chance.
//!
//! Equal seeds make equal runs: nothing here reads a clock, and nothing is ordered by a hash.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;
use std::sync::Arc;

use gwha::config::model::TrackId;
use gwha::engine::{Action, LinkCondition, ProbeOutcome, Role, Round};

use crate::checks::{Change, Property};
use crate::fault::{Declared, Fault};
use crate::net::{Quality, Segment};
use crate::node::{Clock, Frame, Node, Request};
use crate::rng::Rng;
use crate::speaker::{Say, Speaker};
use crate::support::setup::{CheckKind, Node as Place, Setup};
use crate::support::vrrp::{Advert, Cover};
use crate::trace::{Entry, Trace};
use crate::truth::{Bounds, Kind, Truth};

/// Microseconds since the world began.
pub type Micros = u64;

/// How long things take that are not the network's.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// From a packet's arrival to the turn that reads it, at most.
    pub turn: Micros,
    /// From a link's change to the news of it, at most.
    pub netlink: Micros,
    /// How late a timer is served, at most.
    pub timer: Micros,
    /// The carrier router's answer.
    pub answer: Micros,
    /// From a role change to the addresses.
    pub apply: Micros,
    /// From a role change to an interface of `up_on_master`.
    pub service: Micros,
}

/// What a world is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub setup: Setup,
    /// For each node: who it is.
    pub kinds: Vec<Who>,
    pub quality: Quality,
    pub pace: Pace,
    pub clocks: Vec<Clock>,
    pub faults: Vec<(Micros, Fault)>,
    /// Faults that the checkers are not told of.
    pub secrets: Vec<(Micros, Fault)>,
    pub end: Micros,
}

/// Who a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Gwha,
    Speaker { preempt: bool, coupled: bool },
}

/// What went wrong in a run.
#[derive(Debug, Clone)]
pub struct Failure {
    pub at: Micros,
    /// The property, or "contract".
    pub what: &'static str,
    pub why: String,
    /// The last lines of the trace.
    pub tail: String,
}

pub enum Station {
    Gwha(Box<Node>),
    Speaker(Box<Speech>),
}

/// A speaker, and the machine it runs on.
pub struct Speech {
    /// `None`: it does not run.
    pub speaker: Option<Speaker>,
    pub links: Vec<bool>,
    wake_at: Option<Micros>,
}

pub struct World {
    pub now: Micros,
    pub plan: Plan,
    pub stations: Vec<Station>,
    pub segments: Vec<Segment>,
    /// For each node: the carrier router answers it.
    pub carrier: Vec<bool>,
    /// For each node: how many of a thousand adverts its kernel refuses.
    pub send_errors: Vec<u32>,
    pub truth: Truth,
    pub properties: Vec<Box<dyn Property>>,
    pub trace: Trace,
    pub rng: Rng,
    /// For each node: adverts sent, and when addresses were announced.
    pub sent: Vec<u32>,
    pub announced: Vec<Vec<Micros>>,
    queue: BinaryHeap<Reverse<Due>>,
    sequence: u64,
    failure: Option<Failure>,
}

/// Something that will happen; ordered by time, then by when it was decided.
struct Due {
    at: Micros,
    sequence: u64,
    what: What,
}

enum What {
    Fault(Fault, Declared),
    Wake(Place),
    Frame {
        to: Place,
        from: Place,
        frame: Frame,
    },
    Answer {
        node: Place,
        track: TrackId,
        round: Round,
        target: u16,
        outcome: ProbeOutcome,
    },
    Applied(Place),
    Service(Place, LinkCondition),
    StallEnds(Place),
    /// Nothing: the checkers look.
    Look,
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Due) -> core::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl World {
    pub fn new(plan: Plan, properties: Vec<Box<dyn Property>>) -> World {
        let nodes = plan.kinds.len();
        let latency = plan.quality.slowest() + plan.pace.turn.max(plan.pace.timer).max(plan.pace.netlink);
        let bounds = Bounds::new(&plan.setup, latency, plan.pace.answer);
        let kinds: Vec<Kind> = plan.kinds.iter().map(|who| who.kind()).collect();
        let stations = plan.kinds.iter().zip(&plan.clocks).enumerate();
        let mut world = World {
            now: 0,
            stations: stations
                .map(|(place, (who, clock))| Station::new(&plan.setup, place, *who, *clock))
                .collect(),
            segments: plan.setup.members.iter().map(|_| Segment::new(plan.quality, nodes)).collect(),
            carrier: vec![true; nodes],
            send_errors: vec![0; nodes],
            truth: Truth::new(&plan.setup, &kinds, bounds),
            properties,
            trace: Trace::new(),
            rng: Rng::new(plan.seed ^ 0x5eed),
            sent: vec![0; nodes],
            announced: vec![Vec::new(); nodes],
            queue: BinaryHeap::new(),
            sequence: 0,
            failure: None,
            plan,
        };
        for (at, fault) in world.plan.faults.clone() {
            world.later(at, What::Fault(fault, Declared::Yes));
        }
        for (at, fault) in world.plan.secrets.clone() {
            world.later(at, What::Fault(fault, Declared::No));
        }
        world
    }

    /// Runs the plan to its end.
    ///
    /// # Errors
    /// The first property that did not hold.
    pub fn run(mut self) -> Result<Trace, Failure> {
        // Conditions that only time makes wrong are looked at now and then.
        for second in 1..self.plan.end / 1_000_000 {
            self.later(second * 1_000_000, What::Look);
        }
        self.run_until(self.plan.end)?;
        Ok(self.trace)
    }

    /// Lets happen what is due before `until`.
    ///
    /// # Errors
    /// The first property that did not hold.
    pub fn run_until(&mut self, until: Micros) -> Result<(), Failure> {
        while self.queue.peek().is_some_and(|Reverse(due)| due.at <= until) {
            let Some(Reverse(due)) = self.queue.pop() else { break };
            self.now = due.at;
            self.truth.now = due.at;
            self.happen(due.what);
            if let Some(failure) = self.failure.take() {
                return Err(Failure { tail: self.trace.tail(), ..failure });
            }
        }
        self.now = until;
        self.truth.now = until;
        self.look(Change::Time);
        self.failure.take().map_or(Ok(()), |failure| Err(Failure { tail: self.trace.tail(), ..failure }))
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Fault(fault, declared) => self.apply(fault, declared),
            What::Wake(place) => self.wake(place),
            What::Frame { to, from, frame } => self.frame(to, from, frame),
            What::Answer { node, track, round, target, outcome } => {
                if let Station::Gwha(station) = &mut self.stations[node] {
                    station.answer(track, round, target, outcome);
                    self.soon(node);
                }
            }
            What::Applied(place) => {
                if let Station::Gwha(node) = &mut self.stations[place] {
                    node.apply();
                    self.soon(place);
                }
            }
            What::Service(place, condition) => self.serve(place, condition),
            What::StallEnds(place) => self.stall_ends(place),
            What::Look => self.look(Change::Time),
        }
    }

    fn stall_ends(&mut self, place: Place) {
        let Station::Gwha(node) = &self.stations[place] else { return };
        // Another stall may have begun meanwhile.
        if node.stalled_until <= self.now {
            self.truth.stall_ends(place);
            self.look(Change::Fault);
            self.wake_by(place, self.now);
        }
    }

    /// An interface of `up_on_master` follows the role.
    fn serve(&mut self, place: Place, condition: LinkCondition) {
        let members = self.plan.setup.members.len();
        let Station::Gwha(node) = &mut self.stations[place] else { return };
        for link in members..node.links.len() {
            node.set_link(link, condition);
        }
        self.soon(place);
    }

    fn wake(&mut self, place: Place) {
        match &mut self.stations[place] {
            Station::Gwha(node) if node.wake_at == Some(self.now) => {
                node.wake_at = None;
                if node.stalled_until > self.now {
                    return;
                }
                self.turn(place);
            }
            Station::Speaker(speech) if speech.wake_at == Some(self.now) => {
                speech.wake_at = None;
                let mut says = Vec::new();
                if let Some(speaker) = &mut speech.speaker {
                    speaker.timeout(self.now, &mut says);
                }
                self.speak(place, &says);
            }
            Station::Gwha(_) | Station::Speaker(_) => {}
        }
    }

    fn turn(&mut self, place: Place) {
        let Station::Gwha(node) = &mut self.stations[place] else { return };
        let mut actions = Vec::new();
        if let Err(why) = node.turn(self.now, &mut actions) {
            self.fail("contract", format!("{}: {why}", crate::support::setup::letter(place)));
        }
        for action in actions {
            self.act(place, action);
        }
        let Station::Gwha(node) = &mut self.stations[place] else { return };
        let (due, more) = (node.due(), node.has_more());
        if more {
            self.soon(place);
        }
        if let Some(due) = due {
            let late = self.rng.between(0, self.plan.pace.timer + 1);
            self.wake_by(place, due.max(self.now) + late);
        }
    }

    fn act(&mut self, place: Place, action: Action) {
        match action {
            Action::Advertise { instance, priority } => self.advertise(place, instance.index(), priority),
            Action::Role(change) => {
                let (from, to) = (change.from, change.to);
                self.trace.add(self.now, Some(place), Entry::Role(change));
                self.later(self.now + self.plan.pace.apply, What::Applied(place));
                let condition = if to == Role::Master { LinkCondition::Up } else { LinkCondition::AdminDown };
                self.later(self.now + self.plan.pace.service, What::Service(place, condition));
                self.truth.role(place, to);
                self.look(Change::Role { node: place, from, to });
            }
            Action::Probe { track, round } => self.probe(place, track, round),
            Action::Exit => {
                self.trace.add(self.now, Some(place), Entry::Does(action));
                self.truth.gone(place);
                self.look(Change::Fault);
            }
            Action::EndProbe { .. } | Action::Configured => {}
            Action::Announce { .. } => {
                self.announced[place].push(self.now);
                self.trace.add(self.now, Some(place), Entry::Does(action));
            }
            Action::KeepMaintenance(_) | Action::Reply { .. } | Action::Notice(_) => {
                self.trace.add(self.now, Some(place), Entry::Does(action));
            }
        }
    }

    fn probe(&mut self, place: Place, track: TrackId, round: Round) {
        self.trace.add(self.now, Some(place), Entry::Probed(track.index()));
        let check = &self.plan.setup.tracks[track.index()];
        let Station::Gwha(node) = &self.stations[place] else { return };
        let linked = node.links[self.plan.setup.link_of(check)] == LinkCondition::Up;
        let answers = self.carrier[place] && (linked || check.kind == CheckKind::Script);
        let outcome = match (answers, check.kind) {
            (true, _) => Node::answered(self.plan.pace.answer),
            (false, CheckKind::Script) => ProbeOutcome::Failed,
            (false, CheckKind::Ping | CheckKind::Link) => return,
        };
        for target in 0..u16::from(check.targets) {
            let at = self.now + self.plan.pace.answer - self.rng.between(0, self.plan.pace.answer / 2);
            self.later(at, What::Answer { node: place, track, round, target, outcome });
        }
    }

    fn advertise(&mut self, place: Place, member: usize, priority: u8) {
        self.trace.add(self.now, Some(place), Entry::Sends(member, priority));
        self.sent[place] += 1;
        if priority > 1 && self.truth.word(place, priority) {
            self.look(Change::Word);
        }
        let refused = self.rng.chance(self.send_errors[place]);
        let Station::Gwha(node) = &mut self.stations[place] else { return };
        if refused {
            self.truth.lost();
            node.request(Request::SendFailed(member));
            self.soon(place);
            return;
        }
        if node.links[member] != LinkCondition::Up {
            return;
        }
        for frame in node.adverts(member, priority) {
            let Some(to) = self.place_of(member, frame.destination) else { continue };
            self.launch(place, to, frame);
        }
    }

    fn encode(&self, member: usize, priority: u8, source: IpAddr, destination: IpAddr) -> Arc<[u8]> {
        let setup = &self.plan.setup;
        setup.advert(member, priority).encode(setup.cover(member, source, destination)).into()
    }

    fn place_of(&self, member: usize, address: IpAddr) -> Option<Place> {
        (0..self.stations.len()).find(|place| self.plan.setup.address(member, *place) == address)
    }

    /// Puts a frame on the wire.
    fn launch(&mut self, from: Place, to: Place, frame: Frame) {
        let segment = &mut self.segments[frame.member];
        let (lossy, prompt) = (segment.loss > 0, segment.is_prompt());
        let arrivals = segment.carry(&mut self.rng, self.now, from, to);
        if lossy && arrivals.is_empty() {
            self.truth.lost();
        }
        for at in arrivals {
            self.later(at, What::Frame { to, from, frame: Frame { prompt, ..frame.clone() } });
        }
    }

    fn frame(&mut self, to: Place, from: Place, frame: Frame) {
        let Frame { member, source, destination, prompt, .. } = frame;
        if !prompt {
            self.truth.lost();
        }
        let priority = frame.bytes.get(2).copied().unwrap_or_default();
        match &mut self.stations[to] {
            Station::Gwha(node) => {
                if node.links[member] != LinkCondition::Up {
                    return;
                }
                self.trace.add(self.now, Some(to), Entry::Hears(member, from, priority));
                node.receive(frame);
                self.soon(to);
            }
            Station::Speaker(speech) => {
                let up = speech.links[member];
                let Some(speaker) = speech.speaker.as_mut().filter(|_| up) else { return };
                self.trace.add(self.now, Some(to), Entry::Hears(member, from, priority));
                let setup = &self.plan.setup;
                let cover = match setup.members[member].version {
                    2 => Cover::Message,
                    _ => Cover::Pseudo(source, destination),
                };
                let mut says = Vec::new();
                if let Some(advert) = Advert::decode(&frame.bytes, source.is_ipv6(), cover) {
                    speaker.hear(self.now, member, source, &advert, &mut says);
                }
                self.speak(to, &says);
            }
        }
    }

    /// Sends what a speaker says, and notes what has become of it.
    pub fn speak(&mut self, place: Place, says: &[Say]) {
        for Say { member, priority } in says {
            self.trace.add(self.now, Some(place), Entry::Sends(*member, *priority));
            self.truth.word(place, *priority);
            let source = self.plan.setup.address(*member, place);
            for to in (0..self.stations.len()).filter(|to| *to != place) {
                let destination = self.plan.setup.address(*member, to);
                let bytes = self.encode(*member, *priority, source, destination);
                self.launch(place, to, Frame { member: *member, source, destination, bytes, prompt: true });
            }
        }
        let Station::Speaker(speech) = &self.stations[place] else { return };
        let role = match &speech.speaker {
            Some(speaker) if speaker.is_master() => Role::Master,
            _ => Role::Backup,
        };
        let next = speech.speaker.as_ref().and_then(Speaker::next);
        let from = self.truth.nodes[place].role;
        if role != from {
            self.trace.add(self.now, Some(place), Entry::Note(format!("== {}", role.name())));
            self.truth.role(place, role);
            self.look(Change::Role { node: place, from, to: role });
        }
        if let Some(next) = next {
            self.wake_by(place, next.max(self.now));
        }
    }

    /// A turn of the node's loop in a moment.
    pub fn soon(&mut self, place: Place) {
        let late = self.rng.between(1, self.plan.pace.turn + 1);
        self.wake_by(place, self.now + late);
    }

    /// A turn of the node's loop at `at` or before.
    pub fn wake_by(&mut self, place: Place, at: Micros) {
        let wake_at = match &mut self.stations[place] {
            Station::Gwha(node) => &mut node.wake_at,
            Station::Speaker(speech) => &mut speech.wake_at,
        };
        if wake_at.is_none_or(|known| at < known) {
            *wake_at = Some(at);
            self.later(at, What::Wake(place));
        }
    }

    /// The end of a stall.
    pub fn stall_until(&mut self, place: Place, at: Micros) {
        self.later(at, What::StallEnds(place));
    }

    /// A frame that nobody on the segment sent: it arrives at once.
    pub fn inject(&mut self, member: usize, as_if: Place, to: Place, priority: u8) {
        let (source, destination) =
            (self.plan.setup.address(member, as_if), self.plan.setup.destination(member, to));
        let bytes = self.encode(member, priority, source, destination);
        self.frame(to, as_if, Frame { member, source, destination, bytes, prompt: true });
    }

    /// Lets every checker look at the world.
    pub fn look(&mut self, change: Change) {
        if self.failure.is_some() {
            return;
        }
        for property in &mut self.properties {
            if let Err(why) = property.look(&self.truth, change) {
                let what = property.name();
                self.fail(what, why);
                return;
            }
        }
    }

    fn fail(&mut self, what: &'static str, why: String) {
        if self.failure.is_none() {
            self.failure = Some(Failure { at: self.now, what, why, tail: String::new() });
        }
    }

    fn later(&mut self, at: Micros, what: What) {
        self.sequence += 1;
        self.queue.push(Reverse(Due { at, sequence: self.sequence, what }));
    }
}

impl Who {
    pub fn kind(self) -> Kind {
        match self {
            Who::Gwha => Kind::Gwha,
            Who::Speaker { .. } => Kind::Speaker,
        }
    }
}

impl Station {
    fn new(setup: &Setup, place: Place, who: Who, clock: Clock) -> Station {
        match who {
            Who::Gwha => Station::Gwha(Box::new(Node::new(setup, place, clock))),
            Who::Speaker { .. } => Station::Speaker(Box::new(Speech {
                speaker: None,
                links: vec![false; setup.members.len()],
                wake_at: None,
            })),
        }
    }
}

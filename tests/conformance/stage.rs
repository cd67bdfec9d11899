//! Where a scenario is played: one or more real engines, an ideal wire between them, and hosts whose
//! only thought is to do at once what their engine says.

use core::time::Duration;
use std::collections::BTreeMap;

use gwha::config::model::{GroupId, LinkId, TrackId};
use gwha::engine::{
    Action, ApplyOutcome, Boot, Engine, Epoch, Event, Instant, LinkCondition, LinkState, ProbeOutcome,
    Remembered, Role, Round,
};

use crate::input::micros;
use crate::letter::{Letter, Raw};
use crate::script::Said;
use crate::support::setup::{self, Node, Setup, letter};
use crate::words;

/// Microseconds since the scenario began.
pub type Micros = u64;

/// How long a host takes to put addresses on, and a target to answer unless told otherwise.
pub const SOON: Micros = 1_000;

/// The play.
pub struct Stage {
    pub setup: Setup,
    /// The set-up before the reload that is going on.
    pub before: Option<Setup>,
    /// Which nodes run an engine; only `self` if empty.
    pub real: Vec<Node>,
    /// Latency of each member's network.
    pub wire: Vec<Micros>,
    /// Members whose network passes nothing, while every link stays up.
    pub cut: Vec<usize>,
    /// What is said until the next input is not shown.
    pub hushed: bool,
    /// Made at the first input.
    pub hosts: Vec<Host>,
    pub now: Micros,
    /// What is under way, by arrival; the counter keeps the order of equal times.
    flights: BTreeMap<(Micros, u64), Flight>,
    launched: u64,
    pub said: Vec<Said>,
}

/// A node with an engine.
pub struct Host {
    pub node: Node,
    pub engine: Option<Engine>,
    /// This node's clock at the start of the scenario.
    pub origin: Micros,
    pub links: Vec<(LinkCondition, OwnAddress)>,
    /// For each track and target: what happens to a question.
    pub answers: Vec<Vec<Answer>>,
    pub applies: ApplyOutcome,
    pub boot: Boot,
    pub commands: u32,
    pub life: Life,
    /// Until then its loop does not run; what arrives waits.
    pub stalled_until: Micros,
}

/// Whether a host was started once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Life {
    NotYet,
    Begun,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OwnAddress {
    There,
    Missing,
}

#[derive(Clone, Copy)]
pub enum Answer {
    After(Micros),
    Refused,
    Never,
}

/// Something on its way to a host.
enum Flight {
    Vrrp { to: Node, member: usize, raw: Raw },
    Probe { to: Node, track: u16, round: Round, target: u16, outcome: ProbeOutcome },
    Applied { to: Node },
}

impl Flight {
    fn to(&self) -> Node {
        match self {
            Flight::Vrrp { to, .. } | Flight::Probe { to, .. } | Flight::Applied { to } => *to,
        }
    }
}

impl Default for Stage {
    fn default() -> Stage {
        Stage {
            setup: Setup::default(),
            before: None,
            real: Vec::new(),
            wire: vec![200],
            cut: Vec::new(),
            hushed: false,
            hosts: Vec::new(),
            now: 0,
            flights: BTreeMap::new(),
            launched: 0,
            said: Vec::new(),
        }
    }
}

impl Stage {
    /// The set-up, to be changed before the first input.
    pub fn setup(&mut self) -> &mut Setup {
        &mut self.setup
    }

    /// Takes in a `config` line: what [`Setup`] knows, and `nodes=a,b`, `wire=1ms`, `lan.wire=1ms`.
    pub fn configure(&mut self, line: &str) -> Result<(), String> {
        for word in line.split_whitespace() {
            match word.split_once('=') {
                Some(("nodes", names)) => {
                    self.real = names.split(',').map(setup::node).collect::<Result<_, _>>()?;
                }
                Some(("wire", latency)) => self.wire = vec![micros(latency)?; self.setup.members.len()],
                Some((key, latency)) if key.ends_with(".wire") => {
                    let member = setup::position(&self.setup.members, key.trim_end_matches(".wire"))?;
                    self.wire.resize(self.setup.members.len(), 200);
                    self.wire[member] = micros(latency)?;
                }
                _ => self.setup.set_all(word)?,
            }
        }
        Ok(())
    }

    /// What was said since the last call.
    pub fn take_said(&mut self) -> Vec<Said> {
        std::mem::take(&mut self.said)
    }

    /// Lets everything happen that is due before `at`, and makes it `at`.
    pub fn run_until(&mut self, at: Micros) -> Result<(), String> {
        if at < self.now {
            return Err("time runs backwards".to_owned());
        }
        loop {
            let flight = self.flights.first_key_value().map(|((due, _), _)| *due);
            let timer = self.hosts.iter().filter_map(Host::due).min();
            let Some(next) = [flight, timer].into_iter().flatten().min().filter(|next| *next < at) else {
                break;
            };
            self.now = self.now.max(next);
            // Packets before timers, as in one turn of the daemon's loop.
            if flight == Some(next) {
                let (_, flight) = self.flights.pop_first().expect("it was looked at");
                self.land(flight);
            } else {
                self.fire()?;
            }
        }
        self.now = at;
        Ok(())
    }

    fn fire(&mut self) -> Result<(), String> {
        let now = self.now;
        let due = |host: &Host| host.due().is_some_and(|due| due <= now);
        let index = self.hosts.iter().position(due).expect("somebody was due");
        // One timer may start another that is due at once, but not for ever.
        for _ in 0..3 {
            self.step(index, Event::Timeout);
            if !due(&self.hosts[index]) {
                return Ok(());
            }
        }
        let host = letter(self.hosts[index].node);
        Err(format!("{host} still has a deadline at {} after three timeouts", crate::script::clock(now)))
    }

    fn land(&mut self, flight: Flight) {
        let stalled =
            self.hosts.iter().find(|host| host.node == flight.to() && host.stalled_until > self.now);
        if let Some(wakes_in) = stalled.map(|host| host.stalled_until - self.now) {
            return self.launch(wakes_in, flight);
        }
        match flight {
            Flight::Vrrp { to, member, raw } => self.deliver(to, member, &raw),
            Flight::Probe { to, track, round, target, outcome } => {
                if let Some(index) = self.host(to) {
                    self.step(index, Event::Probe { track: TrackId(track), round, target, outcome });
                }
            }
            Flight::Applied { to } => self.applied(to),
        }
    }

    pub fn deliver(&mut self, to: Node, member: usize, raw: &Raw) {
        let Some(index) = self.host(to) else { return };
        if self.hosts[index].links[member].0 != LinkCondition::Up {
            return;
        }
        self.step(index, Event::Vrrp { link: LinkId(member as u16), packet: raw.packet() });
    }

    pub fn applied(&mut self, to: Node) {
        let Some(index) = self.host(to) else { return };
        let host = &self.hosts[index];
        let Some(engine) = &host.engine else { return };
        let (_, epoch) = engine.role(GroupId(0));
        let outcome = host.applies;
        for member in 0..host.links.len() {
            self.tell_link(index, member);
        }
        self.step(index, Event::Applied { group: GroupId(0), epoch, outcome });
    }

    pub fn tell_link(&mut self, index: usize, member: usize) {
        let host = &self.hosts[index];
        let (condition, own) = host.links[member];
        let mut addresses = Vec::new();
        let routed = member < self.setup.members.len();
        if routed && condition != LinkCondition::Missing && own == OwnAddress::There {
            addresses.push(self.setup.address(member, host.node));
        }
        if routed && host.role() == Role::Master && host.applies == ApplyOutcome::Complete {
            addresses.extend(self.setup.vips(member));
        }
        let state = LinkState { condition, addresses };
        self.step(index, Event::Link { link: LinkId(member as u16), state: &state });
    }

    /// One event into an engine, and what it asks for into the world.
    pub fn step(&mut self, index: usize, event: Event<'_>) {
        let now = self.now;
        let host = &mut self.hosts[index];
        let clock = host.clock(now);
        let Some(engine) = &mut host.engine else { return };
        let mut actions = Vec::new();
        engine.step(clock, event, &mut actions);
        let name = if self.hosts.len() > 1 {
            format!("{}: ", letter(self.hosts[index].node))
        } else {
            String::new()
        };
        let old = self.before.as_ref().unwrap_or(&self.setup);
        let lines = words::tell(&actions, old, &self.setup);
        self.said.extend(lines.into_iter().map(|line| Said { at: now, text: format!("{name}{line}") }));
        for action in actions {
            self.act(index, action);
        }
    }

    fn act(&mut self, index: usize, action: Action) {
        let host = &mut self.hosts[index];
        let node = host.node;
        match action {
            Action::Advertise { instance, priority } => self.send(index, instance.index(), priority),
            Action::Role(change) => {
                host.remember(change.epoch, None);
                self.launch(SOON, Flight::Applied { to: node });
            }
            Action::Probe { track, round } => {
                let answers = host.answers[track.index()].clone();
                for (target, answer) in answers.into_iter().enumerate() {
                    let (delay, outcome) = match answer {
                        Answer::Never => continue,
                        Answer::After(delay) => (delay, ProbeOutcome::Answered(Duration::from_micros(delay))),
                        Answer::Refused => (SOON, ProbeOutcome::Failed),
                    };
                    let (track, target) = (track.0, target as u16);
                    self.launch(delay, Flight::Probe { to: node, track, round, target, outcome });
                }
            }
            Action::KeepMaintenance(maintenance) => host.boot.maintenance = maintenance,
            Action::Exit => host.engine = None,
            Action::Announce { .. }
            | Action::EndProbe { .. }
            | Action::Reply { .. }
            | Action::Notice(_)
            | Action::Configured => {}
        }
    }

    fn send(&mut self, index: usize, member: usize, priority: u8) {
        let clock = self.hosts[index].clock(self.now);
        let host = &mut self.hosts[index];
        if host.role() == Role::Master {
            let (_, epoch) = host.engine.as_ref().expect("it has just acted").role(GroupId(0));
            host.remember(epoch, Some(clock));
        }
        // A reload may have taken the member away.
        if member >= self.setup.members.len() || host.links[member].0 != LinkCondition::Up {
            return;
        }
        if self.cut.contains(&member) {
            return;
        }
        let from = self.hosts[index].node;
        for to in (0..self.setup.routers).filter(|to| *to != from) {
            let (_, raw) = Letter::new(&self.setup, member, priority, from, to).seal();
            self.launch(self.wire[member], Flight::Vrrp { to, member, raw });
        }
    }

    fn launch(&mut self, delay: Micros, flight: Flight) {
        self.launched += 1;
        self.flights.insert((self.now + delay, self.launched), flight);
    }

    /// Position of a node that runs.
    fn host(&self, node: Node) -> Option<usize> {
        self.hosts.iter().position(|host| host.node == node && host.engine.is_some())
    }
}

impl Host {
    pub fn new(node: Node, setup: &Setup) -> Host {
        let answers = setup.tracks.iter().map(|track| vec![Answer::After(SOON); usize::from(track.targets)]);
        Host {
            node,
            engine: None,
            // Clocks of two nodes have nothing to do with each other.
            origin: 100_000_000 * (node as u64 + 1),
            links: vec![(LinkCondition::Missing, OwnAddress::Missing); setup.links().len()],
            answers: answers.collect(),
            applies: ApplyOutcome::Complete,
            boot: Boot::default(),
            commands: 0,
            life: Life::NotYet,
            stalled_until: 0,
        }
    }

    pub fn start(&mut self, setup: &Setup, now: Micros) {
        self.life = Life::Begun;
        self.engine = Some(Engine::new(setup.config(self.node), &self.boot, self.clock(now)));
    }

    pub fn clock(&self, now: Micros) -> Instant {
        Instant::from_micros(self.origin + now)
    }

    fn due(&self) -> Option<Micros> {
        let deadline = self.engine.as_ref()?.next_deadline()?;
        Some(deadline.as_micros().saturating_sub(self.origin).max(self.stalled_until))
    }

    fn role(&self) -> Role {
        self.engine.as_ref().map_or(Role::Init, |engine| engine.role(GroupId(0)).0)
    }

    fn remember(&mut self, epoch: Epoch, last_advert: Option<Instant>) {
        self.boot.groups = vec![Remembered { group: "gateway".to_owned(), epoch, last_advert }];
    }
}

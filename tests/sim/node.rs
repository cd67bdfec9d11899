//! A gwha router: the real engine, and around it the least that a daemon and a kernel do.

use core::time::Duration;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use gwha::config::model::{Config, GroupId, LinkId, TrackId};
use gwha::engine::{
    Action, Addresses, ApplyOutcome, Boot, Command, CommandId, Engine, Epoch, Event, Instant, LinkCondition,
    LinkState, ProbeOutcome, Remembered, Role, Round,
};
use gwha::wire::vrrp::{Outgoing, Packet};

use crate::contract::Contract;
use crate::fault::Word;
use crate::support::setup::{Node as Place, Setup};
use crate::world::Micros;

/// Frames that a socket holds; what comes later is lost, as in the kernel.
const SOCKET: usize = 256;

/// Frames that are read in one turn.
const TURN: usize = 64;

/// One timer may start another that is due at once, but not for ever.
const TIMEOUTS: usize = 3;

/// A router.
pub struct Node {
    config: Arc<Config>,
    own: Vec<IpAddr>,
    vips: Vec<Vec<IpAddr>>,
    engine: Option<Engine>,
    pub clock: Clock,
    pub links: Vec<LinkCondition>,
    /// The kernel holds the group's addresses.
    pub holds: bool,
    /// It takes them.
    pub kernel_takes: bool,
    netlink: VecDeque<usize>,
    sockets: VecDeque<Frame>,
    answers: VecDeque<(TrackId, Round, u16, ProbeOutcome)>,
    applied: bool,
    requests: VecDeque<Request>,
    pub stalled_until: Micros,
    /// Timers are never served: for showing that the checkers see it.
    pub deaf_to_timers: bool,
    boot: Boot,
    commands: u32,
    /// The next turn that is scheduled.
    pub wake_at: Option<Micros>,
    contract: Contract,
}

/// What does not come from the kernel.
#[derive(Debug, Clone)]
pub enum Request {
    Command(Command),
    Terminate,
    Reload(Arc<Config>),
    SendFailed(usize),
    Channel(Word),
}

/// A packet as it lies in a socket.
#[derive(Debug, Clone)]
pub struct Frame {
    pub member: usize,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub bytes: Arc<[u8]>,
    /// Nothing held it up on its way.
    pub prompt: bool,
}

/// A clock that is off by a constant, and runs a little fast or slow.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    pub offset: Micros,
    /// Millionths.
    pub drift: i64,
}

impl Clock {
    pub fn read(&self, now: Micros) -> Instant {
        let gained = now as i64 * self.drift / 1_000_000;
        Instant::from_micros(self.offset.saturating_add_signed(now as i64 + gained))
    }

    /// The first microsecond of the world at which this clock shows `at`.
    fn when(&self, at: Instant) -> Micros {
        let local = at.as_micros().saturating_sub(self.offset);
        let mut world = (u128::from(local) * 1_000_000 / (1_000_000 + self.drift) as u128) as Micros;
        while self.read(world) < at && world < Micros::MAX / 4 {
            world += 1;
        }
        world
    }
}

impl Node {
    pub fn new(setup: &Setup, place: Place, clock: Clock) -> Node {
        let members = setup.members.len();
        Node {
            config: setup.config(place),
            own: (0..members).map(|member| setup.address(member, place)).collect(),
            vips: (0..members).map(|member| setup.vips(member)).collect(),
            engine: None,
            clock,
            links: vec![LinkCondition::NoCarrier; setup.links().len()],
            holds: false,
            kernel_takes: true,
            netlink: VecDeque::new(),
            sockets: VecDeque::new(),
            answers: VecDeque::new(),
            applied: false,
            requests: VecDeque::new(),
            stalled_until: 0,
            deaf_to_timers: false,
            boot: Boot::default(),
            commands: 0,
            wake_at: None,
            contract: Contract::default(),
        }
    }

    pub fn runs(&self) -> bool {
        self.engine.is_some()
    }

    /// The daemon starts; what it wrote to tmpfs in an earlier life is there unless the power was off.
    pub fn start(&mut self, now: Micros) {
        self.engine = Some(Engine::new(Arc::clone(&self.config), &self.boot, self.clock.read(now)));
        self.contract = Contract::default();
        self.netlink = (0..self.links.len()).collect();
    }

    /// The daemon is gone: killed, or it left by itself.
    pub fn stop(&mut self) {
        self.engine = None;
        self.netlink.clear();
        self.sockets.clear();
        self.answers.clear();
        self.requests.clear();
        self.applied = false;
        self.stalled_until = 0;
    }

    /// The machine is gone.
    pub fn power_off(&mut self) {
        self.stop();
        self.holds = false;
        self.boot.groups.clear();
    }

    /// Another `preempt` than the others: for showing that the checkers see it.
    pub fn set_config(&mut self, config: Arc<Config>) {
        self.config = config;
    }

    pub fn set_link(&mut self, member: usize, condition: LinkCondition) {
        self.links[member] = condition;
        if self.runs() {
            self.netlink.push_back(member);
        }
    }

    pub fn receive(&mut self, frame: Frame) {
        if self.runs() && self.sockets.len() < SOCKET {
            self.sockets.push_back(frame);
        }
    }

    pub fn answer(&mut self, track: TrackId, round: Round, target: u16, outcome: ProbeOutcome) {
        if self.runs() {
            self.answers.push_back((track, round, target, outcome));
        }
    }

    /// The kernel was asked to install or remove the addresses, and has.
    pub fn apply(&mut self) {
        self.applied = self.runs();
    }

    pub fn request(&mut self, request: Request) {
        if let Request::Reload(config) = &request {
            self.config = Arc::clone(config);
        }
        if self.runs() {
            self.requests.push_back(request);
        }
    }

    /// When the engine wants to be called; `None` if it is not running or has nothing to wait for.
    pub fn due(&self) -> Option<Micros> {
        let deadline = self.engine.as_ref()?.next_deadline()?;
        (!self.deaf_to_timers).then(|| self.clock.when(deadline))
    }

    /// Something was left for the next turn.
    pub fn has_more(&self) -> bool {
        !self.sockets.is_empty()
    }

    /// One turn of the loop: netlink, sockets, timers. What the engine wants done is added to `out`.
    ///
    /// # Errors
    /// What the engine did against its contract.
    pub fn turn(&mut self, now: Micros, out: &mut Vec<Action>) -> Result<(), String> {
        let at = self.clock.read(now);
        while let Some(member) = self.netlink.pop_front() {
            let state = self.link_state(member);
            self.step(at, Event::Link { link: LinkId(member as u16), state: &state }, out)?;
        }
        if std::mem::take(&mut self.applied) {
            self.report_addresses(at, out)?;
        }
        for _ in 0..TURN {
            let Some(frame) = self.sockets.pop_front() else { break };
            let Frame { member, source, destination, bytes, .. } = &frame;
            self.contract.hears(bytes.get(2).copied().unwrap_or_default());
            let packet = Packet { source: *source, destination: *destination, hop_limit: 255, bytes };
            self.step(at, Event::Vrrp { link: LinkId(*member as u16), packet }, out)?;
        }
        while let Some((track, round, target, outcome)) = self.answers.pop_front() {
            self.step(at, Event::Probe { track, round, target, outcome }, out)?;
        }
        while let Some(request) = self.requests.pop_front() {
            self.serve(at, request, out)?;
        }
        self.serve_timers(at, out)
    }

    fn report_addresses(&mut self, at: Instant, out: &mut Vec<Action>) -> Result<(), String> {
        let Some(engine) = &self.engine else { return Ok(()) };
        let (role, epoch) = engine.role(GroupId(0));
        self.holds |= role == Role::Master && self.kernel_takes;
        let outcome = if self.kernel_takes { ApplyOutcome::Complete } else { ApplyOutcome::Failing };
        self.step(at, Event::Applied { group: GroupId(0), epoch, outcome }, out)?;
        for member in 0..self.links.len() {
            let state = self.link_state(member);
            self.step(at, Event::Link { link: LinkId(member as u16), state: &state }, out)?;
        }
        Ok(())
    }

    fn serve(&mut self, at: Instant, request: Request, out: &mut Vec<Action>) -> Result<(), String> {
        match request {
            Request::Command(command) => {
                self.commands += 1;
                self.step(at, Event::Command { id: CommandId(self.commands), command }, out)
            }
            Request::Terminate => self.step(at, Event::Terminate, out),
            Request::Reload(config) => self.step(at, Event::Config(config), out),
            Request::Channel(word) => {
                let event = match word {
                    Word::Kept => Event::Kept { group: GroupId(0) },
                    Word::Hold(micros) => {
                        Event::HoldPreempt { until: Some(at.after(Duration::from_micros(micros))) }
                    }
                    Word::HoldOver => Event::HoldPreempt { until: None },
                };
                self.step(at, event, out)
            }
            Request::SendFailed(member) => {
                let instance = gwha::config::model::InstanceId(member as u16);
                self.step(at, Event::SendFailed { instance }, out)
            }
        }
    }

    fn serve_timers(&mut self, at: Instant, out: &mut Vec<Action>) -> Result<(), String> {
        let due = |engine: &Engine| engine.next_deadline().is_some_and(|deadline| deadline <= at);
        for _ in 0..TIMEOUTS {
            if self.deaf_to_timers || !self.engine.as_ref().is_some_and(due) {
                return Ok(());
            }
            self.step(at, Event::Timeout, out)?;
        }
        Err(format!("a deadline is still due after {TIMEOUTS} timeouts"))
    }

    fn step(&mut self, at: Instant, event: Event<'_>, out: &mut Vec<Action>) -> Result<(), String> {
        let Some(engine) = &mut self.engine else { return Ok(()) };
        let first = out.len();
        engine.step(at, event, out);
        let new = &out[first..];
        self.contract.look(at, new, engine)?;
        for action in new {
            match action {
                Action::Role(change) => {
                    self.remember(change.epoch, None);
                    match change.to.addresses() {
                        Addresses::Present => self.holds = self.kernel_takes,
                        Addresses::Absent => self.holds = false,
                        Addresses::Hold => {}
                    }
                }
                Action::Advertise { priority, .. } if *priority > 1 => self.remember_advert(at),
                Action::KeepMaintenance(maintenance) => self.boot.maintenance = *maintenance,
                Action::Advertise { .. }
                | Action::Announce { .. }
                | Action::Probe { .. }
                | Action::EndProbe { .. }
                | Action::Reply { .. }
                | Action::Notice(_)
                | Action::Configured
                | Action::Exit => {}
            }
        }
        if new.contains(&Action::Exit) {
            self.stop();
            self.boot.groups.clear();
        }
        Ok(())
    }

    fn remember(&mut self, epoch: Epoch, last_advert: Option<Instant>) {
        self.boot.groups = vec![Remembered { group: "gateway".to_owned(), epoch, last_advert }];
    }

    fn remember_advert(&mut self, at: Instant) {
        if let Some(last) = self.boot.groups.first_mut() {
            last.last_advert = Some(at);
        }
    }

    fn link_state(&self, member: usize) -> LinkState {
        // Links that only tracks use have no address of the group.
        let mut addresses: Vec<IpAddr> = self.own.get(member).copied().into_iter().collect();
        if self.holds {
            addresses.extend(self.vips.get(member).into_iter().flatten());
        }
        LinkState { condition: self.links[member], addresses }
    }

    /// An advert to each of the others, as the daemon writes them.
    pub fn adverts(&self, member: usize, priority: u8) -> Vec<Frame> {
        let instance = &self.config.instances[member];
        let source = self.own[member];
        let frame = |destination| {
            let advert = Outgoing {
                version: instance.version,
                vrid: instance.vrid,
                priority,
                interval: instance.interval,
                auth: instance.auth,
                addresses: &instance.vips.iter().map(|vip| vip.address).collect::<Vec<_>>(),
                checksum: instance.checksum,
                source,
                destination,
            };
            let mut bytes = Vec::new();
            advert.emit(&mut bytes);
            Frame { member, source, destination, bytes: bytes.into(), prompt: true }
        };
        instance.others(source).map(frame).collect()
    }

    /// How long a probe takes to come back, as an outcome.
    pub fn answered(rtt: Micros) -> ProbeOutcome {
        ProbeOutcome::Answered(Duration::from_micros(rtt))
    }
}

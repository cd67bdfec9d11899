//! A stand-in for netifd, at any bus: it publishes what netifd does, takes orders one after the other as netifd does, and
//! behaves well or badly.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gwha::ubus::session::{Call, CallId, Event, Key};
use gwha::ubus::{Connection, Data, Method, Object, Status, json};

const METHODS: &[Method] = &[
    Method { name: "dump", arguments: &[] },
    Method { name: "up", arguments: &[] },
    Method { name: "down", arguments: &[] },
];

/// What becomes of a call.
#[derive(Debug, Clone, Copy)]
pub struct Reaction {
    /// How long it is busy with it; whatever else comes has to wait.
    pub busy: Duration,
    /// Whether it does what it was told.
    pub obeys: bool,
    /// Whether the interface's device is there: without, it is wanted up and stays down.
    pub available: bool,
    /// What it says; `None`: nothing until nobody waits for it any more.
    pub says: Option<Result<(), Status>>,
    /// How long the interface takes to come up, or to go down, afterwards.
    pub takes: Duration,
}

impl Reaction {
    /// At once, and well.
    pub const GOOD: Reaction = Reaction {
        busy: Duration::ZERO,
        obeys: true,
        available: true,
        says: Some(Ok(())),
        takes: Duration::ZERO,
    };
}

/// Decides what becomes of a call of this method.
pub type Temper = Box<dyn FnMut(&str) -> Reaction + Send>;

/// Told when an interface is up or down in fact.
pub type Switch = Box<dyn FnMut(&str, Power) + Send>;

/// Whether an interface is up in fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    Up,
    Down,
}

/// What an interface is doing, as netifd's own states are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Down,
    Setup(Instant),
    Up,
    Teardown(Instant),
}

/// An order, and when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub at: Instant,
    pub interface: String,
    pub method: String,
}

#[derive(Debug)]
struct Interface {
    name: String,
    proto: &'static str,
    device: String,
    /// It is wanted up.
    autostart: bool,
    /// Its device is there.
    available: bool,
    phase: Phase,
    /// How long the next phase takes.
    takes: Duration,
    key: Option<Key>,
}

#[derive(Debug, Default)]
struct State {
    interfaces: Vec<Interface>,
    orders: Vec<Order>,
    moves: Vec<(Instant, String, Power)>,
    stop: bool,
}

/// A running netifd. Its interfaces are down when it starts (`auto '0'`).
pub struct Netifd {
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

impl Netifd {
    /// Serves interfaces, given as (name, protocol, device), on the bus with this socket.
    pub fn start(
        socket: &Path,
        interfaces: &[(&str, &'static str, &str)],
        temper: Temper,
        switch: Switch,
    ) -> Netifd {
        let interface = |(name, proto, device): &(&str, &'static str, &str)| Interface {
            name: (*name).to_owned(),
            proto,
            device: (*device).to_owned(),
            autostart: false,
            available: true,
            phase: Phase::Down,
            takes: Duration::ZERO,
            key: None,
        };
        let interfaces = interfaces.iter().map(interface).collect();
        let state = Arc::new(Mutex::new(State { interfaces, ..State::default() }));
        let (shared, socket) = (Arc::clone(&state), socket.to_owned());
        let thread = Some(thread::spawn(move || Server::new(shared, &socket, temper, switch).run()));
        Netifd { state, thread }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an interface is up in fact, and nothing is under way with it.
    pub fn is_up(&self, name: &str) -> bool {
        self.phase(name) == (true, Phase::Up)
    }

    /// Whether an interface is down in fact, and nothing is under way with it.
    pub fn is_down(&self, name: &str) -> bool {
        self.phase(name) == (false, Phase::Down)
    }

    fn phase(&self, name: &str) -> (bool, Phase) {
        let state = self.state();
        let interface =
            state.interfaces.iter().find(|it| it.name == name).expect("there is such an interface");
        (interface.autostart, interface.phase)
    }

    /// What it was told so far, whether it obeyed or not.
    pub fn orders(&self) -> Vec<Order> {
        self.state().orders.clone()
    }

    /// When interfaces came up and went down.
    pub fn moves(&self) -> Vec<(Instant, String, Power)> {
        self.state().moves.clone()
    }
}

impl Drop for Netifd {
    fn drop(&mut self) {
        self.state().stop = true;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Server {
    state: Arc<Mutex<State>>,
    start: Instant,
    connection: Connection,
    list: Key,
    temper: Temper,
    switch: Switch,
    waiting: VecDeque<Call>,
    /// What it is busy with, and until when.
    hand: Option<(Instant, Call, Reaction)>,
    /// What is answered when it is too late.
    late: Vec<(Instant, CallId)>,
}

impl Server {
    fn new(state: Arc<Mutex<State>>, socket: &Path, temper: Temper, switch: Switch) -> Server {
        let mut connection = Connection::new([socket]);
        let mut publish =
            |path: &str| connection.session().publish(0, Object { path: path.into(), methods: METHODS });
        let list = publish("network.interface");
        for interface in &mut state.lock().unwrap().interfaces {
            interface.key = Some(publish(&format!("network.interface.{}", interface.name)));
        }
        let (start, waiting) = (Instant::now(), VecDeque::new());
        Server { state, start, connection, list, temper, switch, waiting, hand: None, late: Vec::new() }
    }

    fn run(mut self) {
        while !self.state.lock().unwrap().stop {
            let mut events = Vec::new();
            self.connection.drive(self.start.elapsed().as_micros() as u64, &mut events);
            self.waiting.extend(events.into_iter().filter_map(|event| match event {
                Event::Call(call) => Some(call),
                _ => None,
            }));
            self.work();
            self.move_on();
            self.end_silence();
            self.connection.flush();
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// One call after the other, each for as long as it takes.
    fn work(&mut self) {
        loop {
            if let Some((_, call, reaction)) = self.hand.take_if(|(until, ..)| *until <= Instant::now()) {
                self.carry_out(&call, reaction);
            }
            if self.hand.is_some() {
                return;
            }
            let Some(call) = self.waiting.pop_front() else { return };
            let reaction = (self.temper)(call.method);
            self.hand = Some((Instant::now() + reaction.busy, call, reaction));
        }
    }

    fn carry_out(&mut self, call: &Call, reaction: Reaction) {
        let mut answer = Data::EMPTY;
        if call.method == "dump" {
            answer = dump(&self.state.lock().unwrap().interfaces);
        } else {
            self.order(call, reaction);
        }
        match reaction.says {
            Some(Ok(())) => self.connection.session().answer(call.id, Ok(&answer)),
            Some(Err(status)) => self.connection.session().answer(call.id, Err(status)),
            // Not never: a session of the library keeps what it has to answer, and says no to more than sixteen.
            None => {
                let patience = if call.method == "dump" { 3 } else { 11 };
                self.late.push((Instant::now() + Duration::from_secs(patience), call.id));
            }
        }
    }

    fn end_silence(&mut self) {
        let now = Instant::now();
        let session = self.connection.session();
        self.late.retain(|(at, id)| {
            if *at <= now {
                session.answer(*id, Err(Status::Timeout));
            }
            *at > now
        });
    }

    fn order(&mut self, call: &Call, reaction: Reaction) {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap();
        let Some(interface) = state.interfaces.iter_mut().find(|it| it.key == Some(call.object)) else {
            return;
        };
        if reaction.obeys {
            interface.autostart = call.method == "up";
            interface.available = reaction.available;
            interface.takes = reaction.takes;
            interface.phase = match (interface.autostart, interface.phase) {
                (true, Phase::Down) if reaction.available => Phase::Setup(now + reaction.takes),
                (false, Phase::Setup(_) | Phase::Up) => Phase::Teardown(now + reaction.takes),
                (_, same) => same,
            };
        }
        let order = Order { at: now, interface: interface.name.clone(), method: call.method.to_owned() };
        state.orders.push(order);
    }

    /// Interfaces come up and go down in their own time, and whoever has subscribed is told.
    fn move_on(&mut self) {
        let now = Instant::now();
        let mut moves = Vec::new();
        for interface in &mut self.state.lock().unwrap().interfaces {
            let power = match interface.phase {
                Phase::Setup(end) if end <= now => Power::Up,
                Phase::Teardown(end) if end <= now => Power::Down,
                Phase::Setup(_) | Phase::Teardown(_) | Phase::Up | Phase::Down => continue,
            };
            interface.phase = match (power, interface.autostart) {
                (Power::Up, _) => Phase::Up,
                (Power::Down, false) => Phase::Down,
                (Power::Down, true) => Phase::Setup(now + interface.takes),
            };
            (self.switch)(&interface.device, power);
            moves.push((now, interface.name.clone(), power));
        }
        for (_, _, power) in &moves {
            let event = if *power == Power::Up { "interface.update" } else { "interface.down" };
            self.connection.session().notify(self.list, event, &data("{}")).unwrap();
        }
        self.state.lock().unwrap().moves.extend(moves);
    }
}

fn dump(interfaces: &[Interface]) -> Data {
    let all = interfaces.iter().map(|interface| {
        let Interface { name, proto, device, autostart, available, phase, .. } = interface;
        let (up, pending) = (*phase == Phase::Up, matches!(phase, Phase::Setup(_)));
        let l3_device = if up { format!(r#""l3_device":"{device}","#) } else { String::new() };
        let errors = if *available {
            ""
        } else {
            r#","errors":[{"subsystem":"interface","code":"NO_DEVICE"}]"#
        };
        format!(
            r#"{{"interface":"{name}","up":{up},"pending":{pending},"available":{available},"autostart":{autostart},{l3_device}"proto":"{proto}","device":"{device}"{errors}}}"#
        )
    });
    data(&format!(r#"{{"interface":[{}]}}"#, all.collect::<Vec<_>>().join(",")))
}

fn data(text: &str) -> Data {
    Data::encode(&json::parse(text).unwrap()).unwrap()
}

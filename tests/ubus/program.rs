//! Programs on a bus: a [`Connection`] of the library with a clock and an event loop.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gwha::ubus::blobmsg::Type;
use gwha::ubus::conn::Interest;
use gwha::ubus::session::{Call, CallError, CallId, Event, Key};
use gwha::ubus::{Argument, Connection, Data, Method, Need, Object, Status, Table, json};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};

pub const METHODS: &[Method] = &[
    Method { name: "status", arguments: &[] },
    Method {
        name: "switch",
        arguments: &[
            Argument { name: "to", kind: Type::String, need: Need::Required },
            Argument { name: "delay", kind: Type::Int32, need: Need::Optional },
        ],
    },
    Method { name: "later", arguments: &[] },
    Method { name: "dump", arguments: &[] },
    Method { name: "echo", arguments: &[Argument { name: "x", kind: Type::Null, need: Need::Optional }] },
];

/// A program on a bus. It answers `status`, `switch` and `echo` at once; `later` when told to.
pub struct Program {
    pub connection: Connection,
    pub events: Vec<Event>,
    /// Calls of `later`, not answered.
    pub waiting: Vec<CallId>,
    /// What `dump` answers.
    pub dump: Data,
    /// How many calls have come.
    pub calls: u32,
    start: Instant,
    /// Added to the clock.
    pub skipped: Duration,
    /// The longest time that a turn has taken, others' work on the machine included.
    pub slowest: Duration,
    /// The most work that a turn has done.
    pub busiest: Duration,
}

impl Program {
    pub fn new(socket: &Path) -> Program {
        Program {
            connection: Connection::new([socket]),
            events: Vec::new(),
            waiting: Vec::new(),
            dump: Data::EMPTY,
            calls: 0,
            start: Instant::now(),
            skipped: Duration::ZERO,
            slowest: Duration::ZERO,
            busiest: Duration::ZERO,
        }
    }

    /// A program that is connected.
    pub fn connected(socket: &Path) -> Program {
        let mut program = Program::new(socket);
        until(&mut [&mut program], |all| all[0].connection.is_up());
        assert_eq!(program.take(), [Event::Connected]);
        program
    }

    /// A program that has published an object with [`METHODS`].
    pub fn serving(socket: &Path, path: &str) -> (Program, Key) {
        let mut program = Program::connected(socket);
        let key = program.publish(path);
        program.expect(Event::Registered(key));
        (program, key)
    }

    pub fn publish(&mut self, path: &str) -> Key {
        let now = self.now();
        self.connection.session().publish(now, Object { path: path.into(), methods: METHODS })
    }

    pub fn now(&self) -> u64 {
        (self.start.elapsed() + self.skipped).as_micros() as u64
    }

    /// All events so far.
    pub fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Waits for an event, which must be the next.
    pub fn expect(&mut self, event: Event) {
        until(&mut [self], |all| !all[0].events.is_empty());
        assert_eq!(self.events.remove(0), event);
    }

    /// One turn of the event loop, without waiting.
    pub fn turn(&mut self) {
        let now = self.now();
        let start = Instant::now();
        let work = work_done();
        let mut events = Vec::new();
        self.connection.drive(now, &mut events);
        for event in events {
            if let Event::Call(call) = event {
                self.serve(call);
            } else {
                self.events.push(event);
            }
        }
        self.connection.flush();
        self.slowest = self.slowest.max(start.elapsed());
        self.busiest = self.busiest.max(work_done() - work);
    }

    fn serve(&mut self, call: Call) {
        self.calls += 1;
        if call.method == "later" {
            self.waiting.push(call.id);
            return;
        }
        let answer = match call.method {
            "status" => Ok(table(r#"{"role":"master","vrid":51,"uptime":12.5,"peers":[]}"#)),
            "dump" => Ok(self.dump.clone()),
            "switch" => Err(Status::NotSupported),
            _ => Ok(call.data),
        };
        self.connection.session().answer(call.id, answer.as_ref().map_err(|status| *status));
    }

    /// Calls a method and waits for the answer, while the others go on.
    pub fn call(
        &mut self,
        others: &mut [&mut Program],
        path: &str,
        method: &str,
        data: &Data,
    ) -> Result<Vec<Data>, CallError> {
        let deadline = self.now() + 5_000_000;
        let request = self.connection.session().call(path, method, data, deadline)?;
        loop {
            let reply = |event: &Event| matches!(event, Event::Reply(id, _) if *id == request);
            if let Some(position) = self.events.iter().position(reply) {
                let Event::Reply(_, result) = self.events.remove(position) else { unreachable!() };
                return result;
            }
            let mut all: Vec<&mut Program> = others.iter_mut().map(|other| &mut **other).collect();
            all.push(self);
            wait(&mut all);
        }
    }
}

/// The CPU time of this thread.
fn work_done() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// Runs programs until something is so.
pub fn until(programs: &mut [&mut Program], mut done: impl FnMut(&[&mut Program]) -> bool) {
    let start = Instant::now();
    while !done(programs) {
        assert!(start.elapsed() < Duration::from_secs(20), "it does not come to that");
        wait(programs);
    }
}

/// Runs programs for some time.
pub fn run_for(programs: &mut [&mut Program], time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        wait(programs);
    }
}

/// Waits until any program has something to do, but not for long; then one turn of each.
pub fn wait(programs: &mut [&mut Program]) {
    let mut fds = Vec::new();
    let mut timeout = Duration::from_millis(5);
    for program in programs.iter_mut() {
        program.turn();
    }
    for program in programs.iter() {
        if let Some(fd) = program.connection.fd() {
            let flags = match program.connection.interest() {
                Interest::Read => PollFlags::POLLIN,
                Interest::ReadWrite => PollFlags::POLLIN | PollFlags::POLLOUT,
            };
            fds.push(PollFd::new(fd, flags));
        }
        if let Some(deadline) = program.connection.next_deadline() {
            timeout = timeout.min(Duration::from_micros(deadline.saturating_sub(program.now())));
        }
    }
    poll(&mut fds, PollTimeout::try_from(timeout).unwrap()).unwrap();
}

/// What a command has printed and how it ended.
pub struct Output {
    pub code: Option<i32>,
    pub text: String,
}

/// Runs the real `ubus` command, while the programs go on.
pub fn ubus(socket: &Path, arguments: &[&str], programs: &mut [&mut Program]) -> Output {
    let mut command = Command::new(crate::daemon::program("ubus"));
    command.arg("-t").arg("5").arg("-s").arg(socket).args(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        text
    });
    let mut code = None;
    until(programs, |_| {
        code = child.try_wait().unwrap();
        code.is_some()
    });
    Output { code: code.unwrap().code(), text: reader.join().unwrap() }
}

pub fn table(json: &str) -> Data {
    Data::encode(&json::parse(json).unwrap()).unwrap()
}

/// A table with one string of this many bytes.
pub fn large(size: usize) -> Data {
    Data::encode(&Table::default().with("x", "x".repeat(size))).unwrap()
}

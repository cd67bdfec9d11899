//! The loop.
//!
//! A turn is always the same: wait; read the clock once; then what the kernel says about links, then packets, then answers
//! of probes and people, and the timers last. So after a stall the adverts that have queued up are seen before the
//! timer that they would have stopped.

use std::fmt;
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use nix::errno::Errno;

use crate::config::model::Config;
use crate::control::server::Server;
use crate::engine::{Action, Boot, Engine, Event, Instant, Maintenance, Remembered};
use crate::limits;
use crate::netlink::words;
use crate::status::Happening;

use super::act::Fact;
use super::bounded::plain;
use super::bus::Bus;
use super::chores::Chores;
use super::clock::{self, Timer};
use super::config_file::ConfigFile;
use super::conflicts::Conflicts;
use super::duties::Duties;
use super::files::Files;
use super::gather::{self, Gather};
use super::handover::Asked;
use super::history::History;
use super::leases::Leases;
use super::memory::Memory;
use super::methods::{Caller, Reply, Waiting};
use super::notify::{Limiter, Line};
use super::peering::Peering;
use super::poller::{Interest, Poller, Source};
use super::probes::Probes;
use super::run_dir::{self, RunDir};
use super::signals::{Request, Signals};
use super::sockets::{Buffer, Sockets};
use super::storage::Storage;
use super::system::System;

/// What `gwha run` was told.
#[derive(Debug, Clone)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// Directory of the control socket and of what is remembered.
    pub run_dir: PathBuf,
    /// Where ubusd may listen; nowhere: the daemon stays away from the bus.
    pub ubus: Vec<PathBuf>,
}

/// Why the daemon could not start, or go on, in words.
#[derive(Debug)]
pub struct Error(Box<str>);

impl Error {
    /// What could not be done, and why.
    pub(super) fn new(what: &str, why: &str) -> Error {
        Error([what, why].join(": ").into())
    }

    /// What the kernel refuses that nothing works without.
    pub(super) fn refused(what: &str, errno: Errno) -> Error {
        Error::new(what, &words(errno))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// The daemon: the engine and its hands.
pub struct Daemon {
    pub(super) started: Instant,
    pub(super) run_dir: RunDir,
    pub(super) file: ConfigFile,
    pub(super) engine: Engine,
    /// The configuration that the hands are set up for. Within a step it can be older than the engine's.
    pub(super) config: Arc<Config>,
    pub(super) system: System,
    pub(super) sockets: Sockets,
    pub(super) conflicts: Conflicts,
    pub(super) probes: Probes,
    pub(super) server: Server,
    pub(super) waiting: Waiting,
    pub(super) memory: Memory,
    pub(super) history: History,
    pub(super) limiter: Limiter,
    pub(super) peering: Peering,
    pub(super) asked: Asked,
    pub(super) bus: Bus,
    pub(super) duties: Duties,
    pub(super) leases: Leases,
    pub(super) files: Files,
    pub(super) storage: Storage,
    pub(super) poller: Poller,
    pub(super) life: Life,
    /// What came of actions, for the engine.
    pub(super) facts: Vec<Fact>,
    /// What is to be logged at the end of the turn.
    pub(super) lines: Vec<(Instant, Line)>,
    /// Kept for its memory: no allocation in a turn at rest.
    pub(super) actions: Vec<Action>,
    timer: Timer,
    signals: Signals,
    pub(super) packet: Buffer,
    backlog_turns: u32,
    pub(super) gather: Gather,
    pub(super) chores: Chores,
}

/// Whether the loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It does.
    Running,
    /// All is said.
    Over,
}

/// Whether a socket was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backlog {
    /// It was.
    None,
    /// There is more.
    More,
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// If it can't start. Later troubles are logged, shown, and tried again.
pub fn run(options: Options) -> Result<(), Error> {
    // Not taken apart at the end: the system takes back all at once.
    let mut daemon = ManuallyDrop::new(Daemon::start(options)?);
    let ended = daemon.take_turns();
    daemon.put_away();
    ended.map_err(|errno| Error::refused("event loop", errno))
}

impl Daemon {
    fn start(options: Options) -> Result<Daemon, Error> {
        let epoll = |errno| Error::refused("epoll", errno);
        let started = clock::now();
        let run_dir = RunDir::open(&options.run_dir)?;
        let mut poller = Poller::new().map_err(epoll)?;
        let timer = Timer::new().map_err(|errno| Error::refused("timer", errno))?;
        let signals = Signals::take().map_err(|errno| Error::refused("signals", errno))?;
        poller.add(&timer, Source::Timer, Interest::Read).map_err(epoll)?;
        poller.add(&signals, Source::Signals, Interest::Read).map_err(epoll)?;
        let system = System::open(&run_dir, started, &mut poller)?;
        let socket = run_dir::control_socket(&options.run_dir);
        let server = Server::open(&socket, &mut poller).map_err(|error| {
            let what = format!("control socket {}", socket.display());
            Error::new(&what, &plain(&error))
        })?;
        let boot = boot(&run_dir);
        let duties = Duties::new(&run_dir, started, &mut poller).map_err(epoll)?;
        let idle = Arc::new(Config::idle());
        let mut daemon = Daemon {
            started,
            file: ConfigFile::new(options.config),
            engine: Engine::new(Arc::clone(&idle), &boot, started),
            config: idle,
            system,
            sockets: Sockets::default(),
            conflicts: Conflicts::default(),
            probes: Probes::default(),
            server,
            waiting: Waiting::default(),
            memory: Memory::new(run_dir.file("memory"), run_dir.boot()),
            history: History::open(run_dir.file("history"), run_dir.boot()),
            limiter: Limiter::default(),
            peering: Peering::new(started),
            asked: Asked::default(),
            bus: Bus::new(&options.ubus, started),
            duties,
            leases: Leases::open(run_dir.file("leases"), run_dir.boot(), started),
            files: Files::new(started),
            storage: Storage::default(),
            poller,
            life: Life::Running,
            facts: Vec::new(),
            lines: Vec::new(),
            actions: Vec::new(),
            timer,
            signals,
            packet: Buffer::new(),
            backlog_turns: 0,
            gather: Gather::default(),
            chores: Chores::new(),
            run_dir,
        };
        daemon.first_config(&boot, started);
        Ok(daemon)
    }

    fn take_turns(&mut self) -> Result<(), Errno> {
        while self.life == Life::Running {
            self.turn()?;
        }
        self.lay_down_duties();
        self.storage.finish();
        log::info!("stopped");
        Ok(())
    }

    /// What would be left when the process is gone: programs that still run, and the path of the control socket.
    fn put_away(&mut self) {
        self.probes = Probes::default();
        self.duties.kill_programs();
        self.server.close();
    }

    /// One turn of the loop.
    fn turn(&mut self) -> Result<(), Errno> {
        self.timer.arm(self.next_deadline())?;
        let ready = self.poller.wait()?;
        let now = clock::now();
        let mut backlog = self.serve_all(ready, now);
        if self.is_late(now) {
            // The process was held up somewhere between its last wait and the look at the clock. What has arrived
            // meanwhile arrived before `now`, and counts before the timers that it would have stopped.
            let ready = self.poller.ready_now()?;
            backlog = self.serve_all(ready, now);
        }
        self.expire(backlog, now);
        self.gather(backlog, now);
        Ok(())
    }

    /// Lets more packets arrive before the next turn looks for them, if they come in numbers.
    fn gather(&mut self, backlog: Backlog, now: Instant) {
        if self.gather.is_worth(now) && backlog == Backlog::None {
            if let Some(pause) = gather::pause(now, self.next_deadline()) {
                thread::sleep(pause);
            }
        }
    }

    fn serve_all(&mut self, ready: Vec<Source>, now: Instant) -> Backlog {
        let mut backlog = Backlog::None;
        for source in &ready {
            if self.serve(*source, now) == Backlog::More {
                backlog = Backlog::More;
            }
        }
        self.poller.recycle(ready);
        backlog
    }

    fn is_late(&self, now: Instant) -> bool {
        self.engine.next_deadline().is_some_and(|deadline| now.since(deadline) >= limits::TIMER_LATE)
    }

    fn serve(&mut self, source: Source, now: Instant) -> Backlog {
        if !matches!(source, Source::Packets(_) | Source::Timer) {
            self.chores.news();
        }
        match source {
            Source::Netlink => self.links_changed(now),
            Source::Packets(slot) => return self.receive(slot, now),
            Source::Conflicts(slot) => self.look_for_conflicts(slot, now),
            Source::Probes(slot) => {
                for answer in self.probes.ready(slot, now) {
                    self.step(now, answer.event());
                }
            }
            Source::Signals => self.take_signals(now),
            Source::Control => self.server.accept(now, &mut self.poller),
            Source::Client(slot) => {
                if let Some(request) = self.server.serve(slot, now, &mut self.poller) {
                    let caller = Caller::Control(request.client);
                    if let Reply::Now(answer) = self.call(caller, &request.method, &request.arguments, now) {
                        self.server.answer(request.client, &answer, now, &mut self.poller);
                    }
                }
            }
            Source::PeerListener(slot) => self.peering.mesh.accept(slot, &mut self.poller, now),
            Source::Peer(slot) => self.serve_peer(slot, now),
            Source::Bus => self.serve_bus(now),
            Source::Duties => self.serve_duties(now),
            Source::Leases => self.leases_found(now),
            Source::Files => self.files_found(now),
            Source::Timer => self.timer.fired(),
        }
        Backlog::None
    }

    fn take_signals(&mut self, now: Instant) {
        while let Some(request) = self.signals.next() {
            match request {
                Request::Terminate => {
                    self.step(now, Event::Terminate);
                    // As long as something is held that the next master waits for, it has to hear of it.
                    if !self.is_holding() {
                        self.peering.mesh.leave(now);
                    }
                }
                Request::Reload => {
                    self.reload_asked(None, now);
                }
                // The probers watch their children themselves.
                Request::Child => {}
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        Instant::earliest(&[self.engine.next_deadline(), self.chores.due()])
    }

    /// Does what is due.
    fn expire(&mut self, backlog: Backlog, now: Instant) {
        self.begin_chores(now);
        let may_wait = backlog == Backlog::More && self.backlog_turns < limits::BACKLOG_TURNS;
        self.backlog_turns = if may_wait { self.backlog_turns.saturating_add(1) } else { 0 };
        if !may_wait && self.engine.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.step(now, Event::Timeout);
        }
        self.memory.flush();
        self.end_chores(now);
    }

    pub(super) fn waiting(&mut self) -> &mut Waiting {
        &mut self.waiting
    }

    pub(super) fn config_path(&self) -> &std::path::Path {
        self.file.path()
    }

    pub(super) fn happened(&self, limit: usize, now: Instant) -> Vec<Happening> {
        self.history.last(limit, now)
    }
}

/// What an earlier life has left.
fn boot(run_dir: &RunDir) -> Boot {
    let maintenance = match run_dir.maintenance_flag().exists() {
        true => Maintenance::On,
        false => Maintenance::Off,
    };
    let groups: Vec<Remembered> = Memory::recall(&run_dir.file("memory"), run_dir.boot());
    Boot { maintenance, groups }
}

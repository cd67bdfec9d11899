//! One attack after the other, and what came of each.

use std::env;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::attack::Stranger;
use crate::lab::gwha::{self, Gwha};
use crate::lab::process::{Daemon, family};
use crate::lab::setup::Setup;
use crate::lab::topology::{Host, Segment};
use crate::lab::watch::Change;
use crate::lab::{Lab, keepalived, until};

use super::attacks::{self, Attack, Then};
use super::{broken, matrix};

pub const PROGRAMS: [&str; 2] = ["keepalived", "gwha"];

/// Advert intervals that an attack lasts, and after how many the master dies.
const INTERVALS: u32 = 40;
const DEATH: u32 = 15;

/// The same for version 2, whose intervals are long.
const INTERVALS_V2: u32 = 8;

pub const LIMIT: Duration = Duration::from_secs(20);

/// What came of one attack.
pub struct Outcome {
    /// The table that it belongs to.
    pub table: String,
    pub attack: String,
    /// The columns of the table.
    pub figures: Vec<String>,
}

impl Outcome {
    /// Reads a line back that the measuring process has printed.
    pub fn from_line(line: &str) -> Option<Outcome> {
        let mut fields = line.split(';').map(str::to_owned);
        let (table, attack) = (fields.next()?, fields.next()?);
        Some(Outcome { table, attack, figures: fields.collect() })
    }
}

/// Runs everything and prints what came of it.
pub fn all(program: &str) {
    let lab = Lab::gateways(&format!("hostile-{program}"));
    let only = env::var("ONLY").unwrap_or_default();
    for attack in attacks::all().into_iter().filter(|attack| attack.name.contains(&only)) {
        let figures = run(&lab, program, &attack);
        println!("attack;{};{}", attack.name, figures.join(";"));
    }
    matrix::all(&lab, program, &only);
    broken::all(&lab, program, &only);
}

fn run(lab: &Lab, program: &str, attack: &Attack) -> Vec<String> {
    let setup = attack.setup();
    let mut a = Some(start(lab, program, Host::A, &setup));
    let vip = IpAddr::V4(Segment::Lan.vip());
    until("A serves", LIMIT, || lab.holders_of(vip) == [Host::A]);
    let b = start(lab, program, Host::B, &setup);
    thread::sleep(Duration::from_millis(u64::from(setup.interval_ms) * 2 + 1000));

    let interval = Duration::from_millis(setup.interval_ms.into());
    let intervals = if setup.interval_ms < 1000 { INTERVALS } else { INTERVALS_V2 };
    let before = [Some(&b), a.as_ref()].map(|router| router.map_or((0, Duration::ZERO), used));
    let (begin, mut death) = (Instant::now(), None);
    let stranger = Stranger::new();
    let mut after = before;
    for number in 0..intervals * attack.per_interval {
        if attack.then == Then::MasterDies && death.is_none() && number == DEATH * attack.per_interval {
            lab.silence(Host::A);
            drop(a.take());
            death = Some(Instant::now());
        }
        for &host in attack.to {
            stranger.send(&(attack.packet)(number, host), host.address(Segment::Lan));
        }
        let due = begin + interval * (number + 1) / attack.per_interval;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    for (after, router) in after.iter_mut().zip([Some(&b), a.as_ref()]) {
        *after = router.map_or(*after, used);
    }
    let end = death.unwrap_or_else(Instant::now);
    let moves = lab.watch.since(begin).into_iter().filter(|step| step.at < end).count();
    let silence = silence(lab, begin, end);
    let takeover = death.map(|death| takeover(lab, death));
    let spent = |of: fn((u64, Duration)) -> f64| {
        after.iter().map(|it| of(*it)).sum::<f64>() - before.iter().map(|it| of(*it)).sum::<f64>()
    };
    let figures = vec![
        moves.to_string(),
        // A flood is more than the lab's own eyes can follow.
        if attack.is_flood() { "?".to_owned() } else { silence.as_millis().to_string() },
        takeover.unwrap_or_else(|| "-".to_owned()),
        format!("{:.0}", spent(|(lines, _)| lines as f64)),
        format!("{:.1}", spent(|(_, time)| time.as_secs_f64() * 1000.0)),
    ];
    drop((a, b));
    restart_lab(lab, vip);
    figures
}

/// Takes away what the routers have left behind.
pub fn restart_lab(lab: &Lab, vip: IpAddr) {
    for host in [Host::A, Host::B] {
        lab.reboot(host);
    }
    until("the addresses are gone", LIMIT, || lab.holders_of(vip).is_empty());
}

/// A running daemon.
pub enum Router {
    Gwha(Gwha),
    Keepalived(Daemon),
}

impl Router {
    pub fn daemon(&self) -> &Daemon {
        match self {
            Router::Gwha(gwha) => &gwha.daemon,
            Router::Keepalived(daemon) => daemon,
        }
    }

    pub fn daemon_mut(&mut self) -> &mut Daemon {
        match self {
            Router::Gwha(gwha) => &mut gwha.daemon,
            Router::Keepalived(daemon) => daemon,
        }
    }
}

pub fn start(lab: &Lab, program: &str, host: Host, setup: &Setup) -> Router {
    let text = configuration(program, host, setup);
    if program == "keepalived" {
        return Router::Keepalived(keepalived::start_with(lab, host, &text));
    }
    Router::Gwha(Gwha::start_with(lab, host, &text))
}

pub fn configuration(program: &str, host: Host, setup: &Setup) -> String {
    if program == "keepalived" {
        return keepalived::configuration(setup, host);
    }
    gwha::configuration(setup, host).replacen("'debug'", "'info'", 1)
}

/// Where a running daemon has its configuration.
pub fn configuration_file(lab: &Lab, program: &str, host: Host) -> PathBuf {
    lab.dir.join(format!("{host}.{program}.conf"))
}

/// Lines logged and processor time used so far.
fn used(router: &Router) -> (u64, Duration) {
    let daemon = router.daemon();
    let running = |pid: &nix::unistd::Pid| {
        let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
        text.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0)
    };
    let time = family(daemon.pid()).iter().map(running).sum();
    (daemon.output().lines().count() as u64, Duration::from_nanos(time))
}

/// The longest time without an advert of A.
fn silence(lab: &Lab, begin: Instant, end: Instant) -> Duration {
    let adverts = lab.capture.adverts(Host::A, Segment::Lan, begin);
    let times = adverts.into_iter().map(|(at, _)| at).filter(|at| *at < end);
    let marks: Vec<Instant> = [begin].into_iter().chain(times).chain([end]).collect();
    marks.windows(2).map(|pair| pair[1].saturating_duration_since(pair[0])).max().unwrap_or_default()
}

/// When B had the address, after the master's death.
fn takeover(lab: &Lab, death: Instant) -> String {
    let moves = lab.watch.since(death).into_iter();
    let arrival =
        moves.filter(|step| (step.host, step.change) == (Host::B, Change::Added)).map(|step| step.at).next();
    arrival.map_or("never".to_owned(), |at| at.duration_since(death).as_millis().to_string())
}

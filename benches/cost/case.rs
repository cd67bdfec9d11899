//! The cases, and what is measured in each.

use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::frame::Frame;
use crate::lab::setup::{CarrierCheck, Setup};
use crate::lab::topology::{Host, Segment};
use crate::lab::watch::Change;
use crate::lab::{Lab, until};

use super::many::{self, Many};
use super::meter::{Meter, Reading};
use super::program::{Plan, Program, Router, Scheduling};

/// What one wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    Cpu,
    Size,
    Instances,
    Jitter,
    Completeness,
}

impl Question {
    pub const ALL: [Question; 5] =
        [Question::Cpu, Question::Size, Question::Instances, Question::Jitter, Question::Completeness];

    pub fn name(self) -> &'static str {
        match self {
            Question::Cpu => "cpu",
            Question::Size => "size",
            Question::Instances => "instances",
            Question::Jitter => "jitter",
            Question::Completeness => "completeness",
        }
    }
}

/// One measured value.
#[derive(Clone, Debug)]
pub struct Sample {
    pub program: Program,
    pub question: Question,
    pub case: String,
    pub what: String,
    pub value: f64,
}

impl Sample {
    /// Reads a line back that the measuring process has printed.
    pub fn from_line(program: Program, line: &str) -> Option<Sample> {
        let fields: Vec<&str> = line.split(';').collect();
        let [question, case, what, value] = fields.as_slice() else { return None };
        let question = Question::ALL.into_iter().find(|known| known.name() == *question)?;
        Some(Sample {
            program,
            question,
            case: (*case).to_owned(),
            what: (*what).to_owned(),
            value: value.parse().ok()?,
        })
    }
}

/// What is measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// The reference at rest.
    Rest { interval_ms: u32, check: Check },
    /// So many instances on one network at rest, with 100 ms between adverts.
    Many { instances: u8 },
    /// The reference while other programs want the processor.
    Busy { interval_ms: u32, hogs: usize, scheduling: Scheduling },
    /// Many instances taken over at once.
    TakenOver { instances: u8 },
}

/// Whether the carrier is pinged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    None,
    EverySecond,
}

/// A window of measurement, and how many follow each other in one lab.
const WINDOW: Duration = Duration::from_secs(5);
const WINDOWS: u32 = 2;

/// How many labs are made for what a router costs at rest. Which processor the kernel lets a router, its packets and the
/// receiver share differs from lab to lab, and moves the figures more than anything in the programs.
const LABS: u32 = 5;

/// Long enough for the announcements after a takeover to be over.
const SETTLE: Duration = Duration::from_secs(6);

/// How long adverts are watched.
const WATCH: Duration = Duration::from_secs(15);

/// How often many instances are taken over.
const TAKEOVERS: u32 = 5;

/// Nothing takes longer; what does ends the benchmark.
const LIMIT: Duration = Duration::from_secs(60);

impl Case {
    /// How many labs it needs.
    pub fn labs(self) -> u32 {
        match self {
            Case::Rest { .. } | Case::Many { .. } => LABS,
            Case::Busy { .. } | Case::TakenOver { .. } => 1,
        }
    }

    pub fn all() -> Vec<Case> {
        let rest = |interval_ms, check| Case::Rest { interval_ms, check };
        let busy = |interval_ms, hogs, scheduling| Case::Busy { interval_ms, hogs, scheduling };
        vec![
            rest(1000, Check::None),
            rest(100, Check::None),
            rest(10, Check::None),
            rest(1000, Check::EverySecond),
            rest(100, Check::EverySecond),
            Case::Many { instances: 1 },
            Case::Many { instances: 10 },
            Case::Many { instances: 50 },
            Case::Many { instances: 250 },
            busy(100, 0, Scheduling::Ordinary),
            busy(10, 0, Scheduling::Ordinary),
            busy(100, 8, Scheduling::Ordinary),
            busy(100, 8, Scheduling::RealTime),
            busy(10, 8, Scheduling::RealTime),
            Case::TakenOver { instances: 250 },
        ]
    }

    /// The case in the tables, and on the command line of the measuring process.
    pub fn name(self) -> String {
        match self {
            Case::Rest { interval_ms, check: Check::None } => format!("{interval_ms} ms"),
            Case::Rest { interval_ms, check: Check::EverySecond } => {
                format!("{interval_ms} ms, carrier check")
            }
            Case::Many { instances } => format!("{instances}"),
            Case::Busy { interval_ms, hogs, scheduling } => {
                let priority = match scheduling {
                    Scheduling::Ordinary => "",
                    Scheduling::RealTime => ", real-time",
                };
                format!("{interval_ms} ms, {hogs} hogs{priority}")
            }
            Case::TakenOver { instances } => format!("{instances} instances"),
        }
    }

    pub fn from_name(name: &str) -> Option<Case> {
        Case::all().into_iter().find(|case| case.name() == name)
    }

    pub fn question(self) -> Question {
        match self {
            Case::Rest { .. } => Question::Cpu,
            Case::Many { .. } => Question::Instances,
            Case::Busy { .. } => Question::Jitter,
            Case::TakenOver { .. } => Question::Completeness,
        }
    }

    /// Who is measured in it.
    pub fn programs(self) -> &'static [Program] {
        match self {
            Case::Rest { check: Check::None, .. } => &Program::ALL,
            Case::Rest { .. } | Case::Many { .. } | Case::Busy { .. } | Case::TakenOver { .. } => {
                &[Program::Keepalived, Program::Gwha]
            }
        }
    }

    pub fn hogs(self) -> usize {
        match self {
            Case::Busy { hogs, .. } => hogs,
            Case::Rest { .. } | Case::Many { .. } | Case::TakenOver { .. } => 0,
        }
    }

    /// Measures, and prints each sample.
    pub fn run(self, program: Program) {
        let lab = Lab::gateways(&format!("cost-{}-{}", program.name(), self.name().replace([' ', ','], "-")));
        many::widen(&lab);
        let plan = self.plan();
        let bench = Bench { lab: &lab, program, case: self, vips: vips(&plan), plan };
        match self {
            Case::Rest { .. } | Case::Many { .. } => bench.at_rest(),
            Case::Busy { .. } => bench.watched(),
            Case::TakenOver { .. } => bench.taken_over(),
        }
    }

    fn plan(self) -> Plan {
        match self {
            Case::Rest { interval_ms, check } => {
                let carrier_check = (check == Check::EverySecond).then_some(CarrierCheck::EVERY_SECOND);
                Plan::Reference(
                    Setup { carrier_check, ..Setup::reference(interval_ms) },
                    Scheduling::Ordinary,
                )
            }
            Case::Busy { interval_ms, scheduling, .. } => {
                Plan::Reference(Setup::reference(interval_ms), scheduling)
            }
            Case::Many { instances } | Case::TakenOver { instances } => {
                Plan::Many(Many { instances, interval_ms: 100 })
            }
        }
    }
}

/// The addresses that move.
fn vips(plan: &Plan) -> Vec<Ipv4Addr> {
    match plan {
        Plan::Reference(..) => Segment::ALL.map(Segment::vip).to_vec(),
        Plan::Many(many) => many.vips().collect(),
    }
}

struct Bench<'l> {
    lab: &'l Lab,
    program: Program,
    case: Case,
    plan: Plan,
    vips: Vec<Ipv4Addr>,
}

impl Bench<'_> {
    fn print(&self, what: &str, value: f64) {
        println!("{};{};{what};{value}", self.case.question().name(), self.case.name());
    }

    fn start(&self, host: Host) -> Router {
        self.program.start(self.lab, host, &self.plan)
    }

    /// Waits until `host` alone holds every address.
    fn until_serving(&self, host: Host) {
        if self.program == Program::Bare {
            return;
        }
        let holds = |vip: &Ipv4Addr| self.lab.holders_of(IpAddr::V4(*vip)) == [host];
        until(&format!("{host} alone holds every address"), LIMIT, || {
            thread::sleep(Duration::from_millis(20));
            self.vips.iter().all(holds)
        });
    }

    /// What master and standby use while nothing happens. Memory is that of the first one while it is alone: two
    /// of one kind on one machine would share what two routers can't.
    fn at_rest(&self) {
        let mut a = self.start(Host::A);
        self.until_serving(Host::A);
        thread::sleep(Duration::from_secs(2));
        let a = Meter::new(a.daemon().pid());
        self.print("memory of a node (PSS), KiB", a.memory_kib() as f64);
        let mut b = self.start(Host::B);
        thread::sleep(SETTLE);
        let b = Meter::new(b.daemon().pid());
        let begin = (a.read(), b.read());
        let mut last = begin;
        for _ in 0..WINDOWS {
            thread::sleep(WINDOW);
            let now = (a.read(), b.read());
            self.print_window("master", last.0, now.0);
            self.print_window("backup", last.1, now.1);
            last = now;
        }
        self.until_serving(Host::A);
        if matches!(self.case, Case::Rest { check: Check::EverySecond, .. }) {
            self.print("master: CPU with children, s/h", per_hour(begin.0, last.0, Reading::with_children));
            self.print("backup: CPU with children, s/h", per_hour(begin.1, last.1, Reading::with_children));
        }
        for (role, meter) in [("master", &a), ("backup", &b)] {
            let calls = meter.system_calls(Duration::from_secs(3), &self.lab.dir.join("strace"));
            self.print(&format!("{role}: system calls/s"), calls);
        }
    }

    fn print_window(&self, role: &str, from: Reading, to: Reading) {
        self.print(&format!("{role}: CPU, s/h"), per_hour(from, to, |reading| reading.own));
        let seconds = to.at.duration_since(from.at).as_secs_f64();
        self.print(&format!("{role}: wake-ups/s"), (to.wakeups - from.wakeups) as f64 / seconds);
    }

    /// How regular the master's adverts are.
    fn watched(&self) {
        let (_a, _b) = (self.start(Host::A), self.start(Host::B));
        self.until_serving(Host::A);
        thread::sleep(Duration::from_secs(3));
        let since = Instant::now();
        thread::sleep(WATCH);
        let mut gaps = Vec::new();
        for segment in Segment::ALL {
            let adverts = self.lab.capture.adverts(Host::A, segment, since);
            let times: Vec<Instant> = adverts.into_iter().map(|(at, _)| at).collect();
            let gap = |pair: &[Instant]| pair[1].saturating_duration_since(pair[0]).as_secs_f64() * 1000.0;
            gaps.extend(times.windows(2).map(gap));
        }
        gaps.sort_unstable_by(f64::total_cmp);
        for (what, percent) in
            [("median gap, ms", 50), ("99 % of gaps within, ms", 99), ("longest gap, ms", 100)]
        {
            self.print(what, super::report::percentile(&gaps, percent).unwrap_or(f64::NAN));
        }
        let taken = self.lab.watch.since(since).into_iter();
        let taken = taken.filter(|step| (step.host, step.change) == (Host::B, Change::Added)).count();
        self.print("addresses taken over for no reason", taken as f64);
    }

    /// How long it takes until all that moves has moved, and everybody knows.
    fn taken_over(&self) {
        let (mut a, _b) = (self.start(Host::A), self.start(Host::B));
        for _ in 0..TAKEOVERS {
            self.until_serving(Host::A);
            thread::sleep(Duration::from_secs(3));
            let start = Instant::now();
            self.lab.silence(Host::A);
            a.daemon().kill();
            let holds = |vip: &Ipv4Addr| self.lab.watch.holds(Host::B, IpAddr::V4(*vip));
            until("B holds every address", LIMIT, || {
                thread::sleep(Duration::from_millis(20));
                self.vips.iter().all(holds)
            });
            thread::sleep(Duration::from_millis(500));
            self.print_takeover(start);
            self.lab.reboot(Host::A);
            many::widen(self.lab);
            a = self.start(Host::A);
        }
    }

    fn print_takeover(&self, start: Instant) {
        let moves = self.lab.watch.since(start).into_iter();
        let arrivals: Vec<Instant> = moves
            .filter(|step| (step.host, step.change) == (Host::B, Change::Added))
            .map(|step| step.at)
            .collect();
        let mut announced: Vec<(Ipv4Addr, Instant)> = Vec::new();
        for sighting in self.lab.capture.announcements(Host::B, start) {
            if let Frame::Garp { address } = sighting.frame
                && !announced.iter().any(|(known, _)| *known == address)
            {
                announced.push((address, sighting.at));
            }
        }
        let [Some(first), Some(last)] = [arrivals.iter().min(), arrivals.iter().max()] else { return };
        let ms = |time: Instant, since: Instant| time.saturating_duration_since(since).as_secs_f64() * 1000.0;
        self.print("first to last address, ms", ms(*last, *first));
        let all = announced.iter().map(|(_, at)| *at).max().filter(|_| announced.len() == self.vips.len());
        let all = all.unwrap_or_else(Instant::now);
        self.print("first address to last announcement, ms", ms(all, *first));
        self.print("power loss to last announcement, ms", ms(all, start));
    }
}

impl Reading {
    fn with_children(self) -> Duration {
        self.own + self.children
    }
}

/// Seconds of processor time in an hour, as used between two readings.
fn per_hour(from: Reading, to: Reading, what: impl Fn(Reading) -> Duration) -> f64 {
    let used = what(to).saturating_sub(what(from));
    used.as_secs_f64() / to.at.duration_since(from.at).as_secs_f64() * 3600.0
}

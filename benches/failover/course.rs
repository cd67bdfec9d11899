//! What happens to the master, and the measurements.

use std::thread;
use std::time::{Duration, Instant};

use crate::lab::gwha::Gwha;
use crate::lab::probe::Probe;
use crate::lab::process::Daemon;
use crate::lab::setup::{CarrierCheck, Setup};
use crate::lab::topology::{Host, Segment};
use crate::lab::{Lab, keepalived, until};

/// What is measured: a program and how it looks after its carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    Keepalived,
    Gwha,
    /// gwha with five tests of the carrier a second. keepalived starts a process for each test and counts in seconds.
    GwhaFastCheck,
}

impl Contender {
    pub const ALL: [Contender; 3] = [Contender::Keepalived, Contender::Gwha, Contender::GwhaFastCheck];

    pub fn name(self) -> &'static str {
        match self {
            Contender::Keepalived => "keepalived",
            Contender::Gwha => "gwha",
            Contender::GwhaFastCheck => "gwha-fast-check",
        }
    }

    pub fn from_name(name: &str) -> Option<Contender> {
        Contender::ALL.into_iter().find(|contender| contender.name() == name)
    }

    fn setup(self, interval_ms: u32) -> Setup {
        let check = match self {
            Contender::Keepalived | Contender::Gwha => CarrierCheck::EVERY_SECOND,
            Contender::GwhaFastCheck => CarrierCheck::FAST,
        };
        Setup { carrier_check: Some(check), ..Setup::reference(interval_ms) }
    }

    fn start(self, lab: &Lab, host: Host, setup: &Setup) -> Router {
        match self {
            Contender::Keepalived => Router::Keepalived(keepalived::start(lab, host, setup)),
            Contender::Gwha | Contender::GwhaFastCheck => Router::Gwha(Gwha::start(lab, host, setup)),
        }
    }

    fn events(self) -> &'static [Event] {
        match self {
            Contender::Keepalived | Contender::Gwha => {
                &[Event::PowerLoss, Event::LanCable, Event::Stop, Event::CarrierLost]
            }
            Contender::GwhaFastCheck => &[Event::CarrierLost],
        }
    }
}

/// What happens to the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    PowerLoss,
    LanCable,
    Stop,
    CarrierLost,
    /// It comes back after a power loss, and takes the role again.
    Return,
}

impl Event {
    pub const ALL: [Event; 5] =
        [Event::PowerLoss, Event::LanCable, Event::Stop, Event::CarrierLost, Event::Return];

    /// The event in the table.
    pub fn title(self) -> &'static str {
        match self {
            Event::PowerLoss => "power loss",
            Event::LanCable => "LAN cable",
            Event::Stop => "SIGTERM",
            Event::CarrierLost => "carrier lost",
            Event::Return => "return of the old master",
        }
    }
}

/// One measurement.
#[derive(Clone, Debug)]
pub struct Sample {
    pub contender: Contender,
    pub interval_ms: u32,
    pub event: Event,
    pub takeover: Duration,
    pub outage: Duration,
}

impl Sample {
    fn to_line(&self) -> String {
        let (takeover, outage) = (self.takeover.as_micros(), self.outage.as_micros());
        format!("{};{};{};{takeover};{outage}", self.contender.name(), self.interval_ms, self.event.title())
    }

    /// Reads a line back that the measuring process has printed.
    pub fn from_line(line: &str) -> Option<Sample> {
        let fields: Vec<&str> = line.split(';').collect();
        let [contender, interval, event, takeover, outage] = fields.as_slice() else { return None };
        Some(Sample {
            contender: Contender::from_name(contender)?,
            interval_ms: interval.parse().ok()?,
            event: Event::ALL.into_iter().find(|known| known.title() == *event)?,
            takeover: Duration::from_micros(takeover.parse().ok()?),
            outage: Duration::from_micros(outage.parse().ok()?),
        })
    }
}

enum Router {
    Gwha(Gwha),
    Keepalived(Daemon),
}

impl Router {
    fn daemon(&mut self) -> &mut Daemon {
        match self {
            Router::Gwha(gwha) => &mut gwha.daemon,
            Router::Keepalived(daemon) => daemon,
        }
    }
}

/// No takeover takes longer; one that does ends the benchmark.
const LIMIT: Duration = Duration::from_secs(40);

/// Runs the whole course and prints each sample.
pub fn run(contender: Contender, interval_ms: u32, repetitions: u32) {
    let lab = Lab::gateways(&format!("bench-{}-{interval_ms}", contender.name()));
    let setup = contender.setup(interval_ms);
    let mut a = contender.start(&lab, Host::A, &setup);
    let _b = contender.start(&lab, Host::B, &setup);
    let probe = lab.probe_outside();
    for repetition in 0..repetitions {
        for &event in contender.events() {
            settle(&lab, &probe);
            thread::sleep(phase(repetition, interval_ms));
            let print = |event, (takeover, outage)| {
                println!("{}", Sample { contender, interval_ms, event, takeover, outage }.to_line());
            };
            print(event, measure(&lab, &probe, &mut a, event));
            let start = Instant::now();
            restore(&lab, event);
            if !a.daemon().is_running() {
                a = contender.start(&lab, Host::A, &setup);
            }
            if event == Event::PowerLoss {
                print(Event::Return, come_back(&lab, &probe, start));
            }
        }
    }
}

/// Waits until A serves everything and has done so for a while: announcements are over, tests of the carrier known.
fn settle(lab: &Lab, probe: &Probe) {
    let mut since = Instant::now();
    until("A has served alone for two seconds", LIMIT, || {
        if !lab.serves_alone(Host::A) {
            since = Instant::now();
        }
        since.elapsed() > Duration::from_secs(2)
    });
    probe.until_answered(LIMIT);
}

/// Spreads the events evenly over the advert interval, whatever the number of repetitions (golden section).
fn phase(repetition: u32, interval_ms: u32) -> Duration {
    let fraction = (f64::from(repetition) * 0.618_034).fract();
    Duration::from_secs_f64(f64::from(interval_ms) / 1000.0 * fraction)
}

fn measure(lab: &Lab, probe: &Probe, a: &mut Router, event: Event) -> (Duration, Duration) {
    let start = Instant::now();
    match event {
        Event::PowerLoss => {
            lab.silence(Host::A);
            a.daemon().kill();
        }
        Event::LanCable => lab.pull_cable(Host::A, Segment::Lan),
        Event::Stop => {
            a.daemon().terminate(LIMIT);
        }
        Event::CarrierLost => lab.cut_carrier(Host::A),
        Event::Return => {}
    }
    let holds = |segment: Segment| lab.holders(segment).contains(&Host::B);
    until("B holds every address", LIMIT, || Segment::ALL.into_iter().all(holds));
    let arrival = |segment: Segment| lab.watch.last_added(Host::B, segment.vip().into());
    let last = Segment::ALL.into_iter().filter_map(arrival).max().expect("held addresses have come");
    probe.until_answered(LIMIT);
    thread::sleep(Duration::from_millis(300));
    (last.saturating_duration_since(start), probe.outage(start).duration)
}

/// Until the old master serves again, from the moment its power came back.
fn come_back(lab: &Lab, probe: &Probe, start: Instant) -> (Duration, Duration) {
    let served = lab.until_serving(Host::A, LIMIT);
    probe.until_answered(LIMIT);
    thread::sleep(Duration::from_millis(300));
    (served.saturating_duration_since(start), probe.outage(start).duration)
}

fn restore(lab: &Lab, event: Event) {
    match event {
        Event::PowerLoss => lab.reboot(Host::A),
        Event::LanCable => lab.plug_cable(Host::A, Segment::Lan),
        Event::Stop | Event::Return => {}
        Event::CarrierLost => lab.mend_all(),
    }
}

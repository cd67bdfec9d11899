//! `make soak MINUTES=30`: a pair of routers in a world where something breaks every few seconds.
//!
//! After each mishap everything is mended, and within a limit one router serves all three networks again, alone, and
//! the client reaches the world. Memory and descriptors stay what they were: in the first half only B is ever
//! restarted, in the second only A, so that the other one is seen for half of the time.
//!
//! The order of mishaps comes from `SEED=`. The report goes to the standard output and to `soak.md` in cargo's target
//! directory; the end is a panic, with the lab's files kept, if something was not as it should.

#[path = "../lab/mod.rs"]
mod lab;

mod life;
mod mishap;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use lab::gwha::Gwha;
use lab::probe::Probe;
use lab::setup::{CarrierCheck, Preempt, Setup};
use lab::topology::{Host, Segment};
use lab::{Lab, isolate, target_dir, until};
use life::Life;
use mishap::{Mishap, Random};

fn main() {
    isolate::enter();
    let number = |name: &str, default: u32| {
        env::var(name).ok().and_then(|text| text.parse::<u32>().ok()).unwrap_or(default)
    };
    let (minutes, seed) = (number("MINUTES", 30), number("SEED", 1));
    let lab = Lab::gateways("soak");
    let report = Soak::start(&lab, seed).run(Duration::from_secs(u64::from(minutes) * 60));
    print!("{report}");
    let path = target_dir().join("soak.md");
    fs::write(&path, report).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
}

/// With everything mended, one router serves alone before this time is over.
const SETTLE_LIMIT: Duration = Duration::from_secs(20);

/// It has settled when that has been so for this long: longer than the preempt delay and a round of tests.
const SETTLED: Duration = Duration::from_millis(2500);

/// A network without a fault, and what has been seen in it.
struct Soak<'l> {
    lab: &'l Lab,
    setup: Setup,
    a: Life,
    b: Life,
    probe: Probe,
    random: Random,
    mishaps: BTreeMap<&'static str, u32>,
    longest: Duration,
}

impl<'l> Soak<'l> {
    fn start(lab: &'l Lab, seed: u32) -> Soak<'l> {
        let setup = Setup {
            carrier_check: Some(CarrierCheck::FAST),
            preempt: Preempt::Yes,
            preempt_delay_s: 0.5,
            ..Setup::reference(100)
        };
        let life = |host| Life::new(Gwha::start(lab, host, &setup));
        let (a, b) = (life(Host::A), life(Host::B));
        let probe = lab.probe_outside();
        let random = Random::new(seed);
        Soak { lab, setup, a, b, probe, random, mishaps: BTreeMap::new(), longest: Duration::ZERO }
    }

    fn run(mut self, time: Duration) -> String {
        let start = Instant::now();
        self.settle();
        while start.elapsed() < time {
            let is_first_half = start.elapsed() < time / 2;
            let mishap = self.random.pick(Mishap::ALL);
            // A network outage happens to either router; who is restarted, see above.
            let host = match mishap.is_restart() {
                true if is_first_half => Host::B,
                true => Host::A,
                false => self.random.pick([Host::A, Host::B]),
            };
            let segment = self.random.pick(Segment::ALL);
            *self.mishaps.entry(mishap.name()).or_default() += 1;
            let life = if host == Host::A { &mut self.a } else { &mut self.b };
            mishap.happen(self.lab, &self.setup, life, segment);
            thread::sleep(Duration::from_millis(u64::from(self.random.below(2000))));
            self.mend(host);
            self.settle();
        }
        self.report(start.elapsed())
    }

    fn life(&mut self, host: Host) -> &mut Life {
        if host == Host::A { &mut self.a } else { &mut self.b }
    }

    /// Ends every fault, and starts again what has ended.
    fn mend(&mut self, host: Host) {
        let configuration = lab::gwha::configuration(&self.setup, host);
        let lab = self.lab;
        lab.mend_all();
        for segment in Segment::ALL {
            lab.plug_cable(host, segment);
        }
        let life = self.life(host);
        life.gwha.daemon.thaw();
        life.gwha.write_config(&configuration);
        if life.gwha.daemon.is_running() {
            life.gwha.hup();
        } else {
            life.restart();
        }
        // What a switch has moved stays there until somebody says otherwise.
        let _ = life.gwha.cli(&["switch", "--to", "self"]);
    }

    /// One router serves alone, the client reaches the world, and both routers use no more than they did.
    fn settle(&mut self) {
        let start = Instant::now();
        let mut since = Instant::now();
        let mut master = None;
        until("one router serves alone, and goes on", SETTLE_LIMIT + SETTLED, || {
            let now = [Host::A, Host::B].into_iter().find(|host| self.lab.serves_alone(*host));
            if now.is_none() || now != master {
                (master, since) = (now, Instant::now());
            }
            since.elapsed() > SETTLED
        });
        self.longest = self.longest.max(start.elapsed().saturating_sub(SETTLED));
        self.probe.until_answered(SETTLE_LIMIT);
        self.a.look();
        self.b.look();
    }

    fn report(&self, time: Duration) -> String {
        let total: u32 = self.mishaps.values().sum();
        let each: Vec<String> =
            self.mishaps.iter().map(|(name, count)| format!("{count} x {name}")).collect();
        let mut text = format!(
            "{total} mishaps in {} minutes: {}.\n\nOne master each time; the longest way there took {:.1} s.\n\n",
            time.as_secs() / 60,
            each.join(", "),
            self.longest.as_secs_f64()
        );
        text.push_str("| router | mishaps seen by one process | its own memory, KiB: early / half-way / end / most | descriptors: early / end / most |\n|---|---|---|---|\n");
        for life in [&self.a, &self.b] {
            let _ = writeln!(text, "| {} | {} |", life.gwha.host, life.figures());
        }
        text
    }
}

//! Runs the acts: starts and stops what they ask for, keeps the view fresh and measures what the client noticed.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::lab::gwha::{Gwha, binary, run_dir};
use crate::lab::isolate;
use crate::lab::probe::{Outage, Probe};
use crate::lab::setup::Setup;
use crate::lab::topology::{Host, OUTSIDE, Segment};

use super::ms;
use super::view::{Scene, View};

/// No act takes longer; one that does has failed.
const ACT_LIMIT: Duration = Duration::from_secs(20);

/// Time to read what is going to happen, and to see that all is well.
const PAUSE: Duration = ms(1500);

/// The gateways, the client's probes, and the acts so far.
pub struct Stage<'a> {
    pub lab: &'a Lab,
    setup: Setup,
    nodes: Vec<Gwha>,
    probe: Probe,
    view: View,
    acts: Vec<Act>,
}

/// An act and how it ended.
pub struct Act {
    pub title: &'static str,
    pub budget: Duration,
    pub result: Option<Measured>,
}

/// How an act ended.
#[derive(Clone, Copy)]
pub enum Measured {
    /// The gateways came up; until the first answer it took so long.
    Served { after: Duration },
    /// The service moved, and the client noticed so much.
    Moved { outage: Outage },
    /// What should have happened did not.
    Stuck,
}

impl Act {
    /// Whether the act has ended within its budget.
    pub fn is_good(&self) -> bool {
        match self.result {
            Some(
                Measured::Served { after: spent }
                | Measured::Moved { outage: Outage { duration: spent, .. } },
            ) => spent <= self.budget,
            Some(Measured::Stuck) | None => false,
        }
    }
}

impl<'a> Stage<'a> {
    /// An empty stage: the client probes, and nobody answers yet.
    pub fn new(lab: &'a Lab, setup: Setup) -> Stage<'a> {
        let probe = lab.probe_outside();
        Stage { lab, view: View::new(setup.interval_ms), setup, nodes: Vec::new(), probe, acts: Vec::new() }
    }

    /// What the crash of a master may cost: Master_Down, and 400 ms for a busy machine.
    pub fn crash_budget(&self) -> Duration {
        let interval = ms(u64::from(self.setup.interval_ms));
        interval * 3 + (interval / 8).max(ms(5)) + ms(400)
    }

    /// Announces an act and leaves time to read.
    pub fn begin(&mut self, title: &'static str, budget: Duration) {
        self.acts.push(Act { title, budget, result: None });
        self.view.announce(title);
        if self.acts.len() > 1 {
            self.watch_for(PAUSE);
        }
    }

    /// Waits until `host` serves, and notes what the client has lost since `event`.
    pub fn end(&mut self, event: Instant, host: Host) {
        let measured = if self.is_soon_served_by(host) {
            Measured::Moved { outage: self.probe.outage(event) }
        } else {
            Measured::Stuck
        };
        self.note(measured);
    }

    /// Ends the first act, before which nothing was served.
    pub fn end_start(&mut self, event: Instant, host: Host) {
        let measured = if self.is_soon_served_by(host) {
            Measured::Served {
                after: self.probe.first_answer(event).map_or(event.elapsed(), |at| at - event),
            }
        } else {
            Measured::Stuck
        };
        self.note(measured);
    }

    pub fn start(&mut self, host: Host) {
        self.nodes.retain(|node| node.host != host);
        self.nodes.push(Gwha::start(self.lab, host, &self.setup));
        self.nodes.sort_by_key(|node| node.host);
    }

    pub fn power_off(&mut self, host: Host) {
        self.lab.silence(host);
        if let Some(node) = self.nodes.iter_mut().find(|node| node.host == host) {
            node.daemon.kill();
        }
    }

    pub fn power_on(&mut self, host: Host) {
        self.lab.reboot(host);
        self.start(host);
    }

    /// Runs `gwha switch` on `host`.
    pub fn switch(&mut self, host: Host) {
        if let Some(node) = self.nodes.iter().find(|node| node.host == host) {
            let output = node.cli(&["switch"]);
            if !output.status.success() {
                self.view.say(&format!("gwha switch failed: {}", String::from_utf8_lossy(&output.stderr)));
            }
        }
    }

    /// The summary; success only if every act was good.
    pub fn finish(&mut self) -> ExitCode {
        self.watch_for(PAUSE);
        let bad = self.acts.iter().filter(|act| !act.is_good()).count();
        self.view.redraw();
        self.refresh();
        if bad == 0 {
            println!("\nEvery outage stayed within its budget.");
            return ExitCode::SUCCESS;
        }
        println!("\n{bad} of {} outages exceeded the budget.", self.acts.len());
        self.lab.keep_files();
        ExitCode::FAILURE
    }

    /// Leaves everything running and says how to look inside.
    pub fn keep(&self) -> ! {
        let pid = isolate::outer_pid().unwrap_or_default();
        let (gwha, run_dir) = (binary(), run_dir(Host::A));
        println!("\nThe lab stays until Ctrl-C. To look inside, in another terminal:\n");
        println!("  nsenter --target {pid} --all --wd=/ sh            # (as the same user, or root)\n");
        println!("and there, for the hosts a, b, carrier, client and phone:\n");
        println!("  ip netns exec a ip address");
        println!("  ip netns exec client ping {OUTSIDE}");
        println!("  ip netns exec b tcpdump -ni lan vrrp");
        println!(
            "  {} status --run-dir {}      # A; B: {}",
            gwha.display(),
            run_dir.display(),
            super::lab::gwha::run_dir(Host::B).display()
        );
        println!("  {} switch --run-dir {}", gwha.display(), run_dir.display());
        println!("  ip link set lan-a down                      # pulls A's LAN cable at the switch");
        loop {
            thread::park();
        }
    }

    /// Waits until `host` holds every address and the client's probes are answered, and a moment longer; `false` if
    /// that takes too long.
    fn is_soon_served_by(&mut self, host: Host) -> bool {
        let start = Instant::now();
        let holds = |lab: &Lab| Segment::ALL.into_iter().all(|segment| lab.holders(segment).contains(&host));
        while !(holds(self.lab) && self.probe.is_answered()) {
            if start.elapsed() > ACT_LIMIT {
                return false;
            }
            self.refresh();
        }
        self.watch_for(ms(700));
        true
    }

    fn note(&mut self, measured: Measured) {
        let act = self.acts.last_mut().expect("an act ends after it has begun");
        act.result = Some(measured);
        self.view.report(act);
        self.refresh();
    }

    fn watch_for(&mut self, period: Duration) {
        let start = Instant::now();
        while start.elapsed() < period {
            self.refresh();
        }
    }

    /// Shows the present state. Takes a moment, so that a loop around it does not burn the processor.
    fn refresh(&mut self) {
        let Stage { lab, nodes, probe, view, acts, .. } = self;
        view.show(&Scene { lab, nodes, probe, acts });
        thread::sleep(ms(20));
    }
}

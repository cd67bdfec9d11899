//! The lab: two gateways, a carrier router and some hosts, in network namespaces on this machine.
//!
//! ```text
//!              outside 198.51.100.1
//!                carrier 10.0.0.1
//!                      |
//!        -------------WAN-------------      10.0.0.0/24       VIP .4
//!         |            |            |
//!     gateway A    gateway B    gateway C   .2  .3  .5
//!       |   |        |   |        |   |
//!       |  -+-------LAN--+--------+---+-   192.168.100.0/24  VIP .1   client .50, stranger .66
//!       |            |            |
//!      -+-----------IOT-----------+-       192.168.101.0/24  VIP .1   phone .50
//! ```
//!
//! Each lab is one process in its own network, mount and process namespaces (`isolate.rs`): it never sees the
//! machine's network, two labs never see each other, and the kernel clears everything away with the process,
//! however it ends. The process's own network namespace is the switch; every host has a nested one.
//!
//! Reading order: `isolate`, `topology`, `netns`, then what is done to the network (`fault`, `attack`), what runs
//! in it (`process`, `gwha`, `keepalived`, `setup`) and what is observed (`capture`, `watch`, `probe`, `wait`).

#![allow(dead_code, unused_imports, reason = "each program that includes the lab uses another part of it")]

pub mod attack;
pub mod capture;
pub mod dhcp;
pub mod fault;
pub mod frame;
pub mod gwha;
pub mod isolate;
pub mod keepalived;
pub mod netns;
pub mod probe;
pub mod process;
pub mod setup;
pub mod tools;
pub mod topology;
pub mod wait;
pub mod watch;

use std::cell::{Cell, RefCell};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use capture::Capture;
use fault::Faults;
use netns::Netns;
use probe::Probe;
use topology::{Host, OUTSIDE, Segment};
use watch::Watch;

pub use isolate::scenario;
pub use wait::{holds_for, until};

/// A running lab. Exactly one per process.
pub struct Lab {
    /// Where logs, captures and configurations of this run are written.
    pub dir: PathBuf,
    /// When the network was built.
    pub started: Instant,
    /// What matters to tests of what was seen on the three segments, since the start.
    pub capture: Capture,
    /// Every address that came or went on a host, since the start.
    pub watch: Watch,
    faults: RefCell<Faults>,
    keep: Cell<bool>,
}

impl Lab {
    /// Builds the network of the module documentation, with nothing running in it yet.
    ///
    /// `name` becomes the directory of the run's files under `target/lab/`.
    pub fn gateways(name: &str) -> Lab {
        tools::require(&["ip", "nft"]);
        let dir = target_dir().join("lab").join(name.replace("::", "."));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap_or_else(|e| panic!("cannot create {}: {e}", dir.display()));

        topology::build();
        Lab {
            started: Instant::now(),
            capture: Capture::start(&dir),
            watch: Watch::start(),
            faults: RefCell::new(Faults::default()),
            keep: Cell::new(false),
            dir,
        }
    }

    /// Has the run's files kept, as those of a failed run.
    pub fn keep_files(&self) {
        self.keep.set(true);
    }

    /// The network namespace of `host`.
    pub fn netns(&self, host: Host) -> Netns {
        host.netns()
    }

    /// A ping every 5 ms from the LAN client through the gateway to the world outside, and back.
    ///
    /// It is answered only while the LAN's and the WAN's VIP both lead to a working gateway.
    pub fn probe_outside(&self) -> Probe {
        Probe::start(Host::Client, OUTSIDE, Duration::from_millis(5))
    }

    /// Which gateways hold the VIP of `segment` at this moment.
    pub fn holders(&self, segment: Segment) -> Vec<Host> {
        self.holders_of(IpAddr::V4(segment.vip()))
    }

    /// Which gateways hold `vip` at this moment.
    pub fn holders_of(&self, vip: IpAddr) -> Vec<Host> {
        Host::GATEWAYS.into_iter().filter(|&host| self.watch.holds(host, vip)).collect()
    }

    /// Whether `host` alone holds the VIPs of all three segments.
    pub fn serves_alone(&self, host: Host) -> bool {
        Segment::ALL.into_iter().all(|segment| self.holders(segment) == [host])
    }

    /// Waits until `host` alone holds all three VIPs; returns the moment at which the last of them came.
    pub fn until_serving(&self, host: Host, limit: Duration) -> Instant {
        until(&format!("{host} alone holds every VIP"), limit, || self.serves_alone(host));
        let arrival = |segment: Segment| self.watch.last_added(host, IpAddr::V4(segment.vip()));
        Segment::ALL.into_iter().filter_map(arrival).max().expect("a held address has come at some time")
    }

    /// Asserts that `host` alone holds every VIP at every look during `period`.
    pub fn stays_serving(&self, host: Host, period: Duration) {
        holds_for(&format!("{host} alone holds every VIP"), period, || self.serves_alone(host));
    }
}

impl Drop for Lab {
    /// Keeps the files of a failed run and says where; removes those of a good one.
    fn drop(&mut self) {
        if !std::thread::panicking() && !self.keep.get() {
            let _ = fs::remove_dir_all(&self.dir);
            return;
        }
        for host in Host::ALL {
            let addresses = self.netns(host).command("ip").args(["-d", "addr"]).output();
            let routes = self.netns(host).command("ip").args(["neigh"]).output();
            let text: Vec<u8> =
                [addresses, routes].into_iter().flatten().flat_map(|output| output.stdout).collect();
            let _ = fs::write(self.dir.join(format!("{host}.addresses")), text);
        }
        print_ends_of_logs(&self.dir);
        eprintln!("the lab's captures, logs and states are in {}", self.dir.display());
    }
}

/// Prints the last lines of every log, for whoever cannot look into the directory.
fn print_ends_of_logs(dir: &Path) {
    const LINES: usize = 15;
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            let end = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default();
            eprintln!("--- the end of {}:\n{}", path.display(), end.join("\n"));
        }
    }
}

/// Cargo's target directory, found from the running program.
pub fn target_dir() -> PathBuf {
    let program = std::env::current_exe().expect("the running program has a path");
    let is_target = |dir: &&Path| dir.join("CACHEDIR.TAG").exists();
    program.ancestors().find(is_target).expect("the program runs from cargo's target directory").to_path_buf()
}

//! The program under test: its configuration, its daemon and its command line.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::process::Daemon;
use super::setup::{Family, Grouping, Mode, Naming, Preempt, Setup, Version};
use super::topology::{CARRIER, Host, Segment};
use super::{Lab, target_dir};

/// A gateway that runs gwha.
pub struct Gwha {
    pub host: Host,
    pub daemon: Daemon,
    pub config: PathBuf,
    pub run_dir: PathBuf,
    /// The socket of its bus, if it is on one.
    ubus: Option<PathBuf>,
    /// What it sees as [`SITE`], if it has a disk of its own.
    site: Option<PathBuf>,
    dir: PathBuf,
}

/// Where a gateway with a disk of its own sees that.
pub const SITE: &str = "/run/site";

impl Gwha {
    /// Starts the daemon on `host`.
    pub fn start(lab: &Lab, host: Host, setup: &Setup) -> Gwha {
        Gwha::start_with(lab, host, &configuration(setup, host))
    }

    /// Starts the daemon on `host` with the configuration given as text.
    pub fn start_with(lab: &Lab, host: Host, configuration: &str) -> Gwha {
        Gwha::begin(lab, host, configuration, None)
    }

    /// Starts the daemon on `host`, on the bus with this socket.
    pub fn start_on_bus(lab: &Lab, host: Host, setup: &Setup, socket: &Path) -> Gwha {
        Gwha::begin(lab, host, &configuration(setup, host), Some(socket.to_owned()))
    }

    /// Starts the daemon on `host` with the configuration given as text, on the bus with this socket.
    pub fn start_with_on_bus(lab: &Lab, host: Host, configuration: &str, socket: &Path) -> Gwha {
        Gwha::begin(lab, host, configuration, Some(socket.to_owned()))
    }

    /// Starts the daemon on `host` with a disk of its own: the directory `site` is [`SITE`] there, and the configuration
    /// is in `etc/config/gwha` of it. It is on the bus with the socket `ubus`, if there is one.
    pub fn start_on_site(
        lab: &Lab,
        host: Host,
        configuration: &str,
        site: &Path,
        ubus: Option<&Path>,
    ) -> Gwha {
        fs::create_dir_all(SITE).expect("the lab has a /run of its own");
        fs::create_dir_all(site.join("etc/config")).expect("the lab's directory can be written");
        let config = site.join("etc/config/gwha");
        write(&config, configuration);
        let run_dir = run_dir(host);
        let daemon = run(host, &config, &run_dir, ubus, Some(site), &lab.dir);
        let (ubus, site) = (ubus.map(Path::to_owned), Some(site.to_owned()));
        Gwha { host, daemon, config, run_dir, ubus, site, dir: lab.dir.clone() }
    }

    fn begin(lab: &Lab, host: Host, configuration: &str, ubus: Option<PathBuf>) -> Gwha {
        let config = lab.dir.join(format!("{host}.gwha.conf"));
        let run_dir = run_dir(host);
        write(&config, configuration);
        let daemon = run(host, &config, &run_dir, ubus.as_deref(), None, &lab.dir);
        Gwha { host, daemon, config, run_dir, ubus, site: None, dir: lab.dir.clone() }
    }

    /// Starts the daemon again after it has ended, with what its last run has left behind.
    pub fn restart(&mut self) {
        let Gwha { host, config, run_dir, ubus, site, dir, .. } = self;
        self.daemon = run(*host, config, run_dir, ubus.as_deref(), site.as_deref(), dir);
    }

    /// Replaces the configuration file; the daemon is not told.
    pub fn write_config(&self, text: &str) {
        write(&self.config, text);
    }

    /// Has the daemon read its configuration again.
    pub fn hup(&self) {
        self.daemon.signal(Signal::SIGHUP);
    }

    /// Runs a command of the program, such as `["switch"]`, against this node.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--config").arg(&self.config).arg("--run-dir").arg(&self.run_dir);
        command.stdin(Stdio::null()).output().expect("gwha can be started")
    }

    /// `gwha status --json`, or `None` while the daemon gives no answer.
    pub fn status(&self) -> Option<Value> {
        serde_json::from_slice(&self.cli(&["status", "--json"]).stdout).ok()
    }

    /// The value at a JSON pointer of the status, such as `/groups/0/role`; null if there is none.
    pub fn at(&self, pointer: &str) -> Value {
        self.status().and_then(|status| status.pointer(pointer).cloned()).unwrap_or(Value::Null)
    }

    /// The node's role in the protocol's words, or an empty string while there is no answer.
    pub fn role(&self) -> String {
        self.at("/role").as_str().unwrap_or_default().to_owned()
    }

    /// How often the group's role has changed: it must not change under attack.
    pub fn epoch(&self) -> Option<u64> {
        self.at("/groups/0/epoch").as_u64()
    }

    /// The counter of one instance: `sent`, `received`, or a reason under `rejected`.
    pub fn counter(&self, instance: &str, path: &str) -> u64 {
        let status = self.status().unwrap_or(Value::Null);
        let instances = status["instances"].as_array().cloned().unwrap_or_default();
        let found = instances.iter().find(|entry| entry["name"] == instance);
        found.and_then(|entry| entry["counters"].pointer(path)).and_then(Value::as_u64).unwrap_or(0)
    }
}

impl Drop for Gwha {
    /// A failed test wants to know what the daemon thought.
    fn drop(&mut self) {
        if std::thread::panicking() && self.daemon.is_running() {
            let _ = fs::write(
                self.dir.join(format!("{}.status.json", self.host)),
                self.cli(&["status", "--json"]).stdout,
            );
        }
    }
}

/// The program: `GWHA` in the environment, or the one that cargo built along with this one.
pub fn binary() -> PathBuf {
    if let Some(path) =
        std::env::var_os("GWHA").map(PathBuf::from).or(option_env!("CARGO_BIN_EXE_gwha").map(PathBuf::from))
    {
        return path;
    }
    let program = std::env::current_exe().expect("the running program has a path");
    let beside = program.ancestors().map(|dir| dir.join("gwha")).find(|candidate| candidate.is_file());
    beside.unwrap_or_else(|| {
        panic!(
            "no gwha beside {}: run `cargo build` first (target {})",
            program.display(),
            target_dir().display()
        )
    })
}

/// Where the daemon of `host` keeps what a reboot takes away.
pub fn run_dir(host: Host) -> PathBuf {
    PathBuf::from(format!("/run/gwha-{host}"))
}

fn run(
    host: Host,
    config: &Path,
    run_dir: &Path,
    ubus: Option<&Path>,
    site: Option<&Path>,
    dir: &Path,
) -> Daemon {
    // Each gateway has a host name of its own, as two routers have.
    let mut command = host.netns().command("unshare");
    let name = format!("gw-{}", host.name());
    match site {
        None => command.args(["--uts", "sh", "-c", r#"hostname "$0" && exec "$@""#, &name]),
        Some(site) => {
            let script = format!(r#"hostname "$0" && mount --rbind "$1" {SITE} && shift && exec "$@""#);
            command.args(["--uts", "--mount", "sh", "-c", &script, &name]).arg(site)
        }
    };
    let config = match site.and_then(|site| config.strip_prefix(site).ok()) {
        Some(relative) => Path::new(SITE).join(relative),
        None => config.to_owned(),
    };
    command.arg(binary()).arg("run").arg("--stderr");
    command.arg("--config").arg(config).arg("--run-dir").arg(run_dir);
    if let Some(socket) = ubus {
        command.arg("--ubus").arg(socket);
    }
    Daemon::start(command, &dir.join(format!("{host}.gwha.log")))
}

/// gwha's configuration of `host`.
pub fn configuration(setup: &Setup, host: Host) -> String {
    let mut text = String::from("config gwha 'main'\n\toption enabled '1'\n\toption log_level 'debug'\n");
    for &segment in &setup.segments {
        text.push_str(&instance(setup, host, segment));
    }
    if setup.grouping == Grouping::Together {
        text.push_str("\nconfig group 'gateway'\n");
        for segment in &setup.segments {
            option(&mut text, "list", "instance", segment.name());
        }
        text.push_str(&decisions(setup));
    }
    if let Some(check) = setup.carrier_check {
        text.push_str("\nconfig track 'carrier'\n");
        option(&mut text, "option", "type", "ping");
        option(&mut text, "option", "device", "wan");
        option(&mut text, "list", "target", CARRIER);
        option(&mut text, "option", "interval", check.interval_s);
        option(&mut text, "option", "timeout", check.timeout_s);
        option(&mut text, "option", "fall", check.fall);
        option(&mut text, "option", "rise", check.rise);
        option(&mut text, "option", "weight", check.weight);
    }
    text
}

fn instance(setup: &Setup, host: Host, segment: Segment) -> String {
    let name = segment.name();
    let mut text = format!("\nconfig instance '{name}'\n");
    option(&mut text, "option", "device", name);
    option(&mut text, "option", "vrid", segment.vrid());
    option(&mut text, "option", "advert_interval", setup.interval_ms);
    if setup.version == Version::V2 {
        option(&mut text, "option", "version", 2);
    }
    if setup.mode == Mode::Multicast {
        option(&mut text, "option", "mode", "multicast");
    }
    if let Some(secret) = setup.secret {
        option(&mut text, "option", "auth_pass", secret);
    }
    match setup.naming {
        Naming::Routers => {
            for &router in &setup.routers {
                option(&mut text, "list", "router", setup.address(router, segment));
            }
        }
        Naming::Peers => {
            option(&mut text, "option", "priority", setup.priority(host));
            option(&mut text, "option", "source", setup.address(host, segment));
            for peer in setup.peers(host).filter(|_| setup.mode == Mode::Unicast) {
                option(&mut text, "list", "peer", setup.address(peer, segment));
            }
            // keepalived's IPv6 unicast leaves with the system's hop limit.
            if setup.family == Family::V6 {
                option(&mut text, "option", "ttl_min", 64);
            }
        }
    }
    for vip in setup.vips(segment) {
        option(&mut text, "list", "vip", format!("{vip}/{}", setup.prefix()));
    }
    if setup.grouping == Grouping::EachAlone {
        text.push_str(&decisions(setup));
    }
    text
}

/// The options of a group, which an instance without one carries itself.
fn decisions(setup: &Setup) -> String {
    let mut text = String::new();
    if setup.carrier_check.is_some() {
        option(&mut text, "list", "track", "carrier");
    }
    match setup.preempt {
        Preempt::No => option(&mut text, "option", "preempt", 0),
        Preempt::Yes => option(&mut text, "option", "preempt_delay", setup.preempt_delay_s),
    }
    text
}

fn option(text: &mut String, kind: &str, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "\t{kind} {name} '{value}'");
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
}

/// How long a node may take from its start to its first answer.
pub const START_LIMIT: Duration = Duration::from_secs(5);

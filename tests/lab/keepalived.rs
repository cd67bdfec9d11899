//! The real keepalived as the other node, or as the one to measure against.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::Lab;
use super::process::Daemon;
use super::setup::{Family, Grouping, Mode, Preempt, Setup, Version};
use super::tools;
use super::topology::{CARRIER, Host, Segment};

/// Starts keepalived on `host`.
pub fn start(lab: &Lab, host: Host, setup: &Setup) -> Daemon {
    start_with(lab, host, &configuration(setup, host))
}

/// Starts keepalived on `host` with the configuration given as text.
pub fn start_with(lab: &Lab, host: Host, configuration: &str) -> Daemon {
    tools::require(&["keepalived"]);
    let config = lab.dir.join(format!("{host}.keepalived.conf"));
    write(&config, configuration);
    let mut command = host.netns().command("keepalived");
    command.args(["--dont-fork", "--vrrp", "--log-console"]);
    command.args(["--use-file".as_ref(), config.as_os_str()]);
    for (option, file) in [("--pid", "keepalived"), ("--vrrp_pid", "vrrp")] {
        command.args([option, &format!("/run/{host}.{file}.pid")]);
    }
    Daemon::start(command, &lab.dir.join(format!("{host}.keepalived.log")))
}

/// keepalived's configuration of `host`.
pub fn configuration(setup: &Setup, host: Host) -> String {
    let mut text =
        format!("global_defs {{\n  router_id {host}\n  script_user root\n  enable_script_security\n}}\n");
    if let Some(check) = setup.carrier_check {
        let _ = write!(
            text,
            "vrrp_script carrier {{\n  script \"/bin/ping -c1 -W1 {CARRIER}\"\n  interval {}\n  timeout {}\n  \
             fall {}\n  rise {}\n  weight {}\n}}\n",
            check.interval_s.ceil(),
            check.timeout_s.ceil(),
            check.fall,
            check.rise,
            check.weight
        );
    }
    for &segment in &setup.segments {
        text.push_str(&instance(setup, host, segment));
    }
    if setup.grouping == Grouping::Together {
        let names: Vec<&str> = setup.segments.iter().map(|segment| segment.name()).collect();
        // Inside the instances a weight would be ignored: they belong to a group.
        let track = setup.carrier_check.map_or("", |_| "  track_script { carrier }\n");
        let _ = write!(text, "vrrp_sync_group gateway {{\n  group {{ {} }}\n{track}}}\n", names.join(" "));
    }
    text
}

fn instance(setup: &Setup, host: Host, segment: Segment) -> String {
    let name = segment.name();
    let version = match setup.version {
        Version::V2 => 2,
        Version::V3 => 3,
    };
    let mut text = format!(
        "vrrp_instance {name} {{\n  state BACKUP\n  interface {name}\n  virtual_router_id {}\n  priority {}\n  \
         version {version}\n  advert_int {}\n",
        segment.vrid(),
        setup.priority(host),
        f64::from(setup.interval_ms) / 1000.0
    );
    if setup.family == Family::V6 {
        text.push_str("  native_ipv6\n");
    }
    if setup.mode == Mode::Unicast {
        let peers: Vec<String> =
            setup.peers(host).map(|peer| setup.address(peer, segment).to_string()).collect();
        let own = setup.address(host, segment);
        let _ = write!(text, "  unicast_src_ip {own}\n  unicast_peer {{ {} }}\n", peers.join(" "));
    }
    if let Some(secret) = setup.secret {
        let _ = write!(text, "  authentication {{\n    auth_type PASS\n    auth_pass {secret}\n  }}\n");
    }
    match setup.preempt {
        Preempt::No => text.push_str("  nopreempt\n"),
        Preempt::Yes if setup.preempt_delay_s > 0.0 => {
            let _ = writeln!(text, "  preempt_delay {}", setup.preempt_delay_s);
        }
        Preempt::Yes => {}
    }
    if setup.grouping == Grouping::EachAlone && setup.carrier_check.is_some() {
        text.push_str("  track_script { carrier }\n");
    }
    text.push_str("  virtual_ipaddress {\n");
    for vip in setup.vips(segment) {
        let _ = writeln!(text, "    {vip}/{} dev {name}", setup.prefix());
    }
    text + "  }\n}\n"
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
}

//! A file that can't be used, and a SIGHUP to the master.

use std::fs;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::lab::setup::Setup;
use crate::lab::topology::{Host, Segment};
use crate::lab::{Lab, until};

use super::run::{LIMIT, configuration, configuration_file, restart_lab, start};

/// Takes a good file and spoils it.
type Spoil = fn(&str) -> String;

const FILES: [(&str, Spoil); 4] = [
    ("cut off in the middle", |good| good[..good.len() / 2].to_owned()),
    ("empty", |_| String::new()),
    ("random bytes", |_| "\u{1}\u{2}{{'\"\u{7f}".repeat(50)),
    ("a device that is not there", |good| {
        good.replace("interface lan", "interface gone").replace("device 'lan'", "device 'gone'")
    }),
];

/// Runs every file; the figures are whether the daemon still runs, the moves of the address, and who has it in the end.
pub fn all(lab: &Lab, program: &str, only: &str) {
    for (name, spoil) in FILES.into_iter().filter(|(name, _)| name.contains(only)) {
        println!("broken;{name};{}", run(lab, program, spoil).join(";"));
    }
}

fn run(lab: &Lab, program: &str, spoil: Spoil) -> Vec<String> {
    let setup = Setup::lan(100);
    let vip = IpAddr::V4(Segment::Lan.vip());
    let mut a = start(lab, program, Host::A, &setup);
    until("A serves", LIMIT, || lab.holders_of(vip) == [Host::A]);
    let b = start(lab, program, Host::B, &setup);
    thread::sleep(Duration::from_millis(1500));

    let begin = Instant::now();
    let good = configuration(program, Host::A, &setup);
    let bad = spoil(&good);
    assert_ne!(bad, good, "the file is not spoilt");
    fs::write(configuration_file(lab, program, Host::A), bad).expect("the lab's directory can be written");
    a.daemon().signal(Signal::SIGHUP);
    thread::sleep(Duration::from_secs(5));

    let holders: Vec<String> = lab.holders_of(vip).iter().map(Host::to_string).collect();
    let figures = vec![
        if a.daemon_mut().is_running() { "runs" } else { "has ended" }.to_owned(),
        lab.watch.since(begin).len().to_string(),
        if holders.is_empty() { "nobody".to_owned() } else { holders.join(" and ") },
    ];
    drop((a, b));
    restart_lab(lab, vip);
    figures
}

//! `make bench`: how long a takeover takes, gwha and keepalived at the same time, each in a network of its own.
//!
//! Every pair of programs and advert interval gets a lab of its own. In it, the same four things happen to the
//! master A again and again, each at another phase of the advert interval: it loses its power, its LAN cable, its
//! carrier, or is told to stop; after a power loss it comes back. Measured are the *takeover* (until B holds the last address) and the *outage* (what
//! a client on the LAN notices that probes the world outside every 5 ms). Both begin before the command that
//! causes the event, which itself takes some milliseconds.
//!
//! `REPS=` says how often, `INTERVALS=1000,100` which advert intervals. The table goes to the standard output and to
//! `bench.md` in cargo's target directory.

#[path = "../../tests/lab/mod.rs"]
mod lab;

#[path = "../common/report.rs"]
mod report;

mod course;
mod table;

use std::env;
use std::thread;

use course::{Contender, Sample};
use lab::isolate;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [contender, interval, repetitions] = arguments.as_slice() {
        isolate::enter();
        let contender = Contender::from_name(contender).expect("a contender's name");
        let [interval, repetitions] = [interval, repetitions].map(|text| text.parse().expect("a number"));
        return course::run(contender, interval, repetitions);
    }
    lab::tools::require(&["keepalived", "ip", "nft", "unshare"]);
    let repetitions = env::var("REPS").ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "7".to_owned());
    let mut samples: Vec<Sample> = Vec::new();
    for interval in intervals() {
        eprintln!("at {interval} ms, {repetitions} times ...");
        samples.extend(measured_side_by_side(&interval, &repetitions));
    }
    table::write(&samples, &repetitions);
}

fn intervals() -> Vec<String> {
    let list = env::var("INTERVALS").unwrap_or_default();
    let list = if list.is_empty() { "1000,100,10".to_owned() } else { list };
    list.split(',').map(str::to_owned).collect()
}

/// Runs all contenders, at the same time: what else the machine does hits them alike.
fn measured_side_by_side(interval: &str, repetitions: &str) -> Vec<Sample> {
    thread::scope(|scope| {
        let run = |contender| scope.spawn(move || measured(contender, interval, repetitions));
        let runs: Vec<_> = Contender::ALL.into_iter().map(run).collect();
        runs.into_iter().flat_map(|run| run.join().expect("a contender's run does not fail")).collect()
    })
}

/// Runs one contender in a lab of its own and reads what it reports.
fn measured(contender: Contender, interval: &str, repetitions: &str) -> Vec<Sample> {
    let output = isolate::output(&[contender.name(), interval, repetitions]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{} at {interval} ms failed:\n{text}", contender.name());
    text.lines().filter_map(Sample::from_line).collect()
}

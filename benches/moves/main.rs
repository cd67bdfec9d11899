//! `make bench`: what a client notices when a gateway moves with all that belongs to it.
//!
//! Two questions. How many of the probes that a client sends every 5 ms does a planned switch lose? And how long does it
//! take from the moment a router holds the virtual addresses to the first reply through its WAN, in each of the setups
//! of `tests/e2e/setups`, with everything that follows from the role: a shared hardware address, DHCP on the WAN, connections?
//!
//! `SWITCHES=` says how many switches, `MOVES=` how many moves of each setup. The tables go to the standard output and to
//! `bench-moves.md` in cargo's target directory.

#[path = "../../tests/lab/mod.rs"]
mod lab;
#[path = "../../tests/e2e/setups/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests of the setups use all of it")]
mod setups;
#[path = "../../tests/e2e/support.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod support;
#[path = "../../tests/e2e/wire.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod wire;

#[path = "../common/report.rs"]
mod report;

mod first_reply;
mod switch;

use std::env;
use std::fmt::Write as _;
use std::time::Duration;

use lab::{Lab, isolate};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [what, case, times] = arguments.as_slice() {
        isolate::enter();
        let lab = Lab::gateways(&format!("bench-{what}-{case}"));
        let times = times.parse().expect("a number");
        return match what.as_str() {
            "switch" => switch::run(&lab, case, times),
            _ => first_reply::run(&lab, case, times),
        };
    }
    let number = |name, default: &str| {
        env::var(name).ok().filter(|text| !text.is_empty()).unwrap_or_else(|| default.to_owned())
    };
    let mut text = format!("{}\n", report::machine());
    switch::head(&mut text);
    for case in switch::CASES {
        let _ = writeln!(text, "{}", measured(&["switch", case, &number("SWITCHES", "30")]));
    }
    first_reply::head(&mut text);
    for case in first_reply::CASES {
        let _ = writeln!(text, "{}", measured(&["first-reply", case, &number("MOVES", "10")]));
    }
    report::write("bench-moves.md", &text);
}

/// Runs one case in a lab of its own, and returns its rows.
fn measured(arguments: &[&str]) -> String {
    eprintln!("{} ...", arguments.join(" "));
    let output = isolate::output(arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?} failed:\n{text}");
    text.trim_end().to_owned()
}

fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}

/// Median and worst.
fn figures(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let of = |percent| report::percentile(times, percent).map(ms).unwrap_or_default();
    format!("{} / {}", of(50), of(100))
}

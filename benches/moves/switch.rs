//! Planned switches, back and forth.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::lab::gwha::{Gwha, configuration};
use crate::lab::probe::Probe;
use crate::lab::setup::{Preempt, Setup};
use crate::lab::topology::{Host, OUTSIDE, Segment};
use crate::setups::place::Place;
use crate::support::{LIMIT, until_role};

/// The LAN alone; with leases that have to be over first; and all three segments, through to the world.
pub const CASES: [&str; 3] = ["lan", "lan-leases", "three-segments"];

/// What the rows are about.
pub fn head(text: &mut String) {
    text.push_str(
        "\nPlanned switches (`gwha switch`), adverts every second, a probe every 5 ms: median / worst.\n\n\
         | case | probes lost | until the client has replies again, ms | the command, ms |\n|---|---|---|---|\n",
    );
}

/// Makes so many switches and prints a row.
pub fn run(lab: &Lab, case: &str, times: usize) {
    let whole = case == "three-segments";
    let base = if whole { Setup::reference(1000) } else { Setup::lan(1000) };
    let setup = Setup { preempt: Preempt::No, ..base };
    let start = |host| {
        let place = Place::new(lab, host);
        let sync = if case == "lan-leases" { place.sync() } else { String::new() };
        let text = configuration(&setup, host).replace("'debug'", "'info'") + &sync;
        (Gwha::start_with(lab, host, &text), place)
    };
    let (a, place_a) = start(Host::A);
    until_role(&a, "master");
    let (b, place_b) = start(Host::B);
    until_role(&b, "backup");
    let target = if whole { OUTSIDE } else { IpAddr::V4(Segment::Lan.vip()) };
    let probe = Probe::start(Host::Client, target, Duration::from_millis(5));
    let (mut lost, mut outages, mut commands) = (Vec::new(), Vec::new(), Vec::new());
    let (mut master, mut standby) = ((&a, &place_a), (&b, &place_b));
    for turn in 0..times {
        probe.until_answered(LIMIT);
        // At another phase of the interval each time.
        thread::sleep(Duration::from_secs_f64(1.0 + (turn as f64 * 0.618_034).fract()));
        if case == "lan-leases" {
            leases(master.1, turn);
        }
        let event = Instant::now();
        let done = master.0.cli(&["switch"]);
        commands.push(event.elapsed());
        assert!(done.status.success(), "{done:?}");
        until_role(standby.0, "master");
        thread::sleep(Duration::from_millis(500));
        let outage = probe.outage(event);
        lost.push(outage.lost);
        outages.push(if outage.lost == 0 { Duration::ZERO } else { outage.duration });
        (master, standby) = (standby, master);
    }
    lost.sort_unstable();
    let none = lost.iter().filter(|lost| **lost == 0).count();
    let mut row = String::new();
    let _ = write!(
        row,
        "| {case}, {times} times | {} / {} ({none} times none) ",
        lost[times / 2],
        lost[times - 1]
    );
    let _ = write!(row, "| {} | {} |", crate::figures(&mut outages), crate::figures(&mut commands));
    println!("{row}");
}

/// What a DHCP server writes in the last moment: 200 leases, all of them new.
fn leases(place: &Place, turn: usize) {
    let end =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
            + 3600;
    let mut text = String::new();
    for number in 0..200 {
        let _ = writeln!(
            text,
            "{end} 02:00:00:02:00:{number:02x} 192.168.100.{} t{turn}-{number} *",
            number + 20
        );
    }
    std::fs::write(place.lease_file(), text).expect("leases can be written");
}

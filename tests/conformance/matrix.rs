//! State × event × preempt × version, as a table that one can read: `matrix.txt`.
//!
//! Where versions and `preempt` agree they share a row. Notices are left out.

use std::collections::BTreeMap;

use crate::script::clock;
use crate::stage::{Micros, Stage};

/// When the event happens.
const AT: Micros = 20_000_000;

/// What follows within this time follows at once.
const AT_ONCE: Micros = 1_000;

/// How long the table looks ahead.
const LATER: Micros = 8_000_000;

/// Where a node stands: what happened before, with the sender's usual word for `@`.
const STATES: &[(&str, &[&str])] = &[
    ("init", &["19.000 links up"]),
    ("backup", &["18.700 links up", "19.000 all < @", "19.500 all < @"]),
    ("fault", &["18.700 links up", "19.000 all < @", "19.200 link wan nocarrier", "19.500 lan < @"]),
    ("master", &["1.000 links up"]),
    ("faulted master", &["1.000 links up", "19.200 link wan nocarrier"]),
];

/// What happens: the priorities, the sender and its usual word, and the input. The node is b, and says 90.
const EVENTS: &[(&str, &str, &str, &str)] = &[
    ("higher", "100,90,80", "100 from a", "lan < 100 from a"),
    ("equal, higher address", "100,90,90", "90 from c", "lan < 90 from c"),
    ("equal, lower address", "90,90,80", "90 from a", "lan < 90 from a"),
    ("lower", "100,90,80", "80 from c", "lan < 80 from c"),
    ("lowered to 95", "100,90,80", "100 from a", "lan < 95 from a"),
    ("lowered to 70", "100,90,80", "100 from a", "lan < 70 from a"),
    ("lowered to 3", "100,90,80", "100 from a", "lan < 3 from a"),
    ("stops", "100,90,80", "100 from a", "lan < 0 from a"),
    ("asks", "100,90,80", "100 from a", "lan < 1 from a"),
    ("silence", "100,90,80", "100 from a", "end"),
    ("one link down", "100,90,80", "100 from a", "link wan nocarrier"),
    ("all links down", "100,90,80", "100 from a", "links nocarrier"),
    ("all links up", "100,90,80", "100 from a", "links up"),
    ("maintenance", "100,90,80", "100 from a", "maintenance on"),
    ("SIGTERM", "100,90,80", "100 from a", "terminate"),
];

#[test]
fn matrix() {
    let path = crate::folder().join("matrix.txt");
    let text = std::fs::read_to_string(&path).expect("the file is there");
    let is = table(&text).expect("every play can be played");

    crate::compare(&path, &text, &is);
}

/// The comments of the file, and the table under them.
fn table(text: &str) -> Result<String, String> {
    let mut out: String =
        text.lines().take_while(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    for (state, before) in STATES {
        out += &format!("\n== {state}\n");
        for (event, priorities, sender, input) in EVENTS {
            for (row, when) in rows(before, priorities, sender, input)? {
                out += format!("{event:<22} {when:<12} {row}").trim_end();
                out += "\n";
            }
        }
    }
    Ok(out)
}

/// What follows, and for which versions and preempt.
fn rows(
    before: &[&str],
    priorities: &str,
    sender: &str,
    input: &str,
) -> Result<Vec<(String, String)>, String> {
    let mut outcomes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (label, config) in [
        ("v3 on", "version=3 preempt=on"),
        ("v3 off", "version=3 preempt=off"),
        ("v2 on", "version=2 preempt=on"),
        ("v2 off", "version=2 preempt=off"),
    ] {
        let given =
            format!("self=b routers=3 members=lan,wan interval=2s delay=2s priorities={priorities} {config}");
        outcomes.entry(play(&given, before, sender, input)?).or_default().push(label);
    }
    let name = |labels: &[&str]| match labels {
        [_, _, _, _] => "always".to_owned(),
        ["v3 on", "v2 on"] => "preempt on".to_owned(),
        ["v3 off", "v2 off"] => "preempt off".to_owned(),
        ["v3 on", "v3 off"] => "v3".to_owned(),
        ["v2 on", "v2 off"] => "v2".to_owned(),
        labels => labels.join(", "),
    };
    Ok(outcomes.iter().map(|(outcome, labels)| (outcome.clone(), name(labels))).rev().collect())
}

/// What the engine does at once, and which role it takes later if nothing else happens.
fn play(given: &str, before: &[&str], sender: &str, input: &str) -> Result<String, String> {
    let mut stage = Stage::default();
    stage.configure(given)?;
    for line in before {
        let (time, what) = line.split_once(' ').ok_or("no time")?;
        let seconds: f64 = time.parse().map_err(|_| "no time")?;
        stage.run_until((seconds * 1e6) as Micros)?;
        stage.input(&what.replace('@', sender))?;
    }
    stage.run_until(AT)?;
    stage.take_said();
    stage.input(input)?;
    stage.run_until(AT + LATER)?;
    let said = stage.take_said();
    let worth = |text: &str| !text.starts_with("notice:") && !text.starts_with("reply:");
    let (now, later): (Vec<_>, Vec<_>) =
        said.iter().filter(|said| worth(&said.text)).partition(|said| said.at <= AT + AT_ONCE);
    let now: Vec<&str> = now.into_iter().map(|said| said.text.as_str()).collect();
    let later = later.into_iter().find(|said| said.text.contains(" becomes "));
    let later = later.map(|said| format!(" … after {} {}", clock(said.at - AT), said.text));
    let now = if now.is_empty() { "-".to_owned() } else { now.join("; ") };
    Ok(now + &later.unwrap_or_default())
}

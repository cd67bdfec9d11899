//! `make bench`, third part: what a host on the LAN can do to the two programs.
//!
//! Two labs, one for each program, go through the same attacks at the same time; for each attack the routers are
//! started anew. The stranger sends several packets in each advert interval. Shown are the moves of the virtual
//! address (it should stay), the longest silence of the master, the time until the standby took over where the master
//! dies under the attack, and what the attack cost in log lines and processor time. Then what a standby takes for its
//! master's sign of life, and what a file does that can't be used. Nothing is asserted here; what
//! gwha must withstand is in `tests/e2e/hostile.rs`.
//!
//! `ONLY=flood` runs the attacks with that word in their names. The table goes to the standard output and to `bench-hostile.md` in cargo's target directory.

#[path = "../../tests/lab/mod.rs"]
mod lab;

#[path = "../common/report.rs"]
mod report;

mod attacks;
mod broken;
mod matrix;
mod run;

use std::env;
use std::fmt::Write as _;
use std::thread;

use lab::isolate;
use run::{Outcome, PROGRAMS};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [program] = arguments.as_slice() {
        isolate::enter();
        return run::all(program);
    }
    lab::tools::require(&["keepalived", "ip", "nft", "unshare"]);
    let outcomes: Vec<Vec<Outcome>> = thread::scope(|scope| {
        let runs = PROGRAMS.map(|program| scope.spawn(move || outcomes(program)));
        runs.into_iter().map(|run| run.join().expect("a run does not fail")).collect()
    });
    report::write("bench-hostile.md", &text(&outcomes));
}

fn outcomes(program: &str) -> Vec<Outcome> {
    let output = isolate::output(&[program]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program} failed:\n{text}");
    text.lines().filter_map(Outcome::from_line).collect()
}

/// A table for each kind of trial. Each cell has keepalived's figure and gwha's.
const TABLES: [(&str, &str); 3] = [
    (
        "attack",
        "the stranger sends | moves of the address | longest silence of the master, ms | takeover when it dies, ms | \
         log lines | CPU of both routers, ms",
    ),
    ("matrix", "instead of the master's messages the standby gets some | what it does"),
    (
        "broken",
        "SIGHUP to the master A with a file | its daemon | moves of the address | who has it 5 s later",
    ),
];

fn text(outcomes: &[Vec<Outcome>]) -> String {
    let mut text = format!("{}\n", report::machine());
    let [theirs, ours] = outcomes else { return text };
    for (table, head) in TABLES {
        let rule = "---|".repeat(head.split('|').count());
        let _ = write!(text, "\n| {head} |\n|{rule}\n");
        for theirs in theirs.iter().filter(|outcome| outcome.table == table) {
            let is_it = |ours: &&Outcome| ours.table == table && ours.attack == theirs.attack;
            let Some(ours) = ours.iter().find(is_it) else { continue };
            let _ = write!(text, "| {} ", theirs.attack);
            for (theirs, ours) in theirs.figures.iter().zip(&ours.figures) {
                let _ = write!(text, "| {theirs}, {ours} ");
            }
            text.push_str("|\n");
        }
    }
    text
}

//! `make bench`, second half: what gwha and keepalived cost, and how steady they are.
//!
//! Every case gets a lab for each program, and they run at the same time: what else the machine does hits all
//! alike. Router A is master, B stands by. Processor time is read in nanoseconds from `/proc/PID/schedstat`, that of
//! a script's children from `/proc/PID/stat`, memory from `smaps_rollup`, all over several windows; wake-ups are
//! voluntary context switches, system calls are counted by `strace` after the windows, as it slows what it watches.
//!
//! The figures at rest are of several labs, one after the other: where the kernel puts the processes decides much.
//!
//! `ONLY=jitter` runs one question. The tables go to the standard output and to `bench-cost.md` in cargo's target
//! directory.

#[path = "../../tests/lab/mod.rs"]
mod lab;

#[path = "../common/report.rs"]
mod report;

mod bare;
mod case;
mod hogs;
mod many;
mod meter;
mod program;
mod size;
mod table;

use std::env;
use std::thread;

use case::{Case, Sample};
use hogs::Hogs;
use lab::isolate;
use program::Program;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [word, role, interval] = arguments.as_slice()
        && word == bare::WORD
    {
        bare::run(role, interval);
    }
    if let [program, case] = arguments.as_slice() {
        isolate::enter();
        let program = Program::from_name(program).expect("a program's name");
        return Case::from_name(case).expect("the name of a case").run(program);
    }
    lab::tools::require(&["keepalived", "ip", "nft", "unshare", "strace"]);
    let only = env::var("ONLY").unwrap_or_default();
    let mut samples = size::samples();
    for case in Case::all().into_iter().filter(|case| case.question().name().contains(&only)) {
        eprintln!("{} ...", case.name());
        let _hogs = Hogs::start(case.hogs());
        for _ in 0..case.labs() {
            samples.extend(side_by_side(case));
        }
    }
    report::write("bench-cost.md", &table::render(&samples));
}

/// Runs one case with all its programs at the same time and reads what they report.
fn side_by_side(case: Case) -> Vec<Sample> {
    let run = |program: Program| {
        let output = isolate::output(&[program.name(), &case.name()]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{} with {} failed:\n{text}", case.name(), program.name());
        let found: Vec<Sample> = text.lines().filter_map(|line| Sample::from_line(program, line)).collect();
        found
    };
    thread::scope(|scope| {
        let runs: Vec<_> = case.programs().iter().map(|program| scope.spawn(move || run(*program))).collect();
        runs.into_iter().flat_map(|run| run.join().expect("a run does not fail")).collect()
    })
}

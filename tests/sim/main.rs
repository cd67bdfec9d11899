//! Routers in virtual time, with everything going wrong that can: see `README.md` here.
//!
//! `RUNS=20000 cargo test --release --test sim swarm` runs that many seeds; `SEED=7` runs that one,
//! and with `TRACE=1 … -- --nocapture` tells all of it.

mod apply;
mod checks;
mod contract;
mod directed;
mod fault;
mod net;
mod node;
mod sabotage;
mod speaker;
mod swarm;
mod trace;
mod truth;
mod world;

#[path = "../support/rng.rs"]
mod rng;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fault::Fault;
use trace::Trace;
use world::{Failure, Micros, Plan, World};

/// Seeds of a normal test run.
const RUNS: usize = 500;

/// Runs a plan with every property watching.
fn run(plan: &Plan) -> Result<Trace, Failure> {
    World::new(plan.clone(), checks::all()).run()
}

#[test]
fn swarm_of_seeds_keeps_every_property() {
    let seed: Option<u64> = variable("SEED");
    let runs = variable("RUNS").unwrap_or(if seed.is_some() { 1 } else { RUNS });
    let first = seed.unwrap_or(1);
    let (failed, entries) = run_all((first..).take(runs).collect());

    let simulated: Micros = (first..).take(runs).map(|seed| swarm::plan(seed).end).sum();
    println!("{runs} seeds from {first}, {entries} events in {} simulated hours", simulated / 3_600_000_000);
    report(&failed);
}

#[test]
fn seeds_that_once_failed_hold() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sim/seeds.txt"));
    let text = text.expect("the file is there");
    let seeds = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let seeds = seeds.map(|line| line.split(' ').next().and_then(|seed| seed.parse().ok()).expect("a seed"));
    let (failed, _) = run_all(seeds.collect());

    report(&failed);
}

#[test]
fn equal_seeds_make_equal_runs() {
    for seed in 1..=20 {
        let plan = swarm::plan(seed);
        let (once, again) = (run(&plan), run(&swarm::plan(seed)));
        let (once, again) = (once.map(|trace| trace.hash()), again.map(|trace| trace.hash()));
        assert_eq!(once.map_err(|failure| failure.why), again.map_err(|failure| failure.why), "seed {seed}");
    }
}

#[test]
fn different_seeds_make_different_runs() {
    let hashes: std::collections::BTreeSet<u64> =
        (1..=20).filter_map(|seed| run(&swarm::plan(seed)).ok()).map(|trace| trace.hash()).collect();

    assert_eq!(hashes.len(), 20);
}

/// Runs seeds on every core. What failed, in order, and how much happened.
fn run_all(seeds: Vec<u64>) -> (Vec<(u64, Failure)>, u64) {
    let next = AtomicUsize::new(0);
    let outcome = Mutex::new((Vec::new(), 0));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = run(&swarm::plan(*seed));
                    let mut outcome = outcome.lock().expect("no worker panics while it holds it");
                    match result {
                        Ok(trace) => outcome.1 += trace.len(),
                        Err(failure) => outcome.0.push((*seed, failure)),
                    }
                }
            });
        }
    });
    let (mut failed, entries) = outcome.into_inner().expect("all workers are done");
    failed.sort_by_key(|(seed, _)| *seed);
    (failed, entries)
}

/// Tells the first failure in full, and the others in a line each.
fn report(failed: &[(u64, Failure)]) {
    let Some((seed, failure)) = failed.first() else { return };
    let plan = shrink(&swarm::plan(*seed), failure.what);
    println!("{}", failure.tail);
    println!("seed {seed} at {}: {} {}", seconds(failure.at), failure.what, failure.why);
    println!("{}\n{:?} {:?} {:?}", plan.setup, plan.kinds, plan.quality, plan.pace);
    println!("the faults that it takes:");
    for (at, fault) in &plan.faults {
        println!("  {} {fault:?}", seconds(*at));
    }
    for (seed, failure) in failed {
        println!("seed {seed}: {} {}", failure.what, failure.why);
    }
    println!("rerun: SEED={seed} TRACE=1 cargo test --test sim swarm -- --nocapture");
    panic!("{} seeds failed, the first is {seed}: {} {}", failed.len(), failure.what, failure.why);
}

/// Leaves out every fault without which the same property still fails.
fn shrink(plan: &Plan, what: &str) -> Plan {
    let fails = |plan: &Plan| run(plan).is_err_and(|failure| failure.what == what);
    let mut small = plan.clone();
    // The boot and the mending at the end are no faults.
    let boot = plan.kinds.len() * (1 + plan.setup.members.len());
    let healed =
        plan.faults.iter().find(|(_, fault)| *fault == Fault::Healed).map_or(Micros::MAX, |(at, _)| *at);
    let droppable = |plan: &Plan| plan.faults.iter().filter(|(at, _)| at + 2_000_000 < healed).count();
    let mut chunk = droppable(plan);
    while chunk > 0 {
        let mut start = boot;
        while start < droppable(&small) {
            let mut candidate = small.clone();
            let end = (start + chunk).min(droppable(&small));
            candidate.faults.drain(start..end);
            if fails(&candidate) {
                small = candidate;
            } else {
                start = end;
            }
        }
        chunk /= 2;
    }
    small
}

fn seconds(at: Micros) -> String {
    format!("{}.{:06}", at / 1_000_000, at % 1_000_000)
}

fn variable<T: core::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

//! What every benchmark prints alike: the machine, percentiles, ratios.

#![allow(dead_code, reason = "each benchmark uses another part of it")]

use std::fs;
use std::process::Command;

use crate::lab::{target_dir, tools};

/// Prints the text and writes it to a file in cargo's target directory.
pub fn write(name: &str, text: &str) {
    print!("{text}");
    let path = target_dir().join(name);
    fs::write(&path, text).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
    eprintln!("written to {}", path.display());
}

/// The nearest-rank percentile.
pub fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// What the figures were measured on.
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let load = read("/proc/loadavg");
    let load: Vec<&str> = load.split(' ').take(3).collect();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let version = Command::new("keepalived").arg("--version").env("PATH", tools::path()).output();
    let version =
        version.map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).unwrap_or_default();
    let keepalived = version.split_whitespace().nth(1).unwrap_or("?").to_owned();
    format!(
        "keepalived {keepalived}, gwha {}; Linux {}, {cores} cores, load at the end {}.",
        env!("CARGO_PKG_VERSION"),
        read("/proc/sys/kernel/osrelease"),
        load.join(" ")
    )
}

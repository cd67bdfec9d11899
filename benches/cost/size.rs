//! What the programs take on disk.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::{gwha, tools};

use super::case::{Question, Sample};
use super::program::Program;

/// The two binaries, and each with the libraries that it needs beyond the C library, which every system has.
pub fn samples() -> Vec<Sample> {
    let sample = |program: Program, what: &'static str, bytes: u64| Sample {
        program,
        question: Question::Size,
        case: "on disk".to_owned(),
        what: what.to_owned(),
        value: bytes as f64 / 1024.0,
    };
    let mut samples = Vec::new();
    let keepalived = tools::find("keepalived").expect("keepalived is installed");
    for (program, file) in [(Program::Keepalived, keepalived), (Program::Gwha, gwha::binary())] {
        let libraries: u64 = libraries(&file).iter().map(|library| bytes(library)).sum();
        samples.push(sample(program, "binary, KiB", bytes(&file)));
        samples.push(sample(program, "binary and libraries, KiB", bytes(&file) + libraries));
    }
    samples
}

/// The libraries that `file` is linked with, directly or not, except those that come with the C library.
fn libraries(file: &Path) -> BTreeSet<PathBuf> {
    let output = Command::new("ldd").arg(file).output().expect("ldd can be started");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let paths = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    let is_base = |path: &&str| {
        ["libc.so", "libm.so", "libresolv.so", "libgcc_s.so", "ld-linux", "ld-musl"]
            .iter()
            .any(|base| path.contains(base))
    };
    paths.filter(|path| !is_base(path)).filter_map(|path| fs::canonicalize(path).ok()).collect()
}

fn bytes(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |metadata| metadata.len())
}

//! The rule book as cases: each `*.txt` beside this file holds scenarios that one can read like a
//! log. How to write one stands in `README.md` here.
//!
//! `UPDATE_EXPECT=1 cargo test --test conformance` rewrites the expectations; read the diff.

use std::path::{Path, PathBuf};

mod input;
mod letter;
mod matrix;
mod script;
mod stage;
mod words;

#[path = "../support/mod.rs"]
mod support;

use script::Script;

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        const FILES: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            fn $name() {
                play(stringify!($name).trim_start_matches("r#"));
            }
        )*
    };
}

scenarios! {
    answer, boot, channel, crash, doubt, operator, pair, preempt, refuse, reload, rfc, stop, three, told, tracks, words,
    r#yield,
}

/// Plays every case of a file and compares; with `UPDATE_EXPECT` set, rewrites it instead.
fn play(name: &str) {
    let path = folder().join(format!("{name}.txt"));
    let text = std::fs::read_to_string(&path).expect("the file is there");
    let script = Script::parse(&text).unwrap_or_else(|why| panic!("{name}.txt:{why}"));

    let played = script.play().unwrap_or_else(|why| panic!("{name}.txt:{why}"));

    compare(&path, &text, &played);
}

/// Fails with a line diff if `is` is not `should`.
fn compare(path: &Path, should: &str, is: &str) {
    if should == is {
        return;
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, is).expect("the file can be written");
        return;
    }
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    panic!("{file}: the engine does something else (- expected, + done)\n{}", script::diff(should, is));
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

#[test]
fn every_scenario_file_is_played() {
    let mut files: Vec<String> = std::fs::read_dir(folder())
        .expect("the folder is there")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".txt").map(str::to_owned))
        .filter(|name| !name.starts_with("matrix"))
        .collect();
    files.sort();
    let mut played: Vec<&str> = FILES.iter().map(|name| name.trim_start_matches("r#")).collect();
    played.sort_unstable();

    assert_eq!(files, played);
}

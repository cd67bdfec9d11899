//! Configurations: `tests/config/good` give what stands beside them, `tests/config/broken` are rejected
//! with every error at once. `UPDATE_EXPECT=1` rewrites the expectations.

mod expect;

use std::env;
use std::fmt::Write;
use std::fs;

use gwha::config::{self, Loaded};

#[test]
fn good_files_give_the_expected_configuration() {
    expect::each("tests/config/good", "uci", "expect", |file, bytes| match config::load(file, bytes) {
        Ok(loaded) => show(&loaded),
        Err(rejected) => format!("REJECTED\n{rejected}"),
    });
}

#[test]
fn broken_files_are_rejected_with_every_error() {
    expect::each("tests/config/broken", "uci", "errors", |file, bytes| match config::load(file, bytes) {
        Ok(_) => "ACCEPTED\n".into(),
        Err(rejected) => rejected.to_string(),
    });
}

/// The expectation files themselves: nothing good is rejected, nothing broken accepted, and nothing
/// rejected without a reason that names a line.
#[test]
fn the_expectations_say_what_they_should() {
    if env::var_os("UPDATE_EXPECT").is_some() {
        return; // They are being written.
    }
    for path in expect::files("tests/config/good", "expect") {
        assert!(!fs::read_to_string(&path).unwrap().starts_with("REJECTED"), "{}", path.display());
    }
    let broken = expect::files("tests/config/broken", "errors");
    assert!(broken.len() >= 45);
    for path in broken {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.lines().any(|line| line.starts_with("error: tests/config/broken/")),
            "{}",
            path.display()
        );
        assert!(!text.contains("not known; please report") && !text.contains("hunter"), "{}", path.display());
    }
}

fn show(loaded: &Loaded) -> String {
    let mut text = String::new();
    for warning in &loaded.warnings {
        writeln!(text, "warning: {warning}").unwrap();
    }
    writeln!(text, "{:#?}", loaded.config).unwrap();
    text
}

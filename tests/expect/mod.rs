//! Expectations kept in files: one beside each input, rewritten with `UPDATE_EXPECT=1`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Calls `produce` with the path (relative to the package) and bytes of every file in `directory` that ends in `.INPUT`,
/// and compares what it gives with the file of the same name that ends in `.EXPECTED`. All differences
/// are shown before it panics. An expectation without its input is a difference too.
pub fn each(directory: &str, input: &str, expected: &str, produce: impl Fn(&str, &[u8]) -> String) {
    let update = env::var_os("UPDATE_EXPECT").is_some();
    let inputs = files(directory, input);
    assert!(!inputs.is_empty(), "no .{input} files in {directory}");

    let mut failures = 0;
    for path in &inputs {
        let bytes = fs::read(path).expect("a file that was listed can be read");
        let actual = produce(&path.display().to_string(), &bytes);
        let beside = path.with_extension(expected);
        if update {
            fs::write(&beside, actual).expect("the expectation can be written");
            continue;
        }
        let wanted = fs::read_to_string(&beside).unwrap_or_default();
        if actual != wanted {
            failures += 1;
            println!("--- {}\n{wanted}+++ what it is\n{actual}", beside.display());
        }
    }
    for path in files(directory, expected) {
        if !path.with_extension(input).exists() {
            failures += 1;
            println!("{} has no .{input} file", path.display());
        }
    }
    assert!(failures == 0, "{failures} files differ; UPDATE_EXPECT=1 rewrites them");
}

/// The files of `directory` with this extension, sorted; relative to the package, where tests run.
pub fn files(directory: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(directory)).expect("the directory is there");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

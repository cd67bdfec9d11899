//! What is settled, over a restart: a line for each file.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use crate::limits;
use crate::sync::file::{Agreed, Hash, Meta, Settled};

use super::super::bounded;
use super::place;

/// What was remembered. What can't be read is nothing that is settled.
pub fn read(path: &Path) -> Settled {
    let mut settled = Settled::new();
    let text =
        bounded::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    for line in text.lines().take(limits::FILES) {
        let mut words = line.splitn(3, ' ');
        let (there, here) = (words.next().and_then(parse), words.next().and_then(parse));
        if let (Some(there), Some(here), Some(path)) = (there, here, words.next()) {
            settled.insert(path.to_owned(), Agreed { there, here });
        }
    }
    settled
}

/// Remembers it. Nothing is written if nothing is new.
///
/// # Errors
/// Those of the system calls.
pub fn write(path: &Path, settled: &Settled) -> io::Result<()> {
    let mut text = String::new();
    for (path, agreed) in settled.iter() {
        for hash in [&agreed.there, &agreed.here] {
            for byte in hash {
                let _ = write!(text, "{byte:02x}");
            }
            text.push(' ');
        }
        text.push_str(path);
        text.push('\n');
    }
    if bounded::read(path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    place::write_new(&fresh, text.as_bytes(), own())?;
    fs::rename(&fresh, path)
}

/// For us alone.
pub fn own() -> Meta {
    Meta { mode: 0o600, uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() }
}

fn parse(word: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    if word.len() != hash.len() * 2 {
        return None;
    }
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(word.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_remembered_is_known_again_and_a_torn_line_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/synced");
        let mut settled = Settled::new();
        settled.insert("/etc/a b".into(), Agreed { there: [1; 32], here: [0xf2; 32] });
        settled.insert("/etc/hosts".into(), Agreed { there: [3; 32], here: [3; 32] });
        assert_eq!(read(&path), Settled::new());
        write(&path, &settled).unwrap();
        assert_eq!(read(&path), settled);

        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[70..]).unwrap();
        settled.remove("/etc/a b");
        assert_eq!(read(&path), settled);
    }
}

//! What is settled, over a restart: two hashes and the path of each file.

use std::fs;
use std::io;
use std::path::Path;

use crate::disk;
use crate::sync::bytes::{Bytes, put_text};
use crate::sync::file::{Agreed, Meta, Settled};

use super::super::bounded;
use super::place;

/// What was remembered. What can't be read is nothing that is settled.
pub fn read(path: &Path) -> Settled {
    let mut settled = Settled::new();
    let content = bounded::read(path).unwrap_or_default();
    let mut bytes = Bytes(&content);
    while let Some((path, agreed)) = entry(&mut bytes) {
        settled.insert(path.to_owned(), agreed);
    }
    settled
}

fn entry<'a>(bytes: &mut Bytes<'a>) -> Option<(&'a str, Agreed)> {
    let agreed = Agreed { there: bytes.array()?, here: bytes.array()? };
    Some((bytes.text()?, agreed))
}

/// Remembers it. Nothing is written if nothing is new.
///
/// # Errors
/// Those of the system calls.
pub fn write(path: &Path, settled: &Settled) -> io::Result<()> {
    let mut content = Vec::new();
    for (path, agreed) in settled.iter() {
        content.extend(agreed.there);
        content.extend(agreed.here);
        put_text(path, &mut content);
    }
    if bounded::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    disk::make_above(path, 0o700)?;
    let fresh = disk::beside(path, ".new");
    let _ = fs::remove_file(&fresh);
    place::write_new(&fresh, &content, own())?;
    fs::rename(&fresh, path)
}

/// For us alone.
pub fn own() -> Meta {
    Meta { mode: 0o600, uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_remembered_is_known_again_and_a_torn_end_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/synced");
        let mut settled = Settled::new();
        settled.insert("/etc/a b".into(), Agreed { there: [1; 32], here: [0xf2; 32] });
        settled.insert("/etc/hosts".into(), Agreed { there: [3; 32], here: [3; 32] });
        assert_eq!(read(&path), Settled::new());
        write(&path, &settled).unwrap();
        assert_eq!(read(&path), settled);

        let content = fs::read(&path).unwrap();
        fs::write(&path, &content[..content.len() - 1]).unwrap();
        settled.remove("/etc/hosts");
        assert_eq!(read(&path), settled);
    }
}

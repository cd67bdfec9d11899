//! Files of a bounded size, and their errors in words.

use std::io;
use std::path::Path;

use crate::disk::OFlag;
pub use crate::disk::plain;
use crate::{disk, limits};

/// Reads a configuration file.
///
/// # Errors
/// That of the system call; `FileTooLarge` beyond [`limits::CONFIG_BYTES`]; `Other` for anything
/// that is not a plain file, for a pipe would never end.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for a writer.
    let file = disk::open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
    if !file.metadata()?.is_file() {
        return Err(disk::failure("not a regular file"));
    }
    disk::read(&file, limits::CONFIG_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipe_directory_and_endless_file_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let big = dir.path().join("big");
        std::fs::File::create(&big).unwrap().set_len(limits::CONFIG_BYTES as u64 + 1).unwrap();

        assert!(read(&pipe).is_err());
        assert!(read(dir.path()).is_err());
        assert!(read(Path::new("/dev/zero")).is_err());
        assert!(read(&big).is_err());
    }
}

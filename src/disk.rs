//! Files and directories: opened, made, read up to a limit, put in place whole; paths, and errors in words.

use core::ffi::CStr;
use core::fmt;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use nix::NixPath as _;
use nix::errno::Errno;
pub use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::mkdir;

/// Opens a file that is there. What the standard library does for it brings along errors in words, as [`failure`] says.
///
/// # Errors
/// Those of `open`.
pub fn open(path: &Path, flags: OFlag) -> io::Result<File> {
    create(path, flags, 0)
}

/// Opens a file, which gets this mode if the flags say that it is made.
///
/// # Errors
/// Those of `open`.
pub fn create(path: &Path, flags: OFlag, mode: u32) -> io::Result<File> {
    let file = nix::fcntl::open(path, flags | OFlag::O_CLOEXEC, Mode::from_bits_retain(mode))?;
    Ok(file.into())
}

/// Makes a directory, and those above it, where they are missing.
///
/// # Errors
/// Those of `mkdir`.
pub fn make_dirs(path: &Path, mode: u32) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    make_above(path, mode)?;
    match make_dir(path, mode) {
        // Either somebody else was faster, or something else has the name.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match path.is_dir() {
            true => Ok(()),
            false => Err(Errno::ENOTDIR.into()),
        },
        made => made,
    }
}

/// Makes a directory.
///
/// # Errors
/// Those of `mkdir`.
pub fn make_dir(path: &Path, mode: u32) -> io::Result<()> {
    Ok(mkdir(path, Mode::from_bits_retain(mode))?)
}

/// Makes the directory of a file, and those above it, where they are missing.
///
/// # Errors
/// Those of `mkdir`.
pub fn make_above(path: &Path, mode: u32) -> io::Result<()> {
    make_dirs(split(path).0, mode)
}

/// For a new file, which must not be there yet.
pub const NEW: OFlag = OFlag::O_WRONLY.union(OFlag::O_CREAT).union(OFlag::O_EXCL);
/// For a file that is written from its beginning, there or not.
pub const AFRESH: OFlag = OFlag::O_WRONLY.union(OFlag::O_CREAT).union(OFlag::O_TRUNC);
/// For a file that is kept, there or not.
pub const KEPT: OFlag = OFlag::O_RDWR.union(OFlag::O_CREAT);

/// What is left of a file.
///
/// # Errors
/// That of `read`; `FileTooLarge` beyond `max` bytes.
pub fn read(file: &File, max: usize) -> io::Result<Vec<u8>> {
    let bytes = beginning(file, max.saturating_add(1))?;
    if bytes.len() > max { Err(ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// What is left of a file, up to so many bytes.
///
/// # Errors
/// That of `read`.
pub fn beginning(mut file: &File, max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() < max {
        let start = bytes.len();
        bytes.resize(start.saturating_add(READ_BYTES).min(max), 0);
        let read = file.read(bytes.get_mut(start..).unwrap_or_default());
        bytes.truncate(start.saturating_add(*read.as_ref().unwrap_or(&0)));
        match read {
            Ok(0) => break,
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(bytes)
}

/// A whole file.
///
/// # Errors
/// Those of the system calls; `FileTooLarge` beyond `max` bytes.
pub fn load(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    read(&open(path, OFlag::O_RDONLY)?, max)
}

/// The text of a small file; what is not UTF-8 is replaced.
///
/// # Errors
/// As of [`load`].
pub fn text(path: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&load(path, SMALL)?).into_owned())
}

/// Puts a file in place of another, whole or not at all, and leaves it open for what is to be added.
///
/// # Errors
/// Those of the system calls.
pub fn replace(path: &Path, mode: u32, content: &[u8]) -> io::Result<File> {
    let fresh = beside(path, ".new");
    let mut file = create(&fresh, AFRESH, mode)?;
    file.write_all(content)?;
    fs::rename(&fresh, path)?;
    Ok(file)
}

/// How [`move_to`] deals with what is at the new name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// It gets the old name.
    Exchange = libc::RENAME_EXCHANGE as isize,
    /// It is in the way.
    IfFree = libc::RENAME_NOREPLACE as isize,
}

/// Gives a file another name, in one step.
///
/// # Errors
/// Those of `renameat2`: `NotFound`, `AlreadyExists`; `InvalidInput` where the file system can't do it.
pub fn move_to(from: &Path, to: &Path, how: Move) -> io::Result<()> {
    let moved = from.with_nix_path(|from| to.with_nix_path(|to| rename_at(from, to, how as u32)))??;
    Errno::result(moved).map(drop).map_err(Into::into)
}

/// The system call: the C library of OpenWrt has no function for it.
#[allow(unsafe_code)]
fn rename_at(from: &CStr, to: &CStr, flags: u32) -> libc::c_long {
    let here = libc::AT_FDCWD;
    // SAFETY: the kernel reads the two texts, which end with NUL and outlive the call.
    unsafe { libc::syscall(libc::SYS_renameat2, here, from.as_ptr(), here, to.as_ptr(), flags) }
}

/// What others may do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// They have it open.
    Any = libc::F_WRLCK as isize,
    /// They have it open to write to it.
    Writing = libc::F_RDLCK as isize,
}

/// Whether somebody else uses a file, which is open here to be read. `false` where the file system can't tell. (The kernel lends
/// a file only while nobody uses it so. Whoever then wants to waits until it is closed here.)
#[allow(unsafe_code)]
pub fn is_used(file: &File, by: Use) -> bool {
    // SAFETY: plain system calls on a descriptor that is open. Whoever opens the file meanwhile makes the kernel send
    // the signal, and SIGURG does nothing.
    let lent = unsafe {
        libc::fcntl(file.as_raw_fd(), F_SETSIG, libc::SIGURG);
        libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, by as libc::c_int)
    };
    Errno::result(lent) == Err(Errno::EAGAIN)
}

/// The same number on all of Linux.
const F_SETSIG: libc::c_int = 10;

/// Whether two paths are the same letter by letter, but for slashes at the end. The standard library compares them by
/// their parts, in a kilobyte.
pub fn is_same(one: &Path, other: &Path) -> bool {
    trimmed(one) == trimmed(other)
}

fn trimmed(path: &Path) -> &[u8] {
    let mut bytes = path.as_os_str().as_bytes();
    while let Some(shorter) = bytes.strip_suffix(b"/") {
        bytes = shorter;
    }
    bytes
}

/// A path's directory, and its name in there, as they are written. A name alone is in no directory.
pub fn split(path: &Path) -> (&Path, &OsStr) {
    let bytes = path.as_os_str().as_bytes();
    let name = bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash.saturating_add(1));
    let (dir, name) = bytes.split_at_checked(name).unwrap_or((bytes, &[]));
    // Without the slash, unless it is the root.
    let dir = if dir.len() > 1 { dir.strip_suffix(b"/").unwrap_or(dir) } else { dir };
    (Path::new(OsStr::from_bytes(dir)), OsStr::from_bytes(name))
}

/// Another name in a path's directory.
pub fn sibling(path: &Path, name: &str) -> PathBuf {
    split(path).0.join(name)
}

/// A path with something behind it.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The names in a directory, in any order; those that are no text are left out.
///
/// # Errors
/// Those of `readdir`.
pub fn names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

/// An error in words alone: "No such file or directory", without the number.
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let number = error.raw_os_error().map(|number| format!(" (os error {number})"));
    number.and_then(|number| text.strip_suffix(&number).map(str::to_owned)).unwrap_or(text)
}

/// An error that is only words. Those that the standard library makes of words bring along what shows text to
/// programmers, with its tables of all characters.
pub fn failure(words: impl Into<String>) -> io::Error {
    io::Error::other(Failure(words.into()))
}

#[derive(Debug)]
struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Failure {}

const READ_BYTES: usize = 16 << 10;
/// What no small file exceeds.
pub const SMALL: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_read_to_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let content: Vec<u8> = (0..50_000_u32).map(|number| number as u8).collect();
        fs::write(&path, &content).unwrap();
        let open = || File::open(&path).unwrap();

        assert_eq!(read(&open(), 50_000).unwrap(), content);
        assert_eq!(read(&open(), 49_999).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert_eq!(beginning(&open(), 20_000).unwrap(), content[..20_000]);
        assert!(beginning(&open(), 0).unwrap().is_empty());
        assert!(read(&File::open(dir.path()).unwrap(), 1).is_err());
    }

    #[test]
    fn replaced_file_goes_on_being_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "old").unwrap();

        let mut file = replace(&path, 0o600, b"new").unwrap();
        file.write_all(b", and more").unwrap();

        assert_eq!(text(&path).unwrap(), "new, and more");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(replace(&dir.path().join("missing/file"), 0o600, b"").is_err());
    }

    #[test]
    fn missing_directories_are_made_down_to_the_last() {
        let dir = tempfile::tempdir().unwrap();
        let last = dir.path().join("a/b/c");

        make_above(&last.join("file"), 0o700).unwrap();
        assert!(last.is_dir());
        make_dirs(&last, 0o700).unwrap();
        make_above(Path::new("file"), 0o700).unwrap();

        fs::write(last.join("file"), "").unwrap();
        assert_eq!(plain(&make_dirs(&last.join("file"), 0o700).unwrap_err()), "Not a directory");
        assert!(make_dirs(&last.join("file/d"), 0o700).is_err());
    }

    #[test]
    fn path_has_a_directory_and_a_name() {
        for (path, dir, name) in [
            ("/etc/config/gwha", "/etc/config", "gwha"),
            ("/gwha", "/", "gwha"),
            ("gwha", "", "gwha"),
            ("/", "/", ""),
            ("", "", ""),
        ] {
            assert_eq!(split(Path::new(path)), (Path::new(dir), OsStr::new(name)), "{path}");
        }
        assert_eq!(sibling(Path::new("/etc/config/gwha"), "dhcp"), Path::new("/etc/config/dhcp"));
        assert_eq!(sibling(Path::new("gwha"), "dhcp"), Path::new("dhcp"));
        assert_eq!(beside(Path::new("/run/gwha/owned"), ".new"), Path::new("/run/gwha/owned.new"));
        assert!(is_same(Path::new("/var/run/gwha//"), Path::new("/var/run/gwha")));
        assert!(!is_same(Path::new("/var/run/gwha/2"), Path::new("/var/run/gwha")));
    }

    #[test]
    fn error_has_no_number() {
        let missing = File::open("/missing").unwrap_err();
        assert_eq!(plain(&missing), "No such file or directory");
        assert_eq!(plain(&failure("why (so)")), "why (so)");
    }
}

//! The run-time directory: one daemon's place for its control socket and what it remembers until the next boot.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::bounded::plain;
use super::run::Error;
use crate::disk;

/// Where the directory is unless `--run-dir` says otherwise. On OpenWrt `/var` is in memory.
pub const DEFAULT: &str = "/var/run/gwha";

/// Where the maintenance flag is kept over a reboot, if the run-time directory is the usual one.
const STATE_DIR: &str = "/etc/gwha";

/// A run-time directory that this process has to itself.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    boot: Option<String>,
    // Held, not read: the kernel frees the lock when the process is gone, however it went.
    _lock: Flock<File>,
}

impl RunDir {
    /// Makes the directory if needed, and locks it until this process ends.
    ///
    /// # Errors
    /// If it can't be made or written, or another daemon has it.
    pub fn open(path: &Path) -> Result<RunDir, Error> {
        disk::make_dirs(path, 0o755).map_err(|error| Error::new(&path.to_string_lossy(), &plain(&error)))?;
        let lock = lock(&path.join("lock"))?;
        Ok(RunDir { path: path.to_owned(), boot: boot_id(), _lock: lock })
    }

    /// The file of that name in the directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// What tells this boot of the machine from every other; times are comparable only within one.
    pub fn boot(&self) -> Option<&str> {
        self.boot.as_deref()
    }

    /// The maintenance flag: there or not. It outlives a reboot, so its usual place is on flash, outside of
    /// everything that is synced. A daemon with a run-time directory of its own (a test, a second
    /// instance) keeps it there, or two of them would share one flag.
    pub fn maintenance_flag(&self) -> PathBuf {
        self.state_dir().join("maintenance")
    }

    /// Where what outlives a reboot is kept: on flash, if the run-time directory is the usual one.
    pub fn state_dir(&self) -> &Path {
        if disk::is_same(&self.path, Path::new(DEFAULT)) { Path::new(STATE_DIR) } else { &self.path }
    }
}

/// The control socket of the daemon that uses this run-time directory.
pub fn control_socket(run_dir: &Path) -> PathBuf {
    run_dir.join("control.sock")
}

fn lock(path: &Path) -> Result<Flock<File>, Error> {
    let unusable = |error| Error::new(&path.to_string_lossy(), &plain(&error));
    // Not truncated: until it is ours, the text belongs to the owner.
    let file = disk::create(path, disk::KEPT, 0o644).map_err(unusable)?;
    let mut lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(file, errno)| {
        if errno == Errno::EWOULDBLOCK { in_use(path, &owner(&file)) } else { unusable(errno.into()) }
    })?;
    lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id())).map_err(unusable)?;
    Ok(lock)
}

fn in_use(lock: &Path, by: &str) -> Error {
    let why =
        format!("used by a running gwha (process {by}): stop that one, or give this one another --run-dir");
    Error::new(&lock.to_string_lossy(), &why)
}

fn owner(file: &File) -> String {
    let bytes = disk::beginning(file, 20).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text } else { "unknown".to_owned() }
}

fn boot_id() -> Option<String> {
    let text = disk::text(Path::new("/proc/sys/kernel/random/boot_id")).ok()?;
    let id = text.trim_ascii();
    (!id.is_empty()).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_daemon_is_refused_with_the_first_ones_pid() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/run");
        let _first = RunDir::open(&path).unwrap();

        let second = RunDir::open(&path).unwrap_err().to_string();

        assert!(second.contains(&format!("(process {})", std::process::id())), "{second}");
        assert!(second.contains("--run-dir"), "{second}");
    }

    #[test]
    fn lock_of_a_dead_daemon_is_free() {
        let dir = tempfile::tempdir().unwrap();
        drop(RunDir::open(dir.path()).unwrap());

        assert!(RunDir::open(dir.path()).is_ok());
    }

    #[test]
    fn own_run_dir_keeps_its_own_maintenance_flag() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::open(dir.path()).unwrap();

        assert_eq!(run_dir.maintenance_flag(), dir.path().join("maintenance"));
    }
}

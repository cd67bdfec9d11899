//! `gwha pair --background`: the waiting goes on without a terminal, and `--show` says how it stands. For pages.
//!
//! What would be on the terminal is in a file of the run-time directory, behind two lines of its own: until when the
//! code is good, and the line. Whoever waits has the file locked.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{daemon, dup2_stderr, dup2_stdin, dup2_stdout};

use crate::daemon::clock;
use crate::disk::{self, OFlag};
use crate::engine::Instant;
use crate::ubus::Table;

/// A file that is this process's as long as it waits.
pub struct Paper(Flock<File>);

/// Takes the file; `None` if another process waits already.
///
/// # Errors
/// Those of the file system.
pub fn take(run_dir: &Path) -> io::Result<Option<Paper>> {
    disk::make_dirs(run_dir, 0o755)?;
    let file = disk::create(&path(run_dir), disk::KEPT, 0o600)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(Paper(lock))),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno.into()),
    }
}

impl Paper {
    /// Begins anew with this line, which is good until then.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn begin(&mut self, line: &str, until: Instant) -> io::Result<()> {
        self.0.set_len(0)?;
        let seconds = until.as_micros().checked_div(1_000_000).unwrap_or(0);
        self.0.write_all(format!("{seconds}\n{line}\n").as_bytes())
    }

    /// Leaves the terminal: from now on everything that is printed is in the file. There must be no other thread.
    ///
    /// # Errors
    /// Those of the system calls.
    pub fn detach(&self) -> io::Result<()> {
        daemon(false, true)?;
        dup2_stdin(disk::open(Path::new("/dev/null"), OFlag::O_RDONLY)?)?;
        dup2_stdout(&*self.0)?;
        dup2_stderr(&*self.0)?;
        Ok(())
    }
}

/// How it stands: `waiting`, and if there ever was one the `line`, the seconds `left`, and the `text` behind it.
pub fn state(run_dir: &Path) -> Table {
    let mut text = String::new();
    let is_waiting = disk::open(&path(run_dir), OFlag::O_RDONLY).is_ok_and(|file| {
        text = String::from_utf8_lossy(&disk::beginning(&file, TEXT_BYTES).unwrap_or_default()).into_owned();
        Flock::lock(file, FlockArg::LockSharedNonblock).is_err()
    });
    let table = Table::default().with("waiting", is_waiting);
    let mut lines = text.splitn(3, '\n');
    let (Some(until), Some(line)) = (lines.next().and_then(|it| it.parse::<u64>().ok()), lines.next()) else {
        return table;
    };
    let until = Instant::from_micros(until.saturating_mul(1_000_000));
    let left = if is_waiting { until.since(clock::now()).as_secs() } else { 0 };
    let left = i64::try_from(left).unwrap_or(i64::MAX);
    table.with("line", line).with("left", left).with("text", lines.next().unwrap_or_default())
}

fn path(run_dir: &Path) -> PathBuf {
    run_dir.join("pair")
}

/// Bytes of the text that are shown: a configuration and what was found in it.
const TEXT_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn said(run_dir: &Path) -> String {
        crate::ubus::Value::Table(state(run_dir)).to_string()
    }

    #[test]
    fn one_process_waits_and_everybody_can_see_it() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = dir.path().join("run");
        assert_eq!(said(&run_dir), r#"{"waiting":false}"#);

        let mut paper = take(&run_dir).unwrap().unwrap();
        assert!(take(&run_dir).unwrap().is_none());
        paper.begin("gwha pair ...", clock::now().after(Duration::from_millis(61_500))).unwrap();
        paper.0.write_all(b"some\nwords\n").unwrap();
        let waiting = said(&run_dir);
        assert!(waiting.starts_with(r#"{"waiting":true,"line":"gwha pair ...","left":6"#), "{waiting}");
        assert!(waiting.ends_with(r#","text":"some\nwords\n"}"#), "{waiting}");

        drop(paper);
        assert!(said(&run_dir).starts_with(r#"{"waiting":false,"line":"gwha pair ...","left":0,"#));
        assert!(take(&run_dir).unwrap().is_some());
    }
}

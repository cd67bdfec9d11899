//! Daemons that the lab has started, controlled by process id.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wait::until;

/// A running daemon and all processes it has started. Dropping it kills them.
pub struct Daemon {
    child: Child,
    /// Everything the daemon has printed.
    pub log: PathBuf,
}

impl Daemon {
    /// Starts `command` with its output going to the end of `log`.
    pub fn start(mut command: Command, log: &Path) -> Daemon {
        let file = File::options().create(true).append(true).open(log);
        let file = file.unwrap_or_else(|e| panic!("cannot write {}: {e}", log.display()));
        let errors = file.try_clone().expect("a file can be shared");
        let child = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn();
        let child = child.unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        Daemon { child, log: log.to_path_buf() }
    }

    /// The process id inside the lab.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process id is positive"))
    }

    /// Asks the daemon to stop, and waits until it has.
    pub fn terminate(&mut self, limit: Duration) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait(limit)
    }

    /// Waits for the daemon's end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let mut ended = None;
        until("the daemon has ended", limit, || {
            ended = self.child.try_wait().expect("a child can be waited for");
            ended.is_some()
        });
        ended.expect("the wait ends with a status")
    }

    /// Kills the daemon and its children at one stroke, as a crash or a power loss does.
    pub fn kill(&mut self) {
        self.signal_all(Signal::SIGKILL);
        let _ = self.child.wait();
    }

    /// Kills the daemon alone, as a crash or `kill -9` does: what it has started lives on.
    pub fn crash(&mut self) {
        self.signal(Signal::SIGKILL);
        let _ = self.child.wait();
    }

    /// Stops the daemon and its children in the middle of what they do.
    pub fn freeze(&self) {
        self.signal_all(Signal::SIGSTOP);
    }

    /// Lets a frozen daemon go on.
    pub fn thaw(&self) {
        self.signal_all(Signal::SIGCONT);
    }

    /// Sends a signal to the daemon's main process.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("a running daemon can be signalled");
    }

    /// Whether the main process still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What the daemon has printed so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The parent goes first, so that it starts no child anew.
    fn signal_all(&self, signal: Signal) {
        for pid in family(self.pid()) {
            let _ = kill(pid, signal);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.is_running() {
            self.kill();
        }
    }
}

/// `parent` and all its descendants, parents first.
pub fn family(parent: Pid) -> Vec<Pid> {
    let parents: Vec<(Pid, Pid)> = fs::read_dir("/proc")
        .expect("the process table can be read")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((Pid::from_raw(pid), parent_of(pid)?)))
        .collect();
    let mut family = vec![parent];
    let mut next = 0;
    while let Some(&pid) = family.get(next) {
        family.extend(parents.iter().filter(|(_, parent)| *parent == pid).map(|(child, _)| *child));
        next += 1;
    }
    family
}

/// The parent's id stands after the name in parentheses and the state (`proc(5)`).
fn parent_of(pid: i32) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok().map(Pid::from_raw)
}

//! The message buses to test with.

use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::broker::Broker;

/// Which program plays ubusd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Broker,
    Ubusd,
}

/// A running message bus in a directory of its own.
pub struct Daemon {
    kind: Kind,
    directory: TempDir,
    running: Option<Running>,
}

enum Running {
    Broker { _broker: Broker },
    Ubusd(Child),
}

/// The kinds that can be started here: ubusd if it is installed, and always the broker.
pub fn kinds() -> Vec<Kind> {
    if installed("ubusd") {
        return vec![Kind::Ubusd, Kind::Broker];
    }
    eprintln!("ubusd is not installed: tested with the broker alone");
    vec![Kind::Broker]
}

/// The program to run for a name: what the variable of that name in capitals says, or what is on the path.
pub fn program(name: &str) -> OsString {
    std::env::var_os(name.to_uppercase()).unwrap_or_else(|| name.into())
}

/// Whether a program is there.
pub fn installed(name: &str) -> bool {
    let program = program(name);
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(&program).is_file())
}

impl Daemon {
    pub fn start(kind: Kind) -> Daemon {
        let directory = tempfile::tempdir().unwrap();
        let mut daemon = Daemon { kind, directory, running: None };
        daemon.restart();
        daemon
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("ubus.sock")
    }

    /// Starts it (again), and waits until it accepts connections.
    pub fn restart(&mut self) {
        self.kill();
        let socket = self.socket();
        self.running = Some(match self.kind {
            Kind::Broker => Running::Broker { _broker: Broker::start(&socket) },
            Kind::Ubusd => Running::Ubusd(spawn_ubusd(&socket, self.directory.path())),
        });
        let start = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "{:?} does not start", self.kind);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends it without notice.
    pub fn kill(&mut self) {
        if let Some(Running::Ubusd(mut child)) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Whether it is a process of its own.
    pub fn is_process(&self) -> bool {
        matches!(self.running, Some(Running::Ubusd(_)))
    }

    /// Stops or continues it, if it is a process of its own.
    pub fn signal(&self, signal: Signal) {
        if let Some(Running::Ubusd(child)) = &self.running {
            kill(Pid::from_raw(child.id() as i32), signal).unwrap();
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn_ubusd(socket: &Path, acl: &Path) -> Child {
    let mut command = Command::new(program("ubusd"));
    command.arg("-s").arg(socket).arg("-A").arg(acl);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

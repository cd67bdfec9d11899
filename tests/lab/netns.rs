//! Network namespaces: running programs and opening sockets inside one.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

use nix::sched::{CloneFlags, setns};

use super::tools;

/// A named network namespace of this lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Netns(pub &'static str);

impl Netns {
    /// Creates the namespace, with the loopback up.
    pub fn create(self) {
        ip(&["netns", "add", self.0]);
        ip(&["-n", self.0, "link", "set", "lo", "up"]);
    }

    /// Runs `work` on a thread inside the namespace. Sockets opened there stay in it.
    pub fn enter<T: Send>(self, work: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.0);
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                let namespace = File::open(&path).unwrap_or_else(|e| panic!("cannot open {path}: {e}"));
                setns(namespace, CloneFlags::CLONE_NEWNET).expect("the namespace can be entered");
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// A command that will run inside the namespace. The process keeps its id: `ip` replaces itself.
    pub fn command(self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", self.0, program]).env("PATH", tools::path()).stdin(Stdio::null());
        command
    }

    /// Runs `ip` commands, one a line, inside the namespace.
    pub fn ip_batch(self, lines: &str) {
        feed(Command::new("ip").args(["-n", self.0, "-batch", "-"]), lines);
    }

    /// Sets kernel parameters below `/proc/sys/net`, given as (path, value).
    pub fn sysctl(self, settings: &[(&str, &str)]) {
        self.enter(|| {
            for (path, value) in settings {
                let file = format!("/proc/sys/net/{path}");
                fs::write(&file, value).unwrap_or_else(|e| panic!("{}: cannot write {file}: {e}", self.0));
            }
        });
    }
}

/// Runs `ip` in the switch's namespace and fails with its message.
pub fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("ip can be started");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {} failed: {message}", arguments.join(" "));
}

/// Runs `ip` commands, one a line, in the switch's namespace.
pub fn ip_batch(lines: &str) {
    feed(Command::new("ip").args(["-batch", "-"]), lines);
}

/// Loads an nftables script in the switch's namespace; all of it takes effect at once, or nothing.
pub fn nft(script: &str) {
    feed(Command::new("nft").args(["-f", "-"]), script);
}

/// Runs a command with `input` on its standard input and fails with its message.
fn feed(command: &mut Command, input: &str) {
    let mut child = command
        .env("PATH", tools::path())
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
    let mut stdin = child.stdin.take().expect("the standard input is a pipe");
    stdin.write_all(input.as_bytes()).expect("the command reads its input");
    drop(stdin);
    let output = child.wait_with_output().expect("the command can be waited for");
    if !output.status.success() {
        let mut report = String::from_utf8_lossy(&output.stderr).into_owned();
        let _ = write!(report, "--- the input was:\n{input}");
        panic!("{command:?} failed: {report}");
    }
}

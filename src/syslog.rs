//! Log lines to syslog without ever waiting.
//!
//! A log socket that nobody reads fills after some ten messages, and a blocking write to it would then stop
//! the adverts of a master: a log line must never cause a failover. So a message that can't be
//! delivered at once is dropped and counted, and the count is told when there is room again.

use core::fmt::Write as _;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::io::{self, IsTerminal as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{SockFlag, SockType};
use nix::time::{ClockId, clock_gettime};

use crate::{limits, local, stdio};

/// Whether lines go to standard error too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stderr {
    /// Only if that is a terminal.
    IfTerminal,
    /// Always: `--stderr`.
    Always,
}

/// Makes this the program's logger.
///
/// To be called once; a second call changes nothing.
pub fn install(stderr: Stderr) {
    let copy = match stderr {
        Stderr::Always => true,
        Stderr::IfTerminal => stdio::ERROR.is_terminal(),
    };
    let logger = Syslog::new(Path::new("/dev/log"), if copy { Copy::Stderr } else { Copy::Nowhere });
    // Leaked: a logger lives as long as the program.
    if log::set_logger(Box::leak(Box::new(logger))).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

/// Messages that the log daemon has not taken, as long as it has not been told of them. For the status.
///
/// 0 where there is no log daemon: then nobody expects any.
pub fn untold() -> u32 {
    UNTOLD.load(Ordering::Relaxed)
}

static UNTOLD: AtomicU32 = AtomicU32::new(0);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copy {
    Stderr,
    Nowhere,
}

/// The logger.
#[derive(Debug)]
struct Syslog {
    copy: Copy,
    // There is one thread that matters; the lock is never held while waiting for anything.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    /// When, since the boot.
    tried: Option<Duration>,
    untold: u32,
    line: String,
}

impl Syslog {
    fn new(path: &Path, copy: Copy) -> Syslog {
        let state = State {
            path: path.to_owned(),
            socket: None,
            tried: None,
            untold: 0,
            line: String::with_capacity(limits::LOG_LINE_BYTES),
        };
        Syslog { copy, state: Mutex::new(state) }
    }
}

impl Log for Syslog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.send(record);
        if self.copy == Copy::Stderr {
            state.copy_to_stderr(record);
        }
    }

    fn flush(&self) {}
}

impl State {
    fn send(&mut self, record: &Record<'_>) {
        if self.untold > 0 {
            let untold = self.untold;
            self.format(Level::Warn, format_args!("{untold} log messages lost"));
            if !self.deliver() {
                return self.count_loss();
            }
            self.untold = 0;
            self.publish();
        }
        self.format(record.level(), *record.args());
        if !self.deliver() {
            self.count_loss();
        }
    }

    fn count_loss(&mut self) {
        self.untold = self.untold.saturating_add(1);
        self.publish();
    }

    fn publish(&self) {
        let is_missing = self.socket.is_none() && !self.path.exists();
        UNTOLD.store(if is_missing { 0 } else { self.untold }, Ordering::Relaxed);
    }

    /// Puts one message into `line`, as syslog daemons read it from /dev/log (RFC 3164 §4.1.1 without the
    /// time, which they add).
    fn format(&mut self, level: Level, text: core::fmt::Arguments<'_>) {
        self.line.clear();
        let priority = FACILITY_DAEMON << 3 | severity(level);
        // Writing to a string can't fail.
        let _ = write!(Clean(&mut self.line), "<{priority}>gwha[{}]: {text}", std::process::id());
    }

    /// Whether the message in `line` was taken.
    fn deliver(&mut self) -> bool {
        if self.try_deliver() {
            return true;
        }
        // The log daemon may have been restarted: its old socket is dead, a new one stands at the path.
        self.reconnect() && self.try_deliver()
    }

    fn try_deliver(&mut self) -> bool {
        let Some(socket) = &self.socket else { return false };
        match socket.send(self.line.as_bytes()) {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(_) => {
                self.socket = None;
                false
            }
        }
    }

    fn reconnect(&mut self) -> bool {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from);
        let is_too_early = self.tried.is_some_and(|tried| now.saturating_sub(tried) < limits::LOG_RETRY);
        if self.socket.is_some() || is_too_early {
            return false;
        }
        self.tried = Some(now);
        self.socket =
            local::connect(&self.path, SockType::Datagram, SockFlag::SOCK_NONBLOCK).ok().map(Into::into);
        self.socket.is_some()
    }

    fn copy_to_stderr(&mut self, record: &Record<'_>) {
        self.line.clear();
        let _ = write!(Clean(&mut self.line), "gwha: {}: {}", name(record.level()), record.args());
        self.line.push('\n');
        // A pipe that is ready takes 4096 bytes at once; one that is not would make us wait.
        let mut ready = [PollFd::new(stdio::ERROR, PollFlags::POLLOUT)];
        if poll(&mut ready, PollTimeout::ZERO).is_ok_and(|count| count > 0) {
            let _ = stdio::print(stdio::ERROR, &self.line);
        }
    }
}

/// A line: one event, no control characters (some texts come from outside), not longer than the limit.
struct Clean<'a>(&'a mut String);

impl core::fmt::Write for Clean<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for character in text.chars() {
            if self.0.len().saturating_add(character.len_utf8()) >= limits::LOG_LINE_BYTES {
                break;
            }
            self.0.push(if character.is_control() { ' ' } else { character });
        }
        Ok(())
    }
}

/// LOG_DAEMON.
const FACILITY_DAEMON: u8 = 3;

/// RFC 3164 §4.1.1. Lines at info level tell of role changes, and are notices to syslog.
const fn severity(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 5,
        Level::Debug | Level::Trace => 7,
    }
}

const fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug | Level::Trace => "debug",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    struct Reader {
        dir: tempfile::TempDir,
        socket: Option<UnixDatagram>,
    }

    impl Reader {
        fn new() -> Reader {
            let mut reader = Reader { dir: tempfile::tempdir().unwrap(), socket: None };
            reader.restart();
            reader
        }

        fn path(&self) -> PathBuf {
            self.dir.path().join("log")
        }

        fn restart(&mut self) {
            self.socket = None;
            let _ = std::fs::remove_file(self.path());
            let socket = UnixDatagram::bind(self.path()).unwrap();
            socket.set_nonblocking(true).unwrap();
            self.socket = Some(socket);
        }

        fn lines(&self) -> Vec<String> {
            let mut buffer = [0; 4096];
            let socket = self.socket.as_ref().unwrap();
            std::iter::from_fn(|| {
                let length = socket.recv(&mut buffer).ok()?;
                Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
            })
            .collect()
        }
    }

    fn say(state: &mut State, text: &str) {
        state.send(&Record::builder().level(Level::Info).args(format_args!("{text}")).build());
    }

    fn logger(path: &Path) -> State {
        Syslog::new(path, Copy::Nowhere).state.into_inner().unwrap()
    }

    #[test]
    fn line_carries_priority_name_and_pid() {
        let reader = Reader::new();
        let mut state = logger(&reader.path());

        say(&mut state, "group main: backup -> master");

        let expected = format!("<29>gwha[{}]: group main: backup -> master", std::process::id());
        assert_eq!(reader.lines(), [expected]);
    }

    #[test]
    fn unread_socket_never_blocks_and_the_loss_is_told() {
        let reader = Reader::new();
        let mut state = logger(&reader.path());
        let begin = Instant::now();

        for number in 0..10_000 {
            say(&mut state, &format!("message {number}"));
        }

        assert!(begin.elapsed() < Duration::from_secs(5));
        let taken = reader.lines().len();
        assert!(taken < 10_000, "the socket took everything: this test proves nothing");
        say(&mut state, "there is room again");
        let lines = reader.lines();
        assert!(lines[0].ends_with(&format!("{} log messages lost", 10_000 - taken)), "{lines:?}");
        assert!(lines[1].ends_with("there is room again"), "{lines:?}");
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn restarted_log_daemon_is_found_again() {
        let mut reader = Reader::new();
        let mut state = logger(&reader.path());
        say(&mut state, "one");
        reader.restart();
        state.tried = None;

        say(&mut state, "two");

        assert!(reader.lines().iter().any(|line| line.ends_with("two")));
    }

    #[test]
    fn missing_log_daemon_is_tried_once_a_second_only() {
        let dir = tempfile::tempdir().unwrap();
        let mut state = logger(&dir.path().join("log"));
        say(&mut state, "one");
        let socket = UnixDatagram::bind(dir.path().join("log")).unwrap();
        socket.set_nonblocking(true).unwrap();

        say(&mut state, "two");

        assert!(state.socket.is_none());
        assert_eq!(state.untold, 2);
    }

    #[test]
    fn text_from_outside_cannot_forge_lines_or_flood() {
        let reader = Reader::new();
        let mut state = logger(&reader.path());

        say(&mut state, &format!("a\n<0>fake\x1b[2J{}", "ü".repeat(5000)));

        let lines = reader.lines();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("a <0>fake [2Jü"));
        assert!(lines[0].len() <= limits::LOG_LINE_BYTES);
    }
}

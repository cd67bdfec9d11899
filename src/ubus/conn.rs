//! A session on ubusd's socket. Never blocks; notices the end of the connection itself, and connects
//! again with growing delays, because ubusd may come late, restart, or be missing altogether.

use core::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, socket};

use super::session::{Event, Session, Violation};

/// Where ubusd listens on OpenWrt: since 21.02, and before.
pub const SOCKETS: [&str; 2] = ["/var/run/ubus/ubus.sock", "/var/run/ubus.sock"];

/// A session and the socket that carries it.
///
/// In an event loop: watch [`Connection::fd`] for [`Connection::interest`], anew whenever
/// [`Connection::generation`] has changed. When it is ready, or [`Connection::next_deadline`] has
/// passed, call [`Connection::drive`]; after use of [`Connection::session`], [`Connection::flush`].
#[derive(Debug)]
pub struct Connection {
    /// The places where ubusd may listen; the first that answers is taken.
    paths: Vec<PathBuf>,
    session: Session,
    stream: Option<OwnedFd>,
    generation: u32,
    /// When to connect again, in µs.
    retry_at: u64,
    /// How long to wait after the next failure, in µs.
    delay: u64,
    down: Option<Down>,
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// The operating system says so.
    System(Errno),
    /// ubusd closed the connection. It does so at once if our user or group has no name.
    Closed,
    /// What ubusd does is not the protocol.
    Violation(Violation),
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Down::System(errno) => write!(f, "{}", std::io::Error::from(*errno)),
            Down::Closed => f.write_str("closed by ubusd"),
            Down::Violation(violation) => violation.fmt(f),
        }
    }
}

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Bytes to read, or the end.
    Read,
    /// Also room to write.
    ReadWrite,
}

impl Connection {
    /// A connection to the ubusd that listens at one of `paths`; the first [`Connection::drive`] opens it.
    pub fn new<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>) -> Connection {
        Connection {
            paths: paths.into_iter().map(Into::into).collect(),
            session: Session::new(),
            stream: None,
            generation: 0,
            retry_at: 0,
            delay: FIRST_DELAY_US,
            down: None,
        }
    }

    /// The session, to register and to ask. [`Connection::flush`] then sends what it has to say.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Whether ubusd is there and has greeted.
    pub fn is_up(&self) -> bool {
        self.stream.is_some() && self.session.is_connected()
    }

    /// Why the last connection ended or the last attempt failed; `None` while connected.
    pub fn down(&self) -> Option<Down> {
        self.down
    }

    /// What to watch, if there is a socket.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.stream.as_ref().map(AsFd::as_fd)
    }

    /// Changes whenever [`Connection::fd`] does, also if the new one has the number of the old one.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// What to watch it for.
    pub fn interest(&self) -> Interest {
        if self.session.outgoing().is_empty() { Interest::Read } else { Interest::ReadWrite }
    }

    /// When [`Connection::drive`] has something to do even if the socket has not, in µs.
    pub fn next_deadline(&self) -> Option<u64> {
        if self.stream.is_none() { Some(self.retry_at) } else { self.session.next_deadline() }
    }

    /// Connects, reads, does what is due and writes, as far as that is possible at once.
    ///
    /// Reads at most 64 KiB, so that a flood cannot keep the owner from its other work.
    pub fn drive(&mut self, now: u64, events: &mut Vec<Event>) {
        if self.stream.is_none() && self.retry_at <= now {
            self.open(now);
        }
        let done = self.read(now, events).and_then(|()| {
            self.session.expire(now, events).map_err(Down::Violation)?;
            self.write()
        });
        if let Err(down) = done {
            self.close(now, down, events);
        }
        if self.session.is_connected() {
            self.delay = FIRST_DELAY_US;
            self.down = None;
        }
    }

    /// Sends what the session has to say, as far as that is possible at once. A failure is left to
    /// [`Connection::drive`].
    pub fn flush(&mut self) {
        let _ = self.write();
    }

    fn open(&mut self, now: u64) {
        match dial_any(&self.paths) {
            Ok(stream) => {
                self.stream = Some(stream);
                self.generation = self.generation.wrapping_add(1);
                self.session.connected(now);
            }
            Err(errno) => self.wait(now, Down::System(errno)),
        }
    }

    fn close(&mut self, now: u64, down: Down, events: &mut Vec<Event>) {
        self.stream = None;
        self.generation = self.generation.wrapping_add(1);
        self.session.disconnected(events);
        self.wait(now, down);
    }

    fn wait(&mut self, now: u64, down: Down) {
        self.down = Some(down);
        self.retry_at = now.saturating_add(self.delay);
        self.delay = self.delay.saturating_mul(2).min(LAST_DELAY_US);
    }

    fn read(&mut self, now: u64, events: &mut Vec<Event>) -> Result<(), Down> {
        let Some(stream) = &self.stream else { return Ok(()) };
        let mut buffer = [0; 16 * 1024];
        for _ in 0..READS {
            match recv(stream.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return Err(Down::Closed),
                Ok(count) => {
                    let bytes = buffer.get(..count).unwrap_or_default();
                    self.session.receive(now, bytes, events).map_err(Down::Violation)?;
                }
                Err(Errno::EAGAIN | Errno::EINTR) => break,
                Err(errno) => return Err(Down::System(errno)),
            }
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Down> {
        let Some(stream) = &self.stream else { return Ok(()) };
        while !self.session.outgoing().is_empty() {
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            match send(stream.as_raw_fd(), self.session.outgoing(), flags) {
                Ok(count) => self.session.sent(count),
                Err(Errno::EAGAIN | Errno::EINTR) => break,
                Err(errno) => return Err(Down::System(errno)),
            }
        }
        Ok(())
    }
}

/// Opens the first that can be opened. That one is missing is of less interest than that it is dead.
fn dial_any(paths: &[PathBuf]) -> Result<OwnedFd, Errno> {
    let mut failure = Errno::ENOENT;
    for path in paths {
        match dial(path) {
            Ok(stream) => return Ok(stream),
            Err(Errno::ENOENT) => {}
            Err(errno) => failure = errno,
        }
    }
    Err(failure)
}

/// Opens a socket without waiting: while ubusd is stopped and its queue of connections full, this fails.
fn dial(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let stream = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(stream.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(stream)
}

/// How often one turn reads 16 KiB.
const READS: usize = 4;

/// The delay before the first attempt to connect again, in µs; procd's choice.
const FIRST_DELAY_US: u64 = 50_000;

/// What it grows to, doubling. On a machine without ubus, an attempt every few seconds costs nothing.
const LAST_DELAY_US: u64 = 3_200_000;

#[cfg(test)]
mod tests;

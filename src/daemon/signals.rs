//! Signals as something to read: nothing ever runs inside a signal handler.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// SIGTERM, SIGINT: leave.
    Terminate,
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGCHLD: a child has ended. Several ends may be told by one signal.
    Child,
}

/// The signals that the daemon takes.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Takes the signals over from their default actions.
    ///
    /// They are blocked in this thread and in those that it starts. Children must unblock them
    /// (`std::process::Command` does).
    ///
    /// # Errors
    /// Those of `sigprocmask` and `signalfd`.
    pub fn take() -> Result<Signals, Errno> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCHLD] {
            set.add(signal);
        }
        set.thread_block()?;
        Ok(Signals(SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    /// The next signal that is waiting.
    pub fn next(&self) -> Option<Request> {
        let information = self.0.read_signal().ok().flatten()?;
        let number = i32::try_from(information.ssi_signo).ok()?;
        match Signal::try_from(number).ok()? {
            Signal::SIGHUP => Some(Request::Reload),
            Signal::SIGCHLD => Some(Request::Child),
            _ => Some(Request::Terminate),
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

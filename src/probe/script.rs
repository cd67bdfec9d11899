//! `script`: exit status 0 of a command.
//!
//! It runs in a process group of its own. The whole group is killed when the command has ended or its
//! time is over, so that nothing it left behind piles up.

use core::ffi::CStr;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::epoll::{Epoll, EpollFlags};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::Failure;
use super::round::Answers;
use super::socket::watch;

#[derive(Debug)]
pub(super) struct Script {
    command: CString,
    running: Option<Child>,
    /// Killed, but not gone yet.
    dying: Vec<Child>,
}

impl Script {
    /// Fails if the command contains NUL.
    pub(super) fn new(command: &str) -> io::Result<Script> {
        Ok(Script { command: CString::new(command)?, running: None, dying: Vec::new() })
    }

    pub(super) fn ask(&mut self, epoll: &Epoll, answers: &mut Answers<'_>) {
        self.bury();
        if self.dying.len() >= DYING_MAX {
            answers.failed(0, Failure::Stuck);
            return;
        }
        match Child::spawn(&self.command, epoll) {
            Ok(child) => self.running = Some(child),
            Err(error) => answers.failed(0, Failure::of(&error)),
        }
    }

    /// Some child has ended: the running one gives the answer.
    pub(super) fn ready(&mut self, _token: u64, answers: &mut Answers<'_>) {
        self.bury();
        match self.running.as_mut().and_then(Child::reap) {
            None => return,
            Some(Ending::Exited(0)) => answers.answered(0),
            Some(Ending::Exited(status)) => answers.failed(0, Failure::Exit(status)),
            Some(Ending::Killed(signal)) => answers.failed(0, Failure::Signal(signal)),
            Some(Ending::Lost) => answers.failed(0, Failure::System(Errno::ECHILD as i32)),
        }
        self.running = None;
    }

    /// Its time is over.
    pub(super) fn end(&mut self) {
        if let Some(child) = self.running.take() {
            child.kill();
            self.dying.push(child);
            self.bury();
        }
    }

    fn bury(&mut self) {
        self.dying.retain_mut(|child| child.reap().is_none());
    }
}

/// How a child ended.
enum Ending {
    Exited(i32),
    Killed(i32),
    /// Somebody else has waited for it.
    Lost,
}

/// A process that leads a group. Nobody else may wait for it.
#[derive(Debug)]
struct Child {
    pid: Pid,
    pidfd: OwnedFd,
    /// Once it is, the number may belong to somebody else.
    reaped: bool,
}

impl Child {
    fn spawn(command: &CStr, epoll: &Epoll) -> io::Result<Child> {
        let pid = spawn(command)?;
        let pidfd = match open_pidfd(pid) {
            Ok(pidfd) => pidfd,
            Err(error) => {
                // A kernel before 5.3, or no descriptors left.
                let _ = killpg(pid, Signal::SIGKILL);
                let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED);
                return Err(error);
            }
        };
        let child = Child { pid, pidfd, reaped: false };
        watch(epoll, &child.pidfd, EpollFlags::EPOLLIN, 0)?;
        Ok(child)
    }

    /// Kills the whole group. The leader must not have been reaped yet: its number is the group's.
    fn kill(&self) {
        // Fails only if all of them are gone.
        let _ = killpg(self.pid, Signal::SIGKILL);
    }

    /// How it ended, once it has; what is left of its group ends with it.
    fn reap(&mut self) -> Option<Ending> {
        let peek = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        // Whatever else it may be doing, it has not ended.
        #[allow(clippy::wildcard_enum_match_arm)]
        let ending = match waitid(Id::PIDFd(self.pidfd.as_fd()), peek) {
            Ok(WaitStatus::Exited(_, status)) => Ending::Exited(status),
            Ok(WaitStatus::Signaled(_, signal, _)) => Ending::Killed(signal as i32),
            // Its number may belong to another process by now, so nothing is killed.
            Err(Errno::ECHILD) => {
                self.reaped = true;
                return Some(Ending::Lost);
            }
            _ => return None,
        };
        self.kill();
        let _ = waitid(Id::PIDFd(self.pidfd.as_fd()), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG);
        self.reaped = true;
        Some(ending)
    }
}

impl Drop for Child {
    /// Only when the configuration changes or the daemon ends while a script runs: waits for its death
    /// for a few milliseconds, so that no zombie stays.
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        self.kill();
        let mut fds = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut fds, PollTimeout::from(DEATH_MS_MAX));
        let _ = waitid(Id::PIDFd(self.pidfd.as_fd()), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG);
    }
}

/// Runs a command by the shell, with no input and no output, and with the signals as a new process has
/// them: the daemon blocks some and ignores SIGPIPE.
fn spawn(command: &CStr) -> io::Result<Pid> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let mut files = PosixSpawnFileActions::init()?;
    for fd in 0..=2 {
        files.add_dup2(null.as_raw_fd(), fd)?;
    }
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_pgroup(Pid::from_raw(0))?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_sigdefault(&SigSet::all())?;
    attributes.set_flags(
        PosixSpawnFlags::POSIX_SPAWN_SETPGROUP
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF,
    )?;
    let arguments = [c"/bin/sh", c"-c", command];
    Ok(posix_spawn(c"/bin/sh", &files, &attributes, &arguments, &environment())?)
}

fn environment() -> Vec<CString> {
    std::env::vars_os()
        .filter_map(|(name, value)| {
            let mut line = name.into_vec();
            line.push(b'=');
            line.extend(value.into_vec());
            CString::new(line).ok()
        })
        .collect()
}

#[allow(unsafe_code)]
fn open_pidfd(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: takes two integers, and touches no memory of ours.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })?;
    // SAFETY: the kernel has just given this descriptor to us. It has close-on-exec set.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Killed children that may be waited for at a time; more of them hang in the kernel.
const DYING_MAX: usize = 4;
/// How long the end of a killed child may hold up the caller.
const DEATH_MS_MAX: u8 = 10;

//! Child processes: started without waiting, watched through a descriptor, ended with everything they started.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::disk;

/// What becomes of what a child prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Nobody wants it.
    Dropped,
    /// The beginning of it is kept, for [`Child::said`]; what is too much for that can't be written. Not a pipe, which
    /// would kill what the child leaves running as soon as nobody reads it any more.
    Kept,
}

/// What becomes of processes that an ended child has left behind in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftovers {
    /// They are killed.
    Killed,
    /// They go on: a command that starts a service may do it in this way.
    Left,
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With this status.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// Somebody else has waited for it.
    Lost,
}

/// A process that leads a group of its own. Nobody else may wait for it.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    pidfd: OwnedFd,
    output: Option<File>,
    /// Once it is, the number may belong to somebody else.
    reaped: bool,
}

impl Child {
    /// Starts `arguments`, the first of which is the program's path, with `more` in its environment besides our own.
    ///
    /// It has no input, and the signals as a new process has them: the daemon blocks some and ignores SIGPIPE.
    ///
    /// # Errors
    /// Those of the system, or of a string with a NUL in it. The child does not run then.
    pub fn spawn(arguments: &[&CStr], more: &[(&str, String)], output: Output) -> io::Result<Child> {
        let (pid, output) = spawn(arguments, more, output)?;
        match open_pidfd(pid) {
            Ok(pidfd) => Ok(Child { pid, pidfd, output, reaped: false }),
            Err(error) => {
                // A kernel before 5.3, or no descriptors left.
                let _ = killpg(pid, Signal::SIGKILL);
                let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED);
                Err(error)
            }
        }
    }

    /// Its process id, for messages.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Kills the whole group. The leader must not have been reaped yet: its number is the group's.
    pub fn kill(&self) {
        if !self.reaped {
            // Fails only if all of them are gone.
            let _ = killpg(self.pid, Signal::SIGKILL);
        }
    }

    /// The last line of what is kept of its output.
    pub fn said(&self) -> Option<String> {
        let mut bytes = [0; SAID_MAX];
        let length = self.output.as_ref()?.read_at(&mut bytes, 0).ok()?;
        let text = String::from_utf8_lossy(bytes.get(..length)?);
        let line = text.split(['\n', '\0']).map(str::trim_ascii).rfind(|line| !line.is_empty())?;
        Some(line.chars().take(LINE_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect())
    }

    /// How it ended, once it has.
    pub fn reap(&mut self, leftovers: Leftovers) -> Option<Ending> {
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
        match leftovers {
            Leftovers::Killed => self.kill(),
            Leftovers::Left => {}
        }
        let _ = waitid(Id::PIDFd(self.pidfd.as_fd()), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG);
        self.reaped = true;
        Some(ending)
    }
}

impl AsFd for Child {
    /// Readable when it has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Drop for Child {
    /// Only when the configuration changes or the daemon ends while it runs: waits for its death for a few
    /// milliseconds, so that no zombie stays.
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

fn spawn(arguments: &[&CStr], more: &[(&str, String)], output: Output) -> io::Result<(Pid, Option<File>)> {
    let program = *arguments.first().ok_or(io::ErrorKind::InvalidInput)?;
    let null = disk::open(Path::new("/dev/null"), disk::OFlag::O_RDWR)?;
    let mut files = PosixSpawnFileActions::init()?;
    files.add_dup2(null.as_raw_fd(), 0)?;
    let kept = match output {
        Output::Dropped => None,
        // A kernel without them does without.
        Output::Kept => paper().ok(),
    };
    let printed = kept.as_ref().map_or(null.as_raw_fd(), File::as_raw_fd);
    files.add_dup2(printed, 1)?;
    files.add_dup2(printed, 2)?;
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_pgroup(Pid::from_raw(0))?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_sigdefault(&SigSet::all())?;
    attributes.set_flags(
        PosixSpawnFlags::POSIX_SPAWN_SETPGROUP
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF,
    )?;
    let environment = environment(more)?;
    let pid = posix_spawn(program, &files, &attributes, arguments, &environment)?;
    Ok((pid, kept))
}

/// A file in memory that takes so much and no more.
fn paper() -> io::Result<File> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let file = File::from(memfd_create(c"gwha-child", flags)?);
    file.set_len(SAID_MAX as u64)?;
    fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK))?;
    Ok(file)
}

fn environment(more: &[(&str, String)]) -> io::Result<Vec<CString>> {
    // As it was given to us, in lines that end with NUL.
    let own = disk::load(Path::new("/proc/self/environ"), disk::SMALL).unwrap_or_default();
    let mut environment = Vec::new();
    for line in own.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        environment.push(CString::new(line)?);
    }
    for (name, value) in more {
        environment.push(CString::new(format!("{name}={value}"))?);
    }
    Ok(environment)
}

#[allow(unsafe_code)]
fn open_pidfd(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: takes two integers, and touches no memory of ours.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })?;
    // SAFETY: the kernel has just given this descriptor to us. It has close-on-exec set.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// How long the end of a killed child may hold up the caller.
const DEATH_MS_MAX: u8 = 10;
/// What is kept of a child's output: a page.
const SAID_MAX: usize = 4096;
/// What is shown of it.
const LINE_MAX: usize = 200;

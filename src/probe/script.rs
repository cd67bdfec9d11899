//! `script`: exit status 0 of a command.
//!
//! It runs in a process group of its own. The whole group is killed when the command has ended or its
//! time is over, so that nothing it left behind piles up.

use std::ffi::CString;
use std::io;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollFlags};

use crate::exec::child::{Child, Ending, Leftovers, Output};

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
        let arguments = [c"/bin/sh", c"-c", &self.command];
        let child = Child::spawn(&arguments, &[], Output::Dropped);
        match child.and_then(|child| watch(epoll, &child, EpollFlags::EPOLLIN, 0).map(|()| child)) {
            Ok(child) => self.running = Some(child),
            Err(error) => answers.failed(0, Failure::of(&error)),
        }
    }

    /// Some child has ended: the running one gives the answer.
    pub(super) fn ready(&mut self, _token: u64, answers: &mut Answers<'_>) {
        self.bury();
        match self.running.as_mut().and_then(|child| child.reap(Leftovers::Killed)) {
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
        self.dying.retain_mut(|child| child.reap(Leftovers::Killed).is_none());
    }
}

/// Killed children that may be waited for at a time; more of them hang in the kernel.
const DYING_MAX: usize = 4;

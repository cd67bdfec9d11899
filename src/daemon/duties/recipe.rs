//! An attempt that takes several steps, or time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::daemon::bounded::plain;
use crate::daemon::bus::{CallId, Request};
use crate::disk;
use crate::duties::{Answer, Seen, Side};
use crate::exec::child::Ending;
use crate::exec::children::{Ended, Program};

use super::firewall::Loaded;

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// A program that has to end with status 0.
    Run(Program),
    /// A program whose end is all that matters.
    Try(Program),
    /// A call on the bus that has to succeed.
    Call(Request),
    /// A file that has to have this text; its directory is made.
    Write(PathBuf, String),
    /// A file that has to be gone.
    Remove(PathBuf),
    /// A table of the packet filter is there, as for this side.
    Loaded(Loaded),
    /// What both routers know of leases goes to where the DHCP server, which does not run, finds it when it starts.
    PrepareLeases,
}

/// What it all comes to when every step has succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// This.
    Is(Seen),
    /// It depends on whether the last program ended with status 0.
    ByStatus {
        /// If it did.
        zero: Seen,
        /// If not.
        other: Seen,
    },
}

/// The steps that are left of an attempt.
#[derive(Debug)]
pub struct Recipe {
    /// In their order.
    pub ops: Vec<Op>,
    /// What it comes to.
    pub then: Then,
    /// The program that runs: whether its status matters.
    pub running: Option<Running>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Running {
    /// A program that has to succeed.
    Program,
    /// A program that only has to end.
    Attempt,
    /// A call.
    Call(CallId),
}

impl Then {
    /// It is as on this side.
    pub fn to(side: Side) -> Then {
        Then::Is(Seen::As(side))
    }
}

impl Recipe {
    /// The program that was run has ended: whether to go on.
    ///
    /// # Errors
    /// The reason why the attempt has failed.
    pub fn program_ended(&mut self, ended: &Ended) -> Result<(), Box<str>> {
        let running = self.running.take();
        if let Then::ByStatus { zero, other } = self.then {
            if self.ops.is_empty() {
                self.then = match ended.ending {
                    Ending::Exited(0) => Then::Is(zero),
                    // As a shell says it: there is no such command.
                    Ending::Exited(126 | 127) | Ending::Killed(_) | Ending::Lost => return ended.success(),
                    Ending::Exited(_) => Then::Is(other),
                };
            }
        }
        match running {
            Some(Running::Program) => ended.success(),
            Some(Running::Attempt | Running::Call(_)) | None => Ok(()),
        }
    }

    /// What it has come to.
    pub fn outcome(&self) -> Answer {
        match self.then {
            Then::Is(seen) => Ok(seen),
            Then::ByStatus { .. } => Ok(Seen::Unknown),
        }
    }
}

/// Writes a file whole or not at all.
///
/// # Errors
/// With the path, for people.
pub fn write(path: &Path, text: &str) -> Result<(), Box<str>> {
    let written = disk::make_above(path, 0o755).and_then(|()| disk::replace(path, 0o644, text.as_bytes()));
    written.map(drop).map_err(|error| failed(path, &error))
}

/// Removes a file, if it is there.
///
/// # Errors
/// With the path, for people.
pub fn remove(path: &Path) -> Result<(), Box<str>> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn failed(path: &Path, error: &io::Error) -> Box<str> {
    format!("{}: {}", path.display(), plain(error)).into()
}

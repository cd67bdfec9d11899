//! The children that are under way, behind one descriptor.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use crate::collect::IntoVec as _;

use super::child::{Child, Ending, Leftovers, Output};

/// A program with its arguments and what its environment has besides ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    /// The path and the arguments.
    pub arguments: Vec<String>,
    /// Names and values.
    pub environment: Vec<(&'static str, String)>,
}

impl Program {
    /// A program with these arguments.
    pub fn new(arguments: &[&str]) -> Program {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).into_vec();
        Program { arguments, environment: Vec::new() }
    }

    /// A command for the shell, which is given `arguments` as `$0`, `$1` ...
    pub fn shell(command: &str, arguments: &[&str]) -> Program {
        Program::new(&[&["/bin/sh", "-c", command], arguments].concat())
    }
}

/// What became of a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The number that it was started under.
    pub number: u32,
    /// How it ended.
    pub ending: Ending,
    /// The last line that it printed.
    pub said: Option<String>,
}

impl Ended {
    /// `Ok` for exit status 0, otherwise a reason for people.
    ///
    /// # Errors
    /// If it ended in any other way.
    pub fn success(&self) -> Result<(), Box<str>> {
        let how = match self.ending {
            Ending::Exited(0) => return Ok(()),
            Ending::Exited(status) => format!("exit status {status}"),
            Ending::Killed(signal) => format!("killed by signal {signal}"),
            Ending::Lost => "lost".to_owned(),
        };
        let (mark, said) = self.said.as_ref().map_or(("", ""), |said| (": ", said));
        Err([&how, mark, said].concat().into())
    }
}

/// Children under way, at most [`CHILDREN_MAX`].
#[derive(Debug)]
pub struct Children {
    epoll: Epoll,
    running: Vec<(u32, Child)>,
    /// Killed, but not gone yet.
    dying: Vec<Child>,
}

impl Children {
    /// None yet.
    ///
    /// # Errors
    /// Those of `epoll_create1`.
    pub fn new() -> Result<Children, Errno> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Children { epoll, running: Vec::new(), dying: Vec::new() })
    }

    /// Starts a program under a number of the caller's; its process id.
    ///
    /// # Errors
    /// If it can't be started, or if too many are under way.
    pub fn start(&mut self, number: u32, program: &Program) -> io::Result<i32> {
        self.bury();
        if self.running.len().saturating_add(self.dying.len()) >= CHILDREN_MAX {
            return Err(Errno::EAGAIN.into());
        }
        let mut arguments = Vec::new();
        for argument in &program.arguments {
            arguments.push(CString::new(argument.as_str())?);
        }
        let arguments: Vec<&CStr> = arguments.iter().map(AsRef::as_ref).into_vec();
        let child = Child::spawn(&arguments, &program.environment, Output::Kept)?;
        self.epoll.add(&child, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        let pid = child.pid();
        self.running.push((number, child));
        Ok(pid)
    }

    /// Returns those that have ended.
    pub fn ready(&mut self) -> Vec<Ended> {
        self.bury();
        let mut ended = Vec::new();
        self.running.retain_mut(|(number, child)| {
            let ending = child.reap(Leftovers::Left);
            ended.extend(ending.map(|ending| Ended { number: *number, ending, said: child.said() }));
            ending.is_none()
        });
        ended
    }

    /// Kills a child with all that it has started; its end is not reported.
    pub fn kill(&mut self, number: u32) {
        if let Some(place) = self.running.iter().position(|(known, _)| *known == number) {
            let (_, child) = self.running.swap_remove(place);
            child.kill();
            self.dying.push(child);
            self.bury();
        }
    }

    /// Kills all of them.
    pub fn kill_all(&mut self) {
        self.running.clear();
        self.dying.clear();
    }

    /// Whether a child runs under this number.
    pub fn is_running(&self, number: u32) -> bool {
        self.running.iter().any(|(known, _)| *known == number)
    }

    fn bury(&mut self) {
        self.dying.retain_mut(|child| child.reap(Leftovers::Killed).is_none());
    }
}

impl AsFd for Children {
    /// Readable when one of them has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

/// Children under way at a time, with those that are killed and hang in the kernel. More of a router's services
/// at once would only make all of them late.
pub const CHILDREN_MAX: usize = 24;

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::time::Instant;

    use super::*;

    fn wait(children: &mut Children) -> Ended {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(ended) = children.ready().pop() {
                return ended;
            }
            assert!(Instant::now() < end, "no child has ended");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn status_and_last_line_of_a_child_are_reported() {
        let mut children = Children::new().unwrap();
        let program = Program::shell("echo one; echo \"$0 $GROUP\" >&2; exit 3", &["two"]);
        let environment = vec![("GROUP", "lan".to_owned())];
        children.start(7, &Program { environment, ..program }).unwrap();

        let ended = wait(&mut children);

        assert_eq!((ended.number, ended.ending), (7, Ending::Exited(3)));
        assert_eq!(ended.success(), Err("exit status 3: two lan".into()));
        assert!(!children.is_running(7));
    }

    #[test]
    fn a_child_that_prints_much_is_not_held_up() {
        let mut children = Children::new().unwrap();
        children
            .start(1, &Program::shell("echo begin; head -c 1000000 /dev/zero 2>/dev/null; exit 0", &[]))
            .unwrap();

        let ended = wait(&mut children);

        assert_eq!((ended.ending, ended.said.as_deref()), (Ending::Exited(0), Some("begin")));
    }

    #[test]
    fn killed_child_takes_its_own_children_along_and_is_not_reported() {
        let mut children = Children::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let command = "sleep 1000 & echo $! >\"$0\"; wait";
        children.start(1, &Program::shell(command, &[file.to_str().unwrap()])).unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        let grandchild = loop {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if let Ok(pid) = text.trim().parse::<i32>() {
                break pid;
            }
            assert!(Instant::now() < end);
            std::thread::sleep(Duration::from_millis(2));
        };

        children.kill(1);

        let is_gone = || {
            let state = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
            state.is_empty() || state.contains(") Z ")
        };
        while !is_gone() {
            assert!(Instant::now() < end, "the grandchild lives on");
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(children.ready(), []);
    }

    #[test]
    fn what_can_not_be_started_is_an_error() {
        let mut children = Children::new().unwrap();
        assert!(children.start(1, &Program::new(&["/nonesuch"])).is_err());
        assert!(children.start(1, &Program::default()).is_err());
    }
}

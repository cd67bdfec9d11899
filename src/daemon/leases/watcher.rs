//! The thread that watches the lease file.
//!
//! dnsmasq writes the whole file at each change; to read and compare some thousand lines takes milliseconds that the
//! loop does not have. Only what has changed gets to the loop, in portions.

use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

use crate::disk;
use crate::engine::Instant;
use crate::thread;

use super::super::bounded::plain;
use super::super::clock;
use super::desk::{self, Desk, FileId, Item, Steady, Watch};

/// The thread, as the loop knows it. Readable when it has something to tell.
#[derive(Debug)]
pub struct Watcher(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    desk: Mutex<Desk>,
    outbox: Mutex<Outbox>,
    /// From the thread to the loop.
    bell: EventFd,
    /// From the loop to the thread.
    nudge: EventFd,
}

#[derive(Debug, Default)]
struct Outbox {
    items: Vec<Item>,
    problem: Option<String>,
}

/// The writer is given so long to come to its end.
const QUIET: Duration = Duration::from_millis(4);

/// But a change waits for no more than this.
const WAIT_MAX: Duration = Duration::from_millis(25);

/// A read during which somebody wrote is tried again after this.
const AGAIN: Duration = Duration::from_millis(3);

/// A text that is the same after this is settled.
const SETTLED_AFTER: Duration = Duration::from_millis(40);

/// How often a directory that is not there is looked for.
const LOST_RETRY: Duration = Duration::from_secs(2);

impl Watcher {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system has no descriptors or threads left.
    pub fn start(path: PathBuf) -> io::Result<Watcher> {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        let shared = Arc::new(Shared {
            desk: Mutex::new(Desk::new(path)),
            outbox: Mutex::default(),
            bell: EventFd::from_flags(flags)?,
            nudge: EventFd::from_flags(flags)?,
        });
        let eyes = Eyes::open(Arc::clone(&shared))?;
        thread::start(c"leases", thread::STACK, Box::new(move || eyes.work()))?;
        Ok(Watcher(shared))
    }

    /// The file. Waits for a look that is under way: some milliseconds with thousands of leases.
    pub fn desk(&self) -> MutexGuard<'_, Desk> {
        lock(&self.0.desk)
    }

    /// The thread is to look at what the loop has changed.
    pub fn nudge(&self) {
        let _ = self.0.nudge.write(1);
    }

    /// Up to so many of the things that were found. The bell rings until all are taken. Does not wait: a thread that was
    /// interrupted in the middle of telling may be away for long on a busy machine, and the next turn comes.
    pub fn take(&self, limit: usize) -> Vec<Item> {
        let Ok(outbox) = self.0.outbox.try_lock() else { return Vec::new() };
        Watcher::take_from(outbox, &self.0.bell, limit)
    }

    /// All that was found, also what the thread is just telling. For who has the desk.
    pub fn take_all(&self) -> Vec<Item> {
        Watcher::take_from(lock(&self.0.outbox), &self.0.bell, usize::MAX)
    }

    fn take_from(mut outbox: MutexGuard<'_, Outbox>, bell: &EventFd, limit: usize) -> Vec<Item> {
        let count = limit.min(outbox.items.len());
        let left = outbox.items.split_off(count);
        let items = core::mem::replace(&mut outbox.items, left);
        if outbox.items.is_empty() {
            let _ = bell.read();
        }
        items
    }

    /// Why the file can't be read or watched.
    pub fn problem(&self) -> Option<String> {
        self.0.outbox.try_lock().ok()?.problem.clone()
    }
}

impl AsFd for Watcher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.bell.as_fd()
    }
}

/// The thread's side.
struct Eyes {
    shared: Arc<Shared>,
    inotify: Inotify,
    watched: Option<Watched>,
    /// When the file is to be read: not before the first, and in any case at the second.
    due: Option<(Instant, Instant)>,
    /// A text that may be settled, and when that shows.
    waiting: Option<(String, FileId, Instant)>,
}

struct Watched {
    path: PathBuf,
    dir: WatchDescriptor,
    file: Option<WatchDescriptor>,
}

impl Eyes {
    fn open(shared: Arc<Shared>) -> io::Result<Eyes> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        Ok(Eyes { shared, inotify, watched: None, due: None, waiting: None })
    }

    fn work(mut self) {
        loop {
            self.wait();
            if matches!(self.shared.nudge.read(), Ok(count) if count > 0) {
                self.aim();
            }
            let now = clock::now();
            if self.written() {
                let latest = self.due.map_or(now.after(WAIT_MAX), |(_, latest)| latest);
                self.due = Some((now.after(QUIET).min(latest), latest));
                self.waiting = None;
            }
            let is_settled = self.waiting.as_ref().is_some_and(|(_, _, at)| *at <= now);
            if is_settled || self.due.is_some_and(|(at, _)| at <= now) {
                self.look(now);
            }
            if self.watched.is_none() {
                self.aim();
            }
        }
    }

    fn wait(&self) {
        let settled = self.waiting.as_ref().map(|(_, _, at)| *at);
        let next = Instant::earliest(&[self.due.map(|(at, _)| at), settled]);
        let next = if self.watched.is_none() { Some(clock::now().after(LOST_RETRY)) } else { next };
        let timeout = next.map_or(PollTimeout::NONE, clock::wait_for);
        let fds = &mut [
            PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.shared.nudge.as_fd(), PollFlags::POLLIN),
        ];
        let _ = poll(fds, timeout);
    }

    /// Watches the file that the loop wants to be watched.
    fn aim(&mut self) {
        let (path, watch) = {
            let desk = lock(&self.shared.desk);
            (desk.path.clone(), desk.watch)
        };
        if self.watched.as_ref().is_none_or(|watched| !disk::is_same(&watched.path, &path)) {
            if let Some(old) = self.watched.take() {
                let _ = self.inotify.rm_watch(old.dir);
                old.file.map(|file| self.inotify.rm_watch(file));
            }
            let dir = disk::split(&path).0;
            let moves = AddWatchFlags::IN_CREATE
                | AddWatchFlags::IN_MOVED_TO
                | AddWatchFlags::IN_MOVED_FROM
                | AddWatchFlags::IN_DELETE
                | AddWatchFlags::IN_DELETE_SELF
                | AddWatchFlags::IN_ONLYDIR;
            match self.inotify.add_watch(dir, moves) {
                Ok(dir) => {
                    self.watched = Some(Watched { path, dir, file: None });
                    self.tell_problem(None);
                }
                Err(errno) => {
                    return self.tell_problem(Some(format!("{}: {}", dir.display(), plain(&errno.into()))));
                }
            }
        }
        self.watch_file();
        self.waiting = None;
        self.due = (watch != Watch::Off).then(|| {
            let now = clock::now();
            (now, now)
        });
    }

    /// The file may be another one now.
    fn watch_file(&mut self) {
        let Some(watched) = &mut self.watched else { return };
        let fresh = self.inotify.add_watch(&watched.path, AddWatchFlags::IN_MODIFY).ok();
        if let Some(old) = watched.file.filter(|old| Some(*old) != fresh) {
            // Gone with its file, as a rule.
            let _ = self.inotify.rm_watch(old);
        }
        watched.file = fresh;
    }

    /// Whether the file was written to, or replaced, since this was asked last.
    fn written(&mut self) -> bool {
        let mut is_written = false;
        loop {
            let events = match self.inotify.read_events() {
                Ok(events) => events,
                Err(Errno::EINTR) => continue,
                Err(_) => return is_written,
            };
            for event in events {
                let Some(watched) = &self.watched else { continue };
                let is_dir = event.wd == watched.dir;
                let is_file = watched.file == Some(event.wd) && event.mask.contains(AddWatchFlags::IN_MODIFY);
                let is_lost = event.mask.intersects(AddWatchFlags::IN_Q_OVERFLOW);
                if is_dir && event.mask.intersects(AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_IGNORED)
                {
                    self.watched = None;
                    continue;
                }
                let is_ours = is_dir && event.name.as_deref() == Some(disk::split(&watched.path).1);
                if is_ours {
                    self.watch_file();
                }
                is_written |= is_file || is_ours || is_lost;
            }
        }
    }

    fn look(&mut self, now: Instant) {
        self.due = None;
        let before = self.waiting.take();
        let Some(path) = self.watched.as_ref().map(|watched| watched.path.clone()) else { return };
        if lock(&self.shared.desk).watch == Watch::Off {
            return;
        }
        let read = desk::read(&path);
        let now = clock::now().max(now);
        if self.written() {
            let at = now.after(AGAIN);
            self.due = Some((at, at));
            return;
        }
        let (text, id) = match read {
            Ok(Some(read)) => read,
            // It is there when the server has been started.
            Ok(None) => return self.tell_problem(None),
            Err(error) => return self.tell_problem(Some(format!("{}: {}", path.display(), plain(&error)))),
        };
        let is_steady = before.is_some_and(|(before, same, _)| before == text && same == id);
        let steady = if is_steady { Steady::Yes } else { Steady::No };
        let mut items = Vec::new();
        let doubts = {
            let mut desk = lock(&self.shared.desk);
            if desk.watch == Watch::Off || !disk::is_same(&desk.path, &path) {
                return;
            }
            let doubts = desk.look(&text, id, steady, &mut items);
            // In here: who has the desk must find what it says in the outbox.
            self.tell(items);
            doubts
        };
        self.tell_problem(None);
        let is_whole = text.is_empty() || text.ends_with('\n');
        if !is_steady && (doubts > 0 || !is_whole) {
            self.waiting = Some((text, id, now.after(SETTLED_AFTER)));
        }
    }

    fn tell(&self, items: Vec<Item>) {
        if items.is_empty() {
            return;
        }
        lock(&self.shared.outbox).items.extend(items);
        let _ = self.shared.bell.write(1);
    }

    fn tell_problem(&self, problem: Option<String>) {
        let mut outbox = lock(&self.shared.outbox);
        if outbox.problem != problem {
            outbox.problem = problem;
        }
    }
}

/// A thread that has panicked has ended the process.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;

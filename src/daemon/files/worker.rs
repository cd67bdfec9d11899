//! The thread that does everything that touches the disk.

use core::time::Duration;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::engine::Instant;
use crate::sync::file::party::{Out, Party};
use crate::sync::file::rules::Rules;
use crate::sync::file::wire::Hello;
use crate::thread;

use super::super::bounded::plain;
use super::super::clock;
use super::mail::{Item, Known, Mail, Order, Services};
use super::services;
use super::store::Store;

/// The thread.
pub struct Worker {
    mail: Arc<Mail>,
    party: Party,
    store: Store,
    rules: Rules,
    services: Services,
    inotify: Option<Inotify>,
    /// When the disk is looked at: not before the first, and in any case at the second.
    due: Option<(Instant, Instant)>,
    /// The last look that was asked for.
    looked: u32,
    is_source: bool,
}

/// Whoever writes is given so long to come to the end of it.
const QUIET: Duration = Duration::from_millis(100);

/// But a change waits for no more than this.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Whether the thread goes on.
#[derive(PartialEq, Eq)]
enum Life {
    On,
    Over,
}

impl Worker {
    /// Begins, with its records in the directory `state`.
    pub fn start(mail: Arc<Mail>, state: PathBuf, own: Hello) -> std::io::Result<()> {
        let work = move || {
            let store = Store::new(state);
            let party = Party::new(Rules::default(), own, store.recall(), clock::now());
            let mut worker = Worker {
                mail,
                party,
                store,
                rules: Rules::default(),
                services: Services::default(),
                inotify: None,
                due: None,
                looked: 0,
                is_source: false,
            };
            worker.work();
        };
        thread::start(c"files", thread::STACK, Box::new(work))
    }

    fn work(&mut self) {
        loop {
            self.wait();
            self.mail.turn();
            let is_over = self.round() == Life::Over;
            self.mail.turn();
            if is_over {
                return;
            }
        }
    }

    fn wait(&self) {
        let next = self.due.map_or(self.party.next_deadline(), |(at, _)| at.min(self.party.next_deadline()));
        let timeout = clock::wait_for(next);
        let nudge = PollFd::new(self.mail.nudged().as_fd(), PollFlags::POLLIN);
        let _ = match &self.inotify {
            Some(inotify) => poll(&mut [nudge, PollFd::new(inotify.as_fd(), PollFlags::POLLIN)], timeout),
            None => poll(&mut [nudge], timeout),
        };
    }

    fn round(&mut self) -> Life {
        let now = clock::now();
        let _ = self.mail.nudged().read();
        if self.is_touched() {
            let latest = self.due.map_or(now.after(WAIT_MAX), |(_, latest)| latest);
            self.due = Some((now.after(QUIET).min(latest), latest));
        }
        if self.due.take_if(|(at, _)| *at <= now).is_some() {
            self.party.touched(now);
        }
        for order in self.mail.take_orders() {
            if self.obey(order) == Life::Over {
                return Life::Over;
            }
        }
        let now = clock::now();
        self.party.work(now, &mut self.store);
        self.watch(now);
        let mut items = Vec::new();
        let mut is_changed = false;
        for out in self.party.take_out() {
            match out {
                Out::Send(peer, kind, body) => items.push(Item::Send(peer, kind, body)),
                Out::OwnChanged => items.push(Item::OwnChanged),
                Out::Changed(paths) => {
                    is_changed = true;
                    for path in &paths {
                        items.extend(self.rules.package(path).map(|it| Item::Package(it.to_owned())));
                    }
                    log::info!("files from the master: {}", paths.join(", "));
                }
            }
        }
        self.mail.tell(items, self.known(now));
        if is_changed && !self.services.names.is_empty() {
            services::reload(&self.mail, &self.services);
        }
        Life::On
    }

    fn known(&self, now: Instant) -> Known {
        Known { view: self.party.view(now), looked: self.looked, is_source: self.is_source }
    }

    fn obey(&mut self, order: Order) -> Life {
        let now = clock::now();
        match order {
            Order::Configure(rules, services) => {
                self.store.configure(&rules);
                self.inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)
                    .inspect_err(|errno| log::warn!("files: no inotify: {}", plain(&(*errno).into())))
                    .ok();
                self.rules.clone_from(&rules);
                self.services = services;
                self.party.configure(rules, now);
            }
            Order::Source(is_source) => {
                self.is_source = is_source;
                self.party.set_source(is_source, now);
            }
            Order::Up(peer) => self.party.up(peer, now),
            Order::Down(peer) => self.party.down(peer),
            Order::Said(peer, kind, body) => self.party.said(peer, kind, &body, now, &mut self.store),
            Order::Release(content) => {
                self.party.release(content);
                self.party.touched(now);
            }
            Order::Look(number) => {
                self.looked = number;
                self.party.touched(now);
            }
            Order::Stop => return Life::Over,
        }
        Life::On
    }

    /// Whether something has happened in the directories that are watched.
    fn is_touched(&self) -> bool {
        let mut is_touched = false;
        let Some(inotify) = &self.inotify else { return false };
        loop {
            match inotify.read_events() {
                Ok(events) => is_touched |= events.iter().any(|event| self.concerns(event.name.as_deref())),
                Err(Errno::EINTR) => {}
                Err(_) => return is_touched,
            }
        }
    }

    /// Not what we write ourselves.
    fn concerns(&self, name: Option<&std::ffi::OsStr>) -> bool {
        !name.and_then(|name| name.to_str()).is_some_and(crate::sync::file::rules::is_fresh)
    }

    /// Watches what there is to be watched after a look at the disk.
    fn watch(&mut self, now: Instant) {
        let (dirs, is_unsteady) = self.store.take_watched();
        if is_unsteady {
            self.due = Some((now.after(QUIET), now.after(WAIT_MAX)));
        }
        let Some(inotify) = &self.inotify else { return };
        let news = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_ONLYDIR;
        for dir in dirs {
            // Those that are watched already stay so. What can't be watched is looked at once a minute.
            let _ = inotify.add_watch(&dir, news);
        }
    }
}

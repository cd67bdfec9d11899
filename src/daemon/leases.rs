//! DHCP leases: from dnsmasq's file on the master to the table of the standby, and back into a file when the role changes.
//!
//! For those who start and stop the server:
//!
//! * [`Leases::prepare_takeover`] writes the merged leases to [`Leases::path`]. To be called whenever the DHCP server is
//!   about to be started, while it does not run as one: what it has in memory replaces the file at its next change.
//! * [`Leases::restart_wanted`]: the running server lacks leases that this router knows of (after a split has healed,
//!   after a step of the wall clock). Stop it, prepare, start it.
//!
//! Neither waits for anything but a file in memory.

mod desk;
mod flush;
mod journal;
mod show;
mod talk;
mod turn;
mod watcher;

use core::time::Duration;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::disk;
use crate::engine::Instant;
use crate::limits;
use crate::peer::PeerId;
use crate::sorted::{Map, Set};
use crate::sync::lease::feed::Feed;
use crate::sync::lease::table::{Merged, Table};
use crate::sync::lease::{Client, Life, Node};

use super::bounded::plain;
use super::poller::{Interest, Poller, Source};

use desk::{Item, Watch};
pub use flush::After;
use flush::Flush;
use journal::Journal;
pub use talk::is_lease;
use watcher::Watcher;

/// The leases that this router knows of, and everything that moves them.
#[derive(Debug)]
pub struct Leases {
    table: Table,
    feeds: Map<PeerId, Feed>,
    journal: Journal,
    /// `None` while leases are not followed.
    watcher: Option<Watcher>,
    path: Option<PathBuf>,
    service: Service,
    /// Addresses that are lent and that the running server does not know of.
    unserved: Set<IpAddr>,
    flushes: Vec<Flush>,
    /// When the other routers are told again what is here, and what is over is forgotten.
    routine_due: Instant,
    /// When both were the same last.
    level: Option<Instant>,
    trouble: Trouble,
    /// What was told of the last trouble.
    told: Told,
}

/// What people and programs heard last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Nothing, or that all is well.
    Well,
    /// That leases do not get to the other router, or to the server.
    Failed,
}

/// Whether this router's server lends addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    /// It does not, or not for us.
    Off,
    /// It is to, from the end of this turn on.
    Starting,
    /// It does.
    On,
    /// It should not any more, but may for a moment.
    Ending(Instant),
}

/// Who starts the DHCP server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Starter {
    /// What follows from the role (`dhcp_on_master`).
    Gwha,
    /// The user's own scripts, or nobody, for it always runs.
    User,
}

/// What went wrong last, and since when.
#[derive(Debug, Default)]
struct Trouble {
    /// The file could not be written at a takeover.
    takeover: Option<(String, Instant)>,
    /// But it could be now.
    is_mended: bool,
    /// The file can't be read.
    file: Option<(String, Instant)>,
    /// The other router's version can't be talked to.
    version: Option<(String, Instant)>,
    /// There is no room for more.
    full: Option<Instant>,
}

/// Why the merged leases are not in the file.
#[derive(Debug)]
pub enum Error {
    /// Leases are not followed: `option leases '0'`, or no `config sync`.
    Off,
    /// The file can't be read or written.
    File(PathBuf, io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Off => f.write_str("leases are not followed"),
            Error::File(path, error) => write!(f, "{}: {}", path.display(), plain(error)),
        }
    }
}

/// A server that has lost its role may answer for so long until it is stopped.
const ENDING: Duration = Duration::from_secs(5);

/// Two ends of a lease that are no further apart are the same: seconds are rounded on the way.
const SAME_END: Duration = Duration::from_secs(2);

impl Leases {
    /// What an earlier life in the same boot has left in the file, if anything.
    pub fn open(kept: PathBuf, boot: Option<&str>, now: Instant) -> Leases {
        let mut bytes = [0; 4];
        if getrandom::fill(&mut bytes).is_err() {
            bytes = std::process::id().to_ne_bytes();
        }
        let mut table = Table::new(Node(u32::from_ne_bytes(bytes)));
        let journal = Journal::open(kept, boot, &mut table, now);
        Leases {
            table,
            feeds: Map::new(),
            journal,
            watcher: None,
            path: None,
            service: Service::Off,
            unserved: Set::new(),
            flushes: Vec::new(),
            routine_due: now,
            level: None,
            told: Told::Well,
            trouble: Trouble::default(),
        }
    }

    /// The file that the DHCP server keeps its leases in; `None` while leases are not followed.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Writes what both routers know of leases to [`Leases::path`], all of it or nothing, and takes the file for what the
    /// server starts with. To be called while no server runs, right before it is started. What a server wrote there before
    /// it was stopped is taken in first. Takes about a millisecond for 2,000 leases.
    ///
    /// # Errors
    /// See [`Error`]. The server may be started all the same: with `dhcp-authoritative` its clients get back what they had.
    pub fn prepare_takeover(&mut self, now: Instant) -> Result<(), Error> {
        let Some(watcher) = &self.watcher else { return Err(Error::Off) };
        let path = self.path.clone().unwrap_or_default();
        let mut desk = watcher.desk();
        let mut items = watcher.take_all();
        if desk.watch == Watch::Off {
            desk.begin(Watch::Adopting);
        }
        let last_words = desk.look_now(&mut items);
        drop(desk);
        self.apply(items, now);
        let Some(watcher) = &self.watcher else { return Err(Error::Off) };
        let written = last_words.and_then(|()| watcher.desk().write(&self.table.leases(now)));
        watcher.nudge();
        self.service = match self.service {
            Service::On | Service::Off | Service::Starting => Service::On,
            ending @ Service::Ending(_) => ending,
        };
        match written {
            Ok(()) => {
                log::info!(
                    "{}: {} leases written for the DHCP server",
                    path.display(),
                    self.table.count(now)
                );
                self.unserved.clear();
                (self.trouble.takeover, self.trouble.is_mended) = (None, false);
                Ok(())
            }
            Err(error) => {
                let error = Error::File(path, error);
                (self.trouble.takeover, self.trouble.is_mended) = (Some((error.to_string(), now)), false);
                Err(error)
            }
        }
    }

    /// Whether the DHCP server that runs here lacks leases that this router knows of. It stays so until
    /// [`Leases::prepare_takeover`].
    pub fn restart_wanted(&self) -> bool {
        !self.unserved.is_empty() || self.trouble.is_mended
    }

    /// What could not be written for the running server may be possible by now: then it is to be started again.
    fn look_at_trouble(&mut self, now: Instant) {
        let Some(watcher) = &self.watcher else { return };
        let is_stuck = self.trouble.takeover.is_some() && self.service == Service::On;
        self.trouble.is_mended = is_stuck && watcher.desk().rehearse(&self.table.leases(now)).is_ok();
    }

    /// Takes a configuration.
    fn configure(&mut self, path: Option<PathBuf>, poller: &mut Poller) {
        let is_same = match (&path, &self.path) {
            (Some(path), Some(known)) => disk::is_same(path, known),
            (path, known) => path.is_none() && known.is_none(),
        };
        if is_same {
            return;
        }
        if let Some(old) = self.watcher.as_ref().filter(|_| path.is_none()) {
            old.desk().begin(Watch::Off);
            old.nudge();
            let _ = poller.remove(old);
            self.watcher = None;
        }
        match (&self.watcher, &path) {
            (Some(watcher), Some(path)) => {
                {
                    let mut desk = watcher.desk();
                    desk.path.clone_from(path);
                    desk.begin(Watch::Off);
                }
                watcher.nudge();
            }
            (None, Some(path)) => match Watcher::start(path.clone()) {
                Ok(watcher) => {
                    let _ = poller.add(&watcher, Source::Leases, Interest::Read);
                    self.watcher = Some(watcher);
                }
                Err(error) => return log::error!("leases are not followed: {}", plain(&error)),
            },
            (Some(_) | None, None) => {}
        }
        self.path = path;
        self.service = Service::Off;
    }

    /// The server of this router is, or is not, the one that lends addresses.
    fn serve(&mut self, is_serving: bool, now: Instant) {
        self.service = match (self.service, is_serving) {
            (Service::Off, true) => Service::Starting,
            (Service::Starting, false) => Service::Off,
            (Service::Ending(_), true) => Service::On,
            (Service::On, false) => Service::Ending(now.after(ENDING)),
            (same @ (Service::Off | Service::Ending(_)), false) => same,
            (same @ (Service::Starting | Service::On), true) => same,
        };
    }

    /// From here on the file counts. Where nobody but the user's own scripts starts the server, this is the moment at which
    /// it has to be there; but not under a server that runs already.
    fn start_serving(&mut self, who: Starter, now: Instant) {
        self.service = Service::On;
        let path = self.path.as_deref().unwrap_or(Path::new(""));
        if who == Starter::User && !desk::is_open_elsewhere(path) {
            match self.prepare_takeover(now) {
                Ok(()) | Err(Error::Off) => return,
                Err(error) => log::error!("leases for the DHCP server: {error}"),
            }
        }
        self.watch(Watch::Adopting);
    }

    fn watch(&self, watch: Watch) {
        let Some(watcher) = &self.watcher else { return };
        let mut desk = watcher.desk();
        // What was prepared is not to be read as if it were unknown.
        if watch == Watch::Off || desk.watch == Watch::Off {
            desk.begin(watch);
        }
        drop(desk);
        watcher.nudge();
    }

    /// Takes in what was found in the file. Whether anything of it was news.
    fn apply(&mut self, items: Vec<Item>, now: Instant) -> bool {
        let head = self.table.head();
        for item in items {
            let (address, merged) = match item {
                Item::Granted(address, client, life) => {
                    self.unserved.remove(&address);
                    (address, self.table.grant(address, client, life))
                }
                Item::Adopted(address, client, life) => (address, self.adopt(address, client, life, now)),
                Item::Released(address) => {
                    self.unserved.remove(&address);
                    (address, self.table.release(address, now))
                }
                Item::Dropped(address) => {
                    self.note_unserved(address, now);
                    continue;
                }
            };
            self.keep(address, merged, now);
        }
        let is_news = self.table.head() != head;
        if is_news {
            self.feeds.values_mut().for_each(|feed| feed.changed(&self.table, now));
        }
        is_news
    }

    /// A lease that stood in the file before it was watched. If it is the later word it counts.
    fn adopt(&mut self, address: IpAddr, client: Client, life: Life, now: Instant) -> Merged {
        let known = self.table.get(address);
        let is_later = known.is_none_or(|known| match (known.life.left(now), life.left(now)) {
            (Some(known), Some(found)) => found > known.saturating_add(SAME_END),
            (Some(_), None) => true,
            (None, Some(_) | None) => false,
        });
        // The server knows it as it is in the file.
        if is_later || known.is_some_and(|known| known.client.as_ref() == Some(&client)) {
            self.unserved.remove(&address);
        } else {
            self.note_unserved(address, now);
        }
        if is_later { self.table.grant(address, client, life) } else { Merged::Known }
    }

    fn note_unserved(&mut self, address: IpAddr, now: Instant) {
        let Some(entry) = self.table.get(address) else { return };
        let has_left = entry.life.left(now).is_none_or(|left| left > SAME_END);
        if entry.client.is_some() && has_left && self.unserved.len() < limits::LEASES {
            self.unserved.insert(address);
        }
    }

    fn keep(&mut self, address: IpAddr, merged: Merged, now: Instant) {
        match merged {
            Merged::News => {
                if let Some(entry) = self.table.get(address) {
                    self.journal.add(address, entry);
                }
            }
            Merged::Known => {}
            Merged::Full => self.trouble.full = Some(now),
        }
    }

    /// Brings what a restart is left up to date. Once a turn.
    pub fn flush(&mut self) {
        self.journal.flush(&self.table);
    }

    /// When [`Daemon::expire_leases`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.watcher.as_ref()?;
        let ending = match self.service {
            Service::Ending(at) => Some(at),
            Service::Starting => Some(Instant::from_micros(0)),
            Service::Off | Service::On => None,
        };
        let flush = self.flushes.iter().map(|flush| flush.until).min();
        Instant::earliest(&[Some(self.routine_due), ending, flush])
    }
}

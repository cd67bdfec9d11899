//! Before a role moves on purpose, what is here goes over, and somebody waits for that: never for long.

use core::time::Duration;

use crate::disk::plain;
use crate::engine::{Command, CommandId, Event, Instant};
use crate::peer::PeerId;

use super::super::methods;
use super::super::run::Daemon;

/// Somebody waits until the other routers have everything.
#[derive(Debug)]
pub struct Flush {
    /// Until then at most.
    pub until: Instant,
    then: After,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// The engine carries out a command.
    Step(CommandId, Command),
    /// Another router is told that its request of this number is prepared.
    Prepared(PeerId, u32),
    /// An operator is told how it went.
    Told(CommandId, Instant),
}

impl Daemon {
    /// Reads the file now, without waiting for the thread that watches it, and sends what is new.
    pub(in crate::daemon) fn push_leases(&mut self, now: Instant) {
        let Some(watcher) = &self.leases.watcher else { return };
        let mut desk = watcher.desk();
        let mut items = watcher.take_all();
        if desk.watch == super::Watch::On {
            if let Err(error) = desk.look_now(&mut items) {
                log::warn!("{}: {}", desk.path.display(), plain(&error));
            }
        }
        drop(desk);
        self.leases.apply(items, now);
        self.feed_leases(now);
    }

    /// Waits until the other routers have confirmed everything, then goes on; in any case after `patience`.
    pub(in crate::daemon) fn flush_leases(&mut self, then: After, patience: Duration, now: Instant) {
        self.push_leases(now);
        self.files.look();
        self.leases.flushes.push(Flush { until: now.after(patience), then });
        self.check_flushes(now);
    }

    /// Goes on with what waited, if the other routers have everything.
    pub(in crate::daemon) fn check_flushes(&mut self, now: Instant) {
        if !self.leases.flushes.is_empty() && self.are_leases_level() && self.files.is_level() {
            for flush in core::mem::take(&mut self.leases.flushes) {
                self.flushed(flush.then, true, now);
            }
        }
    }

    pub(super) fn expire_flushes(&mut self, now: Instant) {
        while let Some(at) = self.leases.flushes.iter().position(|flush| flush.until <= now) {
            let flush = self.leases.flushes.swap_remove(at);
            self.flushed(flush.then, false, now);
        }
    }

    /// Whether every router that talks about leases has confirmed everything.
    fn are_leases_level(&self) -> bool {
        let table = &self.leases.table;
        self.leases.feeds.values().all(|feed| !feed.is_open() || feed.is_level(table))
    }

    fn flushed(&mut self, then: After, is_level: bool, now: Instant) {
        if !is_level {
            let what = if self.are_leases_level() { "files" } else { "leases" };
            log::warn!("{what}: the other router has not confirmed all of them in time");
        }
        match then {
            After::Step(id, command) => self.step(now, Event::Command { id, command }),
            After::Prepared(peer, request) => self.prepared(peer, request, None, now),
            After::Told(id, began) if is_level => self.conclude(id, &methods::done(now.since(began)), now),
            After::Told(id, _) => {
                let what = if self.are_leases_level() { "files" } else { "leases" };
                let why = format!("the other router has not confirmed all {what} yet");
                self.conclude(id, &methods::refused_answer(&why), now);
            }
        }
    }
}

//! Everything in a turn that is neither an advert nor the engine's timer.
//!
//! Most turns hear or say adverts and nothing else, up to a hundred times a second. What the rest of the daemon waits
//! for does not change by that, so such a turn leaves it alone: it asks nobody for deadlines and flushes nothing.

use crate::engine::Instant;

use super::run::Daemon;

/// When the rest of the daemon is to be looked at.
#[derive(Debug)]
pub struct Chores {
    /// The earliest deadline of all, as it was after the last look.
    due: Option<Instant>,
    /// Something has happened since that may have moved a deadline, or is to be passed on.
    is_news: bool,
}

impl Chores {
    /// To be looked at in the first turn.
    pub fn new() -> Chores {
        Chores { due: None, is_news: true }
    }

    /// Something has happened that is more than an advert.
    pub fn news(&mut self) {
        self.is_news = true;
    }

    /// The earliest deadline; at once if there are news. Before the first turn there are: a daemon that stands idle has
    /// no other reason to have one.
    pub fn due(&self) -> Option<Instant> {
        if self.is_news { Some(AT_ONCE) } else { self.due }
    }

    /// Whether this turn has to look.
    fn are_due(&self, now: Instant) -> bool {
        self.is_news || self.due.is_some_and(|due| due <= now)
    }
}

impl Daemon {
    /// What comes before the engine's timers: facts about links, and clients that were too slow.
    pub(super) fn begin_chores(&mut self, now: Instant) {
        if !self.chores.are_due(now) {
            return;
        }
        if is_due(self.system.next_deadline(), now) {
            self.links_changed(now);
        }
        if is_due(self.sockets.retry_at(), now) || is_due(self.conflicts.retry_at(), now) {
            self.update_sockets(now);
        }
        if is_due(self.server.next_deadline(), now) {
            self.server.expire(now, &mut self.poller);
        }
        self.hold_for_files(now);
    }

    /// What comes last: nothing that decides about a role waits for it.
    pub(super) fn end_chores(&mut self, now: Instant) {
        if !self.chores.are_due(now) {
            return;
        }
        if is_due(self.peering.next_deadline(), now) {
            self.expire_peers(now);
        }
        if is_due(self.asked.next_deadline(), now) {
            self.expire_asked(now);
        }
        if is_due(self.bus.next_deadline(), now) {
            self.serve_bus(now);
        }
        self.expire_leases(now);
        self.expire_files(now);
        self.memory.flush();
        self.run_duties(now);
        self.leases.flush();
        self.write_lines();
        self.bus.flush(&mut self.poller);
        self.peering.end_turn();
        self.chores = Chores { due: self.chores_deadline(), is_news: false };
    }

    fn chores_deadline(&self) -> Option<Instant> {
        Instant::earliest(&[
            self.system.next_deadline(),
            self.sockets.retry_at(),
            self.conflicts.retry_at(),
            self.server.next_deadline(),
            self.peering.next_deadline(),
            self.asked.next_deadline(),
            self.bus.next_deadline(),
            self.duties.next_deadline(),
            self.leases.next_deadline(),
            self.files.next_deadline(),
        ])
    }
}

fn is_due(deadline: Option<Instant>, now: Instant) -> bool {
    deadline.is_some_and(|deadline| deadline <= now)
}

const AT_ONCE: Instant = Instant::from_micros(0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_look_is_due_at_once_and_news_are_too() {
        let mut chores = Chores::new();
        assert_eq!(chores.due(), Some(AT_ONCE));
        chores = Chores { due: None, is_news: false };
        assert_eq!(chores.due(), None);
        chores.news();
        assert_eq!(chores.due(), Some(AT_ONCE));
    }
}

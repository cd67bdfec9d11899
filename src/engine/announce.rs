//! When addresses are announced (protocol rule 21): bursts spread over seconds, then a slow refresh.

use core::time::Duration;

use crate::config::model::AnnounceSchedule;

use super::time::Instant;
use super::timers::Timer;

/// The announcements of one instance.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Announcer {
    started: Instant,
    next_burst: usize,
    due: Timer,
}

/// Least time between two restarts for a rival's sake (rule 11).
const RESTART_MIN: Duration = Duration::from_secs(1);

impl Announcer {
    /// Begins the schedule; bursts of an earlier one are dropped, not stacked.
    pub fn start(&mut self, now: Instant, schedule: &AnnounceSchedule) {
        self.started = now;
        self.next_burst = 0;
        self.arm(now, schedule);
    }

    /// Begins the schedule again, a second after it began last at the earliest. Put off, not dropped: the
    /// loser of an election may have spoilt the neighbours' tables after the last round.
    pub fn restart(&mut self, now: Instant, schedule: &AnnounceSchedule) {
        let earliest = self.started.after(RESTART_MIN);
        if earliest <= now {
            self.start(now, schedule);
        } else if self.due.at().is_none_or(|due| due > earliest) {
            self.start(earliest, schedule);
        }
    }

    /// Says nothing any more.
    pub fn stop(&mut self) {
        self.due.stop();
    }

    /// Takes up the slow refresh without a burst: the addresses have been here all the time.
    pub fn resume(&mut self, now: Instant, schedule: &AnnounceSchedule) {
        self.started = now;
        self.next_burst = schedule.bursts.len();
        self.arm(now, schedule);
    }

    /// When [`Announcer::fires`] is due.
    pub fn due(&self) -> Option<Instant> {
        self.due.at()
    }

    /// Whether a round is due now. Rounds missed by a stall are one round.
    pub fn fires(&mut self, now: Instant, schedule: &AnnounceSchedule) -> bool {
        if !self.due.is_due(now) {
            return false;
        }
        while schedule.bursts.get(self.next_burst).is_some_and(|offset| self.started.after(*offset) <= now) {
            self.next_burst += 1;
        }
        self.arm(now, schedule);
        true
    }

    fn arm(&mut self, now: Instant, schedule: &AnnounceSchedule) {
        match (schedule.bursts.get(self.next_burst), schedule.refresh) {
            (Some(offset), _) => self.due.set(self.started.after(*offset)),
            (None, Some(refresh)) => self.due.set(now.after(refresh)),
            (None, None) => self.due.stop(),
        }
    }
}

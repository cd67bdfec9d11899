//! Timers are data: a point in time that may be set.

use super::time::Instant;

/// A timer that is set, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Timer(Option<Instant>);

impl Timer {
    /// Due at `at`.
    pub fn set(&mut self, at: Instant) {
        self.0 = Some(at);
    }

    /// Not due at any time.
    pub fn stop(&mut self) {
        self.0 = None;
    }

    /// When it is due.
    pub fn at(self) -> Option<Instant> {
        self.0
    }

    /// Whether it is due; leaves it set.
    pub fn is_due(self, now: Instant) -> bool {
        self.0.is_some_and(|at| at <= now)
    }

    /// Whether it is due; if so it is stopped.
    pub fn fires(&mut self, now: Instant) -> bool {
        let due = self.is_due(now);
        if due {
            self.stop();
        }
        due
    }
}

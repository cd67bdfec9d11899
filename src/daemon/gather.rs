//! When packets come one after the other, reads them by the handful.
//!
//! A master with many instances says everything in one turn, a flood never ends, and to wake up for each packet costs
//! more than the packet. So after some turns in a row that each found new packets, the next ones are given a
//! moment to arrive together.

use core::time::Duration;

use crate::engine::Instant;
use crate::limits;

/// How packets have come lately.
#[derive(Debug, Default)]
pub struct Gather {
    /// Packets were read in this turn.
    heard: bool,
    last: Instant,
    /// Turns in a row that read packets.
    streak: u32,
}

impl Gather {
    /// A packet was read.
    pub fn heard(&mut self) {
        self.heard = true;
    }

    /// To be called at the end of each turn: whether packets come in numbers, so that a pause is worth it.
    pub fn is_worth(&mut self, now: Instant) -> bool {
        if !core::mem::take(&mut self.heard) {
            return false;
        }
        let is_next = now.since(self.last) < limits::GATHER.saturating_mul(2);
        self.streak = if is_next { self.streak.saturating_add(1) } else { 0 };
        self.last = now;
        self.is_streak()
    }

    /// Whether packets have come in numbers lately.
    pub fn is_streak(&self) -> bool {
        self.streak >= limits::GATHER_AFTER
    }
}

/// How long the next turn waits before it looks. Nothing that is due is late by that.
pub fn pause(now: Instant, deadline: Option<Instant>) -> Option<Duration> {
    let margin = limits::GATHER.saturating_mul(3);
    deadline.is_none_or(|deadline| deadline > now.after(margin)).then_some(limits::GATHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many turns with packets, so many microseconds apart, are followed by a pause.
    fn pauses(turns: u32, apart: u64) -> usize {
        let mut gather = Gather::default();
        let found = (1..=u64::from(turns)).filter(|turn| {
            gather.heard();
            gather.is_worth(Instant::from_micros(1_000_000 + turn * apart))
        });
        found.count()
    }

    #[test]
    fn packets_of_a_few_instances_are_read_at_once() {
        assert_eq!(pauses(limits::GATHER_AFTER, 100), 0);
        assert_eq!(pauses(1000, 10_000), 0);
    }

    #[test]
    fn packets_that_do_not_end_are_gathered() {
        assert_eq!(pauses(100, 100), 100 - limits::GATHER_AFTER as usize);
    }

    #[test]
    fn nothing_that_is_due_soon_waits() {
        let now = Instant::from_micros(1_000_000);
        assert_eq!(pause(now, Some(now.after(Duration::from_millis(2)))), None);
        assert_eq!(pause(now, Some(now)), None);
        assert_eq!(pause(now, Some(now.after(Duration::from_millis(4)))), Some(limits::GATHER));
        assert_eq!(pause(now, None), Some(limits::GATHER));
    }

    #[test]
    fn after_a_turn_without_packets_there_is_no_pause() {
        let mut gather = Gather::default();
        for turn in 0..100 {
            gather.heard();
            gather.is_worth(Instant::from_micros(1_000_000 + turn * 100));
        }
        assert!(!gather.is_worth(Instant::from_micros(1_010_100)));
    }
}

//! When to try again. Pure: time and randomness are arguments.

use core::time::Duration;

use crate::engine::Instant;

/// A small generator (SplitMix64) for the jitter of retries. Good for nothing secret.
#[derive(Debug, Clone)]
pub struct Jitter(u64);

impl Jitter {
    /// The same seed gives the same numbers.
    pub const fn new(seed: u64) -> Jitter {
        Jitter(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// `delay` or up to a quarter less, so that two routers that fail for one reason don't retry in step.
    pub fn shorten(&mut self, delay: Duration) -> Duration {
        let quarter = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX) / 4;
        delay.saturating_sub(Duration::from_micros(self.next() % quarter.saturating_add(1)))
    }
}

/// The retries of one thing.
///
/// A failure is retried after 100 ms, then after twice as long each time, up to 10 s. A thing that was there and
/// that somebody removed is put back at once, for the first three times within 10 s; then it is treated as a
/// failure, until it has stood for 10 s. So a single accident heals at once, and two programs that
/// want opposite things don't burn the CPU.
#[derive(Debug, Clone, Default)]
pub struct Retry {
    /// Delays so far, without a success that lasted.
    delays: u32,
    /// When the next attempt is due; `None`: at once.
    due: Option<Instant>,
    /// When it was seen in place, while it is.
    standing_since: Option<Instant>,
    /// The latest losses that were put back at once, oldest first.
    losses: Vec<Instant>,
}

impl Retry {
    /// The attempt failed.
    pub fn failed(&mut self, now: Instant, jitter: &mut Jitter) {
        self.standing_since = None;
        self.delay(now, jitter);
    }

    /// It is in place, or nothing is wanted of it: nothing to retry.
    pub fn settled(&mut self, now: Instant) {
        self.due = None;
        let since = *self.standing_since.get_or_insert(now);
        // A failure is over with a success; a fight over the address only if that lasts.
        if self.losses.is_empty() || now.since(since) >= LOSS_WINDOW {
            *self = Retry { standing_since: Some(since), ..Retry::default() };
        }
    }

    /// It was in place, and is gone without our doing.
    pub fn lost(&mut self, now: Instant, jitter: &mut Jitter) {
        let stood = self.standing_since.take().map_or(Duration::ZERO, |since| now.since(since));
        if stood >= LOSS_WINDOW {
            self.delays = 0;
        }
        self.losses.retain(|loss| now.since(*loss) < LOSS_WINDOW);
        if self.delays == 0 && self.losses.len() < LOSSES_MAX {
            self.losses.push(now);
            self.due = None;
        } else {
            self.delay(now, jitter);
        }
    }

    fn delay(&mut self, now: Instant, jitter: &mut Jitter) {
        let delay = DELAY_MIN.saturating_mul(1u32.checked_shl(self.delays).unwrap_or(u32::MAX));
        self.delays = self.delays.saturating_add(1);
        self.due = Some(now.after(jitter.shorten(delay.min(DELAY_MAX))));
    }

    /// The next attempt is due then, if not before.
    pub fn not_after(&mut self, latest: Instant) {
        self.due = self.due.map(|due| due.min(latest));
    }

    /// When the next attempt is due; `None`: at once.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether the next attempt has to wait.
    pub fn is_waiting(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due > now)
    }
}

const DELAY_MIN: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(10);
const LOSS_WINDOW: Duration = Duration::from_secs(10);
const LOSSES_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    fn wait_ms(retry: &Retry, now: Instant) -> u64 {
        retry.due().map_or(0, |due| due.since(now).as_millis() as u64)
    }

    #[test]
    fn failures_wait_from_100_ms_doubling_to_10_s() {
        let (mut retry, mut jitter) = (Retry::default(), Jitter::new(1));

        for longest in [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000] {
            retry.failed(at(0), &mut jitter);
            let wait = wait_ms(&retry, at(0));
            assert!((longest * 3 / 4..=longest).contains(&wait), "{wait} of {longest}");
        }
        for _ in 0..100 {
            retry.failed(at(0), &mut jitter);
        }
        assert!(wait_ms(&retry, at(0)) <= 10_000);
    }

    #[test]
    fn a_success_ends_the_waiting_for_good() {
        let (mut retry, mut jitter) = (Retry::default(), Jitter::new(1));
        for _ in 0..5 {
            retry.failed(at(0), &mut jitter);
        }

        retry.settled(at(10));
        assert_eq!(retry.due(), None);
        retry.failed(at(20), &mut jitter);

        assert!(wait_ms(&retry, at(20)) <= 100);
    }

    #[test]
    fn three_losses_within_10_s_are_put_back_at_once() {
        let (mut retry, mut jitter) = (Retry::default(), Jitter::new(1));
        let mut waits = Vec::new();
        for loss in 0..6 {
            let now = at(loss * 1000);
            retry.settled(now);
            retry.lost(now, &mut jitter);
            waits.push(wait_ms(&retry, now).next_multiple_of(100));
        }
        assert_eq!(waits, [0, 0, 0, 100, 200, 400]);
    }

    #[test]
    fn losses_far_apart_are_always_put_back_at_once() {
        let (mut retry, mut jitter) = (Retry::default(), Jitter::new(1));
        for loss in 0..20 {
            retry.settled(at(loss * 4000));
            retry.lost(at(loss * 4000 + 1), &mut jitter);
            assert_eq!(retry.due(), None);
        }
    }

    #[test]
    fn a_fight_is_over_when_the_address_has_stood_for_10_s() {
        let (mut retry, mut jitter) = (Retry::default(), Jitter::new(1));
        for _ in 0..10 {
            retry.settled(at(0));
            retry.lost(at(0), &mut jitter);
        }
        retry.settled(at(5000));
        retry.lost(at(14_999), &mut jitter);
        assert!(retry.is_waiting(at(14_999)));

        retry.settled(at(20_000));
        retry.lost(at(30_000), &mut jitter);

        assert!(!retry.is_waiting(at(30_000)));
    }

    #[test]
    fn two_seeds_retry_apart() {
        let wait = |seed| {
            let mut retry = Retry::default();
            retry.failed(at(0), &mut Jitter::new(seed));
            retry.due()
        };
        assert_ne!(wait(1), wait(2));
        assert_eq!(wait(1), wait(1));
    }
}

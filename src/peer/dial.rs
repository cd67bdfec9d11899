//! When to try which segment next, and what came of it: pure.

use core::time::Duration;

use crate::engine::Instant;
use crate::reconcile::Jitter;

use super::handshake::Failure;
use super::session::End;

/// What came of the attempts to reach a router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Not tried on every segment yet.
    Unknown,
    /// Its system answers, but nothing listens there.
    Refused,
    /// Nobody answers.
    NoAnswer,
    /// The keys differ.
    Key,
    /// Something else went wrong.
    Other(End),
}

/// The attempts to reach one router.
#[derive(Debug)]
pub struct Dial {
    /// `None`: nothing better is left to try.
    due: Option<Instant>,
    /// Which segment is next.
    next: usize,
    /// Rounds over all segments without success.
    rounds: u32,
    /// What came of each segment of the round under way.
    results: Vec<Reach>,
    /// Of the last whole round.
    reach: Reach,
}

/// How long a connection may take to be made: a router on the same link answers in a millisecond, also a loaded one.
pub const CONNECT_PATIENCE: Duration = Duration::from_millis(1500);

const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_DOUBLINGS: u32 = 4;
/// How often a better segment is tried while the channel stands on another.
const UPGRADE_EVERY: Duration = Duration::from_secs(10);

impl Dial {
    /// May begin at once.
    pub const fn new(now: Instant) -> Dial {
        Dial { due: Some(now), next: 0, rounds: 0, results: Vec::new(), reach: Reach::Unknown }
    }

    /// When the next attempt is due.
    pub const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What is known of the other router while it is not connected.
    pub const fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Which of `count` segments is to be tried now.
    pub fn segment(&self, count: usize) -> usize {
        if self.next < count { self.next } else { 0 }
    }

    /// An attempt is under way; nothing else is tried before `until`.
    pub fn begun(&mut self, until: Instant) {
        self.due = Some(until);
    }

    /// The channel stands on segment `rank`: from now on only better ones are tried, and seldom.
    pub fn up(&mut self, rank: usize, now: Instant, jitter: &mut Jitter) {
        self.next = 0;
        self.rounds = 0;
        self.results.clear();
        self.reach = Reach::Unknown;
        self.due = if rank == 0 { None } else { Some(now.after(jitter.shorten(UPGRADE_EVERY))) };
    }

    /// The channel is gone: try at once, all segments.
    pub fn down(&mut self, now: Instant, jitter: &mut Jitter) {
        self.next = 0;
        self.rounds = 0;
        self.results.clear();
        self.due = Some(now.after(jitter.shorten(PAUSE_FIRST)));
    }

    /// The segments have changed.
    pub fn changed(&mut self, now: Instant) {
        self.next = 0;
        self.results.clear();
        self.due = Some(self.due.map_or(now, |due| due.min(now)));
    }

    /// The attempt on a segment came to nothing.
    pub fn failed(&mut self, result: Reach, count: usize, now: Instant, jitter: &mut Jitter) {
        self.results.push(result);
        self.next = self.next.saturating_add(1);
        if self.next < count {
            self.due = Some(now);
            return;
        }
        self.reach = worst(&self.results);
        self.results.clear();
        self.next = 0;
        let pause = PAUSE_FIRST.saturating_mul(1 << self.rounds.min(PAUSE_DOUBLINGS));
        self.rounds = self.rounds.saturating_add(1);
        self.due = Some(now.after(jitter.shorten(pause)));
    }

    /// A better segment is still not there.
    pub fn not_better(&mut self, now: Instant, jitter: &mut Jitter) {
        self.due = Some(now.after(jitter.shorten(UPGRADE_EVERY)));
    }
}

impl Reach {
    /// Of how a connection ended.
    pub fn of(end: &End) -> Reach {
        match end {
            End::KeyRefused | End::Handshake(Failure::Key) => Reach::Key,
            other => Reach::Other(other.clone()),
        }
    }

    /// How much it says: an answer from one segment says more than silence on another.
    const fn weight(&self) -> u8 {
        match self {
            Reach::Unknown => 0,
            Reach::NoAnswer => 1,
            Reach::Refused => 2,
            Reach::Other(_) => 3,
            Reach::Key => 4,
        }
    }
}

fn worst(results: &[Reach]) -> Reach {
    results.iter().max_by_key(|result| result.weight()).cloned().unwrap_or(Reach::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_micros(5_000_000);

    #[test]
    fn segments_are_tried_one_after_the_other_then_with_growing_pauses() {
        let (mut dial, mut jitter) = (Dial::new(START), Jitter::new(1));
        let (mut now, mut pauses) = (START, Vec::new());
        for _ in 0..8 {
            assert_eq!(dial.segment(2), 0);
            dial.failed(Reach::NoAnswer, 2, now, &mut jitter);
            assert_eq!((dial.segment(2), dial.due()), (1, Some(now)));
            dial.failed(Reach::Refused, 2, now, &mut jitter);
            let due = dial.due().unwrap();
            pauses.push(due.since(now));
            now = due;
        }
        assert_eq!(dial.reach(), &Reach::Refused);
        assert!(pauses[0] <= PAUSE_FIRST && pauses[0] >= PAUSE_FIRST * 3 / 4);
        assert!(pauses[7] <= PAUSE_FIRST * 16 && pauses[7] >= PAUSE_FIRST * 12);
    }

    #[test]
    fn answer_on_one_segment_says_more_than_silence_on_another() {
        let (mut dial, mut jitter) = (Dial::new(START), Jitter::new(1));
        dial.failed(Reach::Key, 2, START, &mut jitter);
        assert_eq!(dial.reach(), &Reach::Unknown);
        dial.failed(Reach::NoAnswer, 2, START, &mut jitter);
        assert_eq!(dial.reach(), &Reach::Key);
    }

    #[test]
    fn only_a_channel_on_a_lesser_segment_looks_for_a_better_one() {
        let (mut dial, mut jitter) = (Dial::new(START), Jitter::new(1));
        dial.up(0, START, &mut jitter);
        assert_eq!(dial.due(), None);
        dial.up(1, START, &mut jitter);
        assert!(dial.due().unwrap().since(START) <= UPGRADE_EVERY);
    }
}

//! The round under way: which targets have been asked and not answered yet.

use core::ops::Range;
use core::time::Duration;

use super::{Failure, Outcome, ProbeResult};

/// One test of all targets.
#[derive(Debug)]
pub(super) struct Round {
    number: Option<u32>,
    started_us: u64,
    /// For each target whether its result is still to come.
    open: Vec<bool>,
}

impl Round {
    pub(super) fn new(targets: usize) -> Round {
        Round { number: None, started_us: 0, open: vec![false; targets] }
    }

    pub(super) fn begin(&mut self, number: u32, now_us: u64) {
        self.number = Some(number);
        self.started_us = now_us;
        self.open.fill(true);
    }

    pub(super) fn end(&mut self) {
        self.number = None;
        self.open.fill(false);
    }

    pub(super) fn is(&self, number: u32) -> bool {
        self.number == Some(number)
    }
}

/// Where answers go: at most one result for each target of a round.
pub(super) struct Answers<'a> {
    round: &'a mut Round,
    now_us: u64,
    out: &'a mut Vec<ProbeResult>,
}

impl<'a> Answers<'a> {
    pub(super) fn new(round: &'a mut Round, now_us: u64, out: &'a mut Vec<ProbeResult>) -> Answers<'a> {
        Answers { round, now_us, out }
    }

    /// The round under way; `None` between rounds.
    pub(super) fn round(&self) -> Option<u32> {
        self.round.number
    }

    pub(super) fn answered(&mut self, target: u16) {
        let took = Duration::from_micros(self.now_us.saturating_sub(self.round.started_us));
        self.settle(target, Outcome::Answered(took));
    }

    pub(super) fn failed(&mut self, target: u16, failure: Failure) {
        self.settle(target, Outcome::Failed(failure));
    }

    pub(super) fn all_failed(&mut self, failure: Failure) {
        for target in numbers(self.round.open.len()) {
            self.failed(target, failure);
        }
    }

    fn settle(&mut self, target: u16, outcome: Outcome) {
        let Some(round) = self.round.number else {
            return;
        };
        if let Some(open @ true) = self.round.open.get_mut(usize::from(target)) {
            *open = false;
            self.out.push(ProbeResult { round, target, outcome });
        }
    }
}

/// The numbers of so many targets.
pub(super) fn numbers(targets: usize) -> Range<u16> {
    0..u16::try_from(targets).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_gives_one_result_a_round() {
        let mut round = Round::new(2);
        let mut out = Vec::new();
        round.begin(7, 1000);

        let mut answers = Answers::new(&mut round, 1500, &mut out);
        answers.answered(1);
        answers.failed(1, Failure::Refused);
        answers.answered(2);

        let outcome = Outcome::Answered(Duration::from_micros(500));
        assert_eq!(out, [ProbeResult { round: 7, target: 1, outcome }]);
    }

    #[test]
    fn nothing_is_answered_between_rounds() {
        let mut round = Round::new(1);
        let mut out = Vec::new();
        Answers::new(&mut round, 0, &mut out).answered(0);
        round.begin(1, 0);
        round.end();
        Answers::new(&mut round, 0, &mut out).all_failed(Failure::NoDevice);

        assert_eq!(out, []);
        assert!(!round.is(1));
    }
}

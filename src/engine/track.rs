//! Reachability checks: rounds of probes, and the verdict that counts `fall` and `rise`.
//!
//! A track asks all its targets at once; the test is good as soon as `need` of them have answered and bad
//! as soon as too few can. Besides the scheduled tests there is one in doubt (protocol rule 6), asked for
//! by a group that is about to claim the role; it answers the question but moves no verdict.

use core::time::Duration;

use crate::config::model::{Track as Config, TrackId, TrackKind};

use super::action::{Action, Notice};
use super::event::{ProbeOutcome, Round};
use super::time::Instant;
use super::timers::Timer;
use super::view::{TargetView, TrackState};

/// A track at work.
#[derive(Debug, Clone)]
pub(super) struct Track {
    id: TrackId,
    verdict: TrackState,
    since: Instant,
    streak: Streak,
    /// When the next scheduled test begins; not set while the track does not run here.
    test: Timer,
    scheduled: Option<Test>,
    doubt: Option<Test>,
    last_round: Round,
    /// Bad tests before this time decide nothing: the interface has just come up (rule 9).
    judge_from: Instant,
    targets: Vec<TargetView>,
}

/// Tests in a row with the same result.
#[derive(Debug, Clone, Copy, Default)]
struct Streak {
    good: bool,
    length: u16,
}

/// One round of probes.
#[derive(Debug, Clone)]
struct Test {
    round: Round,
    deadline: Instant,
    answered: Vec<Option<bool>>,
    result: Option<bool>,
    open: bool,
}

/// What a test in doubt has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// No answer yet.
    Pending,
    /// Reachable at this moment.
    Confirmed,
    /// Not reachable, or asked for again meanwhile.
    Failed,
}

impl Track {
    pub fn new(id: TrackId, config: &Config, now: Instant) -> Track {
        Track {
            id,
            verdict: TrackState::Unknown,
            since: now,
            streak: Streak::default(),
            test: Timer::default(),
            scheduled: None,
            doubt: None,
            last_round: Round(0),
            judge_from: now,
            targets: vec![TargetView { state: TrackState::Unknown, rtt: None }; config.kind.targets()],
        }
    }

    /// Which track of the configuration it is.
    pub fn id(&self) -> TrackId {
        self.id
    }

    /// It has another id after a reload.
    pub fn move_to(&mut self, id: TrackId) {
        self.id = id;
    }

    pub fn verdict(&self) -> TrackState {
        self.verdict
    }

    pub fn since(&self) -> Instant {
        self.since
    }

    pub fn targets(&self) -> &[TargetView] {
        &self.targets
    }

    /// Tests in a row with the last result, and how many such would change the verdict.
    pub fn streak(&self, config: &Config) -> (u16, u16) {
        let needed = match self.verdict {
            TrackState::Unknown => 1,
            TrackState::Up => config.fall,
            TrackState::Down => config.rise,
        };
        (self.streak.length, needed)
    }

    pub fn is_running(&self) -> bool {
        self.test.at().is_some()
    }

    /// Begins to test, if it does not already. Until `judge_from` a bad test decides nothing: a link that has
    /// just come up, or is about to at boot, says nothing about the carrier. A track that runs is never judged
    /// later than was said before.
    pub fn run(&mut self, now: Instant, judge_from: Instant) {
        if self.is_running() {
            self.judge_from = self.judge_from.min(judge_from);
        } else {
            self.judge_from = judge_from;
            self.test.set(now);
        }
    }

    /// Stops testing; the verdict stays.
    pub fn halt(&mut self, out: &mut Vec<Action>) {
        self.test.stop();
        let id = self.id;
        for test in [self.scheduled.take(), self.doubt.take()].into_iter().flatten() {
            test.end(id, out);
        }
    }

    /// Forgets the verdict: it will be judged anew.
    pub fn forget(&mut self, now: Instant) {
        self.set_verdict(TrackState::Unknown, now);
        self.streak = Streak::default();
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        let open = |test: &Option<Test>| test.as_ref().filter(|test| test.open).map(|test| test.deadline);
        Instant::earliest(&[self.test.at(), open(&self.scheduled), open(&self.doubt)])
    }

    /// Ends the tests whose time is up and begins the next one.
    pub fn timeout(&mut self, now: Instant, config: &Config, link: Carrier, out: &mut Vec<Action>) {
        if let Some(test) = self.scheduled.take_if(|test| test.deadline <= now) {
            self.conclude(now, config, test, out);
        }
        if let Some(test) = self.doubt.as_mut().filter(|test| test.open && test.deadline <= now) {
            test.result.get_or_insert(false);
            test.close(self.id, out);
        }
        if self.test.is_due(now) {
            self.begin(now, config, link, out);
        }
    }

    /// Books what came of asking one target.
    pub fn answer(&mut self, now: Instant, config: &Config, answer: Answer, out: &mut Vec<Action>) {
        if let Some(target) = self.targets.get_mut(answer.target) {
            (target.state, target.rtt) = match answer.outcome {
                ProbeOutcome::Answered(rtt) => (TrackState::Up, Some(rtt)),
                ProbeOutcome::Failed => (TrackState::Down, None),
            };
        }
        if let Some(test) = self.scheduled.as_mut().filter(|test| test.round == answer.round) {
            let decided = test.result.is_some();
            test.book(&answer, config.need);
            let result = test.result.filter(|_| !decided);
            if let Some(good) = result {
                self.sample(now, config, good, out);
            }
        } else if let Some(test) = self.doubt.as_mut().filter(|test| test.open && test.round == answer.round)
        {
            test.book(&answer, config.need);
            if test.result.is_some() {
                test.close(self.id, out);
            }
            if test.result == Some(true) {
                self.supersede(now, config, out);
            }
        }
    }

    /// A good answer in doubt is newer than a scheduled test that still waits for its own.
    fn supersede(&mut self, now: Instant, config: &Config, out: &mut Vec<Action>) {
        if let Some(mut test) = self.scheduled.take_if(|test| test.result.is_none()) {
            test.close(self.id, out);
            self.sample(now, config, true, out);
        }
    }

    /// The condition of its link changed: for a `link` track that is a test, for others a reason to begin one.
    /// What was asked while the link was down says nothing.
    pub fn link_changed(&mut self, now: Instant, config: &Config, link: Carrier, out: &mut Vec<Action>) {
        if !self.is_running() {
            return;
        }
        if matches!(config.kind, TrackKind::Link) {
            self.sample(now, config, link == Carrier::Up, out);
        } else if link == Carrier::Up {
            if let Some(mut test) = self.scheduled.take() {
                test.close(self.id, out);
            }
            self.test.set(now);
        }
    }

    /// Asks once more, now. A test in doubt that is still open serves everybody who asks.
    pub fn ask(&mut self, now: Instant, config: &Config, out: &mut Vec<Action>) -> Round {
        match &self.doubt {
            Some(test) if test.open => test.round,
            Some(_) | None => {
                let test = self.open(now, config, out);
                let round = test.round;
                self.doubt = Some(test);
                round
            }
        }
    }

    /// What the test in doubt of this round has shown.
    pub fn doubt(&self, round: Round) -> Doubt {
        match self.doubt.as_ref().filter(|test| test.round == round) {
            None => Doubt::Failed,
            Some(test) => match test.result {
                None => Doubt::Pending,
                Some(true) => Doubt::Confirmed,
                Some(false) => Doubt::Failed,
            },
        }
    }

    fn begin(&mut self, now: Instant, config: &Config, link: Carrier, out: &mut Vec<Action>) {
        let due = self.test.at().unwrap_or(now).after(config.interval);
        self.test.set(if due > now { due } else { now.after(config.interval) });
        if let Some(test) = self.scheduled.take() {
            self.conclude(now, config, test, out);
        }
        if link == Carrier::Down {
            // Nobody can answer, so nobody is asked.
            return self.sample(now, config, false, out);
        }
        if matches!(config.kind, TrackKind::Link) {
            return self.sample(now, config, true, out);
        }
        let test = self.open(now, config, out);
        self.scheduled = Some(test);
    }

    fn open(&mut self, now: Instant, config: &Config, out: &mut Vec<Action>) -> Test {
        self.last_round = Round(self.last_round.0.wrapping_add(1));
        out.push(Action::Probe { track: self.id, round: self.last_round });
        Test {
            round: self.last_round,
            deadline: now.after(config.timeout),
            answered: vec![None; config.kind.targets()],
            result: None,
            open: true,
        }
    }

    /// The time of a scheduled test is up: who has not answered has failed.
    fn conclude(&mut self, now: Instant, config: &Config, mut test: Test, out: &mut Vec<Action>) {
        for (target, answer) in self.targets.iter_mut().zip(&test.answered) {
            if answer.is_none() {
                *target = TargetView { state: TrackState::Down, rtt: None };
            }
        }
        test.close(self.id, out);
        if test.result.is_none() {
            self.sample(now, config, false, out);
        }
    }

    fn sample(&mut self, now: Instant, config: &Config, good: bool, out: &mut Vec<Action>) {
        if self.streak.good != good {
            self.streak = Streak { good, length: 0 };
        }
        self.streak.length = self.streak.length.saturating_add(1);
        let verdict = match (self.verdict, good) {
            (TrackState::Unknown, true) => TrackState::Up,
            (TrackState::Unknown, false) if now >= self.judge_from => TrackState::Down,
            (TrackState::Up, false) if now >= self.judge_from && self.streak.length >= config.fall => {
                TrackState::Down
            }
            (TrackState::Down, true) if self.streak.length >= config.rise => TrackState::Up,
            (unchanged, _) => unchanged,
        };
        if verdict != self.verdict {
            out.push(Action::Notice(Notice::TrackChanged { track: self.id, up: verdict == TrackState::Up }));
            self.set_verdict(verdict, now);
        }
    }

    fn set_verdict(&mut self, verdict: TrackState, now: Instant) {
        if verdict != self.verdict {
            self.verdict = verdict;
            self.since = now;
        }
    }
}

/// One target's answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub round: Round,
    pub target: usize,
    pub outcome: ProbeOutcome,
}

/// Whether frames can pass the track's link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    /// They can.
    Up,
    /// They can't.
    Down,
}

impl Test {
    fn book(&mut self, answer: &Answer, need: u16) {
        let Some(slot) = self.answered.get_mut(answer.target) else { return };
        *slot = Some(matches!(answer.outcome, ProbeOutcome::Answered(_)));
        let count = |wanted: Option<bool>| self.answered.iter().filter(|slot| **slot == wanted).count();
        let need = usize::from(need);
        if count(Some(true)) >= need {
            self.result.get_or_insert(true);
        } else if count(Some(true)) + count(None) < need {
            self.result.get_or_insert(false);
        }
    }

    fn close(&mut self, track: TrackId, out: &mut Vec<Action>) {
        if self.open {
            self.open = false;
            out.push(Action::EndProbe { track, round: self.round });
        }
    }

    fn end(mut self, track: TrackId, out: &mut Vec<Action>) {
        self.close(track, out);
    }
}

/// The longest that this track may take to turn up again once its target is back.
pub(super) fn rise_time(config: &Config) -> Duration {
    config.interval.saturating_mul(u32::from(config.rise)).saturating_add(config.timeout)
}

//! A duty, how it should be, and what is being done about it.

use core::time::Duration;

use crate::config::model::GroupId;
use crate::engine::Instant;
use crate::reconcile::{Jitter, Retry, Row};

use super::super::desired::Duty;
use super::super::step::Side;
use super::{Act, Seen, Ticket};

/// A duty, and how it stands.
#[derive(Debug)]
pub struct Item {
    /// `None` for what the configuration does not mention any more.
    pub group: Option<GroupId>,
    /// What it is about.
    pub duty: Duty,
    /// `None`: nothing is wanted of it yet.
    pub wanted: Option<Side>,
    /// Since when that is wanted.
    pub wanted_since: Instant,
    /// How it was seen last.
    pub seen: Seen,
    /// What is under way.
    pub attempt: Option<Attempt>,
    /// When it is looked at again while it is right.
    pub look_at: Option<Instant>,
    /// When it is tried again after a failure.
    pub retry: Retry,
    /// What went wrong last.
    pub error: Option<String>,
    /// Another router is giving up its own, and has not yet.
    pub is_held_elsewhere: bool,
}

/// What is under way.
#[derive(Debug)]
pub struct Attempt {
    /// Goes into the answer.
    pub ticket: Ticket,
    /// What is done.
    pub act: Act,
    /// Since when.
    pub begun: Instant,
    /// When it is given up.
    pub deadline: Instant,
}

impl Item {
    /// Of which nothing is known or wanted yet.
    pub fn new(duty: Duty, now: Instant) -> Item {
        Item {
            group: None,
            duty,
            wanted: None,
            wanted_since: now,
            seen: Seen::NotYet,
            attempt: None,
            look_at: None,
            retry: Retry::default(),
            error: None,
            is_held_elsewhere: false,
        }
    }

    /// How long it waits for another router to give up its own, if that is what it waits for.
    pub fn held_until(&self, now: Instant) -> Option<Instant> {
        let end = self.wanted_since.after(ELSEWHERE_MAX);
        (self.is_held_elsewhere && self.wanted == Some(Side::Master) && now < end).then_some(end)
    }

    /// Failures under another role no longer count; what is being done for it may end, but not take its time.
    pub fn want(&mut self, wanted: Option<Side>, now: Instant) {
        if self.wanted == wanted {
            return;
        }
        (self.wanted, self.wanted_since) = (wanted, now);
        self.retry = Retry::default();
        self.error = None;
        if let Some(attempt) = &mut self.attempt {
            attempt.deadline = attempt.deadline.min(now.after(OUTDATED_MAX));
        }
    }

    /// An attempt has failed.
    pub fn failed(&mut self, error: String, now: Instant, jitter: &mut Jitter) {
        self.error = Some(error);
        // Half of it may be done.
        self.seen = Seen::NotYet;
        self.retry.failed(now, jitter);
        if now.since(self.wanted_since) < HURRY.0 {
            self.retry.not_after(now.after(jitter.shorten(HURRY.1)));
        }
    }

    /// Somebody has looked.
    pub fn looked(&mut self, seen: Seen, now: Instant, jitter: &mut Jitter) {
        let was_right = self.wanted.is_some_and(|wanted| self.seen == Seen::As(wanted));
        let is_right = self.wanted.is_some_and(|wanted| seen == Seen::As(wanted));
        // To look and not to see is no reason to doubt what was done.
        self.seen = match (seen, self.seen) {
            (Seen::As(_) | Seen::Neither, _) => seen,
            (Seen::NotYet | Seen::Unknown, Seen::As(known)) => Seen::As(known),
            (Seen::NotYet | Seen::Unknown, Seen::NotYet | Seen::Unknown | Seen::Neither) => Seen::Unknown,
        };
        if is_right {
            self.error = None;
            self.retry.settled(now);
        } else if was_right && seen != Seen::Unknown {
            self.retry.lost(now, jitter);
        }
        self.look_later(now, Duration::MAX);
    }

    /// It was brought somewhere.
    pub fn done(&mut self, seen: Seen, now: Instant) {
        self.seen = seen;
        if self.wanted.is_some_and(|wanted| seen == Seen::As(wanted)) {
            self.error = None;
            self.retry.settled(now);
        }
        self.look_later(now, FIRST_LOOK);
    }

    fn look_later(&mut self, now: Instant, latest: Duration) {
        self.look_at = self.duty.kind.step().look_every.map(|period| now.after(period.min(latest)));
    }

    fn is_right(&self) -> bool {
        self.wanted.is_some_and(|wanted| self.seen == Seen::As(wanted))
    }

    /// Whether nothing more has to be done about what the configuration does not mention.
    pub fn is_released(&self) -> bool {
        self.group.is_none() && self.attempt.is_none() && self.seen == Seen::As(Side::Gone)
    }

    /// The line of the status.
    pub fn row(&self, now: Instant) -> Row {
        let step = self.duty.kind.step();
        Row {
            kind: self.duty.kind.name(),
            name: self.duty.name.clone(),
            wanted: self.wanted.map_or("as it is", |side| step.word(side)),
            observed: match (self.seen, &self.attempt) {
                (_, Some(Attempt { act: Act::Bring(_), .. })) => "changing",
                (_, None) if self.held_until(now).is_some() && !self.is_right() => "waiting",
                (Seen::NotYet | Seen::Unknown, _) => "unknown",
                (Seen::Neither, _) => "other",
                (Seen::As(side), _) => step.word(side),
            },
            error: self.error.clone(),
            retry_in: self.retry.due().filter(|due| *due > now).map(|due| due.since(now)),
        }
    }
}

/// For so long after a role change, for which somebody is waiting, nothing waits longer than that to be tried again.
const HURRY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_millis(800));

/// When what has just been done is looked at: what was started may have ended at once.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// How long an attempt for a role that is over may still take.
const OUTDATED_MAX: Duration = Duration::from_secs(1);

/// How long a new master waits for the other router to give up what only one of them may have. A carrier that answers confirms the
/// end of a connection within some round trips. One that does not is asked again by pppd after three seconds: then its own
/// timeout is what counts, and to wait for more would be an outage for nothing.
pub const ELSEWHERE_MAX: Duration = Duration::from_secs(2);

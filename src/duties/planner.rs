//! What to do next.

use core::time::Duration;

use crate::collect::IntoVec as _;
use crate::config::model::GroupId;
use crate::engine::Instant;
use crate::reconcile::{Jitter, Retry, Row};

use super::desired::Duty;
use super::step::{Kind, Side};

/// Identifies an attempt. Answers to others are void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u32);

/// What is to be done about a duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Find out how it is.
    Look,
    /// Make it so.
    Bring(Side),
}

/// An attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job<'a> {
    /// Goes into the answer.
    pub ticket: Ticket,
    /// What it is about.
    pub duty: &'a Duty,
    /// What is to be done.
    pub act: Act,
}

/// How a thing is, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Nobody has looked yet.
    NotYet,
    /// Nobody can say.
    Unknown,
    /// Like this.
    As(Side),
    /// Like none of these.
    Neither,
}

/// What came of an attempt: how the thing is now, or a reason for people.
pub type Answer = Result<Seen, String>;

/// What becomes of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// It is over already.
    Done(Answer),
    /// The answer comes later, by [`Planner::answer`].
    Running,
}

/// Those who carry it out.
pub trait Hands {
    /// Begins an attempt. Must not wait for anything.
    fn start(&mut self, job: Job<'_>, now: Instant) -> Started;

    /// The attempt is given up: its time is over. Its answer is not wanted any more.
    fn abandon(&mut self, ticket: Ticket);
}

/// Keeps how each duty should be and how it is.
#[derive(Debug)]
pub struct Planner {
    items: Vec<Item>,
    last_ticket: u32,
    jitter: Jitter,
}

#[derive(Debug)]
struct Item {
    /// `None` for what the configuration does not mention any more.
    group: Option<GroupId>,
    duty: Duty,
    /// `None`: nothing is wanted of it yet.
    wanted: Option<Side>,
    wanted_since: Instant,
    seen: Seen,
    attempt: Option<Attempt>,
    look_at: Option<Instant>,
    retry: Retry,
    error: Option<String>,
}

#[derive(Debug)]
struct Attempt {
    ticket: Ticket,
    act: Act,
    begun: Instant,
    deadline: Instant,
}

impl Planner {
    /// Without duties. The seed keeps two routers from retrying in step.
    pub fn new(seed: u64) -> Planner {
        Planner { items: Vec::new(), last_ticket: 0, jitter: Jitter::new(seed) }
    }

    /// Takes the duties of a new configuration, and how each group's should be.
    ///
    /// What was there before keeps its history. What is left out becomes as it would be without gwha.
    pub fn configure(
        &mut self,
        duties: Vec<(GroupId, Duty)>,
        wanted: &dyn Fn(GroupId, Kind) -> Option<Side>,
        now: Instant,
    ) {
        let mut known = core::mem::take(&mut self.items);
        for (group, duty) in duties {
            let old = known.iter().position(|old| old.duty == duty).map(|place| known.swap_remove(place));
            let mut item = old.unwrap_or_else(|| Item::new(duty, now));
            item.group = Some(group);
            item.want(wanted(group, item.duty.kind), now);
            self.items.push(item);
        }
        for mut item in known {
            item.group = None;
            item.want(Some(Side::Gone), now);
            self.items.push(item);
        }
    }

    /// A group has another role.
    pub fn set_role(&mut self, group: GroupId, wanted: impl Fn(Kind) -> Option<Side>, now: Instant) {
        for item in self.items.iter_mut().filter(|item| item.group == Some(group)) {
            item.want(wanted(item.duty.kind), now);
        }
    }

    /// All of them should be like this, whatever the roles are: the daemon leaves.
    pub fn want_all(&mut self, wanted: Side, now: Instant) {
        for item in self.items.iter_mut().filter(|item| item.group.is_some()) {
            item.want(Some(wanted), now);
        }
    }

    /// A thing that was as it should be has broken down.
    pub fn broke(&mut self, is_about: impl Fn(&Duty) -> bool, error: &str, now: Instant) {
        let Planner { items, jitter, .. } = self;
        for item in items.iter_mut().filter(|item| is_about(&item.duty)) {
            item.failed(error.to_owned(), now, jitter);
        }
    }

    /// Begins what is due, and gives up what takes too long.
    pub fn run(&mut self, now: Instant, hands: &mut impl Hands) {
        self.expire(now, hands);
        // What is over at once can let another thing begin. Each round but the last ends something for good, or
        // until its retry is due: a look, a change, for each item.
        for _ in 0..self.items.len().saturating_mul(4).saturating_add(1) {
            let mut is_progress = false;
            for place in 0..self.items.len() {
                is_progress |= self.begin(place, now, hands);
            }
            if !is_progress {
                break;
            }
        }
        self.items.retain(|item| !item.is_released());
    }

    /// Whether something has come of it at once.
    fn begin(&mut self, place: usize, now: Instant, hands: &mut impl Hands) -> bool {
        let Some(act) = self.due(place, now) else { return false };
        let ticket = Ticket(self.last_ticket.wrapping_add(1));
        self.last_ticket = ticket.0;
        let Some(item) = self.items.get_mut(place) else { return false };
        let started = hands.start(Job { ticket, duty: &item.duty, act }, now);
        let deadline = now.after(item.duty.kind.step().deadline);
        item.attempt = Some(Attempt { ticket, act, begun: now, deadline });
        match started {
            Started::Running => false,
            Started::Done(answer) => {
                self.answer(ticket, answer, now);
                true
            }
        }
    }

    /// What is to be done about an item now.
    fn due(&self, place: usize, now: Instant) -> Option<Act> {
        let item = self.items.get(place)?;
        let wanted = item.wanted?;
        if item.attempt.is_some() || item.retry.is_waiting(now) {
            return None;
        }
        match item.seen {
            Seen::NotYet => Some(Act::Look),
            Seen::As(side) if side == wanted => item.look_at.is_some_and(|at| at <= now).then_some(Act::Look),
            Seen::As(_) | Seen::Unknown | Seen::Neither => {
                self.blocked_until(item, wanted, now).is_none().then_some(Act::Bring(wanted))
            }
        }
    }

    /// How long an item waits for others at most; `None` if it does not.
    fn blocked_until(&self, item: &Item, wanted: Side, now: Instant) -> Option<Instant> {
        let waits = item.duty.kind.step().after(wanted).iter().filter_map(|after| {
            let end = item.wanted_since.after(after.patience);
            let is_missing = |other: &Item| {
                other.group == item.group
                    && other.duty.kind == after.kind
                    && other.wanted == Some(wanted)
                    && other.seen != Seen::As(wanted)
            };
            (end > now && self.items.iter().any(is_missing)).then_some(end)
        });
        waits.max()
    }

    fn expire(&mut self, now: Instant, hands: &mut impl Hands) {
        for item in &mut self.items {
            let Some(attempt) = item.attempt.take_if(|attempt| attempt.deadline <= now) else { continue };
            hands.abandon(attempt.ticket);
            let is_outdated =
                matches!(attempt.act, Act::Bring(side) if item.wanted.is_some_and(|wanted| wanted != side));
            let error = match is_outdated {
                true => "given up for a newer role".to_owned(),
                false => format!("no answer within {} s", now.since(attempt.begun).as_secs()),
            };
            item.failed(error, now, &mut self.jitter);
        }
    }

    /// What came of an attempt.
    pub fn answer(&mut self, ticket: Ticket, answer: Answer, now: Instant) {
        let is_it = |item: &&mut Item| item.attempt.as_ref().is_some_and(|it| it.ticket == ticket);
        let Some(item) = self.items.iter_mut().find(is_it) else { return };
        let Some(attempt) = item.attempt.take() else { return };
        match (answer, attempt.act) {
            (Err(error), _) => item.failed(error, now, &mut self.jitter),
            (Ok(seen), Act::Look) => item.looked(seen, now, &mut self.jitter),
            // Nobody could say how it is, so it is taken for done.
            (Ok(Seen::NotYet | Seen::Unknown), Act::Bring(side)) => item.done(Seen::As(side), now),
            (Ok(seen @ (Seen::As(_) | Seen::Neither)), Act::Bring(_)) => item.done(seen, now),
        }
    }

    /// A thing that is as it should be has to be brought there once more.
    pub fn redo(&mut self, is_about: impl Fn(&Duty) -> bool, now: Instant) {
        let Planner { items, jitter, .. } = self;
        let is_right = |item: &Item| item.wanted.is_some_and(|wanted| item.seen == Seen::As(wanted));
        for item in items.iter_mut().filter(|item| is_about(&item.duty) && is_right(item)) {
            item.seen = Seen::Neither;
            item.retry.lost(now, jitter);
        }
    }

    /// Somebody has told that a thing may be another way now.
    pub fn look_again(&mut self, is_about: impl Fn(&Duty) -> bool, now: Instant) {
        for item in self.items.iter_mut().filter(|item| is_about(&item.duty)) {
            item.look_at = Some(now);
        }
    }

    /// When [`Planner::run`] has something to do without any news.
    pub fn next_deadline(&self, now: Instant) -> Option<Instant> {
        self.items.iter().filter_map(|item| self.deadline_of(item, now)).min()
    }

    fn deadline_of(&self, item: &Item, now: Instant) -> Option<Instant> {
        let wanted = item.wanted?;
        if let Some(attempt) = &item.attempt {
            return Some(attempt.deadline);
        }
        if item.seen == Seen::As(wanted) {
            return item.look_at;
        }
        let retry = item.retry.due().unwrap_or(now);
        Some(self.blocked_until(item, wanted, now).map_or(retry, |end| end.max(retry)))
    }

    /// Whether everything is as it should be.
    pub fn is_settled(&self) -> bool {
        self.items.iter().all(|item| item.wanted.is_none_or(|wanted| item.seen == Seen::As(wanted)))
    }

    /// How a duty was seen last.
    pub fn seen(&self, is_about: impl Fn(&Duty) -> bool) -> Option<Seen> {
        self.items.iter().find(|item| is_about(&item.duty)).map(|item| item.seen)
    }

    /// The lines of the status.
    pub fn rows(&self, now: Instant) -> Vec<Row> {
        self.items.iter().map(|item| item.row(now)).into_vec()
    }
}

impl Item {
    fn new(duty: Duty, now: Instant) -> Item {
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
        }
    }

    /// Failures under another role no longer count; what is being done for it may end, but not take its time.
    fn want(&mut self, wanted: Option<Side>, now: Instant) {
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

    fn failed(&mut self, error: String, now: Instant, jitter: &mut Jitter) {
        self.error = Some(error);
        // Half of it may be done.
        self.seen = Seen::NotYet;
        self.retry.failed(now, jitter);
        if now.since(self.wanted_since) < HURRY.0 {
            self.retry.not_after(now.after(jitter.shorten(HURRY.1)));
        }
    }

    fn looked(&mut self, seen: Seen, now: Instant, jitter: &mut Jitter) {
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

    fn done(&mut self, seen: Seen, now: Instant) {
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

    /// Whether nothing more has to be done about what the configuration does not mention.
    fn is_released(&self) -> bool {
        self.group.is_none() && self.attempt.is_none() && self.seen == Seen::As(Side::Gone)
    }

    fn row(&self, now: Instant) -> Row {
        let step = self.duty.kind.step();
        Row {
            kind: self.duty.kind.name(),
            name: self.duty.name.clone(),
            wanted: self.wanted.map_or("as it is", |side| step.word(side)),
            observed: match (self.seen, &self.attempt) {
                (_, Some(Attempt { act: Act::Bring(_), .. })) => "changing",
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

#[cfg(test)]
mod tests;

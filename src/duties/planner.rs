//! What to do next.

mod item;

use crate::config::model::GroupId;
use crate::engine::Instant;
use crate::reconcile::{Jitter, Row};

use super::desired::Duty;
use super::step::{Kind, Side};

use item::{Attempt, Item};

pub use item::ELSEWHERE_MAX;

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
    /// How it should be.
    pub wanted: Side,
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
pub type Answer = Result<Seen, Box<str>>;

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

    /// Tells which things another router is about to give up, and still has. They are not brought to the master's side before
    /// it says that it has not, or for [`ELSEWHERE_MAX`].
    pub fn held_elsewhere(&mut self, is_held: &dyn Fn(GroupId, &Duty) -> bool) {
        for item in &mut self.items {
            item.is_held_elsewhere = item.group.is_some_and(|group| is_held(group, &item.duty));
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
        let Some(wanted) = item.wanted else { return false };
        let started = hands.start(Job { ticket, duty: &item.duty, act, wanted }, now);
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

    /// How long an item waits for others, here or on another router, at most; `None` if it does not.
    fn blocked_until(&self, item: &Item, wanted: Side, now: Instant) -> Option<Instant> {
        let mut latest = item.held_until(now);
        for after in item.duty.kind.step().after(wanted) {
            let end = item.wanted_since.after(after.patience);
            let is_missing = |other: &Item| {
                other.group == item.group
                    && other.duty.kind == after.kind
                    && other.wanted == Some(wanted)
                    && other.seen != Seen::As(wanted)
            };
            if end > now && self.items.iter().any(is_missing) {
                latest = latest.max(Some(end));
            }
        }
        latest
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
            (Err(error), _) => item.failed(error.into(), now, &mut self.jitter),
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
        let mut rows = Vec::new();
        for item in &self.items {
            rows.push(item.row(now));
        }
        rows
    }
}

#[cfg(test)]
mod tests;

//! Rules 3, 10 and 11: what a master says, and when it yields.

use core::time::Duration;

use crate::limits;

use super::super::action::{Action, Notice};
use super::super::cx::Cx;
use super::super::member::Rhythm;
use super::super::role::Cause;
use super::super::time::Instant;
use super::super::timers::Timer;
use super::command::Giving;
use super::priority::TAKE;
use super::{Group, Heard, Speaker, State};

/// A group that is master.
#[derive(Debug, Clone, Copy)]
pub(super) struct Serving {
    /// When it last said its priority; a long silence is a stall.
    last_said: Instant,
    /// Answers to lower adverts: when the last one was, and how many in a row changed nothing.
    answered: Option<Instant>,
    in_a_row: u32,
    /// A lower advert came since the last periodic advert.
    rival: bool,
    /// The master that was displaced: its old adverts may still arrive until the timer ends.
    displaced: Option<Speaker>,
    grace: Timer,
}

/// For so long after a takeover a higher advert of the displaced master can be old (rule 10).
const GRACE: Duration = Duration::from_millis(10);
/// Least time between two answers (rule 11).
const ANSWER_MIN: Duration = Duration::from_millis(3);
/// After so many answers in a row that changed nothing only the periodic advert answers.
const ANSWERS_MAX: u32 = 10;

impl Serving {
    pub fn new(now: Instant, displaced: Option<Speaker>) -> Serving {
        let mut grace = Timer::default();
        if displaced.is_some() {
            grace.set(now.after(GRACE));
        }
        Serving { last_said: now, answered: None, in_a_row: 0, rival: false, displaced, grace }
    }

    pub fn said(&mut self, now: Instant) {
        self.last_said = now;
    }

    fn in_grace(&self, now: Instant) -> bool {
        self.grace.at().is_some_and(|until| now < until)
    }

    /// Whether an answer may leave now: once a turn, once in 3 ms, and not for ever.
    fn may_answer(&mut self, now: Instant, asked: Asked) -> bool {
        if self.answered.is_some_and(|last| now.since(last) < ANSWER_MIN) {
            return false;
        }
        match asked {
            Asked::Question => {}
            Asked::Rival if self.in_a_row >= ANSWERS_MAX => return false,
            Asked::Rival => self.in_a_row += 1,
        }
        self.answered = Some(now);
        true
    }
}

/// Why a master answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Somebody asks who is master, or says that it stops.
    Question,
    /// Somebody with a lower priority says that it is master.
    Rival,
}

impl Group {
    pub(super) fn heard_as_master(&mut self, cx: &mut Cx<'_>, speaker: Speaker, heard: Heard) {
        self.members[heard.member].book(cx.now, heard.source, heard.priority);
        // The record is what tells a node alone from one with peers (rule 22).
        self.node(speaker);
        let State::Serving(serving) = &self.state else { return };
        let claims = heard.priority > 1;
        if claims && cx.now.since(serving.last_said) > self.master_down(cx) {
            return self.yield_to(cx, speaker, heard, Cause::Stalled { from: heard.source });
        }
        let grace = serving.in_grace(cx.now);
        let higher = heard.priority > self.priority
            || (heard.priority == self.priority && self.loses_tie(cx, speaker, &heard));
        if claims && higher {
            if !grace || serving.displaced != Some(speaker) {
                let cause = self.yield_cause(cx, speaker, heard);
                self.yield_to(cx, speaker, heard, cause);
            }
        } else if !grace {
            self.answer(cx, heard, if claims { Asked::Rival } else { Asked::Question });
        }
    }

    /// Rule 10: the addresses first, then the question, which the winner answers.
    fn yield_to(&mut self, cx: &mut Cx<'_>, speaker: Speaker, heard: Heard, cause: Cause) {
        self.demote(cx, cause, Some((speaker, heard)));
        self.ask_winner(cx, speaker);
    }

    /// An operator's move looks like any other on the wire, but for the word 254 above the other's base.
    fn yield_cause(&mut self, cx: &Cx<'_>, speaker: Speaker, heard: Heard) -> Cause {
        let giving = self.switch.as_ref().is_some_and(|switch| switch.giving == Giving::Away);
        let taken = heard.priority == TAKE && self.base_of(cx, speaker).is_some_and(|base| base < TAKE);
        if giving || taken {
            self.switched_away = true;
            return Cause::Operator;
        }
        // Who would have been lower anyway did not lose by what is wrong with it, unless that makes it a faulted one.
        let is_lower = self.base(cx).is_some_and(|base| base < heard.priority) && self.fault(cx).is_none();
        let burden = if is_lower { String::new() } else { self.burden(cx) };
        Cause::HigherPriority { from: heard.source, priority: heard.priority, burden }
    }

    /// Rule 11: says its own priority at once, and announces the addresses again.
    fn answer(&mut self, cx: &mut Cx<'_>, heard: Heard, asked: Asked) {
        let State::Serving(serving) = &mut self.state else { return };
        let first = asked == Asked::Rival && serving.in_a_row == 0;
        serving.rival |= asked == Asked::Rival;
        if !serving.may_answer(cx.now, asked) {
            return;
        }
        if first {
            let instance = self.members[heard.member].id;
            let (peer, priority) = (heard.source, heard.priority);
            cx.emit(Action::Notice(Notice::Rival { instance, peer, priority }));
        }
        self.say_once(cx, self.priority);
        self.announce_again(cx);
    }

    /// Announces once more, at most once a second.
    pub(super) fn announce_again(&mut self, cx: &mut Cx<'_>) {
        for member in self.members.iter_mut().filter(|member| member.usable()) {
            member.announcer.restart(cx.now, &cx.config.instances[member.id.index()].announce);
        }
    }

    /// When [`Group::serve`] is due, besides what members have due.
    pub(super) fn serving_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Serving(serving) => serving.grace.at(),
            State::Init | State::Standby(_) => None,
        }
    }

    /// Does what is due while master.
    pub(super) fn serve(&mut self, cx: &mut Cx<'_>) {
        let State::Serving(serving) = &mut self.state else { return };
        if serving.grace.fires(cx.now) {
            serving.displaced = None;
            self.say_once(cx, self.priority);
        }
        self.advertise_due(cx);
        for member in &mut self.members {
            if member.announcer.fires(cx.now, &cx.config.instances[member.id.index()].announce) {
                cx.out.push(Action::Announce { instance: member.id });
            }
        }
    }

    /// Sends the periodic adverts that are due, and those that could not be sent.
    pub(super) fn advertise_due(&mut self, cx: &mut Cx<'_>) {
        if !self.is_serving() {
            return;
        }
        let priority = self.priority;
        let mut said = false;
        for member in self.members.iter_mut().filter(|member| member.usable()) {
            if member.advert.is_due(cx.now) {
                member.schedule(cx.now, cx.config.instances[member.id.index()].interval, Rhythm::Keep);
                said = true;
            } else if !member.retry.fires(cx.now) {
                continue;
            }
            member.advertise(cx, priority);
        }
        let State::Serving(serving) = &mut self.state else { return };
        if said {
            serving.said(cx.now);
            if !core::mem::take(&mut serving.rival) {
                serving.in_a_row = 0;
            }
        }
    }

    /// The last advert of a member did not leave.
    pub fn send_failed(&mut self, cx: &mut Cx<'_>, member: usize) {
        if matches!(self.state, State::Serving(_)) {
            let member = &mut self.members[member];
            member.send_failed(cx.now, cx.config.instances[member.id.index()].interval);
        }
    }

    /// Somebody else claims an address of a member.
    pub fn conflict(&mut self, cx: &mut Cx<'_>, member: usize) {
        let State::Serving(_) = self.state else { return };
        let member = &mut self.members[member];
        member.announcer.restart(cx.now, &cx.config.instances[member.id.index()].announce);
        if member.conflict_noticed.is_none_or(|last| cx.now.since(last) >= limits::MISMATCH_NOTICE_EVERY) {
            member.conflict_noticed = Some(cx.now);
            cx.out.push(Action::Notice(Notice::Conflict { instance: member.id }));
        }
    }
}

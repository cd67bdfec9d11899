//! Rule 12: "who is master?", an advert of priority 1.
//!
//! Priority 0 carries no proof. Before a standby acts on it, it asks; a living master answers at once, and a
//! dead one can't. Whether a router answers at all is learnt by asking it once while all is well.

use core::time::Duration;

use crate::config::model::Base;

use super::super::cx::Cx;
use super::super::role::Cause;
use super::super::time::Instant;
use super::super::timers::Timer;
use super::{Group, Heard, Speaker, State};

/// The question of a standby.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Question {
    /// When the round in progress, or the last one, began.
    started: Option<Instant>,
    /// When a round begins.
    begin: Timer,
    /// When it is asked again within the round.
    again: Timer,
    /// Silence until then means that nobody is there.
    until: Timer,
}

/// The question's priority.
const QUESTION: u8 = 1;
/// How often it is asked in a round.
const TIMES: u32 = 5;
/// Time between two of them.
const EVERY: Duration = Duration::from_millis(4);
/// Adverts heard so soon after the first can be old.
const TOO_SOON: Duration = Duration::from_millis(5);
/// Silence for so long is an answer (keepalived answered within 3.4 ms, measured).
const SILENCE: Duration = Duration::from_millis(20);
/// A round at most this often, whoever sends priority 0.
const ROUND_MIN: Duration = Duration::from_secs(1);
/// With more than two routers the standbys take over in the order of their places.
const STAGGER: Duration = Duration::from_millis(10);
/// A router that has not answered yet is asked again after this time, so many times in all.
const LEARN_EVERY: Duration = Duration::from_secs(60);
const LEARN_TIMES: u8 = 3;

impl Question {
    /// It is being asked.
    pub fn is_open(&self) -> bool {
        self.until.at().is_some()
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        Instant::earliest(&[self.begin.at(), self.again.at(), self.until.at()])
    }

    /// Somebody said 0. A round that is due too early is put off, not dropped.
    fn want(&mut self, now: Instant) {
        if self.is_open() || self.begin.at().is_some() {
            return;
        }
        let earliest = self.started.map_or(now, |last| last.after(ROUND_MIN));
        self.begin.set(earliest.max(now));
    }

    /// What a stall has made this node miss is not made good: one question asks as much as three at once.
    fn ask_again_after(&mut self, now: Instant) {
        let Some(started) = self.started else { return };
        let next = (1..TIMES).map(|time| started.after(EVERY.saturating_mul(time))).find(|at| *at > now);
        if let Some(next) = next {
            self.again.set(next);
        }
    }

    fn end(&mut self) {
        self.begin.stop();
        self.again.stop();
        self.until.stop();
    }
}

impl Group {
    /// Priority 0 from the present master; from anybody else it means nothing.
    pub(super) fn master_stops(&mut self, cx: &mut Cx<'_>, speaker: Speaker, heard: Heard) {
        let State::Standby(standby) = &mut self.state else { return };
        if standby.followed() != Some(speaker) {
            return;
        }
        self.members[heard.member].stopped = true;
        standby.question.want(cx.now);
        self.ask_who(cx);
    }

    /// Asks, or draws the conclusion from silence, as far as that is due.
    pub(super) fn ask_who(&mut self, cx: &mut Cx<'_>) {
        let silence = self.silence(cx);
        let State::Standby(standby) = &mut self.state else { return };
        let Some(from) = standby.master().map(|master| master.address) else { return standby.question.end() };
        let question = &mut standby.question;
        if question.begin.fires(cx.now) {
            question.started = Some(cx.now);
            question.again.set(cx.now);
            question.until.set(cx.now.after(silence));
        }
        if question.until.fires(cx.now) {
            question.end();
            return self.promote(cx, Cause::Stopped { from });
        }
        if question.again.fires(cx.now) {
            question.ask_again_after(cx.now);
            self.say_once(cx, QUESTION);
        }
    }

    /// How long a master has to answer: one that was never heard to answer gets two intervals more.
    fn silence(&self, cx: &Cx<'_>) -> Duration {
        let State::Standby(standby) = &self.state else { return SILENCE };
        let speaker = standby.followed();
        let answers = self.nodes.iter().any(|node| Some(node.speaker) == speaker && node.answers);
        let interval = self.members.iter().map(|member| member.learned.duration()).max().unwrap_or_default();
        let turn = match (&self.config(cx).base, self.place) {
            (Base::ByPlace(bases), Some(place)) if bases.len() > 2 => {
                STAGGER.saturating_mul(u32::from(place.0))
            }
            _ => Duration::ZERO,
        };
        let grace = if answers { Duration::ZERO } else { interval.saturating_mul(2) };
        SILENCE.saturating_add(turn).saturating_add(grace)
    }

    /// An advert of a master came in: that may be the answer, and may show that this router answers.
    pub(super) fn answered(
        &mut self,
        cx: &mut Cx<'_>,
        speaker: Speaker,
        member: usize,
        gap: Option<Duration>,
    ) {
        let State::Standby(standby) = &mut self.state else { return };
        if standby.followed() != Some(speaker) {
            return;
        }
        let question = &mut standby.question;
        let asked = question.started.filter(|_| question.is_open());
        if asked.is_some_and(|started| cx.now.since(started) > TOO_SOON) {
            question.end();
        } else if !question.is_open() {
            question.begin.stop();
        }
        self.members[member].stopped = false;
        let early =
            gap.is_some_and(|gap| gap < self.members[member].learned.duration().saturating_mul(3) / 4);
        self.learn(cx, speaker, asked, early);
    }

    /// Learns whether a router answers the question: an advert that soon after it, out of rhythm.
    fn learn(&mut self, cx: &mut Cx<'_>, speaker: Speaker, asked: Option<Instant>, early: bool) {
        let now = cx.now;
        let Some(node) = self.node(speaker) else { return };
        let asked = asked.max(node.asked);
        if early && asked.is_some_and(|asked| now.since(asked) <= SILENCE) {
            node.answers = true;
        }
        let due = node.asked.is_none_or(|last| now.since(last) >= LEARN_EVERY);
        if !node.answers && due && node.times_asked < LEARN_TIMES {
            node.times_asked += 1;
            node.asked = Some(now);
            self.say_once(cx, QUESTION);
        }
    }

    /// Asks whoever is master to say so.
    pub(super) fn ask_anyone(&mut self, cx: &mut Cx<'_>) {
        self.say_once(cx, QUESTION);
    }

    /// The loser of an election asks the winner to say itself again (rule 10).
    pub(super) fn ask_winner(&mut self, cx: &mut Cx<'_>, winner: Speaker) {
        let now = cx.now;
        if let Some(node) = self.node(winner) {
            node.asked = Some(now);
        }
        self.say_once(cx, QUESTION);
    }
}

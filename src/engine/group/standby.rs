//! Rules 4 to 8: what a standby makes of the master it hears, or does not hear any more.

use core::time::Duration;
use std::net::IpAddr;

use crate::config::model::{Base, Mode, Preempt};
use crate::wire::types::Version;

use super::super::action::{Action, Notice};
use super::super::cx::Cx;
use super::super::event::Round;
use super::super::member::{Found, Watch};
use super::super::role::{Cause, Role};
use super::super::time::Instant;
use super::super::track::Doubt;
use super::priority::{Doubting, Rise, STEP_BACK, TAKE};
use super::{Group, Heard, Question, Speaker, State};

/// A group that stands by.
#[derive(Debug, Clone)]
pub(super) struct Standby {
    pub since: Instant,
    pub master: Option<Present>,
    /// Tests in doubt of a claim under way, and when they were asked for.
    doubts: Vec<(usize, Round)>,
    doubted: Option<Instant>,
    pub(super) question: Question,
}

/// The present master: the sender that this standby follows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Present {
    pub speaker: Speaker,
    pub address: IpAddr,
    /// What ties are broken by.
    key: IpAddr,
    pub member: usize,
    /// The priority it advertised last.
    pub word: u8,
    /// The word before, and when it changed.
    pub previous: Option<(u8, Instant)>,
    /// The highest word of this mastership: stands in for a base that isn't known.
    highest: u8,
    pub last_heard: Instant,
    lowered: Option<Lowered>,
}

/// When a master lowered itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lowered {
    /// It was heard lowered from the first advert on.
    AtFirst,
    /// While it was followed.
    At(Instant),
}

/// For so long after the master's word changed, its previous value may still arrive (rule 5a): members
/// differ in latency.
const OLD_WORD: Duration = Duration::from_millis(5);
/// Least time between two tests in doubt: one that fails at once must not be repeated at once.
const DOUBT_MIN: Duration = Duration::from_millis(200);
/// How long the own priority must have stood before a claim from a master at 4 or less (rule 5b).
const STOOD: Duration = Duration::from_secs(1);

impl Standby {
    pub fn new(now: Instant) -> Standby {
        Standby { since: now, master: None, doubts: Vec::new(), doubted: None, question: Question::default() }
    }

    pub fn followed(&self) -> Option<Speaker> {
        self.master.map(|master| master.speaker)
    }

    pub fn master(&self) -> Option<&Present> {
        self.master.as_ref()
    }
}

impl Present {
    fn new(now: Instant, speaker: Speaker, key: IpAddr, heard: &Heard) -> Present {
        Present {
            speaker,
            address: heard.source,
            key,
            member: heard.member,
            word: heard.priority,
            previous: None,
            highest: heard.priority,
            last_heard: now,
            lowered: None,
        }
    }

    /// Takes in its next word; says whether it counts.
    fn hear(&mut self, now: Instant, heard: &Heard) -> Word {
        (self.last_heard, self.address, self.member) = (now, heard.source, heard.member);
        if heard.priority == self.word {
            return Word::Same;
        }
        if self.previous.is_some_and(|(old, at)| old == heard.priority && now.since(at) < OLD_WORD) {
            return Word::Old;
        }
        self.previous = Some((self.word, now));
        self.word = heard.priority;
        self.highest = self.highest.max(heard.priority);
        Word::New
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Same,
    Old,
    New,
}

impl Group {
    pub(super) fn heard_as_standby(&mut self, cx: &mut Cx<'_>, speaker: Speaker, heard: Heard) {
        let (found, gap) = self.members[heard.member].book(cx.now, heard.source, heard.priority);
        match heard.priority {
            0 => return self.master_stops(cx, speaker, heard),
            // Somebody asks who is master; a standby has no answer.
            1 => return,
            _ => {}
        }
        if found == Found::New {
            let instance = self.members[heard.member].id;
            let (peer, priority) = (heard.source, heard.priority);
            cx.emit(Action::Notice(Notice::PeerFound { instance, peer, priority }));
        }
        if matches!(self.state, State::Init) {
            self.state = State::Standby(Standby::new(cx.now));
            let role = if self.fault(cx).is_some() { Role::Fault } else { Role::Backup };
            let burden = if role == Role::Fault { self.burden(cx) } else { String::new() };
            let (from, priority) = (heard.source, heard.priority);
            self.set_role(cx, role, Cause::MasterHeard { from, priority, burden });
        }
        self.follow(cx, speaker, heard);
        self.answered(cx, speaker, heard.member, gap);
        self.consider(cx);
    }

    /// Books the word of a master, and arms the timer of the member where it was heard.
    pub(super) fn follow(&mut self, cx: &mut Cx<'_>, speaker: Speaker, heard: Heard) {
        let (priority, watch) = (self.priority, self.watch(cx));
        let member = &mut self.members[heard.member];
        let instance = cx.instance(member.id);
        if instance.version == Version::V3 {
            member.learned = heard.interval;
        }
        let watch = if instance.mode == Mode::Unicast { watch } else { Watch::Anyone };
        member.arm(cx.now, instance, priority, watch);
        let key = self.address_key(cx, speaker, heard.source);
        let replaces = self.replaces(cx, key, &heard);
        let State::Standby(standby) = &mut self.state else { return };
        let mut present = match standby.master {
            Some(present) if present.speaker == speaker => present,
            Some(_) if !replaces => return,
            Some(_) | None => Present::new(cx.now, speaker, key, &heard),
        };
        let first = standby.master.is_none_or(|master| master.speaker != speaker);
        let before = present.word;
        let word = present.hear(cx.now, &heard);
        let fell = word == Word::New && present.word < before;
        self.judge(cx, &mut present, first, fell);
        if let State::Standby(standby) = &mut self.state {
            standby.master = Some(present);
        }
    }

    /// Notes since when the master is lowered: its word below its base, or 4 or less.
    fn judge(&mut self, cx: &Cx<'_>, present: &mut Present, first: bool, fell: bool) {
        let normal = self.base_of(cx, present.speaker).unwrap_or(present.highest);
        if present.word >= normal && present.word > STEP_BACK {
            present.lowered = None;
        } else if first {
            present.lowered = Some(Lowered::AtFirst);
        } else if fell || present.lowered.is_none() {
            present.lowered = Some(Lowered::At(cx.now));
        }
        if present.lowered.is_some() && !first {
            self.switched_away = false;
        }
        // An operator wanted this one to be master: with three routers the third must not take it back either.
        if present.word == TAKE && self.base_of(cx, present.speaker).is_some_and(|base| base < TAKE) {
            self.switched_away = true;
        }
    }

    /// The base of another router, where the configuration tells it.
    pub(super) fn base_of(&self, cx: &Cx<'_>, speaker: Speaker) -> Option<u8> {
        match (&self.config(cx).base, speaker) {
            (Base::ByPlace(bases), Speaker::Place(place)) => bases.get(usize::from(place.0)).copied(),
            _ => None,
        }
    }

    /// Whether a sender takes the place of the present master: higher, or equal from a higher address, or
    /// the present one has been silent for two intervals, or said that it stops.
    fn replaces(&self, cx: &Cx<'_>, key: IpAddr, heard: &Heard) -> bool {
        let State::Standby(Standby { master: Some(present), question, .. }) = &self.state else {
            return true;
        };
        let interval = self.members[present.member].learned.duration();
        let silent = cx.now.since(present.last_heard) >= interval.saturating_mul(2);
        silent || question.is_open() || (heard.priority, key) > (present.word, present.key)
    }

    /// Rules 5 and 8: is there a reason to take over from the master that is heard?
    pub(super) fn consider(&mut self, cx: &mut Cx<'_>) {
        self.claim.stop();
        let State::Standby(standby) = &self.state else { return };
        let Some(present) = standby.master.filter(|_| !self.is_mute()) else { return };
        match present.lowered {
            Some(lowered) => self.told(cx, &present, lowered),
            None => {
                self.end_doubt();
                match self.preempt_due(cx) {
                    Some(due) if due <= cx.now => self.promote(cx, Cause::Preempt),
                    Some(due) => self.claim.set(due),
                    None => {}
                }
            }
        }
    }

    /// Rule 5: the master said that it got worse.
    fn told(&mut self, cx: &mut Cx<'_>, present: &Present, lowered: Lowered) {
        if !self.betters(cx, present, self.priority) {
            return self.end_doubt();
        }
        let from = self.claim_from(cx, present, lowered);
        if from > cx.now {
            return self.claim.set(from);
        }
        self.ask_doubtful(cx, present);
        if self.betters(cx, present, self.certain(cx)) {
            self.promote(cx, Cause::Told { from: present.address, priority: present.word });
        }
    }

    /// Whether this node at `priority` would serve better than a lowered master: it says more, and it has lost
    /// less. What preference alone would give is rule 8's, or a carrier lost for both would move the role to
    /// the preferred router.
    fn betters(&self, cx: &Cx<'_>, present: &Present, priority: u8) -> bool {
        if priority <= present.word || priority < STEP_BACK {
            return false;
        }
        let normal = self.base_of(cx, present.speaker).unwrap_or(present.highest);
        let own_loss = self.base(cx).unwrap_or(priority).saturating_sub(priority);
        present.word <= STEP_BACK || own_loss < normal.saturating_sub(present.word)
    }

    /// Rule 5b: a node that has just risen waits, for the other one may be about to rise as well.
    fn claim_from(&self, cx: &Cx<'_>, present: &Present, lowered: Lowered) -> Instant {
        let fresh = match lowered {
            Lowered::AtFirst => true,
            Lowered::At(at) => self.risen.at > at,
        };
        if !fresh {
            return cx.now;
        }
        let wait = match (present.word <= STEP_BACK, self.risen.by) {
            (true, Rise::Node) => STOOD,
            // A track with weight `fault`: the master's may be rising too.
            (true, Rise::Track) => STOOD.max(self.slowest_rise(cx)),
            (false, _) => self.config(cx).preempt_delay.saturating_add(self.slowest_rise(cx)),
        };
        self.risen.at.after(wait)
    }

    /// Rule 6: asks every track that could be wrong, unless the claim holds without them.
    fn ask_doubtful(&mut self, cx: &mut Cx<'_>, present: &Present) {
        let State::Standby(standby) = &self.state else { return };
        let again = standby.doubted.map_or(cx.now, |last| last.after(DOUBT_MIN));
        if self.doubts_pending(cx) || self.betters(cx, present, self.certain(cx)) {
            return;
        }
        if again > cx.now {
            return self.claim.set(again);
        }
        let mut doubts = Vec::new();
        for at in 0..self.uses.len() {
            if self.in_doubt(cx, at) && self.uses[at].config.places.contains(self.place) {
                doubts.extend(cx.ask(self.uses[at].config.track).map(|round| (at, round)));
            }
        }
        if let State::Standby(standby) = &mut self.state {
            standby.doubts = doubts;
            standby.doubted = Some(cx.now);
        }
    }

    fn doubts_pending(&self, cx: &Cx<'_>) -> bool {
        let State::Standby(standby) = &self.state else { return false };
        let pending = |(at, round): &(usize, Round)| {
            cx.track(self.uses[*at].config.track).doubt(*round) == Doubt::Pending
        };
        standby.doubts.iter().any(pending)
    }

    /// The priority with everything that is not confirmed at this moment counted as failed.
    fn certain(&self, cx: &Cx<'_>) -> u8 {
        let State::Standby(standby) = &self.state else { return self.priority };
        let mut confirmed = Vec::new();
        for (at, round) in &standby.doubts {
            if cx.track(self.uses[*at].config.track).doubt(*round) == Doubt::Confirmed {
                confirmed.push(*at);
            }
        }
        self.weigh(cx, Doubting::AllBut(&confirmed))
    }

    pub(super) fn end_doubt(&mut self) {
        if let State::Standby(standby) = &mut self.state {
            standby.doubts.clear();
        }
    }

    /// Rule 8: when this node may take back from a healthy master; `None`: not as things are.
    pub(super) fn preempt_due(&self, cx: &Cx<'_>) -> Option<Instant> {
        let State::Standby(standby) = &self.state else { return None };
        let present = standby.master.filter(|present| present.lowered.is_none())?;
        let theirs = self.base_of(cx, present.speaker).unwrap_or(present.highest);
        let allowed = self.config(cx).preempt == Preempt::On
            && !self.switched_away
            && self.base(cx)? > theirs
            && self.priority > present.word
            && self.priority > STEP_BACK;
        let healthy = self.healthy_since?;
        let due = healthy.max(standby.since).after(self.config(cx).preempt_delay);
        let due = due.max(self.believed_from(&present));
        allowed.then(|| self.held_until.map_or(due, |until| due.max(until)))
    }

    /// The master remembers what this node has forgotten: that an operator moved the role to it (rule 8).
    pub(in super::super) fn kept(&mut self, cx: &mut Cx<'_>) {
        let is_believable = match &self.state {
            State::Serving(_) => false,
            // The channel may be faster than the first advert.
            State::Init => true,
            State::Standby(standby) => standby.master.is_some_and(|present| present.lowered.is_none()),
        };
        if is_believable {
            self.switched_away = true;
            self.consider(cx);
        }
    }

    /// Rule 19: the peer channel may hold back a voluntary move, for a time.
    pub(in super::super) fn hold_preempt(&mut self, cx: &mut Cx<'_>, until: Option<Instant>) {
        self.held_until = until;
        self.consider(cx);
    }

    /// When [`Group::stand_by`] is due.
    pub(super) fn standby_deadline(&self) -> Option<Instant> {
        let question = match &self.state {
            State::Serving(_) => return None,
            State::Init => None,
            State::Standby(standby) => standby.question.next_deadline(),
        };
        let mut next = Instant::earliest(&[self.crash_due(), question, self.claim.at()]);
        for member in self.members.iter().filter(|member| member.usable() && !member.silent) {
            next = Instant::earliest(&[next, member.master_down.at()]);
        }
        next
    }

    /// Rule 4: when every member has missed the master for Master_Down, those included whose link was lost
    /// meanwhile. `None` while no member is usable, for nobody could serve then.
    pub(super) fn crash_due(&self) -> Option<Instant> {
        let latest = self.members.iter().filter_map(|member| member.master_down.at()).max();
        latest.filter(|_| !self.is_mute())
    }

    /// Whether every other usable member has missed the master for Master_Down: a link that flaps must not keep
    /// them waiting.
    pub(super) fn others_gave_up(&self, cx: &Cx<'_>, at: usize) -> bool {
        let (mut has_others, mut waits) = (false, false);
        for (other, member) in self.members.iter().enumerate() {
            if other != at && member.usable() {
                has_others = true;
                waits |= !member.master_down.is_due(cx.now);
            }
        }
        matches!(self.state, State::Standby(_)) && has_others && !waits
    }

    /// Does what is due while standing by.
    pub(super) fn stand_by(&mut self, cx: &mut Cx<'_>) {
        self.report_silent(cx);
        if self.crash_due().is_some_and(|due| due <= cx.now) {
            self.switched_away = false;
            return self.promote(cx, Cause::MasterDown { master: self.master().map(|it| it.address) });
        }
        self.ask_who(cx);
        self.consider(cx);
    }
}

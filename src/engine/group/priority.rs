//! Rule 2: what a node says of itself, in one number.

use core::time::Duration;

use crate::config::model::{Base, Place, TrackScope, TrackUse, Weight};
use crate::limits;

use super::super::cx::Cx;
use super::super::event::Maintenance;
use super::super::member::Member;
use super::super::role::Fault;
use super::super::time::Instant;
use super::super::track::rise_time;
use super::super::view::TrackState;
use super::{Group, State, command::Giving, is_down};

/// Said by nobody: a node that does not know its place yet.
pub(super) const UNKNOWN: u8 = FAULT;
/// A fault of its own.
const FAULT: u8 = 2;
/// A fault of its own, on the first router: two failed nodes still have an order.
const FAULT_FIRST: u8 = 3;
/// Maintenance, or a switch under way.
pub(super) const STEP_BACK: u8 = 4;
/// Said by a standby that an operator makes master: above every base.
pub(super) const TAKE: u8 = 254;
/// The address owner: never lowered by weights (RFC 9568 §5.2.4).
const OWNER: u8 = 255;
/// Where weights end: below are the words with a meaning of their own.
const WEIGHED: core::ops::RangeInclusive<u8> = 16..=254;

/// Which verdicts count as down.
#[derive(Debug, Clone, Copy)]
pub(super) enum Doubting<'a> {
    /// Those that are.
    Nothing,
    /// Also those not confirmed at this moment: positions in [`Group::uses`] that are (rule 6).
    AllBut(&'a [usize]),
}

/// A track that counts, by its position in [`Group::uses`].
type Counted<'a> = (usize, &'a crate::config::model::Track);

/// A track as this group uses it.
#[derive(Debug, Clone)]
pub(in super::super) struct Use {
    pub config: TrackUse,
    /// Down when the role was lost, and only the master can judge it (rule 9).
    pub remembered: bool,
    /// Until then a verdict of down moves nothing.
    pub(super) damped_until: Option<Instant>,
    /// How long the next one is damped.
    pub(super) damping: Duration,
}

impl Use {
    pub(super) fn new(config: TrackUse) -> Use {
        Use { config, remembered: false, damped_until: None, damping: limits::DAMPING_FIRST }
    }
}

/// When the priority last rose, and by what (rule 5b).
#[derive(Debug, Clone, Copy)]
pub(super) struct Risen {
    pub at: Instant,
    pub by: Rise,
    /// Tracks that counted as down when the priority was computed last.
    lost_tracks: usize,
}

/// What made the priority rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rise {
    /// A track came up: it may be about to come up at the other router as well.
    Track,
    /// Something of this node alone: a link, the start, the end of maintenance.
    Node,
}

impl Risen {
    pub fn new(now: Instant) -> Risen {
        Risen { at: now, by: Rise::Node, lost_tracks: 0 }
    }

    /// The priority was computed again.
    pub fn note(&mut self, now: Instant, before: u8, after: u8, lost_tracks: usize) {
        let fewer = lost_tracks < core::mem::replace(&mut self.lost_tracks, lost_tracks);
        if after > before {
            (self.at, self.by) = (now, if fewer { Rise::Track } else { Rise::Node });
        }
    }
}

impl Group {
    /// The effective priority (rule 2).
    pub(super) fn effective(&self, cx: &Cx<'_>) -> u8 {
        self.weigh(cx, Doubting::Nothing)
    }

    /// The priority if the named verdicts counted as down. Faults go before maintenance.
    pub(super) fn weigh(&self, cx: &Cx<'_>, doubting: Doubting<'_>) -> u8 {
        let Some(base) = self.base(cx) else { return UNKNOWN };
        let Some(weights) = self.weights(cx, doubting).filter(|_| self.fault_of_parts(cx).is_none()) else {
            return if self.place == Some(Place(0)) { FAULT_FIRST } else { FAULT };
        };
        if cx.maintenance == Maintenance::On {
            return STEP_BACK;
        }
        match self.switch.as_ref().map(|switch| switch.giving) {
            Some(Giving::Away) => return STEP_BACK,
            Some(Giving::Take) if matches!(self.state, State::Serving(_)) => return TAKE,
            Some(Giving::Take) | None => {}
        }
        if base == OWNER {
            return OWNER;
        }
        let sum = i32::from(base).saturating_add(weights);
        let sum = sum.clamp(i32::from(*WEIGHED.start()), i32::from(*WEIGHED.end()));
        u8::try_from(sum).unwrap_or(base)
    }

    /// Priority of this node when healthy.
    pub(super) fn base(&self, cx: &Cx<'_>) -> Option<u8> {
        match &self.config(cx).base {
            Base::Own(priority) => Some(*priority),
            Base::ByPlace(bases) => bases.get(usize::from(self.place?.0)).copied(),
        }
    }

    /// The first thing that is wrong with this node itself.
    pub(super) fn fault(&self, cx: &Cx<'_>) -> Option<Fault> {
        let of_parts = self.fault_of_parts(cx);
        if of_parts.is_some() {
            return of_parts;
        }
        for (_, config) in self.lost(cx, Doubting::Nothing) {
            if config.weight == Weight::Fault {
                return Some(Fault::Track { track: config.name.clone() });
            }
        }
        None
    }

    /// Faults that are not a track's.
    fn fault_of_parts(&self, cx: &Cx<'_>) -> Option<Fault> {
        let link = self.members.iter().find_map(|member| link_fault(member, cx));
        link.or_else(|| self.unapplied_until.map(|_| Fault::Addresses))
    }

    /// The sum of the weights of what is down; `None` if one of them is a fault.
    fn weights(&self, cx: &Cx<'_>, doubting: Doubting<'_>) -> Option<i32> {
        let mut sum = 0i32;
        for (_, config) in self.lost(cx, doubting) {
            match config.weight {
                Weight::Fault => return None,
                Weight::Adjust(weight) => sum = sum.saturating_add(i32::from(weight)),
            }
        }
        Some(sum)
    }

    /// How many tracks count as down.
    pub(super) fn lost_tracks(&self, cx: &Cx<'_>) -> usize {
        self.lost(cx, Doubting::Nothing).len()
    }

    /// The tracks that count here and are down.
    fn lost<'a>(&self, cx: &Cx<'a>, doubting: Doubting<'_>) -> Vec<Counted<'a>> {
        let mut lost = self.counted(cx);
        lost.retain(|(at, _)| self.counts_as_down(cx, *at, doubting));
        lost
    }

    /// The tracks that count on this node.
    pub(super) fn counted<'a>(&self, cx: &Cx<'a>) -> Vec<Counted<'a>> {
        let mut counted = Vec::new();
        for (at, used) in self.uses.iter().enumerate() {
            if used.config.places.contains(self.place) {
                counted.push((at, &cx.config.tracks[used.config.track.index()]));
            }
        }
        counted
    }

    fn counts_as_down(&self, cx: &Cx<'_>, at: usize, doubting: Doubting<'_>) -> bool {
        let used = &self.uses[at];
        let doubted = match doubting {
            Doubting::Nothing => false,
            Doubting::AllBut(confirmed) => self.in_doubt(cx, at) && !confirmed.contains(&at),
        };
        doubted || self.verdict(cx, used) == TrackState::Down
    }

    /// What a track's state means for this group now (rule 9).
    pub(super) fn verdict(&self, cx: &Cx<'_>, used: &Use) -> TrackState {
        let seen = cx.track(used.config.track).verdict();
        match (used.config.scope, &self.state) {
            (TrackScope::Any, _) => seen,
            (TrackScope::MasterOnly, State::Serving(_)) if used.damped_until.is_some() && is_down(seen) => {
                TrackState::Unknown
            }
            (TrackScope::MasterOnly, State::Serving(_)) => seen,
            (TrackScope::MasterOnly, State::Init | State::Standby(_)) if used.remembered => TrackState::Down,
            (TrackScope::MasterOnly, State::Init | State::Standby(_)) => TrackState::Unknown,
        }
    }

    /// Whether a claim has to ask this track first (rule 6): it counts as good, and it could be wrong.
    /// Carrier is known at once, and what only the master can run can't be asked here.
    pub(super) fn in_doubt(&self, cx: &Cx<'_>, at: usize) -> bool {
        let TrackUse { track, scope, .. } = self.uses[at].config;
        let link = matches!(cx.config.tracks[track.index()].kind, crate::config::model::TrackKind::Link);
        !link && scope == TrackScope::Any && !is_down(cx.track(track).verdict())
    }

    /// Rule 8: all members usable, every track up and judged at least once, no maintenance.
    pub(super) fn is_healthy(&self, cx: &Cx<'_>) -> bool {
        let judged = |(at, _): &Counted<'_>| {
            let used = &self.uses[*at];
            match (used.config.scope, self.verdict(cx, used)) {
                (TrackScope::Any, verdict) => verdict == TrackState::Up,
                (TrackScope::MasterOnly, verdict) => verdict != TrackState::Down,
            }
        };
        cx.maintenance == Maintenance::Off
            && self.place_known(cx)
            && self.fault_of_parts(cx).is_none()
            && self.counted(cx).iter().all(judged)
    }

    fn place_known(&self, cx: &Cx<'_>) -> bool {
        self.base(cx).is_some()
    }

    /// Rule 5b: the slowest of the own tracks to turn up again.
    pub(super) fn slowest_rise(&self, cx: &Cx<'_>) -> Duration {
        let mut slowest = Duration::ZERO;
        for (_, config) in self.counted(cx) {
            slowest = slowest.max(rise_time(config));
        }
        slowest
    }

    /// Rule 9: verdicts that only the master can reach stay in force after the role is lost for them.
    pub(super) fn remember_verdicts(&mut self, cx: &Cx<'_>) {
        for used in self.uses.iter_mut().filter(|used| used.config.scope == TrackScope::MasterOnly) {
            used.remembered = is_down(cx.track(used.config.track).verdict()) && used.damped_until.is_none();
            if used.remembered {
                used.damped_until = Some(cx.now.after(used.damping));
                used.damping = used.damping.saturating_mul(2).min(limits::DAMPING_MAX);
            }
        }
    }

    /// Damping ends when its time is over; a long quiet time makes the next one short again.
    pub(super) fn end_damping(&mut self, cx: &mut Cx<'_>) {
        let mut ended = false;
        for used in &mut self.uses {
            if used.damped_until.is_some_and(|until| until <= cx.now) {
                used.damped_until = None;
                ended = true;
            }
        }
        if ended {
            self.refresh(cx);
        }
    }

    /// A master-only track that comes up again ends the growth of its damping.
    pub(super) fn damp(&mut self, cx: &Cx<'_>) {
        for used in self.uses.iter_mut().filter(|used| used.config.scope == TrackScope::MasterOnly) {
            let good = cx.track(used.config.track).verdict() == TrackState::Up;
            if good && used.damped_until.is_none() {
                used.damping = limits::DAMPING_FIRST;
            }
        }
    }

    /// An operator says that remembered verdicts are void (rule 9).
    pub(in super::super) fn recheck(&mut self, cx: &mut Cx<'_>) {
        for used in &mut self.uses {
            used.remembered = false;
            used.damped_until = None;
            used.damping = limits::DAMPING_FIRST;
        }
        self.unapplied_until = None;
        self.refresh(cx);
    }
}

/// A fault of a member's link.
fn link_fault(member: &Member, cx: &Cx<'_>) -> Option<Fault> {
    let problem = member.problem.filter(|_| !member.awaited)?;
    Some(Fault::Link { instance: cx.instance(member.id).name.clone(), problem })
}

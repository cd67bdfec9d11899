//! One sync group: the state machine of the protocol.
//!
//! ```text
//!            another master heard                    rule 4 crash, 5 told, 7 stopped, 8 preempt, switch
//!   Init ───────────────────────────► Standby ─────────────────────────────────────────► Serving
//!     │                                   ▲                                                 │
//!     └── nobody heard for Master_Down ───┼───── rule 10 higher priority, or stalled ───────┤
//!          (or resumed: rule 13) ─────────┼──► Serving                                      │
//!                                         └───── rule 3 last usable member gone ────────────┘
//! ```
//!
//! Members have no state of their own; that is why a group can't come apart. The role that the world sees
//! is derived: a standby with a fault of its own shows as `fault`.

mod command;
mod life;
mod master;
mod nodes;
mod priority;
mod question;
mod renew;
mod show;
mod standby;

use core::time::Duration;
use std::net::IpAddr;

use crate::config::model::{Base, Group as Config, GroupId, Place, TrackScope};
use crate::limits;

use super::action::{Action, Notice, RoleChange};
use super::cx::Cx;
use super::event::{CommandId, Remembered};
use super::member::{Member, Rhythm, Watch};
use super::role::{Cause, Epoch, Role};
use super::time::Instant;
use super::timers::Timer;
use super::track::Carrier;
use super::view::TrackState;

pub(super) use command::Giving;
use master::Serving;
use nodes::{Node, Speaker, place_of, speaker};
use priority::{Risen, Use};
use question::Question;
use standby::Standby;

/// A sync group.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub id: GroupId,
    pub members: Vec<Member>,
    pub uses: Vec<Use>,
    place: Option<Place>,
    state: State,
    role: Role,
    epoch: Epoch,
    since: Instant,
    cause: Cause,
    /// The effective priority as it was computed last (rule 2).
    priority: u8,
    /// When it last rose, and by what: what rule 5b waits from.
    risen: Risen,
    /// Since when nothing is wrong with this node (rule 8).
    healthy_since: Option<Instant>,
    /// When a claim by rule 5b or 8 falls due, as things are.
    claim: Timer,
    /// When the daemon before this one last advertised as master (rule 13).
    resume: Option<Instant>,
    /// Others that were heard, and whether they answer the question (rule 12).
    nodes: Vec<Node>,
    /// An operator moved the role away from here: no preemption (rule 8).
    switched_away: bool,
    /// No preemption before (rule 19).
    held_until: Option<Instant>,
    switch: Option<command::Switch>,
    /// The addresses can't be installed (rule 22).
    unapplied: Timer,
    unapplied_until: Option<Instant>,
}

/// Where the state machine is.
#[derive(Debug, Clone)]
enum State {
    /// Start hold (rule 9a).
    Init,
    Standby(Standby),
    Serving(Serving),
}

/// An accepted advert.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    /// Position in the group's members.
    pub member: usize,
    /// Its sender's address.
    pub source: IpAddr,
    /// What it says.
    pub priority: u8,
    /// The sender's interval.
    pub interval: crate::wire::types::Interval,
}

impl Group {
    pub fn new(id: GroupId, cx: &Cx<'_>, remembered: Option<&Remembered>) -> Group {
        let config = &cx.config.groups[id.index()];
        let (mut members, mut uses) = (Vec::new(), Vec::new());
        for id in &config.instances {
            members.push(Member::new(*id, cx.instance(*id)));
        }
        for track in &config.tracks {
            uses.push(Use::new(track.clone()));
        }
        Group {
            id,
            members,
            uses,
            place: None,
            state: State::Init,
            role: Role::Init,
            epoch: remembered.map_or(Epoch(0), |past| past.epoch),
            since: cx.now,
            cause: Cause::Started,
            priority: priority::UNKNOWN,
            risen: Risen::new(cx.now),
            healthy_since: None,
            claim: Timer::default(),
            resume: remembered.and_then(|past| past.last_advert),
            nodes: Vec::new(),
            switched_away: false,
            held_until: None,
            switch: None,
            unapplied: Timer::default(),
            unapplied_until: None,
        }
    }

    pub fn role(&self) -> (Role, Epoch) {
        (self.role, self.epoch)
    }

    fn config<'a>(&self, cx: &Cx<'a>) -> &'a Config {
        &cx.config.groups[self.id.index()]
    }

    /// Takes in the present states of the links.
    pub fn look(&mut self, cx: &mut Cx<'_>) {
        let mut place = self.place;
        for at in 0..self.members.len() {
            self.look_at(cx, at, &mut place);
        }
        self.place = place;
        if self.is_mute() && matches!(self.state, State::Serving(_)) {
            return self.demote(cx, Cause::NoUsableMember { burden: self.burden(cx) }, None);
        }
        self.refresh(cx);
        // What has just come up says the priority that counts it.
        self.advertise_due(cx);
    }

    /// Without a usable member nothing can be said, heard or served.
    fn is_mute(&self) -> bool {
        self.members.iter().all(|member| !member.usable())
    }

    fn look_at(&mut self, cx: &mut Cx<'_>, at: usize, place: &mut Option<Place>) {
        let (priority, was_usable) = (self.priority, self.members[at].usable());
        let patient = !self.others_gave_up(cx, at);
        let member = &mut self.members[at];
        let instance = &cx.config.instances[member.id.index()];
        member.look(instance, cx.link(instance.link), *place);
        *place = place.or_else(|| place_of(&instance.routers, member.source));
        if member.usable() == was_usable {
            return;
        }
        if !member.usable() {
            // Its Master_Down_Timer runs on: the master that was heard there a moment ago still lives.
            member.silence();
        } else if matches!(self.state, State::Serving(_)) {
            member.advert.set(cx.now);
            member.announcer.start(cx.now, &instance.announce);
        } else if patient || member.master_down.at().is_none() {
            member.learned = instance.interval;
            member.arm(cx.now, instance, priority, Watch::Anyone);
        }
    }

    /// Whether a track should run here, and from when on a bad test counts.
    pub fn wants_track(&self, at: usize, cx: &Cx<'_>) -> Option<Instant> {
        let used = &self.uses[at].config;
        let track = &cx.config.tracks[used.track.index()];
        if !used.places.contains(self.place) {
            return None;
        }
        let up = cx.carrier(track.link) == Carrier::Up;
        match used.scope {
            TrackScope::Any if up => Some(cx.now),
            TrackScope::Any => Some(cx.now.after(limits::LINK_GRACE)),
            TrackScope::MasterOnly => {
                let settle = track.interval.saturating_mul(u32::from(track.fall));
                (up && matches!(self.state, State::Serving(_))).then(|| cx.now.after(settle))
            }
        }
    }

    /// Something that the priority depends on may have changed.
    pub fn refresh(&mut self, cx: &mut Cx<'_>) {
        self.damp(cx);
        let priority = self.effective(cx);
        let before = core::mem::replace(&mut self.priority, priority);
        self.risen.note(cx.now, before, priority, self.lost_tracks(cx));
        if self.is_healthy(cx) {
            self.healthy_since.get_or_insert(cx.now);
        } else {
            self.healthy_since = None;
        }
        if priority != before {
            cx.emit(Action::Notice(Notice::PriorityChanged { group: self.id, from: before, to: priority }));
            self.priority_changed(cx);
        }
        self.show_role(cx);
        self.consider(cx);
    }

    fn priority_changed(&mut self, cx: &mut Cx<'_>) {
        if matches!(self.state, State::Serving(_)) {
            return self.say(cx);
        }
        for member in &mut self.members {
            member.rearm(cx.instance(member.id), self.priority);
        }
    }

    /// Keeps the role that the world sees in step with faults that begin and end.
    fn show_role(&mut self, cx: &mut Cx<'_>) {
        let State::Standby(_) = self.state else { return };
        match (self.role, self.fault(cx)) {
            (Role::Backup, Some(fault)) => self.set_role(cx, Role::Fault, Cause::FaultBegan(fault)),
            (Role::Fault, None) => self.set_role(cx, Role::Backup, Cause::FaultEnded),
            (Role::Init | Role::Backup | Role::Master | Role::Fault, _) => {}
        }
    }

    fn set_role(&mut self, cx: &mut Cx<'_>, to: Role, cause: Cause) {
        let from = core::mem::replace(&mut self.role, to);
        self.epoch = self.epoch.next();
        self.since = cx.now;
        self.cause = cause.clone();
        cx.emit(Action::Role(RoleChange { group: self.id, from, to, cause, epoch: self.epoch }));
    }

    /// An accepted advert arrived.
    pub fn heard(&mut self, cx: &mut Cx<'_>, heard: Heard) {
        let instance = cx.instance(self.members[heard.member].id);
        let speaker = speaker(&instance.routers, heard.source);
        if matches!(self.state, State::Serving(_)) {
            self.heard_as_master(cx, speaker, heard);
        } else {
            self.heard_as_standby(cx, speaker, heard);
        }
    }

    /// Becomes master: the advert first, so that a master which still serves lets go as early as it can.
    fn promote(&mut self, cx: &mut Cx<'_>, cause: Cause) {
        if self.is_mute() {
            return;
        }
        let displaced = match (&self.state, &cause) {
            (State::Standby(standby), Cause::Told { .. } | Cause::Stopped { .. }) => standby.followed(),
            _ => None,
        };
        self.end_doubt();
        self.state = State::Serving(Serving::new(cx.now, displaced));
        for used in &mut self.uses {
            if used.config.scope == TrackScope::MasterOnly {
                used.remembered = false;
                cx.forget(used.config.track);
            }
        }
        self.priority = self.effective(cx);
        self.say(cx);
        self.set_role(cx, Role::Master, cause);
        self.announce(cx);
    }

    /// Announces the addresses of all usable members.
    fn announce(&mut self, cx: &mut Cx<'_>) {
        for member in self.members.iter_mut().filter(|member| member.usable()) {
            let schedule = &cx.config.instances[member.id.index()].announce;
            member.announcer.start(cx.now, schedule);
            if member.announcer.fires(cx.now, schedule) {
                cx.out.push(Action::Announce { instance: member.id });
            }
        }
    }

    /// Is master no more: the addresses go before anything is said.
    fn demote(&mut self, cx: &mut Cx<'_>, cause: Cause, rival: Option<(Speaker, Heard)>) {
        self.remember_verdicts(cx);
        self.state = State::Standby(Standby::new(cx.now));
        self.unapplied.stop();
        let role = if self.fault(cx).is_some() { Role::Fault } else { Role::Backup };
        self.set_role(cx, role, cause);
        let priority = self.priority;
        for member in &mut self.members {
            member.silence();
            let instance = &cx.config.instances[member.id.index()];
            member.learned = instance.interval;
            if member.usable() {
                member.arm(cx.now, instance, priority, Watch::Anyone);
            }
        }
        if let Some((speaker, heard)) = rival {
            self.follow(cx, speaker, heard);
        }
        self.finish_switch(cx);
        self.refresh(cx);
    }

    /// Does what is due.
    pub fn timeout(&mut self, cx: &mut Cx<'_>) {
        self.resume(cx);
        if self.unapplied.is_due(cx.now) {
            self.give_up_addresses(cx);
        }
        if self.unapplied_until.is_some_and(|until| until <= cx.now) && self.role != Role::Master {
            self.unapplied_until = None;
            self.refresh(cx);
        }
        self.end_damping(cx);
        self.switch_timeout(cx);
        match self.state {
            State::Serving(_) => self.serve(cx),
            State::Init | State::Standby(_) => self.stand_by(cx),
        }
    }

    /// When [`Group::timeout`] is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        let mut next = Instant::earliest(&[
            self.resume.filter(|_| self.members.iter().any(Member::usable)),
            self.unapplied.at(),
            self.unapplied_until.filter(|_| self.role != Role::Master),
            self.switch.as_ref().map(|switch| switch.until),
            self.standby_deadline(),
            self.serving_deadline(),
        ]);
        for member in &self.members {
            next = Instant::earliest(&[next, member.advert.at(), member.retry.at(), member.announcer.due()]);
        }
        for used in &self.uses {
            next = Instant::earliest(&[next, used.damped_until]);
        }
        next
    }

    /// Says the priority on every usable member, in the order of the file, and begins a new interval.
    fn say(&mut self, cx: &mut Cx<'_>) {
        let priority = self.priority;
        for member in self.members.iter_mut().filter(|member| member.usable()) {
            member.schedule(cx.now, cx.config.instances[member.id.index()].interval, Rhythm::Restart);
            member.advertise(cx, priority);
        }
        if let State::Serving(serving) = &mut self.state {
            serving.said(cx.now);
        }
    }

    /// Says one word on every usable member without touching the rhythm.
    fn say_once(&mut self, cx: &mut Cx<'_>, priority: u8) {
        for member in self.members.iter_mut().filter(|member| member.usable()) {
            member.advertise(cx, priority);
        }
    }

    /// The longest Master_Down_Interval of the members.
    fn master_down(&self, cx: &Cx<'_>) -> Duration {
        let watch = self.watch(cx);
        let of = |member: &Member| member.master_down_interval(cx.instance(member.id), self.priority, watch);
        self.members.iter().map(of).max().unwrap_or_default()
    }

    /// Whether the other one's silence can be noticed by two nodes at once (rule 4).
    fn watch(&self, cx: &Cx<'_>) -> Watch {
        match &self.config(cx).base {
            Base::ByPlace(bases) if bases.len() == 2 => Watch::OnlyPeer,
            Base::ByPlace(_) | Base::Own(_) => Watch::Anyone,
        }
    }

    /// Commands of this group that wait for an answer.
    pub fn pending(&self) -> Option<CommandId> {
        self.switch.as_ref().map(|switch| switch.id)
    }
}

/// Whether a verdict counts against the node.
fn is_down(verdict: TrackState) -> bool {
    verdict == TrackState::Down
}

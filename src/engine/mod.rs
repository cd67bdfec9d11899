//! How routers decide: pure, deterministic, one state machine for each sync group.
//!
//! [`Engine::step`] takes the time, one [`Event`] and a list to which it adds [`Action`]s. It cannot
//! fail, block, read a clock or do anything itself. `docs/PROTOCOL.md` states its rules; the code cites them
//! by number.
//!
//! Reading order: [`Event`] and [`Action`] (the contract), `group` (the state machine; `standby`, `master`,
//! `question`, `priority` are its chapters), `member` (what an instance keeps for its group), `track`.

#![warn(clippy::wildcard_enum_match_arm)]

mod action;
mod announce;
mod command;
mod cx;
mod event;
mod group;
mod member;
mod receive;
mod reload;
mod role;
mod time;
mod timers;
mod track;
mod view;

#[cfg(test)]
mod tests;

pub use action::{Action, Done, Mismatch, Notice, Refusal, RoleChange};
pub use event::{
    ApplyOutcome, Boot, Command, CommandId, Event, LinkCondition, LinkState, Maintenance, ProbeOutcome,
    Remembered, Round, SwitchTo,
};
pub use role::{Addresses, Cause, Epoch, Fault, LinkProblem, Role};
pub use time::Instant;
pub use view::{GroupView, InstanceView, MasterView, PeerState, PeerView, TargetView, TrackState, TrackView};

use std::net::IpAddr;
use std::sync::Arc;

use crate::config::model::{Config, GroupId, InstanceId, LinkId, TrackId};

use command::Pending;
use cx::{Cx, Tracks};
use group::Group;
use receive::Demux;
use track::{Answer, Carrier, Track};

/// The decision maker of one node.
#[derive(Debug)]
pub struct Engine {
    config: Arc<Config>,
    links: Vec<Option<LinkState>>,
    tracks: Vec<Track>,
    groups: Vec<Group>,
    /// When each group is due, so that a step touches only the groups it concerns.
    due: Vec<Option<Instant>>,
    demux: Demux,
    maintenance: Maintenance,
    commands: Vec<Pending>,
    stopping: bool,
}

/// Results of commands, by group as they come in.
type Results = Vec<(CommandId, Result<(), Refusal>)>;

/// What views are given in the place of actions and results.
type Unused = (Vec<Action>, Results);

/// What a group is to do.
type Act<'a> = &'a mut dyn FnMut(&mut Group, &mut Cx<'_>);

impl Engine {
    /// A node that has just started; every link counts as missing until told otherwise.
    pub fn new(config: Arc<Config>, boot: &Boot, now: Instant) -> Engine {
        let mut engine = Engine {
            links: vec![None; config.links.len()],
            tracks: Vec::new(),
            groups: Vec::new(),
            due: Vec::new(),
            demux: Demux::new(&config),
            maintenance: boot.maintenance,
            commands: Vec::new(),
            stopping: false,
            config,
        };
        engine.populate(boot, now);
        engine
    }

    fn populate(&mut self, boot: &Boot, now: Instant) {
        let config = Arc::clone(&self.config);
        for id in ids(config.tracks.len()) {
            self.tracks.push(Track::new(TrackId(id), &config.tracks[usize::from(id)], now));
        }
        for id in ids(config.groups.len()) {
            let remembered =
                boot.groups.iter().find(|past| past.group == config.groups[usize::from(id)].name);
            let (mut out, mut results) = (Vec::new(), Vec::new());
            let group = Group::new(GroupId(id), &self.cx(now, &mut out, &mut results), remembered);
            self.groups.push(group);
        }
        self.set_deadlines();
    }

    fn set_deadlines(&mut self) {
        self.due.clear();
        for group in &self.groups {
            self.due.push(group.next_deadline());
        }
    }

    /// Takes in one event and adds what follows from it to `out`.
    pub fn step(&mut self, now: Instant, event: Event<'_>, out: &mut Vec<Action>) {
        match event {
            Event::Timeout => self.timeout(now, out),
            Event::Vrrp { link, packet } => self.receive(now, link, &packet, out),
            Event::Link { link, state } => self.link(now, link, state, out),
            Event::Probe { track, round, target, outcome } => {
                let answer = Answer { round, target: usize::from(target), outcome };
                self.probe(now, track, &answer, out);
            }
            Event::Applied { group, epoch, outcome } => {
                self.with(now, group, out, &mut |group, cx| group.applied(cx, epoch, outcome));
            }
            Event::Conflict { instance } => self.with_member(now, instance, out, &mut Group::conflict),
            Event::SendFailed { instance } => self.with_member(now, instance, out, &mut Group::send_failed),
            Event::Config(config) => self.reload(now, config, out),
            Event::Command { id, command } => self.command(now, id, command, out),
            Event::Kept { group } => self.with(now, group, out, &mut Group::kept),
            Event::HoldPreempt { until } => {
                self.with_all(now, out, &mut |group, cx| group.hold_preempt(cx, until));
            }
            Event::Terminate => self.terminate(now, out),
        }
    }

    /// When [`Event::Timeout`] is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        let mut next = Instant::earliest(&self.due);
        for track in &self.tracks {
            next = Instant::earliest(&[next, track.next_deadline()]);
        }
        next
    }

    /// The configuration in force.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// A group's present role and epoch.
    pub fn role(&self, group: GroupId) -> (Role, Epoch) {
        self.groups[group.index()].role()
    }

    /// Maintenance of this node.
    pub fn maintenance(&self) -> Maintenance {
        self.maintenance
    }

    /// Own address that an instance's packets carry; `None` while it is not on the link. Those who
    /// get them are [`crate::config::model::Instance::others`].
    pub fn source(&self, id: InstanceId) -> Option<IpAddr> {
        let group = &self.groups[self.config.instances[id.index()].group.index()];
        group.members.iter().find(|member| member.id == id)?.source
    }

    /// Packets for virtual routers that are not configured here, since the start.
    pub fn unknown_vrid(&self) -> u32 {
        self.demux.unknown()
    }

    /// An instance as status shows it.
    pub fn instance(&self, id: InstanceId, now: Instant) -> InstanceView {
        let group = &self.groups[self.config.instances[id.index()].group.index()];
        let at =
            group.members.iter().position(|member| member.id == id).expect("every instance is in its group");
        group.member_view(&self.look(now, &mut Unused::default()), &group.members[at])
    }

    /// A group as status shows it.
    pub fn group(&self, id: GroupId, now: Instant) -> GroupView {
        self.groups[id.index()].view(&self.look(now, &mut Unused::default()))
    }

    /// A track as status shows it.
    pub fn track(&self, id: TrackId, now: Instant) -> TrackView {
        let (track, config) = (&self.tracks[id.index()], &self.config.tracks[id.index()]);
        let (streak, needed) = track.streak(config);
        let mut unused = Unused::default();
        let cx = self.look(now, &mut unused);
        let mut effect = "none".to_string();
        for group in &self.groups {
            let used = group.uses.iter().position(|used| used.config.track == id);
            if let Some(at) = used.filter(|_| effect == "none") {
                effect = group.effect_of(&cx, at);
            }
        }
        let (state, targets, since) = (track.verdict(), track.targets().to_vec(), track.since());
        TrackView { id, state, targets, streak, needed, since, effect }
    }

    /// The surroundings, to look at only.
    fn look<'a>(&'a self, now: Instant, (out, results): &'a mut Unused) -> Cx<'a> {
        let (config, links, maintenance) = (&self.config, &self.links, self.maintenance);
        Cx { now, config, links, tracks: Tracks::View(&self.tracks), maintenance, out, results }
    }

    fn cx<'a>(&'a mut self, now: Instant, out: &'a mut Vec<Action>, results: &'a mut Results) -> Cx<'a> {
        Cx {
            now,
            config: &self.config,
            links: &self.links,
            tracks: Tracks::Step(&mut self.tracks),
            maintenance: self.maintenance,
            out,
            results,
        }
    }

    /// Lets a group act, then books its deadline, its tracks and the results of commands.
    fn with(&mut self, now: Instant, id: GroupId, out: &mut Vec<Action>, act: Act<'_>) {
        let mut results = Results::new();
        let group = &mut self.groups[id.index()];
        let before = group.is_serving();
        let mut cx = Cx {
            now,
            config: &self.config,
            links: &self.links,
            tracks: Tracks::Step(&mut self.tracks),
            maintenance: self.maintenance,
            out,
            results: &mut results,
        };
        act(group, &mut cx);
        self.due[id.index()] = group.next_deadline();
        if before != group.is_serving() {
            self.run_tracks(now, out);
        }
        self.book(now, results, out);
    }

    fn with_member(
        &mut self,
        now: Instant,
        instance: InstanceId,
        out: &mut Vec<Action>,
        act: &mut dyn FnMut(&mut Group, &mut Cx<'_>, usize),
    ) {
        let id = self.config.instances[instance.index()].group;
        let at = self.groups[id.index()].members.iter().position(|member| member.id == instance);
        if let Some(at) = at {
            self.with(now, id, out, &mut |group, cx| act(group, cx, at));
        }
    }

    fn with_all(&mut self, now: Instant, out: &mut Vec<Action>, act: Act<'_>) {
        for id in ids(self.groups.len()) {
            self.with(now, GroupId(id), out, act);
        }
    }

    fn timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
        for at in 0..self.tracks.len() {
            if self.tracks[at].next_deadline().is_some_and(|due| due <= now) {
                let carrier = self.carrier(at);
                self.tracks[at].timeout(now, &self.config.tracks[at], carrier, out);
                self.track_moved(now, at, out);
            }
        }
        for at in ids(self.groups.len()) {
            if self.due[usize::from(at)].is_some_and(|due| due <= now) {
                self.with(now, GroupId(at), out, &mut Group::timeout);
            }
        }
    }

    fn link(&mut self, now: Instant, link: LinkId, state: &LinkState, out: &mut Vec<Action>) {
        let before = self.links[link.index()].replace(state.clone());
        if before.as_ref() == Some(state) {
            return;
        }
        let condition_changed = before.is_none_or(|before| before.condition != state.condition);
        let config = Arc::clone(&self.config);
        for at in ids(config.groups.len()) {
            let on_link = |id: &InstanceId| config.instances[id.index()].link == link;
            if config.groups[usize::from(at)].instances.iter().any(on_link) {
                self.with(now, GroupId(at), out, &mut Group::look);
            }
        }
        self.run_tracks(now, out);
        for at in 0..self.tracks.len() {
            if config.tracks[at].link == Some(link) && condition_changed {
                let carrier = self.carrier(at);
                self.tracks[at].link_changed(now, &config.tracks[at], carrier, out);
                self.track_moved(now, at, out);
            }
        }
    }

    fn probe(&mut self, now: Instant, track: TrackId, answer: &Answer, out: &mut Vec<Action>) {
        self.tracks[track.index()].answer(now, &self.config.tracks[track.index()], *answer, out);
        self.track_moved(now, track.index(), out);
    }

    /// A track may have changed its verdict, or cleared a doubt.
    fn track_moved(&mut self, now: Instant, track: usize, out: &mut Vec<Action>) {
        for at in ids(self.groups.len()) {
            let uses = &self.groups[usize::from(at)].uses;
            if uses.iter().any(|used| used.config.track.index() == track) {
                self.with(now, GroupId(at), out, &mut Group::refresh);
            }
        }
    }

    fn carrier(&self, track: usize) -> Carrier {
        cx::carrier(&self.links, self.config.tracks[track].link)
    }

    /// Starts the tracks that some group wants to run now, and stops the others.
    fn run_tracks(&mut self, now: Instant, out: &mut Vec<Action>) {
        let mut wanted: Vec<Option<Instant>> = vec![None; self.tracks.len()];
        let mut unused = Unused::default();
        let cx = self.look(now, &mut unused);
        for group in &self.groups {
            for (at, used) in group.uses.iter().enumerate() {
                let slot = &mut wanted[used.config.track.index()];
                *slot = Instant::earliest(&[*slot, group.wants_track(at, &cx)]);
            }
        }
        for (track, wanted) in self.tracks.iter_mut().zip(wanted) {
            match wanted {
                Some(judge_from) => track.run(now, judge_from),
                None => track.halt(out),
            }
        }
    }

    fn terminate(&mut self, now: Instant, out: &mut Vec<Action>) {
        if core::mem::replace(&mut self.stopping, true) {
            return;
        }
        self.with_all(now, out, &mut |group, cx| group.terminate(cx, &Cause::Terminated));
        self.due.fill(None);
        for track in &mut self.tracks {
            track.halt(out);
        }
        out.push(Action::Exit);
    }
}

/// Ids of a list; configurations are bounded far below `u16::MAX`.
fn ids(count: usize) -> core::ops::Range<u16> {
    0..u16::try_from(count).unwrap_or(u16::MAX)
}

//! What a group may see and touch during one step.

use crate::config::model::{Config, Instance, InstanceId, LinkId, TrackId};

use super::Results;
use super::action::Action;
use super::event::{LinkCondition, LinkState, Maintenance, Round};
use super::time::Instant;
use super::track::{Carrier, Track};

/// The surroundings of a group during one step.
pub(super) struct Cx<'a> {
    /// The time, the same for all events of one turn of the caller's loop.
    pub now: Instant,
    /// The configuration in force.
    pub config: &'a Config,
    /// States of the links, by [`LinkId`]; `None`: nothing was said of it yet.
    pub links: &'a [Option<LinkState>],
    /// The tracks, by [`crate::config::model::TrackId`].
    pub tracks: Tracks<'a>,
    /// Maintenance of the node.
    pub maintenance: Maintenance,
    /// What is to be done.
    pub out: &'a mut Vec<Action>,
    /// Results of commands that groups have finished.
    pub results: &'a mut Results,
}

/// The tracks: a step may change them, a view may not.
pub(super) enum Tracks<'a> {
    Step(&'a mut [Track]),
    View(&'a [Track]),
}

impl Cx<'_> {
    /// Asks a track in doubt; `None` in a view.
    pub fn ask(&mut self, id: TrackId) -> Option<Round> {
        let Tracks::Step(tracks) = &mut self.tracks else { return None };
        Some(tracks[id.index()].ask(self.now, &self.config.tracks[id.index()], self.out))
    }

    /// A track's verdict is to be made anew.
    pub fn forget(&mut self, id: TrackId) {
        if let Tracks::Step(tracks) = &mut self.tracks {
            tracks[id.index()].forget(self.now);
        }
    }

    /// A track of the configuration.
    pub fn track(&self, id: TrackId) -> &Track {
        let tracks = match &self.tracks {
            Tracks::Step(tracks) => &**tracks,
            Tracks::View(tracks) => tracks,
        };
        &tracks[id.index()]
    }

    /// The configuration of an instance.
    pub fn instance(&self, id: InstanceId) -> &Instance {
        &self.config.instances[id.index()]
    }

    /// The state of a link.
    pub fn link(&self, id: LinkId) -> Option<&LinkState> {
        self.links[id.index()].as_ref()
    }

    /// Whether frames can pass a link; without a link nothing is known against it.
    pub fn carrier(&self, link: Option<LinkId>) -> Carrier {
        carrier(self.links, link)
    }

    /// Asks for an action.
    pub fn emit(&mut self, action: Action) {
        self.out.push(action);
    }
}

/// Whether frames can pass a link; without a link nothing is known against it.
pub fn carrier(links: &[Option<LinkState>], link: Option<LinkId>) -> Carrier {
    match link.map(|link| links[link.index()].as_ref().map(|state| state.condition)) {
        None | Some(Some(LinkCondition::Up)) => Carrier::Up,
        Some(_) => Carrier::Down,
    }
}

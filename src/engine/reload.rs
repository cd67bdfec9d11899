//! A new configuration: what is the same goes on untouched.
//!
//! An instance is the same if its link, family and VRID are; a group is the same if its name is, or else if
//! it has an instance of an old one; a track is the same if its name and its question are.

use std::sync::Arc;

use crate::config::model::{Config, GroupId, Instance, InstanceId, LinkRef, Track as TrackConfig, TrackId};

use super::action::Action;
use super::group::Group;
use super::role::Cause;
use super::time::Instant;
use super::track::Track;
use super::{Engine, Results, ids};

impl Engine {
    pub(super) fn reload(&mut self, now: Instant, config: Arc<Config>, out: &mut Vec<Action>) {
        if self.stopping || *self.config == *config {
            return;
        }
        self.leave_removed(now, &config, out);
        for track in &mut self.tracks {
            track.halt(out);
        }
        out.push(Action::Configured);
        let mut old = Old {
            groups: core::mem::take(&mut self.groups),
            config: core::mem::replace(&mut self.config, config),
        };
        self.take_links(&old.config);
        self.take_tracks(&old.config, now);
        self.demux.renew(&self.config);
        self.take_groups(&mut old, now);
        self.with_all(now, out, &mut Group::look);
        self.run_tracks(now, out);
        self.forget_commands(out);
    }

    /// Groups and instances that are in the new configuration no more say that they stop, as they would at
    /// the end of the daemon. The caller still has the old configuration for these actions.
    fn leave_removed(&mut self, now: Instant, config: &Arc<Config>, out: &mut Vec<Action>) {
        let old = Arc::clone(&self.config);
        let stays = |id: &InstanceId| find(config, &old, &old.instances[id.index()]).is_some();
        for id in ids(old.groups.len()) {
            let members = &old.groups[usize::from(id)].instances;
            if !members.iter().any(stays) {
                self.with(now, GroupId(id), out, &mut |group, cx| group.terminate(cx, &Cause::Reconfigured));
            } else if self.groups[usize::from(id)].is_serving() {
                for id in members {
                    if !stays(id) && self.source(*id).is_some() {
                        out.push(Action::Advertise { instance: *id, priority: 0 });
                    }
                }
            }
        }
    }

    fn take_links(&mut self, old: &Config) {
        let mut states = core::mem::take(&mut self.links);
        for link in &self.config.links {
            let known = old.links.iter().position(|known| known == link);
            self.links.push(known.and_then(|at| states[at].take()));
        }
    }

    fn take_tracks(&mut self, old: &Config, now: Instant) {
        let mut tracks = core::mem::take(&mut self.tracks);
        let config = Arc::clone(&self.config);
        let same = |new: &TrackConfig, known: &TrackConfig| {
            new.name == known.name
                && new.kind == known.kind
                && link_name(&config, new) == link_name(old, known)
        };
        for id in ids(config.tracks.len()) {
            let new = &config.tracks[usize::from(id)];
            let known = old.tracks.iter().position(|known| same(new, known));
            let known = known.and_then(|at| tracks.iter().position(|track| track.id().index() == at));
            let mut track = match known {
                Some(at) => tracks.swap_remove(at),
                None => Track::new(TrackId(id), new, now),
            };
            track.move_to(TrackId(id));
            self.tracks.push(track);
        }
    }

    fn take_groups(&mut self, old: &mut Old, now: Instant) {
        let config = Arc::clone(&self.config);
        for id in ids(config.groups.len()) {
            let (mut out, mut results) = (Vec::new(), Results::new());
            let cx = self.cx(now, &mut out, &mut results);
            let mut group = Group::new(GroupId(id), &cx, None);
            if let Some(at) = old.place_for(&config, GroupId(id)) {
                let fresh = core::mem::replace(&mut group, old.groups.swap_remove(at));
                group.renew(fresh, &cx, &old.config);
            }
            self.groups.push(group);
        }
        self.set_deadlines();
    }

    /// Commands of groups that are gone get their answer.
    fn forget_commands(&mut self, out: &mut Vec<Action>) {
        let groups = &self.groups;
        self.commands.retain(|pending| {
            let alive = groups.iter().any(|group| group.pending() == Some(pending.id));
            if !alive {
                out.push(Action::Reply { id: pending.id, result: Err(super::Refusal::Stopping) });
            }
            alive
        });
    }
}

/// What was before.
struct Old {
    groups: Vec<Group>,
    config: Arc<Config>,
}

impl Old {
    fn place_for(&self, config: &Config, id: GroupId) -> Option<usize> {
        let new = &config.groups[id.index()];
        let named = self.config.groups.iter().position(|known| known.name == new.name);
        let shared = || {
            new.instances.iter().find_map(|id| {
                let known = find(&self.config, config, &config.instances[id.index()])?;
                Some(self.config.instances[known.index()].group.index())
            })
        };
        // Each group goes on as one group only.
        let place = |id: usize| self.groups.iter().position(|group| group.id.index() == id);
        named.and_then(place).or_else(|| shared().and_then(place))
    }
}

/// The instance of `config` that is the same as `instance` of `other`.
pub(super) fn find(config: &Config, other: &Config, instance: &Instance) -> Option<InstanceId> {
    let link = &other.links[instance.link.index()];
    let same = |known: &Instance| {
        config.links[known.link.index()] == *link
            && known.family == instance.family
            && known.vrid == instance.vrid
    };
    let at = config.instances.iter().position(same)?;
    u16::try_from(at).ok().map(InstanceId)
}

fn link_name<'a>(config: &'a Config, track: &TrackConfig) -> Option<&'a LinkRef> {
    track.link.map(|link| &config.links[link.index()])
}

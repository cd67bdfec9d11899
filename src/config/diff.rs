//! What a new configuration changes of an old one.

use super::model::{Config, Group, GroupId, Instance, InstanceId, LinkRef, Track, TrackUse};
use crate::collect::IntoVec as _;
use crate::wire::types::{Family, Vrid};

/// What makes a virtual router the same one under another configuration: it keeps its role, whatever
/// else of it changes, and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity<'a> {
    /// Where it lives.
    pub link: &'a LinkRef,
    /// Family of its addresses.
    pub family: Family,
    /// Identifier.
    pub vrid: Vrid,
}

/// What became of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing of it changes: it must not be touched.
    Unchanged {
        /// Its id in the old configuration.
        old: InstanceId,
    },
    /// It goes on with other settings, its own or its group's.
    Changed {
        /// Its id in the old configuration.
        old: InstanceId,
    },
    /// It is new.
    Added,
}

/// What a new configuration changes of an old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// What became of each instance of the new configuration, in its order.
    pub instances: Vec<Fate>,
    /// The instances of the old configuration that are gone.
    pub removed: Vec<InstanceId>,
}

/// Compares two configurations. Ids may differ between them without a change of what they stand for.
pub fn diff(old: &Config, new: &Config) -> Diff {
    let fate = |instance: &Instance| match find(old, identity(new, instance)) {
        Some((id, known)) if is_same(old, known, new, instance) => Fate::Unchanged { old: id },
        Some((id, _)) => Fate::Changed { old: id },
        None => Fate::Added,
    };
    let ids = (0..).map(InstanceId).zip(&old.instances);
    let removed = ids.filter(|(_, instance)| find(new, identity(old, instance)).is_none());
    Diff {
        instances: new.instances.iter().map(fate).into_vec(),
        removed: removed.map(|(id, _)| id).into_vec(),
    }
}

/// The identity of one of the configuration's instances; `None` if it is not of this configuration.
pub fn identity<'a>(config: &'a Config, instance: &Instance) -> Option<Identity<'a>> {
    let link = config.links.get(instance.link.index())?;
    Some(Identity { link, family: instance.family, vrid: instance.vrid })
}

fn find<'a>(config: &'a Config, wanted: Option<Identity<'_>>) -> Option<(InstanceId, &'a Instance)> {
    let mut ids = (0..).map(InstanceId).zip(&config.instances);
    ids.find(|(_, instance)| wanted.is_some() && identity(config, instance) == wanted)
}

/// Whether nothing of two instances of one identity differs, their groups included.
fn is_same(old: &Config, before: &Instance, new: &Config, after: &Instance) -> bool {
    let renumbered = Instance { link: after.link, group: after.group, ..before.clone() };
    renumbered == *after && is_same_group(old, before.group, new, after.group)
}

fn is_same_group(old: &Config, before: GroupId, new: &Config, after: GroupId) -> bool {
    let (Some(a), Some(b)) = (old.groups.get(before.index()), new.groups.get(after.index())) else {
        return false;
    };
    let members = |config: &Config, ids: &[InstanceId]| -> Vec<String> {
        ids.iter().filter_map(|id| Some(config.instances.get(id.index())?.name.clone())).into_vec()
    };
    // Tracks are compared by what they are; the link is compared by name.
    let tracks = |config: &Config, group: &Group| -> Option<Vec<_>> {
        let one = |used: &TrackUse| {
            let track = config.tracks.get(used.track.index())?;
            let link = track.link.and_then(|link| config.links.get(link.index())).cloned();
            Some((used.places, used.scope, link, Track { link: None, ..track.clone() }))
        };
        group.tracks.iter().map(one).collect()
    };
    let renumbered = Group { instances: b.instances.clone(), tracks: b.tracks.clone(), ..a.clone() };
    renumbered == *b
        && members(old, &a.instances) == members(new, &b.instances)
        && tracks(old, a) == tracks(new, b)
}

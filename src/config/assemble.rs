//! From drafts to a [`Config`]: how the sections fit each other.

use std::net::IpAddr;

use log::LevelFilter;

use crate::collect::IntoVec as _;

use super::conflict::Conflict;
use super::drafts::{Drafts, GroupDraft};
use super::finding::{Findings, Spot};
use super::group::{self, Plan};
use super::instance::{InstanceDraft, RoutersDraft};
use super::model::{
    Config, GroupId, Instance, InstanceId, LinkId, LinkRef, Routers, Scheduling, Sync, SyncPath, Tools, Track,
};
use super::reader::Given;
use super::suggest::nearest;
use super::sync::{PathDraft, SyncDraft};
use super::track::TrackDraft;
use super::unique;

/// Whose configuration is wanted.
#[derive(Debug, Clone, Copy)]
pub enum Node<'a> {
    /// A node that does not know its addresses yet: sections that are only for some routers are left out.
    Unknown,
    /// The node with these addresses.
    Known(&'a [IpAddr]),
}

impl Node<'_> {
    fn is_meant(self, only: &[Given<IpAddr>]) -> bool {
        match self {
            _ if only.is_empty() => true,
            Node::Unknown => false,
            Node::Known(own) => only.iter().any(|given| own.contains(&given.value)),
        }
    }
}

/// The sections that count on a node.
pub struct Selection<'a> {
    /// Everything, to tell a name that is not for this node from one that is nowhere.
    pub all: &'a Drafts,
    /// Instances.
    pub instances: Vec<&'a InstanceDraft>,
    /// Groups.
    pub groups: Vec<&'a GroupDraft>,
    /// Tracks: all of them; for which routers each counts is said in its use.
    pub tracks: &'a [TrackDraft],
    /// The sync section.
    pub sync: Option<&'a SyncDraft>,
}

impl<'a> Selection<'a> {
    fn new(all: &'a Drafts, node: Node<'_>, findings: &mut Findings) -> Selection<'a> {
        let mut syncs = all.syncs.iter().filter(|sync| node.is_meant(&sync.only));
        let sync = syncs.next();
        if let (Some(first), Some(second)) = (sync, syncs.next()) {
            findings.error(second.at.clone(), Conflict::SecondSection { first_line: first.at.line });
        }
        Selection {
            all,
            instances: all.instances.iter().filter(|instance| node.is_meant(&instance.only)).into_vec(),
            groups: all.groups.iter().filter(|group| node.is_meant(&group.only)).into_vec(),
            tracks: &all.tracks,
            sync,
        }
    }

    /// The instance of that name. `None` without an error if it is for other routers only, and with one
    /// if there is none.
    pub fn instance(&self, name: &Given<String>, findings: &mut Findings) -> Option<usize> {
        let found = self.instances.iter().position(|instance| instance.name == name.value);
        let elsewhere = self.all.instances.iter().any(|instance| instance.name == name.value);
        if found.is_none() && !elsewhere {
            let have = self.all.instances.iter().map(|instance| instance.name.as_str());
            findings.error(name.at.clone(), no_such_section("instance", &name.value, have));
        }
        found
    }
}

/// An error about a name that no section has.
pub fn no_such_section<'a>(kind: &'static str, name: &str, have: impl Iterator<Item = &'a str>) -> Conflict {
    let have = have.filter(|name| !name.is_empty()).into_vec();
    let suggestion = nearest(name, &have);
    let have = have.into_iter().map(str::to_owned).into_vec();
    Conflict::NoSuchSection { kind, have, suggestion }
}

/// The configuration of a node. `None` if there are errors, here or in the drafts.
pub fn assemble(drafts: &Drafts, node: Node<'_>, findings: &mut Findings) -> Option<Config> {
    let selection = Selection::new(drafts, node, findings);
    unique::check(&selection, findings);
    let main = main(drafts, node, findings);
    let plans = group::plans(&selection, findings);
    let (mut groups, mut instances, mut tracks) = (Vec::new(), Vec::new(), Vec::new());
    for plan in &plans {
        push(&mut groups, plan.group(&selection, findings));
    }
    let mut links = Links::default();
    for (index, draft) in selection.instances.iter().enumerate() {
        push(&mut instances, instance(draft, index, &plans, &mut links));
    }
    for draft in selection.tracks {
        push(&mut tracks, track(draft, &mut links));
    }
    let is_complete = groups.len() == plans.len()
        && instances.len() == selection.instances.len()
        && tracks.len() == selection.tracks.len();
    let sync = sync(&selection, &mut links, findings);

    let (enabled, log_level, scheduling, tools) = main?;
    if enabled && drafts.instances.is_empty() {
        // An error, since a file that was cut off looks like this and must not end what is running.
        let at =
            drafts.mains.first().map_or_else(|| Spot::section(1, "".into()).into(), |main| main.at.clone());
        findings.error(at, Conflict::NothingToDo);
    }
    let sync = sync.filter(|_| is_complete)?;
    Some(Config { enabled, log_level, tools, scheduling, instances, groups, tracks, sync, links: links.0 })
}

/// Adds what could be made.
fn push<T>(list: &mut Vec<T>, made: Option<T>) {
    if let Some(made) = made {
        list.push(made);
    }
}

/// The options of `config gwha`.
fn main(
    drafts: &Drafts,
    node: Node<'_>,
    findings: &mut Findings,
) -> Option<(bool, LevelFilter, Scheduling, Tools)> {
    let mut meant = drafts.mains.iter().filter(|main| node.is_meant(&main.only));
    let Some(first) = meant.next() else {
        return Some((true, LevelFilter::Info, Scheduling::Ordinary, Tools::default()));
    };
    for second in meant {
        findings.error(second.at.clone(), Conflict::SecondSection { first_line: first.at.line });
    }
    let scheduling = if first.realtime? { Scheduling::RealTime } else { Scheduling::Ordinary };
    Some((first.enabled?, first.log_level?, scheduling, first.tools.clone()))
}

/// The links that are named, each once.
#[derive(Default)]
struct Links(Vec<LinkRef>);

impl Links {
    fn id(&mut self, link: &LinkRef) -> LinkId {
        let known = self.0.iter().position(|known| known == link);
        let index = known.unwrap_or_else(|| {
            self.0.push(link.clone());
            self.0.len() - 1
        });
        // limits: at most one for each instance and track, and one for sync.
        LinkId(index as u16)
    }
}

fn instance(draft: &InstanceDraft, index: usize, plans: &[Plan<'_>], links: &mut Links) -> Option<Instance> {
    let group = plans.iter().position(|plan| plan.members.contains(&index))?;
    let speech = draft.speech.as_ref()?;
    let routers = match draft.routers.as_ref()? {
        RoutersDraft::Listed(all) => Routers::Listed(addresses(all)),
        RoutersDraft::Peers { source, peers } => {
            Routers::Peers { source: source.as_ref().map(|given| given.value), peers: addresses(peers) }
        }
    };
    Some(Instance {
        name: draft.name.clone(),
        link: links.id(&draft.link.as_ref()?.value),
        family: draft.family()?,
        vrid: draft.vrid.as_ref()?.value,
        version: speech.version,
        interval: speech.interval,
        auth: speech.auth,
        mode: speech.mode,
        routers,
        vips: draft.vips.iter().map(|given| given.value.clone()).into_vec(),
        hop_limit_min: speech.hop_limit_min,
        checksum: speech.checksum,
        accept_old_checksum: speech.accept_old_checksum,
        announce: speech.announce.clone(),
        group: GroupId(group as u16),
    })
}

fn track(draft: &TrackDraft, links: &mut Links) -> Option<Track> {
    let pace = draft.pace?;
    Some(Track {
        name: draft.name.clone(),
        kind: draft.kind.clone()?,
        link: draft.link.as_ref().map(|link| links.id(&link.value)),
        need: pace.need,
        interval: pace.interval,
        timeout: pace.timeout,
        fall: pace.fall,
        rise: pace.rise,
        weight: pace.weight,
    })
}

/// The sync section; `Some(None)` if there is none here, or its instance is for other routers only.
fn sync(selection: &Selection<'_>, links: &mut Links, findings: &mut Findings) -> Option<Option<Sync>> {
    let Some(draft) = selection.sync else { return Some(None) };
    let path = match draft.path.as_ref()? {
        PathDraft::Instance(name) => {
            let Some(index) = selection.instance(name, findings) else { return Some(None) };
            let instance = selection.instances.get(index)?;
            if let Some(RoutersDraft::Peers { peers, .. }) = &instance.routers {
                if peers.is_empty() {
                    findings.error(name.at.clone(), Conflict::SyncWithoutPeers);
                }
            }
            SyncPath::Instance(InstanceId(index as u16))
        }
        PathDraft::Dedicated { link, routers } => {
            check_count(selection, routers, findings);
            SyncPath::Dedicated { link: links.id(&link.value), routers: addresses(routers) }
        }
    };
    let content = draft.content.as_ref()?;
    Some(Some(Sync {
        name: draft.name.clone(),
        path,
        key_file: content.key_file.clone(),
        leases: content.leases,
        lease_file: content.lease_file.clone(),
        files: content.files.clone(),
        reload: content.reload.clone(),
        keep: content.keep.clone(),
    }))
}

/// The routers of a dedicated link are those of the instances.
fn check_count(selection: &Selection<'_>, routers: &[Given<IpAddr>], findings: &mut Findings) {
    let Some(first) = routers.first() else { return };
    let listed = selection.instances.iter().find(|instance| !instance.listed().is_empty());
    let Some(instance) = listed.filter(|instance| instance.listed().len() != routers.len()) else { return };
    let other_count = instance.listed().len();
    let problem =
        Conflict::SyncRouterCount { count: routers.len(), instance: instance.name.clone(), other_count };
    findings.error(first.at.clone(), problem);
}

fn addresses(given: &[Given<IpAddr>]) -> Vec<IpAddr> {
    given.iter().map(|given| given.value).into_vec()
}

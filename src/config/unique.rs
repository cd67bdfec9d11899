//! What must be there once in the whole file, and what the checks of one section have to do with the
//! addresses of another.

use super::assemble::Selection;
use super::conflict::Conflict;
use super::finding::Findings;
use super::instance::InstanceDraft;
use super::model::LinkRef;
use super::net::{Scope, scope};
use super::problem::Problem;
use super::track::TrackDraft;

/// Reports duplicates and contradictions.
pub fn check(selection: &Selection<'_>, findings: &mut Findings) {
    for (index, later) in selection.instances.iter().enumerate() {
        for earlier in selection.instances.iter().take(index) {
            vrids(earlier, later, findings);
            vips(earlier, later, findings);
        }
    }
    for track in selection.tracks {
        targets(track, selection, findings);
        unused(track, selection, findings);
    }
}

/// VRIDs are unique for each link and family.
fn vrids(earlier: &InstanceDraft, later: &InstanceDraft, findings: &mut Findings) {
    let (Some(a), Some(b)) = (&earlier.vrid, &later.vrid) else { return };
    let same_link = is_same_link(earlier, later);
    let same_family = earlier.family().is_some() && earlier.family() == later.family();
    if same_link && same_family && a.value == b.value {
        let problem = Conflict::VridTaken { by: earlier.name.clone(), line: a.at.line };
        findings.error(b.at.clone(), problem);
    }
}

/// An address is in one instance; a link-local one may be there once on each link.
fn vips(earlier: &InstanceDraft, later: &InstanceDraft, findings: &mut Findings) {
    for vip in &later.vips {
        let same = earlier.vips.iter().find(|other| other.value.address == vip.value.address);
        let Some(other) = same else { continue };
        if scope(vip.value.address) == Scope::Link && !is_same_link(earlier, later) {
            continue;
        }
        let problem = Conflict::VipTaken { by: earlier.name.clone(), line: other.at.line };
        findings.error(vip.at.clone(), problem);
    }
}

fn is_same_link(a: &InstanceDraft, b: &InstanceDraft) -> bool {
    match (&a.link, &b.link) {
        (Some(a), Some(b)) => a.value == b.value,
        (None, _) | (_, None) => false,
    }
}

/// A target that is one of our own addresses says nothing about the way out.
fn targets(track: &TrackDraft, selection: &Selection<'_>, findings: &mut Findings) {
    for target in &track.targets {
        for instance in &selection.instances {
            let vip = instance.vips.iter().any(|vip| vip.value.address == target.value);
            let router = instance
                .routers
                .as_ref()
                .is_some_and(|routers| routers.addresses().any(|router| router.value == target.value));
            let name = || instance.name.clone();
            if vip {
                findings.warn(target.at.clone(), Conflict::TargetIsVip { instance: name() });
            } else if router {
                findings.warn(target.at.clone(), Conflict::TargetIsRouter { instance: name() });
            }
        }
    }
}

fn unused(track: &TrackDraft, selection: &Selection<'_>, findings: &mut Findings) {
    let groups = selection.all.groups.iter().map(|group| &group.role);
    let instances = selection.all.instances.iter().map(|instance| &instance.role);
    let used = groups.chain(instances).flat_map(|role| &role.tracks).any(|name| name.value == track.name);
    if !used && !track.name.is_empty() {
        let why = "until a group, or an instance in no group, has it in 'list track'";
        findings.warn(track.at.clone(), Problem::NoEffect { why });
    }
}

/// Whether an instance lives on this network.
pub fn lives_on(instance: &InstanceDraft, interface: &str) -> bool {
    matches!(&instance.link, Some(link) if matches!(&link.value, LinkRef::Interface(name) if name == interface))
}

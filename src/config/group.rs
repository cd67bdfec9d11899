//! Groups: who is in which, and whether the members fit each other.

use core::time::Duration;
use std::net::IpAddr;

use crate::collect::IntoVec as _;

use super::assemble::{Selection, no_such_section};
use super::conflict::Conflict;
use super::finding::{At, Findings};
use super::instance::InstanceDraft;
use super::model::{Group, InstanceId, LinkRef, Places, TrackId, TrackScope, TrackUse};
use super::net::{family, host_part};
use super::rank;
use super::reader::Given;
use super::role::RoleDraft;
use super::track::{Reach, TrackDraft};
use super::unique::lives_on;

/// A group that will be: a `config group`, or an instance that is in none.
pub struct Plan<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where it is written.
    pub at: &'a At,
    /// Its members, as indices of the selection's instances; at least one.
    pub members: Vec<usize>,
    /// Its options.
    pub role: &'a RoleDraft,
}

/// The groups: those of the file, then instances that are in none.
pub fn plans<'a>(selection: &Selection<'a>, findings: &mut Findings) -> Vec<Plan<'a>> {
    let mut plans: Vec<Plan<'a>> = Vec::new();
    for group in &selection.groups {
        let mut wanted = Vec::new();
        for name in &group.instances {
            let Some(index) = selection.instance(name, findings) else { continue };
            match plans.iter().find(|plan| plan.members.contains(&index)) {
                Some(plan) => {
                    findings.error(name.at.clone(), Conflict::InTwoGroups { other: plan.name.to_owned() });
                }
                None => wanted.push(index),
            }
        }
        // In the order of the file: adverts leave in this order.
        let members: Vec<usize> =
            (0..selection.instances.len()).filter(|index| wanted.contains(index)).into_vec();
        if !members.is_empty() {
            plans.push(Plan { name: &group.name, at: &group.at, members, role: &group.role });
        }
    }
    for (index, &instance) in selection.instances.iter().enumerate() {
        match plans.iter().find(|plan| plan.members.contains(&index)) {
            Some(plan) => misplaced_options(instance, plan.name, findings),
            None => {
                let members = vec![index];
                plans.push(Plan { name: &instance.name, at: &instance.at, members, role: &instance.role });
            }
        }
    }
    plans
}

/// Options of a group that stand in an instance which is in one.
fn misplaced_options(instance: &InstanceDraft, group: &str, findings: &mut Findings) {
    for at in &instance.role.places {
        findings.error(at.clone(), Conflict::BelongsToGroup { group: group.to_owned() });
    }
}

impl<'a> Plan<'a> {
    /// The members' drafts.
    pub fn members<'s>(
        &'s self,
        selection: &'s Selection<'a>,
    ) -> impl Iterator<Item = &'a InstanceDraft> + 's {
        self.members.iter().filter_map(|index| selection.instances.get(*index).copied())
    }

    /// The group, `None` if it can't be; every reason is reported.
    pub fn group(&self, selection: &Selection<'a>, findings: &mut Findings) -> Option<Group> {
        self.check_routers(selection, findings);
        self.check_links(selection, findings);
        let base = rank::base(self, selection, findings);
        let tracks = self.tracks(selection, findings);
        self.check_wait(selection, tracks.as_deref().unwrap_or_default(), findings);
        Some(Group {
            name: self.name.to_owned(),
            instances: self.members.iter().map(|index| InstanceId(*index as u16)).into_vec(),
            tracks: tracks?,
            base: base?,
            preempt: self.role.preempt?,
            preempt_delay: self.role.preempt_delay.as_ref()?.value,
            actions: self.role.actions.clone()?,
        })
    }

    /// Every member lists the same routers in the same order, or none does.
    fn check_routers(&self, selection: &Selection<'a>, findings: &mut Findings) {
        let mut known = self.members(selection).filter(|member| member.routers.is_some());
        let Some(first) = known.next() else { return };
        for member in known {
            let (here, there) = (member.listed(), first.listed());
            let other = || first.name.clone();
            if here.is_empty() != there.is_empty() {
                findings.error(member.at.clone(), Conflict::RouterForms { other: other() });
                continue;
            }
            if here.len() != there.len() {
                let (count, other_count) = (here.len(), there.len());
                let at = here.first().map_or(&member.at, |router| &router.at);
                let at = at.without_value();
                findings.error(at, Conflict::RouterCounts { count, other: other(), other_count });
                continue;
            }
            check_places(here, there, &first.name, findings);
        }
    }

    /// Members must be usable on the standby: nothing they live on may be up on the master only.
    fn check_links(&self, selection: &Selection<'a>, findings: &mut Findings) {
        for interface in &self.role.up_on_master {
            let needy = selection.instances.iter().find(|instance| lives_on(instance, &interface.value));
            if let Some(instance) = needy {
                let problem = Conflict::NeededOnStandby { instance: instance.name.clone() };
                findings.error(interface.at.clone(), problem);
            }
        }
    }

    fn tracks(&self, selection: &Selection<'a>, findings: &mut Findings) -> Option<Vec<TrackUse>> {
        let mut tracks = Vec::new();
        for name in &self.role.tracks {
            tracks.extend(self.track(name, selection, findings));
        }
        (tracks.len() == self.role.tracks.len()).then_some(tracks)
    }

    fn track(
        &self,
        name: &Given<String>,
        selection: &Selection<'a>,
        findings: &mut Findings,
    ) -> Option<TrackUse> {
        let Some(index) = selection.tracks.iter().position(|track| track.name == name.value) else {
            let have = selection.tracks.iter().map(|track| track.name.as_str());
            findings.error(name.at.clone(), no_such_section("track", &name.value, have));
            return None;
        };
        let track = selection.tracks.get(index)?;
        if self.role.standby_gateway.is_some() && track.reach == Reach::Routed && track.link.is_none() {
            findings.error(name.at.clone(), Conflict::TrackThroughPeer { track: name.value.clone() });
        }
        let places = self.places(track, selection);
        // An address that is nowhere has been reported at the track.
        let somewhere = selection.all.routers();
        let is_known = track.only.iter().any(|only| somewhere.contains(&only.value));
        if places == Some(Places(0)) && is_known {
            let have = self
                .members(selection)
                .flat_map(|member| member.listed())
                .map(|given| given.value)
                .into_vec();
            findings.error(name.at.clone(), Conflict::NoRouterOfGroup { track: name.value.clone(), have });
        }
        Some(TrackUse { track: TrackId(index as u16), places: places?, scope: self.scope(track) })
    }

    /// For which routers of this group a track counts. `None` if a list could not be read.
    fn places(&self, track: &TrackDraft, selection: &Selection<'a>) -> Option<Places> {
        if track.only.is_empty() {
            return Some(Places::ALL);
        }
        let mut places = 0_u8;
        for member in self.members(selection) {
            member.routers.as_ref()?;
            for (place, router) in (0_u32..).zip(member.listed()) {
                if track.only.iter().any(|only| only.value == router.value) {
                    places |= 1_u8.checked_shl(place).unwrap_or(0);
                }
            }
        }
        Some(Places(places))
    }

    fn scope(&self, track: &TrackDraft) -> TrackScope {
        let Some(link) = &track.link else { return TrackScope::Any };
        match &link.value {
            LinkRef::Interface(name) if self.role.up_on_master.iter().any(|up| up.value == *name) => {
                TrackScope::MasterOnly
            }
            LinkRef::Interface(_) | LinkRef::Device(_) => TrackScope::Any,
        }
    }

    /// Protocol rule 5b: after the carrier came back for both, the router that is judged good first
    /// waits for the other. Its wait must not be shorter than the other's checks may take.
    fn check_wait(&self, selection: &Selection<'a>, tracks: &[TrackUse], findings: &mut Findings) {
        let (Some(delay), Some(first)) = (&self.role.preempt_delay, self.members(selection).next()) else {
            return;
        };
        let slowest = |place: u8| {
            let counted =
                tracks.iter().filter(|used| used.scope == TrackScope::Any && has(used.places, place));
            let drafts = counted.filter_map(|used| selection.tracks.get(used.track.index())?.pace);
            drafts.map(|pace| pace.rise_time()).max().unwrap_or(Duration::ZERO)
        };
        let routers: Vec<(IpAddr, Duration)> =
            (0_u8..).zip(first.listed()).map(|(place, router)| (router.value, slowest(place))).into_vec();
        let quickest = routers.iter().min_by_key(|(_, slowest)| *slowest);
        let latest = routers.iter().max_by_key(|(_, slowest)| *slowest);
        let (Some(&(router, own)), Some(&(other, needed))) = (quickest, latest) else { return };
        let wait = delay.value.saturating_add(own);
        if wait < needed {
            findings.warn(delay.at.clone(), Conflict::WaitTooShort { router, wait, other, needed });
        }
    }
}

fn has(places: Places, place: u8) -> bool {
    places.contains(Some(super::model::Place(place)))
}

/// Two lists of the same length in one group: no address at two places, and, as addresses of
/// different subnets can't be compared, no order that is only explained by a mistake.
fn check_places(here: &[Given<IpAddr>], there: &[Given<IpAddr>], other: &str, findings: &mut Findings) {
    for (place, router) in here.iter().enumerate() {
        let other_place = there.iter().position(|other| other.value == router.value);
        if let Some(other_place) = other_place.filter(|other_place| *other_place != place) {
            let (place, other_place) = (place + 1, other_place + 1);
            let problem = Conflict::RouterPlace { place, other: other.to_owned(), other_place };
            findings.error(router.at.clone(), problem);
            return;
        }
    }
    let hosts =
        |list: &[Given<IpAddr>]| -> Vec<u64> { list.iter().map(|given| host_part(given.value)).into_vec() };
    let permuted = hosts(here).iter().all(|host| hosts(there).contains(host));
    let (Some(a), Some(b)) = (here.first(), there.first()) else { return };
    let comparable = family(a.value) == family(b.value);
    if comparable && hosts(here) != hosts(there) && permuted {
        let at = a.at.without_value();
        findings.warn(at, Conflict::RouterOrder { other: other.to_owned() });
    }
}

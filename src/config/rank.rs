//! The priority of a healthy node.

use crate::collect::IntoVec as _;

use super::assemble::Selection;
use super::conflict::Conflict;
use super::finding::{At, Findings};
use super::group::Plan;
use super::kinds::Kind;
use super::model::Base;
use super::problem::Problem;
use super::reader::Given;
use super::role::PriorityDraft;
use super::schema::{PRIORITY, docs};

/// The base of a group: what it says, or its members say alike, or else by place. `None` after an error.
pub fn base(plan: &Plan<'_>, selection: &Selection<'_>, findings: &mut Findings) -> Option<Base> {
    let said = said(plan, selection, findings)?;
    let listed = plan.members(selection).map(|member| member.listed().len()).max().unwrap_or(0);
    let known = plan.members(selection).all(|member| member.routers.is_some());
    let alike = plan.members(selection).all(|member| member.listed().is_empty() == (listed == 0));
    match said {
        _ if !known || !alike => None,
        PriorityDraft::Wrong => None,
        PriorityDraft::Default if listed == 0 => {
            let at = plan.at.option(format!("option {}", PRIORITY.info.name));
            findings.error(at, Problem::Missing { doc: docs::PRIORITY, allowed: PRIORITY.kind.allowed() });
            None
        }
        PriorityDraft::Default => Some(Base::ByPlace(by_place(listed))),
        PriorityDraft::Own(own) if listed == 0 => Some(Base::Own(own.value)),
        PriorityDraft::Own(own) => own_with_routers(&own, findings),
        PriorityDraft::Each(each) => one_for_each(&each, listed, findings),
    }
}

/// What the group and its members say; an error if they disagree.
fn said(plan: &Plan<'_>, selection: &Selection<'_>, findings: &mut Findings) -> Option<PriorityDraft> {
    let members = plan.members(selection).map(|member| (member.name.as_str(), &member.role.priority));
    let mut said = core::iter::once((plan.name, &plan.role.priority))
        .chain(members)
        .filter(|(_, priority)| !matches!(priority, PriorityDraft::Default));
    let Some((name, first)) = said.next() else { return Some(PriorityDraft::Default) };
    for (_, other) in said {
        let (Some(at), Some(here), Some(there)) = (place(other), numbers(other), numbers(first)) else {
            return None;
        };
        if here != there {
            findings.error(at.clone(), Conflict::PriorityDiffers { other: name.to_owned() });
            return None;
        }
    }
    Some(first.clone())
}

fn place(priority: &PriorityDraft) -> Option<&At> {
    match priority {
        PriorityDraft::Own(own) => Some(&own.at),
        PriorityDraft::Each(each) => each.first().map(|first| &first.at),
        PriorityDraft::Default | PriorityDraft::Wrong => None,
    }
}

fn numbers(priority: &PriorityDraft) -> Option<Vec<u8>> {
    match priority {
        PriorityDraft::Own(own) => Some(vec![own.value]),
        PriorityDraft::Each(each) => Some(each.iter().map(|given| given.value).into_vec()),
        PriorityDraft::Default | PriorityDraft::Wrong => None,
    }
}

/// 100, 90, 80 and so on.
fn by_place(routers: usize) -> Vec<u8> {
    (0..).take(routers).map(|place: u8| 100_u8.saturating_sub(place.saturating_mul(10))).into_vec()
}

/// `option priority` beside `list router`: for a file that is different on each router.
fn own_with_routers(own: &Given<u8>, findings: &mut Findings) -> Option<Base> {
    if own.value >= TAKE {
        findings.error(own.at.clone(), Conflict::PriorityReserved);
        return None;
    }
    findings.warn(own.at.clone(), Conflict::PriorityOfAll);
    Some(Base::Own(own.value))
}

fn one_for_each(each: &[Given<u8>], routers: usize, findings: &mut Findings) -> Option<Base> {
    let first = each.first()?;
    if routers == 0 {
        findings.error(first.at.without_value(), Conflict::PriorityWithoutRouters);
        return None;
    }
    if each.len() != routers {
        let problem = Conflict::PriorityCount { count: each.len(), routers };
        findings.error(first.at.without_value(), problem);
        return None;
    }
    let mut fits = true;
    for (index, given) in each.iter().enumerate() {
        let twice = each.iter().take(index).any(|earlier| earlier.value == given.value);
        let problem = match given.value {
            TAKE.. => Conflict::PriorityReserved,
            _ if twice => Conflict::PriorityEqual,
            _ => continue,
        };
        findings.error(given.at.clone(), problem);
        fits = false;
    }
    fits.then(|| Base::ByPlace(each.iter().map(|given| given.value).into_vec()))
}

/// From here on a priority has a meaning of its own among routers of gwha: 254 is said by one that an operator
/// makes master, 255 by the owner of the address (RFC 9568 §5.2.4).
const TAKE: u8 = 254;

//! From what the source has and what is here to what is to be done.

use super::rules::{Rules, is_within};
use super::{Agreed, Entry, Hash, Kind, Settled};

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What.
    pub act: Act,
    /// The source's entry, or for a removal what is here.
    pub entry: Entry,
}

/// What can be done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Remove what is here: a file, or a directory that is empty by then.
    Remove,
    /// Make the source's directory.
    MakeDir,
    /// Give what is here the source's owner and mode.
    Adjust,
    /// Ask for the source's file, and put it here.
    Fetch,
}

/// What is to be done, and what is as it should be.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which it can be done.
    pub steps: Vec<Step>,
    /// The files that are the same on both routers, but for options that are kept.
    pub same: Settled,
    /// What can't be brought to what the source has, and why.
    pub refused: Vec<(String, String)>,
    /// What waits for something at the source, and for what.
    pub waiting: Vec<(String, String)>,
}

/// Makes the plan. Both lists are in the order of their paths; `is_known` says whether the source lists a path at all.
pub fn plan(
    wanted: &[Entry],
    found: &[Entry],
    settled: &Settled,
    rules: &Rules,
    is_known: &dyn Fn(&str) -> bool,
) -> Plan {
    let mut plan = Plan::default();
    for root in rules.roots.iter().filter(|root| !is_known(root)) {
        note(root, "not in its lists", &mut plan.waiting);
    }
    for here in found.iter().rev() {
        if is_known(&here.path) && is_to_go(here, wanted, found, rules) {
            if here.path == rules.own {
                let why = "the configuration in force is never removed";
                note(&here.path, why, &mut plan.refused);
            } else {
                plan.steps.push(step(Act::Remove, here));
            }
        }
    }
    let mut fetches = Vec::new();
    for there in wanted {
        let path = &there.path;
        if !rules.admit(path) {
            note(path, "not in the lists of this router", &mut plan.refused);
            continue;
        }
        if let Kind::Held(why) = &there.kind {
            note(path, why, &mut plan.waiting);
            continue;
        }
        if let Some((at, why)) = held(found, path) {
            note(at, why, &mut plan.refused);
            continue;
        }
        let here = find(found, path);
        match (&there.kind, here.map(|it| (&it.kind, it.meta))) {
            (Kind::Dir, Some((Kind::Dir, meta))) if meta == there.meta => {}
            (Kind::Dir, Some((Kind::Dir, _))) => plan.steps.push(step(Act::Adjust, there)),
            (Kind::Dir, _) => plan.steps.push(step(Act::MakeDir, there)),
            (Kind::File { hash, .. }, Some((Kind::File { hash: own, .. }, meta))) => {
                let agreed = Agreed { there: *hash, here: *own };
                if !is_same(path, agreed, settled) {
                    fetches.push(step(Act::Fetch, there));
                } else {
                    plan.same.insert(path.clone(), agreed);
                    if meta != there.meta {
                        plan.steps.push(step(Act::Adjust, there));
                    }
                }
            }
            (Kind::File { .. }, _) => fetches.push(step(Act::Fetch, there)),
            (Kind::Held(_), _) => {}
        }
    }
    plan.refused.dedup();
    plan.steps.extend(fetches);
    plan
}

fn note(path: &str, why: &str, list: &mut Vec<(String, String)>) {
    list.push((path.to_owned(), why.to_owned()));
}

fn step(act: Act, entry: &Entry) -> Step {
    Step { act, entry: entry.clone() }
}

/// Whether what is here is to be removed because the source does not have it, or has something of another kind there.
fn is_to_go(here: &Entry, wanted: &[Entry], found: &[Entry], rules: &Rules) -> bool {
    if held(wanted, &here.path).is_some() || held(found, &here.path).is_some() {
        return false;
    }
    match find(wanted, &here.path).map(|it| &it.kind) {
        Some(there) => {
            matches!((there, &here.kind), (Kind::Dir, Kind::File { .. }) | (Kind::File { .. }, Kind::Dir))
        }
        None => {
            // A whole directory that is not there may be a medium that is not there.
            let Some(root) = rules.root_of(&here.path) else { return false };
            find(wanted, root).is_some() || find(found, root).is_some_and(|it| it.kind != Kind::Dir)
        }
    }
}

/// Whether two contents are the same, or were when one was made of the other.
fn is_same(path: &str, agreed: Agreed, settled: &Settled) -> bool {
    agreed.there == agreed.here || settled.get(path) == Some(&agreed)
}

/// Whether a content is known to be at another router too.
pub fn is_settled(path: &str, content: &Hash, settled: &Settled) -> bool {
    settled.get(path).is_some_and(|agreed| agreed.here == *content || agreed.there == *content)
}

/// The entry of a path.
pub fn find<'a>(entries: &'a [Entry], path: &str) -> Option<&'a Entry> {
    let at = entries.binary_search_by(|entry| entry.path.as_str().cmp(path)).ok()?;
    entries.get(at)
}

/// What holds a path or a directory above it, and why.
fn held<'a>(entries: &'a [Entry], path: &str) -> Option<(&'a str, &'a str)> {
    entries.iter().find_map(|entry| match &entry.kind {
        Kind::Held(why) if is_within(path, &entry.path) => Some((entry.path.as_str(), why.as_str())),
        Kind::Held(_) | Kind::File { .. } | Kind::Dir => None,
    })
}

#[cfg(test)]
mod tests;

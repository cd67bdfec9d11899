//! Roles that an operator moved here, remembered for the routers that had them: pure.
//!
//! A router that an operator switched away does not preempt (protocol rule 8), but a restart makes it forget. The one
//! that got the role remembers it, for as long as it has that role without a break and at its best.

use super::PeerId;
use super::message::State;

/// Groups that are remembered: as many as a configuration can have, for each other router.
const KEPT_MAX: usize = 64 * 7;

/// What this router keeps for others.
#[derive(Debug, Default)]
pub struct Kept(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    /// For whom.
    peer: PeerId,
    group: String,
    /// This router's epoch when it got the role.
    epoch: u32,
    /// The other's life in which it gave the role away. In a later one it has forgotten.
    life: String,
}

impl Entry {
    fn is_for(&self, peer: PeerId, group: &str) -> bool {
        self.peer == peer && self.group == group
    }
}

impl Kept {
    /// Takes in what a router in this life says. `mastership` is our epoch in a group of which we are master.
    pub fn heard(
        &mut self,
        peer: PeerId,
        life: &str,
        state: &State,
        mastership: &dyn Fn(&str) -> Option<u32>,
    ) {
        for group in &state.groups {
            match (group.switched_away, mastership(&group.name)) {
                (true, Some(epoch)) if self.0.len() < KEPT_MAX => {
                    self.0.retain(|it| !it.is_for(peer, &group.name));
                    self.0.push(Entry { peer, group: group.name.clone(), epoch, life: life.to_owned() });
                }
                (true, _) => {}
                // It says so itself: the holder was lowered for a moment, or an operator moved the role again.
                (false, _) => self.0.retain(|it| !it.is_for(peer, &group.name) || it.life != life),
            }
        }
    }

    /// Whether we keep a group's role for that router, while our mastership is the one of this epoch.
    pub fn keeps(&self, peer: PeerId, group: &str, mastership: Option<u32>) -> bool {
        self.0.iter().any(|entry| entry.is_for(peer, group) && Some(entry.epoch) == mastership)
    }

    /// Forgets a group: this router has lost its role, or is not at its best.
    pub fn forget(&mut self, group: &str) {
        self.0.retain(|entry| entry.group != group);
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::GroupState;
    use super::*;

    const A: PeerId = PeerId(0);

    fn says(switched_away: bool) -> State {
        let group = GroupState { name: "gateway".into(), switched_away, ..GroupState::default() };
        State { groups: vec![group], ..State::default() }
    }

    #[test]
    fn switch_is_remembered_for_a_router_that_was_restarted() {
        let mut kept = Kept::default();
        kept.heard(A, "first", &says(true), &|_| Some(4));
        kept.heard(A, "second", &says(false), &|_| Some(4));
        assert!(kept.keeps(A, "gateway", Some(4)));
        assert!(!kept.keeps(PeerId(2), "gateway", Some(4)));
        assert!(!kept.keeps(A, "gateway", Some(6)), "the role was lost meanwhile");
        assert!(!kept.keeps(A, "gateway", None));

        // It was told, and says so; then it takes it back.
        kept.heard(A, "second", &says(true), &|_| Some(4));
        kept.heard(A, "second", &says(false), &|_| Some(4));
        assert!(!kept.keeps(A, "gateway", Some(4)));
    }

    #[test]
    fn standby_keeps_nothing_and_a_lowered_master_forgets() {
        let mut kept = Kept::default();
        kept.heard(A, "first", &says(true), &|_| None);
        assert!(!kept.keeps(A, "gateway", None));
        kept.heard(A, "first", &says(true), &|_| Some(1));
        kept.forget("gateway");
        assert!(!kept.keeps(A, "gateway", Some(1)));
    }
}

//! When the role must not move.

use std::collections::VecDeque;

use gwha::engine::Role;

use super::{Change, Property, ms};
use crate::support::setup::Node;
use crate::truth::{Kind, NodeTruth, Truth};
use crate::world::Micros;

const MINUTE: Micros = 60_000_000;

/// A role held for less than this was not held: of three routers two may rise at once.
const BLINK: Micros = 50_000;

/// (S5) Under constant conditions there are at most two moves a minute, three among three routers.
#[derive(Default)]
pub struct FewMoves {
    /// Promotions that may still be a blink.
    rising: Vec<(Micros, Node)>,
    moves: VecDeque<Micros>,
}

impl Property for FewMoves {
    fn name(&self) -> &'static str {
        "S5"
    }

    fn look(&mut self, truth: &Truth, change: Change) -> Result<(), String> {
        if let Change::Role { node, from, to } = change {
            // Where nobody served, nothing moved.
            let taken = truth.masters().any(|master| master.place != node);
            if to == Role::Master && taken {
                self.rising.push((truth.now, node));
            } else if from == Role::Master {
                self.settle(truth.now);
                self.rising.retain(|(_, rising)| *rising != node);
            }
        }
        self.settle(truth.now);
        let lossy = truth.segments.iter().any(|segment| segment.lossy);
        let constant = if lossy { truth.now } else { truth.disturbed };
        let from = constant.max(truth.now.saturating_sub(MINUTE));
        self.moves.retain(|at| *at > from);
        // Among three the role may pass through the second best on its way, and an operator can give it
        // to the last.
        let ordered = truth.orders_at + 2 * MINUTE > truth.now && truth.switches > 0;
        let most = truth.nodes.len() + usize::from(ordered && truth.nodes.len() > 2);
        if self.moves.len() > most {
            return Err(format!("{} moves within a minute of constant conditions", self.moves.len()));
        }
        Ok(())
    }
}

impl FewMoves {
    fn settle(&mut self, now: Micros) {
        while let Some((at, _)) = self.rising.first().filter(|(at, _)| now > at + BLINK) {
            self.moves.push_back(*at);
            self.rising.remove(0);
        }
    }
}

/// (S6) A carrier that is dead for everybody, or comes back for everybody, moves nothing.
///
/// An outage so short that some nodes have judged it and others have not looks to those like a fault
/// of the master; it counts only while it lasts.
#[derive(Default)]
pub struct CarrierDeadForAll {
    armed: Option<Calm>,
    was: Option<bool>,
}

/// (S8) Priority 0 in the peer's name moves nothing.
#[derive(Default)]
pub struct ForgeryMovesNothing {
    armed: Option<Calm>,
    was: Option<Micros>,
}

/// A settled world, and when something else happened to it last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Calm {
    disturbed: Micros,
    since: Micros,
}

impl Calm {
    /// The world as it stands, if it is settled.
    fn settled(truth: &Truth) -> Option<Calm> {
        let calm = truth.now.saturating_sub(truth.disturbed_otherwise) > truth.bounds.settle;
        let one = truth.masters().count() == 1 && truth.network_is_good();
        let all_gwha = truth.nodes.iter().all(|node| node.kind == Kind::Gwha);
        (calm && one && all_gwha).then_some(Calm { disturbed: truth.disturbed_otherwise, since: truth.now })
    }

    /// Nothing else has happened since.
    fn lasts(&self, truth: &Truth) -> bool {
        truth.disturbed_otherwise == self.disturbed
    }
}

impl Property for CarrierDeadForAll {
    fn name(&self) -> &'static str {
        "S6"
    }

    fn look(&mut self, truth: &Truth, change: Change) -> Result<(), String> {
        let answers = truth.running().any(|node| node.carrier);
        let sound = |node: &NodeTruth| node.links.iter().all(|up| *up) && node.addresses_failed.is_none();
        let healthy = truth.running().all(sound);
        // What an operator moved away may come back once the holder was lowered.
        let applies = !truth.bounds.master_only && truth.switches == 0;
        if self.was == Some(true) && !answers && applies && healthy {
            let goes_on = self.armed.filter(|calm| calm.lasts(truth));
            self.armed = goes_on.map(|calm| Calm { since: truth.now, ..calm }).or(Calm::settled(truth));
        }
        let back = self.was == Some(false) && answers;
        let short = |calm: &Calm| truth.now - calm.since < truth.bounds.judgement;
        self.was = Some(answers);
        self.armed = self.armed.filter(|calm| calm.lasts(truth) && truth.forging.is_none());
        self.armed = self.armed.filter(|calm| !(back && short(calm)));
        match (change, self.armed) {
            (Change::Role { node, from, to }, Some(calm)) if moves(from, to) => {
                let after = ms(truth.now - calm.since);
                Err(format!("node {node} becomes {to} {after} after the carrier was lost for all"))
            }
            _ => Ok(()),
        }
    }
}

impl Property for ForgeryMovesNothing {
    fn name(&self) -> &'static str {
        "S8"
    }

    fn look(&mut self, truth: &Truth, change: Change) -> Result<(), String> {
        let carriers = truth.now.saturating_sub(truth.carrier_changed) > truth.bounds.settle;
        if self.was.is_none() && truth.forging.is_some() {
            self.armed = Calm::settled(truth);
        }
        self.was = truth.forging;
        self.armed = self.armed.filter(|calm| calm.lasts(truth) && carriers && truth.forging.is_some());
        match (change, self.armed) {
            (Change::Role { node, from, to }, Some(_)) if moves(from, to) => {
                Err(format!("node {node} becomes {to} while somebody forges priority 0"))
            }
            _ => Ok(()),
        }
    }
}

/// A standby that shows a fault of its own has not moved.
fn moves(from: Role, to: Role) -> bool {
    from == Role::Master || to == Role::Master
}

/// (S10) With `preempt 0` nothing is taken from a healthy master.
pub struct NothingTakenFromHealthy;

impl Property for NothingTakenFromHealthy {
    fn name(&self) -> &'static str {
        "S10"
    }

    fn look(&mut self, truth: &Truth, change: Change) -> Result<(), String> {
        let Change::Role { node, to: Role::Master, .. } = change else { return Ok(()) };
        let quiet = 2 * truth.bounds.master_down + truth.bounds.settle;
        let taker = &truth.nodes[node];
        let robbed = |master: &&NodeTruth| {
            let untouched = truth.now.saturating_sub(master.touched.max(master.since)) > quiet;
            master.place != node && untouched && master.kind == Kind::Gwha && truth.is_healthy(master)
        };
        let applies = !truth.bounds.preempt
            && taker.kind == Kind::Gwha
            && truth.switches == 0
            && truth.forging.is_none()
            && !truth.bounds.master_only
            && truth.network_is_good()
            && truth.now.saturating_sub(truth.network_bad) > quiet;
        let has_heard = |master: &NodeTruth| truth.hears(taker, master) && !taker.stalled;
        match truth.masters().find(robbed).filter(|master| applies && has_heard(master)) {
            Some(master) => Err(format!("node {node} takes the role from healthy node {}", master.place)),
            None => Ok(()),
        }
    }
}

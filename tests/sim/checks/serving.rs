//! Whether somebody serves.

use gwha::engine::Role;

use super::{Change, Property, Watch, ms};
use crate::truth::{Kind, NodeTruth, Truth};
use crate::world::Micros;

/// What a node may take beyond Master_Down: a link that comes up, a probe that is awaited.
const GRACE: Micros = 2_000_000;

/// (S3) A node that nobody else can reach serves within Master_Down + 2 s.
#[derive(Default)]
pub struct LoneNodeServes {
    watches: Vec<Watch>,
}

impl Property for LoneNodeServes {
    fn name(&self) -> &'static str {
        "S3"
    }

    fn look(&mut self, truth: &Truth, _: Change) -> Result<(), String> {
        self.watches.resize_with(truth.nodes.len(), Watch::default);
        let limit = truth.bounds.master_down + GRACE;
        for (node, watch) in truth.nodes.iter().zip(&mut self.watches) {
            let idle = node.kind == Kind::Gwha
                && node.can_serve()
                && node.role != Role::Master
                && is_alone(truth, node);
            // A link that comes up is waited for, and so is a stall's end.
            let held = watch.look(truth.now, idle.then_some(node.touched), limit);
            held.map_err(|held| format!("node {} is alone and does not serve for {}", node.place, ms(held)))?;
        }
        Ok(())
    }
}

fn is_alone(truth: &Truth, node: &NodeTruth) -> bool {
    let others = truth.running().filter(|other| other.place != node.place);
    others.into_iter().all(|other| other.stalled || truth.parted(node, other))
}

/// (S4) A segment that some node can serve is served.
///
/// A group is one: where nodes lost different segments, or have other faults of their own, some
/// segment has to go without.
#[derive(Default)]
pub struct SegmentIsServed {
    watches: Vec<Watch>,
}

impl Property for SegmentIsServed {
    fn name(&self) -> &'static str {
        "S4"
    }

    fn look(&mut self, truth: &Truth, _: Change) -> Result<(), String> {
        self.watches.resize_with(truth.segments.len(), Watch::default);
        let all_gwha = truth.nodes.iter().all(|node| node.kind == Kind::Gwha);
        let applies = all_gwha && !truth.bounds.master_only;
        // Everything that may rightly take time: a takeover by the timer, an own rise that must stand.
        let limit = truth.bounds.master_down + truth.bounds.settle;
        for (member, watch) in self.watches.iter_mut().enumerate() {
            let lossy = truth.segments.iter().any(|segment| segment.lossy || segment.clogged);
            let unserved = applies && !lossy && somebody_could(truth, member) && nobody_does(truth, member);
            let held = watch.look(truth.now, unserved.then_some(truth.shaken), limit);
            held.map_err(|held| format!("segment {member} is not served for {}, and could be", ms(held)))?;
        }
        Ok(())
    }
}

fn nobody_does(truth: &Truth, member: usize) -> bool {
    !truth.masters().any(|node| !node.stalled && node.links[member])
}

fn somebody_could(truth: &Truth, member: usize) -> bool {
    truth.running().any(|node| {
        let sound =
            !node.stalled && node.addresses_failed.is_none() && (node.carrier || !truth.bounds.tracked);
        let whole = node.links.iter().all(|up| *up);
        let alike = truth.running().all(|other| other.links == node.links);
        sound && node.links[member] && (whole || alike)
    })
}

/// (S7) With all other nodes dead, a master never stops serving what works.
pub struct MasterOfDeadBackupStays;

/// How long the others must have been dead: longer than any packet of theirs is under way.
const DEAD: Micros = 1_000_000;

impl Property for MasterOfDeadBackupStays {
    fn name(&self) -> &'static str {
        "S7"
    }

    fn look(&mut self, truth: &Truth, change: Change) -> Result<(), String> {
        let Change::Role { node, from: Role::Master, to } = change else { return Ok(()) };
        let node = &truth.nodes[node];
        let dead = |other: &NodeTruth| !other.runs && truth.now - other.touched > DEAD;
        let others_dead = truth.nodes.iter().filter(|other| other.place != node.place).all(dead);
        // Who wakes from a stall concedes to whom it finds in its sockets, and he may be dead meanwhile.
        let untouched = truth.now - node.touched > DEAD;
        let could_go_on = node.kind == Kind::Gwha && node.can_serve() && untouched;
        let clean = truth.forging.is_none() && truth.now.saturating_sub(truth.network_bad) > DEAD;
        if others_dead && could_go_on && !node.stopping && clean {
            return Err(format!("node {} becomes {to} although nobody else lives", node.place));
        }
        Ok(())
    }
}

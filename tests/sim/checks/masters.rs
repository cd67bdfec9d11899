//! How many masters there are.

use super::{Change, Property, Watch, ms};
use crate::truth::{Kind, NodeTruth, Truth};
use crate::world::Micros;

/// Two masters may both believe it for so long: an advert and its answer.
const OVERLAP: Micros = 20_000;

/// (S1) Healed and settled, there is exactly one master.
#[derive(Default)]
pub struct OneMasterWhenSettled {
    watch: Watch,
}

impl Property for OneMasterWhenSettled {
    fn name(&self) -> &'static str {
        "S1"
    }

    fn look(&mut self, truth: &Truth, _: Change) -> Result<(), String> {
        let masters = truth.masters().count();
        let from = truth.healed.map(|healed| healed + truth.bounds.settle);
        let held = self.watch.look(truth.now, from.filter(|_| masters != 1), OVERLAP);
        held.map_err(|held| format!("{masters} masters for {} although all is well", ms(held)))
    }
}

/// (S1, which one) With preemption, and nobody having said otherwise, it is the one of the highest base.
#[derive(Default)]
pub struct BestWins {
    watch: Watch,
}

impl Property for BestWins {
    fn name(&self) -> &'static str {
        "S1 (best)"
    }

    fn look(&mut self, truth: &Truth, _: Change) -> Result<(), String> {
        let applies = truth.bounds.preempt && truth.switches == 0 && !truth.bounds.master_only;
        // What a speaker does depends on its own configuration.
        let all_gwha = truth.nodes.iter().all(|node| node.kind == Kind::Gwha);
        let trusted = truth.nodes.iter().all(|node| node.addresses_failed.is_none());
        let best = truth.running().map(|node| node.base).max();
        let wrong = truth.masters().any(|node| Some(node.base) != best);
        let from = truth.healed.map(|healed| healed + truth.bounds.settle);
        let held =
            self.watch.look(truth.now, from.filter(|_| applies && trusted && all_gwha && wrong), OVERLAP);
        held.map_err(|held| {
            format!("a lower base than {best:?} is master for {} although all is well", ms(held))
        })
    }
}

/// (S2) Without a fault for 2 × Master_Down there are never two masters for longer than 20 ms.
#[derive(Default)]
pub struct OneMasterWhenCalm {
    watch: Watch,
}

impl Property for OneMasterWhenCalm {
    fn name(&self) -> &'static str {
        "S2"
    }

    fn look(&mut self, truth: &Truth, _: Change) -> Result<(), String> {
        // A speaker believes whatever it is told.
        let speaker = truth.nodes.iter().any(|node| node.kind == Kind::Speaker);
        let shaken = if speaker { truth.shaken.max(truth.forged) } else { truth.shaken };
        let calm = shaken + 2 * truth.bounds.master_down;
        let held = self.watch.look(truth.now, two_masters(truth).then_some(calm), OVERLAP);
        held.map_err(|held| format!("two masters hear each other for {} with no fault", ms(held)))
    }
}

/// (S11) While routers with good links start there are never two masters for longer than an advert takes.
#[derive(Default)]
pub struct BootHasOneMaster {
    watch: Watch,
}

impl Property for BootHasOneMaster {
    fn name(&self) -> &'static str {
        "S11"
    }

    fn look(&mut self, truth: &Truth, _: Change) -> Result<(), String> {
        // A lowered master is being relieved, not elected.
        let elected = truth.masters().all(|node| node.word >= node.base);
        let holds = truth.only_boots && elected && two_masters(truth);
        // The advert itself, and the turns that send and read it.
        let limit = 3 * truth.bounds.latency;
        let held = self.watch.look(truth.now, holds.then_some(0), limit);
        held.map_err(|held| format!("two masters for {} at boot", ms(held)))
    }
}

/// Two nodes are master, although each can hear the other.
fn two_masters(truth: &Truth) -> bool {
    let masters: Vec<&NodeTruth> = truth.masters().collect();
    let mut pairs =
        masters.iter().enumerate().flat_map(|(index, a)| masters[..index].iter().map(move |b| (*a, *b)));
    pairs.any(|(a, b)| truth.connected(a, b))
}

//! How fast a role goes to where it belongs.

use gwha::engine::Role;

use super::{Change, Property, Watch, ms};
use crate::truth::{Kind, NodeTruth, Truth};
use crate::world::Micros;

/// From the fault to the yield, besides the probe's answer and the news of the fault.
const HANDOVER: Micros = 20_000;

/// (S9) A master with a fault yields to a healthy backup within 20 ms and the probe's answer.
#[derive(Default)]
pub struct LoweredMasterYields {
    watches: Vec<Watch>,
}

impl Property for LoweredMasterYields {
    fn name(&self) -> &'static str {
        "S9"
    }

    fn look(&mut self, truth: &Truth, _: Change) -> Result<(), String> {
        self.watches.resize_with(truth.nodes.len(), Watch::default);
        let limit = HANDOVER + truth.bounds.answer + 2 * truth.bounds.latency;
        for (node, watch) in truth.nodes.iter().zip(&mut self.watches) {
            let lags = node.role == Role::Master
                && node.runs
                && has_lost(truth, node)
                && somebody_better(truth, node);
            let held = watch.look(truth.now, lags.then_some(0), limit);
            held.map_err(|held| {
                format!("node {} has a fault and is still master after {}", node.place, ms(held))
            })?;
        }
        Ok(())
    }
}

/// It lost a link, or says itself that it got worse.
fn has_lost(truth: &Truth, node: &NodeTruth) -> bool {
    let lowered = node.word != 0 && node.word < node.base;
    node.kind == Kind::Gwha
        && !node.stalled
        && !node.stopping
        && (lowered || node.links.iter().any(|up| !up))
        && truth.network_is_good()
}

/// Somebody has been well for long, can hear it, and says more than it.
fn somebody_better(truth: &Truth, master: &NodeTruth) -> bool {
    let quiet = truth.bounds.settle;
    let untouched = |node: &NodeTruth| truth.now.saturating_sub(node.touched) > quiet;
    let calm = truth.now.saturating_sub(truth.network_bad) > quiet
        && truth.forging.is_none()
        && !truth.bounds.master_only
        && truth.now.saturating_sub(truth.orders_at) > quiet;
    calm && truth.running().any(|node| {
        let healthy = node.kind == Kind::Gwha && truth.is_healthy(node) && untouched(node);
        node.place != master.place && healthy && node.base > master.word && truth.connected(node, master)
    })
}

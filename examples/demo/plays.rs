//! What happens to the two gateways, act by act, and what each may cost.

use std::time::{Duration, Instant};

use crate::lab::topology::{Host, Segment};

use super::ms;
use super::stage::Stage;

/// A move that everybody concerned has agreed to.
const PLANNED: Duration = ms(100);

/// A fault that the failing router sees and tells about itself. It takes some 20 ms; the rest is for a busy machine.
const TOLD: Duration = ms(250);

/// All acts in their order.
pub fn all(stage: &mut Stage<'_>) {
    start(stage);
    carrier_lost(stage);
    carrier_back(stage);
    lan_cable(stage);
    lan_cable_back(stage);
    power_loss(stage);
    power_back(stage);
    planned_switch(stage);
}

fn start(stage: &mut Stage<'_>) {
    stage.begin("Both gateways start", stage.crash_budget() + ms(2000));
    let event = Instant::now();
    stage.start(Host::A);
    stage.start(Host::B);
    stage.end_start(event, Host::A);
}

fn carrier_lost(stage: &mut Stage<'_>) {
    // Two failed tests of 200 ms each, the timeout of the last one, and the other router's look at its own carrier.
    stage.begin("The carrier is lost, for A only", ms(1000));
    let event = Instant::now();
    stage.lab.cut_carrier(Host::A);
    stage.end(event, Host::B);
}

fn carrier_back(stage: &mut Stage<'_>) {
    stage.begin("The carrier is back; A takes over again", PLANNED);
    let event = Instant::now();
    stage.lab.mend_all();
    stage.end(event, Host::A);
}

fn lan_cable(stage: &mut Stage<'_>) {
    stage.begin("Somebody pulls A's LAN cable", TOLD);
    let event = Instant::now();
    stage.lab.pull_cable(Host::A, Segment::Lan);
    stage.end(event, Host::B);
}

fn lan_cable_back(stage: &mut Stage<'_>) {
    stage.begin("The cable is plugged in again", PLANNED);
    let event = Instant::now();
    stage.lab.plug_cable(Host::A, Segment::Lan);
    stage.end(event, Host::A);
}

fn power_loss(stage: &mut Stage<'_>) {
    stage.begin("A loses its power", stage.crash_budget());
    let event = Instant::now();
    stage.power_off(Host::A);
    stage.end(event, Host::B);
}

fn power_back(stage: &mut Stage<'_>) {
    stage.begin("A boots and takes over again", PLANNED);
    let event = Instant::now();
    stage.power_on(Host::A);
    stage.end(event, Host::A);
}

fn planned_switch(stage: &mut Stage<'_>) {
    stage.begin("`gwha switch` on A, before an upgrade", PLANNED);
    let event = Instant::now();
    stage.switch(Host::A);
    stage.end(event, Host::B);
}

//! `make demo`: two gateways lose a carrier, a cable and their power, and a client on the LAN hardly notices.
//!
//! Runs in about a minute and ends by itself: with exit code 0 only if every outage stayed within the budget
//! printed beside it. `KEEP=1` leaves everything running and says how to look inside. `INTERVAL=100` demonstrates
//! another advert interval than one second.

#[path = "../../tests/lab/mod.rs"]
mod lab;

mod plays;
mod stage;
mod view;

use std::process::ExitCode;
use std::time::Duration;

use lab::setup::{CarrierCheck, Setup};
use lab::{Lab, isolate};
use stage::Stage;

fn main() -> ExitCode {
    isolate::enter();
    let lab = Lab::gateways("demo");
    let setup = Setup {
        carrier_check: Some(CarrierCheck::FAST),
        preempt_delay_s: 2.0,
        ..Setup::reference(interval_ms())
    };
    let mut stage = Stage::new(&lab, setup);
    plays::all(&mut stage);
    let verdict = stage.finish();
    if std::env::var("KEEP").is_ok_and(|keep| !keep.is_empty() && keep != "0") {
        stage.keep();
    }
    verdict
}

/// The advert interval: a second, as configured by default, or `INTERVAL` in milliseconds.
fn interval_ms() -> u32 {
    std::env::var("INTERVAL").ok().and_then(|text| text.parse().ok()).unwrap_or(1000)
}

/// So many milliseconds.
const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

//! Waiting for a condition, with a deadline; never for a length of time.

use std::thread;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// Waits until `condition` holds and returns how long that took. Panics with `what` after `limit`.
#[track_caller]
pub fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(LOOK);
    }
    start.elapsed()
}

/// Asserts that `condition` holds at every look during `period`.
#[track_caller]
pub fn holds_for(what: &str, period: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while start.elapsed() < period {
        assert!(condition(), "no longer true after {:?} of {period:?}: {what}", start.elapsed());
        thread::sleep(LOOK);
    }
}

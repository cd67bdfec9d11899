//! The setups that people run today with keepalived and scripts, from one file and no script: real dnsmasq, nftables,
//! conntrackd, DHCP clients, and an outside world.

pub mod place;
mod streams;

pub mod home;
pub mod home6;
mod hooks;
mod servers;
#[allow(dead_code, reason = "the benchmark of moves uses the rest")]
pub mod uplinks;
pub mod wan;

use std::time::Duration;

/// Everything that follows from a takeover is done by then, also on a busy machine.
pub const SETTLED: Duration = Duration::from_secs(20);

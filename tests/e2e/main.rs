//! End-to-end scenarios: real daemons in network namespaces. See `tests/lab/mod.rs` for the network.
//!
//! Each scenario runs in a lab of its own and leaves nothing behind. Time limits are generous on purpose: they tell
//! right from wrong on a busy machine. How fast things are is the benchmark's business.

#[path = "../broker/mod.rs"]
mod broker;
#[path = "../ubus/daemon.rs"]
#[allow(dead_code, reason = "the tests of the bus use all of it")]
mod daemon;
#[path = "../lab/mod.rs"]
mod lab;
#[path = "../netifd/mod.rs"]
#[allow(dead_code, reason = "the tests of the bus use all of it")]
mod netifd;
#[path = "../ubus/program.rs"]
#[allow(dead_code, reason = "the tests of the bus use all of it")]
mod program;

mod cli;
mod files;
mod flips;
mod group;
mod hostile;
mod interop;
mod leases;
mod pair;
mod peer;
mod realtime;
mod recovery;
mod selftest;
mod sessions;
mod setups;
mod support;
mod ubus;
mod wire;

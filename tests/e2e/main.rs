//! End-to-end scenarios: real daemons in network namespaces. See `tests/lab/mod.rs` for the network.
//!
//! Each scenario runs in a lab of its own and leaves nothing behind. Time limits are generous on purpose: they tell
//! right from wrong on a busy machine. How fast things are is the benchmark's business.

#[path = "../lab/mod.rs"]
mod lab;

mod cli;
mod group;
mod hostile;
mod interop;
mod peer;
mod realtime;
mod recovery;
mod selftest;
mod support;

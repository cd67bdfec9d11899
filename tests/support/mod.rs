//! What the conformance suite and the simulator share: a way to write configurations, and a VRRP
//! codec of their own.
//!
//! The codec was written from the RFCs and shares nothing with `gwha::wire`, so that a mistake there
//! can't cancel itself out in a test.

// Each test program compiles this module and uses another part of it.
#![allow(dead_code)]

pub mod setup;
pub mod vrrp;

#[cfg(test)]
mod tests;

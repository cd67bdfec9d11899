//! Bytes to values and back; no state, no I/O. One file a protocol.

pub mod types;
pub mod vrrp;

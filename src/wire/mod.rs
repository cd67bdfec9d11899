//! Bytes to values and back; no state, no I/O. One file a protocol.
//!
//! Every `parse` takes bytes from anybody: it returns `None` (or a typed reject) for what it does
//! not understand and never panics. Every `emit` appends to a `Vec` that its caller keeps, so that
//! nothing is allocated once that has grown. `parse` of what `emit` wrote gives the value back.

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod icmp4;
pub mod icmp6;
pub mod ipv4;
pub mod ipv6;
pub mod types;
pub mod vrrp;

//! What follows the master's state on the other router.
//!
//! * [`lease`]: the DHCP leases of dnsmasq. Pure: what a file says, what a router knows, what goes over the wire.
//! * [`file`](mod@file): listed files and directories. Pure: which may follow, what is to be done, what goes over the wire.
//!
//! The hands are in `daemon`: `daemon/leases.rs` watches the lease file and talks on the channel, `daemon/files.rs` has a
//! thread for all that touches the disk.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod bytes;
pub mod file;
pub mod lease;

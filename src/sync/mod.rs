//! What follows the master's state on the other router.
//!
//! * [`lease`]: the DHCP leases of dnsmasq. Pure: what a file says, what a router knows, what goes over the wire.
//!
//! The hands are in `daemon`: `daemon/leases.rs` watches the file and talks on the channel.

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

pub mod lease;

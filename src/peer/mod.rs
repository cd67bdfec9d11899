//! The encrypted channel between the routers.
//!
//! Nothing that a router decides waits for it: it carries what the routers show of each other, what they agree on
//! before a planned move, and what follows the role (leases, files). Without the key nothing is learned or changed.
//!
//! In reading order, from the outside of a connection inwards:
//!
//! * [`key`]: the shared secret and its file.
//! * [`frame`]: records on the wire, frames inside of them; everything bounded.
//! * [`message`]: what a frame means. Bodies are blobmsg tables, so a field that one side does not know is skipped.
//! * [`noise`], `handshake`: Noise with the shared key.
//! * [`session`]: one connection without its socket: bytes in, events and bytes out, deadlines as data.
//! * [`mesh`]: the sockets: who connects to whom, on which segment, and how often.
//! * [`about`]: what two routers say of their configurations, and how these differ.
//! * [`kept`]: roles that an operator moved, remembered for a router that forgot.
//!
//! # For those who send something over it
//!
//! The daemon calls [`mesh::Mesh`] and gets [`mesh::Happening`]s:
//!
//! * `Up(peer)`: the channel to this router stands. What was sent on an earlier one may or may not have arrived, so
//!   begin anew (compare states, then send what is missing). There is at most one channel to each router.
//! * `Message(peer, message)`: authenticated, in order, exactly once within one channel.
//! * `Down(peer, why)`: it is gone; nothing sent on it and not answered may be relied on.
//!
//! [`mesh::Mesh::send`] queues a message, or says that the channel is not there or that its queue is full: it never
//! blocks. Leases and files use [`message::Bulk`]: the kinds from [`message::BULK_LEASES`] and
//! [`message::BULK_FILES`] on, with bodies of at most [`frame::BODY_BYTES`] that only their own module reads. A kind
//! that the other side does not know is skipped, unless it is sent as required, which ends the channel.
//!
//! *Invariant: no input panics; a message that fails its authentication ends the connection and nothing else.*
//! *Invariant: at most one Diffie-Hellman handshake in a turn of the loop, and a bounded number of bytes read.*

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

pub mod about;
pub mod dial;
pub mod end;
pub mod frame;
pub mod gate;
pub mod handshake;
pub mod kept;
pub mod key;
pub mod link;
pub mod mesh;
pub mod message;
pub mod noise;
pub mod plan;
pub mod session;

/// TCP port of the channel, on the routers' own addresses.
pub const PORT: u16 = 8470;

/// Another router: its position in `list router`, or in `list peer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u8);

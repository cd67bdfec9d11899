//! What the kernel should look like, and how to get there.
//!
//! Roles ask for a state; nothing here remembers what was done to reach it. [`plan`] compares what is
//! wanted with what is there and gives the steps, in their order; a [`Reconciler`] keeps both sides, and for
//! each thing its failures. So a crash at any point, a stranger who removes an address, a reload and a
//! failed system call are all the same case: plan again.
//!
//! # What is ours
//!
//! An address is ours if the kernel says so: it was added with the protocol number [`MARK`]. Kernels
//! before 5.18 don't keep that number; there an address is ours if it is in the [`Record`], which is
//! written before an address is added, and survives the daemon but not a reboot, as the addresses do. What is not ours is
//! never changed or removed. A virtual address that somebody else has put on the device is as good as ours, and a
//! warning: this router can't take it off when it should.
//!
//! Of what no configuration mentions any more, only what is in the record is removed: another gwha
//! on this machine uses the same mark.

mod entry;
mod plan;
mod record;
mod retry;
mod state;

pub use entry::Row;
pub use plan::{Desired, Observed, Op, Owner, Placed, SeenAddress, Standing, WantedAddress, plan};
pub use record::Record;
pub use retry::{Jitter, Retry};
pub use state::{Applied, Hands, Reconciler};

use crate::netlink::Protocol;

/// The number of gwha in the kernel's tables: `IFA_PROTO`, `rtm_protocol`, `FRA_PROTOCOL`.
///
/// 103 is "g", and in use by nobody in iproute2's `rt_protos`. It must never change: a daemon finds what an
/// older one left by it.
pub const MARK: Protocol = Protocol(103);

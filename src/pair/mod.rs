//! `gwha pair`: two routers that know nothing of each other get one key and one configuration.
//!
//! On the *host* the command shows a code and waits; on the *guest* the code is typed. In reading order:
//!
//! * [`code`]: what is shown and typed, and the key that is made of it.
//! * [`message`]: what the two say.
//! * [`session`]: one conversation without its socket: bytes in, messages and bytes out, deadlines as data.
//! * [`agree`]: from what both routers have to the key and the configuration that both will have.
//! * [`facts`]: what this router has.
//! * [`vip`], [`vrid`]: the virtual address and its number, if they have to be chosen.
//! * [`files`]: both files beside their places first, then in their places.
//! * [`host`], [`guest`]: what each side answers.
//! * [`listen`], [`connect`]: the sockets.
//!
//! ```text
//!   guest                                   host
//!     ──── handshake, sealed with the code ───►
//!     ◄────────────────────────────────────────
//!     ──── Hello: what the guest has ─────────►   agree
//!     ◄─── Plan: key and configuration ────────
//!   check, write beside
//!     ──── Ready ─────────────────────────────►   write beside, put in place
//!     ◄─── Commit ─────────────────────────────
//!   put in place
//!     ──── Done ──────────────────────────────►   the code is used up
//! ```
//!
//! The guest changes nothing before the host has; whatever is lost on the way, the same line typed again, with this
//! code or a new one, comes to the same end: what one of them has by then is what is agreed on.
//!
//! *Invariant: no input panics. Nobody without the code learns or changes anything, and a recorded pairing can't be
//! opened with the code later.*

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

pub mod agree;
pub mod code;
pub mod connect;
pub mod facts;
pub mod files;
pub mod guest;
pub mod host;
pub mod listen;
pub mod message;
pub mod session;
pub mod vip;
pub mod vrid;

/// TCP port on which a host waits. Not the channel's: a daemon may be listening there.
pub const PORT: u16 = 8471;

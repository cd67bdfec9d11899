//! ubus, OpenWrt's message bus, spoken by a program that must never wait for it.
//!
//! The C library blocks, and so do the crates that existed; this one is built for an event loop.
//! In reading order:
//!
//! * [`blob`]: tagged, padded attributes, what every ubus message is made of.
//! * [`blobmsg`]: named and typed values on top of blob: the tables that methods take and return.
//!   [`Data`] is one such table; [`encode`] and [`decode`] go from and to Rust types.
//! * [`value`]: [`Value`], for tables whose shape is only known at run time. [`json`]: its text form.
//!   [`decimal`]: doubles in whole numbers.
//! * [`message`] and [`inbox`]: the messages of the protocol, one by one and in a stream of bytes.
//! * [`object`]: what a program offers: methods with typed arguments.
//! * [`session`]: the protocol itself, without a socket: bytes in, events out.
//! * [`conn`]: a session on ubusd's socket, connected again whenever ubusd restarts.
//!
//! Nothing here panics on what arrives, whatever it is; every size and depth has a limit.
//! The module uses no other part of this program.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

pub mod blob;
pub mod blobmsg;
pub mod conn;
pub mod decimal;
pub mod decode;
pub mod encode;
mod error;
pub mod inbox;
pub mod json;
mod kind;
pub mod message;
pub mod object;
mod queue;
pub mod record;
pub mod session;
pub mod value;

pub use blobmsg::Data;
pub use conn::Connection;
pub use decimal::Decimal;
pub use decode::Decode;
pub use encode::{Encode, Place};
pub use error::Error;
pub use kind::{Kind, Status};
pub use object::{Argument, Method, Need, Object};
pub use session::{Event, Session};
pub use value::{Table, Value};

//! The control socket: how the command line talks to the daemon on any Linux.
//!
//! Its methods, arguments and results are those that ubus serves on OpenWrt, in the same encoding. Only
//! root (or the user that runs the daemon) gets in.

pub mod client;
mod frame;
pub mod server;

use crate::ubus::Data;

/// What a method gives.
pub type Answer = Result<Data, Failure>;

/// Why a method was not called. A command that was understood and refused is a result, not a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// There is no such method.
    UnknownMethod,
    /// An argument is missing, or of the wrong kind.
    InvalidArgument(String),
    /// Too many clients or commands at once.
    Busy,
    /// The result can't be told: it is longer than an answer may be.
    TooLong,
}

impl Failure {
    /// The number that ubus uses (`enum ubus_msg_status`).
    pub const fn code(&self) -> u8 {
        match self {
            Failure::InvalidArgument(_) => 2,
            Failure::UnknownMethod => 3,
            Failure::Busy => 9,
            Failure::TooLong => 5,
        }
    }

    /// A sentence part for people.
    pub fn text(&self) -> &str {
        match self {
            Failure::UnknownMethod => "no such method",
            Failure::InvalidArgument(what) => what,
            Failure::Busy => "too many requests at once",
            Failure::TooLong => "the answer is too long",
        }
    }
}

#[cfg(test)]
mod tests;

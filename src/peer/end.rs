//! Why connections end.

use core::fmt;

use super::frame::Malformed;
use super::handshake::Failure;
use super::message::Misunderstood;
#[cfg(doc)]
use super::session::SILENCE_MAX;

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The other side closed it between two records, or the network did.
    Closed,
    /// It was closed in the middle of a record.
    Truncated,
    /// The other side said why.
    Bye(String),
    /// The handshake failed here.
    Handshake(Failure),
    /// The other side refused our handshake: it says that it has another key.
    KeyRefused,
    /// The other side refused our handshake for another reason (its code).
    Refused(u8),
    /// The versions have no message in common: ours, and the range of the other side.
    Versions(u32, u32, u32),
    /// What came is cut wrongly.
    Malformed(Malformed),
    /// A record that the other side did not make, or not at this point: forged, replayed or reordered.
    Forged,
    /// A message that can't be understood.
    Misunderstood(Misunderstood),
    /// A message where it does not belong.
    OutOfPlace,
    /// The handshake took too long.
    Slow,
    /// Nothing came for [`SILENCE_MAX`].
    Silent,
    /// The other side has our own life: we speak with ourselves.
    Mirror,
    /// No randomness, or another impossibility of the system.
    System,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Closed => f.write_str("closed by the other side"),
            End::Truncated => f.write_str("closed in the middle of a message"),
            End::Bye(why) => write!(f, "ended by the other side: {why}"),
            End::Handshake(failure) => failure.fmt(f),
            End::KeyRefused => f.write_str("it says that this router has another key"),
            End::Refused(code) => write!(f, "it refuses the handshake (code {code})"),
            End::Versions(own, oldest, newest) => {
                write!(f, "it speaks versions {oldest} to {newest} of the protocol, this router {own}")
            }
            End::Malformed(malformed) => malformed.fmt(f),
            End::Forged => f.write_str("a forged, repeated or reordered record"),
            End::Misunderstood(misunderstood) => misunderstood.fmt(f),
            End::OutOfPlace => f.write_str("a message out of place"),
            End::Slow => f.write_str("its handshake took too long"),
            End::Silent => f.write_str("silent"),
            End::Mirror => f.write_str("this router speaks with itself"),
            End::System => f.write_str("the system has no randomness to give"),
        }
    }
}

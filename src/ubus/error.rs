//! Why a value could not be encoded or decoded.

use core::fmt;

/// Why a value could not be encoded or decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The encoded form would exceed [`blob::MAX_MESSAGE`](super::blob::MAX_MESSAGE), or a name 65535 bytes.
    TooLong,
    /// Tables and arrays are nested deeper than [`blobmsg::MAX_DEPTH`](super::blobmsg::MAX_DEPTH).
    TooDeep,
    /// The bytes break the format: a length, a name or a fixed-size value does not fit. The sender's fault.
    Malformed,
    /// An unsigned number above `i64::MAX`: blobmsg has signed numbers of 64 bits at most.
    NumberTooLarge,
    /// A message body must be a table: a struct, a map or a [`Table`](super::Table).
    NotATable,
    /// The bytes are sound, but not what the Rust type asks for. Says what was expected.
    Mismatch(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::TooLong => "longer than a ubus message can be",
            Error::TooDeep => "nested too deeply",
            Error::Malformed => "malformed blobmsg data",
            Error::NumberTooLarge => "number above 9223372036854775807",
            Error::NotATable => "not a table",
            Error::Mismatch(what) => return write!(f, "{what} expected"),
        })
    }
}

impl std::error::Error for Error {}

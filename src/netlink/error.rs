//! What can go wrong, and whose fault it is.

use core::fmt;
use std::io;

use nix::errno::Errno;

use super::KernelError;

/// Bytes that are no netlink message, or no value of the promised kind. The kernel's fault, or a forgery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseError {
    /// Fewer bytes than the fixed header of the message takes.
    ShortHeader,
    /// The message says it is longer than what was received, or shorter than its own header.
    BadMessageLength,
    /// An attribute says it is longer than what holds it, or shorter than its own header.
    BadAttributeLength,
    /// An attribute of this number is too short for its value.
    ShortAttribute(u16),
    /// An attribute of this number holds a name that no device or label can have.
    BadName(u16),
    /// A required attribute is not there.
    MissingAttribute(u16),
    /// The message is about device 0.
    NoIndex,
    /// An address family other than IPv4 and IPv6.
    UnknownFamily(u8),
    /// A prefix length over 32 or 128 bits.
    BadPrefixLength(u8),
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseError::ShortHeader => f.write_str("message shorter than its header"),
            ParseError::BadMessageLength => f.write_str("message length does not fit"),
            ParseError::BadAttributeLength => f.write_str("attribute length does not fit"),
            ParseError::ShortAttribute(kind) => write!(f, "attribute {kind} too short"),
            ParseError::BadName(kind) => write!(f, "attribute {kind} holds no valid name"),
            ParseError::MissingAttribute(kind) => write!(f, "attribute {kind} missing"),
            ParseError::NoIndex => f.write_str("device number 0"),
            ParseError::UnknownFamily(family) => write!(f, "address family {family}"),
            ParseError::BadPrefixLength(length) => write!(f, "prefix length {length}"),
        }
    }
}

impl core::error::Error for ParseError {}

/// Why a request or a read did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The kernel understood the request and refused it.
    Refused(KernelError),
    /// The kernel had to drop messages, because they were read too slowly (`ENOBUFS`), or one of them was larger
    /// than the buffer. What is known of the kernel's state is no longer true: dump everything again.
    Overrun,
    /// The state changed while it was dumped (`NLM_F_DUMP_INTR`), so the dump may contradict itself: dump again.
    Interrupted,
    /// The request was sent, and the answer that the kernel gives at once was not there.
    NoAnswer,
    /// The answer is not netlink.
    Malformed(ParseError),
    /// The socket failed.
    Socket(Errno),
}

impl Error {
    /// The kernel's error number, if it was the kernel or the socket that failed.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Error::Refused(error) => Some(error.errno),
            Error::Socket(errno) => Some(*errno),
            Error::Overrun | Error::Interrupted | Error::NoAnswer | Error::Malformed(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Refused(error) => error.fmt(f),
            Error::Overrun => f.write_str("the kernel dropped netlink messages"),
            Error::Interrupted => f.write_str("the kernel's state changed during the dump"),
            Error::NoAnswer => f.write_str("the kernel did not answer"),
            Error::Malformed(error) => write!(f, "malformed netlink answer: {error}"),
            Error::Socket(errno) => write!(f, "netlink socket: {}", words(*errno)),
        }
    }
}

/// What the system says, without the number.
pub fn words(errno: Errno) -> String {
    let text = io::Error::from(errno).to_string();
    let number = format!(" (os error {})", errno as i32);
    text.strip_suffix(&number).unwrap_or(&text).to_owned()
}

impl core::error::Error for Error {}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Error {
        Error::Malformed(error)
    }
}

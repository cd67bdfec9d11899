//! Messages in a stream of bytes.

use core::fmt;

use super::Kind;
use super::blob::{HEADER, MAX_MESSAGE, padded};
use super::message::{HEADER_BYTES, Header, Message, VERSION};
use super::queue::Queue;

/// Why a stream of bytes is no ubus connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// The version byte is not 0.
    Version(u8),
    /// The body claims a length below its own header or above [`MAX_MESSAGE`].
    Length(u32),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::Version(version) => write!(f, "protocol version {version}"),
            FrameError::Length(length) => write!(f, "message of {length} bytes"),
        }
    }
}

impl std::error::Error for FrameError {}

/// Finds messages in a stream of bytes, however they are cut.
///
/// Holds no more than was received: one unfinished message, and what came after it in the same piece.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Queue,
}

impl Inbox {
    /// Takes what was received. Drain [`Inbox::next_message`] before taking more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.push(bytes);
    }

    /// The next whole message; `None` until more is received.
    ///
    /// # Errors
    /// The stream cannot be followed any further: the connection should be closed.
    pub fn next_message(&mut self) -> Result<Option<Message<'_>>, FrameError> {
        self.bytes.settle();
        let Some((header, length)) = self.peek()? else { return Ok(None) };
        let body = self.bytes.take(length).get(START..).unwrap_or_default();
        Ok(Some(Message { header, body }))
    }

    /// Header and whole length of the next message, if all of it is here.
    fn peek(&self) -> Result<Option<(Header, usize)>, FrameError> {
        let bytes = self.bytes.as_slice();
        let Some(&[version, kind, s0, s1, p0, p1, p2, p3, _, l1, l2, l3]) = bytes.first_chunk::<START>()
        else {
            return Ok(None);
        };
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        // The upper byte is the outer attribute's id, which nobody looks at.
        let body = u32::from_be_bytes([0, l1, l2, l3]);
        let body_bytes = body as usize;
        if body_bytes < HEADER || padded(body_bytes) > MAX_MESSAGE {
            return Err(FrameError::Length(body));
        }
        let length = HEADER_BYTES.saturating_add(body_bytes);
        if bytes.len() < length {
            return Ok(None);
        }
        let header = Header {
            kind: Kind::from_wire(kind),
            seq: u16::from_be_bytes([s0, s1]),
            peer: u32::from_be_bytes([p0, p1, p2, p3]),
        };
        Ok(Some((header, length)))
    }
}

/// Bytes before the first attribute: the message's header and that of the outer blob.
const START: usize = HEADER_BYTES + HEADER;

#[cfg(test)]
mod tests;

//! Messages: what a datagram is made of, and the four kinds that are about the conversation itself.

use core::fmt;
use nix::errno::Errno;

use super::attribute::{Attributes, align};
use super::{Error, ParseError, words};

/// `struct nlmsghdr`: length, type, flags, sequence, port.
pub(super) const HEADER_SIZE: usize = 16;

/// Longest text of the kernel that is kept; its own are below 80 bytes.
const TEXT_MAX: usize = 200;

/// Cuts a datagram into messages. After an error it ends, as the next message can't be found.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// The messages in one datagram.
    pub fn new(datagram: &'a [u8]) -> Messages<'a> {
        Messages { rest: datagram }
    }

    fn cut(&mut self) -> Result<Message<'a>, ParseError> {
        let message = Message::parse(self.rest)?;
        let length = HEADER_SIZE.saturating_add(message.payload.len());
        self.rest = self.rest.get(align(length)..).unwrap_or_default();
        Ok(message)
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let message = self.cut();
        if message.is_err() {
            self.rest = &[];
        }
        Some(message)
    }
}

/// One message: its header, taken apart, and the bytes behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// `RTM_*` or `NLMSG_*`.
    pub kind: u16,
    /// `NLM_F_*`.
    pub flags: u16,
    /// The number of the request that this answers; 0 or another program's in notifications.
    pub sequence: u32,
    /// The socket that the request came from; 0 is the kernel.
    pub port: u32,
    /// What follows the header.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Message<'a>, ParseError> {
        let header = bytes.first_chunk::<HEADER_SIZE>().ok_or(ParseError::ShortHeader)?;
        let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, p0, p1, p2, p3] = *header;
        let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        Ok(Message {
            kind: u16::from_ne_bytes([k0, k1]),
            flags: u16::from_ne_bytes([f0, f1]),
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            port: u32::from_ne_bytes([p0, p1, p2, p3]),
            payload: bytes.get(HEADER_SIZE..length).ok_or(ParseError::BadMessageLength)?,
        })
    }

    /// What the message says about the conversation.
    pub fn content(&self) -> Result<Content, ParseError> {
        match i32::from(self.kind) {
            libc::NLMSG_NOOP => Ok(Content::Noop),
            libc::NLMSG_ERROR => self.error().map(|error| error.map_or(Content::Ack, Content::Error)),
            libc::NLMSG_DONE => self.done().map(|error| error.map_or(Content::Done, Content::Error)),
            libc::NLMSG_OVERRUN => Ok(Content::Overrun),
            _ => Ok(Content::Data),
        }
    }

    /// `struct nlmsgerr`: the error, then the request (its header only, if capped), then attributes.
    fn error(&self) -> Result<Option<KernelError>, ParseError> {
        let (number, request) = self.split_errno()?;
        let request_length = if self.has(libc::NLM_F_CAPPED) {
            HEADER_SIZE
        } else {
            let length = request.first_chunk().copied().map(u32::from_ne_bytes).unwrap_or(u32::MAX);
            align(usize::try_from(length).unwrap_or(usize::MAX))
        };
        Ok(KernelError::new(number, self.text(request.get(request_length..))))
    }

    /// The end of a dump: the error that cut it short, or 0, then attributes.
    fn done(&self) -> Result<Option<KernelError>, ParseError> {
        let (number, attributes) = self.split_errno()?;
        Ok(KernelError::new(number, self.text(Some(attributes))))
    }

    fn split_errno(&self) -> Result<(i32, &'a [u8]), ParseError> {
        let (number, rest) = self.payload.split_first_chunk().ok_or(ParseError::ShortHeader)?;
        Ok((i32::from_ne_bytes(*number), rest))
    }

    /// `NLMSGERR_ATTR_MSG`. A malformed attribute costs only the text.
    fn text(&self, attributes: Option<&[u8]>) -> Option<String> {
        let attributes = attributes.filter(|_| self.has(libc::NLM_F_ACK_TLVS))?;
        let text = Attributes::new(attributes).flatten().find(|attribute| attribute.kind == ATTR_MSG)?.text();
        Some(String::from_utf8_lossy(text.get(..TEXT_MAX).unwrap_or(text)).into_owned())
    }

    /// Whether the flag `flag` is set.
    pub fn has(&self, flag: libc::c_int) -> bool {
        i32::from(self.flags) & flag != 0
    }
}

/// What a message says about the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing at all.
    Noop,
    /// The request succeeded.
    Ack,
    /// The request, or a dump half-way, failed.
    Error(KernelError),
    /// The dump is complete.
    Done,
    /// Messages were lost.
    Overrun,
    /// An object: see [`super::Event`].
    Data,
}

/// The kernel's answer to a request that it refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelError {
    /// Why.
    pub errno: Errno,
    /// The kernel's own words (extended acknowledgement), where it has any.
    pub text: Option<String>,
}

impl KernelError {
    /// `None` if `number` means success. Kernel errors are negative.
    fn new(number: i32, text: Option<String>) -> Option<KernelError> {
        (number != 0).then(|| KernelError { errno: Errno::from_raw(number.saturating_neg()), text })
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => write!(f, "{} ({text})", words(self.errno)),
            None => f.write_str(&words(self.errno)),
        }
    }
}

impl From<KernelError> for Error {
    fn from(error: KernelError) -> Error {
        Error::Refused(error)
    }
}

/// `NLMSGERR_ATTR_MSG`.
const ATTR_MSG: u16 = 1;

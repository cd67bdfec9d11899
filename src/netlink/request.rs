//! Requests: messages on their way to the kernel.

use core::net::IpAddr;

use super::attribute::align;
use super::message::HEADER_SIZE;
use super::{Family, Prefix};

/// What to do when the object to add is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Fail with `EEXIST`: the object can be a stranger's.
    Refuse,
    /// Rewrite it: only for an object that is known to be our own.
    Replace,
}

impl Existing {
    pub(super) const fn flags(self) -> i32 {
        match self {
            Existing::Refuse => libc::NLM_F_CREATE | libc::NLM_F_EXCL,
            Existing::Replace => libc::NLM_F_CREATE | libc::NLM_F_REPLACE,
        }
    }
}

/// A request that is complete but for its sequence number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    bytes: Vec<u8>,
}

impl Request {
    /// A change, which the kernel answers with one acknowledgement. The length of the fixed header is a multiple of 4 in
    /// all messages used here.
    pub(super) fn change(kind: u16, flags: i32, header: &[u8]) -> Request {
        Request::part(kind, flags | libc::NLM_F_ACK, header)
    }

    /// A question for all objects of a kind, which the kernel answers with those and `NLMSG_DONE`.
    pub(super) fn dump(kind: u16, header: &[u8]) -> Request {
        Request::part(kind, libc::NLM_F_DUMP, header)
    }

    /// A part of a batch, which is acknowledged as a whole.
    pub(super) fn part(kind: u16, flags: i32, header: &[u8]) -> Request {
        let flags = (flags | libc::NLM_F_REQUEST) as u16;
        let mut bytes = vec![0; HEADER_SIZE];
        put(&mut bytes, 4, &kind.to_ne_bytes());
        put(&mut bytes, 6, &flags.to_ne_bytes());
        bytes.extend_from_slice(header);
        Request { bytes }
    }

    /// Appends an attribute.
    pub(super) fn attribute(&mut self, kind: u16, value: &[u8]) {
        let start = self.begin(kind);
        self.bytes.extend_from_slice(value);
        self.end(start);
    }

    /// Appends an attribute that is a number.
    pub(super) fn u32(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_ne_bytes());
    }

    /// Appends an attribute that is an address.
    pub(super) fn ip(&mut self, kind: u16, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.attribute(kind, &address.octets()),
            IpAddr::V6(address) => self.attribute(kind, &address.octets()),
        }
    }

    /// Appends an attribute that is a string, with the NUL that the kernel wants.
    pub(super) fn text(&mut self, kind: u16, text: &[u8]) {
        let mut value = text.to_vec();
        value.push(0);
        self.attribute(kind, &value);
    }

    /// Appends a destination or source range, which stays away if it is everything.
    pub(super) fn range(&mut self, kind: u16, prefix: Prefix) {
        if prefix != Prefix::all(prefix.family()) {
            self.ip(kind, prefix.address());
        }
    }

    /// Begins an attribute that holds those which follow, up to [`Request::end`]. Where it starts.
    pub(super) fn nest(&mut self, kind: u16) -> usize {
        self.begin(kind | libc::NLA_F_NESTED as u16)
    }

    fn begin(&mut self, kind: u16) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        start
    }

    /// Writes the length of the attribute that starts at `start`, and pads it.
    pub(super) fn end(&mut self, start: usize) {
        let length = u16::try_from(self.bytes.len().saturating_sub(start));
        let length = length.expect("requests are built from addresses and names, far below 64 KiB");
        put(&mut self.bytes, start, &length.to_ne_bytes());
        self.bytes.resize(align(self.bytes.len()), 0);
    }

    /// The message with this sequence number, ready to be sent.
    pub fn numbered(&self, sequence: u32) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        put(&mut bytes, 0, &length.to_ne_bytes());
        put(&mut bytes, 8, &sequence.to_ne_bytes());
        bytes
    }
}

/// Writes over what is there.
fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at.saturating_add(value.len())) {
        place.copy_from_slice(value);
    }
}

/// The header of a dump that asks for one family or for all (`struct rtgenmsg`, padded to what strict kernels want).
pub(super) fn dump_header<const SIZE: usize>(family: Option<Family>) -> [u8; SIZE] {
    let mut header = [0; SIZE];
    if let (Some(first), Some(family)) = (header.first_mut(), family) {
        *first = family.number();
    }
    header
}

//! Attributes: the type-length-value records that follow the fixed header of a message.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Family, ParseError};

/// Records start at multiples of this many bytes.
const ALIGNMENT: usize = 4;

/// `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`: the two bits of a type that are flags.
const TYPE_MASK: u16 = 0x3fff;

/// Length and type.
const HEADER_SIZE: usize = 4;

/// `length` rounded up to where the next record starts.
pub(super) const fn align(length: usize) -> usize {
    length.saturating_add(ALIGNMENT - 1) & !(ALIGNMENT - 1)
}

/// Walks over the attributes in a piece of a message. After an error it ends.
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// The attributes in `bytes`, which start with the first attribute's header.
    pub fn new(bytes: &'a [u8]) -> Attributes<'a> {
        Attributes { rest: bytes }
    }

    fn cut(&mut self) -> Result<Attribute<'a>, ParseError> {
        let (header, _) =
            self.rest.split_first_chunk::<HEADER_SIZE>().ok_or(ParseError::BadAttributeLength)?;
        let [l0, l1, t0, t1] = *header;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = self.rest.get(HEADER_SIZE..length).ok_or(ParseError::BadAttributeLength)?;
        // The padding of the last attribute may be missing.
        self.rest = self.rest.get(align(length)..).unwrap_or_default();
        Ok(Attribute { kind: u16::from_ne_bytes([t0, t1]) & TYPE_MASK, value })
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let attribute = self.cut();
        if attribute.is_err() {
            self.rest = &[];
        }
        Some(attribute)
    }
}

/// One attribute. Its number means something only together with the message that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The number, without the flag bits.
    pub kind: u16,
    /// The bytes, without padding.
    pub value: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The first byte.
    pub fn u8(&self) -> Result<u8, ParseError> {
        self.chunk::<1>().map(|[byte]| byte)
    }

    /// The first four bytes as a number in native order.
    pub fn u32(&self) -> Result<u32, ParseError> {
        self.chunk().map(u32::from_ne_bytes)
    }

    /// An address of the family that the message's header promised.
    pub fn ip(&self, family: Family) -> Result<IpAddr, ParseError> {
        match family {
            Family::V4 => self.chunk::<4>().map(|octets| IpAddr::V4(Ipv4Addr::from(octets))),
            Family::V6 => self.chunk::<16>().map(|octets| IpAddr::V6(Ipv6Addr::from(octets))),
        }
    }

    /// The bytes up to the NUL that ends a string, or all if there is none.
    pub fn text(&self) -> &'a [u8] {
        self.value.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// The attributes inside this one.
    pub fn nested(&self) -> Attributes<'a> {
        Attributes::new(self.value)
    }

    /// The first `N` bytes; newer kernels may append to what they send.
    pub fn chunk<const N: usize>(&self) -> Result<[u8; N], ParseError> {
        self.value.first_chunk::<N>().copied().ok_or(ParseError::ShortAttribute(self.kind))
    }
}

//! The VRRP payload: what follows an IP header of protocol 112.
//!
//! Versions 2 (RFC 3768, with the authentication of RFC 2338) and 3 (RFC 5798, RFC 9568). A packet
//! comes in through [`peek`], which finds the virtual router, and [`check`], which turns it into an
//! [`Advert`] or says why not; [`Outgoing`] is the way out.
//!
//! VRRP inside an IPsec authentication header (the AH of RFC 2338) is IP protocol 51: it never gets
//! here. Its own auth type, 2, is refused.

mod ladder;

pub use ladder::{AcceptChecksum, Delivery, Expect, Reject, Senders, check};

use core::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum::Checksum;
use super::types::{Family, Interval, Version, Vrid};

/// IP protocol number of VRRP.
pub const PROTOCOL: u8 = 112;
/// Where multicast adverts over IPv4 go (RFC 9568 §5.1.1.2).
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// Where multicast adverts over IPv6 go (RFC 9568 §5.1.2.2).
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
/// TTL or hop limit of every advert: a router on the way would lower it (RFC 9568 §5.1.1.3).
pub const HOP_LIMIT: u8 = 255;
/// Most addresses that one advert can carry.
pub const ADDRESSES_MAX: usize = 255;

/// Version and VRID of a payload, unchecked: enough to find the virtual router it is for.
///
/// `None` if even they are missing.
pub fn peek(bytes: &[u8]) -> Option<(u8, u8)> {
    let [first, vrid, ..] = *bytes else {
        return None;
    };
    Some((first >> 4, vrid))
}

/// v2 authentication. It is sent in clear and guards against misconfiguration only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Type 0.
    None,
    /// Type 1 of RFC 2338 §5.3.6.1: a password in clear, padded with zeros.
    Password([u8; 8]),
}

impl Auth {
    /// The type on the wire.
    const fn kind(self) -> u8 {
        match self {
            Auth::None => 0,
            Auth::Password(_) => 1,
        }
    }

    /// The data on the wire: always there in v2, zero without authentication.
    const fn data(self) -> [u8; 8] {
        match self {
            Auth::None => [0; 8],
            Auth::Password(password) => password,
        }
    }
}

impl fmt::Debug for Auth {
    /// Does not show the password: debug output ends in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Auth::None => "None",
            Auth::Password(_) => "Password(***)",
        })
    }
}

/// Which bytes a v3 checksum over IPv4 covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumForm {
    /// The message only (RFC 9568 §5.2.8). The only form of v2.
    Message,
    /// The message and a pseudo-header with the packet's addresses (keepalived). The only form of IPv6.
    PseudoHeader,
}

/// A VRRP payload as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Sender.
    pub source: IpAddr,
    /// Receiver.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// What followed the IP header.
    pub bytes: &'a [u8],
}

/// An advertisement that has passed [`check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advert<'a> {
    /// Its version.
    pub version: Version,
    /// The virtual router it is about.
    pub vrid: Vrid,
    /// The sender's priority: 0 stops, 255 owns the addresses.
    pub priority: u8,
    /// The sender's own interval.
    pub interval: Interval,
    /// The virtual addresses, at least one. They may differ from ours: RFC 9568 §7.1 wants that
    /// logged, not dropped.
    pub addresses: Addresses<'a>,
    /// Which form the checksum had. The old form that [`AcceptChecksum::OldUnicast`] lets in counts as
    /// [`ChecksumForm::PseudoHeader`].
    pub checksum: ChecksumForm,
}

/// The virtual addresses of an advert, in its order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Addresses<'a> {
    family: Family,
    /// A whole number of addresses.
    bytes: &'a [u8],
}

impl<'a> Addresses<'a> {
    /// How many they are.
    pub const fn len(&self) -> usize {
        self.bytes.len() / width(self.family)
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> + use<'a> {
        let family = self.family;
        self.bytes.chunks_exact(width(family)).filter_map(move |bytes| match family {
            Family::V4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
            Family::V6 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        })
    }
}

impl fmt::Debug for Addresses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// An advertisement to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// Its version; [`Version::V2`] only over IPv4.
    pub version: Version,
    /// The virtual router it is about.
    pub vrid: Vrid,
    /// The priority it says.
    pub priority: u8,
    /// The sender's interval. What the version can't carry is brought into its range.
    pub interval: Interval,
    /// v2 authentication; v3 has none and ignores it.
    pub auth: Auth,
    /// The virtual addresses. Those of another family than the source's are left out, and so are
    /// those behind the 255th.
    pub addresses: &'a [IpAddr],
    /// The checksum form of v3 over IPv4.
    pub checksum: ChecksumForm,
    /// Sender, for the checksum.
    pub source: IpAddr,
    /// Receiver, for the checksum: of a multicast advert the group.
    pub destination: IpAddr,
}

impl Outgoing<'_> {
    /// Appends the payload.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let family = family(self.source);
        let addresses = self.addresses.iter().filter(|address| self::family(**address) == family);
        let count = addresses.clone().take(ADDRESSES_MAX).count();
        out.extend_from_slice(&[self.first_byte(), self.vrid.get(), self.priority]);
        // At most 255, so nothing is cut off.
        out.push(count as u8);
        out.extend_from_slice(&self.word());
        out.extend_from_slice(&[0, 0]);
        for address in addresses.take(ADDRESSES_MAX) {
            match address {
                IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
                IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
            }
        }
        if self.version == Version::V2 {
            out.extend_from_slice(&self.auth.data());
        }
        self.fill_in_checksum(out.get_mut(start..).unwrap_or_default());
    }

    const fn first_byte(&self) -> u8 {
        match self.version {
            Version::V2 => 2 << 4 | ADVERTISEMENT,
            Version::V3 => 3 << 4 | ADVERTISEMENT,
        }
    }

    /// Bytes 4 and 5: auth type and seconds, or four reserved bits and centiseconds.
    fn word(&self) -> [u8; 2] {
        match self.version {
            Version::V2 => [self.auth.kind(), self.interval.seconds().max(1)],
            Version::V3 => self.interval.centiseconds().min(INTERVAL_MASK).to_be_bytes(),
        }
    }

    fn fill_in_checksum(&self, message: &mut [u8]) {
        let sum = Checksum::new().with(message);
        let sum = match (self.version, family(self.source), self.checksum) {
            (Version::V2, _, _) | (Version::V3, Family::V4, ChecksumForm::Message) => sum,
            (Version::V3, Family::V4, ChecksumForm::PseudoHeader) | (Version::V3, Family::V6, _) => {
                with_pseudo_header(sum, self.source, self.destination, message.len())
            }
        };
        if let Some(field) = message.get_mut(6..8) {
            field.copy_from_slice(&sum.finish().to_be_bytes());
        }
    }
}

/// Adds the pseudo-header of a message of `len` bytes (an advert has at most 4,104).
fn with_pseudo_header(sum: Checksum, source: IpAddr, destination: IpAddr, len: usize) -> Checksum {
    sum.pseudo_header(source, destination, PROTOCOL, len as u16)
}

/// Family of an address.
const fn family(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    }
}

/// Bytes of an address.
const fn width(family: Family) -> usize {
    match family {
        Family::V4 => 4,
        Family::V6 => 16,
    }
}

/// The only packet type there is.
const ADVERTISEMENT: u8 = 1;
/// The bits of a v3 interval; those above are reserved, sent as zero and ignored on receipt.
const INTERVAL_MASK: u16 = 0x0fff;

#[cfg(test)]
mod tests;

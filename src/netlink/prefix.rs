//! Address families and address ranges.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ParseError;

/// IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// `AF_INET`.
    V4,
    /// `AF_INET6`.
    V6,
}

impl Family {
    /// The family of `address`.
    pub const fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// The bits of an address: the longest prefix.
    pub const fn bits(self) -> u8 {
        match self {
            Family::V4 => 32,
            Family::V6 => 128,
        }
    }

    /// The address of all zeros.
    pub const fn unspecified(self) -> IpAddr {
        match self {
            Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }

    pub(super) fn from_number(number: u8) -> Result<Family, ParseError> {
        match i32::from(number) {
            libc::AF_INET => Ok(Family::V4),
            libc::AF_INET6 => Ok(Family::V6),
            _ => Err(ParseError::UnknownFamily(number)),
        }
    }

    pub(super) const fn number(self) -> u8 {
        match self {
            Family::V4 => libc::AF_INET as u8,
            Family::V6 => libc::AF_INET6 as u8,
        }
    }
}

/// An address and how many of its leading bits name its network. The other bits may be set, as in `192.0.2.1/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// `None` if `length` is over 32 (IPv4) or 128 (IPv6).
    pub const fn new(address: IpAddr, length: u8) -> Option<Prefix> {
        if length <= Family::of(address).bits() { Some(Prefix { address, length }) } else { None }
    }

    /// The range that holds only `address`: /32 or /128.
    pub const fn host(address: IpAddr) -> Prefix {
        Prefix { address, length: Family::of(address).bits() }
    }

    /// All addresses of `family`: the destination of a default route.
    pub const fn all(family: Family) -> Prefix {
        Prefix { address: family.unspecified(), length: 0 }
    }

    /// The address, with its host bits.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// The leading bits: 0..=32 or 0..=128.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// IPv4 or IPv6.
    pub const fn family(self) -> Family {
        Family::of(self.address)
    }

    /// Whether this is a /32 or /128.
    pub const fn is_host(self) -> bool {
        self.length == self.family().bits()
    }

    /// Whether `address` is in the same network. Never across families.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.checked_shr(32u32.saturating_sub(self.length.into())).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.checked_shr(128u32.saturating_sub(self.length.into())).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// The broadcast address of an IPv4 network; `None` for IPv6 and for /31 and /32, which have none (RFC 3021).
    pub fn broadcast(self) -> Option<Ipv4Addr> {
        let IpAddr::V4(address) = self.address else { return None };
        let host_bits = u32::MAX.checked_shr(self.length.into()).unwrap_or(0);
        (host_bits > 1).then(|| Ipv4Addr::from_bits(address.to_bits() | host_bits))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

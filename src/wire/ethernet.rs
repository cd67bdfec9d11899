//! Ethernet addresses and the Ethernet II header.

use core::fmt;
use std::net::Ipv6Addr;

use super::types::{Family, Vrid};

/// A 48-bit hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Every station.
    pub const BROADCAST: Mac = Mac([0xff; 6]);
    /// "Not known yet", as ARP requests say it.
    pub const ZERO: Mac = Mac([0; 6]);

    /// The virtual router's address (RFC 9568 §7.3).
    pub const fn virtual_router(family: Family, vrid: Vrid) -> Mac {
        let family = match family {
            Family::V4 => 1,
            Family::V6 => 2,
        };
        Mac([0x00, 0x00, 0x5e, 0x00, family, vrid.get()])
    }

    /// Where frames for an IPv6 multicast group go (RFC 2464 §7).
    pub const fn multicast(group: Ipv6Addr) -> Mac {
        let [.., a, b, c, d] = group.octets();
        Mac([0x33, 0x33, a, b, c, d])
    }

    /// Whether it names a group of stations (the broadcast address included).
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }
}

impl fmt::Display for Mac {
    /// Six pairs of lower-case digits with colons.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// What a frame carries: the field after the addresses.
pub mod ethertype {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
}

/// Bytes of [`Header`].
pub const HEADER_LEN: usize = 14;

/// Header of an Ethernet II frame without a VLAN tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// To whom.
    pub destination: Mac,
    /// From whom.
    pub source: Mac,
    /// What follows: see [`ethertype`].
    pub ethertype: u16,
}

impl Header {
    /// The header and what follows it (with the padding of short frames); `None` if cut short.
    pub fn parse(frame: &[u8]) -> Option<(Header, &[u8])> {
        let (destination, rest) = frame.split_first_chunk()?;
        let (source, rest) = rest.split_first_chunk()?;
        let (ethertype, payload) = rest.split_first_chunk()?;
        let header = Header {
            destination: Mac(*destination),
            source: Mac(*source),
            ethertype: u16::from_be_bytes(*ethertype),
        };
        Some((header, payload))
    }

    /// Appends the header.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.destination.0);
        out.extend_from_slice(&self.source.0);
        out.extend_from_slice(&self.ethertype.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: [u8; 16] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0x0a, 1, 0x08, 0x06, 0xde, 0xad];

    fn header() -> Header {
        Header { destination: Mac::BROADCAST, source: Mac([2, 0, 0, 0, 0x0a, 1]), ethertype: ethertype::ARP }
    }

    #[test]
    fn parse_gives_the_header_and_what_follows() {
        assert_eq!(Header::parse(&FRAME), Some((header(), &FRAME[HEADER_LEN..])));
    }

    #[test]
    fn emit_appends_the_header() {
        let mut out = vec![0xa5];

        header().emit(&mut out);

        assert_eq!(out[0], 0xa5);
        assert_eq!(out[1..], FRAME[..HEADER_LEN]);
    }

    #[test]
    fn a_frame_cut_in_its_header_is_none() {
        for length in 0..HEADER_LEN {
            assert_eq!(Header::parse(&FRAME[..length]), None, "{length}");
        }
    }

    #[test]
    fn addresses_made_from_others_follow_their_rfcs() {
        let vrid = Vrid::new(51).unwrap();
        assert_eq!(Mac::virtual_router(Family::V4, vrid).to_string(), "00:00:5e:00:01:33");
        assert_eq!(Mac::virtual_router(Family::V6, vrid).to_string(), "00:00:5e:00:02:33");
        assert_eq!(Mac::multicast("ff02::1".parse().unwrap()).to_string(), "33:33:00:00:00:01");
        assert!(Mac::BROADCAST.is_multicast() && !Mac::ZERO.is_multicast());
    }
}

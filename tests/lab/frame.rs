//! Reads the frames that matter to the tests, independently of the daemon's own decoder.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a frame says, as far as the tests care.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// A VRRP message.
    Advert(Advert),
    /// A gratuitous ARP: somebody says that `address` is theirs.
    Garp { address: Ipv4Addr },
    /// An unsolicited neighbour advertisement for `address`.
    Advertisement { address: Ipv6Addr },
    /// What a DHCP server says: OFFER (2), ACK (5) or NAK (6).
    DhcpReply { kind: u8, transaction: u32 },
    /// A router advertisement, and for how many seconds its sender is a default router.
    RouterAdvert { source: Ipv6Addr, lifetime: u16 },
    /// Anything else from [`SHARED_MAC`].
    Shared,
}

/// The hardware address that two gateways may have on their WAN, though never at the same time.
pub const SHARED_MAC: [u8; 6] = [2, 0, 0, 0, 0xff, 1];

/// The fixed part of a VRRP message and the addresses it travelled between.
#[derive(Clone, Debug, PartialEq)]
pub struct Advert {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub hop_limit: u8,
    pub version: u8,
    pub vrid: u8,
    pub priority: u8,
    /// The whole VRRP message.
    pub message: Vec<u8>,
}

const VRRP: u8 = 112;
const ICMPV6: u8 = 58;
const UDP: u8 = 17;

/// Decodes an Ethernet frame; `None` for everything the tests have no use for.
pub fn decode(frame: &[u8]) -> Option<Frame> {
    let payload = frame.get(14..)?;
    let found = match frame.get(12..14)? {
        [0x08, 0x00] => ipv4(payload),
        [0x08, 0x06] => arp(payload),
        [0x86, 0xdd] => ipv6(payload),
        _ => None,
    };
    found.or((frame.get(6..12)? == SHARED_MAC).then_some(Frame::Shared))
}

fn ipv4(packet: &[u8]) -> Option<Frame> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes(packet.get(2..4)?.try_into().ok()?));
    match *packet.get(9)? {
        VRRP => {}
        UDP => return dhcp(packet.get(header..)?),
        _ => return None,
    }
    let source = IpAddr::V4(address4(packet, 12)?);
    let destination = IpAddr::V4(address4(packet, 16)?);
    advert(source, destination, *packet.get(8)?, packet.get(header..total)?)
}

fn ipv6(packet: &[u8]) -> Option<Frame> {
    let source = IpAddr::V6(address6(packet, 8)?);
    let destination = IpAddr::V6(address6(packet, 24)?);
    let message = packet.get(40..)?;
    match *packet.get(6)? {
        VRRP => advert(source, destination, *packet.get(7)?, message),
        // Type 136, and the solicited flag clear.
        ICMPV6 if message.first() == Some(&136) && message.get(4)? & 0x40 == 0 => {
            Some(Frame::Advertisement { address: address6(message, 8)? })
        }
        ICMPV6 if message.first() == Some(&134) => Some(Frame::RouterAdvert {
            source: address6(packet, 8)?,
            lifetime: u16::from_be_bytes(message.get(6..8)?.try_into().ok()?),
        }),
        _ => None,
    }
}

/// A reply (RFC 2131) from the server's port.
fn dhcp(datagram: &[u8]) -> Option<Frame> {
    const MESSAGE_TYPE: u8 = 53;
    let message = datagram.get(8..)?;
    if (datagram.get(..2)?, message.first()?) != (&67u16.to_be_bytes()[..], &2) {
        return None;
    }
    let transaction = u32::from_be_bytes(message.get(4..8)?.try_into().ok()?);
    let mut options = message.get(240..)?;
    loop {
        match *options.first()? {
            0 => options = options.get(1..)?,
            MESSAGE_TYPE => return Some(Frame::DhcpReply { kind: *options.get(2)?, transaction }),
            _ => options = options.get(2 + usize::from(*options.get(1)?)..)?,
        }
    }
}

fn advert(source: IpAddr, destination: IpAddr, hop_limit: u8, message: &[u8]) -> Option<Frame> {
    Some(Frame::Advert(Advert {
        source,
        destination,
        hop_limit,
        version: message.first()? >> 4,
        vrid: *message.get(1)?,
        priority: *message.get(2)?,
        message: message.to_vec(),
    }))
}

fn arp(packet: &[u8]) -> Option<Frame> {
    let (sender, target) = (address4(packet, 14)?, address4(packet, 24)?);
    // A probe for duplicates (RFC 5227) has the sender 0.0.0.0.
    (sender == target && !sender.is_unspecified()).then_some(Frame::Garp { address: sender })
}

fn address4(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(Ipv4Addr::from(octets))
}

fn address6(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    let octets: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
    Some(Ipv6Addr::from(octets))
}

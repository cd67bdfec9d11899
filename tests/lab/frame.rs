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
}

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

/// Decodes an Ethernet frame; `None` for everything the tests have no use for.
pub fn decode(frame: &[u8]) -> Option<Frame> {
    let payload = frame.get(14..)?;
    match frame.get(12..14)? {
        [0x08, 0x00] => ipv4(payload),
        [0x08, 0x06] => arp(payload),
        [0x86, 0xdd] => ipv6(payload),
        _ => None,
    }
}

fn ipv4(packet: &[u8]) -> Option<Frame> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes(packet.get(2..4)?.try_into().ok()?));
    if *packet.get(9)? != VRRP {
        return None;
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
        _ => None,
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

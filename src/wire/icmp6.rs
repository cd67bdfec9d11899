//! ICMPv6: echo (RFC 4443 §4) and the two messages of neighbour discovery that ask and tell where
//! an address is (RFC 4861 §4.3, §4.4).

use core::ops::BitOr;
use std::net::Ipv6Addr;

use super::checksum::Checksum;
use super::ethernet::{self, Mac, ethertype};
use super::icmp4::{Echo, set_checksum};
use super::ipv6;

/// IPv6 next-header number of ICMPv6.
pub const PROTOCOL: u8 = 58;
/// Hop limit that neighbour discovery must carry: it proves that the sender is on the link.
pub const HOP_LIMIT: u8 = 255;
/// All nodes on the link, ff02::1.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Where a message comes from, and so who verifies its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// From an ICMPv6 socket: the kernel has verified it (RFC 3542 §3.1).
    Socket,
    /// From a frame: we have to, and need the addresses for it.
    Frame {
        /// Sender in the IPv6 header.
        source: Ipv6Addr,
        /// Receiver in the IPv6 header.
        destination: Ipv6Addr,
    },
}

impl Received {
    fn is_intact(self, message: &[u8]) -> bool {
        match self {
            Received::Socket => true,
            Received::Frame { source, destination } => {
                checksum(message, source, destination).is_some_and(Checksum::is_intact)
            }
        }
    }
}

/// An echo request or reply in an ICMPv6 message; `None` if cut short, damaged, or no echo.
pub fn parse_echo(message: &[u8], received: Received) -> Option<Echo<'_>> {
    let echo = Echo::split(message, ECHO_REQUEST, ECHO_REPLY)?;
    received.is_intact(message).then_some(echo)
}

/// Appends an echo with its checksum (an ICMPv6 socket computes it once more).
pub fn emit_echo(echo: &Echo<'_>, source: Ipv6Addr, destination: Ipv6Addr, out: &mut Vec<u8>) {
    let start = out.len();
    echo.join(ECHO_REQUEST, ECHO_REPLY, out);
    fill_in(out, start, source, destination);
}

/// The flags of a neighbour advertisement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u8);

impl Flags {
    /// The sender is a router.
    pub const ROUTER: Flags = Flags(0x80);
    /// It answers a solicitation.
    pub const SOLICITED: Flags = Flags(0x40);
    /// It replaces what receivers have cached.
    pub const OVERRIDE: Flags = Flags(0x20);

    /// Whether all of `flags` are set.
    pub const fn contains(self, flags: Flags) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// Whether a node forwards packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// It does.
    Router,
    /// It does not. Receivers drop a default route through it (RFC 4861 §7.2.5).
    Host,
}

/// "The target is at this link-layer address."
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighborAdvertisement {
    /// The address it is about.
    pub target: Ipv6Addr,
    /// Its flags.
    pub flags: Flags,
    /// Target link-layer address option.
    pub link_address: Option<Mac>,
}

impl NeighborAdvertisement {
    /// Tells a whole segment that `address` is at `mac` from now on (RFC 9568 §8.2.2).
    pub fn unsolicited(address: Ipv6Addr, mac: Mac, node: Node) -> NeighborAdvertisement {
        let flags = match node {
            Node::Router => Flags::OVERRIDE | Flags::ROUTER,
            Node::Host => Flags::OVERRIDE,
        };
        NeighborAdvertisement { target: address, flags, link_address: Some(mac) }
    }

    /// `None` if it is cut short, damaged, of another type, or breaks RFC 4861 §7.1.2. That the hop
    /// limit was [`HOP_LIMIT`] is the caller's to check.
    pub fn parse(message: &[u8], received: Received) -> Option<NeighborAdvertisement> {
        let (flags, target, options) = split(message, NEIGHBOR_ADVERTISEMENT)?;
        let flags = Flags(flags & (Flags::ROUTER | Flags::SOLICITED | Flags::OVERRIDE).0);
        let link_address = link_address(options, TARGET_LINK_ADDRESS)?;
        received.is_intact(message).then_some(NeighborAdvertisement { target, flags, link_address })
    }

    /// Appends the message.
    pub fn emit(&self, source: Ipv6Addr, destination: Ipv6Addr, out: &mut Vec<u8>) {
        let start = out.len();
        join(NEIGHBOR_ADVERTISEMENT, self.flags.0, self.target, out);
        if let Some(mac) = self.link_address {
            emit_link_address(TARGET_LINK_ADDRESS, mac, out);
        }
        fill_in(out, start, source, destination);
    }

    /// Appends the whole frame to all nodes, with the target as its source: an announcement that does
    /// not wait until the kernel lets a socket use the address.
    pub fn emit_frame(&self, mac: Mac, out: &mut Vec<u8>) {
        let destination = Mac::multicast(ALL_NODES);
        ethernet::Header { destination, source: mac, ethertype: ethertype::IPV6 }.emit(out);
        let payload_len = if self.link_address.is_some() { LEN_WITH_OPTION } else { LEN };
        ipv6::Header {
            payload_len,
            next_header: PROTOCOL,
            hop_limit: HOP_LIMIT,
            source: self.target,
            destination: ALL_NODES,
        }
        .emit(out);
        self.emit(self.target, ALL_NODES, out);
    }
}

/// "Who has the target?"
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighborSolicitation {
    /// The address that is looked for.
    pub target: Ipv6Addr,
    /// Source link-layer address option: where the answer goes.
    pub link_address: Option<Mac>,
}

impl NeighborSolicitation {
    /// `None` if it is cut short, damaged, of another type, or breaks RFC 4861 §7.1.1. That the hop
    /// limit was [`HOP_LIMIT`] is the caller's to check.
    pub fn parse(message: &[u8], received: Received) -> Option<NeighborSolicitation> {
        let (_, target, options) = split(message, NEIGHBOR_SOLICITATION)?;
        let link_address = link_address(options, SOURCE_LINK_ADDRESS)?;
        received.is_intact(message).then_some(NeighborSolicitation { target, link_address })
    }

    /// Appends the message.
    pub fn emit(&self, source: Ipv6Addr, destination: Ipv6Addr, out: &mut Vec<u8>) {
        let start = out.len();
        join(NEIGHBOR_SOLICITATION, 0, self.target, out);
        if let Some(mac) = self.link_address {
            emit_link_address(SOURCE_LINK_ADDRESS, mac, out);
        }
        fill_in(out, start, source, destination);
    }
}

/// Group that the owner of `target` listens to (RFC 4291 §2.7.1).
pub const fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = target.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | a as u16, u16::from_be_bytes([b, c]))
}

/// Flags, target and options of a message of this type.
fn split(message: &[u8], kind: u8) -> Option<(u8, Ipv6Addr, &[u8])> {
    let (header, rest) = message.split_first_chunk::<8>()?;
    let (target, options) = rest.split_first_chunk::<16>()?;
    let [message_kind, code, _, _, flags, _, _, _] = *header;
    let target = Ipv6Addr::from(*target);
    (message_kind == kind && code == 0 && !target.is_multicast()).then_some((flags, target, options))
}

fn join(kind: u8, flags: u8, target: Ipv6Addr, out: &mut Vec<u8>) {
    out.extend_from_slice(&[kind, 0, 0, 0, flags, 0, 0, 0]);
    out.extend_from_slice(&target.octets());
}

/// The first link-layer address of this kind; other options are skipped (RFC 4861 §4.6).
/// The outer `None`: an option is cut short or has length 0, so the message must be dropped.
fn link_address(options: &[u8], kind: u8) -> Option<Option<Mac>> {
    let mut found = None;
    let mut rest = options;
    while let Some((first, _)) = rest.split_first() {
        let units = usize::from(*rest.get(1)?);
        let (option, tail) = rest.split_at_checked(units.checked_mul(8)?)?;
        if option.is_empty() {
            return None;
        }
        if let (true, [_, _, mac @ ..]) = (*first == kind && found.is_none(), option) {
            found = mac.try_into().ok().map(Mac);
        }
        rest = tail;
    }
    Some(found)
}

fn emit_link_address(kind: u8, mac: Mac, out: &mut Vec<u8>) {
    out.extend_from_slice(&[kind, 1]);
    out.extend_from_slice(&mac.0);
}

/// `None` if the message is longer than an IPv6 packet can carry.
fn checksum(message: &[u8], source: Ipv6Addr, destination: Ipv6Addr) -> Option<Checksum> {
    let length = u16::try_from(message.len()).ok()?;
    Some(Checksum::new().pseudo_v6(source, destination, PROTOCOL, length).with(message))
}

fn fill_in(out: &mut [u8], start: usize, source: Ipv6Addr, destination: Ipv6Addr) {
    let message = out.get(start..).unwrap_or_default();
    if let Some(sum) = checksum(message, source, destination) {
        set_checksum(out, start, sum.finish());
    }
}

const ECHO_REQUEST: u8 = 128;
const ECHO_REPLY: u8 = 129;
const NEIGHBOR_SOLICITATION: u8 = 135;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;

const SOURCE_LINK_ADDRESS: u8 = 1;
const TARGET_LINK_ADDRESS: u8 = 2;

/// Bytes of a message of neighbour discovery without options.
const LEN: u16 = 24;
/// The same with one link-layer address.
const LEN_WITH_OPTION: u16 = LEN + 8;

#[cfg(test)]
mod tests;

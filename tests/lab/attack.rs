//! VRRP messages that no honest router sends, and the stranger on the LAN who sends them.

use std::net::{Ipv4Addr, SocketAddrV4};

use socket2::{Domain, Protocol, Socket, Type};

use super::probe::checksum;
use super::topology::Host;

/// The group address of VRRP, which some old senders put into the checksum of a unicast packet.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// How the checksum of a message is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// Over the addresses it really travels between and the message, as keepalived does for version 3.
    WithAddresses,
    /// As if it went to the group, whatever its destination.
    WithGroup,
    /// Over the message alone, as version 2 and RFC 9568 have it.
    MessageOnly,
    /// None: zero.
    Zero,
    /// One off.
    Wrong,
}

/// A VRRP message over IPv4, any field of which may be a lie.
#[derive(Clone, Debug, PartialEq)]
pub struct Forgery {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub hop_limit: u8,
    pub version: u8,
    pub kind: u8,
    pub vrid: u8,
    pub priority: u8,
    /// What the message says; `vips` is what it carries.
    pub count: u8,
    /// Bytes 4 and 5: the authentication type and the interval in seconds, or the interval in centiseconds.
    pub interval: [u8; 2],
    pub vips: Vec<Ipv4Addr>,
    /// What follows the addresses: the authentication data of version 2, or what has no business there.
    pub tail: Vec<u8>,
    pub sum: Sum,
}

impl Forgery {
    /// A message of version 3 without a fault.
    pub fn v3(source: Ipv4Addr, destination: Ipv4Addr, vip: Ipv4Addr, interval_cs: u16) -> Forgery {
        Forgery {
            source,
            destination,
            hop_limit: 255,
            version: 3,
            kind: 1,
            vrid: 1,
            priority: 200,
            count: 1,
            interval: interval_cs.to_be_bytes(),
            vips: vec![vip],
            tail: Vec::new(),
            sum: Sum::WithAddresses,
        }
    }

    /// A message of version 2 with a password, without a fault.
    pub fn v2(source: Ipv4Addr, destination: Ipv4Addr, vip: Ipv4Addr, password: &str) -> Forgery {
        let mut tail = password.as_bytes().to_vec();
        tail.resize(8, 0);
        Forgery {
            version: 2,
            interval: [1, 1],
            tail,
            sum: Sum::MessageOnly,
            ..Forgery::v3(source, destination, vip, 0)
        }
    }

    /// The VRRP message.
    pub fn message(&self) -> Vec<u8> {
        let mut message = vec![self.version << 4 | self.kind, self.vrid, self.priority, self.count];
        message.extend(self.interval);
        message.extend([0, 0]);
        message.extend(self.vips.iter().flat_map(Ipv4Addr::octets));
        message.extend(&self.tail);
        let sum = match self.sum {
            Sum::WithAddresses => {
                checksum(&[pseudo_header(self.source, self.destination, &message), message.clone()].concat())
            }
            Sum::WithGroup => {
                checksum(&[pseudo_header(self.source, GROUP, &message), message.clone()].concat())
            }
            Sum::MessageOnly => checksum(&message),
            Sum::Zero => 0,
            Sum::Wrong => checksum(&message).wrapping_add(0x0101),
        };
        message.splice(6..8, sum.to_be_bytes());
        message
    }

    /// The whole IPv4 packet. The kernel fills in the identification and the header's checksum.
    pub fn packet(&self) -> Vec<u8> {
        ipv4(self.source, self.destination, self.hop_limit, &self.message())
    }
}

/// An IPv4 packet of protocol 112.
pub fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, hop_limit: u8, message: &[u8]) -> Vec<u8> {
    let total = u16::try_from(20 + message.len()).expect("a forged message is short");
    let mut packet = vec![0x45, 0xc0];
    packet.extend(total.to_be_bytes());
    packet.extend([0, 0, 0, 0, hop_limit, 112, 0, 0]);
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(message);
    packet
}

/// The same packet with four bytes of options, which say nothing.
pub fn with_options(packet: &[u8]) -> Vec<u8> {
    let (header, message) = packet.split_at(20);
    let mut packet = [header, &[1, 1, 1, 0], message].concat();
    packet[0] += 1;
    let total = u16::try_from(packet.len()).expect("a forged message is short");
    packet[2..4].copy_from_slice(&total.to_be_bytes());
    packet
}

/// The pseudo-header of RFC 9568 §5.2.8 for IPv4.
fn pseudo_header(source: Ipv4Addr, destination: Ipv4Addr, message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("a forged message is short");
    [&source.octets()[..], &destination.octets(), &[0, 112], &length.to_be_bytes()].concat()
}

/// The host that sends them.
pub struct Stranger(Socket);

impl Stranger {
    /// Opens the stranger's socket on the LAN.
    pub fn new() -> Stranger {
        // IPPROTO_RAW: the packet's header is written here, also its source.
        let open = || Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255)));
        Stranger(Host::Stranger.netns().enter(open).expect("a raw socket can be opened"))
    }

    /// Sends a whole IPv4 packet.
    pub fn send(&self, packet: &[u8], destination: Ipv4Addr) {
        let address = SocketAddrV4::new(destination, 0).into();
        self.0.send_to(packet, &address).expect("the stranger can send");
    }
}

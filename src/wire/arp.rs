//! ARP for IPv4 over Ethernet (RFC 826, RFC 5227).

use std::net::Ipv4Addr;

use super::ethernet::{self, Mac, ethertype};

/// Bytes of an ARP packet.
pub const LEN: usize = 28;
/// Bytes of an ARP packet in its frame.
pub const FRAME_LEN: usize = ethernet::HEADER_LEN + LEN;

/// What an ARP packet wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Who has the target address?
    Request,
    /// The sender has the sender address.
    Reply,
}

/// An ARP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// Request or reply.
    pub operation: Operation,
    /// The sender's hardware address.
    pub sender_mac: Mac,
    /// The sender's address; 0.0.0.0 if it has none yet (an RFC 5227 probe).
    pub sender: Ipv4Addr,
    /// The target's hardware address; in a request no receiver looks at it.
    pub target_mac: Mac,
    /// The target's address.
    pub target: Ipv4Addr,
}

impl Arp {
    /// Tells a whole segment that `address` is at `mac` from now on.
    ///
    /// It is a request with the address as sender and as target, which every receiver takes in
    /// (RFC 9568 §8.1.2 with errata 7947, 7949; RFC 5227 §3). Its target hardware address is
    /// ff:ff:ff:ff:ff:ff, as keepalived sends it.
    pub const fn gratuitous(mac: Mac, address: Ipv4Addr) -> Arp {
        Arp {
            operation: Operation::Request,
            sender_mac: mac,
            sender: address,
            target_mac: Mac::BROADCAST,
            target: address,
        }
    }

    /// Asks for `target`. With `sender` 0.0.0.0 no receiver learns anything from it (RFC 5227 §2.1.1).
    pub const fn request(mac: Mac, sender: Ipv4Addr, target: Ipv4Addr) -> Arp {
        Arp { operation: Operation::Request, sender_mac: mac, sender, target_mac: Mac::ZERO, target }
    }

    /// Answers this request: the address that was asked for is at `mac`.
    pub const fn reply(&self, mac: Mac) -> Arp {
        Arp {
            operation: Operation::Reply,
            sender_mac: mac,
            sender: self.target,
            target_mac: self.sender_mac,
            target: self.sender,
        }
    }

    /// What stands behind the Ethernet header; padding is ignored.
    ///
    /// `None` if it is cut short, not about IPv4 on Ethernet, or neither a request nor a reply.
    pub fn parse(packet: &[u8]) -> Option<Arp> {
        let (fixed, rest) = packet.split_first_chunk::<8>()?;
        let (sender_mac, rest) = rest.split_first_chunk()?;
        let (sender, rest) = rest.split_first_chunk::<4>()?;
        let (target_mac, rest) = rest.split_first_chunk()?;
        let target = rest.first_chunk::<4>()?;
        let operation = match *fixed {
            REQUEST => Operation::Request,
            REPLY => Operation::Reply,
            _ => return None,
        };
        Some(Arp {
            operation,
            sender_mac: Mac(*sender_mac),
            sender: Ipv4Addr::from(*sender),
            target_mac: Mac(*target_mac),
            target: Ipv4Addr::from(*target),
        })
    }

    /// Appends the packet.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(match self.operation {
            Operation::Request => &REQUEST,
            Operation::Reply => &REPLY,
        });
        out.extend_from_slice(&self.sender_mac.0);
        out.extend_from_slice(&self.sender.octets());
        out.extend_from_slice(&self.target_mac.0);
        out.extend_from_slice(&self.target.octets());
    }

    /// Appends the packet in its frame, [`FRAME_LEN`] bytes. The driver pads it.
    pub fn emit_frame(&self, destination: Mac, out: &mut Vec<u8>) {
        ethernet::Header { destination, source: self.sender_mac, ethertype: ethertype::ARP }.emit(out);
        self.emit(out);
    }
}

/// Hardware type Ethernet, protocol IPv4, their address lengths, operation 1.
const REQUEST: [u8; 8] = [0, 1, 0x08, 0x00, 6, 4, 0, 1];
/// The same with operation 2.
const REPLY: [u8; 8] = [0, 1, 0x08, 0x00, 6, 4, 0, 2];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: Mac = Mac([2, 0, 0, 0, 0x0a, 1]);
    const B: Mac = Mac([2, 0, 0, 0, 0x0b, 1]);
    const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

    /// The announcement that keepalived 2.4.3 sent for 192.168.1.1.
    #[rustfmt::skip]
    const GRATUITOUS: [u8; FRAME_LEN] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0x0a, 1, 0x08, 0x06,
        0, 1, 0x08, 0, 6, 4, 0, 1,
        2, 0, 0, 0, 0x0a, 1, 192, 168, 1, 1,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 192, 168, 1, 1,
    ];

    /// The reply of 192.168.1.3 to 192.168.1.2.
    #[rustfmt::skip]
    const ANSWER: [u8; LEN] = [
        0, 1, 0x08, 0, 6, 4, 0, 2,
        2, 0, 0, 0, 0x0b, 1, 192, 168, 1, 3,
        2, 0, 0, 0, 0x0a, 1, 192, 168, 1, 2,
    ];

    fn question() -> Arp {
        Arp::request(A, Ipv4Addr::new(192, 168, 1, 2), Ipv4Addr::new(192, 168, 1, 3))
    }

    #[test]
    fn a_captured_announcement_is_taken_apart() {
        let (header, packet) = ethernet::Header::parse(&GRATUITOUS).unwrap();
        let arp = Arp::parse(packet).unwrap();

        assert_eq!((header.destination, header.source), (Mac::BROADCAST, A));
        assert_eq!(arp.operation, Operation::Request);
        assert_eq!((arp.sender_mac, arp.sender), (A, VIP));
        assert_eq!((arp.target_mac, arp.target), (Mac::BROADCAST, VIP));
    }

    #[test]
    fn an_announcement_is_the_captured_frame() {
        let mut out = vec![0xa5];

        Arp::gratuitous(A, VIP).emit_frame(Mac::BROADCAST, &mut out);

        assert_eq!(out[0], 0xa5);
        assert_eq!(out[1..], GRATUITOUS);
    }

    #[test]
    fn parse_gives_the_reply() {
        assert_eq!(Arp::parse(&ANSWER), Some(question().reply(B)));
    }

    #[test]
    fn emit_appends_the_reply() {
        let mut out = vec![0xa5];

        question().reply(B).emit(&mut out);

        assert_eq!(out[0], 0xa5);
        assert_eq!(out[1..], ANSWER);
    }

    #[test]
    fn padding_is_ignored() {
        let mut padded = ANSWER.to_vec();
        padded.resize(46, 0xa5);

        assert_eq!(Arp::parse(&padded), Arp::parse(&ANSWER));
    }

    #[test]
    fn a_packet_cut_anywhere_is_none() {
        for length in 0..LEN {
            assert_eq!(Arp::parse(&ANSWER[..length]), None, "{length}");
        }
    }

    #[test]
    fn other_hardware_protocols_lengths_and_operations_are_none() {
        for position in 0..8 {
            let mut packet = ANSWER;
            packet[position] ^= 0x04;
            assert_eq!(Arp::parse(&packet), None, "{position}");
        }
    }

    proptest! {
        #[test]
        fn what_was_emitted_parses_to_itself(
            macs in any::<([u8; 6], [u8; 6])>(),
            addresses in any::<(Ipv4Addr, Ipv4Addr)>(),
            operation in prop_oneof![Just(Operation::Request), Just(Operation::Reply)],
        ) {
            let arp = Arp {
                operation,
                sender_mac: Mac(macs.0),
                sender: addresses.0,
                target_mac: Mac(macs.1),
                target: addresses.1,
            };
            let mut out = Vec::new();

            arp.emit(&mut out);

            prop_assert_eq!(Arp::parse(&out), Some(arp));
        }

        #[test]
        fn parse_never_panics(bytes: Vec<u8>) {
            let _ = Arp::parse(&bytes);
        }
    }
}

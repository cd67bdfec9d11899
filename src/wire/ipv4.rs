//! The IPv4 header, read only: raw sockets hand it over with the payload, and the kernel writes it.

use std::net::Ipv4Addr;

/// What the receivers of raw packets need of the header (RFC 791 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Time to live.
    pub ttl: u8,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Sender.
    pub source: Ipv4Addr,
    /// Receiver.
    pub destination: Ipv4Addr,
}

impl Header {
    /// The header and the payload, without IP options and without the frame's padding.
    ///
    /// `None` if the packet is cut short, is no IPv4, or has lengths that contradict each other.
    /// The header checksum and fragments are the kernel's business, which is done by then.
    pub fn parse(packet: &[u8]) -> Option<(Header, &[u8])> {
        let fixed: &[u8; 20] = packet.first_chunk()?;
        let [version_ihl, _, len_high, len_low, _, _, _, _, ttl, protocol, _, _, addresses @ ..] = *fixed;
        let [a, b, c, d, e, f, g, h] = addresses;
        let header_len = usize::from(version_ihl & 0x0f) * 4;
        let total_len = usize::from(u16::from_be_bytes([len_high, len_low]));
        if version_ihl >> 4 != 4 || header_len < fixed.len() {
            return None;
        }
        let payload = packet.get(header_len..total_len)?;
        let (source, destination) = (Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h));
        Some((Header { ttl, protocol, source, destination }, payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// keepalived's advert of v3-ipv4-unicast-100ms, IP header on.
    const PACKET: [u8; 32] = [
        0x45, 0xc0, 0x00, 0x20, 0x00, 0x01, 0x00, 0x00, 0xff, 0x70, 0x37, 0xa8, 192, 168, 1, 2, 192, 168, 1,
        3, 0x31, 0x33, 0x64, 0x01, 0x00, 0x0a, 0x05, 0x05, 192, 168, 1, 1,
    ];

    #[test]
    fn parse_gives_the_header_and_the_payload() {
        let (header, payload) = Header::parse(&PACKET).unwrap();

        assert_eq!(
            header,
            Header {
                ttl: 255,
                protocol: 112,
                source: Ipv4Addr::new(192, 168, 1, 2),
                destination: Ipv4Addr::new(192, 168, 1, 3),
            }
        );
        assert_eq!(payload, &PACKET[20..]);
    }

    #[test]
    fn padding_of_the_frame_is_left_out() {
        let mut padded = PACKET.to_vec();
        padded.resize(46, 0xa5);

        assert_eq!(Header::parse(&padded), Header::parse(&PACKET));
    }

    #[test]
    fn options_are_skipped() {
        let mut packet = PACKET.to_vec();
        packet[0] = 0x46;
        packet[3] += 4;
        packet.splice(20..20, [0x94, 0x04, 0x00, 0x00]);

        assert_eq!(Header::parse(&packet).unwrap().1, &PACKET[20..]);
    }

    #[test]
    fn a_packet_cut_anywhere_is_none() {
        for length in 0..PACKET.len() {
            assert_eq!(Header::parse(&PACKET[..length]), None, "{length}");
        }
    }

    #[test]
    fn contradicting_lengths_and_other_versions_are_none() {
        for (position, value) in [(0, 0x65), (0, 0x44), (0, 0x4f), (3, 19)] {
            let mut packet = PACKET;
            packet[position] = value;
            assert_eq!(Header::parse(&packet), None, "{position}: {value:#x}");
        }
    }
}

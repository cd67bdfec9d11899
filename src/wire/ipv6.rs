//! The IPv6 header of frames that we write and read whole: neighbour discovery over a packet socket.

use std::net::Ipv6Addr;

/// Bytes of [`Header`].
pub const HEADER_LEN: usize = 40;

/// IPv6 header (RFC 8200 §3). Traffic class and flow label are sent as zero and ignored on receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes that follow.
    pub payload_len: u16,
    /// Protocol of the payload, or the first extension header.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Sender.
    pub source: Ipv6Addr,
    /// Receiver.
    pub destination: Ipv6Addr,
}

impl Header {
    /// The header and the payload without the frame's padding; `None` if cut short or not IPv6.
    pub fn parse(packet: &[u8]) -> Option<(Header, &[u8])> {
        let (first, rest) = packet.split_first_chunk::<8>()?;
        let (source, rest) = rest.split_first_chunk::<16>()?;
        let (destination, rest) = rest.split_first_chunk::<16>()?;
        let [version, _, _, _, len_high, len_low, next_header, hop_limit] = *first;
        if version >> 4 != 6 {
            return None;
        }
        let payload_len = u16::from_be_bytes([len_high, len_low]);
        let (source, destination) = (Ipv6Addr::from(*source), Ipv6Addr::from(*destination));
        let payload = rest.get(..usize::from(payload_len))?;
        Some((Header { payload_len, next_header, hop_limit, source, destination }, payload))
    }

    /// Appends the header.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0x60, 0, 0, 0]);
        out.extend_from_slice(&self.payload_len.to_be_bytes());
        out.extend_from_slice(&[self.next_header, self.hop_limit]);
        out.extend_from_slice(&self.source.octets());
        out.extend_from_slice(&self.destination.octets());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rustfmt::skip]
    const PACKET: [u8; 42] = [
        0x60, 0, 0, 0, 0, 2, 58, 255,
        0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
        0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
        0xca, 0xfe,
    ];

    fn header() -> Header {
        Header {
            payload_len: 2,
            next_header: 58,
            hop_limit: 255,
            source: "fe80::1".parse().unwrap(),
            destination: "ff02::2".parse().unwrap(),
        }
    }

    #[test]
    fn parse_gives_the_header_and_the_payload() {
        assert_eq!(Header::parse(&PACKET), Some((header(), &[0xca, 0xfe][..])));
    }

    #[test]
    fn padding_of_the_frame_is_left_out() {
        let mut padded = PACKET.to_vec();
        padded.resize(64, 0xa5);

        assert_eq!(Header::parse(&padded), Header::parse(&PACKET));
    }

    #[test]
    fn class_and_flow_are_ignored() {
        let mut packet = PACKET;
        packet[..4].copy_from_slice(&[0x6c, 0x07, 0xbc, 0x12]);

        assert_eq!(Header::parse(&packet), Header::parse(&PACKET));
    }

    #[test]
    fn emit_appends_the_header() {
        let mut out = vec![0xa5];

        header().emit(&mut out);

        assert_eq!(out[0], 0xa5);
        assert_eq!(out[1..], PACKET[..HEADER_LEN]);
    }

    #[test]
    fn a_packet_cut_anywhere_or_of_another_version_is_none() {
        for length in 0..PACKET.len() {
            assert_eq!(Header::parse(&PACKET[..length]), None, "{length}");
        }
        let mut packet = PACKET;
        packet[0] = 0x45;
        assert_eq!(Header::parse(&packet), None);
    }
}

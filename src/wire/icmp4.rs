//! ICMP echo (RFC 792). The echo of ICMPv6 is the same value; see [`super::icmp6`].

use super::checksum::Checksum;

/// IP protocol number of ICMP.
pub const PROTOCOL: u8 = 1;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EchoKind {
    /// The one that asks.
    Request,
    /// The one that answers.
    Reply,
}

/// An echo request or reply, of ICMP or of ICMPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo<'a> {
    /// Request or reply.
    pub kind: EchoKind,
    /// Tells the asker's sockets apart; the kernel sets it on datagram ICMP sockets.
    pub id: u16,
    /// Tells the asker's requests apart.
    pub sequence: u16,
    /// Comes back as it was sent.
    pub payload: &'a [u8],
}

impl<'a> Echo<'a> {
    /// An ICMP message, without its IP header.
    ///
    /// `None` if it is cut short, damaged, or no echo.
    pub fn parse(message: &'a [u8]) -> Option<Echo<'a>> {
        if !Checksum::new().with(message).is_intact() {
            return None;
        }
        Echo::split(message, ECHO_REQUEST, ECHO_REPLY)
    }

    /// Appends the ICMP message.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.join(ECHO_REQUEST, ECHO_REPLY, out);
        let checksum = Checksum::new().with(out.get(start..).unwrap_or_default()).finish();
        set_checksum(out, start, checksum);
    }

    /// The fields that both ICMPs have alike, under their own type numbers; the checksum is unread.
    pub(super) fn split(message: &'a [u8], request: u8, reply: u8) -> Option<Echo<'a>> {
        let (header, payload) = message.split_first_chunk::<8>()?;
        let [kind, code, _, _, id_high, id_low, sequence_high, sequence_low] = *header;
        let kind = match (kind, code) {
            (kind, 0) if kind == request => EchoKind::Request,
            (kind, 0) if kind == reply => EchoKind::Reply,
            _ => return None,
        };
        let id = u16::from_be_bytes([id_high, id_low]);
        let sequence = u16::from_be_bytes([sequence_high, sequence_low]);
        Some(Echo { kind, id, sequence, payload })
    }

    /// The opposite of [`Echo::split`], with a checksum of zero.
    pub(super) fn join(&self, request: u8, reply: u8, out: &mut Vec<u8>) {
        let kind = match self.kind {
            EchoKind::Request => request,
            EchoKind::Reply => reply,
        };
        out.extend_from_slice(&[kind, 0, 0, 0]);
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(self.payload);
    }
}

/// Writes the checksum of the ICMP message that begins at `start`.
pub(super) fn set_checksum(out: &mut [u8], start: usize, checksum: u16) {
    if let Some(field) = out.get_mut(start..).and_then(|message| message.get_mut(2..4)) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REQUEST: [u8; 12] = [8, 0, 0x08, 0x64, 0x12, 0x34, 0x00, 0x07, 0xde, 0xad, 0xfe, 0xb2];

    fn request() -> Echo<'static> {
        Echo { kind: EchoKind::Request, id: 0x1234, sequence: 7, payload: &[0xde, 0xad, 0xfe, 0xb2] }
    }

    #[test]
    fn parse_gives_the_request() {
        assert_eq!(Echo::parse(&REQUEST), Some(request()));
    }

    #[test]
    fn emit_appends_the_request() {
        let mut out = vec![0xa5; 3];

        request().emit(&mut out);

        assert_eq!(out[..3], [0xa5; 3]);
        assert_eq!(out[3..], REQUEST);
    }

    #[test]
    fn a_reply_is_told_from_a_request() {
        let mut out = Vec::new();
        Echo { kind: EchoKind::Reply, ..request() }.emit(&mut out);

        assert_eq!(out[0], 0);
        assert_eq!(Echo::parse(&out).unwrap().kind, EchoKind::Reply);
    }

    #[test]
    fn a_message_cut_anywhere_is_none() {
        for length in 0..REQUEST.len() {
            assert_eq!(Echo::parse(&REQUEST[..length]), None, "{length}");
        }
    }

    #[test]
    fn a_damaged_message_is_none() {
        for position in 0..REQUEST.len() {
            let mut message = REQUEST;
            message[position] ^= 0x10;
            assert_eq!(Echo::parse(&message), None, "{position}");
        }
    }

    #[test]
    fn other_types_and_codes_are_none_though_intact() {
        for (kind, code) in [(3, 0), (11, 0), (8, 1), (0, 9)] {
            let mut message = REQUEST;
            message[..4].copy_from_slice(&[kind, code, 0, 0]);
            let checksum = Checksum::new().with(&message).finish();
            set_checksum(&mut message, 0, checksum);
            assert_eq!(Echo::parse(&message), None, "{kind} {code}");
        }
    }

    proptest! {
        #[test]
        fn what_was_emitted_parses_to_itself(id: u16, sequence: u16, payload: Vec<u8>, reply: bool) {
            let kind = if reply { EchoKind::Reply } else { EchoKind::Request };
            let echo = Echo { kind, id, sequence, payload: &payload };
            let mut out = Vec::new();

            echo.emit(&mut out);

            prop_assert_eq!(Echo::parse(&out), Some(echo));
        }

        #[test]
        fn parse_never_panics(bytes: Vec<u8>) {
            let _ = Echo::parse(&bytes);
        }
    }
}

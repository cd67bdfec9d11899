//! How bytes are cut: records on the wire, and frames inside of encrypted records.
//!
//! ```text
//! record:  kind (1)  length (2)  body                 in clear on the wire
//! frame:   type (1)  flags (1)   length (2)  body     one or more in a sealed record, none split over two
//! ```
//!
//! Numbers are in network order.

use core::fmt;

/// Bytes of a frame's body at most.
pub const BODY_BYTES: usize = 32 << 10;

/// Bytes of a record's body while the other side has not shown that it has the key: nobody without it can make this
/// router keep more.
pub const HANDSHAKE_BYTES: usize = 128;

/// Bytes of the first sealed record's body, a `Hello` or a `Bye`. The handshake before it may be a recorded one, so
/// nothing is proved yet; a later version's `Hello` has room to grow.
pub const GREETING_BYTES: usize = 4 << 10;

/// Bytes of any record's body: what its length can say, and what Noise can seal.
pub const RECORD_BYTES: usize = u16::MAX as usize;

const RECORD_HEAD: usize = 3;
const FRAME_HEAD: usize = 4;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// A handshake message behind a prelude.
    Handshake,
    /// Frames, sealed.
    Sealed,
    /// In clear, for people only: why the other side closes the connection before there is a key to say it with.
    Refusal,
}

impl RecordKind {
    const fn number(self) -> u8 {
        match self {
            RecordKind::Handshake => 1,
            RecordKind::Sealed => 2,
            RecordKind::Refusal => 3,
        }
    }

    const fn of(number: u8) -> Option<RecordKind> {
        match number {
            1 => Some(RecordKind::Handshake),
            2 => Some(RecordKind::Sealed),
            3 => Some(RecordKind::Refusal),
            _ => None,
        }
    }
}

/// What can't be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// A record of a kind that there is not.
    Kind(u8),
    /// Longer than allowed at this point.
    TooLong(usize),
    /// A frame that goes beyond its record.
    Torn,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Kind(kind) => write!(f, "no record has the kind {kind}"),
            Malformed::TooLong(length) => write!(f, "{length} bytes are too long"),
            Malformed::Torn => f.write_str("a frame goes beyond its record"),
        }
    }
}

/// The bytes that have arrived, as far as they are not used yet.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    /// Used up, at the front.
    used: usize,
}

impl Inbox {
    /// Takes in what was read.
    pub fn fill(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.used.min(self.bytes.len()));
        self.used = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next complete record with a body of at most `limit` bytes; `None`: more has to come first.
    ///
    /// # Errors
    /// If no record can come of these bytes. They stay, so the error stays too.
    pub fn next(&mut self, limit: usize) -> Result<Option<(RecordKind, &[u8])>, Malformed> {
        let Some(rest) = self.bytes.get(self.used..) else { return Ok(None) };
        let Some((&[kind, high, low], rest)) = rest.split_first_chunk::<RECORD_HEAD>() else {
            return Ok(None);
        };
        let kind = RecordKind::of(kind).ok_or(Malformed::Kind(kind))?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > limit {
            return Err(Malformed::TooLong(length));
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        self.used = self.used.saturating_add(RECORD_HEAD).saturating_add(length);
        Ok(Some((kind, body)))
    }

    /// Bytes that wait for the rest of their record.
    pub fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.used)
    }

    /// Whether a connection that ends now ends between two records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Appends a record. A body that is too long is a mistake of the caller, and is left out.
pub fn put_record(kind: RecordKind, body: &[u8], out: &mut Vec<u8>) {
    let Ok(length) = u16::try_from(body.len()) else { return };
    out.push(kind.number());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(body);
}

/// Appends a side's message of the handshake. Each side has one; the other time there is nothing to say.
pub fn put_handshake(message: &[u8], out: &mut Vec<u8>) {
    if !message.is_empty() {
        put_record(RecordKind::Handshake, message, out);
    }
}

/// What to do with a frame of a type that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Skip it.
    Optional,
    /// End the channel: without it the two would misunderstand each other.
    Required,
}

/// A frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is about.
    pub kind: u8,
    /// Whether it may be skipped.
    pub need: Need,
    /// Its content.
    pub body: &'a [u8],
}

impl Frame<'_> {
    /// Appends it. `false`: the body is too long, and nothing is appended.
    #[must_use]
    pub fn put(&self, out: &mut Vec<u8>) -> bool {
        let length = u16::try_from(self.body.len()).ok().filter(|_| self.body.len() <= BODY_BYTES);
        let Some(length) = length else { return false };
        out.push(self.kind);
        out.push(match self.need {
            Need::Optional => 0,
            Need::Required => REQUIRED,
        });
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(self.body);
        true
    }
}

/// Bit of the flags. The other bits are for later versions; they are ignored.
const REQUIRED: u8 = 1;

/// The frames of an opened record, one after the other. After an error there are no more.
#[derive(Debug, Clone)]
pub struct Frames<'a>(&'a [u8]);

impl<'a> Frames<'a> {
    /// The frames in the content of a record.
    pub const fn of(content: &'a [u8]) -> Frames<'a> {
        Frames(content)
    }

    fn cut(&mut self) -> Result<Frame<'a>, Malformed> {
        let (&[kind, flags, high, low], rest) =
            self.0.split_first_chunk::<FRAME_HEAD>().ok_or(Malformed::Torn)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > BODY_BYTES {
            return Err(Malformed::TooLong(length));
        }
        let (body, rest) = rest.split_at_checked(length).ok_or(Malformed::Torn)?;
        self.0 = rest;
        let need = if flags & REQUIRED == 0 { Need::Optional } else { Need::Required };
        Ok(Frame { kind, need, body })
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let frame = self.cut();
        if frame.is_err() {
            self.0 = &[];
        }
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(kind: RecordKind, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_record(kind, body, &mut out);
        out
    }

    #[test]
    fn record_is_cut_out_wherever_the_stream_is_torn() {
        let stream = [record(RecordKind::Handshake, b"first"), record(RecordKind::Sealed, b"")].concat();
        for at in 0..stream.len() {
            let mut inbox = Inbox::default();
            let mut seen = Vec::new();
            for part in [&stream[..at], &stream[at..]] {
                inbox.fill(part);
                while let Some((kind, body)) = inbox.next(RECORD_BYTES).unwrap() {
                    seen.push((kind, body.to_vec()));
                }
            }
            assert_eq!(seen, [(RecordKind::Handshake, b"first".to_vec()), (RecordKind::Sealed, vec![])]);
            assert!(inbox.is_empty());
        }
    }

    #[test]
    fn record_beyond_the_limit_is_refused_before_it_has_arrived() {
        let mut inbox = Inbox::default();
        inbox.fill(&[1, 0xff, 0xff]);
        assert_eq!(inbox.next(HANDSHAKE_BYTES), Err(Malformed::TooLong(0xffff)));
        inbox.fill(b"more");
        assert_eq!(inbox.next(HANDSHAKE_BYTES), Err(Malformed::TooLong(0xffff)));
    }

    #[test]
    fn unknown_kind_of_record_is_refused() {
        let mut inbox = Inbox::default();
        inbox.fill(b"GET / HTTP/1.0\r\n\r\n");
        assert_eq!(inbox.next(RECORD_BYTES), Err(Malformed::Kind(b'G')));
    }

    #[test]
    fn frames_come_back_as_they_were_put() {
        let body = vec![7; BODY_BYTES];
        let frames = [
            Frame { kind: 1, need: Need::Required, body: b"x" },
            Frame { kind: 200, need: Need::Optional, body: &body },
        ];
        let mut bytes = Vec::new();
        for frame in &frames {
            assert!(frame.put(&mut bytes));
        }
        let back: Result<Vec<_>, _> = Frames::of(&bytes).collect();
        assert_eq!(back.unwrap(), frames);
    }

    #[test]
    fn body_that_is_too_long_is_not_put() {
        let body = vec![0; BODY_BYTES + 1];
        let mut bytes = Vec::new();
        assert!(!Frame { kind: 1, need: Need::Optional, body: &body }.put(&mut bytes));
        assert!(bytes.is_empty());
    }

    #[test]
    fn torn_frame_is_an_error_and_the_last() {
        let mut bytes = Vec::new();
        assert!(Frame { kind: 1, need: Need::Optional, body: b"abc" }.put(&mut bytes));
        for length in 1..bytes.len() {
            let all: Vec<_> = Frames::of(&bytes[..length]).collect();
            assert_eq!(all, [Err(Malformed::Torn)], "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_every_cut_is_in_bounds(parts in prop::collection::vec(any::<Vec<u8>>(), 0..8)) {
            let mut inbox = Inbox::default();
            for part in &parts {
                inbox.fill(part);
                while let Ok(Some((_, body))) = inbox.next(HANDSHAKE_BYTES) {
                    prop_assert!(body.len() <= HANDSHAKE_BYTES);
                }
            }
            let whole = parts.concat();
            prop_assert!(Frames::of(&whole).count() <= whole.len() / FRAME_HEAD + 1);
        }
    }
}

//! The blob format: attributes with an id and a length, padded to four bytes (libubox `blob.h`).
//!
//! ```text
//!  31 30      24 23                                    0
//! +--+----------+---------------------------------------+
//! |N |    id    |  length, these four bytes included    |  payload …  zeroes up to a multiple of 4
//! +--+----------+---------------------------------------+
//! ```
//!
//! N says that a name precedes the value, see [`blobmsg`](super::blobmsg). All numbers are big-endian.
//! A nested attribute's payload is attributes, and its length includes the padding of the last one.

use super::Error;

/// The longest message body that ubusd and libubus take (`UBUS_MAX_MSGLEN`), in bytes, header of the
/// outer attribute included. One byte more and ubusd closes the connection.
pub const MAX_MESSAGE: usize = 1 << 20;

/// Bytes of id and length before an attribute's payload.
pub const HEADER: usize = 4;

/// Bit 31 of an attribute's first word: whether the payload starts with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The payload is the value: attributes of the ubus protocol itself.
    Plain,
    /// The payload starts with a name: blobmsg. libubox calls it "extended".
    Named,
}

/// One attribute, seen in the bytes that carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attr<'a> {
    /// What it is: 0..=127, of its container's own numbering.
    pub id: u8,
    /// Whether a name precedes the value.
    pub form: Form,
    /// The bytes after the header, without the padding.
    pub payload: &'a [u8],
}

impl<'a> Attr<'a> {
    /// The value as an unsigned number of one byte; `None` at any other length.
    pub fn u8(&self) -> Option<u8> {
        Some(u8::from_be_bytes(self.payload.try_into().ok()?))
    }

    /// The value as an unsigned number of four bytes; `None` at any other length.
    pub fn u32(&self) -> Option<u32> {
        Some(u32::from_be_bytes(self.payload.try_into().ok()?))
    }

    /// The value as a C string: what stands before the first NUL. `None` if it does not end in one.
    pub fn text(&self) -> Option<&'a [u8]> {
        text(self.payload)
    }
}

/// The bytes of a C string, up to its first NUL; `None` if `payload` does not end in a NUL.
pub(super) fn text(payload: &[u8]) -> Option<&[u8]> {
    if payload.last() != Some(&0) {
        return None;
    }
    payload.split(|byte| *byte == 0).next()
}

/// Walks over the attributes in a payload, as `blob_for_each_attr` does: whatever does not fit any
/// more, its padding included, ends the walk silently.
///
/// An attribute that claims to be shorter than its own header is yielded as [`Error::Malformed`];
/// the walk goes on after it.
#[derive(Debug, Clone)]
pub struct Attrs<'a> {
    rest: &'a [u8],
}

impl<'a> Attrs<'a> {
    /// Walks over `payload`, the inside of an attribute.
    pub fn new(payload: &'a [u8]) -> Attrs<'a> {
        Attrs { rest: payload }
    }
}

impl<'a> Iterator for Attrs<'a> {
    type Item = Result<Attr<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let word = u32::from_be_bytes(*self.rest.first_chunk::<HEADER>()?);
        let length = (word & LENGTH_MASK) as usize;
        if length == 0 {
            return None; // The walk would never advance.
        }
        let (whole, rest) = self.rest.split_at_checked(padded(length))?;
        self.rest = rest;
        let Some(payload) = whole.get(HEADER..length) else {
            return Some(Err(Error::Malformed));
        };
        let form = if word & NAMED == 0 { Form::Plain } else { Form::Named };
        Some(Ok(Attr { id: ((word & ID_MASK) >> ID_SHIFT) as u8, form, payload }))
    }
}

/// Writes attributes, nested ones too, into a buffer that never grows beyond its limit.
#[derive(Debug, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
    limit: usize,
}

/// Where an attribute that is still being written begins.
#[derive(Debug)]
#[must_use = "an attribute has no length until `Writer::end` is called"]
pub struct Mark(usize);

impl Writer {
    /// A writer of at most `limit` bytes; [`MAX_MESSAGE`] when in doubt.
    pub fn new(limit: usize) -> Writer {
        Writer { bytes: Vec::new(), limit }
    }

    /// Starts an attribute; what is written until [`Writer::end`] is its payload.
    ///
    /// # Errors
    /// [`Error::TooLong`] at the limit, as all methods here that write.
    pub fn begin(&mut self, id: u8, form: Form) -> Result<Mark, Error> {
        let mark = Mark(self.bytes.len());
        let named = match form {
            Form::Plain => 0,
            Form::Named => NAMED,
        };
        self.append(&(named | (u32::from(id) << ID_SHIFT) & ID_MASK).to_be_bytes())?;
        Ok(mark)
    }

    /// Ends the attribute that began at `mark`: sets its length, and pads it.
    pub fn end(&mut self, mark: Mark) {
        let length = self.bytes.len().saturating_sub(mark.0);
        if let Some(head) = self.bytes.get_mut(mark.0..).and_then(|tail| tail.first_chunk_mut::<HEADER>()) {
            let word = u32::from_be_bytes(*head) & !LENGTH_MASK | length as u32 & LENGTH_MASK;
            *head = word.to_be_bytes();
        }
        self.bytes.resize(padded(self.bytes.len()), 0);
    }

    /// Adds raw bytes to the attribute being written.
    ///
    /// # Errors
    /// [`Error::TooLong`] at the limit; nothing is added then.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if padded(self.bytes.len().saturating_add(bytes.len())) > self.limit.min(LENGTH_MASK as usize) {
            return Err(Error::TooLong);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes a whole plain attribute.
    ///
    /// # Errors
    /// [`Error::TooLong`] at the limit.
    pub fn put(&mut self, id: u8, payload: &[u8]) -> Result<(), Error> {
        let mark = self.begin(id, Form::Plain)?;
        self.append(payload)?;
        self.end(mark);
        Ok(())
    }

    /// Writes a plain attribute that holds a number of four bytes.
    ///
    /// # Errors
    /// [`Error::TooLong`] at the limit.
    pub fn put_u32(&mut self, id: u8, value: u32) -> Result<(), Error> {
        self.put(id, &value.to_be_bytes())
    }

    /// Writes a plain attribute that holds a C string: `value` up to its first NUL, if it has one.
    ///
    /// # Errors
    /// [`Error::TooLong`] at the limit.
    pub fn put_text(&mut self, id: u8, value: &str) -> Result<(), Error> {
        let mark = self.begin(id, Form::Plain)?;
        self.append_text(value)?;
        self.end(mark);
        Ok(())
    }

    /// Adds a C string: `value` up to its first NUL, if it has one, and a NUL. Every reader in C would
    /// stop there too.
    ///
    /// # Errors
    /// [`Error::TooLong`] at the limit.
    pub(super) fn append_text(&mut self, value: &str) -> Result<(), Error> {
        self.append(before_nul(value).as_bytes())?;
        self.append(&[0])
    }

    /// The bytes written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// What a reader in C sees of `value`.
pub(super) fn before_nul(value: &str) -> &str {
    value.split('\0').next().unwrap_or_default()
}

/// `length` rounded up to a multiple of four.
pub(super) const fn padded(length: usize) -> usize {
    length.saturating_add(3) & !3
}

const NAMED: u32 = 1 << 31;
const ID_MASK: u32 = 0x7f00_0000;
const ID_SHIFT: u32 = 24;
const LENGTH_MASK: u32 = 0x00ff_ffff;

#[cfg(test)]
mod tests;

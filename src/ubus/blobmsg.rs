//! blobmsg: named, typed values in blob attributes (libubox `blobmsg.h`).
//!
//! The attribute's id is the [`Type`]. Its payload is the length of the name in two bytes, the name, a
//! NUL, zeroes up to a multiple of four, and then the value. The elements of an array have empty names.

use core::fmt;
use std::borrow::Cow;

use super::blob::{self, Attr, Attrs, Form, Mark, Writer};
use super::{Decode, Encode, Error, Value, decode, encode, json};

/// How deep tables and arrays may be nested; the JSON parser behind the `ubus` command has the same limit.
pub const MAX_DEPTH: u8 = 32;

/// The type of a blobmsg value; the numbers are those on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Type {
    /// No value ("unspec"): JSON's null. In a method's signature: any type.
    Null = 0,
    /// Values without names.
    Array = 1,
    /// Values with names.
    Table = 2,
    /// A C string, usually UTF-8.
    String = 3,
    /// A signed number of 64 bits.
    Int64 = 4,
    /// A signed number of 32 bits.
    Int32 = 5,
    /// A signed number of 16 bits.
    Int16 = 6,
    /// One byte ("int8"), which every ubus program reads as a boolean.
    Bool = 7,
    /// IEEE 754, 64 bits.
    Double = 8,
}

impl Type {
    /// The type of this number; `None` if there is none.
    pub const fn from_wire(id: u8) -> Option<Type> {
        Some(match id {
            0 => Type::Null,
            1 => Type::Array,
            2 => Type::Table,
            3 => Type::String,
            4 => Type::Int64,
            5 => Type::Int32,
            6 => Type::Int16,
            7 => Type::Bool,
            8 => Type::Double,
            _ => return None,
        })
    }

    /// The number on the wire.
    pub const fn wire(self) -> u8 {
        self as u8
    }
}

/// One named value, seen in the bytes that carry it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field<'a> {
    /// Name, up to its first NUL; empty in arrays.
    pub name: &'a [u8],
    /// The value, checked to have a size that its type allows.
    pub content: Content<'a>,
}

/// A value, seen in the bytes that carry it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Content<'a> {
    /// [`Type::Null`].
    Null,
    /// [`Type::Array`]: walk over it with [`Fields::new`].
    Array(&'a [u8]),
    /// [`Type::Table`]: walk over it with [`Fields::new`].
    Table(&'a [u8]),
    /// [`Type::String`], up to its first NUL; not always UTF-8.
    String(&'a [u8]),
    /// [`Type::Int64`].
    Int64(i64),
    /// [`Type::Int32`].
    Int32(i32),
    /// [`Type::Int16`].
    Int16(i16),
    /// [`Type::Bool`]: false is 0.
    Bool(bool),
    /// [`Type::Double`].
    Double(f64),
}

impl<'a> Content<'a> {
    /// The type of this value.
    pub const fn kind(&self) -> Type {
        match self {
            Content::Null => Type::Null,
            Content::Array(_) => Type::Array,
            Content::Table(_) => Type::Table,
            Content::String(_) => Type::String,
            Content::Int64(_) => Type::Int64,
            Content::Int32(_) => Type::Int32,
            Content::Int16(_) => Type::Int16,
            Content::Bool(_) => Type::Bool,
            Content::Double(_) => Type::Double,
        }
    }

    /// The text, if it is text, and UTF-8.
    pub fn text(self) -> Option<&'a str> {
        if let Content::String(bytes) = self { core::str::from_utf8(bytes).ok() } else { None }
    }

    /// The boolean, if it is one.
    pub const fn flag(self) -> Option<bool> {
        if let Content::Bool(value) = self { Some(value) } else { None }
    }

    /// What is inside of a table or an array; nothing, if it is neither.
    pub fn inside(self) -> Fields<'a> {
        match self {
            Content::Array(payload) | Content::Table(payload) => Fields::new(payload),
            Content::Null
            | Content::String(_)
            | Content::Int64(_)
            | Content::Int32(_)
            | Content::Int16(_)
            | Content::Bool(_)
            | Content::Double(_) => Fields::new(&[]),
        }
    }

    /// What libubox' `blob_check_type` accepts; `None` for a wrong size, an unterminated string, or a
    /// type that does not exist.
    fn parse(id: u8, value: &'a [u8]) -> Option<Content<'a>> {
        Some(match Type::from_wire(id)? {
            Type::Null => Content::Null,
            Type::Array => Content::Array(value),
            Type::Table => Content::Table(value),
            Type::String => Content::String(blob::text(value)?),
            Type::Int64 => Content::Int64(i64::from_be_bytes(value.try_into().ok()?)),
            Type::Int32 => Content::Int32(i32::from_be_bytes(value.try_into().ok()?)),
            Type::Int16 => Content::Int16(i16::from_be_bytes(value.try_into().ok()?)),
            Type::Bool => Content::Bool(u8::from_be_bytes(value.try_into().ok()?) != 0),
            // The one number that may be longer than it has to be.
            Type::Double => Content::Double(f64::from_be_bytes(*value.first_chunk()?)),
        })
    }
}

/// Walks over the members of a table or the elements of an array.
///
/// Ends where [`Attrs`] ends; a member that libubox' `blobmsg_check_attr` refuses is yielded as
/// [`Error::Malformed`], and the walk goes on after it.
#[derive(Debug, Clone)]
pub struct Fields<'a>(Attrs<'a>);

impl<'a> Fields<'a> {
    /// Walks over the inside of a table, an array, a DATA or a SIGNATURE attribute.
    pub fn new(payload: &'a [u8]) -> Fields<'a> {
        Fields(Attrs::new(payload))
    }

    /// The first sound member of this name.
    pub fn named(self, name: &str) -> Option<Content<'a>> {
        let mut fields = self;
        while let Some(field) = fields.next_good() {
            if field.name == name.as_bytes() {
                return Some(field.content);
            }
        }
        None
    }

    /// The next field that makes sense. (`flatten` is more code wherever it is used.)
    pub fn next_good(&mut self) -> Option<Field<'a>> {
        loop {
            if let Ok(field) = self.next()? {
                return Some(field);
            }
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.next()?.and_then(|attr| parse_field(attr).ok_or(Error::Malformed)))
    }
}

fn parse_field(attr: Attr<'_>) -> Option<Field<'_>> {
    let (name, value) = match attr.form {
        Form::Plain => (&[][..], attr.payload),
        Form::Named => split_name(attr.payload)?,
    };
    Some(Field { name, content: Content::parse(attr.id, value)? })
}

/// Splits a payload into name and value.
fn split_name(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, after) = payload.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let name = after.get(..length.saturating_add(1))?;
    let value = payload.get(name_header(length)..)?;
    Some((blob::text(name)?, value))
}

/// Bytes before the value: length, name, NUL and padding.
const fn name_header(name_length: usize) -> usize {
    blob::padded(name_length.saturating_add(3))
}

/// blobmsg attributes, written.
impl Writer {
    /// Starts a named value; what is written until [`Writer::end`] is the value itself.
    ///
    /// # Errors
    /// [`Error::TooLong`] at the writer's limit, or when `name` is above 65535 bytes. A name is cut at
    /// its first NUL.
    pub fn begin_field(&mut self, name: &str, kind: Type) -> Result<Mark, Error> {
        let name = blob::before_nul(name);
        let length = u16::try_from(name.len()).map_err(|_| Error::TooLong)?;
        let mark = self.begin(kind.wire(), Form::Named)?;
        self.append(&length.to_be_bytes())?;
        self.append(name.as_bytes())?;
        let padding = name_header(name.len()).saturating_sub(name.len().saturating_add(2));
        self.append([0; 4].get(..padding).unwrap_or_default())?;
        Ok(mark)
    }

    /// Writes a whole named value that is no table or array: `value` is its form on the wire.
    ///
    /// # Errors
    /// Those of [`Writer::begin_field`].
    pub fn put_field(&mut self, name: &str, kind: Type, value: &[u8]) -> Result<(), Error> {
        let mark = self.begin_field(name, kind)?;
        self.append(value)?;
        self.end(mark);
        Ok(())
    }

    /// Writes a named string.
    ///
    /// # Errors
    /// Those of [`Writer::begin_field`].
    pub fn put_string(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let mark = self.begin_field(name, Type::String)?;
        self.append_text(value)?;
        self.end(mark);
        Ok(())
    }

    /// Writes a named number: as int32 if it fits, else as int64, as `ubus call` does.
    ///
    /// # Errors
    /// Those of [`Writer::begin_field`].
    pub fn put_int(&mut self, name: &str, value: i64) -> Result<(), Error> {
        match i32::try_from(value) {
            Ok(short) => self.put_field(name, Type::Int32, &short.to_be_bytes()),
            Err(_) => self.put_field(name, Type::Int64, &value.to_be_bytes()),
        }
    }
}

/// A table in its encoded form: the arguments of a call, its result, an event's data.
///
/// Holds the members directly, as a DATA attribute does. What came from outside is not checked before
/// it is decoded or walked over.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Data(Vec<u8>);

impl Data {
    /// The table without members.
    pub const EMPTY: Data = Data(Vec::new());

    /// Encodes a struct, a map or a [`Table`](super::Table).
    ///
    /// Whole numbers become int32 if they fit, else int64; `bool` becomes int8. `None` is left out of
    /// tables, and null in arrays. Text is cut at its first NUL, where every reader in C stops.
    ///
    /// # Errors
    /// [`Error::TooLong`] or [`Error::TooDeep`] at the limits, [`Error::NumberTooLarge`] for a `u64`
    /// above `i64::MAX`, [`Error::NotATable`] if `value` is no struct or map.
    pub fn encode(value: &dyn Encode) -> Result<Data, Error> {
        encode::to_members(value).map(Data)
    }

    /// Decodes into a value that has its default before.
    ///
    /// Unknown members are skipped. Numbers of any size are taken if their value fits; a negative one
    /// never becomes an unsigned one. Bytes that are not UTF-8 are replaced by U+FFFD.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::TooDeep`], or [`Error::Mismatch`] with what was expected.
    pub fn decode<T: Decode + Default>(&self) -> Result<T, Error> {
        let mut value = T::default();
        self.decode_into(&mut value)?;
        Ok(value)
    }

    /// As [`Data::decode`], into what is there.
    ///
    /// # Errors
    /// The same; a part may have been read then.
    pub fn decode_into(&self, value: &mut dyn Decode) -> Result<(), Error> {
        decode::from_members(&self.0, value)
    }

    /// The members, for a look without decoding.
    pub fn fields(&self) -> Fields<'_> {
        Fields::new(&self.0)
    }

    /// Takes the payload of a DATA attribute.
    pub fn from_bytes(members: Vec<u8>) -> Data {
        Data(members)
    }

    /// The payload for a DATA attribute.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The table as JSON text.
    ///
    /// # Errors
    /// [`Error::Malformed`] or [`Error::TooDeep`] if the bytes, come from outside, are no sound table.
    pub fn to_json(&self, layout: json::Layout) -> Result<String, Error> {
        Ok(json::to_string(&Value::Table(self.decode()?), layout))
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_json(json::Layout::Compact) {
            Ok(text) => f.write_str(&text),
            Err(error) => write!(f, "Data({} bytes: {error})", self.0.len()),
        }
    }
}

/// Text from the wire: borrowed if it is UTF-8, else a copy with U+FFFD in place of what is not.
pub(super) fn lossy(text: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(text)
}

#[cfg(test)]
mod tests;

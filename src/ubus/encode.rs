//! Rust values to blobmsg. The rules are those of [`Data::encode`](super::Data::encode).
//!
//! The two traits here and in [`decode`](super::decode) do what serde does, for one format and without code for each
//! pair of a type and a format: everything goes through `dyn`.

use super::blob::{HEADER, MAX_MESSAGE, Mark, Writer};
use super::blobmsg::{MAX_DEPTH, Type};
use super::record::Record;
use super::{Decimal, Error};

/// What blobmsg can express.
pub trait Encode {
    /// Writes the value to its place, by one of the place's methods.
    ///
    /// # Errors
    /// As for [`Data::encode`](super::Data::encode).
    fn encode(&self, place: Place<'_>) -> Result<(), Error>;
}

/// Encodes `value`, which must be a table, and returns its members.
pub(super) fn to_members(value: &dyn Encode) -> Result<Vec<u8>, Error> {
    let mut out = Writer::new(MAX_MESSAGE);
    value.encode(Place { out: &mut out, name: "", container: Type::Array, depth: 0 })?;
    let mut bytes = out.into_bytes();
    match bytes.first().and_then(|head| Type::from_wire(head & 0x7f)) {
        Some(Type::Table) => bytes.drain(..ENVELOPE.min(bytes.len())),
        _ => return Err(Error::NotATable),
    };
    Ok(bytes)
}

/// Bytes before the members of a table without a name: attribute header and name header.
const ENVELOPE: usize = HEADER + 4;

/// Where a value goes, and under which name.
pub struct Place<'a> {
    out: &'a mut Writer,
    name: &'a str,
    /// What it stands in decides what becomes of no value.
    container: Type,
    depth: u8,
}

/// Gives the values of a table with their names, one after the other. (An iterator is more code for each type: all that
/// iterators can do.)
pub type Members<'a, 'v> = &'a mut dyn FnMut() -> Option<(&'v str, &'v dyn Encode)>;

impl Place<'_> {
    /// No value: left out of a table, null in an array.
    pub fn nothing(self) -> Result<(), Error> {
        if self.container == Type::Table { Ok(()) } else { self.null() }
    }

    /// Null.
    pub fn null(self) -> Result<(), Error> {
        self.out.put_field(self.name, Type::Null, &[])
    }

    /// A boolean.
    pub fn flag(self, value: bool) -> Result<(), Error> {
        self.out.put_field(self.name, Type::Bool, &[u8::from(value)])
    }

    /// A whole number.
    pub fn int(self, value: i64) -> Result<(), Error> {
        self.out.put_int(self.name, value)
    }

    /// A double.
    pub fn decimal(self, value: Decimal) -> Result<(), Error> {
        self.double(value.to_double())
    }

    /// A double, as it is.
    pub fn double(self, value: f64) -> Result<(), Error> {
        self.out.put_field(self.name, Type::Double, &value.to_be_bytes())
    }

    /// Text.
    pub fn text(self, value: &str) -> Result<(), Error> {
        self.out.put_string(self.name, value)
    }

    /// Values with names.
    pub fn table<'v>(mut self, next: Members<'_, 'v>) -> Result<(), Error> {
        let (mark, depth) = self.begin(Type::Table)?;
        while let Some((name, item)) = next() {
            item.encode(Place { out: &mut *self.out, name, container: Type::Table, depth })?;
        }
        self.out.end(mark);
        Ok(())
    }

    /// The members of a struct.
    pub fn record(mut self, record: &dyn Record) -> Result<(), Error> {
        let (mark, depth) = self.begin(Type::Table)?;
        for (at, name) in record.names().iter().enumerate() {
            if let Some(member) = record.member(at).filter(|_| !record.is_left_out(at)) {
                member.encode(Place { out: &mut *self.out, name, container: Type::Table, depth })?;
            }
        }
        self.out.end(mark);
        Ok(())
    }

    /// Values without names.
    fn array(mut self, list: &dyn Elements) -> Result<(), Error> {
        let (mark, depth) = self.begin(Type::Array)?;
        for at in 0.. {
            let Some(element) = list.element(at) else { break };
            element.encode(Place { out: &mut *self.out, name: "", container: Type::Array, depth })?;
        }
        self.out.end(mark);
        Ok(())
    }

    fn begin(&mut self, kind: Type) -> Result<(Mark, u8), Error> {
        let depth = self.depth.saturating_add(1);
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep);
        }
        Ok((self.out.begin_field(self.name, kind)?, depth))
    }
}

macro_rules! encode {
    ($($kind:ty => $method:ident),*) => {$(
        impl Encode for $kind {
            fn encode(&self, place: Place<'_>) -> Result<(), Error> {
                place.$method((*self).into())
            }
        }
    )*};
}

encode!(bool => flag, u8 => int, u16 => int, u32 => int, i32 => int, i64 => int, Decimal => decimal, &str => text);

impl Encode for u64 {
    fn encode(&self, place: Place<'_>) -> Result<(), Error> {
        place.int(i64::try_from(*self).map_err(|_| Error::NumberTooLarge)?)
    }
}

impl Encode for String {
    fn encode(&self, place: Place<'_>) -> Result<(), Error> {
        place.text(self)
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, place: Place<'_>) -> Result<(), Error> {
        match self {
            Some(value) => value.encode(place),
            None => place.nothing(),
        }
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, place: Place<'_>) -> Result<(), Error> {
        place.array(self)
    }
}

/// The values of an array.
trait Elements {
    /// The value at a place; `None` behind the last one.
    fn element(&self, at: usize) -> Option<&dyn Encode>;
}

impl<T: Encode> Elements for Vec<T> {
    fn element(&self, at: usize) -> Option<&dyn Encode> {
        Some(self.get(at)?)
    }
}

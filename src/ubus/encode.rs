//! Rust values to blobmsg. The rules are those of [`Data::encode`](super::Data::encode).
//!
//! The two traits here and in [`decode`](super::decode) do what serde does, for one format and without code for each
//! pair of a type and a format: everything goes through `dyn`.

use super::blob::{HEADER, MAX_MESSAGE, Writer};
use super::blobmsg::{MAX_DEPTH, Type};
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

    /// Values without names: what `next` gives until there is no more.
    pub fn array<'v>(self, next: &mut dyn FnMut() -> Option<&'v dyn Encode>) -> Result<(), Error> {
        self.container(Type::Array, &mut || Some(("", next()?)))
    }

    /// Values with names.
    pub fn table<'v>(self, next: Members<'_, 'v>) -> Result<(), Error> {
        self.container(Type::Table, next)
    }

    /// The values of a struct.
    pub fn members(self, members: &[(&str, &dyn Encode)]) -> Result<(), Error> {
        let mut members = members.iter().copied();
        self.table(&mut || members.next())
    }

    fn container<'v>(self, kind: Type, next: Members<'_, 'v>) -> Result<(), Error> {
        let depth = self.depth.saturating_add(1);
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep);
        }
        let mark = self.out.begin_field(self.name, kind)?;
        while let Some((name, item)) = next() {
            item.encode(Place { out: &mut *self.out, name, container: kind, depth })?;
        }
        self.out.end(mark);
        Ok(())
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
        let mut elements = self.iter();
        place.array(&mut || Some(elements.next()?))
    }
}

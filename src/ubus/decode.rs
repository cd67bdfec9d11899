//! blobmsg to Rust values. The rules are those of [`Data::decode`](super::Data::decode).

use std::borrow::Cow;

use super::Error;
use super::blobmsg::{Content, Fields, MAX_DEPTH, lossy};

/// What can be read from blobmsg.
pub trait Decode {
    /// Takes in a value. Parts of which the source says nothing stay as they are.
    ///
    /// # Errors
    /// As for [`Data::decode`](super::Data::decode).
    fn decode(&mut self, source: Source<'_>) -> Result<(), Error>;
}

/// A struct with named members.
pub trait Record {
    /// The member of this name.
    fn member(&mut self, name: &str) -> Option<&mut dyn Decode>;
}

/// Decodes the members of a table.
pub(super) fn from_members(members: &[u8], into: &mut dyn Decode) -> Result<(), Error> {
    into.decode(Source { content: Content::Table(members), depth: 0 })
}

/// A value to be decoded.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    content: Content<'a>,
    /// How many tables and arrays are around it.
    depth: u8,
}

/// The members of a table, or the elements of an array.
pub struct Inside<'a> {
    fields: Fields<'a>,
    depth: u8,
}

impl<'a> Source<'a> {
    /// The value as it stands there.
    pub fn content(self) -> Content<'a> {
        self.content
    }

    /// Text.
    pub fn text(self) -> Result<Cow<'a, str>, Error> {
        match self.content {
            Content::String(bytes) => Ok(lossy(bytes)),
            _ => Err(Error::Mismatch("text")),
        }
    }

    /// A whole number, of whatever size.
    pub fn int(self) -> Result<i64, Error> {
        match self.content {
            Content::Int64(number) => Ok(number),
            Content::Int32(number) => Ok(number.into()),
            Content::Int16(number) => Ok(number.into()),
            _ => Err(Error::Mismatch("a whole number")),
        }
    }

    /// The elements of an array, which have no names.
    pub fn array(self) -> Result<Inside<'a>, Error> {
        let Content::Array(inside) = self.content else { return Err(Error::Mismatch("an array")) };
        self.inside(inside)
    }

    /// The members of a table.
    pub fn table(self) -> Result<Inside<'a>, Error> {
        let Content::Table(inside) = self.content else { return Err(Error::Mismatch("a table")) };
        self.inside(inside)
    }

    fn inside(self, inside: &'a [u8]) -> Result<Inside<'a>, Error> {
        let depth = self.depth.saturating_add(1);
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep);
        }
        Ok(Inside { fields: Fields::new(inside), depth })
    }

    /// The elements of an array, each at the place that `next` makes for it.
    pub fn list(self, next: &mut dyn FnMut(Source<'_>) -> Result<(), Error>) -> Result<(), Error> {
        for element in self.array()? {
            next(element?.1)?;
        }
        Ok(())
    }

    /// The members of a struct: what it does not know is skipped.
    pub fn record(self, record: &mut dyn Record) -> Result<(), Error> {
        for member in self.table()? {
            let (name, value) = member?;
            if let Some(place) = record.member(&name) {
                place.decode(value)?;
            }
        }
        Ok(())
    }
}

impl<'a> Iterator for Inside<'a> {
    type Item = Result<(Cow<'a, str>, Source<'a>), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let depth = self.depth;
        let field = self.fields.next()?;
        Some(field.map(|field| (lossy(field.name), Source { content: field.content, depth })))
    }
}

macro_rules! whole_numbers {
    ($($kind:ty),*) => {$(
        impl Decode for $kind {
            fn decode(&mut self, source: Source<'_>) -> Result<(), Error> {
                let number = source.int()?;
                *self = number.try_into().map_err(|_| Error::Mismatch("a number within the range"))?;
                Ok(())
            }
        }
    )*};
}

whole_numbers!(u8, u16, u32, u64, i32, i64);

impl Decode for bool {
    fn decode(&mut self, source: Source<'_>) -> Result<(), Error> {
        *self = source.content.flag().ok_or(Error::Mismatch("a boolean"))?;
        Ok(())
    }
}

impl Decode for f64 {
    fn decode(&mut self, source: Source<'_>) -> Result<(), Error> {
        *self = match source.content {
            Content::Double(number) => number,
            _ => source.int()? as f64,
        };
        Ok(())
    }
}

impl Decode for String {
    fn decode(&mut self, source: Source<'_>) -> Result<(), Error> {
        *self = source.text()?.into_owned();
        Ok(())
    }
}

impl<T: Decode + Default> Decode for Option<T> {
    fn decode(&mut self, source: Source<'_>) -> Result<(), Error> {
        *self = None;
        if source.content == Content::Null { Ok(()) } else { self.insert(T::default()).decode(source) }
    }
}

impl<T: Decode + Default> Decode for Vec<T> {
    fn decode(&mut self, source: Source<'_>) -> Result<(), Error> {
        self.clear();
        source.list(&mut |element| {
            self.push(T::default());
            self.last_mut().map_or(Ok(()), |last| last.decode(element))
        })
    }
}

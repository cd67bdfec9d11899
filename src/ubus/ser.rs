//! Any serde type to blobmsg. The rules are those of [`Data::encode`](super::Data::encode).

use serde::ser::{self, Impossible, Serialize};

use super::Error;
use super::blob::{HEADER, MAX_MESSAGE, Mark, Writer};
use super::blobmsg::{MAX_DEPTH, Type};

/// Encodes `value`, which must be a table, and returns its members.
pub(super) fn to_members<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut out = Writer::new(MAX_MESSAGE);
    value.serialize(Place { out: &mut out, name: "", container: Container::Array, depth: 0 })?;
    let mut bytes = out.into_bytes();
    match bytes.first().and_then(|head| Type::from_wire(head & 0x7f)) {
        Some(Type::Table) => bytes.drain(..ENVELOPE.min(bytes.len())),
        Some(Type::Null) => bytes.drain(..),
        _ => return Err(Error::NotATable),
    };
    Ok(bytes)
}

/// Bytes before the members of a table without a name: attribute header and name header.
const ENVELOPE: usize = HEADER + 4;

/// What a value stands in; decides what becomes of `None`.
#[derive(Clone, Copy)]
enum Container {
    Array,
    Table,
}

/// Where the next value goes, and under which name.
struct Place<'w, 'n> {
    out: &'w mut Writer,
    name: &'n str,
    container: Container,
    depth: u8,
}

impl<'w> Place<'w, '_> {
    fn open(self, kind: Type, container: Container) -> Result<Open<'w>, Error> {
        let depth = self.depth.saturating_add(1);
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep);
        }
        let mark = self.out.begin_field(self.name, kind)?;
        Ok(Open { out: self.out, mark, variant: None, container, depth, key: String::new() })
    }

    fn array(self) -> Result<Open<'w>, Error> {
        self.open(Type::Array, Container::Array)
    }

    fn table(self) -> Result<Open<'w>, Error> {
        self.open(Type::Table, Container::Table)
    }

    /// A table whose only member is named by the variant and holds its content.
    fn variant(self, name: &str, kind: Type, container: Container) -> Result<Open<'w>, Error> {
        let outer = self.table()?;
        let place = Place { out: outer.out, name, container: Container::Table, depth: outer.depth };
        let mut inner = place.open(kind, container)?;
        inner.variant = Some(outer.mark);
        Ok(inner)
    }
}

/// A table or array whose members are being written.
struct Open<'w> {
    out: &'w mut Writer,
    mark: Mark,
    /// The table around it, for a variant with content.
    variant: Option<Mark>,
    container: Container,
    depth: u8,
    /// The key of a map whose value comes next.
    key: String,
}

impl Open<'_> {
    fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Error> {
        value.serialize(Place { out: self.out, name, container: self.container, depth: self.depth })
    }

    fn close(self) {
        self.out.end(self.mark);
        if let Some(outer) = self.variant {
            self.out.end(outer);
        }
    }
}

/// A serde method that writes a number of this type.
macro_rules! whole_numbers {
    ($($method:ident: $number:ty),*) => {$(
        fn $method(self, value: $number) -> Result<(), Error> {
            self.out.put_int(self.name, value.into())
        }
    )*};
}

impl<'w> ser::Serializer for Place<'w, '_> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Open<'w>;
    type SerializeTuple = Open<'w>;
    type SerializeTupleStruct = Open<'w>;
    type SerializeTupleVariant = Open<'w>;
    type SerializeMap = Open<'w>;
    type SerializeStruct = Open<'w>;
    type SerializeStructVariant = Open<'w>;

    whole_numbers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32);

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.out.put_int(self.name, i64::try_from(value).map_err(|_| Error::NumberTooLarge)?)
    }

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.out.put_field(self.name, Type::Bool, &[u8::from(value)])
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.out.put_field(self.name, Type::Double, &value.to_be_bytes())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.out.put_string(self.name, value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_none(self) -> Result<(), Error> {
        match self.container {
            Container::Array => self.serialize_unit(),
            Container::Table => Ok(()),
        }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.out.put_field(self.name, Type::Null, &[])
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut outer = self.table()?;
        outer.container = Container::Array; // The content of `Variant(None)` is null, not absent.
        outer.member(variant, value)?;
        outer.close();
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'w>, Error> {
        self.array()
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'w>, Error> {
        self.array()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'w>, Error> {
        self.array()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'w>, Error> {
        self.variant(variant, Type::Array, Container::Array)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'w>, Error> {
        self.table()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'w>, Error> {
        self.table()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'w>, Error> {
        self.variant(variant, Type::Table, Container::Table)
    }
}

/// The serde traits whose members have no names.
macro_rules! elements {
    ($($traits:ident::$method:ident),*) => {$(
        impl ser::$traits for Open<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.member("", value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )*};
}

elements!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

/// The serde traits whose members have names known at compile time.
macro_rules! members {
    ($($traits:ident),*) => {$(
        impl ser::$traits for Open<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.member(name, value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )*};
}

members!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key = key.serialize(Key)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = core::mem::take(&mut self.key);
        self.member(&key, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

/// Turns a map key into text; only what is text already can be one.
struct Key;

/// Serde methods for what cannot be a key.
macro_rules! no_keys {
    ($($method:ident($($argument:ty),*) -> $result:ty;)*) => {$(
        fn $method(self, $(_: $argument),*) -> Result<$result, Error> {
            Err(Error::KeyNotText)
        }
    )*};
}

type Never = Impossible<String, Error>;

impl ser::Serializer for Key {
    type Ok = String;
    type Error = Error;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    fn serialize_str(self, value: &str) -> Result<String, Error> {
        Ok(value.to_owned())
    }

    fn serialize_char(self, value: char) -> Result<String, Error> {
        Ok(value.to_string())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<String, Error> {
        Ok(variant.to_owned())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<String, Error> {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<String, Error> {
        Err(Error::KeyNotText)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<String, Error> {
        Err(Error::KeyNotText)
    }

    no_keys! {
        serialize_bool(bool) -> String;
        serialize_i8(i8) -> String;
        serialize_i16(i16) -> String;
        serialize_i32(i32) -> String;
        serialize_i64(i64) -> String;
        serialize_u8(u8) -> String;
        serialize_u16(u16) -> String;
        serialize_u32(u32) -> String;
        serialize_u64(u64) -> String;
        serialize_f32(f32) -> String;
        serialize_f64(f64) -> String;
        serialize_bytes(&[u8]) -> String;
        serialize_none() -> String;
        serialize_unit() -> String;
        serialize_unit_struct(&'static str) -> String;
        serialize_seq(Option<usize>) -> Never;
        serialize_tuple(usize) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_map(Option<usize>) -> Never;
        serialize_struct(&'static str, usize) -> Never;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
    }
}

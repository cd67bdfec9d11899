//! blobmsg to any serde type. The rules are those of [`Data::decode`](super::Data::decode).

use std::borrow::Cow;

use serde::de::value::{BorrowedStrDeserializer, StringDeserializer};
use serde::de::{
    self, Deserialize, DeserializeSeed, EnumAccess, Error as _, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::Error;
use super::blobmsg::{Content, Fields, MAX_DEPTH, lossy};

/// Decodes the members of a table.
pub(super) fn from_members<'de, T: Deserialize<'de>>(members: &'de [u8]) -> Result<T, Error> {
    T::deserialize(Source { content: Content::Table(members), depth: 0 })
}

/// A value to be decoded.
#[derive(Clone, Copy)]
struct Source<'de> {
    content: Content<'de>,
    /// How many tables and arrays are around it.
    depth: u8,
}

impl<'de> Source<'de> {
    fn walk(self, inside: &'de [u8]) -> Result<Members<'de>, Error> {
        let depth = self.depth.saturating_add(1);
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep);
        }
        Ok(Members { fields: Fields::new(inside), depth, value: None })
    }

    fn integer(&self) -> Option<i64> {
        match self.content {
            Content::Int64(number) => Some(number),
            Content::Int32(number) => Some(number.into()),
            Content::Int16(number) => Some(number.into()),
            Content::Null
            | Content::Array(_)
            | Content::Table(_)
            | Content::String(_)
            | Content::Bool(_)
            | Content::Double(_) => None,
        }
    }

    /// The error for a value of the wrong type.
    fn unexpected(&self, expected: &dyn de::Expected) -> Error {
        let text;
        let found = match self.content {
            Content::Null => Unexpected::Unit,
            Content::Array(_) => Unexpected::Seq,
            Content::Table(_) => Unexpected::Map,
            Content::String(bytes) => {
                text = lossy(bytes);
                Unexpected::Str(&text)
            }
            Content::Int64(number) => Unexpected::Signed(number),
            Content::Int32(number) => Unexpected::Signed(number.into()),
            Content::Int16(number) => Unexpected::Signed(number.into()),
            Content::Bool(value) => Unexpected::Bool(value),
            Content::Double(number) => Unexpected::Float(number),
        };
        Error::invalid_type(found, expected)
    }
}

/// Integers of every width are offered as the widest; the visitor checks the range.
macro_rules! forward_to_i64 {
    ($($name:ident)*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.deserialize_i64(visitor)
        })*
    };
}

impl<'de> de::Deserializer<'de> for Source<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.content {
            Content::Null => visitor.visit_unit(),
            Content::Array(inside) => visitor.visit_seq(self.walk(inside)?),
            Content::Table(inside) => visitor.visit_map(self.walk(inside)?),
            Content::String(bytes) => match lossy(bytes) {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            Content::Int64(number) => visitor.visit_i64(number),
            Content::Int32(number) => visitor.visit_i32(number),
            Content::Int16(number) => visitor.visit_i16(number),
            Content::Bool(value) => visitor.visit_bool(value),
            Content::Double(number) => visitor.visit_f64(number),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.content == Content::Null { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Content::String(bytes) = self.content {
            return visitor.visit_borrowed_bytes(bytes);
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.content {
            Content::String(name) => visitor.visit_enum(Variant { name, content: None }),
            Content::Table(inside) => {
                let mut members = self.walk(inside)?;
                let field = members.fields.next().ok_or_else(|| self.unexpected(&"a variant"))??;
                let content = Source { content: field.content, depth: members.depth };
                if members.fields.next().is_some() {
                    return Err(Error::invalid_length(2, &"one variant"));
                }
                visitor.visit_enum(Variant { name: field.name, content: Some(content) })
            }
            Content::Null
            | Content::Array(_)
            | Content::Int64(_)
            | Content::Int32(_)
            | Content::Int16(_)
            | Content::Bool(_)
            | Content::Double(_) => Err(self.unexpected(&"a variant")),
        }
    }

    // A type that says what it is made of is offered nothing else. Everything could go through `deserialize_any`, but
    // then each visitor would carry code for every type of value: half of the code of this file's users.

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Content::Table(inside) = self.content else { return Err(self.unexpected(&visitor)) };
        visitor.visit_map(self.walk(inside)?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Content::Array(inside) = self.content else { return Err(self.unexpected(&visitor)) };
        visitor.visit_seq(self.walk(inside)?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Content::String(bytes) = self.content else { return Err(self.unexpected(&visitor)) };
        match lossy(bytes) {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Content::Bool(value) = self.content else { return Err(self.unexpected(&visitor)) };
        visitor.visit_bool(value)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Some(number) = self.integer() else { return Err(self.unexpected(&visitor)) };
        visitor.visit_i64(number)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Content::Double(number) = self.content else { return self.deserialize_i64(visitor) };
        visitor.visit_f64(number)
    }

    forward_to_i64! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 f32 char unit unit_struct tuple tuple_struct identifier
    }
}

/// The members of a table or the elements of an array, as serde asks for them.
struct Members<'de> {
    fields: Fields<'de>,
    depth: u8,
    /// The value whose key was asked for last.
    value: Option<Source<'de>>,
}

impl<'de> SeqAccess<'de> for Members<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(field) = self.fields.next().transpose()? else { return Ok(None) };
        seed.deserialize(Source { content: field.content, depth: self.depth }).map(Some)
    }
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(field) = self.fields.next().transpose()? else { return Ok(None) };
        self.value = Some(Source { content: field.content, depth: self.depth });
        decode_name(field.name, seed).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let value = self.value.take().ok_or(Error::Malformed)?;
        seed.deserialize(value)
    }
}

fn decode_name<'de, T: DeserializeSeed<'de>>(name: &'de [u8], seed: T) -> Result<T::Value, Error> {
    match lossy(name) {
        Cow::Borrowed(text) => seed.deserialize(BorrowedStrDeserializer::new(text)),
        Cow::Owned(text) => seed.deserialize(StringDeserializer::new(text)),
    }
}

/// A variant of an enum: a string, or the only member of a table.
struct Variant<'de> {
    name: &'de [u8],
    content: Option<Source<'de>>,
}

impl<'de> Variant<'de> {
    fn content(self) -> Result<Source<'de>, Error> {
        self.content.ok_or_else(|| Error::custom("variant without content"))
    }
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        Ok((decode_name(self.name, seed)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.content {
            None => Ok(()),
            Some(content) => Deserialize::deserialize(content),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_any(self.content()?, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_any(self.content()?, visitor)
    }
}

//! Values whose shape is only known at run time.

use super::blobmsg::Content;
use super::decode::Source;
use super::{Decode, Encode, Error, Place};

/// A blobmsg value; all of JSON, and no more.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// int8 on the wire.
    Bool(bool),
    /// int16, int32 or int64 on the wire; written as int32 if it fits, else as int64.
    Int(i64),
    /// A double.
    Double(f64),
    /// Text. What is not UTF-8 on the wire has U+FFFD in its place.
    String(String),
    /// Values without names.
    Array(Vec<Value>),
    /// Values with names.
    Table(Table),
}

/// Named values, in the order in which they came.
///
/// A name may occur twice on the wire: [`Table::get`] then finds the first, as libubox does.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table(pub Vec<(String, Value)>);

impl Value {
    /// The value as a boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(value) = self { Some(*value) } else { None }
    }

    /// The value as a whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        if let Value::Int(value) = self { Some(*value) } else { None }
    }

    /// The value as text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(value) = self { Some(value) } else { None }
    }

    /// The elements, if it is an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        if let Value::Array(value) = self { Some(value) } else { None }
    }

    /// The members, if it is a table.
    pub fn as_table(&self) -> Option<&Table> {
        if let Value::Table(value) = self { Some(value) } else { None }
    }

    /// The member of this name, if it is a table that has it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.as_table()?.get(name)
    }
}

impl Table {
    /// The first value of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// Adds a value at the end.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.push((name.into(), value.into()));
    }

    /// The table with one more value at its end.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Table {
        self.push(name, value);
        self
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl<N: Into<String>, V: Into<Value>> FromIterator<(N, V)> for Table {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(members: I) -> Table {
        Table(members.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

macro_rules! from {
    ($($kind:ty => $value:ident),*) => {$(
        impl From<$kind> for Value {
            fn from(value: $kind) -> Value {
                Value::$value(value.into())
            }
        }
    )*};
}

from!(bool => Bool, i8 => Int, i16 => Int, i32 => Int, i64 => Int, u8 => Int, u16 => Int, u32 => Int,
    f32 => Double, f64 => Double, &str => String, String => String, Table => Table);

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(elements: Vec<T>) -> Value {
        Value::Array(elements.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

impl Encode for Value {
    fn encode(&self, place: Place<'_>) -> Result<(), Error> {
        match self {
            Value::Null => place.null(),
            Value::Bool(value) => place.flag(*value),
            Value::Int(value) => place.int(*value),
            Value::Double(value) => place.double(*value),
            Value::String(value) => place.text(value),
            Value::Array(value) => value.encode(place),
            Value::Table(value) => value.encode(place),
        }
    }
}

impl Encode for Table {
    fn encode(&self, place: Place<'_>) -> Result<(), Error> {
        let mut members = self.0.iter();
        place.table(&mut || members.next().map(|(name, value)| (name.as_str(), value as &dyn Encode)))
    }
}

impl Decode for Value {
    fn decode(&mut self, source: Source<'_>) -> Result<(), Error> {
        *self = match source.content() {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(value),
            Content::Int16(_) | Content::Int32(_) | Content::Int64(_) => Value::Int(source.int()?),
            Content::Double(value) => Value::Double(value),
            Content::String(_) => Value::String(source.text()?.into_owned()),
            Content::Array(_) => {
                let mut elements = Vec::new();
                elements.decode(source)?;
                Value::Array(elements)
            }
            Content::Table(_) => {
                let mut table = Table::default();
                table.decode(source)?;
                Value::Table(table)
            }
        };
        Ok(())
    }
}

impl Decode for Table {
    fn decode(&mut self, source: Source<'_>) -> Result<(), Error> {
        self.0.clear();
        for member in source.table()? {
            let (name, from) = member?;
            let mut value = Value::Null;
            value.decode(from)?;
            self.0.push((name.into_owned(), value));
        }
        Ok(())
    }
}

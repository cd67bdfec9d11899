//! Objects: what a program offers on the bus.

use super::blob::{MAX_MESSAGE, Writer};
use super::blobmsg::{Content, Field, Type};
use super::{Data, Error, Status};

/// Something with a path, whose methods others can call and whose notifications they can follow.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its name on the bus, as in `ubus call PATH METHOD`.
    pub path: String,
    /// What can be called.
    pub methods: &'static [Method],
}

/// A method, as `ubus -v list` shows it.
#[derive(Debug)]
pub struct Method {
    /// Its name; not empty.
    pub name: &'static str,
    /// What it takes.
    pub arguments: &'static [Argument],
}

/// One argument of a method.
#[derive(Debug)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// Its type; [`Type::Null`] takes any.
    pub kind: Type,
    /// Whether a call can do without.
    pub need: Need,
}

/// Whether a call can do without an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Without it the call is refused.
    Required,
    /// The method has a default.
    Optional,
}

impl Object {
    /// The method of this name.
    pub fn method(&self, name: &[u8]) -> Option<&'static Method> {
        self.methods.iter().find(|method| method.name.as_bytes() == name)
    }

    /// What ADD_OBJECT carries: for each method a table with the types of its arguments.
    ///
    /// # Errors
    /// [`Error::TooLong`].
    pub fn signature(&self) -> Result<Data, Error> {
        let mut out = Writer::new(MAX_MESSAGE);
        for method in self.methods {
            let mark = out.begin_field(method.name, Type::Table)?;
            for argument in method.arguments {
                out.put_int(argument.name, argument.kind.wire().into())?;
            }
            out.end(mark);
        }
        Ok(Data::from_bytes(out.into_bytes()))
    }
}

impl Method {
    /// Checks the arguments of a call: sound data, no unknown name, the right types, all that is required.
    ///
    /// A number may be narrower than declared, and whole where a double is declared. Names starting
    /// with `ubus_` belong to the bus: rpcd adds `ubus_rpc_session` to what LuCI calls.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`].
    pub fn check(&self, data: &Data) -> Result<(), Status> {
        for field in data.fields() {
            let field = field.map_err(|_| Status::InvalidArgument)?;
            if !self.accepts(&field) {
                return Err(Status::InvalidArgument);
            }
        }
        let given = |name: &str| data.fields().flatten().any(|field| field.name == name.as_bytes());
        let complete = self.arguments.iter().all(|a| a.need == Need::Optional || given(a.name));
        if complete { Ok(()) } else { Err(Status::InvalidArgument) }
    }

    fn accepts(&self, field: &Field<'_>) -> bool {
        match self.arguments.iter().find(|argument| argument.name.as_bytes() == field.name) {
            Some(argument) => argument.kind.accepts(&field.content),
            None => field.name.starts_with(b"ubus_"),
        }
    }
}

impl Type {
    /// Whether a value can stand where this type is declared.
    fn accepts(self, content: &Content<'_>) -> bool {
        let kind = content.kind();
        match self {
            Type::Null => true,
            Type::Array | Type::Table | Type::String | Type::Bool | Type::Int16 => kind == self,
            Type::Int32 => matches!(kind, Type::Int32 | Type::Int16),
            Type::Int64 => matches!(kind, Type::Int64 | Type::Int32 | Type::Int16),
            Type::Double => matches!(kind, Type::Double | Type::Int64 | Type::Int32 | Type::Int16),
        }
    }
}

#[cfg(test)]
mod tests;

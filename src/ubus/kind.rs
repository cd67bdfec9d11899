//! The numbers of the ubus protocol: kinds of messages, and how requests end (`ubusmsg.h`).

use core::fmt;

/// An enum of the numbers that have a meaning, with a last variant that keeps all others.
macro_rules! numbered {
    (
        $(#[$doc:meta])* $name:ident: $number:ty, $(#[$other_doc:meta])* $other:ident;
        $($(#[$variant_doc:meta])* $variant:ident = $value:literal,)*
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            $(#[$other_doc])* $other($number),
        }

        impl $name {
            /// The meaning of this number.
            pub const fn from_wire(number: $number) -> $name {
                match number {
                    $($value => $name::$variant,)*
                    other => $name::$other(other),
                }
            }

            /// The number on the wire.
            pub const fn wire(self) -> $number {
                match self {
                    $($name::$variant => $value,)*
                    $name::$other(number) => number,
                }
            }
        }
    };
}

numbered! {
    /// What a message is about.
    Kind: u8,
    /// A number that has no meaning.
    Unknown;

    /// ubusd's first message to a client; its peer is the client's id.
    Hello = 0,
    /// The end of an answer.
    Status = 1,
    /// A part of an answer.
    Data = 2,
    /// Answered with the same attributes as [`Kind::Data`].
    Ping = 3,
    /// Asks for objects by path.
    Lookup = 4,
    /// Calls a method; also carries events and notifications to their receivers.
    Invoke = 5,
    /// Publishes an object.
    AddObject = 6,
    /// Takes an object back.
    RemoveObject = 7,
    /// Asks for an object's notifications.
    Subscribe = 8,
    /// Ends that. From ubusd: the object is gone.
    Unsubscribe = 9,
    /// Notifies the subscribers. From ubusd: the first has come or the last has gone.
    Notify = 10,
    /// A copy of somebody's message, for `ubus monitor`.
    Monitor = 11,
}

numbered! {
    /// How a request ended.
    Status: u32,
    /// A number of the method's own.
    Other;

    /// Done.
    Ok = 0,
    /// The request itself makes no sense.
    InvalidCommand = 1,
    /// An argument is missing or wrong. For a new object: its path is taken.
    InvalidArgument = 2,
    /// The object has no such method.
    MethodNotFound = 3,
    /// There is no such object.
    NotFound = 4,
    /// There is nothing to answer.
    NoData = 5,
    /// The access list forbids it.
    PermissionDenied = 6,
    /// It took too long.
    Timeout = 7,
    /// Not possible here.
    NotSupported = 8,
    /// Something else.
    UnknownError = 9,
    /// The connection is gone.
    ConnectionFailed = 10,
    /// Out of memory, or over a limit.
    NoMemory = 11,
    /// Something could not be read.
    ParseError = 12,
    /// The operating system refused.
    SystemError = 13,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Ok => "success",
            Status::InvalidCommand => "invalid command",
            Status::InvalidArgument => "invalid argument",
            Status::MethodNotFound => "method not found",
            Status::NotFound => "not found",
            Status::NoData => "no response",
            Status::PermissionDenied => "permission denied",
            Status::Timeout => "request timed out",
            Status::NotSupported => "operation not supported",
            Status::UnknownError => "unknown error",
            Status::ConnectionFailed => "connection failed",
            Status::NoMemory => "out of memory",
            Status::ParseError => "message could not be read",
            Status::SystemError => "system error",
            Status::Other(number) => return write!(f, "status {number}"),
        })
    }
}

//! What a session tells its owner.

use core::fmt;

use super::super::inbox::FrameError;
use super::super::{Data, Status};

/// Something that was registered: an object, a pattern of events, or an object that is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub(super) u32);

/// A request of ours that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub(super) u32);

/// A call of one of our methods that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub(super) u32);

/// What has happened on the bus.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// ubusd has greeted us. Everything registered is being registered there, again if need be.
    Connected,
    /// The connection is gone, and with it every call that had no answer yet, in both directions.
    Disconnected,
    /// The object is published, the events are being listened to, or the object is being followed.
    Registered(Key),
    /// It could not be registered; it is tried again every [`RETRY_US`](super::RETRY_US).
    Refused(Key, Status),
    /// The followed object is not there (any more). Ends with [`Event::Registered`].
    Gone(Key),
    /// The first subscriber of our object has come, or the last has gone.
    Subscribers(Key, Subscribers),
    /// Somebody calls one of our methods: [`Session::answer`](super::Session::answer) is due.
    Call(Call),
    /// Our call has ended.
    Reply(RequestId, Result<Vec<Data>, CallError>),
    /// Our lookup has ended.
    Found(RequestId, Result<Vec<Found>, CallError>),
    /// An event that we listen to, with its name.
    Heard(Key, String, Data),
    /// A notification by the object that we follow, with its name.
    Notified(Key, String, Data),
}

/// Whether anybody subscribed to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscribers {
    /// Nobody.
    None,
    /// At least one.
    Some,
}

/// A call of one of our methods. Its arguments have been checked against the method's declaration.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// What to answer to.
    pub id: CallId,
    /// Whose method it is.
    pub object: Key,
    /// The method's name, as declared.
    pub method: &'static str,
    /// The arguments.
    pub data: Data,
    /// The caller's user name, as ubusd says; empty if it does not.
    pub user: String,
    /// The caller's primary group.
    pub group: String,
}

/// An object that a lookup has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its path.
    pub path: String,
    /// Its id, until it is registered anew.
    pub id: u32,
    /// Its methods: for each a table with the numbers of its arguments' types.
    pub signature: Data,
}

/// Why a call or a lookup of ours has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallError {
    /// There is no such object, or none of its methods may be called.
    NoObject,
    /// The object's answer.
    Status(Status),
    /// No answer before the deadline. An owner that dies during a call never answers.
    Deadline,
    /// There is no connection, or it broke.
    Disconnected,
    /// Too many requests are under way, or too much waits to be sent.
    Busy,
    /// The arguments or the answer are above the message limit.
    TooLong,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CallError::NoObject => "no such object on the bus",
            CallError::Status(status) => return status.fmt(f),
            CallError::Deadline => "no answer in time",
            CallError::Disconnected => "no connection to ubus",
            CallError::Busy => "too many requests under way",
            CallError::TooLong => "message too long",
        })
    }
}

impl std::error::Error for CallError {}

/// Why a connection is of no use any more and should be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// The bytes are no messages.
    Frame(FrameError),
    /// Something else came before the greeting.
    NoGreeting,
    /// ubusd did not greet, or not answer a registration, within [`ANSWER_US`](super::ANSWER_US).
    Silence,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Frame(error) => error.fmt(f),
            Violation::NoGreeting => f.write_str("no greeting"),
            Violation::Silence => f.write_str("no answer"),
        }
    }
}

impl std::error::Error for Violation {}

//! What the routers say to each other.
//!
//! Every body is a blobmsg table: names cost bytes on the wire, but nothing in flash, for its reader and writer are in
//! the program already; and a later version can add a field, or a type, without asking anybody. The rules for that:
//! a type or a field keeps its meaning for ever; a new field has a default that means "an older version"; a new type is
//! optional unless the two would misunderstand each other without it.

use crate::record::record;
use crate::ubus::{Data, Decode, Encode};

use super::frame::{self, Frame, Need};

/// The version of the messages that this program speaks.
pub const PROTOCOL: u32 = 1;

/// The oldest one that it still understands.
pub const PROTOCOL_OLDEST: u32 = 1;

/// First of the 32 kinds of [`Bulk`] that belong to lease sync.
pub const BULK_LEASES: u8 = 32;

/// First of the 32 kinds of [`Bulk`] that belong to file sync.
pub const BULK_FILES: u8 = 64;

/// Behind the last kind of [`Bulk`].
const BULK_END: u8 = 96;

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Who speaks. The first of each side, and only the first.
    Hello(Hello),
    /// Of several connections between two routers this is the one that stays.
    Adopt,
    /// The sender ends the connection, and why.
    Bye(Bye),
    /// Nothing but a sign of life.
    Ping,
    /// How the sender is at the moment. Replaces the one before.
    State(State),
    /// What the sender's configuration says. Replaces the one before.
    Setup(Setup),
    /// A planned move is about to begin: bring over what is not yet (leases), then answer.
    Prepare(Request),
    /// The answer to `Prepare`.
    Prepared(Reply),
    /// Take the role of every group: an operator wants it.
    Take(Request),
    /// The answer to `Take`.
    Taken(Reply),
    /// What another module says to its like.
    Bulk(Bulk),
}

/// Who speaks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hello {
    /// The newest version of the messages that it speaks.
    pub protocol: u32,
    /// The oldest one.
    pub oldest: u32,
    /// Chosen at random when its daemon was started: another one means that it has forgotten.
    pub life: String,
    /// Host name.
    pub node: String,
    /// Of its program.
    pub version: String,
}

/// The sender ends the connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bye {
    /// `duplicate`, `stopping`, `version`, `reload` or a later version's word.
    pub why: String,
}

/// How a router is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// As in its status.
    pub role: String,
    /// As in its status.
    pub health: String,
    /// As in its status.
    pub maintenance: bool,
    /// Seconds.
    pub uptime: u32,
    /// Its wall clock in milliseconds since 1970; for display.
    pub clock: i64,
    /// Its groups.
    pub groups: Vec<GroupState>,
}

/// How a router's group is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupState {
    /// Section name.
    pub name: String,
    /// Its role.
    pub role: String,
    /// Counts role changes.
    pub epoch: u32,
    /// What it says, or would say as master.
    pub priority: u32,
    /// An operator moved the role away from the sender: it does not preempt (protocol rule 8).
    pub switched_away: bool,
    /// An operator moved the role from the receiver to the sender, which still has it.
    pub kept: bool,
    /// Interfaces of the sender whose connection only one router may have, as long as it stands, separated by blanks. An older
    /// version says none.
    pub holds: String,
}

/// What a router's configuration says, as far as both must say the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setup {
    /// Of everything that both routers must have in common.
    pub digest: String,
    /// Its virtual routers.
    pub instances: Vec<InstanceSetup>,
    /// Its groups.
    pub groups: Vec<GroupSetup>,
}

/// What a router's instance is like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstanceSetup {
    /// Section name.
    pub name: String,
    /// Virtual router identifier.
    pub vrid: u32,
    /// Of VRRP.
    pub version: u32,
    /// In milliseconds.
    pub interval: u32,
    /// Virtual addresses, separated by blanks; cut off with a digest behind it when there are many.
    pub vips: String,
}

/// What a router's group is like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupSetup {
    /// Section name.
    pub name: String,
    /// The priorities of the places, separated by blanks; empty if they are not shared.
    pub ranks: String,
}

/// Something asked of the other router.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Request {
    /// Chosen by the sender; comes back in the reply.
    pub id: u32,
    /// `Prepare`: the receiver is the one to take the role.
    pub take: bool,
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// The request's.
    pub id: u32,
    /// Why not; absent if it is done.
    pub error: Option<String>,
}

/// What another module says to its like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulk {
    /// From [`BULK_LEASES`] or [`BULK_FILES`] on.
    pub kind: u8,
    /// Whether a version that does not know this kind may skip it.
    pub need: Need,
    /// At most [`frame::BODY_BYTES`]; read by its own module only.
    pub body: Vec<u8>,
}

/// What can't be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misunderstood {
    /// A type that this version does not know, and that must not be skipped.
    Unknown(u8),
    /// A body that is not what its type says.
    Body(u8),
}

impl core::fmt::Display for Misunderstood {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Misunderstood::Unknown(kind) => {
                write!(f, "a message of the unknown type {kind} that must be understood")
            }
            Misunderstood::Body(kind) => write!(f, "the body of a message of type {kind} can't be read"),
        }
    }
}

const HELLO: u8 = 1;
const ADOPT: u8 = 2;
const BYE: u8 = 3;
const PING: u8 = 4;
const STATE: u8 = 5;
const SETUP: u8 = 6;
const PREPARE: u8 = 7;
const PREPARED: u8 = 8;
const TAKE: u8 = 9;
const TAKEN: u8 = 10;

impl Message {
    /// Appends the message as a frame. `false`: it is too long, and nothing is appended.
    #[must_use]
    pub fn put(&self, out: &mut Vec<u8>) -> bool {
        match self {
            Message::Hello(hello) => put(HELLO, Need::Required, hello, out),
            Message::Adopt => Frame { kind: ADOPT, need: Need::Required, body: &[] }.put(out),
            Message::Bye(bye) => put(BYE, Need::Optional, bye, out),
            Message::Ping => Frame { kind: PING, need: Need::Optional, body: &[] }.put(out),
            Message::State(state) => put(STATE, Need::Optional, state, out),
            Message::Setup(setup) => put(SETUP, Need::Optional, setup, out),
            Message::Prepare(request) => put(PREPARE, Need::Optional, request, out),
            Message::Prepared(reply) => put(PREPARED, Need::Optional, reply, out),
            Message::Take(request) => put(TAKE, Need::Optional, request, out),
            Message::Taken(reply) => put(TAKEN, Need::Optional, reply, out),
            Message::Bulk(Bulk { kind, need, body }) => {
                is_bulk(*kind) && Frame { kind: *kind, need: *need, body }.put(out)
            }
        }
    }

    /// What a frame means; `None`: something that this version does not know and may skip.
    ///
    /// # Errors
    /// See [`Misunderstood`].
    pub fn of(frame: &Frame<'_>) -> Result<Option<Message>, Misunderstood> {
        Ok(Some(match frame.kind {
            HELLO => Message::Hello(body(frame)?),
            ADOPT => Message::Adopt,
            BYE => Message::Bye(body(frame)?),
            PING => Message::Ping,
            STATE => Message::State(body(frame)?),
            SETUP => Message::Setup(body(frame)?),
            PREPARE => Message::Prepare(body(frame)?),
            PREPARED => Message::Prepared(body(frame)?),
            TAKE => Message::Take(body(frame)?),
            TAKEN => Message::Taken(body(frame)?),
            kind if is_bulk(kind) => {
                Message::Bulk(Bulk { kind, need: frame.need, body: frame.body.to_vec() })
            }
            kind => match frame.need {
                Need::Optional => return Ok(None),
                Need::Required => return Err(Misunderstood::Unknown(kind)),
            },
        }))
    }
}

record! {
    Hello: protocol, oldest, life, node, version;
    Bye: why;
    State: role, health, maintenance, uptime, clock, groups;
    GroupState: name, role, epoch, priority, switched_away, kept, holds unless is_empty;
    Setup: digest, instances, groups;
    InstanceSetup: name, vrid, version, interval, vips;
    GroupSetup: name, ranks;
    Request: id, take;
    Reply: id, error;
}

const fn is_bulk(kind: u8) -> bool {
    BULK_LEASES <= kind && kind < BULK_END
}

fn put(kind: u8, need: Need, body: &dyn Encode, out: &mut Vec<u8>) -> bool {
    Data::encode(body).is_ok_and(|data| Frame { kind, need, body: data.as_bytes() }.put(out))
}

fn body<T: Decode + Default>(frame: &Frame<'_>) -> Result<T, Misunderstood> {
    let mut value = T::default();
    read(frame, &mut value)?;
    Ok(value)
}

fn read(frame: &Frame<'_>, into: &mut dyn Decode) -> Result<(), Misunderstood> {
    Data::from_bytes(frame.body.to_vec()).decode_into(into).map_err(|_| Misunderstood::Body(frame.kind))
}

/// A word of the other router as it may be shown and logged: short, and in one line.
pub fn clean(text: &str) -> String {
    text.chars().filter(|it| !it.is_control()).take(WORD_CHARS).collect()
}

/// Longer than any name that the configuration allows.
const WORD_CHARS: usize = 256;

const _: () = assert!(frame::BODY_BYTES <= u16::MAX as usize);

#[cfg(test)]
mod tests;

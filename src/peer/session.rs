//! One connection between two routers, without its socket: bytes in, events and bytes out.
//!
//! ```text
//!   Shaking ──handshake──► Greeting ──Hello──► Greeted ──Adopt──► Open
//!      └──────────────────────┴──────────────────┴─────────────────┴──► Over (why)
//! ```
//!
//! A responder can't tell a recorded first message from a live one until the first sealed record opens, so nothing
//! happens before `Hello`. Both routers may connect to each other at the same time; of two connections the router with the lower
//! life adopts one and closes the other, and no message but `Hello` and `Bye` counts on one that is not adopted.

use core::time::Duration;

use crate::engine::Instant;

pub use super::end::End;
use super::frame::{
    self, Frames, GREETING_BYTES, HANDSHAKE_BYTES, Inbox, RECORD_BYTES, RecordKind, put_handshake, put_record,
};
use super::handshake::{Ends, Failure, Handshake, Side};
use super::key::Key;
use super::message::{self, Bye, Hello, Message, PROTOCOL_OLDEST};
use super::noise::Seal;

/// How long a connection may take from its begin to the other side's `Hello`.
pub const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(4);

/// How often something is said if there is nothing to say.
pub const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// For how long the other side may be silent: three keep-alives, and some for a loaded router.
pub const SILENCE_MAX: Duration = Duration::from_millis(3500);

/// Bytes that may wait to be sent: two snapshots of ten thousand leases. What does not fit is refused.
pub const QUEUE_BYTES: usize = 1 << 20;

/// Bytes read from a connection in one turn.
pub const READ_BYTES: usize = 64 << 10;

/// What a session has to tell.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The other side has the key, and says who it is.
    Greeted(Hello),
    /// The other side wants this connection to be the one.
    Adopted,
    /// It says something. Only on a connection that is open.
    Message(Message),
}

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsent {
    /// There is no open channel.
    NotConnected,
    /// Too much is waiting already. Try again when some of it is gone.
    Full,
    /// The message is too long: it has to be sent in parts.
    TooLong,
}

impl core::fmt::Display for Unsent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Unsent::NotConnected => "not connected",
            Unsent::Full => "too much is waiting",
            Unsent::TooLong => "too long",
        })
    }
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    /// What this side says of itself.
    own: Hello,
    inbox: Inbox,
    output: Vec<u8>,
    /// The handshake's, then the other side's next sign of life.
    deadline: Instant,
    /// When this side has to give a sign of life.
    quiet: Instant,
}

#[derive(Debug)]
enum Phase {
    Shaking(Box<Handshake>),
    /// Sealed; no word from the other side yet.
    Greeting(Box<Seal>),
    /// The other side has said who it is.
    Greeted(Box<Seal>),
    Open(Box<Seal>),
    Over(End),
}

impl Session {
    /// A connection that has just been made. An initiator has its first message to send.
    pub fn new(side: Side, key: &Key, ends: &Ends, own: Hello, now: Instant) -> Session {
        let (phase, first) = match Handshake::new(side, key, ends) {
            Some((handshake, first)) => (Phase::Shaking(Box::new(handshake)), first),
            None => (Phase::Over(End::System), Vec::new()),
        };
        let mut session = Session {
            phase,
            own,
            inbox: Inbox::default(),
            output: Vec::new(),
            deadline: now.after(HANDSHAKE_PATIENCE),
            quiet: now.after(HANDSHAKE_PATIENCE),
        };
        put_handshake(&first, &mut session.output);
        session
    }

    /// Whether the next bytes may cost a Diffie-Hellman handshake.
    pub fn is_shaking(&self) -> bool {
        matches!(self.phase, Phase::Shaking(_))
    }

    /// Whether messages can be sent.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    /// Whether the other side has shown that it has the key.
    pub fn is_greeted(&self) -> bool {
        matches!(self.phase, Phase::Greeted(_) | Phase::Open(_))
    }

    /// Whether the other side should have been heard by now: a connection of a network that is gone lasts a while.
    pub fn is_quiet(&self, now: Instant) -> bool {
        self.deadline
            < now.after(SILENCE_MAX.saturating_sub(KEEP_ALIVE).saturating_sub(Duration::from_millis(500)))
    }

    /// Why it is over, if it is.
    pub fn end(&self) -> Option<&End> {
        match &self.phase {
            Phase::Over(end) => Some(end),
            Phase::Shaking(_) | Phase::Greeting(_) | Phase::Greeted(_) | Phase::Open(_) => None,
        }
    }

    /// Takes in what was read from the socket, and adds what follows to `events`.
    pub fn receive(&mut self, bytes: &[u8], now: Instant, events: &mut Vec<Event>) {
        self.inbox.fill(bytes);
        let mut inbox = core::mem::take(&mut self.inbox);
        let result = self.take_records(&mut inbox, now, events);
        self.inbox = inbox;
        if let Err(end) = result {
            self.refuse(&end);
            self.over(end);
        }
    }

    /// The socket has come to its end.
    pub fn closed(&mut self) {
        let end = if self.inbox.is_empty() { End::Closed } else { End::Truncated };
        self.over(end);
    }

    /// This router wants this connection to be the one. To be called after [`Event::Greeted`], by one side only.
    pub fn adopt(&mut self, now: Instant) {
        if let Phase::Greeted(_) = self.phase {
            self.put(&Message::Adopt, now);
            self.open();
        }
    }

    /// Queues a message.
    ///
    /// # Errors
    /// See [`Unsent`].
    pub fn send(&mut self, message: &Message, now: Instant) -> Result<(), Unsent> {
        if !self.is_open() {
            return Err(Unsent::NotConnected);
        }
        if self.output.len() > QUEUE_BYTES.saturating_sub(frame::BODY_BYTES) {
            return Err(Unsent::Full);
        }
        if self.put(message, now) { Ok(()) } else { Err(Unsent::TooLong) }
    }

    /// Bytes that wait to be sent.
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// So many of them were sent.
    pub fn sent(&mut self, count: usize) {
        self.output.drain(..count.min(self.output.len()));
    }

    /// Says why this side leaves. What is queued goes first.
    pub fn leave(&mut self, why: &str, now: Instant) {
        self.put(&Message::Bye(Bye { why: why.to_owned() }), now);
        self.over(End::Bye(why.to_owned()));
    }

    /// When [`Session::timeout`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Over(_) => None,
            Phase::Shaking(_) | Phase::Greeting(_) => Some(self.deadline),
            Phase::Greeted(_) | Phase::Open(_) => Some(self.deadline.min(self.quiet)),
        }
    }

    /// Does what is due: a sign of life, or the end.
    pub fn timeout(&mut self, now: Instant) {
        if self.end().is_some() {
            return;
        }
        if self.deadline <= now {
            let end = if self.is_greeted() { End::Silent } else { End::Slow };
            return self.over(end);
        }
        if self.quiet <= now && self.is_greeted() {
            // Behind a full queue no sign of life is needed, and none would arrive.
            if self.output.is_empty() {
                self.put(&Message::Ping, now);
            }
            self.quiet = now.after(KEEP_ALIVE);
        }
    }

    fn take_records(&mut self, inbox: &mut Inbox, now: Instant, events: &mut Vec<Event>) -> Result<(), End> {
        while self.end().is_none() {
            let limit = match self.phase {
                Phase::Shaking(_) => HANDSHAKE_BYTES,
                Phase::Greeting(_) => GREETING_BYTES,
                Phase::Greeted(_) | Phase::Open(_) | Phase::Over(_) => RECORD_BYTES,
            };
            let Some((kind, body)) = inbox.next(limit).map_err(End::Malformed)? else { return Ok(()) };
            match kind {
                RecordKind::Handshake => self.shake(body, now)?,
                RecordKind::Sealed => self.open_record(body, now, events)?,
                RecordKind::Refusal if self.is_shaking() => {
                    return Err(match body.first() {
                        Some(&REFUSE_KEY) => End::KeyRefused,
                        other => End::Refused(other.copied().unwrap_or(0)),
                    });
                }
                RecordKind::Refusal => return Err(End::OutOfPlace),
            }
        }
        Ok(())
    }

    fn shake(&mut self, body: &[u8], now: Instant) -> Result<(), End> {
        let Phase::Shaking(handshake) = &mut self.phase else { return Err(End::OutOfPlace) };
        let (seal, answer) = handshake.finish(body).map_err(End::Handshake)?;
        self.phase = Phase::Greeting(Box::new(seal));
        put_handshake(&answer, &mut self.output);
        let hello = Message::Hello(self.own.clone());
        self.put(&hello, now);
        Ok(())
    }

    fn open_record(&mut self, body: &[u8], now: Instant, events: &mut Vec<Event>) -> Result<(), End> {
        let (Phase::Greeting(seal) | Phase::Greeted(seal) | Phase::Open(seal)) = &mut self.phase else {
            return Err(End::OutOfPlace);
        };
        let content = seal.open(body).map_err(|_| End::Forged)?;
        if self.is_greeted() {
            self.deadline = now.after(SILENCE_MAX);
        }
        for frame in Frames::of(&content) {
            let frame = frame.map_err(End::Malformed)?;
            if let Some(message) = Message::of(&frame).map_err(End::Misunderstood)? {
                self.take(message, now, events)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, message: Message, now: Instant, events: &mut Vec<Event>) -> Result<(), End> {
        match (message, &self.phase) {
            (Message::Hello(hello), Phase::Greeting(_)) => self.greeted(hello, now, events),
            (Message::Bye(bye), _) => Err(End::Bye(message::clean(&bye.why))),
            (Message::Hello(_), _) | (_, Phase::Greeting(_)) => Err(End::OutOfPlace),
            (Message::Adopt, Phase::Greeted(_)) => {
                self.open();
                events.push(Event::Adopted);
                Ok(())
            }
            (Message::Ping, _) => Ok(()),
            (Message::Adopt, _) => Err(End::OutOfPlace),
            (message, Phase::Open(_)) => {
                events.push(Event::Message(message));
                Ok(())
            }
            (_, Phase::Shaking(_) | Phase::Greeted(_) | Phase::Over(_)) => Err(End::OutOfPlace),
        }
    }

    fn greeted(&mut self, hello: Hello, now: Instant, events: &mut Vec<Event>) -> Result<(), End> {
        if hello.life == self.own.life {
            return Err(End::Mirror);
        }
        if hello.protocol < self.own.oldest || self.own.protocol < hello.oldest {
            return Err(End::Versions(self.own.protocol, hello.oldest, hello.protocol));
        }
        let (node, version) = (message::clean(&hello.node), message::clean(&hello.version));
        if let Phase::Greeting(seal) = core::mem::replace(&mut self.phase, Phase::Over(End::System)) {
            self.phase = Phase::Greeted(seal);
        }
        self.deadline = now.after(SILENCE_MAX);
        self.quiet = now.after(KEEP_ALIVE);
        events.push(Event::Greeted(Hello { node, version, ..hello }));
        Ok(())
    }

    fn open(&mut self) {
        if let Phase::Greeted(seal) = core::mem::replace(&mut self.phase, Phase::Over(End::System)) {
            self.phase = Phase::Open(seal);
        }
    }

    /// Seals a message into the output. `false`: it is too long, or there is no key to seal it with yet.
    fn put(&mut self, message: &Message, now: Instant) -> bool {
        let (Phase::Greeting(seal) | Phase::Greeted(seal) | Phase::Open(seal)) = &mut self.phase else {
            return false;
        };
        let mut content = Vec::new();
        if !message.put(&mut content) {
            return false;
        }
        let Some(sealed) = seal.seal(&content) else { return false };
        put_record(RecordKind::Sealed, &sealed, &mut self.output);
        self.quiet = now.after(KEEP_ALIVE);
        true
    }

    /// Tells the other side's people what is wrong, as far as it is safe to say without a key.
    fn refuse(&mut self, end: &End) {
        let code = match end {
            End::Handshake(Failure::Key) => REFUSE_KEY,
            End::Handshake(Failure::Version(_)) => REFUSE_VERSION,
            End::Versions(..) => {
                self.put(&Message::Bye(Bye { why: "version".into() }), self.quiet);
                return;
            }
            _ => return,
        };
        put_record(RecordKind::Refusal, &[code], &mut self.output);
    }

    fn over(&mut self, end: End) {
        if self.end().is_none() {
            self.phase = Phase::Over(end);
        }
    }
}

const REFUSE_KEY: u8 = 1;
const REFUSE_VERSION: u8 = 2;

const _: () = assert!(PROTOCOL_OLDEST <= message::PROTOCOL);

#[cfg(test)]
mod tests;

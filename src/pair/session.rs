//! One conversation, without its socket: bytes in, messages and bytes out, deadlines as data.
//!
//! Each message has its turn, and its side that says it; anything else ends the conversation, but a refusal, which
//! either side may say in place of its next message. The host can't tell a recorded handshake from a live one until the
//! `Hello` has opened, so nothing happens before.

use core::fmt;
use core::time::Duration;

use crate::engine::Instant;
use crate::peer::frame::{HANDSHAKE_BYTES, Inbox, RECORD_BYTES, RecordKind, put_handshake, put_record};
use crate::peer::handshake::{Ends, Failure, Handshake, Side};
use crate::peer::noise::Seal;

use super::code::Code;
use super::message::{Message, Misunderstood};

/// How long the handshake and the `Hello` may take. A silent client is in nobody's way, and not for long.
pub const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(4);

/// How long each further message may take: the other side writes to flash meanwhile.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Why a conversation is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Everything is said.
    Finished,
    /// A side refused, and says why.
    Refused(String),
    /// The other side has another code.
    Code,
    /// What is there does not speak this protocol, or another version of it.
    Foreign,
    /// What came is not what belongs here: damaged, recorded, or out of its turn.
    Garbled,
    /// The connection broke.
    Closed,
    /// The other side fell silent.
    Silent,
    /// No randomness, or another impossibility of the system.
    System,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Finished => "done",
            End::Refused(why) => why,
            End::Code => "the other router has another code",
            End::Foreign => "what is there does not speak this protocol: are both versions of gwha the same?",
            End::Garbled => "what came makes no sense",
            End::Closed => "the connection broke",
            End::Silent => "the other router fell silent",
            End::System => "the system has no randomness to give",
        })
    }
}

/// Whose turn it is, by the message that is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Hello,
    Plan,
    Ready,
    Commit,
    Done,
    Nobody,
}

impl Turn {
    const fn speaker(self) -> Option<Side> {
        match self {
            Turn::Hello | Turn::Ready | Turn::Done => Some(Side::Initiator),
            Turn::Plan | Turn::Commit => Some(Side::Responder),
            Turn::Nobody => None,
        }
    }

    /// The turn after a message; `None` if it is not this message's. A refusal is the last one.
    const fn after(self, message: &Message) -> Option<Turn> {
        match (self, message) {
            (Turn::Hello, Message::Hello(_)) => Some(Turn::Plan),
            (Turn::Plan, Message::Plan(_)) => Some(Turn::Ready),
            (Turn::Ready, Message::Ready) => Some(Turn::Commit),
            (Turn::Commit, Message::Commit) => Some(Turn::Done),
            (Turn::Done, Message::Done) | (_, Message::Refuse(_)) => Some(Turn::Nobody),
            (
                Turn::Hello | Turn::Plan | Turn::Ready | Turn::Commit | Turn::Done | Turn::Nobody,
                Message::Hello(_) | Message::Plan(_) | Message::Ready | Message::Commit | Message::Done,
            ) => None,
        }
    }
}

/// A conversation. The guest is the initiator.
#[derive(Debug)]
pub struct Session {
    side: Side,
    phase: Phase,
    turn: Turn,
    inbox: Inbox,
    output: Vec<u8>,
    deadline: Instant,
}

#[derive(Debug)]
enum Phase {
    Shaking(Box<Handshake>),
    Sealed(Box<Seal>),
    Over(End),
}

impl Session {
    /// A connection that has just been made. The guest has its first message to send.
    pub fn new(side: Side, code: &Code, ends: &Ends, now: Instant) -> Session {
        let (phase, first) = match Handshake::new(side, &code.key(), ends) {
            Some((handshake, first)) => (Phase::Shaking(Box::new(handshake)), first),
            None => (Phase::Over(End::System), Vec::new()),
        };
        let mut session = Session {
            side,
            phase,
            turn: Turn::Hello,
            inbox: Inbox::default(),
            output: Vec::new(),
            deadline: now.after(HANDSHAKE_PATIENCE),
        };
        put_handshake(&first, &mut session.output);
        session
    }

    /// Why it is over, if it is.
    pub fn end(&self) -> Option<&End> {
        match &self.phase {
            Phase::Over(end) => Some(end),
            Phase::Shaking(_) | Phase::Sealed(_) => None,
        }
    }

    /// Whether the other side has shown that it has the code.
    pub fn is_proven(&self) -> bool {
        self.turn != Turn::Hello
    }

    /// Whether the handshake is done and this side has to say the next message.
    pub fn is_own_turn(&self) -> bool {
        matches!(self.phase, Phase::Sealed(_)) && self.turn.speaker() == Some(self.side)
    }

    /// When [`Session::timeout`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        if self.end().is_some() { None } else { Some(self.deadline) }
    }

    /// Takes in what was read from the socket, and returns what was said. No side may say two messages in a row.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) -> Option<Message> {
        let mut inbox = core::mem::take(&mut self.inbox);
        inbox.fill(bytes);
        let result = self.take_records(&mut inbox, now);
        self.inbox = inbox;
        result.unwrap_or_else(|end| {
            if end == End::Code {
                // In clear, for people: there is no key to say it with.
                put_record(RecordKind::Refusal, &[REFUSE_CODE], &mut self.output);
            }
            self.over(end);
            None
        })
    }

    /// Says the next message, or refuses.
    pub fn say(&mut self, message: &Message, now: Instant) {
        let next = self.turn.after(message);
        let Phase::Sealed(seal) = &mut self.phase else { return };
        let sealed = seal.seal(&message.encode());
        match (next, sealed) {
            (Some(next), Some(sealed)) => {
                put_record(RecordKind::Sealed, &sealed, &mut self.output);
                self.advance(next, message, now);
            }
            (None, _) | (_, None) => self.over(End::Garbled),
        }
    }

    /// The socket has come to its end.
    pub fn closed(&mut self) {
        self.over(End::Closed);
    }

    /// Ends what takes too long.
    pub fn timeout(&mut self, now: Instant) {
        if self.deadline <= now {
            self.over(End::Silent);
        }
    }

    /// Bytes that wait to be sent, also after the end.
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// So many of them were sent.
    pub fn sent(&mut self, count: usize) {
        self.output.drain(..count.min(self.output.len()));
    }

    /// Bytes that may be read at a time: a stranger's are looked at a handshake at a time.
    pub fn read_max(&self) -> usize {
        if self.is_proven() { READ_BYTES } else { HANDSHAKE_BYTES }
    }

    fn take_records(&mut self, inbox: &mut Inbox, now: Instant) -> Result<Option<Message>, End> {
        while self.end().is_none() {
            let limit = match self.phase {
                Phase::Shaking(_) => HANDSHAKE_BYTES,
                Phase::Sealed(_) | Phase::Over(_) => RECORD_BYTES,
            };
            let foreign = if self.is_shaking() { End::Foreign } else { End::Garbled };
            let Some((kind, body)) = inbox.next(limit).map_err(|_| foreign)? else { return Ok(None) };
            match (kind, &mut self.phase) {
                (RecordKind::Handshake, Phase::Shaking(_)) => self.shake(body)?,
                (RecordKind::Refusal, Phase::Shaking(_)) => {
                    return Err(if body == [REFUSE_CODE] { End::Code } else { End::Foreign });
                }
                (RecordKind::Sealed, Phase::Sealed(seal)) => {
                    let content = seal.open(body).map_err(|_| End::Garbled)?;
                    let message = Message::decode(&content).map_err(|Misunderstood| End::Garbled)?;
                    return self.hear(message, now).map(Some);
                }
                (RecordKind::Handshake | RecordKind::Sealed | RecordKind::Refusal, _) => {
                    return Err(End::Garbled);
                }
            }
        }
        Ok(None)
    }

    fn is_shaking(&self) -> bool {
        matches!(self.phase, Phase::Shaking(_))
    }

    fn shake(&mut self, body: &[u8]) -> Result<(), End> {
        let Phase::Shaking(handshake) = &mut self.phase else { return Err(End::Garbled) };
        let (seal, answer) = handshake.finish(body).map_err(|failure| match failure {
            Failure::Key => End::Code,
            Failure::NotGwha | Failure::Version(_) => End::Foreign,
        })?;
        self.phase = Phase::Sealed(Box::new(seal));
        put_handshake(&answer, &mut self.output);
        Ok(())
    }

    fn hear(&mut self, message: Message, now: Instant) -> Result<Message, End> {
        let is_theirs = self.turn.speaker().is_some_and(|speaker| speaker != self.side);
        let next = self.turn.after(&message).filter(|_| is_theirs).ok_or(End::Garbled)?;
        self.advance(next, &message, now);
        Ok(message)
    }

    fn advance(&mut self, next: Turn, message: &Message, now: Instant) {
        self.turn = next;
        self.deadline = now.after(PATIENCE);
        if let Message::Refuse(why) = message {
            self.over(End::Refused(why.clone()));
        } else if next == Turn::Nobody {
            self.over(End::Finished);
        }
    }

    fn over(&mut self, end: End) {
        if self.end().is_none() {
            self.phase = Phase::Over(end);
        }
    }
}

const REFUSE_CODE: u8 = 1;

/// Bytes read at a time from somebody who has the code.
const READ_BYTES: usize = 4 << 10;

#[cfg(test)]
mod tests;

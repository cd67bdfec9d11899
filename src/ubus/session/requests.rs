//! Our requests that ubusd or an object has not answered yet.

use super::super::Data;
use super::super::blob::MAX_MESSAGE;
use super::by_id::ById;
use super::event::{CallError, Found, Key, RequestId};

/// One request.
#[derive(Debug)]
pub(super) struct Request {
    /// The peer in its header; the answer has the same.
    pub peer: u32,
    /// When to give up, in µs.
    pub deadline: u64,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a request is for, and what its answer has brought so far.
#[derive(Debug)]
pub(super) enum Purpose {
    /// To get an object of our own: its id.
    Add { key: Key, id: Option<u32> },
    /// To have events sent to an object of our own.
    Listen { key: Key },
    /// To find the object to follow: its id.
    Locate { key: Key, id: Option<u32> },
    /// To subscribe to it.
    Follow { key: Key, target: u32 },
    /// To find the object to call: its id. What to call follows.
    Prepare { request: RequestId, id: Option<u32>, method: String, arguments: Data },
    /// To call a method: what it has answered.
    Invoke { request: RequestId, answers: Collected<Data> },
    /// To find objects.
    Lookup { request: RequestId, found: Collected<Found> },
}

/// All requests, by the seq of their message.
#[derive(Debug, Default)]
pub(super) struct Requests {
    open: ById<u16, Request>,
    last_seq: u16,
}

impl Requests {
    /// A seq that no open request has; `None` if too many are open.
    pub fn vacant(&mut self) -> Option<u16> {
        if self.open.len() >= REQUESTS_MAX {
            return None;
        }
        Some(self.next_seq())
    }

    /// A seq that no open request has, for a message whose answer does not matter.
    pub fn next_seq(&mut self) -> u16 {
        loop {
            self.last_seq = self.last_seq.wrapping_add(1);
            if !self.open.contains(self.last_seq) {
                return self.last_seq;
            }
        }
    }

    /// Waits for the answer to `seq`.
    pub fn open(&mut self, seq: u16, request: Request) {
        self.open.add(seq, request);
    }

    /// The request that a part of an answer belongs to.
    pub fn get(&mut self, seq: u16, peer: u32) -> Option<&mut Request> {
        self.open.get_mut(seq).filter(|request| request.peer == peer)
    }

    /// The request whose answer has ended.
    pub fn close(&mut self, seq: u16, peer: u32) -> Option<Request> {
        self.get(seq, peer)?;
        self.open.remove(seq)
    }

    /// Takes out a request whose deadline has passed.
    pub fn expired(&mut self, now: u64) -> Option<Request> {
        let (seq, _) = self.open.iter().find(|(_, request)| request.deadline <= now)?;
        self.open.remove(seq)
    }

    /// Takes out any request.
    pub fn pop(&mut self) -> Option<Request> {
        self.open.pop_first()
    }

    /// When the next request expires.
    pub fn next_deadline(&self) -> Option<u64> {
        self.open.values().map(|request| request.deadline).min()
    }
}

/// The parts of an answer, up to a limit.
#[derive(Debug)]
pub(super) struct Collected<T> {
    items: Vec<T>,
    /// How much more may come, in bytes; `None` once it was too much.
    room: Option<usize>,
}

impl<T> Default for Collected<T> {
    fn default() -> Collected<T> {
        Collected { items: Vec::new(), room: Some(MAX_MESSAGE) }
    }
}

impl<T> Collected<T> {
    /// Adds a part of `size` bytes; forgets all of them above [`MAX_MESSAGE`].
    pub fn push(&mut self, item: T, size: usize) {
        let size = size.saturating_add(ITEM_BYTES);
        self.room = self.room.and_then(|room| room.checked_sub(size));
        if self.room.is_some() {
            self.items.push(item);
        } else {
            self.items = Vec::new();
        }
    }

    /// All parts.
    pub fn finish(self) -> Result<Vec<T>, CallError> {
        if self.room.is_some() { Ok(self.items) } else { Err(CallError::TooLong) }
    }
}

/// Requests under way at a time; more are [`CallError::Busy`].
const REQUESTS_MAX: usize = 128;

/// What a part of an answer takes besides its bytes, in bytes, so that empty parts count too.
const ITEM_BYTES: usize = 64;

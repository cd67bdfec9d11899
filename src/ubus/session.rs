//! One client's side of a ubus connection, without the connection: bytes go in, [`Event`]s come out.
//!
//! The owner declares what it offers and listens to, once; the session registers it at every ubusd that
//! it meets. Then the owner moves bytes and time:
//!
//! * the stream is open: [`Session::connected`]; it is gone: [`Session::disconnected`];
//! * bytes came: [`Session::receive`]; bytes can go: [`Session::outgoing`] and [`Session::sent`];
//! * [`Session::next_deadline`] has passed: [`Session::expire`].
//!
//! Nothing here blocks, reads a clock or does I/O. All queues and tables have a limit. Times are in µs
//! on any clock that never steps back. [`Connection`](super::Connection) does all of this for a socket.

use super::Kind;
use super::inbox::Inbox;
use super::message::{Builder, Message};
use super::object::Object;
use super::queue::Queue;

mod by_id;
mod client;
mod event;
mod registry;
mod requests;
mod server;

use by_id::ById;
pub use event::{Call, CallError, CallId, Event, Found, Key, RequestId, Subscribers, Violation};
use registry::{Registry, Role, Watch};
use requests::{Request, Requests};

/// One client's side of a ubus connection.
#[derive(Debug, Default)]
pub struct Session {
    link: Link,
    inbox: Inbox,
    outbox: Queue,
    /// Messages that did not fit into the outbox.
    dropped: u32,
    registry: Registry,
    requests: Requests,
    last_request: u32,
    /// Calls of our methods that wait for an answer.
    calls: ById<CallId, PendingCall>,
    last_call: u32,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Link {
    #[default]
    Down,
    /// Until the deadline, in µs, ubusd should greet.
    Greeting(u64),
    Up,
}

/// Where the answer to a call of ours goes.
#[derive(Debug)]
struct PendingCall {
    seq: u16,
    caller: u32,
    object: u32,
    /// When the caller is told that it took too long, in µs.
    deadline: u64,
}

/// What to offer and to listen to.
impl Session {
    /// A session that offers nothing yet.
    pub fn new() -> Session {
        Session::default()
    }

    /// Publishes an object; [`Event::Registered`] tells when it is there.
    pub fn publish(&mut self, now: u64, object: Object) -> Key {
        self.begin(now, Role::Object(object))
    }

    /// Listens to the events of this name, or whose name starts with what stands before a final `*`.
    pub fn listen(&mut self, now: u64, pattern: &str) -> Key {
        self.begin(now, Role::Events { pattern: pattern.to_owned() })
    }

    /// Follows the notifications of the object at `path`, however often it comes and goes.
    pub fn follow(&mut self, now: u64, path: &str) -> Key {
        self.begin(now, Role::Follower { path: path.to_owned(), watch: Watch::Off, target: None })
    }

    /// Takes an object back, or stops to listen or follow.
    pub fn remove(&mut self, key: Key) {
        if let Some(id) = self.registry.remove(key)
            && self.is_connected()
        {
            self.withdraw(id);
        }
    }

    fn begin(&mut self, now: u64, role: Role) -> Key {
        let key = self.registry.insert(role);
        if self.is_connected() {
            self.step(now, key);
        }
        key
    }
}

/// Bytes and time.
impl Session {
    /// The stream to ubusd is open; its greeting is awaited.
    pub fn connected(&mut self, now: u64) {
        self.forget();
        self.link = Link::Greeting(now.saturating_add(ANSWER_US));
    }

    /// The stream is gone: everything under way has failed.
    pub fn disconnected(&mut self, events: &mut Vec<Event>) {
        let link = core::mem::take(&mut self.link);
        while let Some(request) = self.requests.pop() {
            let _ = client::fail(request, CallError::Disconnected, events);
        }
        self.forget();
        if link == Link::Up {
            events.push(Event::Disconnected);
        }
    }

    /// Whether ubusd has greeted, so that requests can be sent.
    pub fn is_connected(&self) -> bool {
        self.link == Link::Up
    }

    /// How many messages were lost since the start because too much waited to be sent.
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// The bytes that wait to be sent.
    pub fn outgoing(&self) -> &[u8] {
        self.outbox.as_slice()
    }

    /// The first `count` of them have been sent.
    pub fn sent(&mut self, count: usize) {
        self.outbox.take(count);
        self.outbox.settle();
    }

    /// Takes what was received.
    ///
    /// # Errors
    /// The stream is of no use any more: close it, and call [`Session::disconnected`].
    pub fn receive(&mut self, now: u64, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Violation> {
        let mut inbox = core::mem::take(&mut self.inbox);
        inbox.push(bytes);
        let result = self.drain(now, &mut inbox, events);
        self.inbox = inbox;
        result
    }

    fn drain(&mut self, now: u64, inbox: &mut Inbox, events: &mut Vec<Event>) -> Result<(), Violation> {
        while let Some(message) = inbox.next_message().map_err(Violation::Frame)? {
            if self.link == Link::Up {
                self.handle(now, message, events);
            } else if message.header.kind == Kind::Hello {
                self.link = Link::Up;
                events.push(Event::Connected);
                self.register(now);
            } else {
                return Err(Violation::NoGreeting);
            }
        }
        Ok(())
    }

    /// Does what is due.
    ///
    /// # Errors
    /// As [`Session::receive`].
    pub fn expire(&mut self, now: u64, events: &mut Vec<Event>) -> Result<(), Violation> {
        if let Link::Greeting(deadline) = self.link
            && deadline <= now
        {
            return Err(Violation::Silence);
        }
        while let Some(request) = self.requests.expired(now) {
            client::fail(request, CallError::Deadline, events)?;
        }
        self.expire_calls(now);
        if self.is_connected() && self.registry.retry_at.is_some_and(|retry_at| retry_at <= now) {
            self.register(now);
        }
        Ok(())
    }

    /// When [`Session::expire`] has something to do, in µs; it may be earlier than now.
    pub fn next_deadline(&self) -> Option<u64> {
        let greeting = if let Link::Greeting(deadline) = self.link { Some(deadline) } else { None };
        let calls = self.calls.values().map(|call| call.deadline).min();
        let mut next = None;
        for deadline in [greeting, calls, self.requests.next_deadline(), self.registry.retry_at] {
            next = match (next, deadline) {
                (Some(one), Some(other)) => Some(u64::min(one, other)),
                (one, None) | (None, one) => one,
            };
        }
        next
    }

    /// Forgets everything that belongs to a connection.
    fn forget(&mut self) {
        self.inbox = Inbox::default();
        self.outbox.clear();
        self.requests = Requests::default();
        self.calls.clear();
        self.registry.reset();
    }
}

/// What arrives.
impl Session {
    fn handle(&mut self, now: u64, message: Message<'_>, events: &mut Vec<Event>) {
        let header = message.header;
        let attributes = message.attributes();
        match header.kind {
            Kind::Status => self.on_status(now, header, &attributes, events),
            Kind::Data => self.on_data(header, &attributes),
            Kind::Invoke => self.on_invoke(now, header, &attributes, events),
            Kind::Notify => self.on_subscribers(&attributes, events),
            Kind::Unsubscribe => {
                if let (Some(id), Some(target)) = (attributes.object, attributes.target) {
                    self.unsubscribed(id, target, events);
                }
            }
            // ubusd sends none of these to us; libubus ignores them too.
            Kind::Hello
            | Kind::Ping
            | Kind::Lookup
            | Kind::AddObject
            | Kind::RemoveObject
            | Kind::Subscribe
            | Kind::Monitor
            | Kind::Unknown(_) => (),
        }
    }
}

/// Sending.
impl Session {
    /// Sends a message whose answer matters.
    fn ask(&mut self, seq: u16, message: Builder, request: Request) -> Result<(), CallError> {
        self.send(message)?;
        self.requests.open(seq, request);
        Ok(())
    }

    fn send(&mut self, message: Builder) -> Result<(), CallError> {
        if !self.is_connected() {
            return Err(CallError::Disconnected);
        }
        let bytes = message.finish().map_err(|_| CallError::TooLong)?;
        self.enqueue(&[&bytes])
    }

    /// Queues messages that belong together, or none of them.
    fn enqueue(&mut self, messages: &[&[u8]]) -> Result<(), CallError> {
        let size = messages.iter().fold(self.outbox.len(), |sum, bytes| sum.saturating_add(bytes.len()));
        if size > OUTBOX_MAX {
            self.dropped = self.dropped.saturating_add(1);
            return Err(CallError::Busy);
        }
        messages.iter().for_each(|bytes| self.outbox.push(bytes));
        Ok(())
    }
}

/// How long ubusd may take to greet and to answer a registration, in µs. It does so within a
/// millisecond; one that was stopped for longer may have answers in store that nobody waits for.
pub const ANSWER_US: u64 = 10_000_000;

/// When a registration that was refused is tried again, in µs.
pub const RETRY_US: u64 = 5_000_000;

/// How long a caller of ours waits for [`Session::answer`], in µs, before it is told that it took too
/// long. The `ubus` command waits for 30 s.
pub const CALL_US: u64 = 60_000_000;

/// Calls of our methods that can wait for their answers at a time; more are refused with
/// [`Status::NoMemory`](super::Status::NoMemory).
pub const CALLS_MAX: usize = 128;

/// How many of them one caller can have, so that a caller that floods shuts out nobody else.
pub const CALLS_OF_ONE_MAX: usize = 16;

/// How much may wait to be sent, in bytes: the largest answer, and as much again.
const OUTBOX_MAX: usize = 2 * super::blob::MAX_MESSAGE + 1024;

/// ubusd's own object that passes events on.
const EVENT_OBJECT: u32 = 1;

#[cfg(test)]
mod tests;

//! What is registered at ubusd: our objects, the events we listen to, the objects we follow.
//!
//! Events and notifications come to anonymous objects of ours, one for each [`Entry`], because they do
//! not say which pattern or which object they are for. The steps are:
//!
//! ```text
//! object    ADD_OBJECT ─► done
//! events    ADD_OBJECT ─► "register" PATTERN ─► done
//! follower  ADD_OBJECT ─► "register" ubus.object.add ─► LOOKUP ─► SUBSCRIBE ─► done
//!                                                         └─ absent: SUBSCRIBE when the event says it came
//! ```
//!
//! A step that is refused is tried again after [`RETRY_US`]; a new connection starts over.

use super::super::message::Builder;
use super::super::object::Object;
use super::super::{Data, Kind, Status, Table, Value};
use super::by_id::ById;
use super::event::{CallError, Event, Key};
use super::requests::{Purpose, Request};
use super::{ANSWER_US, EVENT_OBJECT, RETRY_US, Session};

/// Everything registered, by key.
#[derive(Debug, Default)]
pub(super) struct Registry {
    entries: ById<Key, Entry>,
    last_key: u32,
    /// When to try again what was refused, in µs.
    pub retry_at: Option<u64>,
}

/// One thing that is registered.
#[derive(Debug)]
pub(super) struct Entry {
    pub role: Role,
    /// Our object's id at ubusd.
    id: Option<u32>,
    stage: Stage,
    /// The refusal that the owner of the session knows about.
    reported: Option<Status>,
}

/// What it is.
#[derive(Debug)]
pub(super) enum Role {
    /// An object of ours that others call.
    Object(Object),
    /// Events whose names match.
    Events { pattern: String },
    /// The notifications of somebody's object.
    Follower { path: String, watch: Watch, target: Option<u32> },
}

/// Whether ubusd tells a follower about new objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watch {
    Off,
    On,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The next step has to be taken.
    Idle,
    /// A request is under way.
    Busy,
    /// Nothing to do: all is done, or the followed object is absent.
    Settled,
}

impl Registry {
    pub fn insert(&mut self, role: Role) -> Key {
        self.last_key = self.last_key.wrapping_add(1);
        let key = Key(self.last_key);
        self.entries.add(key, Entry { role, id: None, stage: Stage::Idle, reported: None });
        key
    }

    /// Forgets an entry; returns its id at ubusd.
    pub fn remove(&mut self, key: Key) -> Option<u32> {
        self.entries.remove(key)?.id
    }

    /// The entry whose object at ubusd has this id.
    pub fn find(&self, id: u32) -> Option<(Key, &Entry)> {
        self.entries.iter().find(|(_, entry)| entry.id == Some(id))
    }

    /// The id at ubusd of a published object.
    pub fn published(&self, key: Key) -> Option<u32> {
        let entry = self.entries.get(key)?;
        if matches!(entry.role, Role::Object(_)) { entry.id } else { None }
    }

    /// Back to the start: a new connection knows nothing.
    pub fn reset(&mut self) {
        for entry in self.entries.values_mut() {
            entry.id = None;
            entry.stage = Stage::Idle;
            entry.reported = None;
            if let Role::Follower { watch, target, .. } = &mut entry.role {
                *watch = Watch::Off;
                *target = None;
            }
        }
        self.retry_at = None;
    }

    /// Tries an entry's step again later.
    fn hold(&mut self, now: u64, key: Key) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.stage = Stage::Idle;
            self.retry_at = Some(now.saturating_add(RETRY_US));
        }
    }

    /// Returns whether the entry is still there.
    fn settle(&mut self, key: Key) -> bool {
        self.entries.get_mut(key).map(|entry| entry.stage = Stage::Settled).is_some()
    }

    /// Sets the object that a follower is subscribed to.
    fn aim(&mut self, key: Key, new: Option<u32>) {
        if let Some(Entry { role: Role::Follower { target, .. }, .. }) = self.entries.get_mut(key) {
            *target = new;
        }
    }
}

/// The steps.
impl Session {
    /// Takes the next step of everything that waits for one.
    pub(super) fn register(&mut self, now: u64) {
        self.registry.retry_at = None;
        let mut idle = Vec::new();
        for (key, entry) in self.registry.entries.iter() {
            if entry.stage == Stage::Idle {
                idle.push(key);
            }
        }
        for key in idle {
            self.step(now, key);
        }
    }

    /// Takes the next step of an entry; later, if it cannot be sent now.
    pub(super) fn step(&mut self, now: u64, key: Key) {
        if self.try_step(now, key).is_err() {
            self.registry.hold(now, key);
        }
    }

    fn try_step(&mut self, now: u64, key: Key) -> Result<(), CallError> {
        let seq = self.requests.vacant().ok_or(CallError::Busy)?;
        let Some(entry) = self.registry.entries.get_mut(key) else { return Ok(()) };
        let (purpose, peer, message) = match (&entry.role, entry.id) {
            (Role::Object(object), None) => {
                let signature = object.signature().map_err(|_| CallError::TooLong)?;
                let message = Builder::new(Kind::AddObject, seq, 0).path(&object.path).signature(&signature);
                (Purpose::Add { key, id: None }, 0, message)
            }
            (Role::Events { .. } | Role::Follower { .. }, None) => {
                (Purpose::Add { key, id: None }, 0, Builder::new(Kind::AddObject, seq, 0))
            }
            (Role::Object(_), Some(_)) => return Ok(()),
            (Role::Events { pattern }, Some(id)) => {
                (Purpose::Listen { key }, EVENT_OBJECT, listen(seq, id, pattern)?)
            }
            (Role::Follower { watch: Watch::Off, .. }, Some(id)) => {
                (Purpose::Listen { key }, EVENT_OBJECT, listen(seq, id, OBJECT_ADDED)?)
            }
            (Role::Follower { path, .. }, Some(_)) => {
                (Purpose::Locate { key, id: None }, 0, Builder::new(Kind::Lookup, seq, 0).path(path))
            }
        };
        entry.stage = Stage::Busy;
        self.ask(seq, message, Request { peer, deadline: now.saturating_add(ANSWER_US), purpose })
    }

    fn subscribe(&mut self, now: u64, key: Key, target: u32) {
        if self.try_subscribe(now, key, target).is_err() {
            self.registry.hold(now, key);
        }
    }

    fn try_subscribe(&mut self, now: u64, key: Key, target: u32) -> Result<(), CallError> {
        let seq = self.requests.vacant().ok_or(CallError::Busy)?;
        let Some(entry) = self.registry.entries.get_mut(key) else { return Ok(()) };
        let Some(id) = entry.id else { return Ok(()) };
        entry.stage = Stage::Busy;
        let message = Builder::new(Kind::Subscribe, seq, 0).object(id).target(target);
        let purpose = Purpose::Follow { key, target };
        self.ask(seq, message, Request { peer: 0, deadline: now.saturating_add(ANSWER_US), purpose })
    }

    /// Takes an object of ours back.
    pub(super) fn withdraw(&mut self, id: u32) {
        let seq = self.requests.next_seq();
        // If it cannot be sent, the next connection will not have the object.
        let _ = self.send(Builder::new(Kind::RemoveObject, seq, 0).object(id));
    }
}

/// The answers.
impl Session {
    /// ADD_OBJECT has been answered.
    pub(super) fn added(&mut self, now: u64, key: Key, id: Result<u32, Status>, events: &mut Vec<Event>) {
        let id = match id {
            Ok(id) => id,
            Err(status) => return self.refused(now, key, status, events),
        };
        let Some(entry) = self.registry.entries.get_mut(key) else {
            return self.withdraw(id); // It was removed in the meantime.
        };
        entry.id = Some(id);
        match entry.role {
            Role::Object(_) => self.done(key, events),
            Role::Events { .. } | Role::Follower { .. } => self.step(now, key),
        }
    }

    /// "register" has been answered.
    pub(super) fn listening(&mut self, now: u64, key: Key, status: Status, events: &mut Vec<Event>) {
        if status != Status::Ok {
            return self.refused(now, key, status, events);
        }
        match self.registry.entries.get_mut(key).map(|entry| &mut entry.role) {
            Some(Role::Follower { watch, .. }) => {
                *watch = Watch::On;
                self.step(now, key);
            }
            Some(Role::Object(_) | Role::Events { .. }) => self.done(key, events),
            None => (),
        }
    }

    /// LOOKUP has been answered.
    pub(super) fn located(&mut self, now: u64, key: Key, id: Result<u32, Status>, events: &mut Vec<Event>) {
        match id {
            Ok(target) => self.subscribe(now, key, target),
            Err(Status::NotFound) => self.absent(key, events),
            Err(status) => self.refused(now, key, status, events),
        }
    }

    /// SUBSCRIBE has been answered.
    pub(super) fn followed(
        &mut self,
        now: u64,
        key: Key,
        target: Result<u32, Status>,
        events: &mut Vec<Event>,
    ) {
        match target {
            Ok(target) => {
                self.registry.aim(key, Some(target));
                self.done(key, events);
            }
            // Also when it went and came again meanwhile, and its event was ignored: look again.
            Err(status) => self.refused(now, key, status, events),
        }
    }

    /// The target of our subscription is gone.
    pub(super) fn unsubscribed(&mut self, id: u32, gone: u32, events: &mut Vec<Event>) {
        if let Some((key, Entry { role: Role::Follower { target: Some(target), .. }, .. })) =
            self.registry.find(id)
            && *target == gone
        {
            self.absent(key, events);
        }
    }

    /// The event `ubus.object.add` has come to a follower.
    pub(super) fn object_appeared(&mut self, now: u64, key: Key, data: &Data) {
        let Ok(added) = data.decode::<Table>() else { return };
        let number = |name| added.get(name).and_then(Value::as_int);
        let (Some(id), Some(added)) = (number("id"), added.get("path").and_then(Value::as_str)) else {
            return;
        };
        if let Some(Entry { role: Role::Follower { path, target: None, .. }, stage: Stage::Settled, .. }) =
            self.registry.entries.get(key)
            && *path == added
        {
            self.subscribe(now, key, id as u32);
        }
    }

    fn done(&mut self, key: Key, events: &mut Vec<Event>) {
        if self.registry.settle(key) {
            events.push(Event::Registered(key));
        }
    }

    fn absent(&mut self, key: Key, events: &mut Vec<Event>) {
        self.registry.aim(key, None);
        if self.registry.settle(key) {
            events.push(Event::Gone(key));
        }
    }

    fn refused(&mut self, now: u64, key: Key, status: Status, events: &mut Vec<Event>) {
        self.registry.hold(now, key);
        if let Some(entry) = self.registry.entries.get_mut(key)
            && entry.reported != Some(status)
        {
            entry.reported = Some(status);
            events.push(Event::Refused(key, status));
        }
    }
}

/// Asks ubusd to send the events of a pattern to our object.
fn listen(seq: u16, id: u32, pattern: &str) -> Result<Builder, CallError> {
    // The numbers are signed on the wire; the bits are what counts.
    let arguments = Table::default().with("object", id as i32).with("pattern", pattern);
    let data = Data::encode(&arguments).map_err(|_| CallError::TooLong)?;
    Ok(Builder::new(Kind::Invoke, seq, EVENT_OBJECT).object(EVENT_OBJECT).method("register").data(&data))
}

/// The event by which ubusd announces an object.
pub(super) const OBJECT_ADDED: &str = "ubus.object.add";

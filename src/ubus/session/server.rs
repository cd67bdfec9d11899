//! The serving side of a session: calls, events and notifications that come to our objects.

use super::super::blob::{MAX_MESSAGE, Writer};
use super::super::blobmsg::{Type, lossy};
use super::super::message::{Attributes, Builder, Header};
use super::super::{Data, Error, Kind, Status};
use super::event::{Call, CallError, CallId, Event, Key, Subscribers};
use super::registry::{OBJECT_ADDED, Role};
use super::{CALL_US, CALLS_MAX, CALLS_OF_ONE_MAX, PendingCall, Session};

/// What our callers and subscribers get.
impl Session {
    /// Answers a call, at once or much later. An empty table sends the status alone.
    ///
    /// Nothing happens if the connection broke in the meantime, or if [`CALL_US`](super::CALL_US) have
    /// passed since the call. An answer above the message limit becomes [`Status::NoMemory`].
    pub fn answer(&mut self, call: CallId, result: Result<&Data, Status>) {
        let Some(call) = self.calls.remove(call) else { return };
        let answer = |kind| Builder::new(kind, call.seq, call.caller);
        let (data, status) = match result {
            Ok(data) if data.as_bytes().is_empty() => (Ok(Vec::new()), Status::Ok),
            Ok(data) => (answer(Kind::Data).object(call.object).data(data).finish(), Status::Ok),
            Err(status) => (Ok(Vec::new()), status),
        };
        let (data, status) = match data {
            Ok(data) => (data, status),
            Err(_) => (Vec::new(), Status::NoMemory),
        };
        let end = answer(Kind::Status).status(status).object(call.object).finish();
        if let Ok(end) = end {
            // If too much waits to be sent already, the caller's own deadline has to do.
            let _ = self.enqueue(&[&data, &end]);
        }
    }

    /// Tells the subscribers of our object. Nothing says whether it arrives.
    ///
    /// # Errors
    /// [`CallError::Disconnected`] also while the object is not published, [`CallError::Busy`],
    /// [`CallError::TooLong`].
    pub fn notify(&mut self, object: Key, name: &str, data: &Data) -> Result<(), CallError> {
        let id = self.registry.published(object).ok_or(CallError::Disconnected)?;
        let seq = self.requests.next_seq();
        self.send(Builder::new(Kind::Notify, seq, id).object(id).method(name).data(data).no_reply())
    }

    /// Ends calls that nobody answered in time.
    pub(super) fn expire_calls(&mut self, now: u64) {
        let mut late = Vec::new();
        for (id, call) in self.calls.iter() {
            if call.deadline <= now {
                late.push(id);
            }
        }
        for id in late {
            self.answer(id, Err(Status::Timeout));
        }
    }
}

/// What comes to our objects.
impl Session {
    /// Something for one of our objects.
    pub(super) fn on_invoke(
        &mut self,
        now: u64,
        header: Header,
        attributes: &Attributes<'_>,
        events: &mut Vec<Event>,
    ) {
        let (Some(id), Some(method)) = (attributes.object, attributes.method) else { return };
        let Some((key, entry)) = self.registry.find(id) else { return };
        let data = Data::from_bytes(attributes.data.unwrap_or_default().to_vec());
        match &entry.role {
            Role::Object(object) => {
                let object = object.method(method).ok_or(Status::MethodNotFound);
                let checked = object.and_then(|method| method.check(&data).map(|()| method.name));
                self.on_call(now, header, id, checked, |id, method| {
                    let user = owned(attributes.user.unwrap_or_default());
                    let group = owned(attributes.group.unwrap_or_default());
                    events.push(Event::Call(Call { id, object: key, method, data, user, group }));
                });
            }
            // Events come from ubusd itself, which has no peer; anything else is a stranger's call.
            Role::Events { .. } if header.peer == 0 => {
                events.push(Event::Heard(key, owned(method), data));
            }
            Role::Events { .. } => (),
            Role::Follower { .. } if header.peer == 0 => {
                if method == OBJECT_ADDED.as_bytes() {
                    self.object_appeared(now, key, &data);
                }
            }
            Role::Follower { target, .. } => {
                if target.is_some() {
                    events.push(Event::Notified(key, owned(method), data));
                }
                if attributes.no_reply.unwrap_or_default() == 0 {
                    let answer = Builder::new(Kind::Status, header.seq, header.peer);
                    // If it cannot be sent, the notifier's own deadline has to do.
                    let _ = self.send(answer.status(Status::Ok).object(id));
                }
            }
        }
    }

    /// A call of one of our methods, checked.
    fn on_call(
        &mut self,
        now: u64,
        header: Header,
        object: u32,
        method: Result<&'static str, Status>,
        accept: impl FnOnce(CallId, &'static str),
    ) {
        self.last_call = self.last_call.wrapping_add(1);
        let id = CallId(self.last_call);
        let of_caller = self.calls.values().filter(|call| call.caller == header.peer).count();
        let busy = self.calls.len() >= CALLS_MAX || of_caller >= CALLS_OF_ONE_MAX;
        let deadline = now.saturating_add(CALL_US);
        self.calls.add(id, PendingCall { seq: header.seq, caller: header.peer, object, deadline });
        match method {
            Ok(_) if busy => self.answer(id, Err(Status::NoMemory)),
            Ok(method) => accept(id, method),
            Err(status) => self.answer(id, Err(status)),
        }
    }

    /// The first subscriber has come, or the last has gone.
    pub(super) fn on_subscribers(&mut self, attributes: &Attributes<'_>, events: &mut Vec<Event>) {
        let (Some(id), Some(active)) = (attributes.object, attributes.active) else { return };
        let Some((key, _)) = self.registry.find(id) else { return };
        let subscribers = if active == 0 { Subscribers::None } else { Subscribers::Some };
        events.push(Event::Subscribers(key, subscribers));
    }
}

/// The arguments with which ubusd passes an event on.
pub(super) fn event(name: &str, data: &Data) -> Result<Data, Error> {
    let mut out = Writer::new(MAX_MESSAGE);
    out.put_string("id", name)?;
    let mark = out.begin_field("data", Type::Table)?;
    out.append(data.as_bytes())?;
    out.end(mark);
    Ok(Data::from_bytes(out.into_bytes()))
}

/// Text from the wire.
pub(super) fn owned(text: &[u8]) -> String {
    lossy(text).into_owned()
}

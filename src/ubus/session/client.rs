//! The asking side of a session: calls, lookups and events of ours, and how they end.

use super::super::message::{Attributes, Builder, Header};
use super::super::{Data, Kind, Status};
use super::event::{CallError, Event, Found, RequestId, Violation};
use super::requests::{Collected, Purpose, Request};
use super::{EVENT_OBJECT, Session, server};

/// What to ask others.
impl Session {
    /// Calls a method of the object at `path`; [`Event::Reply`] tells how it ended.
    ///
    /// `deadline` is a time, in µs, like `now`.
    ///
    /// # Errors
    /// Those that are known at once: [`CallError::Disconnected`], [`CallError::Busy`],
    /// [`CallError::TooLong`].
    pub fn call(
        &mut self,
        path: &str,
        method: &str,
        arguments: &Data,
        deadline: u64,
    ) -> Result<RequestId, CallError> {
        if path.ends_with('*') {
            return Err(CallError::Status(Status::InvalidArgument)); // Lookups take patterns, calls do not.
        }
        let request = self.new_request();
        let purpose =
            Purpose::Prepare { request, id: None, method: method.to_owned(), arguments: arguments.clone() };
        self.ask_for_objects(path, deadline, purpose)?;
        Ok(request)
    }

    /// Looks for the object at `pattern`, or for all whose path starts with what stands before a final
    /// `*`; [`Event::Found`] tells what there is.
    ///
    /// # Errors
    /// As [`Session::call`].
    pub fn lookup(&mut self, pattern: &str, deadline: u64) -> Result<RequestId, CallError> {
        let request = self.new_request();
        self.ask_for_objects(pattern, deadline, Purpose::Lookup { request, found: Collected::default() })?;
        Ok(request)
    }

    /// Tells everybody who listens. Nothing says whether it arrives.
    ///
    /// # Errors
    /// As [`Session::call`].
    pub fn send_event(&mut self, name: &str, data: &Data) -> Result<(), CallError> {
        let seq = self.requests.next_seq();
        let arguments = server::event(name, data).map_err(|_| CallError::TooLong)?;
        let message = Builder::new(Kind::Invoke, seq, EVENT_OBJECT).object(EVENT_OBJECT).method("send");
        self.send(message.data(&arguments))
    }

    fn new_request(&mut self) -> RequestId {
        self.last_request = self.last_request.wrapping_add(1);
        RequestId(self.last_request)
    }

    fn ask_for_objects(&mut self, path: &str, deadline: u64, purpose: Purpose) -> Result<(), CallError> {
        let seq = self.requests.vacant().ok_or(CallError::Busy)?;
        let message = Builder::new(Kind::Lookup, seq, 0).path(path);
        self.ask(seq, message, Request { peer: 0, deadline, purpose })
    }
}

/// The answers.
impl Session {
    /// A part of an answer.
    pub(super) fn on_data(&mut self, header: Header, attributes: &Attributes<'_>) {
        let Some(request) = self.requests.get(header.seq, header.peer) else { return };
        match &mut request.purpose {
            Purpose::Add { id, .. } | Purpose::Locate { id, .. } | Purpose::Prepare { id, .. } => {
                *id = attributes.object.or(*id);
            }
            Purpose::Invoke { answers, .. } => {
                if let Some(data) = attributes.data {
                    answers.push(Data::from_bytes(data.to_vec()), data.len());
                }
            }
            Purpose::Lookup { found, .. } => {
                if let (Some(path), Some(id)) = (attributes.path, attributes.object) {
                    let signature = attributes.signature.unwrap_or_default();
                    let size = path.len().saturating_add(signature.len());
                    let signature = Data::from_bytes(signature.to_vec());
                    found.push(Found { path: server::owned(path), id, signature }, size);
                }
            }
            Purpose::Listen { .. } | Purpose::Follow { .. } => (),
        }
    }

    /// The end of an answer.
    pub(super) fn on_status(
        &mut self,
        now: u64,
        header: Header,
        attributes: &Attributes<'_>,
        events: &mut Vec<Event>,
    ) {
        let Some(status) = attributes.status else { return };
        let Some(Request { deadline, purpose, .. }) = self.requests.close(header.seq, header.peer) else {
            return;
        };
        let result = if status == Status::Ok { Ok(()) } else { Err(CallError::Status(status)) };
        match purpose {
            Purpose::Add { key, id } => self.added(now, key, outcome(status, id), events),
            Purpose::Listen { key } => self.listening(now, key, status, events),
            Purpose::Locate { key, id } => self.located(now, key, outcome(status, id), events),
            Purpose::Follow { key, target } => self.followed(now, key, outcome(status, Some(target)), events),
            Purpose::Prepare { request, id, method, arguments } => {
                let id = outcome(status, id).map_err(no_object);
                let invoked = id.and_then(|id| self.invoke(request, id, &method, &arguments, deadline));
                if let Err(error) = invoked {
                    events.push(Event::Reply(request, Err(error)));
                }
            }
            Purpose::Invoke { request, answers } => {
                // What an owner answers names its object; what ubusd says of a missing one does not.
                let result =
                    if attributes.object.is_none() { result.map_err(|_| no_object(status)) } else { result };
                events.push(Event::Reply(request, result.and_then(|()| answers.finish())));
            }
            Purpose::Lookup { request, found } => {
                events.push(Event::Found(request, result.and_then(|()| found.finish())));
            }
        }
    }

    /// The second half of a call: the object's id is known.
    fn invoke(
        &mut self,
        request: RequestId,
        id: u32,
        method: &str,
        arguments: &Data,
        deadline: u64,
    ) -> Result<(), CallError> {
        let seq = self.requests.vacant().ok_or(CallError::Busy)?;
        let message = Builder::new(Kind::Invoke, seq, id).object(id).method(method).data(arguments);
        let purpose = Purpose::Invoke { request, answers: Collected::default() };
        self.ask(seq, message, Request { peer: id, deadline, purpose })
    }
}

/// What a request for an object's id has brought. Success without an id: the object is hidden from us.
fn outcome(status: Status, id: Option<u32>) -> Result<u32, Status> {
    if status == Status::Ok { id.ok_or(Status::NotFound) } else { Err(status) }
}

/// What a status of ubusd itself means for a call.
fn no_object(status: Status) -> CallError {
    if status == Status::NotFound { CallError::NoObject } else { CallError::Status(status) }
}

/// Ends a request without an answer. An unanswered registration is ubusd's fault.
pub(super) fn fail(request: Request, error: CallError, events: &mut Vec<Event>) -> Result<(), Violation> {
    match request.purpose {
        Purpose::Prepare { request, .. } | Purpose::Invoke { request, .. } => {
            events.push(Event::Reply(request, Err(error)));
        }
        Purpose::Lookup { request, .. } => events.push(Event::Found(request, Err(error))),
        Purpose::Add { .. } | Purpose::Listen { .. } | Purpose::Locate { .. } | Purpose::Follow { .. } => {
            return Err(Violation::Silence);
        }
    }
    Ok(())
}

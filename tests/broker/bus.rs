//! What ubusd does with messages, without sockets: bytes of each client in, bytes for each client out.

use std::collections::{BTreeMap, VecDeque};

use gwha::ubus::blob::{Attrs, Writer};
use gwha::ubus::blobmsg::{Content, Fields, Type as Scalar};
use gwha::ubus::inbox::{FrameError, Inbox};
use gwha::ubus::message::{Attributes, Builder, Message};
use gwha::ubus::{Data, Kind, Status};

/// What may wait for a client that does not read, in bytes; what comes on top is lost.
pub const QUEUE_MAX: usize = 1 << 20;

/// The id of ubusd's own object for events.
const EVENT_OBJECT: u32 = 1;

/// ubusd's own objects: events, access lists, monitor.
const SYSTEM_OBJECTS: [u32; 3] = [EVENT_OBJECT, 2, 3];

/// The first id that is not ubusd's own.
const FIRST_ID: u32 = 1024;

/// A message bus for root: without access lists, monitor and file descriptors.
#[derive(Default)]
pub struct Bus {
    clients: BTreeMap<u32, Client>,
    objects: BTreeMap<u32, Object>,
    types: BTreeMap<u32, Type>,
    /// Newest first, as ubusd's list.
    subscriptions: VecDeque<Subscription>,
    listeners: Vec<Listener>,
    event_seq: u16,
    random: u32,
}

#[derive(Default)]
struct Client {
    inbox: Inbox,
    /// Messages that nobody tried to send yet.
    fresh: VecDeque<Vec<u8>>,
    /// What its socket did not take.
    queue: Vec<u8>,
    user: String,
    group: String,
}

struct Object {
    client: u32,
    path: Option<Vec<u8>>,
    kind: Option<u32>,
    seq: u16,
    /// Counts up, to know which object is newer.
    age: u32,
}

struct Type {
    signature: Vec<u8>,
    users: u32,
}

#[derive(Clone, Copy, PartialEq)]
struct Subscription {
    subscriber: u32,
    target: u32,
}

struct Listener {
    object: u32,
    pattern: Vec<u8>,
}

/// How a request ends.
enum End {
    /// With this status.
    Status(Status),
    /// Without any.
    Silent,
}

type Outcome = Result<End, Status>;

const DONE: Outcome = Ok(End::Status(Status::Ok));

impl Bus {
    /// A new client, greeted; returns its id.
    pub fn connect(&mut self, user: &str, group: &str) -> u32 {
        let id = self.new_id();
        let client = Client { user: user.into(), group: group.into(), ..Client::default() };
        self.clients.insert(id, client);
        self.send(id, Builder::new(Kind::Hello, 0, id));
        id
    }

    /// The client is gone, and all that was its.
    pub fn disconnect(&mut self, client: u32) {
        let mut own: Vec<(u32, u32)> = self.objects_of(client).collect();
        own.sort_by_key(|(age, _)| core::cmp::Reverse(*age));
        for (_, id) in own {
            self.free_object(id);
        }
        self.clients.remove(&client);
    }

    /// Whether something waits to be sent to a client.
    pub fn pending(&self, client: u32) -> bool {
        self.clients.get(&client).is_some_and(|client| !client.queue.is_empty() || !client.fresh.is_empty())
    }

    /// Sends what a client's socket takes: `write` says how much that was.
    pub fn transmit<E>(
        &mut self,
        client: u32,
        mut write: impl FnMut(&[u8]) -> Result<usize, E>,
    ) -> Result<(), E> {
        let Some(client) = self.clients.get_mut(&client) else { return Ok(()) };
        if !client.queue.is_empty() {
            let count = write(&client.queue)?;
            client.queue.drain(..count);
        }
        while let Some(message) = client.fresh.pop_front() {
            let count = if client.queue.is_empty() { write(&message)? } else { 0 };
            let rest = &message[count..];
            if client.queue.len() + rest.len() <= QUEUE_MAX {
                client.queue.extend(rest);
            }
        }
        Ok(())
    }

    /// Takes what a client has sent. An error ends its connection.
    pub fn receive(&mut self, client: u32, bytes: &[u8]) -> Result<(), FrameError> {
        let Some(entry) = self.clients.get_mut(&client) else { return Ok(()) };
        let mut inbox = std::mem::take(&mut entry.inbox);
        inbox.push(bytes);
        while let Some(message) = inbox.next_message()? {
            self.handle(client, message);
        }
        if let Some(entry) = self.clients.get_mut(&client) {
            entry.inbox = inbox;
        }
        Ok(())
    }

    fn handle(&mut self, client: u32, message: Message<'_>) {
        let all = message.attributes();
        let outcome = match message.header.kind {
            Kind::Ping => {
                self.forward(client, message, Kind::Data, message.header.peer);
                DONE
            }
            Kind::Lookup => self.lookup(client, message, &all),
            Kind::Invoke => self.invoke(client, message, &all),
            Kind::AddObject => self.add_object(client, message, &all),
            Kind::RemoveObject => self.remove_object(client, message, &all),
            Kind::Subscribe => self.subscribe(client, &all),
            Kind::Unsubscribe => self.unsubscribe(client, &all),
            Kind::Notify => self.notify(client, message, &all),
            Kind::Status | Kind::Data => self.answer(client, message, &all),
            Kind::Hello | Kind::Monitor | Kind::Unknown(_) => Err(Status::InvalidCommand),
        };
        let status = match outcome {
            Ok(End::Silent) => return,
            Ok(End::Status(status)) | Err(status) => status,
        };
        self.send(client, reply(message, Kind::Status).status(status));
    }

    fn send(&mut self, client: u32, message: Builder) {
        if let (Some(client), Ok(bytes)) = (self.clients.get_mut(&client), message.finish()) {
            client.fresh.push_back(bytes);
        }
    }

    /// Passes a message on as it came, but for kind and peer.
    fn forward(&mut self, client: u32, message: Message<'_>, kind: Kind, peer: u32) {
        let mut bytes = vec![0, kind.wire()];
        bytes.extend(message.header.seq.to_be_bytes());
        bytes.extend(peer.to_be_bytes());
        bytes.extend((message.body.len() as u32 + 4).to_be_bytes());
        bytes.extend(message.body);
        if let Some(client) = self.clients.get_mut(&client) {
            client.fresh.push_back(bytes);
        }
    }

    /// Ids look random, as ubusd's do, and never repeat.
    fn new_id(&mut self) -> u32 {
        loop {
            self.random = self.random.wrapping_mul(0x915f_77f5).wrapping_add(0x9e37_79b9);
            let id = self.random ^ (self.random >> 15);
            let used = [self.clients.contains_key(&id), self.objects.contains_key(&id)].contains(&true);
            if id >= FIRST_ID && !used && !self.types.contains_key(&id) {
                return id;
            }
        }
    }
}

/// Objects.
impl Bus {
    fn add_object(&mut self, client: u32, message: Message<'_>, all: &Attributes<'_>) -> Outcome {
        let kind = match (all.object_type, all.signature) {
            (Some(known), _) => self.types.contains_key(&known).then_some(known),
            (None, Some(signature)) => self.new_type(signature),
            (None, None) => None,
        };
        if let Some(path) = all.path
            && self.objects.values().any(|object| object.path.as_deref() == Some(path))
        {
            self.release_type(kind.filter(|kind| self.types[kind].users == 0));
            return Err(Status::InvalidArgument);
        }
        let id = self.new_id();
        if let Some(kind) = kind {
            self.types.get_mut(&kind).unwrap().users += 1;
        }
        let path = all.path.map(<[u8]>::to_vec);
        let age = self.objects.values().map(|object| object.age).max().unwrap_or(0) + 1;
        self.objects.insert(id, Object { client, path, kind, seq: 0, age });
        self.announce(id, "ubus.object.add");
        let mut answer = reply(message, Kind::Data).object(id);
        if let (Some(_), Some(kind)) = (all.signature, kind) {
            answer = answer.object_type(kind);
        }
        self.send(client, answer);
        DONE
    }

    /// `None` for a malformed signature: the object is there, but never listed.
    fn new_type(&mut self, signature: &[u8]) -> Option<u32> {
        if !Fields::new(signature).all(|field| field.is_ok_and(|field| !field.name.is_empty())) {
            return None;
        }
        let id = self.new_id();
        // What is too short to be a method is not kept.
        let length =
            Attrs::new(signature).flatten().map(|attr| (attr.payload.len() + 4).next_multiple_of(4)).sum();
        let signature: &[u8] = &signature[..length];
        self.types.insert(id, Type { signature: signature.to_vec(), users: 0 });
        Some(id)
    }

    fn release_type(&mut self, kind: Option<u32>) {
        let Some(kind) = kind else { return };
        let entry = self.types.get_mut(&kind).unwrap();
        entry.users = entry.users.saturating_sub(1);
        if entry.users == 0 {
            self.types.remove(&kind);
        }
    }

    fn remove_object(&mut self, client: u32, message: Message<'_>, all: &Attributes<'_>) -> Outcome {
        let id = all.object.ok_or(Status::InvalidArgument)?;
        if SYSTEM_OBJECTS.contains(&id) {
            return Err(Status::PermissionDenied);
        }
        let object = self.objects.get(&id).ok_or(Status::NotFound)?;
        if object.client != client {
            return Err(Status::PermissionDenied);
        }
        let mut answer = reply(message, Kind::Data).object(id);
        if let Some(kind) = object.kind.filter(|kind| self.types[kind].users == 1) {
            answer = answer.object_type(kind);
        }
        self.send(client, answer);
        self.free_object(id);
        DONE
    }

    fn free_object(&mut self, id: u32) {
        while let Some(own) = self.subscriptions.iter().find(|s| s.subscriber == id).copied() {
            self.end_subscription(own);
        }
        while let Some(other) = self.subscriptions.iter().find(|s| s.target == id).copied() {
            let subscriber = self.objects.get_mut(&other.subscriber).unwrap();
            subscriber.seq += 1;
            let gone = Builder::new(Kind::Unsubscribe, subscriber.seq, 0);
            let client = subscriber.client;
            self.send(client, gone.object(other.subscriber).target(id));
            self.end_subscription(other);
        }
        self.listeners.retain(|listener| listener.object != id);
        self.announce(id, "ubus.object.remove");
        let object = self.objects.remove(&id).unwrap();
        self.release_type(object.kind);
    }

    fn objects_of(&self, client: u32) -> impl Iterator<Item = (u32, u32)> {
        self.objects
            .iter()
            .filter(move |(_, object)| object.client == client)
            .map(|(id, object)| (object.age, *id))
    }

    fn lookup(&mut self, client: u32, message: Message<'_>, all: &Attributes<'_>) -> Outcome {
        let (pattern, prefix) = match all.path {
            None => (&b""[..], true),
            Some([]) => return Err(Status::InvalidArgument),
            Some([start @ .., b'*']) => (start, true),
            Some(path) => (path, false),
        };
        let matches = |path: &[u8]| if prefix { path.starts_with(pattern) } else { path == pattern };
        let named = self.objects.iter().filter_map(|(id, object)| Some((object.path.clone()?, *id)));
        let mut found: Vec<(Vec<u8>, u32)> = named.filter(|(path, _)| matches(path)).collect();
        if found.is_empty() && all.path.is_some() {
            return Err(Status::NotFound);
        }
        found.sort();
        for (path, id) in found {
            let Some(kind) = self.objects[&id].kind else { continue };
            let signature = Data::from_bytes(self.types[&kind].signature.clone());
            let answer = reply(message, Kind::Data).raw(PATH, &terminated(&path));
            self.send(client, answer.object(id).object_type(kind).signature(&signature));
        }
        DONE
    }
}

/// Calls.
impl Bus {
    fn invoke(&mut self, client: u32, message: Message<'_>, all: &Attributes<'_>) -> Outcome {
        let (Some(id), Some(method)) = (all.object, all.method) else { return Err(Status::InvalidArgument) };
        if id == EVENT_OBJECT {
            return match method {
                b"register" => self.listen(client, all),
                b"send" => self.send_event(client, all),
                _ => Err(Status::InvalidCommand),
            };
        }
        let owner = self.objects.get(&id).ok_or(Status::NotFound)?.client;
        let start = Builder::new(Kind::Invoke, message.header.seq, client);
        let call = self.call(client, start, id, method, all);
        self.send(owner, call);
        Ok(End::Silent)
    }

    /// What an object's owner gets.
    fn call(&self, client: u32, start: Builder, object: u32, method: &[u8], all: &Attributes<'_>) -> Builder {
        let caller = &self.clients[&client];
        let mut call = start.object(object).raw(METHOD, &terminated(method));
        call = call.raw(USER, &terminated(caller.user.as_bytes()));
        call = call.raw(GROUP, &terminated(caller.group.as_bytes()));
        if let Some(data) = all.data {
            call = call.raw(DATA, data);
        }
        call
    }

    /// STATUS and DATA of an owner go to the caller, or nowhere.
    fn answer(&mut self, client: u32, message: Message<'_>, all: &Attributes<'_>) -> Outcome {
        let status = message.header.kind == Kind::Status;
        let complete = if status { all.status.is_some() } else { all.data.is_some() };
        let own = |id: &u32| self.objects.get(id).is_some_and(|object| object.client == client);
        if let Some(id) = all.object.filter(own)
            && complete
        {
            self.forward(message.header.peer, message, message.header.kind, id);
        }
        Ok(End::Silent)
    }
}

/// Subscriptions and notifications.
impl Bus {
    fn subscribe(&mut self, client: u32, all: &Attributes<'_>) -> Outcome {
        let (Some(subscriber), Some(target)) = (all.object, all.target) else {
            return Err(Status::InvalidArgument);
        };
        if self.objects.get(&subscriber).ok_or(Status::NotFound)?.client != client {
            return Err(Status::InvalidArgument);
        }
        if self.objects.get(&target).ok_or(Status::NotFound)?.client == client {
            return Err(Status::InvalidArgument);
        }
        let first = !self.has_subscribers(target);
        self.subscriptions.push_front(Subscription { subscriber, target });
        if first {
            self.tell_subscribers(target);
        }
        DONE
    }

    fn unsubscribe(&mut self, client: u32, all: &Attributes<'_>) -> Outcome {
        let (Some(subscriber), Some(target)) = (all.object, all.target) else {
            return Err(Status::InvalidArgument);
        };
        if self.objects.get(&subscriber).ok_or(Status::NotFound)?.client != client {
            return Err(Status::InvalidArgument);
        }
        let subscription = Subscription { subscriber, target };
        if !self.subscriptions.contains(&subscription) {
            return Err(Status::NotFound);
        }
        self.end_subscription(subscription);
        DONE
    }

    fn has_subscribers(&self, target: u32) -> bool {
        self.subscriptions.iter().any(|s| s.target == target)
    }

    fn end_subscription(&mut self, subscription: Subscription) {
        let position = self.subscriptions.iter().position(|s| *s == subscription).unwrap();
        self.subscriptions.remove(position);
        if !self.has_subscribers(subscription.target) {
            self.tell_subscribers(subscription.target);
        }
    }

    /// Tells an owner that the first subscriber has come or the last has gone.
    fn tell_subscribers(&mut self, target: u32) {
        let active = u8::from(self.has_subscribers(target));
        let object = self.objects.get_mut(&target).unwrap();
        object.seq += 1;
        let message = Builder::new(Kind::Notify, object.seq, 0).object(target).raw(ACTIVE, &[active]);
        let client = object.client;
        self.send(client, message);
    }

    fn notify(&mut self, client: u32, message: Message<'_>, all: &Attributes<'_>) -> Outcome {
        let (Some(id), Some(method)) = (all.object, all.method) else { return Err(Status::InvalidArgument) };
        if self.objects.get(&id).ok_or(Status::NotFound)?.client != client {
            return Err(Status::PermissionDenied);
        }
        let no_reply = all.no_reply.is_some_and(|value| value != 0);
        let subscribers: Vec<u32> =
            self.subscriptions.iter().filter(|s| s.target == id).map(|s| s.subscriber).collect();
        if !no_reply {
            let mut list = Vec::new();
            for subscriber in &subscribers {
                list.extend([0, 0, 0, 8]);
                list.extend(subscriber.to_be_bytes());
            }
            let answer = reply(message, Kind::Status).object(id).raw(SUBSCRIBERS, &list);
            self.send(client, answer.status(Status::Ok));
        }
        for subscriber in subscribers {
            let mut start = Builder::new(Kind::Invoke, message.header.seq, client);
            if no_reply {
                start = start.no_reply();
            }
            let call = self.call(client, start, subscriber, method, all);
            let owner = self.objects[&subscriber].client;
            self.send(owner, call);
        }
        Ok(End::Silent)
    }
}

/// Events.
impl Bus {
    fn listen(&mut self, client: u32, all: &Attributes<'_>) -> Outcome {
        let mut object = None;
        let mut pattern = None;
        for field in Fields::new(all.data.ok_or(Status::InvalidArgument)?).map_while(Result::ok) {
            match (field.name, field.content) {
                (b"object", Content::Int32(id)) => object = object.or(Some(id as u32)),
                (b"pattern", Content::String(text)) => pattern = pattern.or(Some(text)),
                _ => (),
            }
        }
        let (Some(object), Some(pattern)) = (object, pattern) else { return Err(Status::InvalidArgument) };
        if object < FIRST_ID {
            return Err(Status::PermissionDenied);
        }
        if self.objects.get(&object).ok_or(Status::NotFound)?.client != client || pattern.is_empty() {
            return Err(Status::PermissionDenied);
        }
        self.listeners.push(Listener { object, pattern: pattern.to_vec() });
        DONE
    }

    fn send_event(&mut self, client: u32, all: &Attributes<'_>) -> Outcome {
        let mut name = None;
        let mut data = None;
        for field in Fields::new(all.data.ok_or(Status::InvalidArgument)?).map_while(Result::ok) {
            match (field.name, field.content) {
                (b"id", Content::String(text)) => name = name.or(Some(text)),
                (b"data", Content::Table(members)) => data = data.or(Some(members)),
                _ => (),
            }
        }
        let (Some(name), Some(data)) = (name, data) else { return Err(Status::InvalidArgument) };
        if name.starts_with(b"ubus.") {
            return Err(Status::PermissionDenied);
        }
        self.distribute(Some(client), name, data);
        DONE
    }

    /// Every object gets an event once, however many of its patterns match; the sender's never.
    fn distribute(&mut self, sender: Option<u32>, name: &[u8], data: &[u8]) {
        self.listeners.sort_by(|a, b| a.pattern.cmp(&b.pattern));
        let mut seen = Vec::new();
        for listener in &self.listeners {
            let matches = match &listener.pattern[..] {
                [start @ .., b'*'] => name.starts_with(start),
                exact => name == exact,
            };
            if matches && !seen.contains(&listener.object) {
                seen.push(listener.object);
            }
        }
        for object in seen {
            let client = self.objects[&object].client;
            if Some(client) != sender {
                self.event_seq = self.event_seq.wrapping_add(1);
                let event = Builder::new(Kind::Invoke, self.event_seq, 0).object(object);
                self.send(client, event.raw(METHOD, &terminated(name)).raw(DATA, data));
            }
        }
    }

    fn announce(&mut self, id: u32, event: &str) {
        if let Some(path) = self.objects[&id].path.clone() {
            let mut out = Writer::new(QUEUE_MAX);
            out.put_field("id", Scalar::Int32, &id.to_be_bytes()).unwrap();
            out.put_field("path", Scalar::String, &terminated(&path)).unwrap();
            self.distribute(None, event.as_bytes(), &out.into_bytes());
        }
    }
}

/// An answer to a request: its seq and peer.
fn reply(request: Message<'_>, kind: Kind) -> Builder {
    Builder::new(kind, request.header.seq, request.header.peer)
}

fn terminated(text: &[u8]) -> Vec<u8> {
    [text, &[0]].concat()
}

const PATH: u8 = 2;
const METHOD: u8 = 4;
const DATA: u8 = 7;
const ACTIVE: u8 = 9;
const SUBSCRIBERS: u8 = 11;
const USER: u8 = 12;
const GROUP: u8 = 13;

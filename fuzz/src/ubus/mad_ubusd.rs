//! A session whose ubusd, owner and clock do what the bytes say.

use std::collections::BTreeSet;

use gwha::ubus::blobmsg::Type;
use gwha::ubus::inbox::Inbox;
use gwha::ubus::message::Builder;
use gwha::ubus::session::{CallId, Event, Key, RequestId};
use gwha::ubus::{Argument, Data, Kind, Method, Need, Object, Session, Status, json};

const METHODS: &[Method] = &[
    Method { name: "status", arguments: &[] },
    Method {
        name: "switch",
        arguments: &[Argument { name: "to", kind: Type::String, need: Need::Optional }],
    },
];

/// Runs a conversation. Whatever happens, every request ends once, what is sent can be read, nothing
/// grows above its limit, and no deadline is left behind.
pub fn session(bytes: &[u8]) {
    let mut play = Play {
        script: Script(bytes),
        session: Session::new(),
        now: 0,
        asked: Vec::new(),
        sent: Inbox::default(),
        open: BTreeSet::new(),
        calls: Vec::new(),
        keys: Vec::new(),
        last_id: 1023,
    };
    play.connect();
    while let Some(step) = play.script.byte() {
        play.step(step);
        play.check();
    }
    play.break_connection();
    assert!(play.open.is_empty(), "a request has no end: {:?}", play.open);
    assert_eq!(play.session.next_deadline(), None);
}

/// The bytes that are not used up.
struct Script<'a>(&'a [u8]);

struct Play<'a> {
    script: Script<'a>,
    session: Session,
    now: u64,
    /// Seq and peer of what the session has sent: what can be answered.
    asked: Vec<(u16, u32)>,
    sent: Inbox,
    open: BTreeSet<RequestId>,
    calls: Vec<CallId>,
    keys: Vec<Key>,
    /// The object id that was given last; they are given in order, so that they can be guessed.
    last_id: u32,
}

impl Script<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte().unwrap_or(0)) % end.max(1)
    }

    fn take(&mut self, count: usize) -> &[u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn text(&mut self) -> &'static str {
        const TEXTS: [&str; 8] =
            ["gwha", "network", "status", "switch", "ubus.object.add", "x*", "", "nonsense"];
        TEXTS[self.below(TEXTS.len())]
    }

    fn data(&mut self) -> Data {
        const TABLES: [&str; 5] = [
            "{}",
            r#"{"to":"a"}"#,
            r#"{"to":1}"#,
            r#"{"id":1028,"path":"network"}"#,
            r#"{"id":-5,"path":"gwha"}"#,
        ];
        let choice = self.below(TABLES.len() + 1);
        match TABLES.get(choice) {
            Some(table) => Data::encode(&json::parse(table).unwrap()).unwrap(),
            None => {
                let length = self.below(40);
                Data::from_bytes(self.take(length).to_vec())
            }
        }
    }
}

impl Play<'_> {
    fn step(&mut self, step: u8) {
        match step % 16 {
            0 => {
                let length = self.script.below(60);
                let bytes = self.script.take(length).to_vec();
                self.receive(&bytes);
            }
            1 | 2 => self.obey(),
            3 => self.speak(),
            4..=6 => {
                let bytes = self.message().finish().expect("a short message");
                let cut = self.script.below(bytes.len() + 1);
                self.receive(&bytes[..cut]);
                self.receive(&bytes[cut..]);
            }
            7 => self.pass_time(),
            8 => {
                let (path, method, data) = (self.script.text(), self.script.text(), self.script.data());
                let deadline = self.now + 1000 * self.script.below(256) as u64;
                let request = self.session.call(path, method, &data, deadline);
                self.open.extend(request);
            }
            9 => {
                let request = self.session.lookup(self.script.text(), self.now + 500_000);
                self.open.extend(request);
            }
            10 => self.answer(),
            11 => {
                let (name, data) = (self.script.text(), self.script.data());
                let _ = self.session.send_event(name, &data);
                if let Some(key) = self.key() {
                    let _ = self.session.notify(key, name, &data);
                }
            }
            12 | 13 => self.register(),
            14 => {
                let count = self.script.below(300);
                self.send(count);
            }
            _ => {
                self.break_connection();
                self.connect();
            }
        }
    }

    /// A new connection, usually greeted.
    fn connect(&mut self) {
        self.session.connected(self.now);
        if self.script.below(16) != 1 {
            self.receive(&Builder::new(Kind::Hello, 0, 2000).finish().unwrap());
        }
    }

    /// Answers the oldest request as it should be.
    fn obey(&mut self) {
        self.send(usize::MAX);
        if !self.asked.is_empty() {
            let (seq, peer) = self.asked.remove(0);
            self.last_id += 1;
            let data = Builder::new(Kind::Data, seq, peer).object(self.last_id).data(&self.script.data());
            self.receive(&data.finish().unwrap());
            self.receive(&Builder::new(Kind::Status, seq, peer).status(Status::Ok).finish().unwrap());
        }
    }

    /// Something for an object of ours: a call, an event or a notification, or the end of a subscription.
    fn speak(&mut self) {
        let (kind, peer) =
            [(Kind::Invoke, 0), (Kind::Invoke, 4321), (Kind::Invoke, 4322), (Kind::Unsubscribe, 0)]
                [self.script.below(4)];
        let message = Builder::new(kind, 7, peer).object(self.id()).target(self.id());
        let message = message.method(self.script.text()).data(&self.script.data());
        self.receive(&message.finish().unwrap());
    }

    /// An id that was given lately, or another.
    fn id(&mut self) -> u32 {
        match self.script.below(10) {
            0 => 1,
            1 => u32::MAX,
            back => self.last_id.saturating_sub(back as u32 - 2),
        }
    }

    /// A message that may answer something, with some attributes.
    fn message(&mut self) -> Builder {
        const KINDS: [Kind; 8] = [
            Kind::Status,
            Kind::Data,
            Kind::Invoke,
            Kind::Status,
            Kind::Notify,
            Kind::Unsubscribe,
            Kind::Hello,
            Kind::Ping,
        ];
        let kind = KINDS[self.script.below(KINDS.len())];
        let choice = self.script.below(self.asked.len() + 2);
        let (seq, peer) = match self.asked.get(choice) {
            Some(asked) => *asked,
            None => (self.script.below(5) as u16, self.id()),
        };
        let which = self.script.byte().unwrap_or(0);
        let mut message = Builder::new(kind, seq, peer);
        for bit in (0..8).filter(|bit| which & (1 << bit) != 0) {
            message = match bit {
                0 => message.status(Status::from_wire(self.script.below(16) as u32 % 15)),
                1 => message.object(self.id()),
                2 => message.method(self.script.text()),
                3 => message.data(&self.script.data()),
                4 => message.target(self.id()),
                5 => message.path(self.script.text()),
                6 => message.raw(9, &[which & 1]),
                _ => message.no_reply(),
            };
        }
        message
    }

    fn receive(&mut self, bytes: &[u8]) {
        let mut events = Vec::new();
        let result = self.session.receive(self.now, bytes, &mut events);
        self.heed(events);
        if result.is_err() {
            self.break_connection();
            self.session.connected(self.now);
        }
    }

    fn pass_time(&mut self) {
        self.now += 20_000 * self.script.below(256) as u64 * self.script.below(4) as u64;
        let mut events = Vec::new();
        let result = self.session.expire(self.now, &mut events);
        self.heed(events);
        if result.is_err() {
            self.break_connection();
            self.session.connected(self.now);
        }
        assert!(self.session.next_deadline().is_none_or(|deadline| deadline > self.now));
    }

    fn break_connection(&mut self) {
        let mut events = Vec::new();
        self.session.disconnected(&mut events);
        self.heed(events);
        self.asked.clear();
        self.sent = Inbox::default();
        assert!(self.session.outgoing().is_empty());
    }

    fn heed(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Reply(request, _) | Event::Found(request, _) => {
                    assert!(self.open.remove(&request), "{request:?} has ended twice");
                }
                Event::Call(call) => {
                    assert!(!self.calls.contains(&call.id));
                    assert!(METHODS.iter().any(|method| method.name == call.method));
                    self.calls.push(call.id);
                    self.calls.drain(..self.calls.len().saturating_sub(300));
                }
                Event::Registered(key)
                | Event::Refused(key, _)
                | Event::Gone(key)
                | Event::Subscribers(key, _)
                | Event::Heard(key, ..)
                | Event::Notified(key, ..) => assert!(self.keys.contains(&key)),
                Event::Connected => assert!(self.session.is_connected()),
                Event::Disconnected => assert!(!self.session.is_connected()),
            }
        }
    }

    fn answer(&mut self) {
        let choice = self.script.below(self.calls.len());
        if let Some(call) = self.calls.get(choice).copied() {
            let data = self.script.data();
            let result = if self.script.below(4) == 0 { Err(Status::NoData) } else { Ok(&data) };
            self.session.answer(call, result);
        }
    }

    fn register(&mut self) {
        let path = self.script.text();
        if self.keys.len() < 12 {
            self.keys.push(match self.script.below(3) {
                0 => self.session.publish(self.now, Object { path: path.into(), methods: METHODS }),
                1 => self.session.listen(self.now, path),
                _ => self.session.follow(self.now, path),
            });
        } else if let Some(key) = self.key() {
            self.keys.retain(|own| *own != key);
            self.session.remove(key);
        }
    }

    fn key(&mut self) -> Option<Key> {
        let choice = self.script.below(self.keys.len());
        self.keys.get(choice).copied()
    }

    /// Sends some bytes to the bus, and remembers what can be answered.
    fn send(&mut self, count: usize) {
        let out = self.session.outgoing();
        let count = count.min(out.len());
        self.sent.push(&out[..count]);
        self.session.sent(count);
        while let Some(message) = self.sent.next_message().expect("what is sent can be read") {
            self.asked.push((message.header.seq, message.header.peer));
        }
        self.asked.drain(..self.asked.len().saturating_sub(32));
    }

    fn check(&mut self) {
        assert!(self.session.outgoing().len() <= (2 << 20) + 1024);
        assert!(self.session.is_connected() || self.session.outgoing().is_empty());
        assert!(self.open.len() <= 128, "{}", self.open.len());
    }
}

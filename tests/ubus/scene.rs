//! Clients that speak to a bus message by message, and a transcript of all that they say and hear.
//!
//! Ids are random, so the transcript numbers them in the order in which they appear.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use gwha::ubus::blob::Attrs;
use gwha::ubus::inbox::Inbox;
use gwha::ubus::message::{Builder, Message};
use gwha::ubus::{Data, Kind, Table, Value};

pub struct Scene {
    socket: PathBuf,
    clients: BTreeMap<&'static str, Client>,
    ids: Vec<u32>,
    last_type: u32,
    text: String,
}

struct Client {
    stream: UnixStream,
    inbox: Inbox,
    /// Its id, once it was greeted.
    id: u32,
    /// What it has heard and nobody has looked at.
    heard: Vec<Heard>,
}

/// A message, kept.
struct Heard {
    kind: Kind,
    seq: u16,
    peer: u32,
    body: Vec<u8>,
}

/// The seq of the pings that mark the end of a step.
const MARK: u16 = 0xeeee;

impl Scene {
    pub fn new(socket: PathBuf) -> Scene {
        Scene { socket, clients: BTreeMap::new(), ids: Vec::new(), last_type: 0, text: String::new() }
    }

    /// A heading in the transcript.
    pub fn chapter(&mut self, title: &str) {
        writeln!(self.text, "\n# {title}").unwrap();
    }

    pub fn connect(&mut self, name: &'static str) {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let client = Client { stream, inbox: Inbox::default(), id: 0, heard: Vec::new() };
        self.clients.insert(name, client);
        writeln!(self.text, "{name} connects").unwrap();
        self.settle();
    }

    pub fn disconnect(&mut self, name: &'static str) {
        let mut stream = self.clients.remove(name).unwrap().stream;
        writeln!(self.text, "{name} disconnects").unwrap();
        // The bus closes its end when it has done all that follows.
        stream.shutdown(Shutdown::Write).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
        self.settle();
    }

    /// Sends a message, and waits until the bus has done all that follows from it. Returns the first
    /// object id in what this client hears, or 0.
    pub fn say(&mut self, name: &'static str, message: Builder) -> u32 {
        let bytes = message.finish().unwrap();
        self.say_raw(name, &bytes)
    }

    pub fn say_raw(&mut self, name: &'static str, bytes: &[u8]) -> u32 {
        let mut inbox = Inbox::default();
        inbox.push(bytes);
        if let Ok(Some(message)) = inbox.next_message() {
            self.note(name, '>', &keep(message));
        } else {
            writeln!(self.text, "{name}> {} bytes that are no message", bytes.len()).unwrap();
        }
        self.clients[name].stream.write_all_slowly(bytes);
        self.settle_first(name)
    }

    fn settle(&mut self) {
        self.settle_first("");
    }

    /// Collects what everybody hears until the bus answers a ping of each; `first` is asked first, so
    /// that all that its message causes has happened.
    fn settle_first(&mut self, first: &'static str) -> u32 {
        let mut names: Vec<&'static str> = self.clients.keys().copied().collect();
        names.sort_by_key(|name| *name != first);
        for name in &names {
            self.clients.get_mut(name).unwrap().collect();
        }
        names.sort_unstable();
        let mut object = 0;
        for name in names {
            let client = self.clients.get_mut(name).unwrap();
            for message in std::mem::take(&mut client.heard) {
                if message.kind == Kind::Hello {
                    self.clients.get_mut(name).unwrap().id = message.peer;
                }
                self.last_type = id_in(&message.body, 5).unwrap_or(self.last_type);
                self.note(name, '<', &message);
                if name == first && object == 0 {
                    object = id_in(&message.body, 3).unwrap_or(0);
                }
            }
        }
        object
    }

    /// Whether the bus has closed the connection of a client; forgets the client if so.
    pub fn closed(&mut self, name: &'static str) {
        let closed = match self.clients[name].stream.try_clone().unwrap().read(&mut [0; 1]) {
            Ok(count) => count == 0,
            Err(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        };
        assert!(closed, "{name} is still connected");
        writeln!(self.text, "{name} is closed by the bus").unwrap();
        self.clients.remove(name);
    }

    /// Sends bytes without waiting for anything.
    pub fn throw(&mut self, name: &'static str, bytes: &[u8]) {
        writeln!(self.text, "{name}> {} bytes", bytes.len()).unwrap();
        self.clients[name].stream.write_all_slowly(bytes);
    }

    /// The id of a client.
    pub fn client_id(&self, name: &'static str) -> u32 {
        self.clients[name].id
    }

    /// The object type that was heard of last.
    pub fn last_type(&self) -> u32 {
        self.last_type
    }

    pub fn into_transcript(self) -> String {
        self.text
    }

    fn note(&mut self, name: &str, direction: char, message: &Heard) {
        let kind = format!("{:?}", message.kind).to_uppercase();
        let peer = self.id(message.peer);
        let attributes = self.attributes(&message.body);
        writeln!(self.text, "{name}{direction} {kind} seq={} peer={peer}{attributes}", message.seq).unwrap();
    }

    /// All attributes, in their order, also those that are wrong.
    fn attributes(&mut self, body: &[u8]) -> String {
        let mut text = String::new();
        for attr in Attrs::new(body) {
            let Ok(attr) = attr else {
                text.push_str(" runt");
                continue;
            };
            let number = attr.u32();
            let value = match (attr.id, number) {
                (1, Some(number)) => number.to_string(),
                (3 | 5 | 8, Some(id)) => self.id(id),
                (6 | 7, _) => self.table(attr.payload),
                (9 | 10, _) if attr.u8().is_some() => attr.payload[0].to_string(),
                (11, _) => {
                    let ids = Attrs::new(attr.payload).map(|attr| self.id(attr.unwrap().u32().unwrap()));
                    format!("[{}]", ids.collect::<Vec<_>>().join(" "))
                }
                _ if attr.payload.len() > 100 => format!("{} bytes", attr.payload.len()),
                _ => format!("{:?}", String::from_utf8_lossy(attr.payload)),
            };
            let name = ATTRIBUTES.get(usize::from(attr.id)).copied().unwrap_or("unknown");
            // The length of a table tells how its numbers are encoded.
            let length =
                if matches!(attr.id, 6 | 7) { attr.payload.len().to_string() } else { String::new() };
            write!(text, " {name}{length}={value}").unwrap();
        }
        text
    }

    fn table(&mut self, bytes: &[u8]) -> String {
        match Data::from_bytes(bytes.to_vec()).decode::<Table>() {
            Ok(table) => {
                let members = table.0.into_iter().map(|(name, value)| {
                    // Object ids in events and registrations.
                    let id = value.as_int().filter(|_| ["id", "object"].contains(&name.as_str()));
                    (name, id.map_or(value, |id| Value::String(self.id(id as u32))))
                });
                Value::Table(Table(members.collect())).to_string()
            }
            Err(_) => format!("{bytes:02x?}"),
        }
    }

    fn id(&mut self, id: u32) -> String {
        if id < 1024 {
            return id.to_string();
        }
        let known = self.ids.iter().position(|known| *known == id);
        let position = known.unwrap_or_else(|| {
            self.ids.push(id);
            self.ids.len() - 1
        });
        format!("#{}", position + 1)
    }
}

impl Client {
    /// Reads until a ping is answered.
    fn collect(&mut self) {
        let ping = Builder::new(Kind::Ping, MARK, 0).finish().unwrap();
        self.stream.write_all(&ping).unwrap();
        let mut buffer = vec![0; 65536];
        loop {
            while let Some(message) = self.inbox.next_message().unwrap() {
                match (message.header.seq, message.header.kind) {
                    (MARK, Kind::Status) => return,
                    (MARK, _) => (),
                    _ => self.heard.push(keep(message)),
                }
            }
            let count = self.stream.read(&mut buffer).expect("an answer to a ping");
            assert_ne!(count, 0, "the bus has closed the connection");
            self.inbox.push(&buffer[..count]);
        }
    }
}

trait WriteAll {
    fn write_all_slowly(&self, bytes: &[u8]);
}

impl WriteAll for UnixStream {
    /// Writes all; a bus that closes the connection meanwhile is no error.
    fn write_all_slowly(&self, bytes: &[u8]) {
        let mut stream = self;
        let _ = stream.write_all(bytes);
    }
}

fn keep(message: Message<'_>) -> Heard {
    let header = message.header;
    Heard { kind: header.kind, seq: header.seq, peer: header.peer, body: message.body.to_vec() }
}

fn id_in(body: &[u8], attribute: u8) -> Option<u32> {
    Attrs::new(body).flatten().find(|attr| attr.id == attribute).and_then(|attr| attr.u32())
}

const ATTRIBUTES: [&str; 14] = [
    "zero",
    "status",
    "path",
    "object",
    "method",
    "type",
    "signature",
    "data",
    "target",
    "active",
    "no_reply",
    "subscribers",
    "user",
    "group",
];

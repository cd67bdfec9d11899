//! A router that has the right key and means no good: the library's own side of the channel, and what it says is up to
//! a test.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, TcpStream};
use std::time::{Duration, Instant};

use gwha::daemon::clock;
use gwha::limits::FILE_BYTES;
use gwha::peer::frame::Need;
use gwha::peer::handshake::{Ends, Side};
use gwha::peer::key::Key;
use gwha::peer::message::{BULK_FILES, Bulk, Hello, Message, PROTOCOL, PROTOCOL_OLDEST};
use gwha::peer::session::{Event, Session, Unsent};
use gwha::sync::file::wire::{self, Ask, Piece, Report, kind};
use gwha::sync::file::{Entry, Hash, Kind, Meta, hash};

use crate::lab::topology::{Host, Segment};

use super::super::ms;

const PORT: u16 = 8470;

/// What the puppet answers when it is asked for a content.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lie {
    /// The content.
    None,
    /// As many bytes, but others.
    OtherBytes,
    /// More than was announced.
    TooMuch,
    /// A byte at a time, of a file that never ends.
    Endless,
    /// Always the beginning.
    Again,
    /// Pieces of nothing.
    Empty,
    /// Nothing at all.
    Silence,
}

/// The puppet, connected.
pub struct Puppet {
    stream: TcpStream,
    session: Session,
    contents: BTreeMap<Hash, Vec<u8>>,
    pub lie: Lie,
    /// What was heard of files, since it was looked at last.
    pub heard: Vec<(u8, Vec<u8>)>,
    pub asked: u32,
    number: u32,
}

impl Puppet {
    /// Connects as `own` to the daemon on `other`, and is greeted.
    pub fn connect(own: Host, other: Host) -> Puppet {
        let [own_address, address] = [own, other].map(|host| host.address(Segment::Lan));
        let stream = own.netns().enter(|| TcpStream::connect((address, PORT)).unwrap());
        stream.set_read_timeout(Some(ms(2))).unwrap();
        stream.set_nodelay(true).unwrap();
        let ends = Ends { initiator: IpAddr::V4(own_address), responder: IpAddr::V4(address) };
        // The highest life there is: the other router is the one that chooses.
        let hello = Hello {
            protocol: PROTOCOL,
            oldest: PROTOCOL_OLDEST,
            life: "~".into(),
            node: "evil".into(),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        let session = Session::new(Side::Initiator, &Key::new([0x77; 32]), &ends, hello, clock::now());
        let (contents, heard) = (BTreeMap::new(), Vec::new());
        let mut puppet = Puppet { stream, session, contents, lie: Lie::None, heard, asked: 0, number: 0 };
        let end = Instant::now() + super::super::LIMIT;
        while !puppet.session.is_open() {
            assert!(Instant::now() < end && puppet.session.end().is_none(), "{:?}", puppet.session.end());
            puppet.listen(ms(10));
        }
        puppet
    }

    /// Sends what waits, and hears what there is to be heard, for so long.
    pub fn listen(&mut self, period: Duration) {
        let end = Instant::now() + period;
        loop {
            self.turn();
            assert!(self.session.end().is_none(), "the channel is gone: {:?}", self.session.end());
            if Instant::now() >= end {
                return;
            }
        }
    }

    fn turn(&mut self) {
        self.flush();
        let mut buffer = [0; 64 << 10];
        let mut events = Vec::new();
        match self.stream.read(&mut buffer) {
            Ok(0) => self.session.closed(),
            Ok(count) => self.session.receive(&buffer[..count], clock::now(), &mut events),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => panic!("{error}"),
        }
        self.session.timeout(clock::now());
        for event in events {
            let Event::Message(Message::Bulk(bulk)) = event else { continue };
            let Some(kind) = bulk.kind.checked_sub(BULK_FILES) else { continue };
            if kind == kind::ASK {
                self.asked += 1;
                self.answer(&Ask::decode(&bulk.body).expect("the daemon asks for something"));
            }
            self.heard.push((kind, bulk.body));
        }
    }

    fn flush(&mut self) {
        let length = self.session.output().len();
        self.stream.write_all(self.session.output()).unwrap();
        self.session.sent(length);
    }

    fn answer(&mut self, ask: &Ask) {
        let content = self.contents.get(&ask.hash).cloned().unwrap_or_default();
        let from = (ask.offset as usize).min(content.len());
        let to = (from + wire::PIECE_BYTES).min(content.len());
        let mut bytes = content[from..to].to_vec();
        let mut offset = ask.offset;
        match self.lie {
            Lie::None => {}
            Lie::OtherBytes => bytes.iter_mut().for_each(|byte| *byte ^= 1),
            Lie::TooMuch => bytes = vec![b'x'; wire::PIECE_BYTES],
            Lie::Endless => bytes = vec![b'x'],
            Lie::Again => offset = 0,
            Lie::Empty => bytes.clear(),
            Lie::Silence => return,
        }
        self.say(kind::PIECE, Piece { hash: ask.hash, offset, bytes: &bytes }.encode());
    }

    /// Says something about files.
    pub fn say(&mut self, kind: u8, body: Vec<u8>) {
        let message = Message::Bulk(Bulk { kind: BULK_FILES + kind, need: Need::Optional, body });
        if self.session.send(&message, clock::now()) == Err(Unsent::Full) {
            self.flush();
            self.session.send(&message, clock::now()).unwrap();
        }
    }

    /// Says who it is: the source, or one that follows.
    pub fn greet(&mut self, is_source: bool, program: &str) {
        let hello = wire::Hello {
            version: wire::VERSION,
            oldest: wire::OLDEST,
            is_source,
            release: String::new(),
            program: program.into(),
            // Whatever there is.
            roots: "\n".into(),
        };
        self.say(kind::HELLO, hello.encode());
    }

    /// Lists these, and tells the number of the list.
    pub fn list(&mut self, mut entries: Vec<Entry>) -> u32 {
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        self.number += 1;
        for part in wire::encode_list(self.number, &entries) {
            self.say(kind::LIST, part);
        }
        self.number
    }

    /// Lists these and waits until the other router has come to an end with them, or has had so long.
    pub fn offer(&mut self, entries: Vec<Entry>, patience: Duration) -> Option<Report> {
        self.heard.clear();
        let number = self.list(entries);
        let end = Instant::now() + patience;
        while Instant::now() < end {
            self.listen(ms(10));
            let reports = self.heard.iter().filter(|(kind, _)| *kind == kind::REPORT);
            let last = reports.filter_map(|(_, body)| Report::decode(body)).next_back();
            if let Some(report) = last.filter(|it| it.number == number && it.is_settled) {
                return Some(report);
            }
        }
        None
    }

    /// A file with this content, for everybody and with all the bits there are.
    pub fn file(&mut self, path: &str, content: &[u8]) -> Entry {
        let hash = hash(content);
        self.contents.insert(hash, content.to_vec());
        Entry { path: path.into(), meta: LOUD, kind: Kind::File { hash, size: content.len() as u32 } }
    }

    /// Says one thing after the other as fast as the other router takes it.
    pub fn flood(&mut self, period: Duration, mut next: impl FnMut(&mut Puppet, u32)) -> u32 {
        let end = Instant::now() + period;
        let mut count = 0;
        while Instant::now() < end {
            for _ in 0..64 {
                next(self, count);
                count += 1;
            }
            self.turn();
            self.heard.clear();
        }
        count
    }
}

/// Set-user-id and all the rest.
pub const LOUD: Meta = Meta { mode: 0o7777, uid: 0, gid: 0 };

/// As long as a file may be.
pub fn longest() -> Vec<u8> {
    vec![b'x'; FILE_BYTES]
}

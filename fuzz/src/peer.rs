//! Bytes from another router: with its key, so of a bad version, and without, so of a stranger.

use gwha::engine::Instant;
use gwha::peer::frame::{Frame, Frames, HANDSHAKE_BYTES, Inbox, RECORD_BYTES};
use gwha::peer::handshake::{Ends, Side};
use gwha::peer::key::Key;
use gwha::peer::message::{Hello, Message, PROTOCOL, PROTOCOL_OLDEST};
use gwha::peer::session::{Event, QUEUE_BYTES, Session};
use gwha::sync::lease::feed::Feed;
use gwha::sync::lease::file::Clock;
use gwha::sync::lease::shadow::{Read, Shadow};
use gwha::sync::lease::table::{Merged, Table};
use gwha::sync::lease::wire::{self, Batch};
use gwha::sync::lease::{Client, Life, Node};

const NOW: Instant = Instant::from_micros(5_000_000);

/// Records and frames are cut the same however the stream is torn, and a message that is understood can be said again.
pub fn frames(bytes: &[u8]) {
    assert_eq!(records(bytes, bytes.len().max(1)), records(bytes, 1 + bytes.len() % 5));
    for frame in Frames::of(bytes).map_while(Result::ok) {
        let mut copy = Vec::new();
        assert!(Frame { ..frame }.put(&mut copy));
        let Ok(Some(message)) = Message::of(&frame) else { continue };
        let mut again = Vec::new();
        assert!(message.put(&mut again));
        let back = Frames::of(&again).map_while(Result::ok).next().expect("it was just put");
        assert_eq!(Message::of(&back), Ok(Some(message)));
    }
}

fn records(bytes: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let mut inbox = Inbox::default();
    let mut all = Vec::new();
    for chunk in bytes.chunks(piece) {
        inbox.fill(chunk);
        while let Ok(Some((_, body))) = inbox.next(RECORD_BYTES) {
            all.push(body.to_vec());
        }
    }
    all
}

/// A stranger at the door, and in the middle of a conversation: nothing is learned, and nothing is kept.
pub fn session(bytes: &[u8]) {
    let Some((&phase, bytes)) = bytes.split_first() else { return };
    let (mut a, mut b) = (end(Side::Initiator, "a"), end(Side::Responder, "b"));
    for _ in 0..phase % 4 {
        carry(&mut a, &mut b);
        carry(&mut b, &mut a);
        a.adopt(NOW);
    }
    let was_shaking = b.is_shaking();
    let mut events = Vec::new();
    for chunk in bytes.chunks(1 + bytes.len() % 700) {
        b.receive(chunk, NOW, &mut events);
    }
    // Nobody but the other end can make a record that opens.
    let told = events.iter().any(|event| matches!(event, Event::Message(_) | Event::Greeted(_)));
    assert!(!told, "{events:?}");
    assert!(b.output().len() <= QUEUE_BYTES);
    assert!(!was_shaking || b.output().len() <= 4 * HANDSHAKE_BYTES);
}

fn end(side: Side, life: &str) -> Session {
    let ends = Ends { initiator: [192, 0, 2, 1].into(), responder: [192, 0, 2, 2].into() };
    let hello = Hello { protocol: PROTOCOL, oldest: PROTOCOL_OLDEST, life: life.into(), ..Hello::default() };
    Session::new(side, &Key::new([7; 32]), &ends, hello, NOW)
}

fn carry(from: &mut Session, to: &mut Session) {
    let bytes = from.output().to_vec();
    from.sent(bytes.len());
    to.receive(&bytes, NOW, &mut Vec::new());
}

/// Leases from the other router and from the server's file: bounded, and never more than was said.
pub fn leases(bytes: &[u8]) {
    let mut table = Table::new(Node(1));
    table.grant([10, 0, 0, 1].into(), Client::parse("02:00 x *").expect("three words"), Life::Forever);
    let mut feed = Feed::default();
    if let Some(hello) = wire::Hello::decode(bytes) {
        assert_eq!(wire::Hello::decode(&hello.encode()), Some(hello.clone()));
        feed.heard(hello.clone(), &table);
        feed.heard(hello, &table);
        let _ = feed.next(&table, NOW);
    }
    if let Some(batch) = Batch::decode(bytes) {
        let mut said = 0;
        for (address, entry) in wire::entries(batch.entries, NOW) {
            said += 1;
            assert_ne!(table.merge(address, entry), Merged::Full);
        }
        assert!(table.entries().count() <= said + 1);
        table.complete(&batch.have);
        feed.came(&batch);
        table.purge(NOW);
        let _ = feed.acked(batch.head, &table);
    }
    let text = String::from_utf8_lossy(bytes);
    let mut shadow = Shadow::default();
    let clock = Clock { now: NOW, wall: 1_795_192_000_000_000 };
    let lines = text.lines().count();
    for read in [Read::Clean, Read::Settled, Read::Glimpse, Read::NewFile] {
        assert!(shadow.look(&text, read, clock, 1000).changes.len() <= lines);
    }
}

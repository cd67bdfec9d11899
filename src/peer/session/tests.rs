use proptest::prelude::*;

use super::super::frame::{Frame, Malformed, Need};
use super::super::message::{BULK_LEASES, Bulk, PROTOCOL, Request};
use super::*;

const START: Instant = Instant::from_micros(1_000_000);

fn key(byte: u8) -> Key {
    Key::new([byte; 32])
}

fn ends() -> Ends {
    Ends { initiator: [192, 0, 2, 1].into(), responder: [192, 0, 2, 2].into() }
}

fn hello(life: &str) -> Hello {
    Hello {
        protocol: PROTOCOL,
        oldest: PROTOCOL_OLDEST,
        life: life.into(),
        node: format!("gw-{life}"),
        version: "0.1.0".into(),
    }
}

fn initiator() -> Session {
    Session::new(Side::Initiator, &key(1), &ends(), hello("a"), START)
}

fn responder() -> Session {
    Session::new(Side::Responder, &key(1), &ends(), hello("b"), START)
}

/// Carries what waits from one to the other.
fn carry(from: &mut Session, to: &mut Session) -> Vec<Event> {
    let bytes = from.output().to_vec();
    from.sent(bytes.len());
    feed(to, &bytes)
}

fn feed(session: &mut Session, bytes: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    session.receive(bytes, START, &mut events);
    events
}

fn greeted() -> (Session, Session) {
    let (mut a, mut b) = (initiator(), responder());
    carry(&mut a, &mut b);
    assert_eq!(carry(&mut b, &mut a), [Event::Greeted(hello("b"))]);
    assert_eq!(carry(&mut a, &mut b), [Event::Greeted(hello("a"))]);
    (a, b)
}

fn open() -> (Session, Session) {
    let (mut a, mut b) = greeted();
    a.adopt(START);
    assert_eq!(carry(&mut a, &mut b), [Event::Adopted]);
    assert!(a.is_open() && b.is_open());
    (a, b)
}

fn request(id: u32) -> Message {
    Message::Prepare(Request { id, take: false })
}

/// The records of a stream, each whole.
fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut inbox = Inbox::default();
    inbox.fill(bytes);
    let mut records = Vec::new();
    while let Ok(Some((kind, body))) = inbox.next(RECORD_BYTES) {
        let mut record = Vec::new();
        put_record(kind, body, &mut record);
        records.push(record);
    }
    records
}

#[test]
fn two_routers_with_one_key_talk_both_ways() {
    let (mut a, mut b) = open();
    a.send(&request(1), START).unwrap();
    b.send(&request(2), START).unwrap();
    assert_eq!(carry(&mut a, &mut b), [Event::Message(request(1))]);
    assert_eq!(carry(&mut b, &mut a), [Event::Message(request(2))]);
}

#[test]
fn nothing_is_sent_or_heard_on_a_connection_that_is_not_adopted() {
    let (mut a, mut b) = greeted();
    assert_eq!(a.send(&request(1), START), Err(Unsent::NotConnected));
    a.put(&request(1), START);
    assert_eq!(carry(&mut a, &mut b), []);
    assert_eq!(b.end(), Some(&End::OutOfPlace));
}

#[test]
fn other_key_is_told_on_both_sides_and_nothing_is_learned() {
    let mut a = Session::new(Side::Initiator, &key(2), &ends(), hello("a"), START);
    let mut b = responder();

    assert_eq!(carry(&mut a, &mut b), []);
    assert_eq!(carry(&mut b, &mut a), []);

    assert_eq!(b.end(), Some(&End::Handshake(Failure::Key)));
    assert_eq!(a.end(), Some(&End::KeyRefused));
}

#[test]
fn responder_with_another_key_that_answers_all_the_same_is_found_out() {
    let (mut a, mut b) = (initiator(), responder());
    let mut impostor = Session::new(Side::Initiator, &key(2), &ends(), hello("x"), START);
    let mut other = Session::new(Side::Responder, &key(2), &ends(), hello("y"), START);
    carry(&mut impostor, &mut other);
    assert_eq!(carry(&mut other, &mut a), []);
    assert_eq!(a.end(), Some(&End::Handshake(Failure::Key)));
    assert_eq!(carry(&mut a, &mut b), []);
}

#[test]
fn handshake_reflected_to_its_sender_does_not_open() {
    let mut a = initiator();
    let turned = Ends { initiator: ends().responder, responder: ends().initiator };
    let mut also_a = Session::new(Side::Responder, &key(1), &turned, hello("a"), START);
    carry(&mut a, &mut also_a);
    assert_eq!(also_a.end(), Some(&End::Handshake(Failure::Key)));
}

#[test]
fn router_that_speaks_with_itself_notices() {
    let mut a = initiator();
    let mut also_a = Session::new(Side::Responder, &key(1), &ends(), hello("a"), START);
    carry(&mut a, &mut also_a);
    carry(&mut also_a, &mut a);
    assert_eq!(a.end(), Some(&End::Mirror));
}

#[test]
fn replayed_connection_is_never_greeted() {
    let (mut a, mut b) = (initiator(), responder());
    let mut recorded = a.output().to_vec();
    carry(&mut a, &mut b);
    carry(&mut b, &mut a);
    a.adopt(START);
    a.send(&request(1), START).unwrap();
    recorded.extend_from_slice(a.output());

    let mut later = responder();
    let events = feed(&mut later, &recorded);

    assert_eq!(events, []);
    assert_eq!(later.end(), Some(&End::Forged));
}

#[test]
fn replayed_handshake_can_make_nobody_keep_more_than_a_hello() {
    let (mut a, mut b) = (initiator(), responder());
    let recorded = a.output().to_vec();
    carry(&mut a, &mut b);

    let mut later = responder();
    feed(&mut later, &recorded);
    feed(&mut later, &[2, 0xff, 0xff]);

    assert_eq!(later.end(), Some(&End::Malformed(Malformed::TooLong(0xffff))));
}

#[test]
fn replayed_reordered_lost_and_damaged_records_end_the_session() {
    type Attack = fn(Vec<Vec<u8>>) -> Vec<Vec<u8>>;
    let attacks: [(&str, Attack); 5] = [
        ("replayed", |r| vec![r[0].clone(), r[0].clone()]),
        ("reordered", |r| vec![r[1].clone(), r[0].clone()]),
        ("lost", |r| vec![r[0].clone(), r[2].clone()]),
        ("damaged", |mut r| {
            let last = r[1].len() - 1;
            r[1][last] ^= 1;
            vec![r[0].clone(), r[1].clone()]
        }),
        ("shortened", |r| {
            let mut cut = Vec::new();
            put_record(RecordKind::Sealed, &r[0][3..r[0].len() - 1], &mut cut);
            vec![cut]
        }),
    ];
    for (name, attack) in attacks {
        let (mut a, mut b) = open();
        for id in 0..3 {
            a.send(&request(id), START).unwrap();
        }
        let bytes = attack(records(a.output())).concat();
        let events = feed(&mut b, &bytes);
        assert_eq!(b.end(), Some(&End::Forged), "{name}");
        assert!(events.iter().all(|it| *it == Event::Message(request(0))), "{name}: {events:?}");
        assert!(b.send(&request(9), START).is_err(), "{name}");
    }
}

#[test]
fn truncated_handshake_ends_by_the_clock_or_with_the_connection() {
    let whole = initiator().output().to_vec();
    for length in 0..whole.len() {
        let mut b = responder();
        assert_eq!(feed(&mut b, &whole[..length]), []);
        assert_eq!(b.end(), None);
        let due = b.next_deadline().unwrap();
        let mut closed = responder();
        feed(&mut closed, &whole[..length]);

        b.timeout(due);
        closed.closed();

        assert_eq!(b.end(), Some(&End::Slow));
        assert_eq!(closed.end(), Some(if length == 0 { &End::Closed } else { &End::Truncated }));
    }
}

#[test]
fn stranger_can_make_nobody_keep_more_than_a_handshake() {
    let mut b = responder();
    let mut flood = Vec::new();
    put_record(RecordKind::Handshake, &[0xaa; 60_000], &mut flood);
    feed(&mut b, &flood);
    assert!(matches!(b.end(), Some(End::Malformed(Malformed::TooLong(_)))));
    assert!(b.output().is_empty());
}

#[test]
fn strangers_of_every_kind_are_refused() {
    let mut other_version = initiator().output().to_vec();
    other_version[7] = 9;
    let mut sealed = Vec::new();
    put_record(RecordKind::Sealed, &[1; 40], &mut sealed);
    let mut junk = Vec::new();
    put_record(RecordKind::Handshake, b"SSH-2.0-dropbear", &mut junk);
    let cases = [
        (other_version, End::Handshake(Failure::Version(9))),
        (sealed, End::OutOfPlace),
        (junk, End::Handshake(Failure::NotGwha)),
        (b"GET /".to_vec(), End::Malformed(Malformed::Kind(b'G'))),
    ];
    for (bytes, end) in cases {
        let mut b = responder();
        assert_eq!(feed(&mut b, &bytes), []);
        assert_eq!(b.end(), Some(&end));
    }
}

#[test]
fn versions_two_apart_talk_if_they_have_one_in_common() {
    let newer = |oldest| Hello { protocol: PROTOCOL + 2, oldest, ..hello("n") };
    let (mut a, mut b) =
        (initiator(), Session::new(Side::Responder, &key(1), &ends(), newer(PROTOCOL), START));
    carry(&mut a, &mut b);
    assert_eq!(carry(&mut b, &mut a), [Event::Greeted(newer(PROTOCOL))]);
    assert_eq!(carry(&mut a, &mut b).len(), 1);

    let (mut a, mut b) =
        (initiator(), Session::new(Side::Responder, &key(1), &ends(), newer(PROTOCOL + 1), START));
    carry(&mut a, &mut b);
    carry(&mut b, &mut a);
    assert_eq!(a.end(), Some(&End::Versions(PROTOCOL, PROTOCOL + 1, PROTOCOL + 2)));
    carry(&mut a, &mut b);
    assert!(matches!(b.end(), Some(End::Versions(..) | End::Bye(_))), "{:?}", b.end());
}

#[test]
fn optional_frame_of_a_later_version_is_skipped_and_a_required_one_ends_the_session() {
    for (need, ended) in [(Need::Optional, false), (Need::Required, true)] {
        let (mut a, mut b) = open();
        let Phase::Open(seal) = &mut a.phase else { panic!() };
        let mut content = Vec::new();
        assert!(Frame { kind: 29, need, body: b"later" }.put(&mut content));
        assert!(request(5).put(&mut content));
        let sealed = seal.seal(&content).unwrap();
        put_record(RecordKind::Sealed, &sealed, &mut a.output);
        let events = carry(&mut a, &mut b);
        assert_eq!(b.end().is_some(), ended);
        assert_eq!(events.is_empty(), ended);
    }
}

#[test]
fn silence_ends_a_session_and_keep_alives_prevent_it() {
    let (mut a, mut b) = open();
    let mut now = START;
    for _ in 0..20 {
        now = a.next_deadline().unwrap().min(b.next_deadline().unwrap());
        for session in [&mut a, &mut b] {
            session.timeout(now);
        }
        let bytes = a.output().to_vec();
        a.sent(bytes.len());
        b.receive(&bytes, now, &mut Vec::new());
        let bytes = b.output().to_vec();
        b.sent(bytes.len());
        a.receive(&bytes, now, &mut Vec::new());
        assert!(a.is_open() && b.is_open());
    }
    assert!(now > START.after(SILENCE_MAX));
    while b.end().is_none() {
        now = b.next_deadline().unwrap();
        b.timeout(now);
    }
    assert_eq!(b.end(), Some(&End::Silent));
    assert_eq!(b.next_deadline(), None);
}

#[test]
fn full_queue_is_said_and_bounded() {
    let (mut a, _b) = open();
    let bulk =
        Message::Bulk(Bulk { kind: BULK_LEASES, need: Need::Optional, body: vec![0; frame::BODY_BYTES] });
    let mut sent = 0;
    while a.send(&bulk, START).is_ok() {
        sent += 1;
        assert!(sent < 1000);
    }
    assert_eq!(a.send(&bulk, START), Err(Unsent::Full));
    assert!(a.output().len() <= QUEUE_BYTES + 100, "{}", a.output().len());
    let long =
        Message::Bulk(Bulk { kind: BULK_LEASES, need: Need::Optional, body: vec![0; frame::BODY_BYTES + 1] });
    let count = a.output().len();
    a.sent(count);
    assert_eq!(a.send(&long, START), Err(Unsent::TooLong));
}

#[test]
fn farewell_arrives() {
    let (mut a, mut b) = open();
    a.leave("stopping", START);
    carry(&mut a, &mut b);
    assert_eq!(b.end(), Some(&End::Bye("stopping".into())));
}

proptest! {
    #[test]
    fn no_bytes_panic_in_any_phase(phase in 0u8..4, parts in prop::collection::vec(any::<Vec<u8>>(), 0..6)) {
        let mut session = match phase {
            0 => initiator(),
            1 => responder(),
            2 => greeted().1,
            _ => open().0,
        };
        let mut now = START;
        for part in parts {
            let mut events = Vec::new();
            session.receive(&part, now, &mut events);
            prop_assert!(events.is_empty());
            now = session.next_deadline().unwrap_or(now);
            session.timeout(now);
        }
        session.closed();
        prop_assert!(session.end().is_some());
    }

    #[test]
    fn any_cut_of_the_stream_gives_the_same_messages(cuts in prop::collection::vec(1usize..40, 1..60)) {
        let (mut a, mut b) = open();
        for id in 0..5 {
            a.send(&request(id), START).unwrap();
        }
        let bytes = a.output().to_vec();
        let (mut rest, mut events) = (bytes.as_slice(), Vec::new());
        for cut in cuts {
            let (part, left) = rest.split_at(cut.min(rest.len()));
            b.receive(part, START, &mut events);
            rest = left;
        }
        b.receive(rest, START, &mut events);
        let expected: Vec<Event> = (0..5).map(|id| Event::Message(request(id))).collect();
        prop_assert_eq!(events, expected);
    }

    #[test]
    fn one_changed_byte_on_the_wire_delivers_nothing_wrong(at in any::<prop::sample::Index>(), flip in 1u8..) {
        let (mut a, mut b) = open();
        a.send(&request(1), START).unwrap();
        let mut bytes = a.output().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert_eq!(feed(&mut b, &bytes), []);
    }
}

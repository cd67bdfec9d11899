use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::super::message::{Facts, Plan};
use super::*;
use crate::peer::key::Key;

const START: Instant = Instant::from_micros(1_000_000);

fn code(digit: char) -> Code {
    // Any code will do that is always the same.
    let mut text = digit.to_string().repeat(19);
    text.extend(
        "0123456789abcdefghjkmnpqrstvwxyz".chars().find(|it| Code::parse(&format!("{text}{it}")).is_ok()),
    );
    Code::parse(&text).unwrap()
}

fn ends() -> Ends {
    Ends { initiator: [192, 0, 2, 3].into(), responder: [192, 0, 2, 2].into() }
}

fn guest() -> Session {
    Session::new(Side::Initiator, &code('7'), &ends(), START)
}

fn host() -> Session {
    Session::new(Side::Responder, &code('7'), &ends(), START)
}

fn facts() -> Facts {
    Facts {
        node: "gw-b".into(),
        version: "0.1.0".into(),
        address: (Ipv4Addr::new(192, 0, 2, 3), 24),
        network: None,
        device: "lan".into(),
        serves_dhcp: false,
        key: None,
        config: None,
    }
}

/// All messages of a pairing, in their order; the guest begins.
fn script() -> [Message; 5] {
    let plan = Plan { node: "gw-a".into(), key: Key::new([7; 32]), config: "config gwha\n".into() };
    [Message::Hello(facts()), Message::Plan(plan), Message::Ready, Message::Commit, Message::Done]
}

fn carry(from: &mut Session, to: &mut Session) -> Option<Message> {
    let bytes = from.output().to_vec();
    from.sent(bytes.len());
    to.receive(&bytes, START)
}

/// After the handshake.
fn shaken() -> (Session, Session) {
    let (mut guest, mut host) = (guest(), host());
    assert_eq!(carry(&mut guest, &mut host), None);
    assert_eq!(carry(&mut host, &mut guest), None);
    (guest, host)
}

/// After the first `count` messages.
fn after(count: usize) -> (Session, Session) {
    let (mut guest, mut host) = shaken();
    for (index, message) in script().into_iter().take(count).enumerate() {
        let (speaker, hearer) =
            if index % 2 == 0 { (&mut guest, &mut host) } else { (&mut host, &mut guest) };
        assert!(speaker.is_own_turn() && !hearer.is_own_turn(), "{message:?}");
        speaker.say(&message, START);
        assert_eq!(carry(speaker, hearer), Some(message));
    }
    (guest, host)
}

#[test]
fn both_sides_say_their_messages_in_turn_and_then_it_is_done() {
    let (guest, host) = after(5);
    assert_eq!(guest.end(), Some(&End::Finished));
    assert_eq!(host.end(), Some(&End::Finished));
}

#[test]
fn host_believes_nothing_before_the_hello_has_opened() {
    let (guest, host) = shaken();
    assert!(!host.is_proven() && guest.is_own_turn() && !host.is_own_turn());
    assert!(after(1).1.is_proven());
}

#[test]
fn other_code_is_told_on_both_sides() {
    let mut guest = Session::new(Side::Initiator, &code('8'), &ends(), START);
    let mut host = host();
    assert_eq!(carry(&mut guest, &mut host), None);
    assert_eq!(carry(&mut host, &mut guest), None);
    assert_eq!((host.end(), guest.end()), (Some(&End::Code), Some(&End::Code)));
}

#[test]
fn host_with_another_code_is_found_out_by_the_guest() {
    let mut impostor = Session::new(Side::Responder, &code('8'), &ends(), START);
    let mut strayed = Session::new(Side::Initiator, &code('8'), &ends(), START);
    carry(&mut strayed, &mut impostor);
    let mut guest = guest();
    assert_eq!(carry(&mut impostor, &mut guest), None);
    assert_eq!(guest.end(), Some(&End::Code));
}

#[test]
fn message_out_of_its_turn_ends_it_and_is_not_heard() {
    for (count, right) in script().iter().enumerate() {
        for wrong in script().iter().filter(|it| *it != right) {
            let (mut guest, mut host) = after(count);
            let (speaker, hearer) =
                if count % 2 == 0 { (&mut guest, &mut host) } else { (&mut host, &mut guest) };
            // As a program of another mind would send it.
            speaker.turn = match wrong {
                Message::Hello(_) => Turn::Hello,
                Message::Plan(_) => Turn::Plan,
                Message::Ready => Turn::Ready,
                Message::Commit => Turn::Commit,
                Message::Done | Message::Refuse(_) => Turn::Done,
            };
            speaker.say(wrong, START);
            assert_eq!(carry(speaker, hearer), None, "{wrong:?} after {count}");
            assert_eq!(hearer.end(), Some(&End::Garbled), "{wrong:?} after {count}");
        }
    }
}

#[test]
fn either_side_can_refuse_in_its_turn_and_the_other_hears_why() {
    for count in 0..5 {
        let (mut guest, mut host) = after(count);
        let (speaker, hearer) =
            if count % 2 == 0 { (&mut guest, &mut host) } else { (&mut host, &mut guest) };
        speaker.say(&Message::Refuse("because".into()), START);
        assert_eq!(carry(speaker, hearer), Some(Message::Refuse("because".into())));
        assert_eq!(hearer.end(), Some(&End::Refused("because".into())));
        assert_eq!(speaker.end(), Some(&End::Refused("because".into())));
    }
}

#[test]
fn recorded_pairing_says_nothing_to_another_host_with_the_same_code() {
    let (mut guest, mut host) = (guest(), host());
    let mut recorded = guest.output().to_vec();
    carry(&mut guest, &mut host);
    carry(&mut host, &mut guest);
    guest.say(&Message::Hello(facts()), START);
    recorded.extend_from_slice(guest.output());

    let mut later = Session::new(Side::Responder, &code('7'), &ends(), START);
    assert_eq!(later.receive(&recorded, START), None);
    assert_eq!(later.end(), Some(&End::Garbled));
    assert!(!later.is_proven());
}

#[test]
fn what_is_no_handshake_is_foreign_and_kept_short() {
    for junk in [&b"GET / HTTP/1.0\r\n\r\n"[..], &[1, 0xff, 0xff], &[1, 0, 5, b'g', b'w', b'h', b'a', 9]] {
        let mut host = host();
        assert_eq!(host.receive(junk, START), None);
        assert_eq!(host.end(), Some(&End::Foreign), "{junk:?}");
        assert!(host.output().is_empty());
    }
}

#[test]
fn silence_ends_it_at_every_point() {
    let mut host = host();
    assert_eq!(host.deadline(), Some(START.after(HANDSHAKE_PATIENCE)));
    host.timeout(START.after(HANDSHAKE_PATIENCE));
    assert_eq!(host.end(), Some(&End::Silent));
    assert_eq!(host.deadline(), None);
    for count in 1..5 {
        let (mut guest, mut host) = after(count);
        for side in [&mut guest, &mut host] {
            side.timeout(START.after(PATIENCE - Duration::from_micros(1)));
            assert_eq!(side.end(), None);
            side.timeout(START.after(PATIENCE));
            assert_eq!(side.end(), Some(&End::Silent));
        }
    }
}

#[test]
fn messages_arrive_whole_however_the_bytes_are_torn() {
    let (mut guest, mut host) = shaken();
    guest.say(&Message::Hello(facts()), START);
    let bytes = guest.output().to_vec();
    for byte in &bytes[..bytes.len() - 1] {
        assert_eq!(host.receive(&[*byte], START), None);
    }
    assert_eq!(host.receive(&bytes[bytes.len() - 1..], START), Some(Message::Hello(facts())));
}

proptest! {
    #[test]
    fn changed_byte_is_never_heard(place in any::<prop::sample::Index>(), change in 1u8..) {
        let (mut guest, mut host) = shaken();
        guest.say(&Message::Hello(facts()), START);
        let mut bytes = guest.output().to_vec();
        bytes[place.index(guest.output().len())] ^= change;
        prop_assert_eq!(host.receive(&bytes, START), None);
    }

    #[test]
    fn no_bytes_panic(parts in prop::collection::vec(any::<Vec<u8>>(), 0..6)) {
        let mut host = host();
        let mut proven = after(1).1;
        for part in &parts {
            let _ = host.receive(part, START);
            let _ = proven.receive(part, START);
        }
    }
}

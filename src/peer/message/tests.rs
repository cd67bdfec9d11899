use proptest::prelude::*;

use super::super::frame::Frames;
use super::*;
use crate::ubus::Table;

fn samples() -> Vec<Message> {
    let group = GroupState {
        name: "gateway".into(),
        role: "master".into(),
        epoch: 7,
        priority: 100,
        ..Default::default()
    };
    vec![
        Message::Hello(Hello {
            protocol: 1,
            oldest: 1,
            life: "ab".into(),
            node: "gw-a".into(),
            version: "0.1.0".into(),
        }),
        Message::Adopt,
        Message::Bye(Bye { why: "stopping".into() }),
        Message::Ping,
        Message::State(State {
            role: "master".into(),
            health: "healthy".into(),
            maintenance: true,
            uptime: 4_000_000_000,
            clock: -1,
            groups: vec![
                group.clone(),
                GroupState { kept: true, switched_away: true, holds: vec!["wan".into()], ..group },
            ],
        }),
        Message::Setup(Setup {
            digest: "00ff".into(),
            instances: vec![InstanceSetup {
                name: "lan".into(),
                vrid: 51,
                version: 3,
                interval: 1000,
                vips: "192.168.1.1/24".into(),
            }],
            groups: vec![GroupSetup { name: "lan".into(), ranks: "100 90".into() }],
        }),
        Message::Prepare(Request { id: 1, take: true }),
        Message::Prepared(Reply { id: 1, error: None }),
        Message::Take(Request { id: u32::MAX, take: false }),
        Message::Taken(Reply { id: u32::MAX, error: Some("in maintenance".into()) }),
        Message::Bulk(Bulk { kind: BULK_LEASES, need: Need::Required, body: vec![0, 1, 2] }),
        Message::Bulk(Bulk { kind: BULK_END - 1, need: Need::Optional, body: vec![] }),
    ]
}

fn read(bytes: &[u8]) -> Vec<Result<Option<Message>, Misunderstood>> {
    Frames::of(bytes).map(|frame| Message::of(&frame.unwrap())).collect()
}

#[test]
fn every_message_comes_back_as_it_was_put() {
    for message in samples() {
        let mut bytes = Vec::new();
        assert!(message.put(&mut bytes), "{message:?}");
        assert_eq!(read(&bytes), [Ok(Some(message))]);
    }
}

#[test]
fn fields_and_types_of_later_versions_are_skipped() {
    let later = Table::default()
        .with("protocol", PROTOCOL + 2)
        .with("oldest", PROTOCOL)
        .with("life", "cd")
        .with("colours", vec!["red"])
        .with("taste", 1);
    let mut bytes = Vec::new();
    assert!(put(HELLO, Need::Required, &later, &mut bytes));
    assert!(Frame { kind: 17, need: Need::Optional, body: b"who knows" }.put(&mut bytes));

    let hello = Hello { protocol: PROTOCOL + 2, oldest: PROTOCOL, life: "cd".into(), ..Hello::default() };
    assert_eq!(read(&bytes), [Ok(Some(Message::Hello(hello))), Ok(None)]);
}

#[test]
fn field_that_an_older_version_does_not_send_has_its_default() {
    let earlier = Table::default().with("role", "backup");
    let mut bytes = Vec::new();
    assert!(put(STATE, Need::Optional, &earlier, &mut bytes));

    let state = State { role: "backup".into(), ..State::default() };
    assert_eq!(read(&bytes), [Ok(Some(Message::State(state)))]);
}

#[test]
fn unknown_type_that_must_be_understood_is_an_error() {
    let mut bytes = Vec::new();
    assert!(Frame { kind: 17, need: Need::Required, body: &[] }.put(&mut bytes));
    assert_eq!(read(&bytes), [Err(Misunderstood::Unknown(17))]);
}

#[test]
fn bulk_outside_of_its_kinds_is_not_put() {
    let mut bytes = Vec::new();
    assert!(!Message::Bulk(Bulk { kind: HELLO, need: Need::Optional, body: vec![] }).put(&mut bytes));
    assert!(bytes.is_empty());
}

#[test]
fn largest_configuration_fits_into_a_message() {
    let name = "n".repeat(crate::config::limits::NAME_BYTES_MAX);
    let vips = "v".repeat(128);
    let instance = InstanceSetup { name: name.clone(), vrid: 255, version: 3, interval: 40950, vips };
    let group = GroupSetup { name, ranks: "100 90 80 70 60 50 40 30".into() };
    let setup = Setup { digest: "d".repeat(64), instances: vec![instance; 64], groups: vec![group; 64] };
    assert!(Message::Setup(setup).put(&mut Vec::new()));
}

#[test]
fn words_of_the_other_router_are_one_short_line() {
    assert_eq!(clean("gw\n<3>kernel: panic"), "gw<3>kernel: panic");
    assert_eq!(clean(&"x".repeat(5000)).len(), WORD_CHARS);
}

proptest! {
    #[test]
    fn no_body_panics(kind: u8, required: bool, body: Vec<u8>) {
        let need = if required { Need::Required } else { Need::Optional };
        let _ = Message::of(&Frame { kind, need, body: &body });
    }

    #[test]
    fn no_damage_to_a_message_panics(which in 0usize..12, at: prop::sample::Index, to: u8, cut: prop::sample::Index) {
        let mut bytes = Vec::new();
        prop_assert!(samples()[which].put(&mut bytes));
        let at = at.index(bytes.len());
        bytes[at] = to;
        bytes.truncate(cut.index(bytes.len()) + 1);
        for frame in Frames::of(&bytes).flatten() {
            let _ = Message::of(&frame);
        }
    }
}

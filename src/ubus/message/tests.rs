use super::super::Table;
use super::super::inbox::Inbox;
use super::*;

fn attributes(build: impl FnOnce(Builder) -> Builder, check: impl FnOnce(Attributes<'_>)) {
    let mut inbox = Inbox::default();
    inbox.push(&build(Builder::new(Kind::Data, 1, 2)).finish().unwrap());
    check(inbox.next_message().unwrap().unwrap().attributes());
}

/// By hand, from the protocol's description.
#[test]
fn wire_form_of_a_call() {
    let data = Data::encode(&Table::default().with("vrid", 51)).unwrap();
    let bytes = Builder::new(Kind::Invoke, 2, 0x0102_0304).object(0x0102_0304).method("status").data(&data);

    assert_eq!(
        bytes.finish().unwrap(),
        [
            &b"\x00\x05\x00\x02\x01\x02\x03\x04"[..],
            b"\x00\x00\x00\x2c",
            b"\x03\x00\x00\x08\x01\x02\x03\x04",
            b"\x04\x00\x00\x0bstatus\0\0",
            b"\x07\x00\x00\x14\x85\x00\x00\x10\x00\x04vrid\0\0\x00\x00\x00\x33",
        ]
        .concat()
    );
    assert_eq!(Builder::new(Kind::Hello, 0, 7).finish().unwrap(), b"\0\0\0\0\0\0\0\x07\0\0\0\x04");
}

#[test]
fn every_attribute_is_read_back() {
    let data = Data::encode(&Table::default().with("a", true)).unwrap();
    attributes(
        |message| {
            let message = message.status(Status::NotFound).path("gwha").object(3).method("m").object_type(5);
            let message = message.signature(&data).data(&data).target(8).raw(ACTIVE, &[1]).no_reply();
            message.raw(SUBSCRIBERS, b"subs").raw(USER, b"root\0").raw(GROUP, b"wheel\0")
        },
        |all| {
            let expected = Attributes {
                status: Some(Status::NotFound),
                path: Some(b"gwha"),
                object: Some(3),
                method: Some(b"m"),
                object_type: Some(5),
                signature: Some(data.as_bytes()),
                data: Some(data.as_bytes()),
                target: Some(8),
                active: Some(1),
                no_reply: Some(1),
                subscribers: Some(b"subs"),
                user: Some(b"root"),
                group: Some(b"wheel"),
            };
            assert_eq!(all, expected);
        },
    );
}

#[test]
fn the_last_sound_attribute_of_a_kind_counts() {
    attributes(
        |message| message.object(1).object(2).raw(OBJECT, &[1, 2, 3]).method("a").raw(METHOD, b"no nul"),
        |all| {
            assert_eq!(all.object, Some(2));
            assert_eq!(all.method, Some(&b"a"[..]));
        },
    );
}

#[test]
fn unknown_and_wrongly_sized_attributes_are_skipped() {
    attributes(
        |m| m.raw(0, b"x").raw(14, b"y").raw(127, b"z").raw(STATUS, &[0; 5]).raw(NO_REPLY, &[0; 4]),
        |all| assert_eq!(all, Attributes::default()),
    );
}

#[test]
fn a_message_above_the_limit_is_refused_and_the_largest_is_not() {
    let largest = vec![0; MAX_MESSAGE - 8];
    assert_eq!(
        Builder::new(Kind::Data, 0, 0).raw(7, &largest).finish().map(|m| m.len()),
        Ok(MAX_MESSAGE + 8)
    );
    let larger = vec![0; MAX_MESSAGE - 7];
    assert_eq!(Builder::new(Kind::Data, 0, 0).raw(7, &larger).object(1).finish(), Err(Error::TooLong));
}

#[test]
fn kinds_and_statuses_keep_every_number() {
    for number in 0..=255 {
        assert_eq!(Kind::from_wire(number).wire(), number);
        assert_eq!(Status::from_wire(number.into()).wire(), u32::from(number));
    }
    assert_eq!(Kind::from_wire(12), Kind::Unknown(12));
    assert_eq!(Status::Other(200).to_string(), "status 200");
}

use super::super::message::Builder;
use super::super::{Data, Table};
use super::*;

fn invoke() -> Vec<u8> {
    let data = Data::encode(&Table::default().with("vrid", 51)).unwrap();
    Builder::new(Kind::Invoke, 0x1234, 0xdead_beef).object(7).method("status").data(&data).finish().unwrap()
}

fn raw(version: u8, body: u32) -> Vec<u8> {
    let mut bytes = vec![version, 2, 0, 1, 0, 0, 0, 0];
    bytes.extend(body.to_be_bytes());
    bytes
}

#[test]
fn messages_are_found_however_they_are_cut() {
    let bytes = [invoke(), invoke(), invoke()].concat();

    for piece in 1..bytes.len() {
        let mut inbox = Inbox::default();
        let mut count = 0;
        for chunk in bytes.chunks(piece) {
            inbox.push(chunk);
            while let Some(message) = inbox.next_message().unwrap() {
                assert_eq!(message.header.seq, 0x1234);
                assert_eq!(message.header.peer, 0xdead_beef);
                assert_eq!(message.attributes().method, Some(&b"status"[..]));
                count += 1;
            }
        }
        assert_eq!(count, 3, "in pieces of {piece} bytes");
    }
}

#[test]
fn limits_of_the_length_are_those_of_ubusd() {
    for (body, sound) in
        [(0, false), (3, false), (4, true), (5, true), (1 << 20, true), ((1 << 20) + 1, false)]
    {
        let mut inbox = Inbox::default();
        inbox.push(&raw(0, body));
        assert_eq!(inbox.next_message().is_ok(), sound, "{body}");
    }
}

#[test]
fn the_largest_message_arrives_whole() {
    let mut inbox = Inbox::default();
    inbox.push(&raw(0, 1 << 20));
    assert_eq!(inbox.next_message(), Ok(None));
    inbox.push(&vec![0; (1 << 20) - 4]);
    assert_eq!(inbox.next_message().unwrap().unwrap().body.len(), (1 << 20) - 4);
    assert_eq!(inbox.next_message(), Ok(None));
}

#[test]
fn another_version_ends_the_connection() {
    let mut inbox = Inbox::default();
    inbox.push(&raw(1, 4));
    assert_eq!(inbox.next_message(), Err(FrameError::Version(1)));
}

#[test]
fn the_outer_attributes_id_does_not_matter() {
    let mut inbox = Inbox::default();
    inbox.push(&raw(0, 0xff00_0004));
    assert_eq!(inbox.next_message().unwrap().unwrap().body, b"");
}

#[test]
fn memory_is_given_back_after_a_large_message() {
    let mut inbox = Inbox::default();
    inbox.push(&raw(0, 1 << 20));
    inbox.push(&vec![0; (1 << 20) - 4]);
    assert!(inbox.next_message().unwrap().is_some());
    assert_eq!(inbox.next_message(), Ok(None));
    assert_eq!(inbox.bytes.len(), 0);
    assert_eq!(inbox.bytes.capacity(), 0);
}

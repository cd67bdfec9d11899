use proptest::prelude::*;

use super::*;

fn some_entries() -> impl Strategy<Value = Vec<Entry>> {
    let kind = prop_oneof![
        (any::<[u8; 32]>(), any::<u32>()).prop_map(|(hash, size)| Kind::File { hash, size }),
        Just(Kind::Dir),
        "[ -~]{0,40}".prop_map(Kind::Held),
    ];
    let entry = (0u32..0o1000, any::<u32>(), any::<u32>(), kind);
    prop::collection::btree_map("/[ -~]{1,300}", entry, 0..200).prop_map(|all| {
        let entry = |(path, (mode, uid, gid, kind))| Entry { path, meta: Meta { mode, uid, gid }, kind };
        all.into_iter().map(entry).collect()
    })
}

proptest! {
    #[test]
    fn list_comes_back_as_it_was_sent(number in any::<u32>(), entries in some_entries()) {
        let mut list = List::default();
        for part in encode_list(number, &entries) {
            prop_assert!(part.len() <= crate::peer::frame::BODY_BYTES);
            prop_assert!(!list.is_whole());
            prop_assert_eq!(list.add(&part), Some(()));
        }
        prop_assert!(list.is_whole());
        prop_assert_eq!((list.number, list.entries), (number, entries));
    }

    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = (Hello::decode(&body), Ask::decode(&body), Piece::decode(&body), Report::decode(&body));
        let _ = (decode_refusal(&body), List::default().add(&body));
    }
}

#[test]
fn messages_come_back_as_they_were_sent() {
    let hello = Hello {
        version: 3,
        oldest: 2,
        is_source: true,
        release: "24.10".into(),
        program: "0.1".into(),
        roots: "/etc/a\n/b".into(),
    };
    assert!(hello.speaks_of("/etc/a") && hello.speaks_of("/b/c") && !hello.speaks_of("/etc/ab"));
    assert_eq!(Hello::decode(&hello.encode()), Some(hello));
    let ask = Ask { hash: [7; 32], offset: 9, path: "/etc/hosts".into() };
    assert_eq!(Ask::decode(&ask.encode()), Some(ask));
    let piece = Piece { hash: [7; 32], offset: 9, bytes: b"content" };
    assert_eq!(Piece::decode(&piece.encode()), Some(piece));
    assert_eq!(decode_refusal(&encode_refusal(&[7; 32], "gone")), Some(([7; 32], "gone".into())));
    let told = [Matter::Failed, Matter::Aside, Matter::Waits].map(|what| Told {
        what,
        path: "/etc/hosts".into(),
        why: "x".into(),
    });
    let report = Report { number: 5, is_settled: true, told: told.to_vec() };
    assert_eq!(Report::decode(&report.encode()), Some(report));
}

#[test]
fn failures_for_which_a_report_has_no_room_are_those_of_any_file() {
    let told = |what, count| {
        let one = |at| Told {
            what,
            path: format!("/etc/app/{at}{}", "x".repeat(1000)),
            why: "\u{1f4a5}".repeat(300),
        };
        (0..count).map(one).collect::<Vec<_>>()
    };
    let coming = |told| Report::decode(&Report { number: 5, is_settled: true, told }.encode()).unwrap();
    for (what, count) in [(Matter::Failed, 33), (Matter::Waits, 33), (Matter::Failed, 20)] {
        let report = coming(told(what, count));
        let rest = Told { what: Matter::Waits, path: String::new(), why: String::new() };
        assert_eq!(report.told.last(), Some(&rest), "{what:?}");
    }
    // What is put aside says nothing of what is here.
    assert!(coming(told(Matter::Aside, 33)).told.iter().all(|told| told.what == Matter::Aside));
}

fn entry(path: &str) -> Entry {
    Entry { path: path.into(), meta: Meta::default(), kind: Kind::Dir }
}

#[test]
fn list_with_a_path_twice_out_of_order_or_without_end_is_refused() {
    for paths in [["/a", "/a"], ["/b", "/a"]] {
        let entries = paths.map(entry);
        let [part] = encode_list(1, &entries).try_into().unwrap();
        assert_eq!(List::default().add(&part), None);
    }
    let long: Vec<Entry> = (0..=limits::FILES).map(|number| entry(&format!("/{number:08}"))).collect();
    let mut list = List::default();
    assert!(encode_list(1, &long).iter().any(|part| list.add(part).is_none()));
    assert!(list.entries.len() <= limits::FILES);
    assert_eq!(List::default().add(&encode_list(1, &[entry(&"/x".repeat(1000))]).concat()), None);
}

#[test]
fn part_of_another_list_or_out_of_turn_is_refused() {
    let long: Vec<Entry> = (0..900).map(|number| entry(&format!("/{number:0100}"))).collect();
    let (one, two) = (encode_list(1, &long), encode_list(2, &long));
    assert!(one.len() > 2);
    let mut list = List::default();
    assert_eq!(list.add(&one[1]), None);
    assert_eq!(list.add(&one[0]), Some(()));
    assert_eq!(list.add(&two[1]), None);
    assert_eq!(list.add(&one[2]), None);
    assert_eq!(list.add(&one[1]), Some(()));
    // It begins anew whenever the first part comes.
    assert_eq!(list.add(&two[0]), Some(()));
    assert_eq!((list.number, list.is_whole()), (2, false));
}

use gwha::ubus::Data;
use gwha::ubus::inbox::Inbox;
use gwha::ubus::json::{self, Layout};
use proptest::prelude::*;

use super::*;

prop_compose! {
    fn text()(text in "[^\0]{0,12}") -> String { text }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::Double),
        text().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 40, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            prop::collection::vec((text(), inner), 0..8).prop_map(|members| Value::Table(Table(members))),
        ]
    })
}

prop_compose! {
    fn any_table()(members in prop::collection::vec((text(), any_value()), 0..8)) -> Table { Table(members) }
}

/// Attributes that are nearly right: small lengths, likely types, short names.
fn nearly_attributes() -> impl Strategy<Value = Vec<u8>> {
    let head = (any::<bool>(), 0..11u8, 0..40u8, prop_oneof![0..6u16, any::<u16>()]);
    let piece = (head, prop::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..24));
    prop::collection::vec(piece, 0..12).prop_map(|pieces| {
        let mut bytes = Vec::new();
        for ((named, id, length, name_length), rest) in pieces {
            bytes.extend([u8::from(named) << 7 | id, 0, 0, length]);
            bytes.extend(name_length.to_be_bytes());
            bytes.extend(rest);
            if length % 2 == 0 {
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
        }
        bytes
    })
}

prop_compose! {
    /// A sound table with a few bytes changed, perhaps cut.
    fn damaged()(
        table in any_table(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        whole in any::<bool>(),
    ) -> Vec<u8> {
        let mut bytes = Data::encode(&table).unwrap().as_bytes().to_vec();
        if !bytes.is_empty() {
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if !whole {
                bytes.truncate(cut.index(bytes.len()));
            }
        }
        bytes
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tables_are_written_byte_by_byte_like_libubox(table in any_table()) {
        let ours = Data::encode(&table).unwrap();
        prop_assert_eq!(ours.as_bytes(), &encode(&table)[..]);
        prop_assert_eq!(our_walk(ours.as_bytes()), walk(ours.as_bytes()));
    }

    #[test]
    fn damaged_tables_are_read_like_libubox(bytes in damaged()) {
        prop_assert_eq!(our_walk(&bytes), walk(&bytes));
    }

    #[test]
    fn nearly_tables_are_read_like_libubox(bytes in nearly_attributes()) {
        prop_assert_eq!(our_walk(&bytes), walk(&bytes));
    }

    #[test]
    fn arbitrary_bytes_are_read_like_libubox(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert_eq!(our_walk(&bytes), walk(&bytes));
    }

    #[test]
    fn messages_have_the_attributes_that_libubox_finds(body in nearly_attributes()) {
        let mut bytes = vec![0, 5, 0, 1, 0, 0, 0, 0];
        bytes.extend((body.len() as u32 + 4).to_be_bytes());
        bytes.extend(&body);
        let mut inbox = Inbox::default();
        inbox.push(&bytes);
        let ours = inbox.next_message().unwrap().unwrap().attributes();
        let theirs = attributes(&bytes[8..]);

        let number = |value: Option<u32>| value.map(|value| value.to_be_bytes().to_vec());
        let byte = |value: Option<u8>| value.map(|value| vec![value]);
        let table = |value: Option<&[u8]>| value.map(<[u8]>::to_vec);
        let string = |index: usize| {
            theirs[index].as_ref().map(|value| value.split(|byte| *byte == 0).next().unwrap().to_vec())
        };
        prop_assert_eq!(number(ours.status.map(|status| status.wire())), theirs[1].clone());
        prop_assert_eq!(table(ours.path), string(2));
        prop_assert_eq!(number(ours.object), theirs[3].clone());
        prop_assert_eq!(table(ours.method), string(4));
        prop_assert_eq!(number(ours.object_type), theirs[5].clone());
        prop_assert_eq!(table(ours.signature), theirs[6].clone());
        prop_assert_eq!(table(ours.data), theirs[7].clone());
        prop_assert_eq!(number(ours.target), theirs[8].clone());
        prop_assert_eq!(byte(ours.active), theirs[9].clone());
        prop_assert_eq!(byte(ours.no_reply), theirs[10].clone());
        prop_assert_eq!(table(ours.subscribers), theirs[11].clone());
        prop_assert_eq!(table(ours.user), string(12));
        prop_assert_eq!(table(ours.group), string(13));
    }

    #[test]
    fn json_text_becomes_the_bytes_that_libubox_makes_of_it(table in any_table()) {
        let text = json::to_string(&short(Value::Table(table)), Layout::Compact);
        // Names twice in a table: we refuse, json-c takes the last.
        if let Ok(value) = json::parse(&text) {
            prop_assert_eq!(Some(Data::encode(&value).unwrap().as_bytes().to_vec()), from_json(&text), "{}", text);
        }
    }

    #[test]
    fn json_text_means_what_that_of_libubox_means(table in any_table()) {
        let data = Data::encode(&plain(short(Value::Table(table)))).unwrap();
        let theirs: serde_json::Value = serde_json::from_slice(&to_json(data.as_bytes())).unwrap();
        let ours: serde_json::Value = serde_json::from_str(&data.to_json(Layout::Pretty).unwrap()).unwrap();
        prop_assert_eq!(as_doubles(ours), as_doubles(theirs));
    }
}

/// With doubles of few digits: our reader is exact to fifteen, and six places are written.
fn short(value: Value) -> Value {
    match value {
        Value::Double(number) => Value::Double((number % 1e9 * 1000.0).round() / 1000.0),
        Value::Array(elements) => Value::Array(elements.into_iter().map(short).collect()),
        Value::Table(table) => Value::Table(table.0.into_iter().map(|(name, value)| (name, short(value))).collect()),
        other => other,
    }
}

/// Without what libubox writes as no JSON: empty names are left out, other doubles are `inf` and `nan`.
fn plain(value: Value) -> Value {
    match value {
        Value::Double(number) if !number.is_finite() => Value::Null,
        Value::Array(elements) => Value::Array(elements.into_iter().map(plain).collect()),
        Value::Table(table) => Value::Table(
            table.0.into_iter().map(|(name, value)| (format!("n{name}"), plain(value))).collect(),
        ),
        other => other,
    }
}

/// All numbers as doubles: libubox writes whole ones without a fraction.
fn as_doubles(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Number(number) => number.as_f64().into(),
        serde_json::Value::Array(elements) => elements.into_iter().map(as_doubles).collect(),
        serde_json::Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, as_doubles(value))).collect()
        }
        other => other,
    }
}

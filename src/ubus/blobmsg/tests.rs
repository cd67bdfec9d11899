use proptest::prelude::*;

use super::super::blob::MAX_MESSAGE;
use super::super::decode::Source;
use super::super::record::{Member, Record};
use super::super::{Decimal, Place, Table};
use super::*;

fn bytes(value: &dyn Encode) -> Vec<u8> {
    Data::encode(value).unwrap().as_bytes().to_vec()
}

fn round_trip<T: Encode + Decode + Default + PartialEq + fmt::Debug>(value: T) {
    let data = Data::encode(&value).unwrap();
    assert_eq!(data.decode::<T>().unwrap(), value, "{data:?}");
}

fn table(json: &str) -> Table {
    json::parse(json).unwrap().as_table().unwrap().clone()
}

#[derive(Debug, PartialEq, Default)]
struct One<T> {
    v: T,
}

impl<T: Encode> Encode for One<T> {
    fn encode(&self, place: Place<'_>) -> Result<(), Error> {
        let mut member = Some(("v", &self.v as &dyn Encode));
        place.table(&mut || member.take())
    }
}

impl<T: Encode + Decode> Record for One<T> {
    fn names(&self) -> &'static [&'static str] {
        &["v"]
    }

    fn member(&self, place: usize) -> Option<&dyn Member> {
        (place == 0).then_some(&self.v)
    }

    fn member_mut(&mut self, place: usize) -> Option<&mut dyn Member> {
        (place == 0).then_some(&mut self.v)
    }

    fn is_left_out(&self, _place: usize) -> bool {
        false
    }
}

impl<T: Encode + Decode> Decode for One<T> {
    fn decode(&mut self, source: Source<'_>) -> Result<(), Error> {
        source.record(self)
    }
}

fn one<T: Encode>(v: T) -> Vec<u8> {
    bytes(&One { v })
}

/// The example of the protocol's description, and one value of each type, by hand.
#[test]
fn wire_form_of_each_type() {
    assert_eq!(bytes(&table(r#"{"vrid":51}"#)), b"\x85\x00\x00\x10\x00\x04vrid\0\0\x00\x00\x00\x33");

    assert_eq!(one(true), b"\x87\x00\x00\x09\x00\x01v\0\x01\0\0\0");
    assert_eq!(one(-2), b"\x85\x00\x00\x0c\x00\x01v\0\xff\xff\xff\xfe");
    assert_eq!(one(1i64 << 31), b"\x84\x00\x00\x10\x00\x01v\0\0\0\0\0\x80\0\0\0");
    assert_eq!(one(Decimal::thousandths(1500)), b"\x88\x00\x00\x10\x00\x01v\0\x3f\xf8\0\0\0\0\0\0");
    assert_eq!(one("on"), b"\x83\x00\x00\x0b\x00\x01v\0on\0\0");
    assert_eq!(one(Value::Null), b"\x80\x00\x00\x08\x00\x01v\0");
    assert_eq!(one(vec![7]), b"\x81\x00\x00\x14\x00\x01v\0\x85\x00\x00\x0c\0\0\0\0\0\0\0\x07");
    assert_eq!(one(One { v: 7 }), b"\x82\x00\x00\x14\x00\x01v\0\x85\x00\x00\x0c\x00\x01v\0\0\0\0\x07");
    assert_eq!(one(Option::<u8>::None), b"");
}

#[test]
fn names_of_every_length_are_padded() {
    for length in 0..9 {
        let name = "n".repeat(length);
        let members = Table::default().with(name, 5);
        let data = Data::encode(&members).unwrap();

        assert_eq!(data.as_bytes().len(), 4 + (length + 3).div_ceil(4) * 4 + 4);
        assert_eq!(data.decode(), Ok(members));
    }
}

#[test]
fn whole_numbers_take_four_bytes_if_they_fit() {
    let size = |number: i64| one(number).len() - 8;

    assert_eq!(size(i32::MAX.into()), 4);
    assert_eq!(size(i32::MIN.into()), 4);
    assert_eq!(size(i64::from(i32::MAX) + 1), 8);
    assert_eq!(size(i64::from(i32::MIN) - 1), 8);
    assert_eq!(one(u32::MAX).len() - 8, 8);
    assert_eq!(one(i64::MAX as u64).len() - 8, 8);
    assert_eq!(Data::encode(&One { v: i64::MAX as u64 + 1 }), Err(Error::NumberTooLarge));
}

#[test]
fn numbers_of_any_size_on_the_wire_decode_if_their_value_fits() {
    let mut writer = Writer::new(100);
    writer.put_field("v", Type::Int16, &[0xff, 0xfe]).unwrap();
    let short = Data::from_bytes(writer.into_bytes());
    let mut writer = Writer::new(100);
    writer.put_field("v", Type::Int64, &300u64.to_be_bytes()).unwrap();
    let long = Data::from_bytes(writer.into_bytes());

    assert_eq!(short.decode::<One<i32>>().unwrap().v, -2);
    assert_eq!(short.decode::<One<Decimal>>().unwrap().v.to_string(), "-2.0");
    assert!(short.decode::<One<u64>>().is_err());
    assert_eq!(long.decode::<One<u16>>().unwrap().v, 300);
    assert!(long.decode::<One<u8>>().is_err());
    assert!(long.decode::<One<bool>>().is_err());
}

fn status() -> Table {
    table(
        r#"{"name":"wän","role":"master","since":12.25,"peers":[{"address":"10.0.0.2","heard":0.5},{"address":"fe80::1"}],
        "counters":{"sent":5000000000,"received":0},"extra":{"a":[1,null,{"b":true}],"c":-0.5}}"#,
    )
}

#[test]
fn values_of_every_shape_round_trip() {
    round_trip(status());
    round_trip(One { v: status() });
    round_trip(One { v: One { v: 9_u16 } });
    round_trip(One { v: String::from("ß") });
    round_trip(One { v: vec![Some(1), None, Some(3)] });
    round_trip(One { v: Some(vec![One { v: true }, One { v: false }]) });
    round_trip(One { v: Option::<Decimal>::None });
}

#[test]
fn json_text_is_that_of_the_serde_json_crate() {
    let ours = Data::encode(&status()).unwrap().to_json(json::Layout::Compact).unwrap();

    let theirs: serde_json::Value = serde_json::from_str(&ours).unwrap();
    assert_eq!(theirs["counters"]["sent"], 5_000_000_000_u64);
    assert_eq!(theirs["peers"][0]["heard"], 0.5);
    assert_eq!(theirs["extra"]["a"][2]["b"], true);
    assert_eq!(theirs["name"], "wän");
}

#[test]
fn only_tables_can_be_messages() {
    assert_eq!(Data::encode(&5), Err(Error::NotATable));
    assert_eq!(Data::encode(&vec![5]), Err(Error::NotATable));
    assert_eq!(Data::encode(&"text"), Err(Error::NotATable));
    assert_eq!(Data::encode(&Value::Null), Err(Error::NotATable));
    assert_eq!(Data::encode(&Some(One { v: 1 })), Data::encode(&One { v: 1 }));
}

#[test]
fn unknown_members_are_skipped_whatever_they_hold() {
    let mut writer = Writer::new(1000);
    let mark = writer.begin_field("unknown", Type::Table).unwrap();
    writer.append(b"\xff\xff\xff\xff garbage").unwrap();
    writer.end(mark);
    writer.put_int("v", 5).unwrap();

    assert_eq!(Data::from_bytes(writer.into_bytes()).decode(), Ok(One { v: 5 }));
}

#[test]
fn text_that_is_not_utf8_is_replaced() {
    let data = Data::from_bytes(b"\x83\x00\x00\x0c\x00\x01v\0a\xe4b\0".to_vec());

    assert_eq!(data.decode::<One<String>>().unwrap().v, "a\u{fffd}b");
}

#[test]
fn values_of_a_wrong_size_are_malformed() {
    let sizes = [
        (Type::String, &[0, 2, 3][..]),
        (Type::Int64, &[8]),
        (Type::Int32, &[4]),
        (Type::Int16, &[2]),
        (Type::Bool, &[1]),
        (Type::Double, &[8, 9, 10]),
    ];
    for (kind, good) in sizes {
        for size in 0..=10 {
            let mut writer = Writer::new(100);
            writer.put_field("v", kind, &[1; 10][..size]).unwrap();
            let sound = Fields::new(&writer.into_bytes()).all(|field| field.is_ok());
            // A string of ones lacks its NUL.
            assert_eq!(sound, good.contains(&size) && kind != Type::String, "{kind:?} of {size} bytes");
        }
    }
    assert_eq!(Fields::new(b"\x89\x00\x00\x08\0\0\0\0").next(), Some(Err(Error::Malformed)));
}

#[test]
fn broken_names_are_malformed() {
    for bytes in [
        &b"\x85\x00\x00\x0c\x00\x02v\0\0\0\0\x07"[..], // Another length than the NUL says.
        b"\x85\x00\x00\x0c\x00\x00v\0\0\0\0\x07",
        b"\x85\x00\x00\x0c\xff\xffv\0\0\0\0\x07", // Longer than the attribute.
        b"\x85\x00\x00\x05\x00\0\0\0",            // No room for the length.
        b"\x80\x00\x00\x07\x00\x00\0\0",          // No room for the padding.
    ] {
        assert_eq!(Fields::new(bytes).next(), Some(Err(Error::Malformed)), "{bytes:x?}");
        assert_eq!(Data::from_bytes(bytes.to_vec()).decode::<One<i32>>(), Err(Error::Malformed));
    }
}

#[test]
fn every_truncation_of_a_status_decodes_or_is_an_error() {
    let whole = Data::encode(&status()).unwrap();
    let all: Table = whole.decode().unwrap();

    for length in 0..whole.as_bytes().len() {
        let cut = Data::from_bytes(whole.as_bytes()[..length].to_vec());
        let members: Table = cut.decode().unwrap();
        assert!(all.0.starts_with(&members.0));
    }
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(Value::Int(1), |inner, _| Value::Table(Table::default().with("v", inner)))
}

#[test]
fn depth_has_a_limit_in_both_directions() {
    let deepest = nested(MAX_DEPTH.into());
    assert_eq!(Data::encode(&deepest).unwrap().decode(), Ok(deepest));
    assert_eq!(Data::encode(&nested(usize::from(MAX_DEPTH) + 1)), Err(Error::TooDeep));

    let mut writer = Writer::new(MAX_MESSAGE);
    let marks: Vec<Mark> = (0..60_000).map(|_| writer.begin_field("", Type::Array).unwrap()).collect();
    marks.into_iter().rev().for_each(|mark| writer.end(mark));
    assert_eq!(Data::from_bytes(writer.into_bytes()).decode::<Value>(), Err(Error::TooDeep));
}

#[test]
fn a_table_above_the_message_limit_is_refused() {
    let text = "x".repeat(MAX_MESSAGE - 100);
    assert!(Data::encode(&One { v: text.as_str() }).is_ok());
    assert_eq!(Data::encode(&One { v: vec![text.clone(), text] }), Err(Error::TooLong));
    let name = "n".repeat(65536);
    assert_eq!(Data::encode(&Table::default().with(name, 1)), Err(Error::TooLong));
}

#[test]
fn a_million_elements_take_memory_in_proportion() {
    // Attributes of four bytes are the smallest that are valid: null without a name.
    let data = Data::from_bytes([0, 0, 0, 4].repeat(MAX_MESSAGE / 4));
    let members: Table = data.decode().unwrap();
    assert_eq!(members.0.len(), MAX_MESSAGE / 4);
}

#[test]
fn mismatch_says_what_was_expected() {
    let error = Data::from_bytes(one("soon")).decode::<One<u32>>().unwrap_err();
    assert_eq!(error.to_string(), "a whole number expected");
    let error = Data::from_bytes(one(300)).decode::<One<u8>>().unwrap_err();
    assert_eq!(error.to_string(), "a number within the range expected");
}

prop_compose! {
    fn text()(text in "[^\0]{0,12}") -> String { text }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_filter("NaN is not equal to itself", |n| !n.is_nan()).prop_map(Value::Double),
        text().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 40, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            prop::collection::vec((text(), inner), 0..8).prop_map(|members| Value::Table(Table(members))),
        ]
    })
}

#[test]
fn members_are_found_without_decoding() {
    let inner = Table::default().with("interface", "lan").with("up", true);
    let data = Data::encode(&Table::default().with("n", 1).with("interface", vec![inner])).unwrap();

    let list = data.fields().named("interface").unwrap();
    let lan = list.inside().next().unwrap().unwrap().content;
    assert_eq!(lan.inside().named("interface").and_then(Content::text), Some("lan"));
    assert_eq!(lan.inside().named("up").and_then(Content::flag), Some(true));
    assert_eq!(lan.inside().named("up").and_then(Content::text), None);
    assert_eq!(lan.inside().named("down"), None);
    assert_eq!(data.fields().named("n").unwrap().inside().count(), 0);
}

proptest! {
    #[test]
    fn any_table_round_trips(members in prop::collection::vec((text(), any_value()), 0..8)) {
        let table = Table(members);
        prop_assert_eq!(Data::encode(&table).unwrap().decode::<Table>(), Ok(table));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let data = Data::from_bytes(bytes);
        let _ = data.decode::<Table>();
        let _ = data.decode::<One<Vec<One<String>>>>();
        let _ = data.to_json(json::Layout::Pretty);
    }

    #[test]
    fn damaged_bytes_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = bytes(&status());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let data = Data::from_bytes(bytes);
        let _ = data.decode::<Table>();
        let _ = data.decode::<One<Vec<One<String>>>>();
    }
}

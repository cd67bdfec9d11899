use proptest::prelude::*;

use super::*;

fn compact(value: impl Into<Value>) -> String {
    to_string(&value.into(), Layout::Compact)
}

#[test]
fn pretty_text_is_indented_by_tabs() {
    let value = parse(r#"{"a":[1,[],{}],"b":{"c":null}}"#).unwrap();

    let text = to_string(&value, Layout::Pretty);

    assert_eq!(text, "{\n\t\"a\": [\n\t\t1,\n\t\t[],\n\t\t{}\n\t],\n\t\"b\": {\n\t\t\"c\": null\n\t}\n}");
    assert_eq!(parse(&text), Ok(value));
}

#[test]
fn control_characters_and_quotes_are_escaped() {
    assert_eq!(
        compact("a\"b\\c\n\r\t\u{1}\u{1b}\u{7f}\u{9b}é😀"),
        r#""a\"b\\c\n\r\t\u0001\u001b\u007f\u009bé😀""#
    );
    assert_eq!(compact(Table::default().with("\n", 1)), r#"{"\n":1}"#);
}

#[test]
fn doubles_are_json_numbers_that_read_back_as_doubles() {
    assert_eq!(compact(1.0), "1.0");
    assert_eq!(compact(0.1), "0.1");
    assert_eq!(compact(f64::NAN), "null");
    assert_eq!(compact(f64::INFINITY), "null");
    assert_eq!(parse("1.25e3"), Ok(Value::Double(1250.0)));
}

#[test]
fn numbers_are_whole_if_they_fit() {
    assert_eq!(parse("-0"), Ok(Value::Int(0)));
    assert_eq!(parse("9223372036854775807"), Ok(Value::Int(i64::MAX)));
    assert_eq!(parse("-9223372036854775808"), Ok(Value::Int(i64::MIN)));
    assert_eq!(parse("9223372036854775808").unwrap_err().what, "number too large");
    assert_eq!(parse("1.0"), Ok(Value::Double(1.0)));
    assert_eq!(parse("1e999").unwrap_err().what, "number too large");
}

#[test]
fn escapes_are_read() {
    assert_eq!(parse(r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#), Ok("\"\\/\u{8}\u{c}\n\r\té😀".into()));
}

#[test]
fn what_is_not_json_is_refused_with_the_place() {
    for (text, offset) in [
        ("", 0),
        ("  ", 2),
        ("{", 1),
        ("{a:1}", 1),
        (r#"{"a" 1}"#, 5),
        (r#"{"a":1,}"#, 7),
        ("[1,]", 3),
        ("[1 2]", 3),
        ("01", 1),
        ("1.", 2),
        ("-", 1),
        ("1e", 2),
        ("+1", 0),
        ("nul", 0),
        ("NaN", 0),
        ("1 x", 2),
        ("\"a", 2),
        ("\"a\nb\"", 2),
        (r#""\x""#, 2),
        (r#""\u12g4""#, 2),
        (r#""\u0000""#, 7),
        (r#""\ud83d""#, 7),
        (r#""\ude00""#, 7),
        (r#""\ud83d\u0041""#, 13),
        (r#"{"a":1,"b":2,"a":3}"#, 19),
        ("'a'", 0),
    ] {
        assert_eq!(parse(text).map_err(|error| error.offset), Err(offset), "{text}");
    }
}

#[test]
fn depth_and_length_have_limits() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));

    assert!(parse(&nested(32)).is_ok());
    assert_eq!(parse(&nested(33)).unwrap_err().what, "nested too deeply");
    assert_eq!(parse(&"[".repeat(1 << 20)).unwrap_err().what, "nested too deeply");
    assert_eq!(parse(&" ".repeat((1 << 20) + 1)).unwrap_err().what, "text too long");
}

proptest! {
    #[test]
    fn any_text_survives(text in "\\PC*|[\u{1}-\u{ff}]*") {
        let json = compact(text.as_str());
        prop_assert_eq!(parse(&json), Ok(Value::from(text.as_str())));
        prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn agrees_with_the_serde_json_crate_on_what_is_json(text in r#"[\[\]{}",:0-9a-u.eE+\\ -]{0,12}"#) {
        // serde_json makes a double of "-0"; the grammar does not care.
        prop_assume!(!text.contains("-0"));
        let ours = parse(&text);
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        if let Ok(value) = &ours {
            let again = serde_json::from_str::<serde_json::Value>(&compact(value.clone())).unwrap();
            prop_assert!(alike(&again, &theirs.unwrap()), "{}", text);
        } else if theirs.is_ok() {
            let what = ours.unwrap_err().what;
            prop_assert!(["the same name twice", "NUL in a string", "number too large"].contains(&what), "{} in {}", what, text);
        }
    }
}

/// The same, numbers as far as readers and six places agree on them.
fn alike(one: &serde_json::Value, other: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Number, Object};
    match (one, other) {
        (Number(one), Number(other)) => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            (one - other).abs() <= one.abs() * 1e-13 + 5.1e-7
        }
        (Array(one), Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Object(one), Object(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| one.0 == other.0 && alike(one.1, other.1))
        }
        (one, other) => one == other,
    }
}

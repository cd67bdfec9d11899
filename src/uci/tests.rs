use proptest::prelude::*;

use super::*;

fn errors(input: &str) -> Vec<String> {
    match parse(input.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(broken) => broken.errors.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn errors_name_line_column_and_what_was_expected() {
    let found = errors("config a b\n\toption x two words\n\tfoo bar\nconfig a c-d\n  list\n");

    assert_eq!(
        found,
        [
            "2:15: expected the end of the line (a value with blanks needs quotes)",
            "3:2: expected 'config', 'option' or 'list', found 'foo'",
            "4:10: section name 'c-d': must be letters, digits and '_'",
            "5:7: expected an option name",
        ]
    );
}

#[test]
fn a_missing_quote_is_reported_where_it_opens_and_the_next_line_is_read() {
    let broken = parse(b"config a b\n\toption x 'abc\n\toption y 2\n").unwrap_err();

    assert_eq!(broken.errors.len(), 1);
    assert_eq!(broken.errors[0].at, Position { line: 2, column: 11 });
    assert_eq!(broken.errors[0].kind, ErrorKind::Unterminated('\''));
    assert!(broken.tree.sections[0].get("y").is_some());
}

#[test]
fn a_quote_that_swallowed_the_next_line_is_suspected() {
    let found = errors(
        "config a b
	option x 'abc
	option y 'one two
",
    );

    assert_eq!(
        found,
        [
            "3:16: expected the end of the line (a value with blanks needs quotes); \
             its statement begins on line 2: is a quote missing?",
            "3:11: this ' has no partner before the file ends",
        ]
    );
}

/// Half a password that was written without quotes must not get into the log.
#[test]
fn a_surplus_word_is_not_shown() {
    assert_eq!(
        errors(
            "config a b
option auth_pass my secret
"
        ),
        ["2:21: expected the end of the line (a value with blanks needs quotes)"]
    );
}

#[test]
fn options_after_a_broken_config_line_go_nowhere() {
    let broken = parse(b"config a b\n\toption x 1\nconfig a c d\n\toption x 2\n").unwrap_err();

    assert_eq!(broken.errors.len(), 1);
    let Some(Value::Single(item)) = broken.tree.sections[0].get("x") else { panic!("x is there") };
    assert_eq!(item.bytes, b"1");
}

#[test]
fn a_value_keeps_the_line_on_which_it_begins() {
    let tree = parse(b"config a b\n\toption x \\\n'one\ntwo'\n\tlist y 1\n\n\tlist y 2\n").unwrap();

    let lines =
        |name| tree.sections[0].get(name).unwrap().items().iter().map(|item| item.line).collect::<Vec<_>>();
    assert_eq!(lines("x"), [2]);
    assert_eq!(lines("y"), [5, 7]);
}

#[test]
fn the_reader_gives_up_after_the_last_error_it_reports() {
    assert_eq!(errors(&"foo\n".repeat(limits::ERRORS_MAX + 5)).len(), limits::ERRORS_MAX);
}

#[test]
fn a_file_may_be_as_long_as_the_limit_and_no_longer() {
    let at_limit = "#".repeat(limits::FILE_BYTES_MAX);

    assert_eq!(errors(&at_limit), [""; 0]);
    assert_eq!(errors(&(at_limit + "#")), ["1:1: the file is longer than 1048576 bytes"]);
}

#[test]
fn a_word_may_be_as_long_as_the_limit_and_no_longer() {
    let value = |length| format!("config a b\noption x '{}'\noption y 1\n", "v".repeat(length));

    assert_eq!(errors(&value(limits::WORD_BYTES_MAX)), [""; 0]);
    assert_eq!(
        errors(&value(limits::WORD_BYTES_MAX + 1)),
        ["2:10: longer than 16384 bytes: is a quote missing?"]
    );
}

#[test]
fn there_may_be_as_many_sections_as_the_limit_and_no_more() {
    let sections = |count| "config a\n".repeat(count);

    assert_eq!(errors(&sections(limits::SECTIONS_MAX)), [""; 0]);
    assert_eq!(errors(&sections(limits::SECTIONS_MAX + 1)), ["8193:8: more than 8192 sections"]);
}

#[test]
fn a_section_may_have_as_many_options_as_the_limit_and_no_more() {
    let options =
        |count| (0..count).fold("config a\n".to_owned(), |text, n| text + &format!("option x{n} 1\n"));
    let again = "option x0 2\nlist x1 2\n";

    assert_eq!(errors(&(options(limits::OPTIONS_MAX) + again)), [""; 0]);
    assert_eq!(errors(&options(limits::OPTIONS_MAX + 1)), ["514:13: more than 512 options in this section"]);
}

#[test]
fn a_nul_byte_is_reported_with_its_place() {
    assert_eq!(errors("config a b\n\toption\0"), ["2:8: NUL byte: the file is damaged or is not text"]);
}

#[test]
fn an_error_shows_the_beginning_of_a_long_or_binary_word() {
    let found = errors(&format!("{}\n\u{fc}\u{1}\n", "x".repeat(100)));

    assert!(found[0].ends_with(&format!("found '{}...'", "x".repeat(40))), "{}", found[0]);
    assert!(found[1].ends_with("found '\\xc3\\xbc\\x01'"), "{}", found[1]);
}

/// Shapes that make a careless reader slow: every line is looked at again after each error, a list
/// that grows, many names to search among, one quote over everything.
#[test]
fn the_largest_files_are_read_in_time_proportional_to_their_size() {
    let fill = |line: &str| line.repeat(limits::FILE_BYTES_MAX / line.len() - 1);
    let shapes = [
        "config a b\n".to_owned() + &fill("l x 1\n"),
        fill("c a b\n"),
        fill("'\n"),
        "config a b\noption x ".to_owned() + &fill("\\\n"),
        "config a b\noption x \"".to_owned() + &fill("\\\n"),
        (0..limits::OPTIONS_MAX).fold("config a b\n".to_owned(), |t, n| t + &format!("o x{n} 1\n"))
            + &"o x511 2\n".repeat(110_000),
    ];

    for shape in shapes {
        let start = std::time::Instant::now();
        let _ = parse(shape.as_bytes());
        assert!(start.elapsed().as_secs() < 5, "{:.40} took {:?}", shape, start.elapsed());
    }
}

proptest! {
    #[test]
    fn any_bytes_give_a_tree_or_errors(input in proptest::collection::vec(any::<u8>(), 0..400)) {
        match parse(&input) {
            Ok(_) => {}
            Err(broken) => prop_assert!(!broken.errors.is_empty() && broken.errors.len() <= limits::ERRORS_MAX),
        }
    }

    #[test]
    fn a_quoted_value_is_read_back(value in "([^\0]|'|\n){1,40}") {
        let file = format!("config a b\n\toption x {}\n\toption y 1\n", quote(&value));
        let tree = parse(file.as_bytes()).unwrap();
        prop_assert_eq!(&tree.sections[0].get("x").unwrap().items()[0].bytes, value.as_bytes());
        prop_assert_eq!(tree.sections[0].options.len(), 2);
    }
}

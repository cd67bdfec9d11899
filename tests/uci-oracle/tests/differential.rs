//! gwha's UCI reader against libuci: the corpus, mutations of it, and random statements.
//! All random choices come from fixed seeds.

use std::fs;
use std::path::Path;

use gwha::uci::{self, Section, Tree, Value};
use uci_oracle::read;

/// Where the two differ on purpose, or because the libuci that is linked is old. Everything else must
/// be equal.
#[derive(Debug, PartialEq, Eq)]
enum Allowed {
    /// libuci loses text around NUL bytes; gwha refuses the file.
    Nul,
    /// gwha has limits.
    Limit,
    /// libuci joins a section to an unnamed one that it has given this name itself, a hash.
    GeneratedName,
    /// libuci before 2023 loses the section when its name comes for the third time.
    ThirdTime,
}

fn allowed(input: &[u8], ours: &Result<Tree, uci::Broken>, linked: Linked) -> Option<Allowed> {
    if input.contains(&0) {
        return Some(Allowed::Nul);
    }
    let limits = |error: &uci::Error| {
        use uci::ErrorKind::{FileTooLong, TooManyOptions, TooManySections, WordTooLong};
        matches!(error.kind, FileTooLong | TooManyOptions | TooManySections | WordTooLong)
    };
    if ours.as_ref().is_err_and(|broken| broken.errors.iter().any(limits)) {
        return Some(Allowed::Limit);
    }
    if ours.as_ref().is_ok_and(|tree| tree.sections.iter().any(has_generated_name)) {
        return Some(Allowed::GeneratedName);
    }
    if linked == Linked::Before2023 && ours.is_ok() && many_sections(input) && read(input).is_err() {
        return Some(Allowed::ThirdTime);
    }
    None
}

fn has_generated_name(section: &Section) -> bool {
    let Some(hash) = section.name.as_ref().and_then(|name| name.strip_prefix("cfg")) else { return false };
    hash.len() >= 6 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether `config` statements could name one section three times.
fn many_sections(input: &[u8]) -> bool {
    let words = input.split(|byte| matches!(byte, b'\n' | b';' | b' ' | b'\t'));
    words.filter(|word| matches!(*word, b"config" | b"c")).count() >= 3
}

/// Which libuci is linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Linked {
    /// A value that is set again goes to the end of its section.
    Before2023,
    /// It stays where it is.
    Since2023,
}

impl Linked {
    fn find_out() -> Linked {
        let tree = read(b"config a b\noption x 1\noption y 2\noption x 22\n").expect("it is valid");
        if tree.sections[0].options[0].name == "x" { Linked::Since2023 } else { Linked::Before2023 }
    }
}

/// `tree` as the linked libuci would give it.
fn comparable(mut tree: Tree, linked: Linked) -> Tree {
    for section in &mut tree.sections {
        section.line = 0;
        for entry in &mut section.options {
            match &mut entry.value {
                Value::Single(item) => item.line = 0,
                Value::List(items) => items.iter_mut().for_each(|item| item.line = 0),
            }
        }
        if linked == Linked::Before2023 {
            section.options.sort_by(|a, b| a.name.cmp(&b.name));
        }
    }
    tree
}

#[derive(Default, Debug)]
struct Tally {
    equal_trees: usize,
    both_refuse: usize,
    allowed: usize,
}

impl Tally {
    fn compare(&mut self, input: &[u8], linked: Linked) {
        let ours = uci::parse(input);
        if allowed(input, &ours, linked).is_some() {
            self.allowed += 1;
            return;
        }
        match (read(input), ours) {
            (Ok(theirs), Ok(ours)) => {
                let (theirs, ours) = (comparable(theirs, linked), comparable(ours, linked));
                assert_eq!(ours, theirs, "left: gwha, right: libuci, of:\n{}", input.escape_ascii());
                self.equal_trees += 1;
            }
            (Err(_), Err(_)) => self.both_refuse += 1,
            (Ok(_), Err(ours)) => panic!("only gwha refuses ({}):\n{}", ours.errors[0], input.escape_ascii()),
            (Err(theirs), Ok(_)) => panic!("only libuci refuses ({theirs}):\n{}", input.escape_ascii()),
        }
    }
}

fn corpus() -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../uci");
    let mut files: Vec<_> = fs::read_dir(directory)
        .expect("tests/uci is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "uci"))
        .map(|path| (path.display().to_string(), fs::read(&path).expect("it can be read")))
        .collect();
    files.sort();
    assert!(files.len() >= 40, "the corpus is not where it should be");
    files
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

#[test]
fn the_corpus_reads_as_in_libuci() {
    let linked = Linked::find_out();
    let mut tally = Tally::default();
    for (_, input) in corpus() {
        tally.compare(&input, linked);
    }
    println!("{linked:?}: {tally:?}");
    assert!(tally.equal_trees >= 20 && tally.both_refuse >= 10 && tally.allowed <= 5, "{tally:?}");
}

#[test]
fn every_prefix_of_the_corpus_reads_as_in_libuci() {
    let linked = Linked::find_out();
    let mut tally = Tally::default();
    for (_, input) in corpus() {
        for length in 0..input.len().min(2000) {
            tally.compare(&input[..length], linked);
        }
    }
    println!("{linked:?}: {tally:?}");
}

#[test]
fn mutations_of_the_corpus_read_as_in_libuci() {
    const SPECIAL: &[u8] = b"'\"\\\n\r;# \t\x0b\x0c_-.'\"\\\n;#\xa0\xff";
    let linked = Linked::find_out();
    let mut random = Random(1);
    let mut tally = Tally::default();
    for (_, input) in corpus().iter().filter(|(_, input)| !input.is_empty() && input.len() < 4000) {
        for _ in 0..4000 {
            let mut mutant = input.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(mutant.len());
                match random.below(5) {
                    0 => mutant.truncate(at.max(1)),
                    1 => mutant[at] ^= 1 << random.below(8),
                    2 => mutant[at] = SPECIAL[random.below(SPECIAL.len())],
                    3 => mutant.insert(at, SPECIAL[random.below(SPECIAL.len())]),
                    _ => drop(mutant.remove(at)),
                }
                if mutant.is_empty() {
                    break;
                }
            }
            tally.compare(&mutant, linked);
        }
    }
    println!("{linked:?}: {tally:?}");
    assert!(tally.equal_trees > 10_000 && tally.both_refuse > 10_000, "{tally:?}");
}

/// Statements from pieces that matter, so that most of the grammar's corners meet.
#[test]
fn random_statements_read_as_in_libuci() {
    const PIECES: &[&str] = &[
        "config",
        "option",
        "list",
        "package",
        "c",
        "o",
        "l",
        "p",
        "a",
        "b",
        "it",
        "x1",
        "'",
        "'",
        "\"",
        "\"",
        "\\",
        "\n",
        "\n",
        "\r\n",
        " ",
        " ",
        " ",
        "\t",
        ";",
        "#",
        "''",
        "\"\"",
        "'v w'",
        "\\\n",
        "\\\r\n",
        "\\'",
        "\x0b",
        "-",
        "é",
        "\nconfig a ",
        "\noption b ",
        "\nlist b ",
        "\nlist a '1'",
        "config a x\n",
        " ; ",
    ];
    let linked = Linked::find_out();
    let mut random = Random(2);
    let mut tally = Tally::default();
    for _ in 0..600_000 {
        let mut input =
            String::from(random.pick(&["", "config a b\n", "config a\n", "config a b\noption a 1\n"]));
        for _ in 0..random.below(14) {
            input.push_str(random.pick(PIECES));
        }
        tally.compare(input.as_bytes(), linked);
    }
    println!("{linked:?}: {tally:?}");
    assert!(tally.equal_trees > 50_000 && tally.both_refuse > 50_000, "{tally:?}");
}

#[test]
fn a_quoted_value_comes_back_from_libuci() {
    let mut random = Random(3);
    for _ in 0..20_000 {
        let value: String = (0..=random.below(12))
            .map(|_| random.pick(&["'", "\"", "\\", "\n", "\r\n", "#", ";", " ", "é", "a"]))
            .collect();
        let input = format!("config a\n\toption b {}\n\tlist c {}\n", uci::quote(&value), uci::quote(&value));

        let tree = read(input.as_bytes()).expect("a quoted value is valid");

        for entry in &tree.sections[0].options {
            assert_eq!(entry.value.items()[0].bytes, value.as_bytes());
        }
    }
}

/// The allow-list is not larger than what it stands for: each entry is shown to differ.
#[test]
fn each_allowed_difference_is_real() {
    let generated = b"config a\n\noption x 1\n\nconfig a cfg0130bd\n";
    let name = generated_name();
    let joined = String::from_utf8_lossy(generated).replace("cfg0130bd", &name);
    assert_eq!(read(joined.as_bytes()).expect("it is valid").sections.len(), 1);
    assert_eq!(uci::parse(joined.as_bytes()).expect("it is valid").sections.len(), 2);

    let third = b"config a b\nconfig a b\nconfig a b\noption x 1\n";
    assert_eq!(read(third).is_err(), Linked::find_out() == Linked::Before2023);
    assert!(uci::parse(third).is_ok());

    let long = format!("config a\noption b {}\n", "x".repeat(uci::limits::WORD_BYTES_MAX + 1));
    assert!(read(long.as_bytes()).is_ok());
    assert!(uci::parse(long.as_bytes()).is_err());

    assert!(uci::parse(b"config a\n\0").is_err());
}

/// What libuci calls the first section of a file if it is unnamed and of type `a`.
fn generated_name() -> String {
    let hash = (5381_u32 << 5).wrapping_add(5381).wrapping_add(u32::from(b'a')) & 0xffff;
    format!("cfg01{hash:04x}")
}

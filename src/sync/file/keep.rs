//! Options of UCI files that stay as they are on each router.
//!
//! What comes from the source gets this router's own values before it is put in place. Its text is changed line by line, so
//! comments and order stay; what that makes is read again and compared with what was meant, and only if it is not
//! that, because of a statement over several lines or a second one on the same, the file is written anew without comments.

use crate::collect::IntoVec as _;
use crate::uci::{self, Entry, Section, Tree, Value};

use super::rules::Rules;

/// What of a file is kept: a section, or one of its options.
struct Kept<'a> {
    section: &'a str,
    option: Option<&'a str>,
}

/// The source's content with this router's own values of the options that are kept.
///
/// # Errors
/// Why that is not possible: one of the two is no UCI file.
pub fn merge(rules: &Rules, path: &str, content: &[u8], own: Option<&[u8]>) -> Result<Vec<u8>, String> {
    let kept: Vec<Kept<'_>> = kept_of(rules, path).into_vec();
    if kept.is_empty() {
        return Ok(content.to_vec());
    }
    let theirs = parse(content, "not put in place")?;
    let ours = parse(
        own.unwrap_or_default(),
        "its options to keep are not known, for this router's own can't be read",
    )?;
    let mut wanted = theirs.clone();
    for kept in &kept {
        put_back(kept, &ours, &mut wanted);
    }
    if is_equal(&wanted, &theirs) {
        return Ok(content.to_vec());
    }
    let is_meant = |text: &[u8]| uci::parse(text).is_ok_and(|tree| is_equal(&tree, &wanted));
    let text = edit(content, &theirs, &wanted);
    if is_meant(&text) {
        return Ok(text);
    }
    let text = render(&wanted);
    if is_meant(&text) { Ok(text) } else { Err("its options to keep can't be written into it".to_owned()) }
}

/// Whether an option of a section is kept.
pub fn is_kept(rules: &Rules, path: &str, tree: &Tree, section: &Section, option: &str) -> bool {
    kept_of(rules, path).any(|kept| {
        let found = select(tree, kept.section).and_then(|at| tree.sections.get(at));
        kept.option.is_none_or(|it| it == option) && found.is_some_and(|it| core::ptr::eq(it, section))
    })
}

fn kept_of<'a>(rules: &'a Rules, path: &'a str) -> impl Iterator<Item = Kept<'a>> {
    let package = rules.package(path);
    rules.keep.iter().filter_map(move |keep| {
        let mut words = keep.splitn(3, '.');
        (words.next() == package).then_some(())?;
        Some(Kept { section: words.next()?, option: words.next() })
    })
}

fn parse(content: &[u8], what: &str) -> Result<Tree, String> {
    uci::parse(content).map_err(|broken| match broken.errors.first() {
        Some(error) => format!("{what}: {error}"),
        None => what.to_owned(),
    })
}

/// The section of a name, or of a `@TYPE[NUMBER]`, where -1 is the last.
fn select(tree: &Tree, name: &str) -> Option<usize> {
    let Some(rest) = name.strip_prefix('@') else {
        return tree.sections.iter().position(|section| section.name.as_deref() == Some(name));
    };
    let (kind, number) = rest.strip_suffix(']')?.split_once('[')?;
    let number: i32 = number.parse().ok()?;
    let all = || tree.sections.iter().enumerate().filter(|(_, section)| section.kind == kind);
    let count = i32::try_from(all().count()).ok()?;
    let at = if number < 0 { number.saturating_add(count) } else { number };
    all().nth(usize::try_from(at).ok()?).map(|(at, _)| at)
}

/// Gives the tree this router's own values.
fn put_back(kept: &Kept<'_>, ours: &Tree, wanted: &mut Tree) {
    let own = select(ours, kept.section).and_then(|at| ours.sections.get(at));
    let at = select(wanted, kept.section);
    let Some(option) = kept.option else {
        match (own, at.and_then(|at| wanted.sections.get_mut(at)), at) {
            (Some(own), Some(section), _) => section.options.clone_from(&own.options),
            (Some(own), None, _) => wanted.sections.push(own.clone()),
            (None, _, Some(at)) => drop(wanted.sections.remove(at)),
            (None, _, None) => {}
        }
        return;
    };
    // A section that the source has removed is gone with its options.
    let Some(section) = at.and_then(|at| wanted.sections.get_mut(at)) else { return };
    let value = own.and_then(|own| own.get(option));
    let place = section.options.iter().position(|entry| entry.name == option);
    match (value, place.and_then(|place| section.options.get_mut(place)), place) {
        (Some(value), Some(entry), _) => entry.value = value.clone(),
        (Some(value), None, _) => {
            section.options.push(Entry { name: option.to_owned(), value: value.clone() });
        }
        (None, _, Some(place)) => drop(section.options.remove(place)),
        (None, _, None) => {}
    }
}

/// Whether two trees say the same, wherever their words stand.
fn is_equal(one: &Tree, other: &Tree) -> bool {
    let is_same_section = |(one, other): (&Section, &Section)| {
        (&one.kind, &one.name, one.options.len()) == (&other.kind, &other.name, other.options.len())
            && one
                .options
                .iter()
                .all(|entry| other.get(&entry.name).is_some_and(|it| is_equal_value(&entry.value, it)))
    };
    one.sections.len() == other.sections.len()
        && one.sections.iter().zip(&other.sections).all(is_same_section)
}

fn is_equal_value(one: &Value, other: &Value) -> bool {
    let is_list = |value: &Value| matches!(value, Value::List(_));
    let (ones, others) = (one.items(), other.items());
    is_list(one) == is_list(other)
        && ones.len() == others.len()
        && ones.iter().zip(others).all(|(one, other)| one.bytes == other.bytes)
}

/// The text with the lines of options that are others in `wanted` replaced. Only right if each of them is a line, and the
/// sections are the same.
fn edit(content: &[u8], theirs: &Tree, wanted: &Tree) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len());
    let mut number = 0u32;
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        number = number.saturating_add(1);
        let changed = theirs.sections.iter().zip(&wanted.sections).find_map(|(old, new)| {
            let entry = old
                .options
                .iter()
                .find(|entry| entry.value.items().iter().any(|item| item.line == number))?;
            let value = new.get(&entry.name);
            let is_same = value.is_some_and(|value| is_equal_value(value, &entry.value));
            (!is_same).then_some((entry, value))
        });
        match changed {
            None => out.extend_from_slice(line),
            Some((entry, Some(value))) if is_first_line(entry, number) => {
                put_option(&entry.name, value, &mut out)
            }
            Some((_, _)) => {}
        }
        let begun = theirs.sections.iter().zip(&wanted.sections).find(|(old, _)| old.line == number);
        if let Some((old, new)) = begun {
            if !out.ends_with(b"\n") {
                out.push(b'\n');
            }
            for entry in new.options.iter().filter(|entry| old.get(&entry.name).is_none()) {
                put_option(&entry.name, &entry.value, &mut out);
            }
        }
    }
    for section in wanted.sections.iter().skip(theirs.sections.len()) {
        if !out.ends_with(b"\n") {
            out.push(b'\n');
        }
        put_section(section, &mut out);
    }
    out
}

fn is_first_line(entry: &Entry, number: u32) -> bool {
    entry.value.items().first().is_some_and(|item| item.line == number)
}

fn render(tree: &Tree) -> Vec<u8> {
    let mut out = Vec::new();
    for section in &tree.sections {
        put_section(section, &mut out);
    }
    out
}

fn put_section(section: &Section, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\nconfig ");
    out.extend_from_slice(section.kind.as_bytes());
    if let Some(name) = &section.name {
        out.push(b' ');
        put_word(name.as_bytes(), out);
    }
    out.push(b'\n');
    for entry in &section.options {
        put_option(&entry.name, &entry.value, out);
    }
}

fn put_option(name: &str, value: &Value, out: &mut Vec<u8>) {
    for item in value.items() {
        out.extend_from_slice(match value {
            Value::Single(_) => b"\toption ",
            Value::List(_) => b"\tlist ",
        });
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
        put_word(&item.bytes, out);
        out.push(b'\n');
    }
}

/// As [`uci::quote`], for any bytes.
fn put_word(word: &[u8], out: &mut Vec<u8>) {
    out.push(b'\'');
    for byte in word {
        match byte {
            b'\'' => out.extend_from_slice(b"'\\''"),
            other => out.push(*other),
        }
    }
    out.push(b'\'');
}

#[cfg(test)]
mod tests;

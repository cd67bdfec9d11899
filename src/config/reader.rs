//! Reads the options of a section by the schema, and reports what does not fit.

use std::sync::Arc;

use super::finding::{At, Findings, Spot};
use super::kinds::{Kind, Visibility};
use super::problem::Problem;
use super::schema::{Described, Key, SECTIONS, SectionType, Shape};
use super::suggest::nearest;
use crate::collect::IntoVec as _;
use crate::uci::{Entry, Item, Section, Value};

/// A value with its place, for what is found out about it later.
#[derive(Debug, Clone)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// Where it was written; the section where it is a default.
    pub at: At,
}

impl<T> Given<T> {
    /// The same with another value.
    pub fn with<U>(self, value: fn(T) -> U) -> Given<U> {
        Given { value: value(self.value), at: self.at }
    }
}

/// A section that is being read.
pub struct Reader<'a> {
    section: &'a Section,
    label: Arc<str>,
    /// What is found.
    pub findings: &'a mut Findings,
}

impl<'a> Reader<'a> {
    /// Looks at the names of the options; the values are looked at when they are asked for.
    pub fn new(
        section: &'a Section,
        label: Arc<str>,
        schema: &SectionType,
        findings: &'a mut Findings,
    ) -> Self {
        let reader = Reader { section, label, findings };
        for entry in section.options.iter().filter(|entry| schema.option(&entry.name).is_none()) {
            // The value is not shown: it may be a password under a misspelt name.
            reader.findings.warn(reader.at_option(entry), unknown_option(schema, &entry.name));
        }
        reader
    }

    /// The section as a whole.
    pub fn head(&self) -> At {
        Spot::section(self.section.line, self.label.clone()).into()
    }

    /// The section's type.
    pub fn kind(&self) -> &str {
        &self.section.kind
    }

    /// The section's name.
    pub fn name(&self) -> Option<&str> {
        self.section.name.as_deref()
    }

    /// Where an option is written; `None` if it is not there.
    pub fn place(&self, key: &dyn Described) -> Option<At> {
        self.entry(key).map(|entry| self.at_option(entry))
    }

    /// Where options of these are written, but for the one of that name.
    pub fn places(&self, options: &[&dyn Described], but: &str) -> Vec<At> {
        options
            .iter()
            .filter(|option| option.name() != but)
            .filter_map(|option| self.place(*option))
            .into_vec()
    }

    /// How many items are written, right or wrong; `None` if the option is not there.
    pub fn written(&self, key: &dyn Described) -> Option<usize> {
        self.entry(key).map(|entry| entry.value.items().len())
    }

    /// Whether the option is written as a list.
    pub fn is_list(&self, key: &dyn Described) -> bool {
        matches!(self.entry(key), Some(Entry { value: Value::List(_), .. }))
    }

    /// The single value of an option; an error if there are several, or if it is not of the kind.
    pub fn one<K: Kind>(&mut self, key: &Key<K>) -> Option<Given<K::Value>> {
        let text = self.text(key)?;
        self.parse(key, text)
    }

    /// The single value of an option, or its default; `None` after an error.
    pub fn one_or_default<K: Kind>(&mut self, key: &Key<K>) -> Option<Given<K::Value>> {
        let text = self.text_or_default(key)?;
        self.parse(key, text)
    }

    /// As [`Reader::one`], without its place.
    pub fn value<K: Kind>(&mut self, key: &Key<K>) -> Option<K::Value> {
        Some(self.one(key)?.value)
    }

    /// As [`Reader::one_or_default`], without its place.
    pub fn value_or_default<K: Kind>(&mut self, key: &Key<K>) -> Option<K::Value> {
        Some(self.one_or_default(key)?.value)
    }

    /// The single value of an option that must be there; `doc` says what it does.
    pub fn required<K: Kind>(&mut self, key: &Key<K>, doc: &'static str) -> Option<Given<K::Value>> {
        if self.entry(key).is_none() {
            self.missing(key, doc);
        }
        self.one(key)
    }

    /// The items of a list, none if it is not there; those that are not of the kind are left out after
    /// an error.
    pub fn many<K: Kind>(&mut self, key: &Key<K>) -> Vec<Given<K::Value>> {
        let texts = self.texts(key);
        self.parse_all(key, texts)
    }

    /// As [`Reader::many`], with a warning for each item that was there before, which is left out.
    pub fn distinct<K: Kind>(&mut self, key: &Key<K>) -> Vec<Given<K::Value>> {
        let texts = self.distinct_texts(key);
        self.parse_all(key, texts)
    }

    fn parse_all<K: Kind>(&mut self, key: &Key<K>, texts: Vec<Written<'_>>) -> Vec<Given<K::Value>> {
        let mut all = Vec::new();
        for text in texts {
            if let Some(given) = self.parse(key, text) {
                all.push(given);
            }
        }
        all
    }

    fn parse<K: Kind>(&mut self, key: &Key<K>, written: Written<'_>) -> Option<Given<K::Value>> {
        match key.kind.parse(written.text) {
            Some(value) => Some(Given { value, at: written.at }),
            None => {
                self.refuse(key, written);
                None
            }
        }
    }

    /// An error: the option must be there; `doc` says what it does.
    pub fn missing(&mut self, key: &dyn Described, doc: &'static str) {
        let keyword = match key.shape() {
            Shape::One | Shape::OneOrMany(_) => "option",
            Shape::Many(_) => "list",
        };
        let at = self.head().option(format!("{keyword} {}", key.name()));
        self.findings.error(at, Problem::Missing { doc, allowed: key.allowed() });
    }

    // Everything below knows nothing of kinds, so that it is in the program once and not for each.

    fn entry(&self, key: &dyn Described) -> Option<&'a Entry> {
        self.section.options.iter().find(|entry| entry.name == key.name())
    }

    fn text(&mut self, key: &dyn Described) -> Option<Written<'a>> {
        let entry = self.entry(key)?;
        match entry.value.items() {
            [item] => Some(self.item(key, entry, item)),
            items => {
                self.findings.error(self.at_option(entry), Problem::GivenSeveralTimes { times: items.len() });
                None
            }
        }
    }

    fn text_or_default(&mut self, key: &dyn Described) -> Option<Written<'a>> {
        match self.entry(key) {
            Some(_) => self.text(key),
            None => Some(Written { text: key.default()?, at: self.head() }),
        }
    }

    fn texts(&mut self, key: &dyn Described) -> Vec<Written<'a>> {
        let Some(entry) = self.entry(key) else { return Vec::new() };
        let items = entry.value.items();
        let (Shape::Many(max) | Shape::OneOrMany(max)) = key.shape() else { return Vec::new() };
        if items.len() > max {
            self.findings.error(self.at_option(entry), Problem::TooMany { count: items.len(), max });
        }
        items.iter().take(max).map(|item| self.item(key, entry, item)).into_vec()
    }

    fn distinct_texts(&mut self, key: &dyn Described) -> Vec<Written<'a>> {
        let mut kept: Vec<Written<'a>> = Vec::new();
        for written in self.texts(key) {
            if kept.iter().any(|earlier| earlier.text == written.text) {
                self.findings.warn(written.at, Problem::Repeated);
            } else {
                kept.push(written);
            }
        }
        kept
    }

    fn refuse(&mut self, key: &dyn Described, written: Written<'_>) {
        let suggestion = nearest(written.text, &key.words());
        self.findings.error(written.at, Problem::NotAllowed { allowed: key.allowed(), suggestion });
    }

    fn item(&self, key: &dyn Described, entry: &Entry, item: &'a Item) -> Written<'a> {
        let value = match key.visibility() {
            Visibility::Shown => Some(excerpt(&item.bytes)),
            Visibility::Hidden => None,
        };
        let text = core::str::from_utf8(&item.bytes).unwrap_or_default();
        Written { text, at: self.at(entry, item.line, value) }
    }

    fn at_option(&self, entry: &Entry) -> At {
        let line = entry.value.items().first().map_or(self.section.line, |first| first.line);
        self.at(entry, line, None)
    }

    fn at(&self, entry: &Entry, line: u32, value: Option<String>) -> At {
        let keyword = match entry.value {
            Value::Single(_) => "option",
            Value::List(_) => "list",
        };
        let option = Some(format!("{keyword} {}", entry.name));
        Spot { line, column: None, section: self.label.clone(), option, value }.into()
    }
}

/// A value as it is written; empty if it is not UTF-8, which no kind takes.
struct Written<'a> {
    text: &'a str,
    at: At,
}

/// A value as it is shown: one line, not too long.
fn excerpt(bytes: &[u8]) -> String {
    const SHOWN_MAX: usize = 60;
    let mut plain = String::new();
    for (at, character) in String::from_utf8_lossy(bytes).chars().enumerate() {
        if at == SHOWN_MAX {
            return plain + "...";
        }
        match character.is_control() {
            true => plain.extend(character.escape_default()),
            false => plain.push(character),
        }
    }
    plain
}

fn unknown_option(schema: &SectionType, name: &str) -> Problem {
    let suggestion = nearest(name, &schema.options().map(|option| option.name()).into_vec());
    let of = SECTIONS
        .iter()
        .filter(|section| section.option(name).is_some())
        .map(|section| section.name.to_owned())
        .into_vec();
    Problem::UnknownOption { suggestion, of }
}

//! Reads the options of a section by the schema, and reports what does not fit.

use std::sync::Arc;

use super::finding::{At, Findings};
use super::kinds::{Kind, Visibility};
use super::problem::Problem;
use super::schema::{Described, Key, SECTIONS, SectionType, Shape};
use super::suggest::nearest;
use crate::uci::{Item, Section, Value};

/// A value with its place, for what is found out about it later.
#[derive(Debug, Clone)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// Where it was written; the section where it is a default.
    pub at: At,
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
            let at = At { value: None, ..reader.at_value(&entry.name, &entry.value) };
            reader.findings.warn(at, unknown_option(schema, &entry.name));
        }
        reader
    }

    /// The section as a whole.
    pub fn head(&self) -> At {
        At::section(self.section.line, self.label.clone())
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
    pub fn place<K>(&self, key: &Key<K>) -> Option<At> {
        let value = self.section.get(key.name)?;
        Some(At { value: None, ..self.at_value(key.name, value) })
    }

    /// Where options of these are written, but for the one of that name.
    pub fn places(&self, options: &[&dyn Described], but: &str) -> Vec<At> {
        let written = |option: &&&dyn Described| option.name() != but;
        let values = options.iter().filter(written).filter_map(|option| {
            let value = self.section.get(option.name())?;
            Some(At { value: None, ..self.at_value(option.name(), value) })
        });
        values.collect()
    }

    /// How many items are written, right or wrong; `None` if the option is not there.
    pub fn written<K>(&self, key: &Key<K>) -> Option<usize> {
        self.section.get(key.name).map(|value| value.items().len())
    }

    /// Whether the option is written as a list.
    pub fn is_list<K>(&self, key: &Key<K>) -> bool {
        matches!(self.section.get(key.name), Some(Value::List(_)))
    }

    /// The single value of an option; an error if there are several, or if it is not of the kind.
    pub fn one<K: Kind>(&mut self, key: &Key<K>) -> Option<Given<K::Value>> {
        let value = self.section.get(key.name)?;
        match value.items() {
            [item] => self.item(key, value, item),
            items => {
                let at = At { value: None, ..self.at_value(key.name, value) };
                self.findings.error(at, Problem::GivenSeveralTimes { times: items.len() });
                None
            }
        }
    }

    /// The single value of an option, or its default; `None` after an error.
    pub fn one_or_default<K: Kind>(&mut self, key: &Key<K>) -> Option<Given<K::Value>> {
        if self.section.get(key.name).is_some() {
            return self.one(key);
        }
        let value = key.kind.parse(key.default?)?;
        Some(Given { value, at: self.head() })
    }

    /// The single value of an option that must be there.
    pub fn required<K: Kind>(&mut self, key: &Key<K>) -> Option<Given<K::Value>> {
        if self.section.get(key.name).is_none() {
            self.missing(key);
        }
        self.one(key)
    }

    /// The items of a list, none if it is not there; those that are not of the kind are left out after
    /// an error.
    pub fn many<K: Kind>(&mut self, key: &Key<K>) -> Vec<Given<K::Value>> {
        let Some(value) = self.section.get(key.name) else { return Vec::new() };
        let items = value.items();
        let (Shape::Many(max) | Shape::OneOrMany(max)) = key.shape else { return Vec::new() };
        if items.len() > max {
            let at = At { value: None, ..self.at_value(key.name, value) };
            self.findings.error(at, Problem::TooMany { count: items.len(), max });
        }
        items.iter().take(max).filter_map(|item| self.item(key, value, item)).collect()
    }

    /// As [`Reader::many`], with a warning for each item that was there before, which is left out.
    pub fn distinct<K: Kind>(&mut self, key: &Key<K>) -> Vec<Given<K::Value>>
    where
        K::Value: PartialEq,
    {
        let mut kept: Vec<Given<K::Value>> = Vec::new();
        for given in self.many(key) {
            if kept.iter().any(|earlier| earlier.value == given.value) {
                self.findings.warn(given.at, Problem::Repeated);
            } else {
                kept.push(given);
            }
        }
        kept
    }

    /// An error: the option must be there.
    pub fn missing<K: Kind>(&mut self, key: &Key<K>) {
        let keyword = match key.shape {
            Shape::One | Shape::OneOrMany(_) => "option",
            Shape::Many(_) => "list",
        };
        let option = Some(format!("{keyword} {}", key.name).into());
        self.findings.error(
            At { option, ..self.head() },
            Problem::Missing { doc: key.doc, allowed: key.kind.allowed() },
        );
    }

    fn item<K: Kind>(&mut self, key: &Key<K>, value: &Value, item: &Item) -> Option<Given<K::Value>> {
        let mut at = self.at_item(key.name, value, item);
        if key.kind.visibility() == Visibility::Hidden {
            at.value = None;
        }
        let text = core::str::from_utf8(&item.bytes).unwrap_or_default();
        match key.kind.parse(text) {
            Some(value) => Some(Given { value, at }),
            None => {
                let suggestion = nearest(text, key.kind.words());
                self.findings.error(at, Problem::NotAllowed { allowed: key.kind.allowed(), suggestion });
                None
            }
        }
    }

    fn at_value(&self, name: &str, value: &Value) -> At {
        match value.items() {
            [item, ..] => self.at_item(name, value, item),
            [] => self.head(),
        }
    }

    fn at_item(&self, name: &str, value: &Value, item: &Item) -> At {
        let keyword = match value {
            Value::Single(_) => "option",
            Value::List(_) => "list",
        };
        let option = Some(format!("{keyword} {name}").into());
        At {
            line: item.line,
            column: None,
            section: self.label.clone(),
            option,
            value: Some(excerpt(&item.bytes)),
        }
    }
}

/// A value as it is shown: one line, not too long.
fn excerpt(bytes: &[u8]) -> Arc<str> {
    const SHOWN_MAX: usize = 60;
    let text = String::from_utf8_lossy(bytes);
    let plain: String = text.chars().take(SHOWN_MAX).flat_map(shown).collect();
    if text.chars().nth(SHOWN_MAX).is_some() { format!("{plain}...").into() } else { plain.into() }
}

fn shown(character: char) -> Vec<char> {
    if character.is_control() { character.escape_default().collect() } else { vec![character] }
}

fn unknown_option(schema: &SectionType, name: &str) -> Problem {
    let suggestion = nearest(name, schema.options().map(|option| option.name()));
    let of = SECTIONS
        .iter()
        .filter(|section| section.option(name).is_some())
        .map(|section| section.name)
        .collect();
    Problem::UnknownOption { suggestion, of }
}

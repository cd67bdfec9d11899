//! What a UCI file says.

/// The sections of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    /// In the order of their first appearance.
    pub sections: Vec<Section>,
}

/// A section: `config TYPE ['NAME']` and the options below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Printable ASCII without blanks.
    pub kind: String,
    /// Letters, digits and `_`; `None` for an unnamed section.
    pub name: Option<String>,
    /// Line of its first `config` statement, from 1.
    pub line: u32,
    /// In the order of their first appearance; no two have the same name.
    pub options: Vec<Entry>,
}

impl Section {
    /// The value of option `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.options.iter().find(|entry| entry.name == name).map(|entry| &entry.value)
    }
}

/// A named value of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Letters, digits and `_`.
    pub name: String,
    /// What it was set to.
    pub value: Value,
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Set by `option`; never empty.
    Single(Item),
    /// Set by `list`; at least one item, items may be empty and may be equal.
    List(Vec<Item>),
}

impl Value {
    /// The one item, or all items of the list, in order.
    pub fn items(&self) -> &[Item] {
        match self {
            Value::Single(item) => core::slice::from_ref(item),
            Value::List(items) => items,
        }
    }
}

/// One value with its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Any bytes but NUL.
    pub bytes: Vec<u8>,
    /// Line on which the value begins, from 1.
    pub line: u32,
}

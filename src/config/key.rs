//! What an option is: its name and shape, and the kind of its values.

use super::kinds::{Kind, Visibility};

/// An option and the kind of its values.
pub struct Key<K> {
    /// What can be said without knowing the kind.
    pub info: Info,
    /// What its values are.
    pub kind: K,
}

/// What can be said of an option without knowing the kind of its values.
pub struct Info {
    /// As it is written.
    pub name: &'static str,
    /// Whether it is a list.
    pub shape: Shape,
    /// The value that it has when it is not there.
    pub default: Option<&'static str>,
}

/// Whether an option is a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `option`.
    One,
    /// `list`, with this many items at most. A single one may be written as `option`.
    Many(usize),
    /// Either, with different meanings.
    OneOrMany(usize),
}

/// An option of any kind.
pub trait Described: Sync {
    /// What can be said without knowing the kind.
    fn info(&self) -> &Info;
    /// What its values must be.
    fn allowed(&self) -> String;
    /// The words that it takes, if there are only a few.
    fn words(&self) -> Vec<&'static str>;
    /// Whether its values may be shown in messages.
    fn visibility(&self) -> Visibility;
    /// Whether `text` is a value of the right kind.
    fn accepts(&self, text: &str) -> bool;
}

impl<K: Kind> Described for Key<K> {
    fn info(&self) -> &Info {
        &self.info
    }

    fn allowed(&self) -> String {
        self.kind.allowed()
    }

    fn words(&self) -> Vec<&'static str> {
        self.kind.words()
    }

    fn visibility(&self) -> Visibility {
        self.kind.visibility()
    }

    fn accepts(&self, text: &str) -> bool {
        self.kind.parse(text).is_some()
    }
}

impl dyn Described + '_ {
    /// As it is written.
    pub fn name(&self) -> &'static str {
        self.info().name
    }

    /// Whether it is a list.
    pub fn shape(&self) -> Shape {
        self.info().shape
    }

    /// The value that it has when it is not there.
    pub fn default(&self) -> Option<&'static str> {
        self.info().default
    }
}

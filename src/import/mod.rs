//! From a `keepalived.conf` to the file that replaces it. Pure.
//!
//! The result speaks to the keepalived of the other router as the old one did (`source`, `peer`, `priority`), so that
//! the two can be exchanged one after the other. What has no counterpart is told, with its line.

mod convert;
mod parse;
mod words;

use core::fmt;

pub use convert::convert;

/// What could not be carried over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where it is written.
    pub line: u32,
    /// What about it.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.text)
    }
}

/// A file for gwha, and what is missing in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imported {
    /// In UCI's format.
    pub text: String,
    /// In the order of the lines.
    pub notes: Vec<Note>,
}

//! Reader of the UCI text format, `/etc/config/*` on OpenWrt.
//!
//! It takes bytes and gives a [`Tree`] in which every value keeps the line it came from, or, with a
//! line and column each, all the errors together with what could be read in spite of them.
//! Its measure is libuci of OpenWrt 23.05 and later: what `uci show` prints and netifd reads, this
//! reads too, in the same order; what they refuse is refused. `tests/uci-oracle` compares the two.
//!
//! # What libuci does that is easy to get wrong
//!
//! - `option` replaces an earlier value in its place, but `option x ''` changes nothing.
//! - `list` after `option` makes a list that begins with the option's value; `option` after `list`
//!   replaces the list. Lists keep duplicates and empty elements.
//! - A section whose name was there before, with the same type, is continued; another type is an error.
//! - `package NAME` is checked and has no effect. `c`, `o`, `l` and `p` are short for the keywords.
//! - Words are joined from pieces: `'it'\''s'` is one word. Nothing is special between single quotes;
//!   between double quotes a backslash takes the next byte as it is. Quotes may span lines.
//! - A backslash at the end of a line continues it. A comment begins with `#` anywhere outside quotes,
//!   also inside a word.
//! - `;` ends a statement and another one must follow on the line. Right after an unquoted word it
//!   ends the whole line; what follows on it is dropped (`option a b;option c d` sets only `a`).
//!
//! # Where this differs, on purpose
//!
//! - A NUL byte is refused. libuci (C strings) silently loses parts of the file around it.
//! - There are limits ([`limits`]). libuci reads until memory ends, on a router that has little.
//! - libuci names an unnamed section after a hash, for example `cfg0230bd`, and a later section that is
//!   given just this name is joined to it. Here an unnamed section stays unnamed.
//! - libuci stops at the first error. Here up to [`limits::ERRORS_MAX`] are reported.

mod error;
mod lexer;
pub mod limits;
mod parse;
mod quote;
mod tree;

pub use error::{Argument, Broken, Error, ErrorKind, Position};
pub use parse::parse;
pub use quote::quote;
pub use tree::{Entry, Item, Section, Tree, Value};

#[cfg(test)]
mod tests;

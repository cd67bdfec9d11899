//! What can be wrong with the text of a UCI file.

use core::fmt;

use super::limits;
use super::tree::Tree;

/// A file that could not be read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What is wrong, in the order of the file; at least one, at most [`limits::ERRORS_MAX`].
    pub errors: Vec<Error>,
    /// What could be read in spite of it, for looking for further errors only: statements are missing.
    pub tree: Tree,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: u32,
    /// In bytes, from 1.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Where it was noticed.
    pub at: Position,
    /// Line on which the statement begins; an earlier one than `at` when a quote spans lines.
    pub statement_line: u32,
    /// What it is.
    pub kind: ErrorKind,
}

/// What is wrong. All of them are the doing of whoever wrote the file, or of a disk that was full.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A statement begins with this instead of a keyword.
    UnknownKeyword(Vec<u8>),
    /// The statement ends where this was expected.
    Missing(Argument),
    /// This word has a byte that it must not have.
    Invalid(Argument, Vec<u8>),
    /// The statement was complete, but another word follows. It is not kept: it may be half a password.
    Unexpected,
    /// The file ends between quotes of this kind; the position is that of the opening one.
    Unterminated(char),
    /// `option` or `list` before the first `config`.
    OutsideSection,
    /// A section of this name and of the type `was` began on `line`.
    OtherType {
        /// The name that both have.
        name: String,
        /// Type of the first.
        was: String,
        /// Line of the first.
        line: u32,
    },
    /// A NUL byte: the file is damaged, or is not text.
    Nul,
    /// More than [`limits::FILE_BYTES_MAX`].
    FileTooLong,
    /// More than [`limits::WORD_BYTES_MAX`].
    WordTooLong,
    /// More than [`limits::SECTIONS_MAX`].
    TooManySections,
    /// More than [`limits::OPTIONS_MAX`] in this section.
    TooManyOptions,
}

/// A word that a statement must or may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// First word after `config`.
    SectionType,
    /// Second word after `config`.
    SectionName,
    /// First word after `option` or `list`.
    OptionName,
    /// First word after `package`.
    PackageName,
}

impl Argument {
    const fn article(self) -> &'static str {
        match self {
            Argument::OptionName => "an",
            Argument::SectionType | Argument::SectionName | Argument::PackageName => "a",
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Argument::SectionType => "section type",
            Argument::SectionName => "section name",
            Argument::OptionName => "option name",
            Argument::PackageName => "package name",
        }
    }

    const fn allowed(self) -> &'static str {
        match self {
            Argument::SectionType => "printable ASCII without blanks",
            Argument::SectionName | Argument::OptionName => "letters, digits and '_'",
            Argument::PackageName => "letters, digits, '_' and '-'",
        }
    }
}

impl Error {
    /// What is wrong, without the place.
    pub fn message(&self) -> String {
        if self.statement_line == self.at.line {
            return self.kind.to_string();
        }
        format!("{}; its statement begins on line {}: is a quote missing?", self.kind, self.statement_line)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message())
    }
}

impl std::error::Error for Error {}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::UnknownKeyword(word) if word.is_empty() => {
                f.write_str("expected 'config', 'option' or 'list' after ';'")
            }
            ErrorKind::UnknownKeyword(word) => {
                write!(f, "expected 'config', 'option' or 'list', found '{}'", Excerpt(word))
            }
            ErrorKind::Missing(what) => write!(f, "expected {} {}", what.article(), what.noun()),
            ErrorKind::Invalid(what, word) => {
                write!(f, "{} '{}': must be {}", what.noun(), Excerpt(word), what.allowed())
            }
            ErrorKind::Unexpected => {
                f.write_str("expected the end of the line (a value with blanks needs quotes)")
            }
            ErrorKind::Unterminated(quote) => write!(f, "this {quote} has no partner before the file ends"),
            ErrorKind::OutsideSection => f.write_str("expected 'config' before the first option"),
            ErrorKind::OtherType { name, was, line } => {
                write!(
                    f,
                    "line {line} has a section '{name}' of type '{was}': expected the same type, or another name"
                )
            }
            ErrorKind::Nul => f.write_str("NUL byte: the file is damaged or is not text"),
            ErrorKind::FileTooLong => write!(f, "the file is longer than {} bytes", limits::FILE_BYTES_MAX),
            ErrorKind::WordTooLong => {
                write!(f, "longer than {} bytes: is a quote missing?", limits::WORD_BYTES_MAX)
            }
            ErrorKind::TooManySections => write!(f, "more than {} sections", limits::SECTIONS_MAX),
            ErrorKind::TooManyOptions => {
                write!(f, "more than {} options in this section", limits::OPTIONS_MAX)
            }
        }
    }
}

/// The beginning of a word in printable ASCII, so that an error is one readable line.
struct Excerpt<'a>(&'a [u8]);

const EXCERPT_BYTES_MAX: usize = 40;

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.iter().take(EXCERPT_BYTES_MAX) {
            write!(f, "{}", core::ascii::escape_default(*byte))?;
        }
        f.write_str(if self.0.len() > EXCERPT_BYTES_MAX { "..." } else { "" })
    }
}

//! Statements to a tree.

use crate::sorted::Map;

use super::error::{Argument, Broken, Error, ErrorKind, Position};
use super::lexer::{Lexer, Word};
use super::limits;
use super::tree::{Entry, Item, Section, Tree, Value};

/// Reads a file.
///
/// # Errors
///
/// Everything that is wrong with the text, up to [`limits::ERRORS_MAX`] errors, and what could be read.
pub fn parse(input: &[u8]) -> Result<Tree, Broken> {
    if let Err(error) = check_bytes(input) {
        return Err(Broken { errors: vec![*error], tree: Tree::default() });
    }
    let mut parser = Parser::new(input);
    parser.file();
    if parser.errors.is_empty() {
        Ok(parser.tree)
    } else {
        Err(Broken { errors: parser.errors, tree: parser.tree })
    }
}

/// Refuses what can't be judged statement by statement.
fn check_bytes(input: &[u8]) -> Result<(), Box<Error>> {
    if input.len() > limits::FILE_BYTES_MAX {
        let at = Position { line: 1, column: 1 };
        return Err(Error { at, statement_line: 1, kind: ErrorKind::FileTooLong }.into());
    }
    let Some(nul) = input.iter().position(|byte| *byte == 0) else { return Ok(()) };
    let before = input.get(..nul).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    // Both are at most FILE_BYTES_MAX + 1.
    let at = Position { line: line as u32, column: column as u32 };
    Err(Error { at, statement_line: at.line, kind: ErrorKind::Nul }.into())
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    tree: Tree,
    by_name: Map<String, usize>,
    target: Target,
    errors: Vec<Error>,
}

/// Where `option` and `list` go.
#[derive(Clone, Copy)]
enum Target {
    /// No section has begun.
    Nowhere,
    /// To `tree.sections` at this index.
    Section(usize),
    /// The last `config` statement has an error: what follows it belongs to no section that is known.
    Lost,
}

impl<'a> Parser<'a> {
    fn new(input: &'a [u8]) -> Parser<'a> {
        Parser {
            lexer: Lexer::new(input),
            tree: Tree::default(),
            by_name: Map::new(),
            target: Target::Nowhere,
            errors: Vec::new(),
        }
    }

    fn file(&mut self) {
        while self.errors.len() < limits::ERRORS_MAX && self.lexer.next_line() {
            if let Err(error) = self.line() {
                self.errors.push(*error);
                self.lexer.give_up();
            }
        }
    }

    /// One line, or several where a quote spans them: statements with `;` between them.
    fn line(&mut self) -> Result<(), Box<Error>> {
        self.lexer.skip_blanks();
        while let Some((keyword, at)) = self.lexer.keyword() {
            match keyword {
                b"config" | b"c" => self.config()?,
                b"option" | b"o" => self.option()?,
                b"list" | b"l" => self.list()?,
                b"package" | b"p" => self.package()?,
                other => return Err(self.lexer.error(at, ErrorKind::UnknownKeyword(other.to_vec()))),
            }
        }
        Ok(())
    }

    fn package(&mut self) -> Result<(), Box<Error>> {
        self.name(Argument::PackageName)?;
        self.end_of_statement()
    }

    fn config(&mut self) -> Result<(), Box<Error>> {
        self.target = Target::Lost;
        let at = self.lexer.position();
        let kind = self.name(Argument::SectionType)?;
        let name = self.optional_name(Argument::SectionName)?;
        self.end_of_statement()?;
        let existing = name.as_ref().and_then(|name| self.by_name.get(name).copied());
        let index = match existing {
            Some(index) => self.continued(index, &kind, at)?,
            None => self.begun(kind, name, at)?,
        };
        self.target = Target::Section(index);
        Ok(())
    }

    /// A section that was there before: the same type, or an error.
    fn continued(&self, index: usize, kind: &str, at: Position) -> Result<usize, Box<Error>> {
        match self.tree.sections.get(index) {
            Some(Section { name: Some(name), kind: was, line, .. }) if was != kind => {
                let kind = ErrorKind::OtherType { name: name.clone(), was: was.clone(), line: *line };
                Err(self.lexer.error(at, kind))
            }
            _ => Ok(index),
        }
    }

    fn begun(&mut self, kind: String, name: Option<String>, at: Position) -> Result<usize, Box<Error>> {
        let index = self.tree.sections.len();
        if index >= limits::SECTIONS_MAX {
            return Err(self.lexer.error(at, ErrorKind::TooManySections));
        }
        if let Some(name) = &name {
            self.by_name.insert(name.clone(), index);
        }
        self.tree.sections.push(Section { kind, name, line: at.line, options: Vec::new() });
        Ok(index)
    }

    fn option(&mut self) -> Result<(), Box<Error>> {
        let (name, value) = self.assignment()?;
        let Some(section) = self.section(&name, value.at)? else { return Ok(()) };
        if value.bytes.is_empty() {
            return Ok(());
        }
        let value = Value::Single(item(value));
        match section.options.iter_mut().find(|entry| entry.name == name) {
            Some(entry) => entry.value = value,
            None => section.options.push(Entry { name, value }),
        }
        Ok(())
    }

    fn list(&mut self) -> Result<(), Box<Error>> {
        let (name, value) = self.assignment()?;
        let Some(section) = self.section(&name, value.at)? else { return Ok(()) };
        let item = item(value);
        match section.options.iter_mut().find(|entry| entry.name == name) {
            Some(Entry { value: Value::List(items), .. }) => items.push(item),
            Some(Entry { value: value @ Value::Single(_), .. }) => {
                let mut items = value.items().to_vec();
                items.push(item);
                *value = Value::List(items);
            }
            None => section.options.push(Entry { name, value: Value::List(vec![item]) }),
        }
        Ok(())
    }

    /// Name and value of an `option` or `list`.
    fn assignment(&mut self) -> Result<(String, Word), Box<Error>> {
        if matches!(self.target, Target::Nowhere) {
            return Err(self.lexer.error(self.lexer.position(), ErrorKind::OutsideSection));
        }
        let name = self.name(Argument::OptionName)?;
        let value = self.lexer.word()?;
        self.end_of_statement()?;
        Ok((name, value))
    }

    /// The section that takes option `name`; `None` if it is lost.
    fn section(&mut self, name: &str, at: Position) -> Result<Option<&mut Section>, Box<Error>> {
        let Target::Section(index) = self.target else { return Ok(None) };
        let full = self.tree.sections.get(index).is_some_and(|section| {
            section.options.len() >= limits::OPTIONS_MAX && section.get(name).is_none()
        });
        if full {
            return Err(self.lexer.error(at, ErrorKind::TooManyOptions));
        }
        Ok(self.tree.sections.get_mut(index))
    }

    fn name(&mut self, what: Argument) -> Result<String, Box<Error>> {
        let word = self.lexer.word()?;
        if word.bytes.is_empty() {
            return Err(self.lexer.error(word.at, ErrorKind::Missing(what)));
        }
        self.checked(what, word)
    }

    fn optional_name(&mut self, what: Argument) -> Result<Option<String>, Box<Error>> {
        let word = self.lexer.word()?;
        if word.bytes.is_empty() { Ok(None) } else { self.checked(what, word).map(Some) }
    }

    fn checked(&self, what: Argument, word: Word) -> Result<String, Box<Error>> {
        match String::from_utf8(word.bytes) {
            Ok(name) if name.bytes().all(|byte| may_hold(what, byte)) => Ok(name),
            Ok(name) => Err(self.lexer.error(word.at, ErrorKind::Invalid(what, name.into_bytes()))),
            Err(error) => Err(self.lexer.error(word.at, ErrorKind::Invalid(what, error.into_bytes()))),
        }
    }

    /// libuci looks at one more word, and an empty one (`''`) is as good as none.
    fn end_of_statement(&mut self) -> Result<(), Box<Error>> {
        let word = self.lexer.word()?;
        if word.bytes.is_empty() { Ok(()) } else { Err(self.lexer.error(word.at, ErrorKind::Unexpected)) }
    }
}

fn item(word: Word) -> Item {
    Item { line: word.at.line, bytes: word.bytes }
}

fn may_hold(what: Argument, byte: u8) -> bool {
    match what {
        Argument::SectionType => byte.is_ascii_graphic(),
        Argument::SectionName | Argument::OptionName => byte.is_ascii_alphanumeric() || byte == b'_',
        Argument::PackageName => byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-',
    }
}

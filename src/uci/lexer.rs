//! Words from bytes.
//!
//! libuci reads line by line and asks for another line only inside quotes and after a backslash at
//! the end of one. This keeps to it with a window on the input: `pos..end` is what is left of the lines
//! asked for so far, its last newline included. No byte is copied but those of the words.

use super::error::{Error, ErrorKind, Position};
use super::limits;

/// A position in the input, and the lines asked for.
pub struct Lexer<'a> {
    input: &'a [u8],
    pos: usize,
    end: usize,
    /// Number of the last line asked for; `pos` always stands on it.
    line: u32,
    line_start: usize,
    /// Where the statement's line begins, for [`Lexer::give_up`].
    statement: Line,
}

#[derive(Clone, Copy)]
struct Line {
    number: u32,
    end: usize,
}

/// A word with its place.
pub struct Word {
    /// Empty where a word was expected and the line ends, or where it was written as `''`.
    pub bytes: Vec<u8>,
    /// Where it begins.
    pub at: Position,
}

impl<'a> Lexer<'a> {
    /// At the beginning, with no line asked for.
    pub fn new(input: &'a [u8]) -> Lexer<'a> {
        let statement = Line { number: 0, end: 0 };
        Lexer { input, pos: 0, end: 0, line: 0, line_start: 0, statement }
    }

    /// Goes to the next line; false at the end of the input.
    pub fn next_line(&mut self) -> bool {
        self.pos = self.end;
        let more = self.load_line();
        self.statement = Line { number: self.line, end: self.end };
        more
    }

    /// Leaves a statement that has an error: the next line is the one after that on which it began, since
    /// a missing quote makes the following lines look as if they belonged to it.
    pub fn give_up(&mut self) {
        self.line = self.statement.number;
        self.end = self.statement.end;
    }

    /// Where the next byte stands; at the end of the line, where its line end stands.
    pub fn position(&self) -> Position {
        let before = self.input.get(self.line_start..self.pos).unwrap_or_default();
        let column = without_line_end(before).len().saturating_add(1);
        Position { line: self.line, column: u32::try_from(column).unwrap_or(u32::MAX) }
    }

    /// Skips blanks, line ends among them.
    pub fn skip_blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.pos += 1;
        }
    }

    /// The word that says what a statement is, `None` if only blanks or a comment are left on the line.
    ///
    /// Unlike other words it ends at a space or tab only and knows no quotes. At the end of the line
    /// the line end belongs to it in libuci, which then does not know the keyword; here it is cut off,
    /// and the argument that is missing there makes the error.
    pub fn keyword(&mut self) -> Option<(&'a [u8], Position)> {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.pos += 1;
        }
        let at = self.position();
        let rest = self.input.get(self.pos..self.end).unwrap_or_default();
        if matches!(rest.first(), None | Some(b'#')) {
            self.pos = self.end;
            return None;
        }
        match rest.iter().position(|byte| matches!(byte, b' ' | b'\t')) {
            Some(length) => {
                self.pos += length + 1;
                Some((rest.get(..length).unwrap_or_default(), at))
            }
            None => {
                self.pos = self.end;
                Some((rest.trim_ascii_end(), at))
            }
        }
    }

    /// The next word; empty at the end of the line and at a `;`.
    pub fn word(&mut self) -> Result<Word, Box<Error>> {
        self.skip_blanks();
        let start = self.pos;
        let mut word = Word { bytes: Vec::new(), at: self.position() };
        if self.peek() == Some(b';') {
            self.pos += 1;
            return Ok(word);
        }
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => self.pos = self.end,
                b';' => {
                    let plain = word.bytes.len() == self.pos - start;
                    if plain {
                        self.pos = self.end;
                    }
                    break;
                }
                b'\'' => self.single_quoted(&mut word)?,
                b'"' => self.double_quoted(&mut word)?,
                b'\\' => self.escaped(&mut word)?,
                other => self.take(other, &mut word)?,
            }
            if self.peek().is_some_and(is_blank) {
                self.pos += 1;
                break;
            }
        }
        Ok(word)
    }

    /// An error that was noticed at `at`, in the current statement.
    pub fn error(&self, at: Position, kind: ErrorKind) -> Box<Error> {
        Box::new(Error { at, statement_line: self.statement.number, kind })
    }

    fn peek(&self) -> Option<u8> {
        if self.pos < self.end { self.input.get(self.pos).copied() } else { None }
    }

    /// Adds the next line to the window; false at the end of the input.
    fn load_line(&mut self) -> bool {
        let rest = self.input.get(self.end..).unwrap_or_default();
        if rest.is_empty() {
            return false;
        }
        let length = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |newline| newline + 1);
        self.line_start = self.end;
        self.end += length;
        self.line = self.line.saturating_add(1);
        true
    }

    fn take(&mut self, byte: u8, word: &mut Word) -> Result<(), Box<Error>> {
        if word.bytes.len() >= limits::WORD_BYTES_MAX {
            return Err(self.error(word.at, ErrorKind::WordTooLong));
        }
        word.bytes.push(byte);
        self.pos += 1;
        Ok(())
    }

    fn single_quoted(&mut self, word: &mut Word) -> Result<(), Box<Error>> {
        let opened = self.position();
        self.pos += 1;
        loop {
            match self.peek_across_lines('\'', opened)? {
                b'\'' => break,
                other => self.take(other, word)?,
            }
        }
        self.pos += 1;
        Ok(())
    }

    fn double_quoted(&mut self, word: &mut Word) -> Result<(), Box<Error>> {
        let opened = self.position();
        self.pos += 1;
        loop {
            match self.peek_across_lines('"', opened)? {
                b'"' => break,
                b'\\' => self.escaped(word)?,
                other => self.take(other, word)?,
            }
        }
        self.pos += 1;
        Ok(())
    }

    /// The next byte between quotes, for which another line is asked if need be.
    fn peek_across_lines(&mut self, quote: char, opened: Position) -> Result<u8, Box<Error>> {
        if self.peek().is_none() {
            self.load_line();
        }
        self.peek().ok_or_else(|| self.error(opened, ErrorKind::Unterminated(quote)))
    }

    /// A backslash: takes the byte after it as it is, or continues with the next line.
    fn escaped(&mut self, word: &mut Word) -> Result<(), Box<Error>> {
        self.pos += 1;
        match self.input.get(self.pos..self.end).unwrap_or_default() {
            [] | b"\n" | b"\r\n" => {
                self.pos = self.end;
                self.load_line();
                Ok(())
            }
            [byte, ..] => self.take(*byte, word),
        }
    }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// What C's `isspace` says.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

//! JSON text to values.

use core::fmt;

use super::super::blob::MAX_MESSAGE;
use super::super::blobmsg::MAX_DEPTH;
use super::{Decimal, Table, Value};

/// Why a text is no JSON that a ubus message could carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseError {
    /// Where: bytes from the start.
    pub offset: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.offset)
    }
}

impl std::error::Error for ParseError {}

/// Reads one JSON value (RFC 8259); nothing but white space may follow it.
///
/// A number with a fraction or an exponent becomes a double, of six places.
///
/// # Errors
/// Where the text breaks the grammar; also text above 1 MiB, nesting deeper than
/// [`MAX_DEPTH`], a number that is a double and 2^42 or more, a name that occurs twice in a table, and `\u0000`, which ubus cannot carry.
pub fn parse(text: &str) -> Result<Value, ParseError> {
    if text.len() > MAX_MESSAGE {
        return Err(ParseError { offset: MAX_MESSAGE, what: "text too long" });
    }
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.space();
    if parser.peek().is_some() {
        return Err(parser.error("text after the value"));
    }
    Ok(value)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth: u8) -> Result<Value, ParseError> {
        self.space();
        match self.peek() {
            Some(b'{') => self.table(self.deeper(depth)?).map(Value::Table),
            Some(b'[') => self.array(self.deeper(depth)?).map(Value::Array),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.error("expected a value")),
        }
    }

    fn deeper(&self, depth: u8) -> Result<u8, ParseError> {
        if depth < MAX_DEPTH { Ok(depth.saturating_add(1)) } else { Err(self.error("nested too deeply")) }
    }

    fn table(&mut self, depth: u8) -> Result<Table, ParseError> {
        let mut table = Table::default();
        self.skip(1);
        if self.ends(b'}') {
            return Ok(table);
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.error("expected a name in quotes"));
            }
            let name = self.string()?;
            if !self.ends(b':') {
                return Err(self.error("expected ':'"));
            }
            table.push(name, self.value(depth)?);
            if self.ends(b'}') {
                return if unique(&table) { Ok(table) } else { Err(self.error("the same name twice")) };
            }
            if !self.ends(b',') {
                return Err(self.error("expected ',' or '}'"));
            }
        }
    }

    fn array(&mut self, depth: u8) -> Result<Vec<Value>, ParseError> {
        let mut elements = Vec::new();
        self.skip(1);
        if self.ends(b']') {
            return Ok(elements);
        }
        loop {
            elements.push(self.value(depth)?);
            if self.ends(b']') {
                return Ok(elements);
            }
            if !self.ends(b',') {
                return Err(self.error("expected ',' or ']'"));
            }
        }
    }

    fn string(&mut self) -> Result<String, ParseError> {
        let mut text = String::new();
        self.skip(1);
        loop {
            let rest = self.rest();
            let plain = rest.find(|c| c == '"' || c == '\\' || c < ' ').unwrap_or(rest.len());
            text.push_str(rest.get(..plain).unwrap_or_default());
            self.skip(plain);
            match self.peek() {
                Some(b'"') => {
                    self.skip(1);
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(self.error("control character in a string")),
                None => return Err(self.error("string without end")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        self.skip(1);
        let character = match self.peek() {
            Some(letter @ (b'"' | b'\\' | b'/')) => char::from(letter),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.error("unknown escape")),
        };
        self.skip(1);
        Ok(character)
    }

    /// `uXXXX`, or two of them that are a surrogate pair.
    fn unicode(&mut self) -> Result<char, ParseError> {
        let first = self.unit()?;
        let code = match first {
            0 => return Err(self.error("NUL in a string")),
            0xd800..=0xdbff if self.rest().starts_with("\\u") => {
                self.skip(1);
                let second = self.unit()?.wrapping_sub(0xdc00);
                if second > 0x3ff {
                    return Err(self.error("half a surrogate pair"));
                }
                0x1_0000_u32.saturating_add((first & 0x3ff) << 10 | second)
            }
            _ => first,
        };
        char::from_u32(code).ok_or_else(|| self.error("half a surrogate pair"))
    }

    /// `uXXXX`: one UTF-16 unit.
    fn unit(&mut self) -> Result<u32, ParseError> {
        let digits = self.rest().get(1..5).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.error("expected four hexadecimal digits"))?;
        self.skip(5);
        Ok(unit)
    }

    fn number(&mut self) -> Result<Value, ParseError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        let mut whole = true;
        if self.take(b'.') {
            whole = false;
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            whole = false;
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        if let (true, Ok(number)) = (whole, text.parse()) {
            return Ok(Value::Int(number));
        }
        match Decimal::parse(text) {
            Some(number) => Ok(Value::Double(number.to_double())),
            None => Err(self.error("number too large")),
        }
    }

    fn digits(&mut self) -> Result<(), ParseError> {
        let count = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return Err(self.error("expected a digit"));
        }
        self.skip(count);
        Ok(())
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, ParseError> {
        if !self.rest().starts_with(word) {
            return Err(self.error("expected a value"));
        }
        self.skip(word.len());
        Ok(value)
    }

    /// Takes `byte`, white space before it allowed.
    fn ends(&mut self, byte: u8) -> bool {
        self.space();
        self.take(byte)
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.skip(1);
        }
        found
    }

    fn space(&mut self) {
        let blank = self.rest().bytes().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.skip(blank);
    }

    fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
    }

    fn peek(&self) -> Option<u8> {
        self.rest().bytes().next()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, what: &'static str) -> ParseError {
        ParseError { offset: self.at, what }
    }
}

/// Whether no name occurs twice: readers differ in which one they would take.
fn unique(table: &Table) -> bool {
    let mut names: Vec<&str> = table.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names.is_sorted_by(|a, b| a < b)
}

//! JSON text (RFC 8259): what people and scripts see of blobmsg tables. The program only writes it; [`parse`] is for tests.

use core::fmt::{self, Write as _};

use super::{Decimal, Table, Value};

mod parse;

pub use parse::{ParseError, parse};

/// How JSON text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// On one line, without spaces.
    Compact,
    /// One member a line, indented by tabs, as `ubus call` prints it.
    Pretty,
}

/// Writes a value as JSON text, without a newline at the end.
///
/// Control characters are escaped. A double has up to six places; one that is no number or 2^42 and more is null.
pub fn to_string(value: &Value, layout: Layout) -> String {
    let mut writer = Writer { text: String::new(), layout, depth: 0 };
    writer.value(value);
    writer.text
}

impl fmt::Display for Value {
    /// The compact JSON text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_string(self, Layout::Compact))
    }
}

struct Writer {
    text: String,
    layout: Layout,
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.text.push_str("null"),
            Value::Bool(true) => self.text.push_str("true"),
            Value::Bool(false) => self.text.push_str("false"),
            Value::Int(number) => self.format(format_args!("{number}")),
            Value::Double(number) => match Decimal::from_double(*number) {
                Some(number) => self.format(format_args!("{number}")),
                None => self.text.push_str("null"),
            },
            Value::String(text) => self.string(text),
            Value::Array(elements) => self.list('[', elements, ']', Writer::value),
            Value::Table(Table(members)) => self.list('{', members, '}', Writer::member),
        }
    }

    fn list<T>(&mut self, open: char, items: &[T], close: char, write: fn(&mut Writer, &T)) {
        self.text.push(open);
        self.depth = self.depth.saturating_add(1);
        for (position, item) in items.iter().enumerate() {
            if position > 0 {
                self.text.push(',');
            }
            self.new_line();
            write(self, item);
        }
        self.depth = self.depth.saturating_sub(1);
        if !items.is_empty() {
            self.new_line();
        }
        self.text.push(close);
    }

    fn member(&mut self, (name, value): &(String, Value)) {
        self.string(name);
        self.text.push_str(match self.layout {
            Layout::Compact => ":",
            Layout::Pretty => ": ",
        });
        self.value(value);
    }

    fn new_line(&mut self) {
        if self.layout == Layout::Pretty {
            self.text.push('\n');
            self.text.extend(core::iter::repeat_n('\t', self.depth));
        }
    }

    fn string(&mut self, text: &str) {
        self.text.push('"');
        for character in text.chars() {
            match character {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                // DEL and the C1 controls are legal JSON, but they can drive a terminal.
                control if control.is_control() => self.format(format_args!("\\u{:04x}", u32::from(control))),
                plain => self.text.push(plain),
            }
        }
        self.text.push('"');
    }

    fn format(&mut self, arguments: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.text.write_fmt(arguments);
    }
}

#[cfg(test)]
mod tests;

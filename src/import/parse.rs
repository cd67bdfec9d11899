//! keepalived's format: words in lines, and blocks in braces.

use super::Note;

/// A line: its words, and the block that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// Where it begins.
    pub line: u32,
    /// At least one.
    pub words: Vec<String>,
    /// What stands in its braces.
    pub block: Vec<Entry>,
}

impl Entry {
    /// Its first word.
    pub fn key(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// Its second word.
    pub fn value(&self) -> Option<&str> {
        self.words.get(1).map(String::as_str)
    }

    /// The first line of this key in its block.
    pub fn inner(&self, key: &str) -> Option<&Entry> {
        self.block.iter().find(|entry| entry.key() == key)
    }

    /// The value of a key in its block.
    pub fn value_of(&self, key: &str) -> Option<&str> {
        self.inner(key)?.value()
    }

    /// The word behind another one.
    pub fn after(&self, word: &str) -> Option<&str> {
        let at = self.words.iter().position(|it| it == word)?;
        self.words.get(at.saturating_add(1)).map(String::as_str)
    }

    /// What follows its first word, as one text.
    pub fn rest(&self) -> String {
        self.words.get(1..).unwrap_or_default().join(" ")
    }
}

enum Token {
    Word(String),
    Open,
    Close,
}

/// Reads a file. What is broken is noted, and the rest is read.
pub fn parse(text: &str, notes: &mut Vec<Note>) -> Vec<Entry> {
    // The entries of each block that is open, the file itself first.
    let mut open: Vec<Vec<Entry>> = vec![Vec::new()];
    for (line, number) in text.lines().zip(1u32..) {
        let mut is_new = true;
        for token in tokens(line) {
            match token {
                Token::Word(word) => {
                    let Some(entries) = open.last_mut() else { continue };
                    match entries.last_mut().filter(|_| !is_new) {
                        Some(entry) => entry.words.push(word),
                        None => entries.push(Entry { line: number, words: vec![word], block: Vec::new() }),
                    }
                    is_new = false;
                }
                Token::Open if open.len() < DEPTH_MAX => {
                    open.push(Vec::new());
                    is_new = true;
                }
                Token::Close if open.len() > 1 => {
                    close(&mut open);
                    is_new = true;
                }
                Token::Open | Token::Close => {
                    notes.push(Note { line: number, text: "a brace too many".to_owned() });
                }
            }
        }
    }
    if open.len() > 1 {
        notes.push(Note { line: text.lines().count() as u32, text: "a brace is missing".to_owned() });
    }
    while open.len() > 1 {
        close(&mut open);
    }
    open.pop().unwrap_or_default()
}

/// Gives the innermost block to the entry that it belongs to.
fn close(open: &mut Vec<Vec<Entry>>) {
    let block = open.pop().unwrap_or_default();
    if let Some(entry) = open.last_mut().and_then(|entries| entries.last_mut()) {
        entry.block = block;
    }
}

/// The words and braces of a line, up to a comment (`!` or `#`).
fn tokens(line: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(mark), c) if c == mark => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '!' | '#') => break,
            (None, '{' | '}') => {
                end(&mut word, &mut tokens);
                tokens.push(if c == '{' { Token::Open } else { Token::Close });
            }
            (None, c) if c.is_ascii_whitespace() => end(&mut word, &mut tokens),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    end(&mut word, &mut tokens);
    tokens
}

/// Takes the word that has been read, if there is one.
fn end(word: &mut Option<String>, tokens: &mut Vec<Token>) {
    if let Some(word) = word.take() {
        tokens.push(Token::Word(word));
    }
}

/// Blocks within blocks; keepalived has no more than four.
const DEPTH_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(entries: &[Entry]) -> String {
        let one = |entry: &Entry| {
            let block =
                if entry.block.is_empty() { String::new() } else { format!("{{{}}}", shown(&entry.block)) };
            format!("{}:{}{block};", entry.line, entry.words.join("+"))
        };
        entries.iter().map(one).collect()
    }

    #[test]
    fn blocks_may_stand_in_one_line_or_in_many() {
        let mut notes = Vec::new();
        let text = "a b { c d\n e 'f g' # no\n}\nh\n{\n i { j }\n}\n! no\nk\"l m\"";
        assert_eq!(shown(&parse(text, &mut notes)), "1:a+b{1:c+d;2:e+f g;};4:h{6:i{6:j;};};9:kl m;");
        assert_eq!(notes, []);
    }

    #[test]
    fn broken_braces_are_noted() {
        let mut notes = Vec::new();
        assert_eq!(shown(&parse("}\na {\n b", &mut notes)), "2:a{3:b;};");
        assert_eq!(notes.iter().map(|note| note.line).collect::<Vec<_>>(), [1, 3]);
        parse(&"{".repeat(100_000), &mut notes);
    }
}

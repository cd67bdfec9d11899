//! Writing a value so that it is read back as it is.

/// `value` as a word of a UCI file: between single quotes, a single quote as `'\''`.
///
/// Both this reader and libuci read back exactly `value`, whatever it holds: quotes, `#`, `;`, line
/// breaks. Two values can't be written at all: NUL bytes are left out, and an empty `option` is the
/// same as none.
pub fn quote(value: &str) -> String {
    let mut word = String::with_capacity(value.len().saturating_add(2));
    word.push('\'');
    for character in value.chars() {
        match character {
            '\'' => word.push_str("'\\''"),
            '\0' => {}
            other => word.push(other),
        }
    }
    word.push('\'');
    word
}

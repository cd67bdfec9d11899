//! The code that is shown on one router and typed on the other.
//!
//! Nineteen letters of five random bits each and a check letter, `k7qm-3v0d-...`. It is good for minutes and for one
//! pairing, and it is no key: the handshake that it seals makes keys of its own (docs/DECISIONS.md).

use core::fmt;

use blake2::{Blake2s256, Digest as _};

use crate::peer::key::Key;

/// Letters that are random.
const RANDOM: usize = 19;

/// Letters in all.
const LETTERS: usize = RANDOM + 1;

/// Letters between two dashes.
const GROUP: usize = 4;

/// Crockford's: without `i`, `l` and `o`, which are read as the digits that they look like, and without `u`.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code([u8; LETTERS]);

/// What is wrong with what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistyped {
    /// It is too short or too long: so many letters.
    Length(usize),
    /// No code has this letter.
    Letter(char),
    /// One letter is another one, or two have changed places.
    Check,
}

impl fmt::Display for Mistyped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mistyped::Length(count) => {
                write!(f, "the code is mistyped: it has {count} letters, not {LETTERS}")
            }
            Mistyped::Letter(letter) => write!(f, "the code is mistyped: no code has a '{letter}'"),
            Mistyped::Check => f.write_str("the code is mistyped: a letter is wrong, or two are swapped"),
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (group, letters) in self.0.chunks(GROUP).enumerate() {
            if group > 0 {
                f.write_str("-")?;
            }
            for value in letters {
                let letter = ALPHABET.get(usize::from(*value)).copied().unwrap_or(b'?');
                write!(f, "{}", char::from(letter))?;
            }
        }
        Ok(())
    }
}

impl Code {
    /// A new code; `None` if the kernel has no randomness to give.
    pub fn generate() -> Option<Code> {
        let mut random = [0; RANDOM];
        getrandom::fill(&mut random).ok()?;
        Some(Code::of(random))
    }

    /// The code of these random values, of which five bits each count.
    fn of(random: [u8; RANDOM]) -> Code {
        let mut letters = [0; LETTERS];
        for (letter, value) in letters.iter_mut().zip(random) {
            *letter = value & 31;
        }
        // With a zero in its place the remainder is what has to stand there.
        let check = remainder(&letters);
        if let Some(last) = letters.last_mut() {
            *last = check;
        }
        Code(letters)
    }

    /// Reads what was typed, in capitals or not, with dashes and blanks anywhere.
    ///
    /// # Errors
    /// See [`Mistyped`]. One wrong letter and two that changed places are always found.
    pub fn parse(text: &str) -> Result<Code, Mistyped> {
        let mut letters = [0; LETTERS];
        let mut count = 0usize;
        for letter in text.chars().filter(|letter| !matches!(letter, '-' | ' ')) {
            let value = value(letter).ok_or(Mistyped::Letter(letter))?;
            if let Some(place) = letters.get_mut(count) {
                *place = value;
            }
            count = count.saturating_add(1);
        }
        match (count, remainder(&letters)) {
            (LETTERS, 0) => Ok(Code(letters)),
            (LETTERS, _) => Err(Mistyped::Check),
            (count, _) => Err(Mistyped::Length(count)),
        }
    }

    /// The key that seals the handshake. Nothing else is ever sealed with it.
    pub fn key(&self) -> Key {
        let mut digest = Blake2s256::new();
        digest.update(b"gwha pair 1\n");
        digest.update(self.0);
        Key::new(digest.finalize().into())
    }
}

fn value(letter: char) -> Option<u8> {
    let letter = match letter.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        other => other,
    };
    let position = ALPHABET.iter().position(|it| char::from(*it) == letter)?;
    u8::try_from(position).ok()
}

/// The letters as a polynomial over GF(32), behind a one that makes no code of nothing but zeros, at a generator of the
/// field: powers of it are different for all places, so no exchange of two letters goes unnoticed either.
fn remainder(letters: &[u8]) -> u8 {
    letters.iter().fold(1, |sum, letter| times_generator(sum) ^ letter)
}

/// In GF(32) modulo x^5 + x^2 + 1, which is primitive.
const fn times_generator(value: u8) -> u8 {
    let shifted = value << 1;
    if shifted & 32 == 0 { shifted } else { shifted ^ 0b10_0101 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counting() -> Code {
        let mut random = [0; RANDOM];
        for (place, value) in random.iter_mut().enumerate() {
            *value = place as u8 * 7 + 3;
        }
        Code::of(random)
    }

    fn letters(code: Code) -> Vec<char> {
        code.to_string().chars().filter(|it| *it != '-').collect()
    }

    #[test]
    fn code_is_read_as_it_is_shown_and_as_people_type_it() {
        let code = counting();
        let text = code.to_string();
        assert_eq!(text.len(), 24, "{text}");
        for typed in [text.clone(), text.to_uppercase(), text.replace('-', " "), text.replace('-', "")] {
            assert_eq!(Code::parse(&typed), Ok(code), "{typed}");
        }
        let confused = text.replace('0', "O").replace('1', "l");
        assert_ne!(confused, text);
        assert_eq!(Code::parse(&confused), Ok(code));
    }

    #[test]
    fn two_codes_are_different_and_neither_is_shown_by_chance() {
        let (one, other) = (Code::generate().unwrap(), Code::generate().unwrap());
        assert!(one != other && one.key() != other.key());
        assert_eq!(format!("{one:?}"), "Code(..)");
    }

    #[test]
    fn what_is_no_code_is_told_apart() {
        let text = counting().to_string();
        assert_eq!(Code::parse(""), Err(Mistyped::Length(0)));
        assert_eq!(Code::parse(&text[1..]), Err(Mistyped::Length(19)));
        assert_eq!(Code::parse(&(text.clone() + "00")), Err(Mistyped::Length(22)));
        assert_eq!(Code::parse(&text.replacen('-', "u", 1)), Err(Mistyped::Letter('u')));
        assert_eq!(Code::parse(&text.replacen('-', "ß", 1)), Err(Mistyped::Letter('ß')));
        assert_eq!(Code::parse(&"0".repeat(LETTERS)), Err(Mistyped::Check));
        assert!(Code::parse(&"0".repeat(1 << 20)).is_err());
    }

    proptest! {
        #[test]
        fn every_wrong_letter_and_every_exchange_of_two_is_found(random in any::<[u8; RANDOM]>()) {
            let code = Code::of(random);
            let right = letters(code);
            prop_assert_eq!(Code::parse(&right.iter().collect::<String>()), Ok(code));
            for place in 0..LETTERS {
                for letter in ALPHABET.iter().map(|it| char::from(*it)).filter(|it| *it != right[place]) {
                    let mut wrong = right.clone();
                    wrong[place] = letter;
                    prop_assert_eq!(Code::parse(&wrong.iter().collect::<String>()), Err(Mistyped::Check));
                }
                for other in (0..place).filter(|other| right[*other] != right[place]) {
                    let mut swapped = right.clone();
                    swapped.swap(place, other);
                    prop_assert_eq!(Code::parse(&swapped.iter().collect::<String>()), Err(Mistyped::Check));
                }
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = Code::parse(&text);
        }
    }
}

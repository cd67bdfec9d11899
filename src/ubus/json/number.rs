//! Numbers with a fraction or an exponent, read from JSON text and written as such.
//!
//! The standard library does both exactly to the last bit, for which it carries 23 KB of code and incompressible
//! tables. What is read here are a command's arguments and files of our own, what is written are times and shares.

use core::fmt::Write as _;

/// Writes a finite number with up to six places after the point. It always has a fraction or an exponent, so that it
/// is read back as a double.
pub(super) fn write(number: f64, text: &mut String) {
    if number.is_sign_negative() {
        text.push('-');
    }
    let mut size = number.abs();
    let mut exponent: u32 = 0;
    while size >= WHOLE_END {
        size /= 10.0;
        exponent = exponent.saturating_add(1);
    }
    // In range, as WHOLE_END is.
    let mut whole = size as u64;
    let mut millionths = ((size - whole as f64) * 1e6 + 0.5) as u64;
    if millionths == 1_000_000 {
        (whole, millionths) = (whole.saturating_add(1), 0);
    }
    let fraction = format!("{millionths:06}");
    let (first, rest) = fraction.split_at_checked(1).unwrap_or(("0", ""));
    // Writing to a String cannot fail.
    let _ = write!(text, "{whole}.{first}{}", rest.trim_end_matches('0'));
    if exponent > 0 {
        let _ = write!(text, "e{exponent}");
    }
}

/// Below it a double has its last digit after the point, and fits a u64 in any case.
const WHOLE_END: f64 = 1e15;

/// Reads a number that follows JSON's grammar; what is too large is infinite.
///
/// Exact with up to 15 digits and an exponent up to 22. With more, the last of a double's 53 bits can be off.
pub(super) fn read(text: &str) -> f64 {
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    // An exponent that fits no i32 is far beyond all doubles, either way.
    let limit = if exponent.starts_with('-') { -FAR } else { FAR };
    let mut exponent = exponent.parse().unwrap_or(limit).clamp(-FAR, FAR);
    let mut digits: u64 = 0;
    let mut is_fraction = false;
    for byte in number.bytes() {
        match byte {
            b'.' => is_fraction = true,
            b'0'..=b'9' if digits < DIGITS_FULL => {
                digits = digits.saturating_mul(10).saturating_add(u64::from(byte.saturating_sub(b'0')));
                exponent = exponent.saturating_sub(i32::from(is_fraction));
            }
            b'0'..=b'9' => exponent = exponent.saturating_add(i32::from(!is_fraction)),
            _ => {}
        }
    }
    let size = scale(digits as f64, exponent);
    if number.starts_with('-') { -size } else { size }
}

/// `number` × 10^`exponent`, in steps that a double has exactly.
fn scale(mut number: f64, exponent: i32) -> f64 {
    let mut left = exponent.unsigned_abs();
    while left > 0 && number != 0.0 && number.is_finite() {
        let step = left.min(22);
        let power = (0..step).fold(1.0, |power, _| power * 10.0);
        number = if exponent < 0 { number / power } else { number * power };
        left = left.saturating_sub(step);
    }
    number
}

/// Further digits say nothing that a double could hold.
const DIGITS_FULL: u64 = 1_000_000_000_000_000_000;

/// No double has such an exponent, whatever stands before it: texts are shorter than this.
const FAR: i32 = 1 << 24;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{read, write};

    fn written(number: f64) -> String {
        let mut text = String::new();
        write(number, &mut text);
        text
    }

    #[test]
    fn six_places_are_written() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.25, "-0.25"),
            (0.1 + 0.2, "0.3"),
            (12.000_001, "12.000001"),
            (0.000_000_4, "0.0"),
            (0.999_999_9, "1.0"),
            (1e14, "100000000000000.0"),
            (1e15, "100000000000000.0e1"),
        ] {
            assert_eq!(written(number), text);
        }
    }

    #[test]
    fn what_is_too_large_or_small_for_a_double_has_an_end() {
        assert_eq!(read("1e999999999999"), f64::INFINITY);
        assert_eq!(read("-1e400"), f64::NEG_INFINITY);
        assert_eq!(read("1e-999999999999"), 0.0);
        assert_eq!(read("0e999999999999"), 0.0);
        assert_eq!(read(&format!("1{}e-1000", "0".repeat(1000))), 1.0);
        assert!((read(&format!("0.{}1e1001", "0".repeat(1000))) - 1.0).abs() < 1e-13);
    }

    proptest! {
        #[test]
        fn any_decimal_of_six_places_is_written_exactly(millionths in -1_000_000_000_000_000i64..1_000_000_000_000_000) {
            let number = millionths as f64 / 1e6;
            prop_assert_eq!(written(number).parse(), Ok(number));
        }

        #[test]
        fn any_double_is_written_nearly(number in any::<f64>()) {
            prop_assume!(number.is_finite());
            let again: f64 = written(number).parse().unwrap();
            prop_assert!((again - number).abs() <= number.abs() * 1e-13 + 5.1e-7, "{again}");
        }

        #[test]
        fn fifteen_digits_are_read_exactly(digits in 0u64..1_000_000_000_000_000, exponent in -22..=22) {
            let text = format!("{digits}e{exponent}");
            prop_assert_eq!(Ok(read(&text)), text.parse());
        }

        #[test]
        fn decimals_are_read_exactly(text in "-?(0|[1-9][0-9]{0,8})(\\.[0-9]{1,6})?([eE][+-]?[0-9])?") {
            prop_assert_eq!(Ok(read(&text)), text.parse());
        }

        #[test]
        fn any_double_is_read_nearly(number in any::<f64>()) {
            prop_assume!(number.is_finite());
            let again = read(&format!("{number:e}"));
            prop_assert!((again - number).abs() <= number.abs() * 1e-14 + 1e-308, "{again}");
        }
    }
}

//! Numbers with six places after the point, in whole numbers.
//!
//! On the wire they are doubles. Most routers have no instructions for these, and what does it in their place would be
//! five kilobytes of program.

use core::fmt;
use core::time::Duration;

/// A number in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Decimal {
    /// How many.
    pub millionths: i64,
}

impl Decimal {
    /// A time in seconds, to the millisecond: more would be noise.
    pub fn seconds(time: Duration) -> Decimal {
        let millis = time.as_secs().saturating_mul(1000).saturating_add(time.subsec_millis().into());
        Decimal::thousandths(i64::try_from(millis).unwrap_or(i64::MAX))
    }

    /// A time in milliseconds, to the microsecond.
    pub fn milliseconds(time: Duration) -> Decimal {
        let micros = time.as_secs().saturating_mul(1_000_000).saturating_add(time.subsec_micros().into());
        Decimal::thousandths(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    /// Reads a number that follows JSON's grammar; for the JSON reader, which is for tests. `None` if it is 2^42 or more, either way.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        // An exponent that fits no i32 is far beyond all of them, either way.
        let limit = if exponent.starts_with('-') { -FAR } else { FAR };
        let mut places = exponent.parse().unwrap_or(limit).clamp(-FAR, FAR).saturating_add(6);
        let mut size: u64 = 0;
        let mut is_fraction = false;
        for byte in number.bytes() {
            match byte {
                b'.' => is_fraction = true,
                b'0'..=b'9' if size < DIGITS_FULL => {
                    size = size.saturating_mul(10).saturating_add(u64::from(byte.saturating_sub(b'0')));
                    places = places.saturating_sub(i32::from(is_fraction));
                }
                b'0'..=b'9' => places = places.saturating_add(i32::from(!is_fraction)),
                _ => {}
            }
        }
        while places != 0 && size != 0 {
            size = if places < 0 { size / 10 } else { size.checked_mul(10)? };
            places = places.saturating_sub(places.signum());
        }
        let size = i64::try_from(size).ok().filter(|size| *size < END)?;
        Some(Decimal { millionths: if number.starts_with('-') { size.saturating_neg() } else { size } })
    }

    /// So many thousandths, 2^42 - 1 at most, either way: what is written can be read.
    pub fn thousandths(count: i64) -> Decimal {
        Decimal { millionths: count.saturating_mul(1000).clamp(-LARGEST, LARGEST) }
    }

    /// What stands before the point; 0 of what is negative.
    pub fn whole(self) -> u64 {
        u64::try_from(self.millionths).unwrap_or(0) / MILLION
    }

    /// The double that is nearest.
    pub fn to_double(self) -> f64 {
        let size = self.millionths.unsigned_abs();
        if size == 0 {
            return 0.0;
        }
        // The size is moved to the top of its 64 bits, so that the quotient, of 19 more bits, has 63 or 64.
        let moved = size.leading_zeros();
        let size = size << moved;
        let quotient = ((size / MILLION) << 19) | (((size % MILLION) << 19) / MILLION);
        // A double keeps 53 of them.
        let dropped = 11_u32.saturating_sub(quotient.leading_zeros());
        let mantissa = (quotient >> dropped).saturating_add(quotient >> dropped.saturating_sub(1) & 1);
        let exponent = BIAS.saturating_add(dropped).saturating_sub(19).saturating_sub(moved);
        // The first bit of the mantissa is not written: it is one too many in the exponent.
        let bits = (u64::from(exponent.saturating_sub(1)) << MANTISSA_BITS).saturating_add(mantissa);
        f64::from_bits(bits | u64::from(self.millionths < 0) << 63)
    }

    /// The nearest to a double. `None` if it is no number or 2^42 and more.
    pub fn from_double(number: f64) -> Option<Decimal> {
        let bits = number.to_bits();
        let exponent = (bits >> MANTISSA_BITS) as u32 & 0x7ff;
        if exponent >= TOO_LARGE {
            return None;
        }
        let mantissa = bits & ((1 << MANTISSA_BITS) - 1) | 1 << MANTISSA_BITS;
        // `mantissa` × 2^-`places`, of which 44 places are enough.
        let places = BIAS.saturating_sub(exponent);
        let whole = mantissa.checked_shr(places).unwrap_or(0);
        let shifted = match places.checked_sub(PLACES) {
            Some(surplus) => mantissa.checked_shr(surplus).unwrap_or(0),
            None => mantissa << PLACES.saturating_sub(places),
        };
        let fraction = shifted & ((1 << PLACES) - 1);
        let fraction = fraction.saturating_mul(MILLION).saturating_add(1 << (PLACES - 1)) >> PLACES;
        let size = i64::try_from(whole.saturating_mul(MILLION).saturating_add(fraction)).ok()?;
        Some(Decimal { millionths: if number.is_sign_negative() { size.saturating_neg() } else { size } })
    }
}

impl fmt::Display for Decimal {
    /// With as many digits after the point as it takes, but one at least.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.millionths.unsigned_abs();
        let sign = if self.millionths < 0 { "-" } else { "" };
        let digits = format!("{sign}{}.{:06}", size / MILLION, size % MILLION);
        let text = digits.trim_end_matches('0');
        f.write_str(text)?;
        if text.ends_with('.') { f.write_str("0") } else { Ok(()) }
    }
}

const MILLION: u64 = 1_000_000;
/// Of a double, without the first, which is always one.
const MANTISSA_BITS: u32 = 52;
/// The exponent of a double whose mantissa is a whole number.
const BIAS: u32 = 1075;
/// 2^42.
const END: i64 = 1_000_000 << 42;
/// The largest below it that a double has exactly.
const LARGEST: i64 = END - 1_000_000;
/// Further digits say nothing that is kept.
const DIGITS_FULL: u64 = 1_000_000_000_000_000_000;
/// No number has such an exponent, whatever stands before it: texts are shorter than this.
const FAR: i32 = 1 << 24;
/// The exponent of 2^42.
const TOO_LARGE: u32 = 1023 + 42;
/// Binary places of a fraction, of which a million still fits 64 bits.
const PLACES: u32 = 44;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn six_places_are_written() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.25, "-0.25"),
            (0.1 + 0.2, "0.3"),
            (12.000_001, "12.000001"),
            (0.000_000_4, "0.0"),
            (0.999_999_9, "1.0"),
            (1e12, "1000000000000.0"),
        ] {
            assert_eq!(Decimal::from_double(number).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_number_or_too_large_is_none() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 4_398_046_511_104.0, -1e300] {
            assert_eq!(Decimal::from_double(number), None);
        }
        assert!(Decimal::from_double(4_398_046_511_103.9).is_some());
    }

    #[test]
    fn exponents_and_many_digits_are_read() {
        let read = |text: &str| Decimal::parse(text).map(|it| it.to_string());
        for (text, expected) in [
            ("1e2", "100.0"),
            ("-1.5E-1", "-0.15"),
            ("1e-999999999999", "0.0"),
            ("0e999999999999", "0.0"),
            ("0.12345678901234567890123", "0.123456"),
            ("4398046511103.999999", "4398046511103.999999"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(read(&format!("1{}e-1000", "0".repeat(1000))).as_deref(), Some("1.0"));
        assert_eq!(read(&format!("0.{}1e1001", "0".repeat(1000))).as_deref(), Some("1.0"));
        for text in ["4398046511104", "-1e400", "1e999999999999", "9223372036854775808"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn times_have_three_places() {
        let time = Duration::from_nanos(1_234_567_890);
        assert_eq!(Decimal::seconds(time).to_string(), "1.234");
        assert_eq!(Decimal::milliseconds(time).to_string(), "1234.567");
        for far in [Decimal::seconds(Duration::MAX), Decimal::thousandths(i64::MIN)] {
            assert_eq!(Decimal::from_double(far.to_double()), Some(far));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(millionths in -END + 1..END) {
            let number = Decimal { millionths };
            prop_assert_eq!(Decimal::parse(&number.to_string()), Some(number));
        }

        #[test]
        fn double_is_the_nearest(millionths in any::<i64>()) {
            let double = Decimal { millionths }.to_double();
            let text = format!("{millionths}e-6");
            prop_assert_eq!(Ok(double), text.parse());
        }

        #[test]
        fn double_of_few_digits_is_the_nearest(millionths in -1_000_000_000_i64..1_000_000_000) {
            let double = Decimal { millionths }.to_double();
            prop_assert_eq!(double, millionths as f64 / 1e6);
            prop_assert_eq!(Decimal::from_double(double), Some(Decimal { millionths }));
        }

        #[test]
        fn any_decimal_survives_as_a_double(millionths in -1_000_000_000_000_000_i64..1_000_000_000_000_000) {
            let number = Decimal { millionths };
            prop_assert_eq!(Decimal::from_double(number.to_double()), Some(number));
        }

        #[test]
        fn any_double_is_read_to_six_places(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            match Decimal::from_double(number) {
                Some(it) => prop_assert!((it.to_double() - number).abs() <= 5.1e-7 + number.abs() * 1e-15),
                None => prop_assert!(number.is_nan() || number.abs() >= 4_398_046_511_104.0),
            }
        }
    }
}

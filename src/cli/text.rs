//! Words for people: ages, and lines that fit a terminal.

use crate::ubus::Decimal;

/// An age or a time in the two units that matter.
pub fn duration(seconds: Decimal) -> String {
    let whole = seconds.whole();
    if seconds.millionths < 9_950_000 {
        return tenths(seconds) + " s";
    }
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{whole} s"),
        (0, 0, _) => format!("{minutes} min {} s", whole % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (1, _, _) => format!("1 day {hours} h"),
        _ => format!("{days} days {hours} h"),
    }
}

/// A number with one digit after the point; 0 if it is negative.
pub fn tenths(number: Decimal) -> String {
    let tenths = u64::try_from(number.millionths).unwrap_or(0).saturating_add(50_000) / 100_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Breaks a text at blanks so that it fits, further lines indented. A word that is too long stays whole.
pub fn wrap(first: &str, text: &str, indent: usize) -> String {
    let mut out = String::from(first);
    let mut column = first.chars().count();
    let mut is_line_begin = true;
    for word in text.split(' ') {
        let width = word.chars().count();
        if !is_line_begin && column.saturating_add(width).saturating_add(1) > COLUMNS {
            out.push('\n');
            out.extend(core::iter::repeat_n(' ', indent));
            column = indent;
            is_line_begin = true;
        }
        if !is_line_begin {
            out.push(' ');
            column = column.saturating_add(1);
        }
        out.push_str(word);
        column = column.saturating_add(width);
        is_line_begin = false;
    }
    out.push('\n');
    out
}

/// A terminal's width.
pub const COLUMNS: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_has_the_units_that_matter() {
        let cases = [
            (40, "0.0 s"),
            (3250, "3.3 s"),
            (9949, "9.9 s"),
            (9950, "9 s"),
            (59_900, "59 s"),
            (312_000, "5 min 12 s"),
            (7_380_000, "2 h 3 min"),
            (90_000_000, "1 day 1 h"),
            (1_000_000_000, "11 days 13 h"),
            (-1000, "0.0 s"),
            (i64::MAX, "50903316 days 2 h"),
        ];
        for (milliseconds, expected) in cases {
            assert_eq!(duration(Decimal::thousandths(milliseconds)), expected);
        }
    }

    #[test]
    fn long_text_is_broken_at_blanks() {
        let text = wrap("! ", &"word ".repeat(40), 2);
        assert!(text.lines().count() > 2);
        for line in text.lines() {
            assert!(line.len() <= COLUMNS, "{line}");
        }
    }
}

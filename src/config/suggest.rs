//! "Did you mean": the nearest of the words that would have been right.

use crate::collect::IntoVec as _;

/// The candidate that is nearest to `word`, if it is near enough to be what was meant: one slip in a
/// short word, two in a longer one. Of equals the first.
pub fn nearest(word: &str, candidates: &[&str]) -> Option<String> {
    if word.len() > LENGTH_MAX {
        return None;
    }
    let slips_max = if word.len() <= 5 { 1 } else { 2 };
    let mut nearest: Option<(usize, &str)> = None;
    for candidate in candidates.iter().filter(|candidate| candidate.len() <= LENGTH_MAX) {
        let slips = slips(word, candidate);
        let is_near = slips <= slips_max && slips < candidate.len();
        if is_near && nearest.is_none_or(|(least, _)| slips < least) {
            nearest = Some((slips, candidate));
        }
    }
    nearest.map(|(_, candidate)| candidate.to_owned())
}

/// Longer words are not compared: the work grows with the product of the lengths.
const LENGTH_MAX: usize = 64;

/// How many letters must be added, removed, replaced or swapped with their neighbour to get from one
/// word to the other (optimal string alignment), without regard to case.
fn slips(a: &str, b: &str) -> usize {
    let a = a.to_ascii_lowercase().into_bytes();
    let b = b.to_ascii_lowercase().into_bytes();
    // Rows of the table: the one before the previous, the previous, and the one that is filled.
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).into_vec();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut best = cell(&previous, j + 1).min(cell(&row, j)) + 1;
            best = best.min(cell(&previous, j) + usize::from(x != y));
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x);
            if swapped {
                best = best.min(cell(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = previous;
        previous = row;
    }
    previous.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_word() {
        let options = ["vrid", "version", "vip", "interface", "advert_interval"];

        assert_eq!(nearest("vird", &options).as_deref(), Some("vrid"));
        assert_eq!(nearest("Interface", &options).as_deref(), Some("interface"));
        assert_eq!(nearest("interfce", &options).as_deref(), Some("interface"));
        assert_eq!(nearest("advertinterval", &options).as_deref(), Some("advert_interval"));
        assert_eq!(nearest("vips", &options).as_deref(), Some("vip"));
    }

    #[test]
    fn a_strange_word_finds_nothing() {
        assert_eq!(nearest("icmp", &["ping", "tcp"]), None);
        assert_eq!(nearest("colour", &["vrid", "vip"]), None);
        assert_eq!(nearest("x", &["y"]), None);
        assert_eq!(nearest("", &["vip"]), None);
        assert_eq!(nearest(&"v".repeat(1000), &["vip"]), None);
    }

    #[test]
    fn swapped_neighbours_are_one_slip() {
        assert_eq!(slips("vird", "vrid"), 1);
        assert_eq!(slips("abc", "ca"), 3);
        assert_eq!(slips("", "abc"), 3);
        assert_eq!(slips("same", "same"), 0);
    }
}

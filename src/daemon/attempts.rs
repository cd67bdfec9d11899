//! What can't be opened yet is tried again, and logged once and not at each attempt.

use core::time::Duration;

use crate::engine::Instant;

/// The failures of the last round of attempts.
#[derive(Debug, Default)]
pub struct Attempts {
    again: Option<Instant>,
    complaints: Vec<String>,
    earlier: Vec<String>,
}

impl Attempts {
    /// A new round: everything may work now.
    pub fn begin(&mut self) {
        self.again = None;
        self.earlier = core::mem::take(&mut self.complaints);
    }

    /// One attempt has failed.
    pub fn failed(&mut self, complaint: String, now: Instant) {
        if !self.earlier.contains(&complaint) {
            log::warn!("{complaint}");
        }
        self.complaints.push(complaint);
        self.again = Some(now.after(RETRY));
    }

    /// When the next round should be without any other reason.
    pub fn again_at(&self) -> Option<Instant> {
        self.again
    }
}

/// A socket is refused only for want of memory, descriptors or rights: none is back much sooner.
const RETRY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_round_with_a_failure_asks_for_another() {
        let now = Instant::from_micros(5_000_000);
        let mut attempts = Attempts::default();
        attempts.begin();
        assert_eq!(attempts.again_at(), None);

        attempts.failed("eth0: no".to_owned(), now);
        assert_eq!(attempts.again_at(), Some(now.after(RETRY)));

        attempts.begin();
        assert_eq!(attempts.again_at(), None);
    }
}

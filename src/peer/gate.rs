//! Who may connect, and how often: pure.

use core::time::Duration;

use crate::engine::Instant;

/// A bucket of tokens that fills with time.
#[derive(Debug, Clone)]
pub struct Gate {
    tokens: u32,
    size: u32,
    /// One more token each.
    every: Duration,
    since: Instant,
}

impl Gate {
    /// A full bucket.
    pub const fn new(size: u32, every: Duration, now: Instant) -> Gate {
        Gate { tokens: size, size, every, since: now }
    }

    /// Takes a token, if there is one.
    pub fn admit(&mut self, now: Instant) -> bool {
        self.fill(now);
        match self.tokens.checked_sub(1) {
            Some(rest) => {
                self.tokens = rest;
                true
            }
            None => false,
        }
    }

    /// When the next token comes, if there is none.
    pub fn opens_at(&self) -> Option<Instant> {
        (self.tokens == 0).then(|| self.since.after(self.every))
    }

    /// Takes in the tokens that have come meanwhile.
    pub fn fill(&mut self, now: Instant) {
        while self.tokens < self.size && self.since.after(self.every) <= now {
            self.tokens = self.tokens.saturating_add(1);
            self.since = self.since.after(self.every);
        }
        if self.tokens >= self.size {
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_passes_then_one_at_a_time() {
        let start = Instant::from_micros(7);
        let mut gate = Gate::new(3, Duration::from_millis(100), start);
        assert_eq!([(); 5].map(|()| gate.admit(start)), [true, true, true, false, false]);
        assert_eq!(gate.opens_at(), Some(start.after(Duration::from_millis(100))));
        let later = start.after(Duration::from_millis(250));
        assert_eq!([(); 4].map(|()| gate.admit(later)), [true, true, false, false]);
        assert_eq!(gate.opens_at(), Some(start.after(Duration::from_millis(300))));
        let much_later = start.after(Duration::from_secs(3600));
        assert_eq!([(); 4].map(|()| gate.admit(much_later)), [true, true, true, false]);
    }
}

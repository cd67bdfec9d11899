//! Time as the engine sees it: a number that its caller passes in.

use core::fmt;
use core::time::Duration;

/// Microseconds on a clock that never steps (CLOCK_BOOTTIME in the daemon, virtual in the simulator).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// A point in time; the origin is the caller's.
    pub const fn from_micros(micros: u64) -> Instant {
        Instant(micros)
    }

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time since `earlier`; zero if that is in the future.
    // 64 bits are divided, which is a call and a dozen instructions around it on 32-bit processors.
    #[inline(never)]
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The point `delay` later, or the end of time.
    #[must_use]
    // What is multiplied here takes many more instructions than a call.
    #[inline(never)]
    pub fn after(self, delay: Duration) -> Instant {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        Instant(self.0.saturating_add(micros))
    }

    /// The earliest of several points in time, of those that are set.
    pub fn earliest(times: &[Option<Instant>]) -> Option<Instant> {
        let mut earliest: Option<Instant> = None;
        for time in times.iter().copied().flatten() {
            earliest = Some(earliest.map_or(time, |known| known.min(time)));
        }
        earliest
    }
}

impl fmt::Display for Instant {
    /// Seconds with six digits, as traces print it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

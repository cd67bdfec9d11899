//! Time: one reading for each wake-up, and one timer for everything that is due.

use core::time::Duration;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::PollTimeout;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{self, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::{ClockId, clock_gettime};

use crate::engine::Instant;

/// The present time on CLOCK_BOOTTIME.
///
/// Not CLOCK_MONOTONIC: that one stands still while the machine is suspended (a paused virtual router),
/// and a node must know how long it was away before it believes that it is still master. Both clocks never
/// step, and both go on when the daemon is restarted, so times on tmpfs stay good until the next boot.
pub fn now() -> Instant {
    Instant::from_micros(micros(ClockId::CLOCK_BOOTTIME))
}

/// Seconds since 1970 by the wall clock: for people only. It may step by years.
pub fn wall_seconds() -> u64 {
    wall_micros() / 1_000_000
}

/// Microseconds since 1970 by the wall clock. It may step by years; for files that other programs date with it.
pub fn wall_micros() -> u64 {
    micros(ClockId::CLOCK_REALTIME)
}

/// How long a thread has to wait to be there at a point in time: a millisecond more than is left, for the wait ends
/// before that.
pub fn wait_for(at: Instant) -> PollTimeout {
    let left = at.since(now()).as_millis().saturating_add(1);
    PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
}

/// A clock's microseconds; 0 where the C library can't tell them: one of 32 bits after 2038.
fn micros(clock: ClockId) -> u64 {
    let time = clock_gettime(clock).unwrap_or_else(|_| TimeSpec::new(0, 0));
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec()).unwrap_or(0);
    seconds.saturating_mul(1_000_000).saturating_add(nanos / 1000)
}

/// The timer of the loop.
#[derive(Debug)]
pub struct Timer {
    fd: TimerFd,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Armed(Instant),
    /// Readable until it is set anew, to whatever time.
    Fired,
}

impl Timer {
    /// A timer that is not armed.
    ///
    /// # Errors
    /// Those of `timerfd_create`.
    pub fn new() -> Result<Timer, Errno> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        Ok(Timer { fd: TimerFd::new(timerfd::ClockId::CLOCK_BOOTTIME, flags)?, state: State::Idle })
    }

    /// Makes the timer readable at `deadline`, or never. A system call only if that is a change.
    ///
    /// # Errors
    /// Those of `timerfd_settime`.
    pub fn arm(&mut self, deadline: Option<Instant>) -> Result<(), Errno> {
        let wanted = deadline.map_or(State::Idle, State::Armed);
        if wanted == self.state {
            return Ok(());
        }
        match deadline {
            Some(deadline) => {
                let expiration = Expiration::OneShot(absolute(deadline));
                self.fd.set(expiration, TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
            }
            None => self.fd.unset()?,
        }
        self.state = wanted;
        Ok(())
    }

    /// Takes note that the timer is readable. The next [`Timer::arm`] ends that: no need to read it.
    pub fn fired(&mut self) {
        self.state = State::Fired;
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The point in time as the kernel takes it. All zeros would disarm the timer, and what is further away than 32 bits
/// of seconds can say is never.
fn absolute(deadline: Instant) -> TimeSpec {
    TimeSpec::from(Duration::from_micros(deadline.as_micros()).clamp(SOON, NEVER))
}

const SOON: Duration = Duration::from_micros(1);

/// 34 years of uptime.
const NEVER: Duration = Duration::from_secs(1 << 30);

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, poll};

    use super::*;

    fn is_readable_within(timer: &Timer, timeout_ms: u16) -> bool {
        poll(&mut [PollFd::new(timer.as_fd(), PollFlags::POLLIN)], PollTimeout::from(timeout_ms)).unwrap() > 0
    }

    #[test]
    fn timer_fires_at_its_deadline_and_once() {
        let mut timer = Timer::new().unwrap();
        let deadline = now().after(Duration::from_millis(20));

        timer.arm(Some(deadline)).unwrap();

        assert!(is_readable_within(&timer, 5000));
        assert!(now() >= deadline);
        timer.fired();
        timer.arm(None).unwrap();
        assert!(!is_readable_within(&timer, 30));
    }

    #[test]
    fn deadline_in_the_past_fires_at_once_also_when_armed_again() {
        let mut timer = Timer::new().unwrap();
        for _ in 0..2 {
            timer.arm(Some(Instant::from_micros(0))).unwrap();
            assert!(is_readable_within(&timer, 5000));
            timer.fired();
        }
    }

    #[test]
    fn timer_that_has_fired_is_quiet_without_a_new_deadline() {
        let mut timer = Timer::new().unwrap();
        timer.arm(Some(now())).unwrap();
        assert!(is_readable_within(&timer, 5000));

        timer.fired();
        timer.arm(None).unwrap();

        assert!(!is_readable_within(&timer, 10));
    }

    #[test]
    fn timer_without_deadline_does_not_fire() {
        let mut timer = Timer::new().unwrap();
        timer.arm(Some(now().after(Duration::from_millis(10)))).unwrap();
        timer.arm(None).unwrap();
        assert!(!is_readable_within(&timer, 40));
    }

    #[test]
    fn end_of_time_is_never() {
        let mut timer = Timer::new().unwrap();
        timer.arm(Some(Instant::from_micros(u64::MAX))).unwrap();
        assert!(!is_readable_within(&timer, 10));
    }
}

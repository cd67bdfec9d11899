//! The scalar types that VRRP packets are made of.

use core::fmt;
use core::num::NonZeroU8;
use core::time::Duration;

/// Virtual router identifier (RFC 9568 §5.2.3): 1..=255, unique for each link and address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vrid(NonZeroU8);

impl Vrid {
    /// `None` for 0, which no virtual router can have.
    pub const fn new(id: u8) -> Option<Vrid> {
        match NonZeroU8::new(id) {
            Some(id) => Some(Vrid(id)),
            None => None,
        }
    }

    /// The number on the wire.
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Advertisement interval in centiseconds: 1..=4095 for v3 (RFC 9568 §5.2.7), and
/// 100..=25500 in whole seconds for v2 (RFC 3768 §5.3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(u16);

impl Interval {
    /// One second, the default of every VRRP version.
    pub const DEFAULT: Interval = Interval(100);

    /// An interval that a v3 packet can carry: 1..=4095 centiseconds.
    pub const fn v3(centiseconds: u16) -> Option<Interval> {
        if centiseconds >= 1 && centiseconds <= 4095 { Some(Interval(centiseconds)) } else { None }
    }

    /// An interval that a v2 packet can carry: 1..=255 whole seconds.
    pub const fn v2(seconds: u8) -> Option<Interval> {
        if seconds >= 1 { Some(Interval(seconds as u16 * 100)) } else { None }
    }

    /// The length in centiseconds.
    pub const fn centiseconds(self) -> u16 {
        self.0
    }

    /// The length in whole seconds, rounded down: what a v2 packet carries.
    pub const fn seconds(self) -> u8 {
        (self.0 / 100) as u8
    }

    /// The length as a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64 * 10)
    }
}

/// Which VRRP a virtual router speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// RFC 3768, IPv4 only.
    V2,
    /// RFC 5798 and RFC 9568, IPv4 and IPv6.
    V3,
}

/// Address family of a virtual router. An IPv4 and an IPv6 router with the same VRID are two routers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

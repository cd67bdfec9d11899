//! What can be wrong with a section by itself.

use core::fmt;
use core::time::Duration;
use std::net::IpAddr;

use super::conflict::Conflict;
use crate::uci;

/// What is wrong. Whether it is an error or a warning is said where it is found. The fields are the
/// values that the message shows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)]
#[rustfmt::skip]
pub enum Problem {
    /// Sections do not fit each other.
    Conflict(Conflict),
    /// The text can't be read.
    Syntax(uci::Error),
    /// No such type of section.
    UnknownSection { suggestion: Option<String> },
    /// No such option in this type of section; `of` has the types that know it.
    UnknownOption { suggestion: Option<String>, of: Vec<String> },
    /// The section needs a name.
    Unnamed { kind: String },
    /// The section's name is longer than `max`.
    NameTooLong { max: usize },
    /// The option must be there.
    Missing { doc: &'static str, allowed: String },
    /// The value is not one of those allowed.
    NotAllowed { allowed: String, suggestion: Option<String> },
    /// A single value was given more than once.
    GivenSeveralTimes { times: usize },
    /// More items than `max`.
    TooMany { count: usize, max: usize },
    /// Fewer items than `min`.
    TooFew { min: usize },
    /// The item was there before; it does no harm.
    Repeated,
    /// The item was there before.
    Duplicate,
    /// The option can't stand beside this one.
    Excludes { other: &'static str },
    /// The option needs this.
    Needs { what: &'static str },
    /// The option has no effect here.
    NoEffect { why: &'static str },
    /// An address of the other family than `first`.
    FamilyMix { first: IpAddr },
    /// The first address of an IPv6 instance must be link-local.
    NotLinkLocal,
    /// Version 2 has no IPv6.
    Version2Ipv6,
    /// The interval does not fit the version.
    IntervalOfVersion { allowed: &'static str },
    /// The password is cut.
    PasswordCut,
    /// The subnet of the virtual address does not contain this router.
    OutsideSubnet { router: IpAddr },
    /// The network or broadcast address of its subnet.
    NotAHost,
    /// A virtual address that is a router's own.
    IsRouter,
    /// Its own address among the peers.
    PeerIsSource,
    /// The timeout is longer than the interval.
    TimeoutBeyondInterval { interval: Duration },
    /// More answers are needed than targets are asked.
    NeedBeyondTargets { targets: usize },
    /// A link-local address says nothing without a link.
    LinkLocalNeedsLink,
    /// The times are not in ascending order.
    NotAscending,
    /// The key must not travel.
    KeyTravels,
    /// No reason was found: a fault of this program.
    Unexplained,
}

impl Problem {
    /// A short word for scripts and for the status; stable.
    #[rustfmt::skip]
    pub fn code(&self) -> &'static str {
        match self {
            Problem::Conflict(conflict) => conflict.code(),
            Problem::Syntax(_) => "syntax",
            Problem::UnknownSection { .. } => "unknown_section",
            Problem::UnknownOption { .. } => "unknown_option",
            Problem::Unnamed { .. } | Problem::NameTooLong { .. } => "section_name",
            Problem::Missing { .. } => "missing",
            Problem::NotAllowed { .. } | Problem::NotAscending => "not_allowed",
            Problem::TooMany { .. } | Problem::TooFew { .. } => "count",
            Problem::Repeated | Problem::Duplicate | Problem::GivenSeveralTimes { .. } => "repeated",
            Problem::Excludes { .. } | Problem::Needs { .. } => "options_conflict",
            Problem::NoEffect { .. } => "no_effect",
            Problem::FamilyMix { .. } | Problem::NotLinkLocal | Problem::Version2Ipv6 => "address_family",
            Problem::IntervalOfVersion { .. } => "interval",
            Problem::PasswordCut => "password_cut",
            Problem::OutsideSubnet { .. } | Problem::NotAHost => "subnet",
            Problem::IsRouter | Problem::PeerIsSource => "own_address",
            Problem::TimeoutBeyondInterval { .. } | Problem::NeedBeyondTargets { .. } => "track",
            Problem::LinkLocalNeedsLink => "track",
            Problem::KeyTravels => "key_travels",
            Problem::Unexplained => "unexplained",
        }
    }
}

impl Problem {
    /// Whether it is wrong whatever the rest of the file says.
    #[rustfmt::skip]
    pub fn stands_alone(&self) -> bool {
        matches!(self,
            Problem::Syntax(_) | Problem::UnknownSection { .. } | Problem::UnknownOption { .. } | Problem::Unnamed { .. }
            | Problem::NotAllowed { .. } | Problem::GivenSeveralTimes { .. } | Problem::TooMany { .. }
            | Problem::Repeated | Problem::Duplicate)
    }
}

impl From<Conflict> for Problem {
    fn from(conflict: Conflict) -> Problem {
        Problem::Conflict(conflict)
    }
}

impl fmt::Display for Problem {
    #[rustfmt::skip]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Conflict(conflict) => conflict.fmt(f),
            Problem::Syntax(error) => f.write_str(&error.message()),
            Problem::UnknownSection { suggestion } => write!(f, "unknown section type, ignored{}", DidYouMean(suggestion)),
            Problem::UnknownOption { suggestion: None, of } if !of.is_empty() =>
                write!(f, "unknown option here, ignored; it is one of 'config {}'", of.join("' and 'config ")),
            Problem::UnknownOption { suggestion, .. } => write!(f, "unknown option, ignored{}", DidYouMean(suggestion)),
            Problem::Unnamed { kind } => write!(f, "must have a name: config {kind} 'NAME'"),
            Problem::NameTooLong { max } => write!(f, "the name must have at most {max} characters"),
            Problem::Missing { doc, allowed } => write!(f, "missing ({}); must be {allowed}", doc.trim_ascii_start()),
            Problem::NotAllowed { allowed, suggestion } => write!(f, "must be {allowed}{}", DidYouMean(suggestion)),
            Problem::GivenSeveralTimes { times } => write!(f, "given {times} times; must be a single value"),
            Problem::TooMany { count, max } => write!(f, "{count} items; must be at most {max}"),
            Problem::TooFew { min } => write!(f, "must have at least {min} items"),
            Problem::Repeated => f.write_str("given twice"),
            Problem::Duplicate => f.write_str("given twice; each must be there once"),
            Problem::Excludes { other } => write!(f, "must not stand beside '{other}'"),
            Problem::Needs { what } => write!(f, "needs {what}"),
            Problem::NoEffect { why } => write!(f, "has no effect {why}"),
            Problem::FamilyMix { first } =>
                write!(f, "must be of the same family as {first}; IPv4 and IPv6 are separate instances"),
            Problem::NotLinkLocal => f.write_str("the first address of an IPv6 instance must be link-local (fe80::/10)"),
            Problem::Version2Ipv6 => f.write_str("version 2 has no IPv6; must be version 3, or IPv4 addresses"),
            Problem::IntervalOfVersion { allowed } => write!(f, "must be {allowed}"),
            Problem::PasswordCut => f.write_str("longer than 8 bytes; only the first 8 are used, as VRRP version 2 has it"),
            Problem::OutsideSubnet { router } =>
                write!(f, "does not contain the router {router}; must be in the routers' subnet, or have the length /32 or /128"),
            Problem::NotAHost => f.write_str("is the network or broadcast address of its subnet; must be a host's"),
            Problem::IsRouter => f.write_str("is a router's own address; must be one that can move"),
            Problem::PeerIsSource => f.write_str("is this router's own 'source'; must be another router"),
            Problem::TimeoutBeyondInterval { interval } => write!(f, "must be at most the interval, {} s", Secs(*interval)),
            Problem::NeedBeyondTargets { targets } => write!(f, "must be at most the number of targets, {targets}"),
            Problem::LinkLocalNeedsLink => f.write_str("a link-local address needs 'option interface' or 'option device'"),
            Problem::NotAscending => f.write_str("must be more than the one before"),
            Problem::KeyTravels => f.write_str("is the key, which must not travel"),
            Problem::Unexplained => f.write_str("can't be used, for a reason that is not known; please report this file"),
        }
    }
}

/// A question mark with the word that was probably meant.
pub struct DidYouMean<'a>(pub &'a Option<String>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(word) => write!(f, "; did you mean '{word}'?"),
            None => Ok(()),
        }
    }
}

/// The first items of a list, with commas.
pub struct List<'a, T>(pub &'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 8;
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, item) in self.0.iter().take(SHOWN_MAX).enumerate() {
            write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
        }
        if self.0.len() > SHOWN_MAX { f.write_str(", ...") } else { Ok(()) }
    }
}

/// Seconds to the millisecond, without needless zeros. Not by way of a float: printing those takes 20 KB of flash.
pub struct Secs(pub Duration);

impl fmt::Display for Secs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.subsec_millis();
        match (ms % 1000, ms % 100, ms % 10) {
            (0, ..) => write!(f, "{}", self.0.as_secs()),
            (_, 0, _) => write!(f, "{}.{}", self.0.as_secs(), ms / 100),
            (_, _, 0) => write!(f, "{}.{:02}", self.0.as_secs(), ms / 10),
            _ => write!(f, "{}.{ms:03}", self.0.as_secs()),
        }
    }
}

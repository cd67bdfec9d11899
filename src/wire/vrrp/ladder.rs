//! The receive ladder: what a packet must pass before anybody acts on it.
//!
//! The rungs are climbed in the order of [`Reject`]; the first one missed is the reason. They come
//! in three stretches:
//!
//! 1. *For us, from a router we know, the way it should come* ([`Reject::Truncated`] to
//!    [`Reject::HopLimit`]). After the sender is known, a reject says something about a configured
//!    router: from [`Reject::HopLimit`] on, it may be shown as that router's misconfiguration.
//! 2. *One whole, intact message* ([`Reject::Version`] to [`Reject::Checksum`]).
//! 3. *One that may be acted on* ([`Reject::AuthType`] to [`Reject::IntervalMismatch`]).
//!
//! A router may know other virtual addresses than we do, or begin its IPv6 ones with a global
//! address: no rung asks for that (RFC 9568 §7.1), the caller compares. Reserved bits are ignored.

use core::fmt;
use std::net::IpAddr;

use super::super::checksum::Checksum;
use super::super::types::{Family, Interval, Version, Vrid};
use super::{
    ADVERTISEMENT, Addresses, Advert, Auth, ChecksumForm, GROUP_V4, GROUP_V6, INTERVAL_MASK, Packet, family,
    width, with_pseudo_header,
};

/// What a virtual router expects of a packet.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'a> {
    /// The version it speaks.
    pub version: Version,
    /// Its identifier.
    pub vrid: Vrid,
    /// Its own interval. A v2 sender must have the same one, a v3 sender need not.
    pub interval: Interval,
    /// Its v2 authentication; not looked at in v3.
    pub auth: Auth,
    /// Own addresses on the link: what comes from them is our own packet, looped back.
    pub own: &'a [IpAddr],
    /// Who may speak.
    pub senders: Senders<'a>,
    /// How adverts travel.
    pub delivery: Delivery,
    /// Least TTL or hop limit; 255 means that no router may be in between.
    pub hop_limit_min: u8,
    /// Which checksums are accepted besides the two usual ones.
    pub checksum: AcceptChecksum,
}

/// Who may speak.
#[derive(Debug, Clone, Copy)]
pub enum Senders<'a> {
    /// Whoever has a unicast address.
    Any,
    /// The configured peers.
    Only(&'a [IpAddr]),
}

/// How adverts travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// To each router's own address.
    Unicast,
    /// To the group's address.
    Multicast,
}

/// Which checksums of v3 over IPv4 are accepted. The mode is never changed by a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AcceptChecksum {
    /// The two in use: with and without the pseudo-header.
    #[default]
    Usual,
    /// Also that of keepalived before 1.3.7 in unicast: a pseudo-header with 224.0.0.18.
    OldUnicast,
}

/// Declares the enum together with its list and its names, so that none can be forgotten.
macro_rules! rungs {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal,)+) => {
        /// Why a packet was rejected: the first rung it missed, in this order.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reject {
            $($(#[$doc])+ $variant,)+
        }

        impl Reject {
            /// All of them, in order.
            pub const ALL: [Reject; [$(Reject::$variant),+].len()] = [$(Reject::$variant),+];

            /// The word in counters and status.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Reject::$variant => $name,)+
                }
            }

            /// The position in [`Reject::ALL`].
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

rungs! {
    /// Shorter than its header, or than its version and address count say. For want of the header
    /// this is the first rung, for want of the rest it stands before [`Reject::Length`].
    Truncated = "truncated",
    /// Sender and receiver have addresses of two families, or v2 (IPv4 only) came over IPv6.
    Family = "family",
    /// For another virtual router.
    Vrid = "vrid",
    /// Sent by ourselves.
    Looped = "looped",
    /// Not from a configured peer; in multicast, not from a unicast address.
    Sender = "unknown_sender",
    /// Multicast where unicast is configured, or the reverse.
    Delivery = "delivery",
    /// TTL or hop limit below the configured minimum (RFC 9568 §7.1).
    HopLimit = "hop_limit",
    /// Another VRRP version.
    Version = "version",
    /// Not an advertisement.
    Type = "type",
    /// No virtual address at all (RFC 9568 erratum 8299).
    NoAddresses = "no_addresses",
    /// Bytes follow the message that are no padding of a short frame.
    Length = "length",
    /// Damaged.
    Checksum = "bad_checksum",
    /// Another kind of v2 authentication.
    AuthType = "auth_type",
    /// Another v2 password.
    AuthData = "auth_data",
    /// An interval of zero, which would make its receivers take over at once (RFC 9568 erratum 8301).
    IntervalZero = "interval_zero",
    /// Another v2 interval than our own (RFC 3768 §7.1).
    IntervalMismatch = "interval_mismatch",
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Turns a packet into an advert, or says which rung it missed. Allocates nothing.
pub fn check<'a>(packet: &Packet<'a>, expect: &Expect<'_>) -> Result<Advert<'a>, Reject> {
    let header = Header::read(packet.bytes).ok_or(Reject::Truncated)?;
    if family(packet.source) != family(packet.destination)
        || (expect.version, family(packet.source)) == (Version::V2, Family::V6)
    {
        return Err(Reject::Family);
    }
    if header.vrid != expect.vrid.get() {
        return Err(Reject::Vrid);
    }
    check_sender(packet, expect)?;
    let body = check_message(packet, &header, expect.version)?;
    let checksum = check_checksum(packet, body.message, expect)?;
    if expect.version == Version::V2 {
        check_auth(&header, body.auth, expect.auth)?;
    }
    let interval = check_interval(&header, expect)?;
    Ok(Advert {
        version: expect.version,
        vrid: expect.vrid,
        priority: header.priority,
        interval,
        addresses: Addresses { family: family(packet.source), bytes: body.addresses },
        checksum,
    })
}

/// The first eight bytes.
struct Header {
    version: u8,
    kind: u8,
    vrid: u8,
    priority: u8,
    count: u8,
    /// v2: auth type and seconds. v3: reserved bits and centiseconds.
    word: [u8; 2],
}

impl Header {
    const LEN: usize = 8;

    fn read(bytes: &[u8]) -> Option<Header> {
        let [first, vrid, priority, count, high, low, _, _] = *bytes.first_chunk::<{ Header::LEN }>()?;
        Some(Header { version: first >> 4, kind: first & 0x0f, vrid, priority, count, word: [high, low] })
    }
}

/// A message without what may follow it, and its parts.
struct Body<'a> {
    message: &'a [u8],
    addresses: &'a [u8],
    /// Empty in v3.
    auth: &'a [u8],
}

fn check_sender(packet: &Packet<'_>, expect: &Expect<'_>) -> Result<(), Reject> {
    if expect.own.contains(&packet.source) {
        return Err(Reject::Looped);
    }
    let known = match expect.senders {
        Senders::Any => is_station(packet.source),
        Senders::Only(peers) => peers.contains(&packet.source),
    };
    if !known {
        return Err(Reject::Sender);
    }
    let delivered = match expect.delivery {
        Delivery::Unicast => is_station(packet.destination),
        Delivery::Multicast => {
            packet.destination == IpAddr::V4(GROUP_V4) || packet.destination == IpAddr::V6(GROUP_V6)
        }
    };
    if !delivered {
        return Err(Reject::Delivery);
    }
    if packet.hop_limit < expect.hop_limit_min {
        return Err(Reject::HopLimit);
    }
    Ok(())
}

/// Whether one station can have this address.
fn is_station(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            !(address.is_multicast() || address.is_broadcast() || address.is_unspecified())
        }
        IpAddr::V6(address) => !(address.is_multicast() || address.is_unspecified()),
    }
}

fn check_message<'a>(packet: &Packet<'a>, header: &Header, version: Version) -> Result<Body<'a>, Reject> {
    let (number, auth_len) = match version {
        Version::V2 => (2, 8),
        Version::V3 => (3, 0),
    };
    if header.version != number {
        return Err(Reject::Version);
    }
    if header.kind != ADVERTISEMENT {
        return Err(Reject::Type);
    }
    if header.count == 0 {
        return Err(Reject::NoAddresses);
    }
    let family = family(packet.source);
    // At most 8 + 255 × 16 + 8.
    let addresses_end = Header::LEN + usize::from(header.count) * width(family);
    let (message, rest) = packet.bytes.split_at_checked(addresses_end + auth_len).ok_or(Reject::Truncated)?;
    if !rest.is_empty() && !is_padding(packet.bytes, family) {
        return Err(Reject::Length);
    }
    let (head, auth) = message.split_at_checked(addresses_end).ok_or(Reject::Truncated)?;
    let addresses = head.get(Header::LEN..).ok_or(Reject::Truncated)?;
    Ok(Body { message, addresses, auth })
}

/// Whether an overlong payload is what a padded frame looks like when padding was counted into the IP
/// length, as some senders and bridges do: an IPv4 packet (header 20) of 46 bytes, the least that
/// Ethernet carries, less 4 for each VLAN tag that has been taken off. keepalived (since 2.3.2)
/// tolerates the same; what is in those bytes does not matter. Any other trailer means something
/// that we don't understand (an HMAC, a v2 trailer on v3), so it is refused.
fn is_padding(payload: &[u8], family: Family) -> bool {
    const PADDED: usize = 46 - 20;
    family == Family::V4 && PADDED.checked_sub(payload.len()).is_some_and(|tags| tags % 4 == 0)
}

/// The form in which the checksum is right.
///
/// RFC 5798 was read as "with pseudo-header" for IPv4 too, RFC 9568 says "without": both are in use.
fn check_checksum(packet: &Packet<'_>, message: &[u8], expect: &Expect<'_>) -> Result<ChecksumForm, Reject> {
    let sum = Checksum::new().with(message);
    let with = |destination| with_pseudo_header(sum, packet.source, destination, message.len()).is_intact();
    let form = match (expect.version, family(packet.source)) {
        (Version::V2, _) => sum.is_intact().then_some(ChecksumForm::Message),
        (Version::V3, Family::V6) => with(packet.destination).then_some(ChecksumForm::PseudoHeader),
        (Version::V3, Family::V4) if with(packet.destination) => Some(ChecksumForm::PseudoHeader),
        (Version::V3, Family::V4) if sum.is_intact() => Some(ChecksumForm::Message),
        (Version::V3, Family::V4) => match expect.checksum {
            AcceptChecksum::Usual => None,
            AcceptChecksum::OldUnicast => with(GROUP_V4.into()).then_some(ChecksumForm::PseudoHeader),
        },
    };
    form.ok_or(Reject::Checksum)
}

/// RFC 2338 §5.3.6. Data without a type is ignored. The password is on every wire in clear, so there
/// is nothing that a comparison in constant time could hide.
fn check_auth(header: &Header, data: &[u8], expected: Auth) -> Result<(), Reject> {
    let [kind, _] = header.word;
    if kind != expected.kind() {
        return Err(Reject::AuthType);
    }
    match expected {
        Auth::Password(password) if data != password => Err(Reject::AuthData),
        Auth::Password(_) | Auth::None => Ok(()),
    }
}

fn check_interval(header: &Header, expect: &Expect<'_>) -> Result<Interval, Reject> {
    let [_, seconds] = header.word;
    let interval = match expect.version {
        Version::V2 => Interval::v2(seconds),
        Version::V3 => Interval::v3(u16::from_be_bytes(header.word) & INTERVAL_MASK),
    };
    let interval = interval.ok_or(Reject::IntervalZero)?;
    if expect.version == Version::V2 && interval != expect.interval {
        return Err(Reject::IntervalMismatch);
    }
    Ok(interval)
}

//! The part of rtnetlink that a router daemon needs: links, addresses, routes and policy rules.
//!
//! Layers, each usable without those below it in this list:
//!
//! - The codec turns bytes into values and back: [`Messages`] cuts a datagram into messages,
//!   [`Event::parse`] reads one, and [`Link`], [`Address`], [`Route`] and [`Rule`] build requests.
//! - [`Exchange`] follows one request to its end: it knows which replies belong to it, and what they mean.
//! - [`Socket`] moves the datagrams, and never blocks.
//! - [`SetContent`] is the one thing that is said to the packet filter, over a socket of its own.
//! - [`Mirror`] is a copy of links and addresses that events keep true.
//!
//! # What never panics
//!
//! Everything that reads bytes takes any bytes: it returns a [`ParseError`], never panics and never reads out of
//! bounds. Unknown attributes are skipped, because each kernel adds some. A value which is known but
//! malformed makes its message an error; the messages after it are still read.
//!
//! # Ownership
//!
//! Every address, route and rule carries a [`Protocol`]: the number of the program that added it. The kernel
//! stores it for routes, for rules (since 4.17) and for addresses (since 5.18), and older kernels ignore it.
//!
//! Constants and layouts are those of the kernel's `linux/netlink.h`, `rtnetlink.h`, `if_link.h`,
//! `if_addr.h` and `fib_rules.h`; integers are in the byte order of the machine.

pub mod address;
mod attribute;
mod error;
mod event;
mod exchange;
mod filter;
pub mod link;
mod message;
mod mirror;
mod name;
mod prefix;
mod request;
pub mod route;
pub mod rule;
mod socket;

pub use address::{Address, AddressFlags, Lifetimes};
pub use attribute::{Attribute, Attributes};
pub use error::{Error, ParseError, words};
pub use event::Event;
pub use exchange::{Exchange, Expect, Progress};
pub use filter::SetContent;
pub use link::{Link, LinkFlags, LinkKind, OperState, Port, PortState, Power};
pub use message::{Content, KernelError, Message, Messages};
pub use mirror::Mirror;
pub use name::{IfName, Label};
pub use prefix::{Family, Prefix};
pub use request::{Existing, Request};
pub use route::{Route, RouteKind};
pub use rule::Rule;
pub use socket::{Groups, Received, Socket};

use core::fmt;
use core::num::NonZeroU32;

/// The number of a network device. It is never 0, and a device that is made anew gets another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfIndex(NonZeroU32);

impl IfIndex {
    /// `None` for 0, which means "no device" to the kernel.
    pub const fn new(index: u32) -> Option<IfIndex> {
        match NonZeroU32::new(index) {
            Some(index) => Some(IfIndex(index)),
            None => None,
        }
    }

    /// The number as the kernel takes it.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for IfIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The program that an address, a route or a rule belongs to (`IFA_PROTO`, `rtm_protocol`, `FRA_PROTOCOL`).
///
/// The numbers are a convention, see `/etc/iproute2/rt_protos`; the kernel only stores them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// Nobody said: also what a kernel reports that doesn't store the number.
    pub const UNSPECIFIED: Protocol = Protocol(0);
}

/// How far an address or a route reaches (`rt_scope_t`). Smaller is wider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(pub u8);

impl Scope {
    /// Valid everywhere.
    pub const UNIVERSE: Scope = Scope(0);
    /// Valid on its link only: IPv6 link-local addresses, IPv4 routes without a gateway.
    pub const LINK: Scope = Scope(253);
    /// Valid on this host only.
    pub const HOST: Scope = Scope(254);
}

/// A hardware address. Devices whose address is not 6 bytes long (tunnels, `lo` of some kinds) have none.
pub type Mac = [u8; 6];

#[cfg(test)]
mod tests;

//! Routes.

use core::net::IpAddr;

use super::request::dump_header;
use super::{
    Attribute, Attributes, Event, Existing, Family, IfIndex, ParseError, Prefix, Protocol, Request, Scope,
};

/// A route with at most one next hop. Of a multipath route the next hops are not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Where it leads.
    pub destination: Prefix,
    /// The next router; `None` if the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// The device that packets leave through.
    pub device: Option<IfIndex>,
    /// The source address of the router's own packets.
    pub source: Option<IpAddr>,
    /// The table it is in.
    pub table: u32,
    /// The preference among routes to the same destination, smaller first. IPv6 reads 0 as 1024.
    pub metric: u32,
    /// Who added it.
    pub protocol: Protocol,
    /// How far the destination is. IPv6 does not use it.
    pub scope: Scope,
    /// What happens to packets.
    pub kind: RouteKind,
}

/// `RTN_*`: what happens to packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteKind(pub u8);

impl RouteKind {
    /// They are forwarded.
    pub const UNICAST: RouteKind = RouteKind(libc::RTN_UNICAST);
    /// They are dropped without a word.
    pub const BLACKHOLE: RouteKind = RouteKind(libc::RTN_BLACKHOLE);
    /// They are dropped, and their sender is told.
    pub const UNREACHABLE: RouteKind = RouteKind(libc::RTN_UNREACHABLE);
}

/// Asks for the routes of one family; only those of `protocol` from a kernel that checks requests strictly (4.20),
/// else all. On a router with many routes the difference is large.
pub fn dump(family: Family, protocol: Protocol) -> Request {
    let mut header = dump_header::<HEADER_SIZE>(Some(family));
    if let Some(field) = header.get_mut(PROTOCOL_OFFSET) {
        *field = protocol.0;
    }
    Request::dump(libc::RTM_GETROUTE, &header)
}

impl Route {
    /// The main routing table.
    pub const MAIN: u32 = libc::RT_TABLE_MAIN as u32;

    /// Adds the route.
    pub fn add(&self, existing: Existing) -> Request {
        self.request(libc::RTM_NEWROUTE, existing.flags())
    }

    /// Removes the route. The kernel finds it by what is set here, and leaves another program's alone.
    pub fn delete(&self) -> Request {
        self.request(libc::RTM_DELROUTE, 0)
    }

    fn request(&self, kind: u16, flags: i32) -> Request {
        let Route { destination, protocol, scope, .. } = *self;
        // Tables above 255 are said by the attribute only.
        let table = u8::try_from(self.table).unwrap_or(libc::RT_TABLE_UNSPEC);
        let family = destination.family().number();
        let header =
            [family, destination.length(), 0, 0, table, protocol.0, scope.0, self.kind.0, 0, 0, 0, 0];
        let mut request = Request::change(kind, flags, &header);
        request.range(libc::RTA_DST, destination);
        if let Some(address) = self.gateway {
            request.ip(libc::RTA_GATEWAY, address);
        }
        if let Some(index) = self.device {
            request.u32(libc::RTA_OIF, index.get());
        }
        if let Some(address) = self.source {
            request.ip(libc::RTA_PREFSRC, address);
        }
        request.u32(libc::RTA_TABLE, self.table);
        request.u32(libc::RTA_PRIORITY, self.metric);
        request
    }

    /// Reads the payload of `RTM_NEWROUTE`. `None` for what is no forwarding entry of
    /// IPv4 or IPv6 (cached routes, multicast routing).
    pub(super) fn parse(payload: &[u8]) -> Result<Option<Event>, ParseError> {
        let (header, rest) = payload.split_first_chunk::<HEADER_SIZE>().ok_or(ParseError::ShortHeader)?;
        let [family, length, _, _, table, protocol, scope, kind, f0, f1, f2, f3] = *header;
        let Ok(family) = Family::from_number(family) else { return Ok(None) };
        if u32::from_ne_bytes([f0, f1, f2, f3]) & libc::RTM_F_CLONED != 0 {
            return Ok(None);
        }
        let mut raw = RawRoute { table: table.into(), ..RawRoute::new(family) };
        for attribute in Attributes::new(rest) {
            raw.take(attribute?)?;
        }
        Ok(Some(Event::Route(Route {
            destination: Prefix::new(raw.destination, length).ok_or(ParseError::BadPrefixLength(length))?,
            gateway: raw.gateway,
            device: raw.device,
            source: raw.source,
            table: raw.table,
            metric: raw.metric,
            protocol: Protocol(protocol),
            scope: Scope(scope),
            kind: RouteKind(kind),
        })))
    }
}

/// The attributes of a route while they are read.
struct RawRoute {
    family: Family,
    destination: IpAddr,
    gateway: Option<IpAddr>,
    device: Option<IfIndex>,
    source: Option<IpAddr>,
    table: u32,
    metric: u32,
}

impl RawRoute {
    fn new(family: Family) -> RawRoute {
        let destination = family.unspecified();
        RawRoute { family, destination, gateway: None, device: None, source: None, table: 0, metric: 0 }
    }

    fn take(&mut self, attribute: Attribute<'_>) -> Result<(), ParseError> {
        match attribute.kind {
            libc::RTA_DST => self.destination = attribute.ip(self.family)?,
            libc::RTA_GATEWAY => self.gateway = Some(attribute.ip(self.family)?),
            libc::RTA_OIF => self.device = IfIndex::new(attribute.u32()?),
            libc::RTA_PREFSRC => self.source = Some(attribute.ip(self.family)?),
            libc::RTA_TABLE => self.table = attribute.u32()?,
            libc::RTA_PRIORITY => self.metric = attribute.u32()?,
            _ => {}
        }
        Ok(())
    }
}

/// `struct rtmsg`: family, destination length, source length, TOS, table, protocol, scope, kind, flags (4 bytes).
const HEADER_SIZE: usize = 12;

const PROTOCOL_OFFSET: usize = 5;

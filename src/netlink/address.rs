//! Addresses of network devices.

use core::net::{IpAddr, Ipv4Addr};

use super::request::dump_header;
use super::{
    Attribute, Attributes, Event, Existing, Family, IfIndex, Label, ParseError, Prefix, Protocol, Request,
    Scope,
};

/// An address on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The device.
    pub index: IfIndex,
    /// The address and its network.
    pub prefix: Prefix,
    /// The other end, on a point-to-point device; the prefix length is then that of the peer's network.
    pub peer: Option<IpAddr>,
    /// How the kernel treats it.
    pub flags: AddressFlags,
    /// Where it is valid.
    pub scope: Scope,
    /// Its label; IPv4 only. The kernel takes the name of the device if there is none.
    pub label: Option<Label>,
    /// The broadcast address; IPv4 only.
    pub broadcast: Option<Ipv4Addr>,
    /// Who added it. Kernels before 5.18 don't store this.
    pub protocol: Protocol,
    /// How long it lives.
    pub lifetimes: Lifetimes,
}

/// `IFA_F_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressFlags(pub u32);

impl AddressFlags {
    /// No flag.
    pub const NONE: AddressFlags = AddressFlags(0);
    /// IPv4: another address of the same network was there first, and takes this one with it when it goes.
    pub const SECONDARY: AddressFlags = AddressFlags(libc::IFA_F_SECONDARY);
    /// IPv6: use it at once, without asking the link whether somebody else has it.
    pub const NODAD: AddressFlags = AddressFlags(libc::IFA_F_NODAD);
    /// IPv6: somebody else has it, so it is not used.
    pub const DADFAILED: AddressFlags = AddressFlags(libc::IFA_F_DADFAILED);
    /// IPv6: not yet known whether somebody else has it.
    pub const TENTATIVE: AddressFlags = AddressFlags(libc::IFA_F_TENTATIVE);
    /// Don't add a route to its network.
    pub const NOPREFIXROUTE: AddressFlags = AddressFlags(libc::IFA_F_NOPREFIXROUTE);

    /// Both sets.
    pub const fn with(self, other: AddressFlags) -> AddressFlags {
        AddressFlags(self.0 | other.0)
    }

    /// Whether all of `other` are set.
    pub const fn contain(self, other: AddressFlags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// How long an address may be used, in seconds; `u32::MAX` is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Until the kernel removes it.
    pub valid_s: u32,
    /// Until it is no longer chosen as the source of new connections. At most `valid_s`.
    pub preferred_s: u32,
}

impl Lifetimes {
    /// It stays, and may be a source.
    pub const FOREVER: Lifetimes = Lifetimes { valid_s: u32::MAX, preferred_s: u32::MAX };
    /// It stays, but is no source while there is another (RFC 4862 §5.5.4; Linux holds this for IPv6 only).
    pub const DEPRECATED: Lifetimes = Lifetimes { valid_s: u32::MAX, preferred_s: 0 };

    /// `struct ifa_cacheinfo`: preferred and valid lifetime, then two time stamps that only the kernel sets.
    fn cache_info(self) -> [u8; 16] {
        let [p0, p1, p2, p3] = self.preferred_s.to_ne_bytes();
        let [v0, v1, v2, v3] = self.valid_s.to_ne_bytes();
        [p0, p1, p2, p3, v0, v1, v2, v3, 0, 0, 0, 0, 0, 0, 0, 0]
    }

    fn parse(attribute: Attribute<'_>) -> Result<Lifetimes, ParseError> {
        let [p0, p1, p2, p3, v0, v1, v2, v3] = attribute.chunk()?;
        Ok(Lifetimes {
            preferred_s: u32::from_ne_bytes([p0, p1, p2, p3]),
            valid_s: u32::from_ne_bytes([v0, v1, v2, v3]),
        })
    }
}

/// Asks for all addresses of one family or of both.
pub fn dump(family: Option<Family>) -> Request {
    Request::dump(libc::RTM_GETADDR, &dump_header::<HEADER_SIZE>(family))
}

impl Address {
    /// Adds the address to its device.
    pub fn add(&self, existing: Existing) -> Request {
        let mut request = self.request(libc::RTM_NEWADDR, existing.flags());
        if let Some(address) = self.broadcast {
            request.ip(libc::IFA_BROADCAST, address.into());
        }
        if let Some(label) = &self.label {
            request.text(libc::IFA_LABEL, label.as_bytes());
        }
        request.attribute(libc::IFA_CACHEINFO, &self.lifetimes.cache_info());
        request.u32(libc::IFA_FLAGS, self.flags.0);
        request.attribute(IFA_PROTO, &[self.protocol.0]);
        request
    }

    /// Removes the address from its device. It is found by device, address and prefix length alone.
    pub fn delete(&self) -> Request {
        self.request(libc::RTM_DELADDR, 0)
    }

    fn request(&self, kind: u16, flags: i32) -> Request {
        let [i0, i1, i2, i3] = self.index.get().to_ne_bytes();
        let family = self.prefix.family().number();
        // The flags of the header are 8 bits only; IFA_FLAGS says them all.
        let header = [family, self.prefix.length(), 0, self.scope.0, i0, i1, i2, i3];
        let own = self.prefix.address();
        let mut request = Request::change(kind, flags, &header);
        request.ip(libc::IFA_LOCAL, own);
        request.ip(libc::IFA_ADDRESS, self.peer.unwrap_or(own));
        request
    }

    /// Reads the payload of `RTM_NEWADDR` and `RTM_DELADDR`.
    pub(super) fn parse(payload: &[u8], event: fn(Address) -> Event) -> Result<Option<Event>, ParseError> {
        let (header, rest) = payload.split_first_chunk::<HEADER_SIZE>().ok_or(ParseError::ShortHeader)?;
        let [family, length, flags, scope, i0, i1, i2, i3] = *header;
        let mut raw = RawAddress::new(Family::from_number(family)?, flags);
        for attribute in Attributes::new(rest) {
            raw.take(attribute?)?;
        }
        let own = raw.local.or(raw.address).ok_or(ParseError::MissingAttribute(libc::IFA_ADDRESS))?;
        Ok(Some(event(Address {
            index: IfIndex::new(u32::from_ne_bytes([i0, i1, i2, i3])).ok_or(ParseError::NoIndex)?,
            prefix: Prefix::new(own, length).ok_or(ParseError::BadPrefixLength(length))?,
            peer: raw.address.filter(|address| *address != own),
            flags: raw.flags,
            scope: Scope(scope),
            label: raw.label,
            broadcast: raw.broadcast,
            protocol: raw.protocol,
            lifetimes: raw.lifetimes,
        })))
    }
}

/// The attributes of an address while they are read.
struct RawAddress {
    family: Family,
    address: Option<IpAddr>,
    local: Option<IpAddr>,
    flags: AddressFlags,
    label: Option<Label>,
    broadcast: Option<Ipv4Addr>,
    protocol: Protocol,
    lifetimes: Lifetimes,
}

impl RawAddress {
    fn new(family: Family, flags: u8) -> RawAddress {
        RawAddress {
            family,
            address: None,
            local: None,
            flags: AddressFlags(flags.into()),
            label: None,
            broadcast: None,
            protocol: Protocol::UNSPECIFIED,
            lifetimes: Lifetimes::FOREVER,
        }
    }

    fn take(&mut self, attribute: Attribute<'_>) -> Result<(), ParseError> {
        match attribute.kind {
            libc::IFA_ADDRESS => self.address = Some(attribute.ip(self.family)?),
            libc::IFA_LOCAL => self.local = Some(attribute.ip(self.family)?),
            libc::IFA_BROADCAST => self.broadcast = Some(attribute.chunk::<4>()?.into()),
            libc::IFA_FLAGS => self.flags = AddressFlags(attribute.u32()?),
            libc::IFA_LABEL => self.label = Label::new(attribute.text()),
            libc::IFA_CACHEINFO => self.lifetimes = Lifetimes::parse(attribute)?,
            IFA_PROTO => self.protocol = Protocol(attribute.u8()?),
            _ => {}
        }
        Ok(())
    }
}

/// `struct ifaddrmsg`: family, prefix length, flags, scope, index (4 bytes).
const HEADER_SIZE: usize = 8;

/// `IFA_PROTO`, one byte; libc does not have it.
const IFA_PROTO: u16 = 11;

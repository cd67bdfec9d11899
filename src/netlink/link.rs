//! Links: network devices, and their places in bridges.

use super::{Attribute, Attributes, Event, IfIndex, IfName, Mac, ParseError, Request};

/// The state of a network device, as one `RTM_NEWLINK` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: IfIndex,
    /// Its name, which can change.
    pub name: IfName,
    /// Administrative and other flags.
    pub flags: LinkFlags,
    /// Whether the device has a signal (`IFLA_CARRIER`).
    pub carrier: bool,
    /// RFC 2863's view, which also knows 802.1X and stacked devices.
    pub oper_state: OperState,
    /// The hardware address, if it is 6 bytes long.
    pub mac: Option<Mac>,
    /// The largest packet in bytes.
    pub mtu: u32,
    /// The bridge, bond or VRF it is a part of.
    pub master: Option<IfIndex>,
    /// The device below it, for VLAN and macvlan devices. Not set if that is in another network namespace.
    pub lower: Option<IfIndex>,
    /// What made it.
    pub kind: LinkKind,
    /// Its state as a bridge port, if it is one.
    pub port: Option<PortState>,
}

/// `IFF_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkFlags(pub u32);

impl LinkFlags {
    /// Whether the operator switched it on.
    pub const fn is_up(self) -> bool {
        self.0 & libc::IFF_UP as u32 != 0
    }

    /// Whether it is the loopback device.
    pub const fn is_loopback(self) -> bool {
        self.0 & libc::IFF_LOOPBACK as u32 != 0
    }

    /// Whether it speaks no ARP and no neighbour discovery.
    pub const fn has_no_arp(self) -> bool {
        self.0 & libc::IFF_NOARP as u32 != 0
    }

    const fn has_signal(self) -> bool {
        self.0 & libc::IFF_LOWER_UP as u32 != 0
    }
}

/// What made a device (`IFLA_INFO_KIND`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// A driver: no kind is given.
    Plain,
    /// `bridge`.
    Bridge,
    /// `vlan`.
    Vlan,
    /// `macvlan`.
    Macvlan,
    /// Anything else, such as `veth` or `wireguard`.
    Other,
}

impl LinkKind {
    fn parse(text: &[u8]) -> LinkKind {
        match text {
            b"bridge" => LinkKind::Bridge,
            b"vlan" => LinkKind::Vlan,
            b"macvlan" => LinkKind::Macvlan,
            _ => LinkKind::Other,
        }
    }
}

/// `IF_OPER_*` (RFC 2863 §3.1.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperState {
    /// The driver doesn't say.
    Unknown,
    /// It can't pass packets.
    Down,
    /// The device below it is down.
    LowerLayerDown,
    /// It waits for something, such as 802.1X.
    Dormant,
    /// It passes packets.
    Up,
    /// Another state: not present, or under test.
    Other(u8),
}

impl OperState {
    fn from_number(number: u8) -> OperState {
        match number {
            0 => OperState::Unknown,
            2 => OperState::Down,
            3 => OperState::LowerLayerDown,
            5 => OperState::Dormant,
            6 => OperState::Up,
            _ => OperState::Other(number),
        }
    }
}

/// The state of a bridge port (`BR_STATE_*`, IEEE 802.1D §17.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortState {
    /// No carrier, or switched off.
    Disabled,
    /// Spanning tree: before learning.
    Listening,
    /// Spanning tree: before forwarding.
    Learning,
    /// Frames pass.
    Forwarding,
    /// Spanning tree keeps it closed.
    Blocking,
    /// A state of a newer kernel.
    Other(u8),
}

impl PortState {
    fn from_number(number: u8) -> PortState {
        match number {
            0 => PortState::Disabled,
            1 => PortState::Listening,
            2 => PortState::Learning,
            3 => PortState::Forwarding,
            4 => PortState::Blocking,
            _ => PortState::Other(number),
        }
    }
}

/// What an `AF_BRIDGE` notification says: only the place in the bridge, not the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// The device that is a port.
    pub index: IfIndex,
    /// The bridge.
    pub bridge: Option<IfIndex>,
    /// Its state; `None` if the message was about something else.
    pub state: Option<PortState>,
}

/// Asks for all devices.
pub fn dump() -> Request {
    let mut request = Request::dump(libc::RTM_GETLINK, &[0; HEADER_SIZE]);
    request.u32(libc::IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    request
}

/// Whether a device may send and receive at all (`IFF_UP`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// `ip link set DEVICE up`.
    Up,
    /// `ip link set DEVICE down`: not a frame leaves any more. The device loses its routes, and what IPv6 gave it.
    Down,
}

/// Switches a device.
pub fn set_power(index: IfIndex, power: Power) -> Request {
    let [i0, i1, i2, i3] = index.get().to_ne_bytes();
    let flag = libc::IFF_UP as u32;
    let [f0, f1, f2, f3] = if power == Power::Up { flag } else { 0 }.to_ne_bytes();
    let [m0, m1, m2, m3] = flag.to_ne_bytes();
    let header = [0, 0, 0, 0, i0, i1, i2, i3, f0, f1, f2, f3, m0, m1, m2, m3];
    Request::change(libc::RTM_NEWLINK, 0, &header)
}

/// Makes the other IPv4 addresses of a network stay when its first one is removed (`promote_secondaries`).
///
/// By default the kernel removes them too, whoever added them.
pub fn keep_secondaries(index: IfIndex) -> Request {
    let [i0, i1, i2, i3] = index.get().to_ne_bytes();
    let header = [0, 0, 0, 0, i0, i1, i2, i3, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut request = Request::change(libc::RTM_SETLINK, 0, &header);
    let layers = [libc::IFLA_AF_SPEC, libc::AF_INET as u16, IFLA_INET_CONF].map(|kind| request.nest(kind));
    request.u32(IPV4_DEVCONF_PROMOTE_SECONDARIES, 1);
    for start in layers {
        request.end(start);
    }
    request
}

/// Whether the message is about a place in a bridge rather than about a device.
pub(super) fn is_about_port(payload: &[u8]) -> bool {
    payload.first().copied().map(i32::from) == Some(libc::AF_BRIDGE)
}

/// The device that `RTM_DELLINK` is about.
pub(super) fn parse_index(payload: &[u8]) -> Result<IfIndex, ParseError> {
    header(payload).map(|(index, _, _)| index)
}

impl Port {
    pub(super) fn parse(payload: &[u8], event: fn(Port) -> Event) -> Result<Option<Event>, ParseError> {
        let (index, _, attributes) = header(payload)?;
        let mut port = Port { index, bridge: None, state: None };
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                libc::IFLA_MASTER => port.bridge = IfIndex::new(attribute.u32()?),
                libc::IFLA_PROTINFO => port.state = port_state(attribute.nested())?,
                _ => {}
            }
        }
        Ok(Some(event(port)))
    }
}

impl Link {
    /// `None` for the notifications of wireless drivers: these tell of scans, and carry nothing else.
    pub(super) fn parse(payload: &[u8]) -> Result<Option<Event>, ParseError> {
        let (index, flags, attributes) = header(payload)?;
        let mut raw = RawLink::default();
        for attribute in attributes {
            raw.take(attribute?)?;
        }
        if raw.wireless_event {
            return Ok(None);
        }
        let elsewhere = raw.lower_is_elsewhere;
        Ok(Some(Event::Link(Link {
            index,
            name: raw.name.ok_or(ParseError::MissingAttribute(libc::IFLA_IFNAME))?,
            flags,
            carrier: raw.carrier.unwrap_or(flags.has_signal()),
            oper_state: raw.oper_state,
            mac: raw.mac,
            mtu: raw.mtu,
            master: raw.master,
            // A veth names its peer here, which is beside it and not below.
            lower: raw.lower.filter(|_| !elsewhere && matches!(raw.kind, LinkKind::Vlan | LinkKind::Macvlan)),
            kind: raw.kind,
            port: raw.port,
        })))
    }
}

/// The attributes of a link while they are read.
struct RawLink {
    name: Option<IfName>,
    carrier: Option<bool>,
    oper_state: OperState,
    mac: Option<Mac>,
    mtu: u32,
    master: Option<IfIndex>,
    lower: Option<IfIndex>,
    lower_is_elsewhere: bool,
    kind: LinkKind,
    port: Option<PortState>,
    wireless_event: bool,
}

impl Default for RawLink {
    fn default() -> RawLink {
        RawLink {
            name: None,
            carrier: None,
            oper_state: OperState::Unknown,
            mac: None,
            mtu: 0,
            master: None,
            lower: None,
            lower_is_elsewhere: false,
            kind: LinkKind::Plain,
            port: None,
            wireless_event: false,
        }
    }
}

impl RawLink {
    fn take(&mut self, attribute: Attribute<'_>) -> Result<(), ParseError> {
        match attribute.kind {
            libc::IFLA_IFNAME => {
                self.name = Some(IfName::new(attribute.text()).ok_or(ParseError::BadName(attribute.kind))?);
            }
            libc::IFLA_ADDRESS => self.mac = attribute.value.try_into().ok(),
            libc::IFLA_MTU => self.mtu = attribute.u32()?,
            libc::IFLA_LINK => self.lower = IfIndex::new(attribute.u32()?),
            libc::IFLA_LINK_NETNSID => self.lower_is_elsewhere = true,
            libc::IFLA_MASTER => self.master = IfIndex::new(attribute.u32()?),
            libc::IFLA_OPERSTATE => self.oper_state = OperState::from_number(attribute.u8()?),
            libc::IFLA_CARRIER => self.carrier = Some(attribute.u8()? != 0),
            libc::IFLA_LINKINFO => self.take_info(attribute.nested())?,
            libc::IFLA_WIRELESS => self.wireless_event = true,
            _ => {}
        }
        Ok(())
    }

    /// `IFLA_LINKINFO`: the kind of the device, and for a bridge port its state.
    fn take_info(&mut self, attributes: Attributes<'_>) -> Result<(), ParseError> {
        let mut is_port = false;
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                libc::IFLA_INFO_KIND => self.kind = LinkKind::parse(attribute.text()),
                libc::IFLA_INFO_SLAVE_KIND => is_port = attribute.text() == b"bridge",
                // The kernel sends the kind before the data.
                libc::IFLA_INFO_SLAVE_DATA if is_port => self.port = port_state(attribute.nested())?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// `IFLA_BRPORT_STATE` among the attributes of a bridge port.
fn port_state(attributes: Attributes<'_>) -> Result<Option<PortState>, ParseError> {
    for attribute in attributes {
        let attribute = attribute?;
        if attribute.kind == IFLA_BRPORT_STATE {
            return attribute.u8().map(PortState::from_number).map(Some);
        }
    }
    Ok(None)
}

/// `struct ifinfomsg`: family, padding, type (2 bytes), index (4), flags (4), change (4).
fn header(payload: &[u8]) -> Result<(IfIndex, LinkFlags, Attributes<'_>), ParseError> {
    let (header, rest) = payload.split_first_chunk::<HEADER_SIZE>().ok_or(ParseError::ShortHeader)?;
    let [_, _, _, _, i0, i1, i2, i3, f0, f1, f2, f3, _, _, _, _] = *header;
    let index = IfIndex::new(u32::from_ne_bytes([i0, i1, i2, i3])).ok_or(ParseError::NoIndex)?;
    Ok((index, LinkFlags(u32::from_ne_bytes([f0, f1, f2, f3])), Attributes::new(rest)))
}

const HEADER_SIZE: usize = 16;

/// Leave the packet counters out: they are half of the answer.
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;

/// `IFLA_BRPORT_STATE`.
const IFLA_BRPORT_STATE: u16 = 1;

/// `IFLA_INET_CONF`: the settings below `/proc/sys/net/ipv4/conf`, by number.
const IFLA_INET_CONF: u16 = 1;

/// `IPV4_DEVCONF_PROMOTE_SECONDARIES`.
const IPV4_DEVCONF_PROMOTE_SECONDARIES: u16 = 20;

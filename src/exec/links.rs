//! Links as the engine sees them, made of the kernel's devices.

use std::net::IpAddr;

use crate::config::model::LinkId;
use crate::engine::{LinkCondition, LinkState};
use crate::netlink::{Address, AddressFlags, IfIndex, IfName, Link, LinkKind, Mirror, OperState, PortState};
use crate::wire::ethernet::Mac;

/// The links of the configuration, and what was last told of each.
#[derive(Debug, Default)]
pub struct Links {
    names: Vec<Option<IfName>>,
    told: Vec<Option<News>>,
}

/// A link whose state or device is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Which link.
    pub link: LinkId,
    /// Its state now.
    pub state: LinkState,
    /// Its device now. With another number it is another device: sockets that are bound to the old one hear
    /// nothing any more.
    pub device: Option<Device>,
}

/// A network device that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Its number.
    pub index: IfIndex,
    /// Its name.
    pub name: IfName,
    /// Its hardware address; a tunnel has none.
    pub mac: Option<Mac>,
}

impl Links {
    /// Takes the device names of all links, in the order of their ids; `None` where it is not known yet.
    ///
    /// Everything is news after that: it is to be called with each new configuration, and whenever another
    /// device takes over for a logical interface.
    pub fn set_names(&mut self, names: Vec<Option<IfName>>) {
        self.told.clear();
        self.told.resize_with(names.len(), || None);
        self.names = names;
    }

    /// The names as they were set.
    pub fn names(&self) -> &[Option<IfName>] {
        &self.names
    }

    /// What has changed since the last time.
    pub fn news(&mut self, mirror: &Mirror) -> Vec<News> {
        let mut news = Vec::new();
        for (id, (name, told)) in (0..).map(LinkId).zip(self.names.iter().zip(&mut self.told)) {
            let now = News { link: id, state: state(mirror, *name), device: device(mirror, *name) };
            if told.as_ref() != Some(&now) {
                news.push(now.clone());
                *told = Some(now);
            }
        }
        news
    }

    /// The device of a link, if it is there.
    pub fn device(&self, mirror: &Mirror, id: LinkId) -> Option<Device> {
        device(mirror, self.names.get(id.index()).copied().flatten())
    }
}

fn device(mirror: &Mirror, name: Option<IfName>) -> Option<Device> {
    let link = mirror.link_named(name?)?;
    Some(Device { index: link.index, name: link.name, mac: link.mac.map(Mac) })
}

/// The state of the device of this name. A name that is not known yet is like a device that is not there.
pub fn state(mirror: &Mirror, name: Option<IfName>) -> LinkState {
    match name.and_then(|name| mirror.link_named(name)) {
        None => LinkState { condition: LinkCondition::Missing, addresses: Vec::new() },
        Some(link) => LinkState {
            condition: condition(mirror, link, STACK_MAX),
            addresses: addresses(mirror.addresses_on(link.index)),
        },
    }
}

/// Whether frames can pass a device: it and all below it.
fn condition(mirror: &Mirror, link: &Link, depth: u8) -> LinkCondition {
    if !link.flags.is_up() {
        return LinkCondition::AdminDown;
    }
    let own = match link.kind {
        LinkKind::Bridge => bridge(mirror, link),
        LinkKind::Plain | LinkKind::Vlan | LinkKind::Macvlan | LinkKind::Other => single(link),
    };
    let below = link.lower.filter(|_| depth > 0).and_then(|index| mirror.link(index));
    match below.map(|below| condition(mirror, below, depth.saturating_sub(1))) {
        None | Some(LinkCondition::Up) => own,
        Some(LinkCondition::NotForwarding) => LinkCondition::NotForwarding,
        Some(LinkCondition::Missing | LinkCondition::AdminDown | LinkCondition::NoCarrier) => {
            LinkCondition::NoCarrier
        }
    }
}

/// A device on its own.
fn single(link: &Link) -> LinkCondition {
    match (has_signal(link), link.port) {
        (false, _) => LinkCondition::NoCarrier,
        (true, None | Some(PortState::Forwarding)) => LinkCondition::Up,
        (true, Some(_)) => LinkCondition::NotForwarding,
    }
}

/// A bridge: frames pass if one port forwards.
///
/// Its own carrier says almost the same, but not for a bridge that never had a port, which claims to have carrier.
/// Where it says no while a port says yes the bridge is about to follow.
fn bridge(mirror: &Mirror, link: &Link) -> LinkCondition {
    let ports = || mirror.parts_of(link.index).filter(|port| port.flags.is_up()).map(single);
    if ports().any(|port| port == LinkCondition::Up) {
        return if link.carrier { LinkCondition::Up } else { LinkCondition::NotForwarding };
    }
    if ports().any(|port| port == LinkCondition::NotForwarding) {
        return LinkCondition::NotForwarding;
    }
    LinkCondition::NoCarrier
}

/// Carrier, unless the device says that it has it in vain, as one that waits for 802.1X.
fn has_signal(link: &Link) -> bool {
    let is_usable = match link.oper_state {
        OperState::Dormant | OperState::LowerLayerDown => false,
        OperState::Unknown | OperState::Down | OperState::Up | OperState::Other(_) => true,
    };
    link.carrier && is_usable
}

/// The addresses that can be used, each once, in the kernel's order.
fn addresses(all: &[Address]) -> Vec<IpAddr> {
    let mut usable = Vec::with_capacity(all.len());
    for address in all {
        let ip = address.prefix.address();
        // IPv6: somebody else may have it, or has it.
        let is_doubtful =
            address.flags.contain(AddressFlags::TENTATIVE) || address.flags.contain(AddressFlags::DADFAILED);
        if !is_doubtful && !usable.contains(&ip) {
            usable.push(ip);
        }
    }
    usable
}

/// A VLAN on a bridge, a macvlan on that: nobody stacks devices higher than this.
const STACK_MAX: u8 = 4;

#[cfg(test)]
mod tests;

//! A copy of the kernel's links and addresses, kept true by its events.

use core::ops::Range;

use super::{Address, Event, IfIndex, IfName, Link, Port};

/// The links and addresses that events told of.
///
/// It is true as long as no event is lost: after an overrun, fill a new one from dumps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mirror {
    /// By number.
    links: Vec<Link>,
    /// By device, each device's in the order in which they were told of: of the IPv4 ones the first is the primary.
    addresses: Vec<Address>,
}

impl Mirror {
    /// Takes in what happened. Events about routes and rules are not for this copy.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Link(link) => self.set_link(link),
            Event::LinkGone(index) => {
                self.links.retain(|link| link.index != *index);
                self.addresses.retain(|address| address.index != *index);
            }
            Event::Port(port) => self.set_port(port),
            Event::PortGone(port) => {
                if let Some(link) = self.link_mut(port.index) {
                    (link.master, link.port) = (None, None);
                }
            }
            Event::Address(address) => self.set_address(address),
            Event::AddressGone(gone) => {
                self.addresses.retain(|address| address.index != gone.index || !is_same(address, gone));
            }
            Event::Route(_) | Event::RouteGone(_) | Event::Rule(_) | Event::RuleGone(_) => {}
        }
    }

    fn set_link(&mut self, link: &Link) {
        if let Some(known) = self.link_mut(link.index) {
            *known = *link;
        } else if self.links.len() < LINKS_MAX {
            let at = self.links.partition_point(|other| other.index < link.index);
            self.links.insert(at, *link);
        }
    }

    fn link_mut(&mut self, index: IfIndex) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.index == index)
    }

    fn set_port(&mut self, port: &Port) {
        let Some(link) = self.link_mut(port.index) else { return };
        link.master = port.bridge.or(link.master);
        link.port = port.state.or(link.port);
    }

    fn set_address(&mut self, address: &Address) {
        let device = self.device(address.index);
        let known = self.addresses.get_mut(device.clone()).unwrap_or_default();
        if let Some(known) = known.iter_mut().find(|known| is_same(known, address)) {
            *known = *address;
        } else if device.len() < ADDRESSES_MAX {
            self.addresses.insert(device.end, *address);
        }
    }

    /// Where a device's addresses are.
    fn device(&self, index: IfIndex) -> Range<usize> {
        let begin = self.addresses.partition_point(|address| address.index < index);
        let rest = self.addresses.get(begin..).unwrap_or_default();
        begin..begin.saturating_add(rest.partition_point(|address| address.index == index))
    }

    /// A device by its number.
    pub fn link(&self, index: IfIndex) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    /// A device by its present name.
    pub fn link_named(&self, name: IfName) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// All devices, by number.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.iter()
    }

    /// The devices that are parts of `master`: the ports of a bridge.
    pub fn parts_of(&self, master: IfIndex) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(move |link| link.master == Some(master))
    }

    /// The addresses on a device.
    pub fn addresses_on(&self, index: IfIndex) -> &[Address] {
        self.addresses.get(self.device(index)).unwrap_or_default()
    }

    /// All addresses, by device.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.addresses.iter()
    }
}

/// Whether the kernel regards both as one address: IPv4 can have the same one twice, with other lengths or peers.
fn is_same(one: &Address, other: &Address) -> bool {
    (one.prefix, one.peer) == (other.prefix, other.peer)
}

/// Far above what a router has; a device beyond it is not seen.
const LINKS_MAX: usize = 4096;

/// On one device. Far above what a router has; an address beyond it is not seen.
const ADDRESSES_MAX: usize = 4096;

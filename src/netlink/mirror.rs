//! A copy of the kernel's links and addresses, kept true by its events.

use core::ops::Range;
use core::slice;

use super::{Address, Event, IfIndex, IfName, Link, Port};

/// The links and addresses that events told of.
///
/// It is true as long as no event is lost: after an overrun, fill a new one from dumps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mirror {
    /// By number.
    links: Vec<Link>,
    /// By device; those of one in the order in which they were told of: the first IPv4 address is its primary one.
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
                self.addresses.retain(|address| !is_same(address, gone));
            }
            Event::Route(_) | Event::Rule(_) => {}
        }
    }

    fn set_link(&mut self, link: &Link) {
        if let Some(known) = self.link_mut(link.index) {
            *known = *link;
        } else if self.links.len() < LINKS_MAX {
            self.links.insert(self.place(link.index), *link);
        }
    }

    fn set_port(&mut self, port: &Port) {
        let Some(link) = self.link_mut(port.index) else { return };
        link.master = port.bridge.or(link.master);
        link.port = port.state.or(link.port);
    }

    fn set_address(&mut self, address: &Address) {
        let places = self.places(address.index);
        let of_device = self.addresses.get_mut(places.clone()).unwrap_or_default();
        if let Some(known) = of_device.iter_mut().find(|known| is_same(known, address)) {
            *known = *address;
        } else if places.len() < ADDRESSES_MAX {
            self.addresses.insert(places.end, *address);
        }
    }

    /// Where a device is, or would be.
    fn place(&self, index: IfIndex) -> usize {
        self.links.partition_point(|link| link.index < index)
    }

    fn link_mut(&mut self, index: IfIndex) -> Option<&mut Link> {
        let place = self.place(index);
        self.links.get_mut(place).filter(|link| link.index == index)
    }

    /// Where the addresses of a device are.
    fn places(&self, index: IfIndex) -> Range<usize> {
        let of_others =
            |place: &dyn Fn(IfIndex) -> bool| self.addresses.partition_point(|it| place(it.index));
        of_others(&|other| other < index)..of_others(&|other| other <= index)
    }

    /// A device by its number.
    pub fn link(&self, index: IfIndex) -> Option<&Link> {
        self.links.get(self.place(index)).filter(|link| link.index == index)
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
        self.addresses.get(self.places(index)).unwrap_or_default()
    }

    /// All addresses, by device.
    pub fn addresses(&self) -> slice::Iter<'_, Address> {
        self.addresses.iter()
    }
}

/// Whether the kernel regards both as one address: IPv4 can have the same one twice, with other lengths or peers.
fn is_same(one: &Address, other: &Address) -> bool {
    one.index == other.index && one.prefix == other.prefix && one.peer == other.peer
}

/// Far above what a router has; a device beyond it is not seen.
const LINKS_MAX: usize = 4096;

/// On one device. Far above what a router has; an address beyond it is not seen.
const ADDRESSES_MAX: usize = 4096;

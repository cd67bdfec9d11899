//! The VRRP sockets: one for each device and family, shared by all instances there.
//!
//! A socket for each instance would be handed every VRRP packet of its device, so that 250 instances would
//! mean 250 copies of each. One socket delivers a packet once, and the engine finds the instance by its VRID.

mod message;
mod open;

use std::io;
use std::net::IpAddr;

use nix::errno::Errno;
use socket2::Socket;

use crate::collect::IntoVec as _;
use crate::config::model::{Config, Instance, InstanceId, LinkId, Mode};
use crate::engine::Instant;
use crate::limits;
use crate::netlink::IfName;
use crate::wire::types::Family;
use crate::wire::vrrp::{self, Outgoing};

use super::attempts::Attempts;
use super::bounded::plain;
use super::poller::{Interest, Poller, Source};

pub use message::{Buffer, Received};

/// A network device as the kernel knows it at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Its number; another one after it was made anew.
    pub index: u32,
    /// Its name.
    pub name: IfName,
}

/// All VRRP sockets of the node.
#[derive(Debug, Default)]
pub struct Sockets {
    slots: Vec<Option<Slot>>,
    /// What goes into the adverts of each instance.
    senders: Vec<Sender>,
    attempts: Attempts,
    payload: Vec<u8>,
}

#[derive(Debug)]
struct Slot {
    wanted: Wanted,
    socket: Socket,
}

/// A socket as it should be. Links that are one device have one socket.
#[derive(Debug)]
struct Wanted {
    device: Device,
    family: Family,
    mode: Mode,
    links: Vec<LinkId>,
}

impl Wanted {
    /// Whether one socket can serve both, whatever the links are called now.
    fn is_same_socket(&self, other: &Wanted) -> bool {
        self.device == other.device && self.family == other.family && self.mode == other.mode
    }
}

#[derive(Debug)]
struct Sender {
    instance: String,
    slot: Option<usize>,
    addresses: Vec<IpAddr>,
    source: Option<IpAddr>,
    failure: Option<Errno>,
}

impl Sockets {
    /// Makes the sockets those that `config` asks for on the devices that are there now.
    ///
    /// Sockets that are right already are not touched. Those that can't be opened are logged, and tried
    /// again when [`Sockets::retry_at`] says so.
    pub fn update(
        &mut self,
        config: &Config,
        device: &dyn Fn(LinkId) -> Option<Device>,
        poller: &mut Poller,
        now: Instant,
    ) {
        let mut wanted = wanted(config, device);
        self.close_others(&mut wanted, poller);
        self.attempts.begin();
        for wanted in wanted {
            let device = wanted.device.name;
            if let Err(error) = self.open(wanted, poller) {
                self.attempts.failed(format!("{device}: vrrp socket: {}", plain(&error)), now);
            }
        }
        let mut senders = Vec::new();
        for instance in &config.instances {
            senders.push(self.sender(instance));
        }
        self.senders = senders;
    }

    /// When [`Sockets::update`] should be called again without any other reason.
    pub fn retry_at(&self) -> Option<Instant> {
        self.attempts.again_at()
    }

    /// The links that a slot's packets arrive on.
    pub fn link(&self, slot: u16, position: usize) -> Option<LinkId> {
        self.slots.get(usize::from(slot))?.as_ref()?.wanted.links.get(position).copied()
    }

    /// How many packets come together in a slot while nothing happens: one of each instance.
    pub fn usual(&self, slot: u16) -> usize {
        let of_slot = self.senders.iter().filter(|sender| sender.slot == Some(usize::from(slot)));
        of_slot.count().clamp(1, limits::PACKETS_PER_TURN)
    }

    /// The next packet that is waiting in a slot.
    pub fn receive<'b>(&self, slot: u16, buffer: &'b mut Buffer) -> Received<'b> {
        match self.slots.get(usize::from(slot)) {
            Some(Some(Slot { wanted, socket })) => buffer.receive(socket, wanted.family),
            Some(None) | None => Received::Nothing,
        }
    }

    /// Sends one advert of an instance to everybody who should get it.
    ///
    /// # Errors
    /// If any of them could not be sent to; the others were. EPERM while a firewall reloads and ENETDOWN while a
    /// link is on its way down are normal.
    pub fn advertise(
        &mut self,
        config: &Config,
        id: InstanceId,
        source: IpAddr,
        priority: u8,
    ) -> Result<(), Errno> {
        let (Some(instance), Some(sender)) =
            (config.instances.get(id.index()), self.senders.get_mut(id.index()))
        else {
            return Err(Errno::ENOENT);
        };
        let result = match sender.slot.and_then(|slot| self.slots.get(slot)) {
            Some(Some(slot)) => slot.send(instance, sender, (source, priority), &mut self.payload),
            Some(None) | None => Err(Errno::ENOTCONN),
        };
        sender.source = Some(source);
        sender.failure = result.err();
        result
    }

    /// The address that the last advert of an instance carried.
    pub fn last_source(&self, id: InstanceId) -> Option<IpAddr> {
        self.senders.get(id.index())?.source
    }

    /// Why the last advert of an instance could not be sent; `None` if it was.
    pub fn failure(&self, id: InstanceId) -> Option<Errno> {
        self.senders.get(id.index())?.failure
    }

    /// Closes what is not wanted any more, and takes what is there already out of `wanted`.
    fn close_others(&mut self, wanted: &mut Vec<Wanted>, poller: &mut Poller) {
        for place in &mut self.slots {
            let Some(slot) = place else { continue };
            match wanted.iter().position(|wanted| wanted.is_same_socket(&slot.wanted)) {
                Some(position) => slot.wanted = wanted.swap_remove(position),
                None => {
                    let _ = poller.remove(&slot.socket);
                    *place = None;
                }
            }
        }
    }

    fn open(&mut self, wanted: Wanted, poller: &mut Poller) -> io::Result<()> {
        let free = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        let token = u16::try_from(free).map_err(|_| io::ErrorKind::QuotaExceeded)?;
        let socket = open::socket(&wanted.device, wanted.family, wanted.mode)?;
        poller.add(&socket, Source::Packets(token), Interest::Read)?;
        if free == self.slots.len() {
            self.slots.push(None);
        }
        if let Some(place) = self.slots.get_mut(free) {
            *place = Some(Slot { wanted, socket });
        }
        Ok(())
    }

    fn sender(&self, instance: &Instance) -> Sender {
        let serves = |place: &Option<Slot>| {
            place.as_ref().is_some_and(|slot| {
                slot.wanted.family == instance.family && slot.wanted.links.contains(&instance.link)
            })
        };
        let known = self.senders.iter().find(|known| known.instance == instance.name);
        Sender {
            instance: instance.name.clone(),
            slot: self.slots.iter().position(serves),
            addresses: instance.vips.iter().map(|vip| vip.address).into_vec(),
            source: known.and_then(|known| known.source),
            failure: known.and_then(|known| known.failure),
        }
    }
}

impl Slot {
    fn send(
        &self,
        instance: &Instance,
        sender: &Sender,
        (source, priority): (IpAddr, u8),
        payload: &mut Vec<u8>,
    ) -> Result<(), Errno> {
        let mut send = |destination| {
            payload.clear();
            let advert = Outgoing {
                version: instance.version,
                vrid: instance.vrid,
                priority,
                interval: instance.interval,
                auth: instance.auth,
                addresses: &sender.addresses,
                checksum: instance.checksum,
                source,
                destination,
            };
            advert.emit(payload);
            message::send(&self.socket, self.wanted.device.index, source, destination, payload)
        };
        match (instance.mode, instance.family) {
            (Mode::Multicast, Family::V4) => send(vrrp::GROUP_V4.into()),
            (Mode::Multicast, Family::V6) => send(vrrp::GROUP_V6.into()),
            (Mode::Unicast, _) => {
                let mut result = Ok(());
                for peer in instance.others(source) {
                    // Everybody gets theirs, also when the first of them fails.
                    result = send(peer).and(result);
                }
                result
            }
        }
    }
}

/// The sockets that a configuration needs.
fn wanted(config: &Config, device: &dyn Fn(LinkId) -> Option<Device>) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = Vec::new();
    for instance in &config.instances {
        let Some(device) = device(instance.link) else { continue };
        let same = |wanted: &&mut Wanted| wanted.device == device && wanted.family == instance.family;
        let Some(found) = all.iter_mut().find(same) else {
            let (family, mode, links) = (instance.family, instance.mode, vec![instance.link]);
            all.push(Wanted { device, family, mode, links });
            continue;
        };
        if !found.links.contains(&instance.link) {
            found.links.push(instance.link);
        }
        if instance.mode == Mode::Multicast {
            found.mode = Mode::Multicast;
        }
    }
    all
}

//! Watching for hosts that claim our virtual addresses.
//!
//! On a LAN a host with the gateway's address, set by mistake or malice, takes the clients away unnoticed. Its ARP or its
//! neighbour advertisement gives it away. Filters in the kernel let nothing through but claims of our
//! addresses: otherwise each broadcast of the LAN would wake the daemon.

mod filter;

use core::time::Duration;
use std::io::{self, Read as _};
use std::net::IpAddr;

use socket2::{Domain, Protocol, Socket, Type};

use crate::collect::IntoVec as _;
use crate::config::model::{Config, InstanceId, LinkId};
use crate::disk;
use crate::engine::Instant;
use crate::probe::Via;
use crate::probe::socket::{PacketSocket, Site};
use crate::wire::arp::Arp;
use crate::wire::ethernet::{self, Mac, ethertype};
use crate::wire::icmp6::{NeighborAdvertisement, Received};
use crate::wire::types::Family;

use super::attempts::Attempts;
use super::bounded::plain;
use super::poller::{Interest, Poller, Source};
use super::sockets::Device;

/// The watches, one for each device and family.
#[derive(Debug, Default)]
pub struct Conflicts {
    slots: Vec<Option<Watch>>,
    attempts: Attempts,
    /// The last foreign claim for each instance.
    claims: Vec<(Claim, Instant)>,
}

#[derive(Debug)]
struct Watch {
    wanted: Wanted,
    tap: Tap,
}

/// A watch as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    device: Device,
    family: Family,
    guarded: Vec<Guarded>,
}

/// An address, and whose it is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Guarded {
    address: IpAddr,
    instance: InstanceId,
    link: LinkId,
}

#[derive(Debug)]
enum Tap {
    /// ARP, as frames.
    Arp(PacketSocket),
    /// Neighbour advertisements, as the kernel hands them to this host.
    Neighbors(Socket),
}

/// Somebody says that it has one of our addresses. It may be this node itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Whose address it is here.
    pub instance: InstanceId,
    /// Where.
    pub link: LinkId,
    /// By whom.
    pub mac: Mac,
}

/// What a read found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// A claim.
    Claim(Claim),
    /// Something else.
    Other,
    /// Nothing is waiting.
    Nothing,
}

impl Conflicts {
    /// Makes the watches those that `config` asks for on the devices that are there now. Those that are right
    /// already are not touched.
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
                self.attempts
                    .failed(format!("{device}: watch for address conflicts: {}", plain(&error)), now);
            }
        }
    }

    /// Remembers a claim that is not our own.
    pub fn note(&mut self, claim: Claim, now: Instant) {
        self.claims.retain(|(known, _)| known.instance != claim.instance);
        self.claims.push((claim, now));
    }

    /// Forgets all claims: ids mean something else now.
    pub fn forget(&mut self) {
        self.claims.clear();
    }

    /// Foreign claims of late, and when they came.
    pub fn recent(&self, now: Instant) -> impl Iterator<Item = (Claim, Instant)> {
        self.claims.iter().filter(move |(_, at)| now.since(*at) < RECENT).copied()
    }

    /// When [`Conflicts::update`] should be called again without any other reason.
    pub fn retry_at(&self) -> Option<Instant> {
        self.attempts.again_at()
    }

    /// Reads one message.
    pub fn receive(&self, slot: u16) -> Seen {
        let Some(Some(watch)) = self.slots.get(usize::from(slot)) else { return Seen::Nothing };
        let mut buffer = [0; MESSAGE_BYTES];
        match watch.tap.read(&mut buffer) {
            Ok(length) => watch.understand(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Seen::Other,
            Err(_) => Seen::Nothing,
        }
    }

    fn close_others(&mut self, wanted: &mut Vec<Wanted>, poller: &mut Poller) {
        for place in &mut self.slots {
            let Some(watch) = place else { continue };
            let same = |it: &Wanted| it.device == watch.wanted.device && it.family == watch.wanted.family;
            match wanted.iter().position(same) {
                Some(position) => watch.take(wanted.swap_remove(position)),
                None => {
                    if let Ok(socket) = watch.tap.socket() {
                        let _ = poller.remove(socket);
                    }
                    *place = None;
                }
            }
        }
    }

    fn open(&mut self, wanted: Wanted, poller: &mut Poller) -> io::Result<()> {
        let free = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        let token = u16::try_from(free).map_err(|_| io::ErrorKind::QuotaExceeded)?;
        let tap = Tap::open(&wanted)?;
        poller.add(tap.socket()?, Source::Conflicts(token), Interest::Read)?;
        if free == self.slots.len() {
            self.slots.push(None);
        }
        if let Some(place) = self.slots.get_mut(free) {
            *place = Some(Watch { wanted, tap });
        }
        Ok(())
    }
}

impl Watch {
    /// Guards other addresses from now on.
    fn take(&mut self, wanted: Wanted) {
        if self.wanted != wanted {
            let result = self
                .tap
                .socket()
                .and_then(|socket| socket.attach_filter(&filter::claims(&wanted.keys(), wanted.family)));
            if let Err(error) = result {
                log::warn!("{}: watch for address conflicts: {}", wanted.device.name, plain(&error));
            }
            self.wanted = wanted;
        }
    }

    fn understand(&self, message: &[u8]) -> Seen {
        let claimed = match self.tap {
            Tap::Arp(_) => claimed_v4(message),
            Tap::Neighbors(_) => claimed_v6(message),
        };
        let Some((address, mac)) = claimed else { return Seen::Other };
        match self.wanted.guarded.iter().find(|guarded| guarded.address == address) {
            Some(&Guarded { instance, link, .. }) => Seen::Claim(Claim { instance, link, mac }),
            None => Seen::Other,
        }
    }
}

impl Tap {
    fn open(wanted: &Wanted) -> io::Result<Tap> {
        let site = Site::find(&Via::Device(wanted.device.name.to_string()))
            .map_err(|failure| disk::failure(failure.to_string()))?;
        let filter = filter::claims(&wanted.keys(), wanted.family);
        match wanted.family {
            Family::V4 => site.open_packet(ethertype::ARP, &filter).map(Tap::Arp),
            // Not a packet socket: its filter would have to look at each IPv6 packet that the router forwards.
            Family::V6 => {
                let socket = site.open(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
                socket.attach_filter(&filter)?;
                Ok(Tap::Neighbors(socket))
            }
        }
    }

    fn socket(&self) -> io::Result<&Socket> {
        match self {
            Tap::Arp(socket) => socket.get(),
            Tap::Neighbors(socket) => Ok(socket),
        }
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut socket = self.socket()?;
        socket.read(buffer)
    }
}

impl Wanted {
    /// What the filter compares: the last 32 bits of each address.
    fn keys(&self) -> Vec<u32> {
        self.guarded.iter().map(|guarded| filter::key(guarded.address)).into_vec()
    }
}

fn wanted(config: &Config, device: &dyn Fn(LinkId) -> Option<Device>) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = Vec::new();
    for (id, instance) in (0..).map(InstanceId).zip(&config.instances) {
        let Some(device) = device(instance.link) else { continue };
        let (family, link) = (instance.family, instance.link);
        let same = |it: &Wanted| it.device == device && it.family == family;
        let at = all.iter().position(same).unwrap_or(all.len());
        if at == all.len() {
            all.push(Wanted { device, family, guarded: Vec::new() });
        }
        let Some(watch) = all.get_mut(at) else { continue };
        for vip in &instance.vips {
            watch.guarded.push(Guarded { address: vip.address, instance: id, link });
        }
    }
    all
}

/// The sender of an ARP packet, request or reply: whoever hears it takes it for the address's owner.
fn claimed_v4(frame: &[u8]) -> Option<(IpAddr, Mac)> {
    let (_, packet) = ethernet::Header::parse(frame)?;
    let arp = Arp::parse(packet)?;
    Some((arp.sender.into(), arp.sender_mac))
}

/// The target of a neighbour advertisement.
fn claimed_v6(message: &[u8]) -> Option<(IpAddr, Mac)> {
    let advertisement = NeighborAdvertisement::parse(message, Received::Socket)?;
    Some((advertisement.target.into(), advertisement.link_address?))
}

/// An ARP frame with its padding; an advertisement with a few options.
const MESSAGE_BYTES: usize = 256;

/// How long a claim is shown.
const RECENT: Duration = Duration::from_secs(60);

//! `arp`: whether a station on the link answers for an address. ARP for IPv4, neighbour discovery
//! for IPv6.
//!
//! The kernel's own neighbour table is left alone: it answers from memory, and would not ask again
//! while traffic flows.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollFlags};
use socket2::{Domain, Protocol, Socket, Type};

use crate::wire::arp::{Arp, Operation};
use crate::wire::ethernet::{self, Mac, ethertype};
use crate::wire::icmp6::{
    self, Flags, NeighborAdvertisement, NeighborSolicitation, Received, solicited_node,
};

use super::Failure;
use super::filter;
use super::round::{Answers, numbers};
use super::socket::{PacketSocket, READS_MAX, Site, receive, watch};

#[derive(Debug)]
pub(super) struct Neighbor {
    targets: Vec<IpAddr>,
    arp: Option<PacketSocket>,
    discovery: Option<Socket>,
}

impl Neighbor {
    pub(super) fn new(targets: Vec<IpAddr>) -> Neighbor {
        Neighbor { targets, arp: None, discovery: None }
    }

    pub(super) fn ask(&mut self, site: &Site, epoll: &Epoll, answers: &mut Answers<'_>) {
        for target in numbers(self.targets.len()) {
            let asked = match self.targets.get(usize::from(target)) {
                Some(IpAddr::V4(address)) => self.ask_v4(*address, site, epoll),
                Some(IpAddr::V6(address)) => self.ask_v6(*address, site, epoll),
                None => continue,
            };
            match asked {
                Ok(Asked::Yes) => {}
                Ok(Asked::NotEthernet) => answers.failed(target, Failure::NotEthernet),
                Err(error) => answers.failed(target, Failure::of(&error)),
            }
        }
    }

    pub(super) fn ready(&mut self, token: u64, answers: &mut Answers<'_>) {
        let (socket, parse): (_, Parse) = match token {
            ARP => (self.arp.as_ref().and_then(|socket| socket.get().ok()), answer_v4),
            DISCOVERY => (self.discovery.as_ref(), answer_v6),
            _ => return,
        };
        let mut buffer = [0; BUFFER_LEN];
        for _ in 0..READS_MAX {
            // Reading an error, such as "the device went down", takes it off the socket.
            let Some(Ok((length, _))) = socket.map(|socket| receive(socket, &mut buffer)) else {
                return;
            };
            let about = parse(buffer.get(..length).unwrap_or_default());
            for (target, address) in (0u16..).zip(&self.targets) {
                if Some(*address) == about {
                    answers.answered(target);
                }
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.arp = None;
        self.discovery = None;
    }

    /// Broadcast, so that a neighbour which has moved to other hardware is found there.
    fn ask_v4(&mut self, target: Ipv4Addr, site: &Site, epoll: &Epoll) -> io::Result<Asked> {
        let socket = self.arp_socket(site, epoll)?;
        let Some(mac) = site.hardware_address(socket)? else {
            return Ok(Asked::NotEthernet);
        };
        // Without an address we still may ask: as a probe, from which nobody learns anything.
        let sender = site.source_towards(target).unwrap_or(Ipv4Addr::UNSPECIFIED);
        let mut frame = Vec::with_capacity(BUFFER_LEN);
        Arp::request(mac, sender, target).emit_frame(Mac::BROADCAST, &mut frame);
        socket.send(&frame)?;
        Ok(Asked::Yes)
    }

    fn ask_v6(&mut self, target: Ipv6Addr, site: &Site, epoll: &Epoll) -> io::Result<Asked> {
        let socket = self.discovery_socket(site, epoll)?;
        let link_address @ Some(_) = site.hardware_address(socket)? else {
            return Ok(Asked::NotEthernet);
        };
        let group = solicited_node(target);
        let mut message = Vec::with_capacity(BUFFER_LEN);
        let solicitation = NeighborSolicitation { target, link_address };
        // The kernel computes the checksum again, with the source that it chooses.
        solicitation.emit(Ipv6Addr::UNSPECIFIED, group, &mut message);
        socket.send_to(&message, &site.address(group.into()))?;
        Ok(Asked::Yes)
    }

    fn arp_socket(&mut self, site: &Site, epoll: &Epoll) -> io::Result<&Socket> {
        if self.arp.is_none() {
            let socket = site.open_packet(ethertype::ARP, &filter::arp_reply())?;
            watch(epoll, socket.get()?, EpollFlags::EPOLLIN, ARP)?;
            self.arp = Some(socket);
        }
        self.arp.as_ref().ok_or(Errno::ENOTSOCK)?.get()
    }

    fn discovery_socket(&mut self, site: &Site, epoll: &Epoll) -> io::Result<&Socket> {
        if self.discovery.is_none() {
            let socket = site.open(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
            socket.attach_filter(&filter::neighbor_advertisement())?;
            socket.set_multicast_hops_v6(icmp6::HOP_LIMIT.into())?;
            watch(epoll, &socket, EpollFlags::EPOLLIN, DISCOVERY)?;
            self.discovery = Some(socket);
        }
        self.discovery.as_ref().ok_or_else(|| Errno::ENOTSOCK.into())
    }
}

/// Whether the question could be put.
enum Asked {
    Yes,
    NotEthernet,
}

/// The address that a packet answers for.
type Parse = fn(&[u8]) -> Option<IpAddr>;

/// The address that an ARP reply is about.
fn answer_v4(frame: &[u8]) -> Option<IpAddr> {
    let (_, packet) = ethernet::Header::parse(frame)?;
    let arp = Arp::parse(packet)?;
    (arp.operation == Operation::Reply).then_some(arp.sender.into())
}

/// The address that an advertisement answers for. What is announced unasked is no answer.
fn answer_v6(message: &[u8]) -> Option<IpAddr> {
    let advertisement = NeighborAdvertisement::parse(message, Received::Socket)?;
    advertisement.flags.contains(Flags::SOLICITED).then_some(advertisement.target.into())
}

const ARP: u64 = 4;
const DISCOVERY: u64 = 6;
/// An ARP frame with its padding, or an advertisement with a few options.
const BUFFER_LEN: usize = 256;

//! Announcements: telling a segment where the virtual addresses are now.

use core::fmt;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, SockaddrLike, sendto, socket};

use crate::disk;
use crate::netlink::{IfIndex, IfName, words};
use crate::wire::arp::Arp;
use crate::wire::ethernet::Mac;
use crate::wire::icmp6::{NeighborAdvertisement, Node};

use super::links::Device;

/// Sends announcements on any device, through one packet socket that receives nothing.
///
/// The frames are built here and not by the kernel, because they have to go out in the instant in which the address is
/// added, on devices that may not have been ready a moment ago.
#[derive(Debug)]
pub struct Announcer {
    socket: OwnedFd,
    frame: Vec<u8>,
}

/// An announcement that was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsent {
    /// Which address.
    pub address: IpAddr,
    /// Why. `ENETDOWN` and `ENXIO` are normal on a device that is on its way down, `ENOBUFS` on a full queue.
    pub errno: Errno,
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "announcement of {}: {}", self.address, words(self.errno))
    }
}

impl Announcer {
    /// Opens the socket.
    ///
    /// # Errors
    ///
    /// The error of the system call; without `CAP_NET_RAW` it is `EPERM`.
    pub fn open() -> Result<Announcer, Errno> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        // No protocol: the socket gets no copy of any packet.
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, None)?;
        Ok(Announcer { socket, frame: Vec::new() })
    }

    /// Sends one round: a gratuitous ARP request or an unsolicited neighbour advertisement for each address.
    ///
    /// Returns those that could not be sent; the others were. A device without a hardware address has
    /// nobody who could want to know.
    pub fn announce(&mut self, device: &Device, addresses: &[IpAddr]) -> Vec<Unsent> {
        let Some(mac) = device.mac else { return Vec::new() };
        let mut node = None;
        let mut unsent = Vec::new();
        for address in addresses.iter().copied() {
            self.frame.clear();
            match address {
                IpAddr::V4(address) => {
                    Arp::gratuitous(mac, address).emit_frame(Mac::BROADCAST, &mut self.frame)
                }
                IpAddr::V6(address) => {
                    let node = *node.get_or_insert_with(|| node_on(device.name));
                    NeighborAdvertisement::unsolicited(address, mac, node).emit_frame(mac, &mut self.frame);
                }
            }
            if let Err(errno) = self.send(device.index) {
                unsent.push(Unsent { address, errno });
            }
        }
        unsent
    }

    fn send(&self, device: IfIndex) -> Result<(), Errno> {
        let to = link_address(device).ok_or(Errno::EINVAL)?;
        loop {
            match sendto(self.socket.as_raw_fd(), &self.frame, &to, MsgFlags::empty()) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// Whether the kernel forwards what comes in by this device: the R flag must say the same in all advertisements of an
/// address, or hosts drop their default route (RFC 4861 §7.2.5).
fn node_on(device: IfName) -> Node {
    let path = format!("/proc/sys/net/ipv6/conf/{device}/forwarding");
    match disk::load(Path::new(&path), disk::SMALL) {
        Ok(value) if value.starts_with(b"0") => Node::Host,
        // Not to be read (no IPv6 in the kernel, no /proc): a gateway is a router.
        Ok(_) | Err(_) => Node::Router,
    }
}

/// Where a whole frame leaves: only the device counts.
#[allow(unsafe_code)]
fn link_address(device: IfIndex) -> Option<LinkAddr> {
    let raw = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).ok()?,
        sll_protocol: 0,
        sll_ifindex: i32::try_from(device.get()).ok()?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = libc::socklen_t::try_from(size_of_val(&raw)).ok();
    // SAFETY: the pointer is valid for `length` bytes, which are a `sockaddr_ll` whose family says so.
    unsafe { LinkAddr::from_raw((&raw const raw).cast(), length) }
}

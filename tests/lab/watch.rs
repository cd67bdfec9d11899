//! Follows the addresses of the gateways as the kernel reports them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

use super::topology::Host;

/// Whether an address came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Added,
    Removed,
}

/// One address that came or went.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    pub at: Instant,
    pub host: Host,
    pub address: IpAddr,
    pub change: Change,
}

/// What has happened so far.
#[derive(Clone)]
pub struct Watch(Arc<Mutex<Vec<Move>>>);

impl Watch {
    /// Starts following all gateways. Addresses they have already are not known.
    pub fn start() -> Watch {
        let watch = Watch(Arc::default());
        for host in Host::GATEWAYS {
            let socket = host.netns().enter(open);
            let moves = Arc::clone(&watch.0);
            thread::spawn(move || {
                let mut buffer = vec![0; 32768];
                while let Ok(length) = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                    let at = Instant::now();
                    let mut moves = moves.lock().expect("no reader panics");
                    for (change, address) in changes(buffer.get(..length).unwrap_or_default()) {
                        moves.push(Move { at, host, address, change });
                    }
                }
            });
        }
        watch
    }

    /// Everything that has changed since `since`, oldest first.
    pub fn since(&self, since: Instant) -> Vec<Move> {
        let moves = self.0.lock().expect("no reader panics");
        moves.iter().filter(|entry| entry.at >= since).copied().collect()
    }

    /// Whether `host` has `address` now.
    pub fn holds(&self, host: Host, address: IpAddr) -> bool {
        self.last(host, address).is_some_and(|entry| entry.change == Change::Added)
    }

    /// When `address` last came to `host`.
    pub fn last_added(&self, host: Host, address: IpAddr) -> Option<Instant> {
        self.last(host, address).filter(|entry| entry.change == Change::Added).map(|entry| entry.at)
    }

    fn last(&self, host: Host, address: IpAddr) -> Option<Move> {
        let moves = self.0.lock().expect("no reader panics");
        moves.iter().rev().find(|entry| entry.host == host && entry.address == address).copied()
    }
}

/// A netlink socket that hears of every IPv4 and IPv6 address of the namespace it is opened in.
fn open() -> OwnedFd {
    const IPV4_ADDRESSES: u32 = 0x10;
    const IPV6_ADDRESSES: u32 = 0x100;
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)
        .expect("a netlink socket can be opened");
    let groups = NetlinkAddr::new(0, IPV4_ADDRESSES | IPV6_ADDRESSES);
    bind(socket.as_raw_fd(), &groups).expect("address events can be subscribed to");
    socket
}

/// The address changes in a datagram of the kernel: messages of a 16-byte header, an 8-byte address header and
/// attributes, each padded to 4 bytes (`rtnetlink(7)`).
fn changes(mut datagram: &[u8]) -> Vec<(Change, IpAddr)> {
    let mut found = Vec::new();
    while let Some(header) = datagram.first_chunk::<16>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let Some(attributes) = datagram.get(24..length) else { break };
        let change = match kind {
            20 => Some(Change::Added),
            21 => Some(Change::Removed),
            _ => None,
        };
        found.extend(change.zip(address(attributes)));
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

/// The interface's own address among the attributes: IFA_LOCAL (2), or IFA_ADDRESS (1) where there is none.
fn address(mut attributes: &[u8]) -> Option<IpAddr> {
    let mut address = None;
    while let Some(header) = attributes.first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]);
        let value = attributes.get(4..length)?;
        match kind {
            2 => return ip(value),
            1 => address = ip(value),
            _ => {}
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    address
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = bytes.try_into().ok().map(|octets: [u8; 4]| IpAddr::V4(Ipv4Addr::from(octets)));
    v4.or_else(|| bytes.try_into().ok().map(|octets: [u8; 16]| IpAddr::V6(Ipv6Addr::from(octets))))
}

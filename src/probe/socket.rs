//! What the sockets of all checks have in common: the device they are bound to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::socket::{SockaddrStorage, recvfrom};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, SockFilter, Socket, Type};

use crate::thread;
use crate::wire::ethernet::Mac;

use super::{Failure, Via};

/// Packets that are read from a socket in one go; more of them make it readable again.
pub(super) const READS_MAX: usize = 64;

/// Where a round goes out.
#[derive(Debug)]
pub(crate) struct Site {
    /// Name and index; `None`: wherever the routing table says.
    device: Option<(String, u32)>,
}

impl Site {
    pub(crate) fn find(via: &Via) -> Result<Site, Failure> {
        let device = match via {
            Via::Anywhere => None,
            Via::Unknown => return Err(Failure::NoDevice),
            Via::Device(name) => {
                let index = if_nametoindex(name.as_str()).map_err(|_| Failure::NoDevice)?;
                Some((name.clone(), index))
            }
        };
        Ok(Site { device })
    }

    /// Index of the device; 0 if there is none.
    pub(super) fn index(&self) -> u32 {
        self.device.as_ref().map_or(0, |(_, index)| *index)
    }

    /// A non-blocking socket bound to the device.
    pub(crate) fn open(&self, domain: Domain, kind: Type, protocol: Option<Protocol>) -> io::Result<Socket> {
        let socket = Socket::new(domain, kind, protocol)?;
        socket.set_nonblocking(true)?;
        if let Some((name, _)) = &self.device {
            socket.bind_device(Some(name.as_bytes()))?;
        }
        Ok(socket)
    }

    /// A packet socket on the device that receives the frames of this type which pass the filter.
    pub(crate) fn open_packet(&self, ethertype: u16, filter: &[SockFilter]) -> io::Result<PacketSocket> {
        let (_, index) = self.device.as_ref().ok_or(Errno::ENODEV)?;
        // Protocol 0: nothing is received before the filter is there and the device chosen.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        socket.set_nonblocking(true)?;
        socket.attach_filter(filter)?;
        socket.bind(&link_address(*index, ethertype))?;
        Ok(PacketSocket(Some(socket)))
    }

    /// The device's Ethernet address, as it is now; `None` if it has none. Any socket will do.
    pub(super) fn hardware_address(&self, socket: &Socket) -> io::Result<Option<Mac>> {
        const ETHERNET: libc::sa_family_t = 1;
        let (name, _) = self.device.as_ref().ok_or(Errno::ENODEV)?;
        let request = interface_request(socket, name, libc::SIOCGIFHWADDR as u32)?;
        // SAFETY: the kernel has filled in this member of the union for this request.
        #[allow(unsafe_code)]
        let address = unsafe { request.ifr_ifru.ifru_hwaddr };
        let [a, b, c, d, e, f, ..] = address.sa_data.map(|byte| byte as u8);
        Ok((address.sa_family == ETHERNET).then_some(Mac([a, b, c, d, e, f])))
    }

    /// A target's socket address: link-local ones are on the device.
    pub(super) fn address(&self, target: IpAddr) -> SockAddr {
        self.scoped(SocketAddr::new(target, 0)).into()
    }

    /// The same address, on the device if it is link-local and says nothing else.
    pub(super) fn scoped(&self, target: SocketAddr) -> SocketAddr {
        match target {
            SocketAddr::V6(v6) if v6.scope_id() == 0 && needs_scope(&v6) => {
                SocketAddrV6::new(*v6.ip(), v6.port(), v6.flowinfo(), self.index()).into()
            }
            SocketAddr::V4(_) | SocketAddr::V6(_) => target,
        }
    }

    /// The device's address that the kernel would take towards `target`; sends nothing.
    ///
    /// Fails if the device has none: the kernel would take another device's then, and a router that
    /// filters by reverse path does not answer that.
    pub(super) fn source_towards(&self, target: Ipv4Addr) -> io::Result<Ipv4Addr> {
        let socket = self.open(Domain::IPV4, Type::DGRAM, None)?;
        if let Some((name, _)) = &self.device {
            interface_request(&socket, name, libc::SIOCGIFADDR as u32)?;
        }
        // The discard port (RFC 863); connecting a datagram socket only looks up the route.
        socket.connect(&SocketAddr::from((target, 9)).into())?;
        let local = socket.local_addr()?.as_socket_ipv4();
        local.map(|address| *address.ip()).ok_or_else(|| Errno::EADDRNOTAVAIL.into())
    }
}

/// A packet socket that does not hold anybody up when it is closed.
#[derive(Debug)]
pub(crate) struct PacketSocket(Option<Socket>);

impl PacketSocket {
    pub(crate) fn get(&self) -> io::Result<&Socket> {
        self.0.as_ref().ok_or_else(|| Errno::ENOTSOCK.into())
    }
}

impl Drop for PacketSocket {
    /// Whoever closes a packet socket waits until no CPU looks at it any more: 15 ms on a quiet
    /// machine, 100 on a busy one, as long as several adverts. So a thread of its own does it.
    fn drop(&mut self) {
        let socket = self.0.take();
        // Without threads to be had it is closed here after all.
        let _ = thread::start(c"closer", thread::SMALL_STACK, Box::new(move || drop(socket)));
    }
}

/// Watches for readability; the event carries `token`.
pub(super) fn watch(epoll: &Epoll, fd: impl AsFd, flags: EpollFlags, token: u64) -> io::Result<()> {
    Ok(epoll.add(fd, EpollEvent::new(flags, token))?)
}

/// One packet: how long it is, and from whom. What does not fit is cut off.
pub(super) fn receive(socket: &Socket, buffer: &mut [u8]) -> Result<(usize, Option<SockaddrStorage>), Errno> {
    recvfrom(socket.as_raw_fd(), buffer)
}

/// A number that nobody else can guess.
pub(super) fn secret() -> u64 {
    // Without it, long before a network is there, something that at least changes.
    getrandom::u64().unwrap_or_else(|_| std::process::id().into())
}

/// Asks the kernel one thing about a device (netdevice(7)).
#[allow(unsafe_code)]
fn interface_request(socket: &Socket, device: &str, what: u32) -> io::Result<libc::ifreq> {
    // SAFETY: all members are numbers and arrays of numbers, for which zero is valid.
    let mut request: libc::ifreq = unsafe { core::mem::zeroed() };
    // The last byte stays zero, as the kernel wants it.
    for (to, from) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(device.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: these requests read and write one ifreq, which lives until the call returns.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), what as _, &mut request) })?;
    Ok(request)
}

fn needs_scope(address: &SocketAddrV6) -> bool {
    address.ip().is_unicast_link_local() || address.ip().is_multicast()
}

#[allow(unsafe_code)]
fn link_address(index: u32, ethertype: u16) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: the storage is as large as every address type and zeroed, which is a valid sockaddr_ll.
    let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    link.sll_family = libc::AF_PACKET as libc::sa_family_t;
    link.sll_protocol = ethertype.to_be();
    link.sll_ifindex = index as i32;
    // SAFETY: the storage holds a sockaddr_ll, and that is its length.
    unsafe { SockAddr::new(storage, size_of::<libc::sockaddr_ll>() as libc::socklen_t) }
}

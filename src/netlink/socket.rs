//! The socket. It is never waited for: the kernel carries out a request before `sendmsg` returns.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockname, recvmsg,
    sendto, setsockopt, socket, sockopt,
};
use nix::{setsockopt_impl, sockopt_impl};

use super::filter::{self, SetContent};
use super::{Error, Event, Exchange, Expect, Messages, Progress, Request};

/// What a socket is told about without asking: a set of multicast groups (`RTMGRP_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Groups(u32);

impl Groups {
    /// Nothing: a socket for requests.
    pub const NONE: Groups = Groups(0);
    /// Network devices and bridge ports.
    pub const LINKS: Groups = Groups(libc::RTMGRP_LINK as u32);
    /// Addresses of both families.
    pub const ADDRESSES: Groups = Groups((libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR) as u32);

    /// Both sets.
    pub const fn with(self, other: Groups) -> Groups {
        Groups(self.0 | other.0)
    }
}

/// What a read of notifications found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// Nothing more is waiting.
    All,
    /// The limit is reached, and more may be waiting.
    More,
}

/// An rtnetlink socket: either for requests or for notifications, so that a flood of the one can't drop the other.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    port: u32,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Socket {
    /// Opens a socket that hears of `groups`.
    ///
    /// # Errors
    ///
    /// The error of the system call that failed. Options that old kernels lack are done without.
    pub fn open(groups: Groups) -> Result<Socket, Errno> {
        Socket::to(SockProtocol::NetlinkRoute, groups)
    }

    /// Opens a socket to the packet filter, for [`Socket::has_table`] and [`Socket::fill`] only.
    ///
    /// # Errors
    ///
    /// As [`Socket::open`].
    pub fn open_filter() -> Result<Socket, Errno> {
        Socket::to(SockProtocol::NetlinkNetFilter, Groups::NONE)
    }

    fn to(protocol: SockProtocol, groups: Groups) -> Result<Socket, Errno> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
        // Each of these is a help only. Errors in the kernel's own words need EXT_ACK (4.12); CAP_ACK (4.3) leaves
        // the request out of errors; GET_STRICT_CHK (4.20) makes the kernel filter dumps.
        let _ = setsockopt(&fd, ExtendedAck, &true);
        let _ = setsockopt(&fd, CappedAck, &true);
        let _ = setsockopt(&fd, StrictCheck, &true);
        // FORCE goes beyond net.core.rmem_max, and needs the rights that this program has as a daemon.
        let _ = setsockopt(&fd, sockopt::RcvBufForce, &RECEIVE_BUFFER_BYTES);
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups.0))?;
        let port = getsockname::<NetlinkAddr>(fd.as_raw_fd())?.pid();
        Ok(Socket { fd, port, sequence: 0, buffer: vec![0; DATAGRAM_BYTES_MAX] })
    }

    /// Makes one change.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the kernel says no. After any other error it is not known whether the change was made.
    pub fn request(&mut self, request: &Request) -> Result<(), Error> {
        self.exchange(request, Expect::Ack, &mut |_| {})
    }

    /// Gives all objects that a dump request asks for to `visit`, as events.
    ///
    /// # Errors
    ///
    /// As [`Socket::request`]. Objects seen before the error are valid, but they are not all.
    pub fn dump(&mut self, request: &Request, visit: &mut dyn FnMut(Event)) -> Result<(), Error> {
        self.exchange(request, Expect::Dump, visit)
    }

    /// Whether the packet filter has a table of the family `inet` by this name.
    ///
    /// # Errors
    ///
    /// As [`Socket::request`].
    pub fn has_table(&mut self, name: &str) -> Result<bool, Error> {
        match self.request(&filter::look_for(name)) {
            Err(Error::Refused(error)) if error.errno == Errno::ENOENT => Ok(false),
            found => found.map(|()| true),
        }
    }

    /// Has a set of the packet filter hold these devices and no others.
    ///
    /// # Errors
    ///
    /// As [`Socket::request`]; `ENOENT` if there is no such set.
    pub fn fill(&mut self, content: &SetContent<'_>) -> Result<(), Error> {
        self.sequence = self.sequence.wrapping_add(1);
        self.send(&content.batch(self.sequence), Expect::Ack, &mut |_| {})
    }

    fn exchange(
        &mut self,
        request: &Request,
        expect: Expect,
        visit: &mut dyn FnMut(Event),
    ) -> Result<(), Error> {
        self.sequence = self.sequence.wrapping_add(1);
        self.send(&request.numbered(self.sequence), expect, visit)
    }

    /// Sends what bears the present sequence number, and reads the answer.
    fn send(&mut self, bytes: &[u8], expect: Expect, visit: &mut dyn FnMut(Event)) -> Result<(), Error> {
        sendto(self.fd.as_raw_fd(), bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty())
            .map_err(Error::Socket)?;
        let mut exchange = Exchange::new(self.sequence, self.port, expect);
        for _ in 0..ANSWER_DATAGRAMS_MAX {
            let datagram = self.receive()?.ok_or(Error::NoAnswer)?;
            if exchange.read(datagram, visit)? == Progress::Complete {
                return Ok(());
            }
        }
        Err(Error::NoAnswer)
    }

    /// Gives the notifications that are waiting to `visit`, at most `datagrams_max` datagrams of them.
    ///
    /// # Errors
    ///
    /// [`Error::Overrun`] when the kernel had to drop some: dump everything again, and read on.
    pub fn notifications(
        &mut self,
        datagrams_max: usize,
        visit: &mut dyn FnMut(Event),
    ) -> Result<Received, Error> {
        for _ in 0..datagrams_max {
            let Some(datagram) = self.receive()? else { return Ok(Received::All) };
            for message in Messages::new(datagram) {
                // An object that can't be read is skipped; a datagram that can't be cut ends here.
                if let Ok(Some(event)) = Event::parse(&message?) {
                    visit(event);
                }
            }
        }
        Ok(Received::More)
    }

    /// One datagram of the kernel, or `None` if there is none.
    fn receive(&mut self) -> Result<Option<&[u8]>, Error> {
        let Socket { fd, buffer, .. } = self;
        let length = loop {
            let mut slices = [IoSliceMut::new(buffer)];
            match recvmsg::<NetlinkAddr>(fd.as_raw_fd(), &mut slices, None, MsgFlags::empty()) {
                Ok(message) if message.flags.contains(MsgFlags::MSG_TRUNC) => return Err(Error::Overrun),
                // Other programs may write to this socket too, if they are privileged; they are not believed.
                Ok(message) if message.address.is_some_and(|sender| sender.pid() != 0) => {}
                Ok(message) => break message.bytes,
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(Errno::ENOBUFS) => return Err(Error::Overrun),
                Err(errno) => return Err(Error::Socket(errno)),
            }
        };
        Ok(Some(buffer.get(..length).unwrap_or_default()))
    }
}

impl AsFd for Socket {
    /// Readable when notifications wait.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

sockopt_impl!(
    /// `NETLINK_EXT_ACK`.
    ExtendedAck, SetOnly, libc::SOL_NETLINK, libc::NETLINK_EXT_ACK, bool
);
sockopt_impl!(
    /// `NETLINK_CAP_ACK`.
    CappedAck, SetOnly, libc::SOL_NETLINK, libc::NETLINK_CAP_ACK, bool
);
sockopt_impl!(
    /// `NETLINK_GET_STRICT_CHK`.
    StrictCheck, SetOnly, libc::SOL_NETLINK, libc::NETLINK_GET_STRICT_CHK, bool
);

/// Kernels send at most 32 KiB in one datagram of a dump, and notifications are smaller.
const DATAGRAM_BYTES_MAX: usize = 32 * 1024;

/// Room for a burst of notifications: some 300, as when an interface with many addresses goes down.
const RECEIVE_BUFFER_BYTES: usize = 512 * 1024;

/// A dump of a full routing table (a million routes) takes about 4,000 datagrams.
const ANSWER_DATAGRAMS_MAX: usize = 16_384;

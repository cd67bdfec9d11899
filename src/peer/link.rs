//! A TCP connection of the channel: a socket and its session.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::daemon::sockets::Device;
use crate::engine::Instant;

use super::frame::HANDSHAKE_BYTES;
use super::message::Hello;
use super::plan::Route;
use super::session::{End, Event, READ_BYTES, Session};
use super::{PORT, PeerId};

/// A connection.
#[derive(Debug)]
pub struct Link {
    socket: Socket,
    /// Whom it is with.
    pub peer: PeerId,
    /// This router's end.
    pub own: IpAddr,
    /// The other end.
    pub remote: IpAddr,
    /// Where it runs.
    pub device: Device,
    /// How it is.
    pub state: State,
    /// Who is there, once it has said so.
    pub hello: Option<Hello>,
}

/// How a connection is.
#[derive(Debug)]
pub enum State {
    /// It is being made, until then at most.
    Connecting(Instant),
    /// It is made.
    Made(Box<Session>),
}

impl Link {
    /// Begins to connect.
    ///
    /// # Errors
    /// Those that are known at once: no route, no such device.
    pub fn connect(route: &Route, peer: PeerId, remote: IpAddr, until: Instant) -> io::Result<Link> {
        let socket = open(route)?;
        socket.bind(&address(route.own, 0, &route.device))?;
        match socket.connect(&address(remote, PORT, &route.device)) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            Ok(()) | Err(_) => {}
        }
        Ok(Link::new(socket, route, peer, remote, State::Connecting(until)))
    }

    /// A connection that was accepted.
    ///
    /// # Errors
    /// Those of the socket's options.
    pub fn accepted(
        socket: Socket,
        route: &Route,
        peer: PeerId,
        remote: IpAddr,
        session: Session,
    ) -> io::Result<Link> {
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        Ok(Link::new(socket, route, peer, remote, State::Made(Box::new(session))))
    }

    fn new(socket: Socket, route: &Route, peer: PeerId, remote: IpAddr, state: State) -> Link {
        Link { socket, peer, own: route.own, remote, device: route.device, state, hello: None }
    }

    /// What came of connecting.
    ///
    /// # Errors
    /// Why it can't be made.
    pub fn outcome(&self) -> io::Result<()> {
        self.socket.take_error()?.map_or(Ok(()), Err)
    }

    /// The session, once the connection is made.
    pub fn session(&mut self) -> Option<&mut Session> {
        match &mut self.state {
            State::Made(session) => Some(session),
            State::Connecting(_) => None,
        }
    }

    /// Reads what is there, within bounds, into the session.
    pub fn read(&mut self, now: Instant, buffer: &mut [u8], events: &mut Vec<Event>) {
        let State::Made(session) = &mut self.state else { return };
        let mut total = 0usize;
        while session.end().is_none() && total < READ_BYTES {
            // A stranger's bytes are looked at a handshake at a time.
            let is_shaking = session.is_shaking();
            let length = if is_shaking { HANDSHAKE_BYTES } else { buffer.len() };
            let Some(part) = buffer.get_mut(..length) else { return };
            match self.socket.read(part) {
                Ok(0) => session.closed(),
                Ok(count) => {
                    session.receive(part.get(..count).unwrap_or_default(), now, events);
                    total = total.saturating_add(count);
                    if is_shaking || count < length {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => session.closed(),
            }
        }
    }

    /// Sends as much as the socket takes.
    pub fn write(&mut self) {
        let State::Made(session) = &mut self.state else { return };
        while !session.output().is_empty() {
            match self.socket.write(session.output()) {
                Ok(0) => return session.closed(),
                Ok(count) => session.sent(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return session.closed(),
            }
        }
    }

    /// Whether something waits for room in the socket.
    pub fn wants_to_write(&self) -> bool {
        match &self.state {
            State::Connecting(_) => true,
            State::Made(session) => !session.output().is_empty(),
        }
    }

    /// Why it is over, if it is.
    pub fn end(&self) -> Option<&End> {
        match &self.state {
            State::Connecting(_) => None,
            State::Made(session) => session.end(),
        }
    }

    /// When it has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Connecting(until) => Some(*until),
            State::Made(session) => session.next_deadline(),
        }
    }

    /// Whether it runs there.
    pub fn is_on(&self, route: &Route) -> bool {
        route.own == self.own && route.device == self.device && route.address(self.peer) == Some(self.remote)
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A socket that listens on a route.
///
/// # Errors
/// Those of the system calls; an address that is not there yet is the usual one.
pub fn listen(route: &Route) -> io::Result<Socket> {
    let socket = open(route)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address(route.own, PORT, &route.device))?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

fn open(route: &Route) -> io::Result<Socket> {
    let domain = if route.own.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind_device(Some(route.device.name.as_bytes()))?;
    // The routers share the segment: nobody behind another router can complete a connection.
    if route.own.is_ipv4() {
        socket.set_ttl_v4(1)?
    } else {
        socket.set_unicast_hops_v6(1)?
    };
    Ok(socket)
}

fn address(address: IpAddr, port: u16, device: &Device) -> SockAddr {
    match address {
        IpAddr::V6(it) if it.is_unicast_link_local() => SocketAddrV6::new(it, port, 0, device.index).into(),
        other => SocketAddr::new(other, port).into(),
    }
}

/// Connections that the kernel may hold until they are looked at.
const BACKLOG: i32 = 8;

//! The host's sockets: it waits for the guest, whoever else may call.
//!
//! Several connections are looked at side by side, so nobody who is silent is in the way, and of too many the oldest
//! that has proven nothing goes. With the code in hand, one at a time gets to say more than `Hello`.

use core::time::Duration;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd as _;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Protocol, Socket, Type};

use crate::daemon::clock;
use crate::engine::Instant;
use crate::peer::handshake::{Ends, Side};

use super::PORT;
use super::code::Code;
use super::facts::Place;
use super::host::Host;
use super::message::Message;
use super::session::{End, Session};

/// Handshakes with another code that are taken for mistakes. After that somebody is guessing.
pub const WRONG_MAX: u32 = 5;

/// Connections that are looked at side by side.
const CALLS_MAX: usize = 8;

const BACKLOG: i32 = 8;

/// Room for the longest message.
const SEND_BYTES: usize = 128 << 10;

/// How the waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Both routers have carried out the same plan.
    Paired,
    /// This router has carried the plan out; of the other one that is not known, but it can come back.
    Half,
    /// The time is over.
    Expired,
    /// Too many tried with other codes.
    Guessed,
}

/// A waiting host.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    own: IpAddr,
    code: Code,
    until: Instant,
    calls: Vec<Call>,
    wrong: u32,
}

#[derive(Debug)]
struct Call {
    socket: Socket,
    remote: IpAddr,
    session: Session,
}

impl Listener {
    /// Listens at a place, for so long.
    ///
    /// # Errors
    /// Those of the system calls; an address in use is that of another waiting host.
    pub fn open(place: &Place, code: Code, patience: Duration) -> io::Result<Listener> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_address(true)?;
        socket.bind_device(Some(place.device.as_bytes()))?;
        // The routers share the network: nobody behind another router can complete a connection.
        socket.set_ttl_v4(1)?;
        let own = place.address.0.into();
        socket.bind(&SocketAddr::new(own, PORT).into())?;
        socket.listen(BACKLOG)?;
        let until = clock::now().after(patience);
        Ok(Listener { socket, own, code, until, calls: Vec::new(), wrong: 0 })
    }

    /// How long the code is good.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// Waits for the guest. What happens meanwhile is told. After [`Ending::Half`] it can be called again.
    ///
    /// # Errors
    /// Only if the system can't wait at all.
    pub fn wait(&mut self, host: &mut Host, tell: &mut dyn FnMut(&str)) -> io::Result<Ending> {
        loop {
            let now = clock::now();
            let is_busy = self.calls.iter().any(|call| call.session.is_proven());
            if self.until <= now && !is_busy {
                return Ok(Ending::Expired);
            }
            self.sleep(now)?;
            let now = clock::now();
            self.accept(now);
            for at in 0..self.calls.len() {
                self.serve(at, host, now);
            }
            if let Some(ending) = self.close(host, tell) {
                return Ok(ending);
            }
        }
    }

    /// Until a socket is ready, or something is due.
    fn sleep(&self, now: Instant) -> io::Result<()> {
        let due = self.calls.iter().filter_map(|call| call.session.deadline()).chain([self.until]).min();
        // A little late, so that what is due then is due.
        let wait = due.map_or(0, |due| due.since(now).as_millis().saturating_add(1));
        let timeout = PollTimeout::try_from(wait.min(LOOK_MS)).unwrap_or(PollTimeout::ZERO);
        let mut fds = vec![PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        fds.extend(self.calls.iter().map(|call| PollFd::new(call.socket.as_fd(), PollFlags::POLLIN)));
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn accept(&mut self, now: Instant) {
        // Whoever floods is not to be the only one who is looked at.
        for _ in 0..CALLS_MAX {
            let Ok((socket, address)) = self.socket.accept() else { return };
            let Some(remote) = address.as_socket().map(|it| it.ip()) else { continue };
            if socket.set_nonblocking(true).and_then(|()| socket.set_send_buffer_size(SEND_BYTES)).is_err() {
                continue;
            }
            if self.calls.len() >= CALLS_MAX {
                let oldest = self.calls.iter().position(|call| !call.session.is_proven());
                let Some(oldest) = oldest else { continue };
                self.calls.remove(oldest);
            }
            let ends = Ends { initiator: remote, responder: self.own };
            let session = Session::new(Side::Responder, &self.code, &ends, now);
            self.calls.push(Call { socket, remote, session });
        }
    }

    fn serve(&mut self, at: usize, host: &mut Host, now: Instant) {
        let is_busy = (0..).zip(&self.calls).any(|(other, call): (usize, &Call)| {
            other != at && call.session.is_proven() && call.session.end().is_none()
        });
        let Some(call) = self.calls.get_mut(at) else { return };
        call.session.timeout(now);
        if let Some(message) = call.read(now) {
            let answer = match message {
                Message::Hello(_) if is_busy => Some(Message::Refuse(BUSY.into())),
                message => host.answer(message),
            };
            if let Some(answer) = answer.filter(|_| call.session.is_own_turn()) {
                // It may have taken a while.
                call.session.say(&answer, clock::now());
            }
        }
        call.write();
    }

    /// Closes what is over, and tells what people want to know of.
    fn close(&mut self, host: &Host, tell: &mut dyn FnMut(&str)) -> Option<Ending> {
        let mut ending = None;
        for at in (0..self.calls.len()).rev() {
            let Some(end) = self.calls.get(at).and_then(|call| call.session.end()).cloned() else { continue };
            let call = self.calls.remove(at);
            let (remote, is_proven) = (call.remote, call.session.is_proven());
            let news = match end {
                End::Finished => Some(Ending::Paired),
                End::Code => {
                    self.wrong = self.wrong.saturating_add(1);
                    tell(&format!("{remote} tried with another code ({} of {WRONG_MAX})", self.wrong));
                    (self.wrong >= WRONG_MAX).then_some(Ending::Guessed)
                }
                // A stranger, and nothing that he could have wanted.
                _ if !is_proven => None,
                End::Refused(why) => {
                    tell(&format!("not paired with {remote}: {why}"));
                    host.committed.then_some(Ending::Half)
                }
                End::Foreign | End::Garbled | End::Closed | End::Silent | End::System => {
                    tell(&format!("{remote}: {end}. Type the line there again"));
                    host.committed.then_some(Ending::Half)
                }
            };
            ending = ending.filter(|it| *it == Ending::Paired).or(news);
        }
        ending
    }
}

impl Call {
    fn read(&mut self, now: Instant) -> Option<Message> {
        let mut buffer = [0; READ_BYTES];
        while self.session.end().is_none() {
            let length = self.session.read_max().min(READ_BYTES);
            match self.socket.read(buffer.get_mut(..length)?) {
                Ok(0) => self.session.closed(),
                Ok(count) => {
                    let said = self.session.receive(buffer.get(..count)?, now);
                    if said.is_some() {
                        return said;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.session.closed(),
            }
        }
        None
    }

    /// What is said fits a socket's buffer; who does not read it is not there.
    fn write(&mut self) {
        let output = self.session.output();
        if output.is_empty() {
            return;
        }
        match self.socket.write(output) {
            Ok(count) => self.session.sent(count),
            Err(_) => self.session.closed(),
        }
        if !self.session.output().is_empty() {
            self.session.closed();
        }
    }
}

const BUSY: &str = "another router is being paired there at this moment: try again in a minute";

/// The most that is read at a time.
const READ_BYTES: usize = 4 << 10;

/// Longest sleep: times beyond what a `poll` can say are slept in parts.
const LOOK_MS: u128 = 10_000;

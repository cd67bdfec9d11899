//! The guest's socket.

use core::time::Duration;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use crate::daemon::clock;
use crate::disk;
use crate::engine::Instant;
use crate::peer::handshake::{Ends, Side};

use super::PORT;
use super::code::Code;
use super::facts::Place;
use super::guest::Guest;
use super::session::{End, Session};

const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// Times that it is tried when a connection breaks: each takes up where the one before was.
const ATTEMPTS: u32 = 3;

const PAUSE: Duration = Duration::from_secs(1);

/// Pairs with the host at this address.
///
/// # Errors
/// A sentence: why not, and what to do about it.
pub fn join(
    guest: &mut Guest,
    host: Ipv4Addr,
    code: &Code,
    tell: &mut dyn FnMut(&str),
) -> Result<(), String> {
    let mut attempt = 1u32;
    loop {
        let end = talk(guest, host, code)?;
        match end {
            End::Finished => return Ok(()),
            End::Closed | End::Silent if attempt < ATTEMPTS => {
                tell(&format!("{host}: {end}; trying again"));
                std::thread::sleep(PAUSE);
                attempt = attempt.saturating_add(1);
            }
            End::Code => {
                return Err(format!(
                    "{host} waits with another code: this one is mistyped, used or expired. `gwha pair` there shows \
                     a new line"
                ));
            }
            End::Refused(why) => return Err(why),
            End::Foreign | End::Garbled | End::Closed | End::Silent | End::System => {
                return Err(format!("{host}: {end}. The same line can be typed again"));
            }
        }
    }
}

fn talk(guest: &mut Guest, host: Ipv4Addr, code: &Code) -> Result<End, String> {
    let hello = guest.hello()?;
    let mut socket = connect(&guest.place, host).map_err(|error| unreachable(host, &error))?;
    let ends = Ends { initiator: guest.place.address.0.into(), responder: host.into() };
    let mut session = Session::new(Side::Initiator, code, &ends, clock::now());
    let mut hello = Some(hello);
    loop {
        if session.is_own_turn() {
            if let Some(hello) = hello.take() {
                session.say(&hello, clock::now());
            }
        }
        if write(&mut socket, &mut session).is_err() {
            session.closed();
        }
        if let Some(end) = session.end() {
            return Ok(end.clone());
        }
        let Some(message) = read(&mut socket, &mut session, clock::now()) else { continue };
        if let Some(answer) = guest.answer(message) {
            session.say(&answer, clock::now());
        }
    }
}

fn connect(place: &Place, host: Ipv4Addr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind_device(Some(place.device.as_bytes()))?;
    socket.set_ttl_v4(1)?;
    socket.bind(&SocketAddr::new(place.address.0.into(), 0).into())?;
    // It limits the time for the connection too.
    socket.set_write_timeout(Some(CONNECT_PATIENCE))?;
    match socket.connect(&SocketAddr::new(host.into(), PORT).into()) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Err(ErrorKind::TimedOut.into()),
        // Stopped and continued (Ctrl-Z).
        Err(error) if error.kind() == ErrorKind::Interrupted => connect(place, host),
        connected => connected.map(|()| socket),
    }
}

fn unreachable(host: Ipv4Addr, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => format!(
            "nobody waits at {host}: the code is used or expired, or the address is another router's. `gwha pair` \
             there shows a new line"
        ),
        _ => format!(
            "{host} does not answer ({}): is it the right address, and does its firewall let TCP port {PORT} in \
             from this network?",
            disk::plain(error)
        ),
    }
}

fn write(socket: &mut Socket, session: &mut Session) -> io::Result<()> {
    let length = session.output().len();
    socket.write_all(session.output())?;
    session.sent(length);
    Ok(())
}

/// One read, which waits no longer than the session does.
fn read(socket: &mut Socket, session: &mut Session, now: Instant) -> Option<super::message::Message> {
    let left = session.deadline()?.since(now);
    if left.is_zero() {
        session.timeout(now);
        return None;
    }
    let mut buffer = [0; READ_BYTES];
    if socket.set_read_timeout(Some(left)).is_err() {
        session.closed();
        return None;
    }
    match socket.read(&mut buffer) {
        Ok(0) => session.closed(),
        Ok(count) => return session.receive(buffer.get(..count)?, clock::now()),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
            ) => {}
        Err(_) => session.closed(),
    }
    None
}

const READ_BYTES: usize = 4 << 10;

//! The daemon's side: a few clients, each with one request at a time, none of which is ever waited for.

use core::time::Duration;
use std::fs;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::socket::{UnixAddr, bind, getsockopt, sockopt};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::getuid;
use socket2::{Domain, Socket, Type};

use crate::daemon::poller::{Interest, Poller, Source};
use crate::engine::Instant;
use crate::ubus::Data;
use crate::{disk, limits};

use super::frame::{self, Frame};
use super::{Answer, Failure};

/// A client, for as long as it is connected: a later one in its slot is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientId {
    slot: u16,
    number: u32,
}

/// A client's request.
#[derive(Debug)]
pub struct Request {
    /// Who waits for the answer.
    pub client: ClientId,
    /// What is called.
    pub method: String,
    /// With what. Not decoded yet.
    pub arguments: Data,
}

/// The listening socket and its clients.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    listener: UnixListener,
    clients: Vec<Option<Client>>,
    accepted: u32,
}

#[derive(Debug)]
struct Client {
    id: ClientId,
    stream: UnixStream,
    state: State,
    /// When it will have been too slow. A client that waits for us has all the time.
    deadline: Option<Instant>,
}

#[derive(Debug)]
enum State {
    /// A request is expected; these bytes of it are here.
    Reading(Vec<u8>),
    /// The request is with the daemon.
    Waiting,
    /// The answer is on its way; so many bytes of it are sent.
    Writing(Vec<u8>, usize),
}

/// Whether a client stays.
enum Fate {
    Stay(Interest),
    Leave,
}

impl Server {
    /// Listens at `path`, in place of whoever did so before: the caller holds the lock of the directory.
    ///
    /// # Errors
    /// If the path can't be bound, or is longer than a socket address can be.
    pub fn open(path: &Path, poller: &mut Poller) -> io::Result<Server> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // The mode of the socket becomes that of its file: it is never open to others, not for a moment.
        fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let address = UnixAddr::new(path).map_err(|_| disk::failure("the path is longer than 107 bytes"))?;
        bind(socket.as_raw_fd(), &address)?;
        socket.listen(limits::CONTROL_CLIENTS as i32)?;
        socket.set_nonblocking(true)?;
        poller.add(&socket, Source::Control, Interest::Read)?;
        let mut clients = Vec::new();
        clients.resize_with(limits::CONTROL_CLIENTS, || None);
        Ok(Server { path: path.to_owned(), listener: socket.into(), clients, accepted: 0 })
    }

    /// Lets the next client in, if there is one and it may.
    pub fn accept(&mut self, now: Instant, poller: &mut Poller) {
        let Ok((stream, _)) = self.listener.accept() else { return };
        if !is_trusted(&stream) || stream.set_nonblocking(true).is_err() {
            return;
        }
        let free = self.clients.iter_mut().enumerate().find(|(_, place)| place.is_none());
        let Some((slot, place)) = free else {
            // It fits into an empty socket buffer. Whoever does not read it sees the connection closed.
            let _ = (&stream).write(&frame::answer(&Err(Failure::Busy)));
            return;
        };
        self.accepted = self.accepted.wrapping_add(1);
        let id = ClientId { slot: slot as u16, number: self.accepted };
        if poller.add(&stream, Source::Client(id.slot), Interest::Read).is_ok() {
            let deadline = Some(now.after(limits::CLIENT_PATIENCE));
            *place = Some(Client { id, stream, state: State::Reading(Vec::new()), deadline });
        }
    }

    /// Goes on with a client that is ready, and returns its request when it is complete.
    pub fn serve(&mut self, slot: u16, now: Instant, poller: &mut Poller) -> Option<Request> {
        let client = self.clients.get_mut(usize::from(slot))?.as_mut()?;
        let (fate, request) = client.go_on(now);
        self.settle(slot, fate, poller);
        request
    }

    /// Sends an answer, if the client is still there.
    pub fn answer(&mut self, id: ClientId, answer: &Answer, now: Instant, poller: &mut Poller) {
        let Some(Some(client)) = self.clients.get_mut(usize::from(id.slot)) else { return };
        if client.id == id {
            client.state = State::Writing(frame::answer(answer), 0);
            client.deadline = Some(now.after(limits::CLIENT_PATIENCE));
            let fate = client.write(now);
            self.settle(id.slot, fate, poller);
        }
    }

    /// Nobody can connect any more. A path without anybody behind it is told apart from a daemon that does not answer.
    pub fn close(&mut self) {
        let _ = fs::remove_file(&self.path);
    }

    /// When [`Server::expire`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.clients.iter().flatten().filter_map(|client| client.deadline).min()
    }

    /// Drops the clients that were too slow.
    pub fn expire(&mut self, now: Instant, poller: &mut Poller) {
        for slot in 0..self.clients.len() {
            let is_late = |client: &Client| client.deadline.is_some_and(|deadline| deadline <= now);
            if self.clients.get(slot).and_then(Option::as_ref).is_some_and(is_late) {
                self.settle(slot as u16, Fate::Leave, poller);
            }
        }
    }

    fn settle(&mut self, slot: u16, fate: Fate, poller: &mut Poller) {
        let Some(place) = self.clients.get_mut(usize::from(slot)) else { return };
        let Some(client) = place else { return };
        let stays = match fate {
            Fate::Stay(interest) => poller.change(&client.stream, Source::Client(slot), interest).is_ok(),
            Fate::Leave => false,
        };
        if !stays {
            let _ = poller.remove(&client.stream);
            *place = None;
        }
    }
}

impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Client {
    fn go_on(&mut self, now: Instant) -> (Fate, Option<Request>) {
        match &mut self.state {
            State::Reading(bytes) => match read(&mut self.stream, bytes) {
                Ok(Progress::Open) => self.take_request(),
                Ok(Progress::Closed) | Err(_) => (Fate::Leave, None),
            },
            // It is watched for nothing, so this is the end of the connection.
            State::Waiting => (Fate::Leave, None),
            State::Writing(..) => (self.write(now), None),
        }
    }

    fn take_request(&mut self) -> (Fate, Option<Request>) {
        let State::Reading(bytes) = &mut self.state else { return (Fate::Leave, None) };
        match frame::split(bytes, limits::REQUEST_BYTES) {
            Frame::Incomplete => (Fate::Stay(Interest::Read), None),
            Frame::Malformed => (Fate::Leave, None),
            Frame::Complete { body, consumed } => {
                // Nobody may send the next request before the answer: one at a time.
                let is_alone = consumed == bytes.len();
                let Some((method, arguments)) = frame::parse_request(&body).filter(|_| is_alone) else {
                    return (Fate::Leave, None);
                };
                self.state = State::Waiting;
                self.deadline = None;
                (Fate::Stay(Interest::Nothing), Some(Request { client: self.id, method, arguments }))
            }
        }
    }

    /// Sends as much as the socket takes now.
    fn write(&mut self, now: Instant) -> Fate {
        let State::Writing(bytes, sent) = &mut self.state else { return Fate::Leave };
        while let Some(rest) = bytes.get(*sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => return Fate::Leave,
                Ok(count) => *sent = sent.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Fate::Stay(Interest::Write),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Fate::Leave,
            }
        }
        self.state = State::Reading(Vec::new());
        self.deadline = Some(now.after(IDLE));
        Fate::Stay(Interest::Read)
    }
}

enum Progress {
    Open,
    Closed,
}

/// Takes what is there, within the limit of a request.
fn read(stream: &mut UnixStream, bytes: &mut Vec<u8>) -> io::Result<Progress> {
    let mut chunk = [0; 1024];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(Progress::Closed),
            Ok(count) => bytes.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Progress::Open),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if bytes.len() > limits::REQUEST_BYTES.saturating_add(4) {
            return Ok(Progress::Closed);
        }
    }
}

/// Root, and the user that runs the daemon (a test).
fn is_trusted(stream: &UnixStream) -> bool {
    getsockopt(stream, sockopt::PeerCredentials)
        .is_ok_and(|peer| peer.uid() == 0 || peer.uid() == getuid().as_raw())
}

/// How long a client may keep its place without asking anything.
const IDLE: Duration = Duration::from_secs(60);

//! `tcp`: whether a connection can be established. It is reset at once, so that neither side keeps
//! anything of it.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollFlags};
use socket2::{Domain, Protocol, Socket, Type};

use crate::collect::IntoVec as _;

use super::Failure;
use super::round::Answers;
use super::socket::{Site, watch};

#[derive(Debug)]
pub(super) struct Connect {
    targets: Vec<SocketAddr>,
    /// Connections under way, each at its target's place.
    sockets: Vec<Option<Socket>>,
}

impl Connect {
    pub(super) fn new(targets: Vec<SocketAddr>) -> Connect {
        let sockets = targets.iter().map(|_| None).into_vec();
        Connect { targets, sockets }
    }

    pub(super) fn ask(&mut self, site: &Site, epoll: &Epoll, answers: &mut Answers<'_>) {
        let places = self.targets.iter().zip(&mut self.sockets);
        for (target, (address, place)) in (0u16..).zip(places) {
            match connect(*address, site, epoll, target) {
                Ok(Begun::UnderWay(socket)) => *place = Some(socket),
                Ok(Begun::Established) => answers.answered(target),
                Err(error) => answers.failed(target, Failure::of(&error)),
            }
        }
    }

    pub(super) fn ready(&mut self, token: u64, answers: &mut Answers<'_>) {
        let Some((target, place)) = u16::try_from(token)
            .ok()
            .and_then(|target| Some((target, self.sockets.get_mut(usize::from(target))?)))
        else {
            return;
        };
        // It closes at the end of this function, whatever came of it.
        let Some(socket) = place.take() else {
            return;
        };
        match socket.take_error() {
            Ok(None) => answers.answered(target),
            Ok(Some(error)) | Err(error) => answers.failed(target, Failure::of(&error)),
        }
    }

    /// Gives up what is under way.
    pub(super) fn end(&mut self) {
        self.sockets.fill_with(|| None);
    }
}

/// How far a connection is.
enum Begun {
    UnderWay(Socket),
    Established,
}

fn connect(address: SocketAddr, site: &Site, epoll: &Epoll, target: u16) -> io::Result<Begun> {
    let address = site.scoped(address);
    let socket = site.open(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Closing resets: no TIME_WAIT piles up here, and no half-closed connection over there.
    socket.set_linger(Some(Duration::ZERO))?;
    match socket.connect(&address.into()) {
        Ok(()) => Ok(Begun::Established),
        Err(error) if error.raw_os_error() == Some(Errno::EINPROGRESS as i32) => {
            watch(epoll, &socket, EpollFlags::EPOLLOUT, target.into())?;
            Ok(Begun::UnderWay(socket))
        }
        Err(error) => Err(error),
    }
}

//! Asking the daemon over ubus: for users who may not use the control socket but have an access list at ubusd, and if
//! the socket's directory is lost.

use core::time::Duration;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::control::client::Error;
use crate::daemon::clock;
use crate::ubus::conn::{Down, Interest};
use crate::ubus::session::{CallError, Event};
use crate::ubus::{Connection, Data, Status};

/// Calls a method of the object `gwha`, and waits for its answer.
///
/// # Errors
/// See [`Error`].
pub fn call(sockets: &[PathBuf], method: &str, arguments: &Data, patience: Duration) -> Result<Data, Error> {
    let deadline = clock::now().after(patience).as_micros();
    let mut connection = Connection::new(sockets);
    let mut events = Vec::new();
    loop {
        let now = clock::now().as_micros();
        connection.drive(now, &mut events);
        if let Some(down) = connection.down() {
            return Err(absent(down));
        }
        for event in events.drain(..) {
            match event {
                Event::Connected => {
                    let begun = connection.session().call("gwha", method, arguments, deadline);
                    begun.map_err(failed)?;
                }
                Event::Reply(_, Ok(tables)) => return Ok(tables.into_iter().next().unwrap_or_default()),
                Event::Reply(_, Err(error)) => return Err(failed(error)),
                Event::Disconnected
                | Event::Registered(_)
                | Event::Refused(..)
                | Event::Gone(_)
                | Event::Subscribers(..)
                | Event::Call(_)
                | Event::Found(..)
                | Event::Heard(..)
                | Event::Notified(..) => {}
            }
        }
        connection.flush();
        wait(&connection, now)?;
    }
}

/// Waits until the connection has something to do.
fn wait(connection: &Connection, now: u64) -> Result<(), Error> {
    let Some(fd) = connection.fd() else { return Ok(()) };
    let flags = match connection.interest() {
        Interest::Read => PollFlags::POLLIN,
        Interest::ReadWrite => PollFlags::POLLIN | PollFlags::POLLOUT,
    };
    let left = connection.next_deadline().map(|deadline| Duration::from_micros(deadline.saturating_sub(now)));
    // Whole milliseconds, and one more: to wake up too early is to wake up twice.
    let left = left.and_then(|left| PollTimeout::try_from(left + Duration::from_millis(1)).ok());
    match poll(&mut [PollFd::new(fd, flags)], left.unwrap_or(PollTimeout::MAX)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(Error::Io(errno.into())),
    }
}

fn absent(down: Down) -> Error {
    match down {
        Down::System(errno) => std::io::Error::from(errno).into(),
        Down::Closed | Down::Violation(_) => Error::Failed(format!("ubus: {down}")),
    }
}

fn failed(error: CallError) -> Error {
    match error {
        CallError::NoObject => Error::NotRunning,
        CallError::Status(Status::PermissionDenied) => Error::NotAllowed,
        CallError::Deadline => Error::NoAnswer,
        CallError::Status(_) | CallError::Disconnected | CallError::Busy | CallError::TooLong => {
            Error::Failed(format!("ubus: {error}"))
        }
    }
}

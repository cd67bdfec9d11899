//! The command line's side: one request, one answer, a limit to the patience.

use core::time::Duration;
use std::fmt;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::sys::socket::{SockFlag, SockType};

use crate::ubus::Data;
use crate::{disk, limits, local};

use super::frame::{self, Frame};

/// Why there is no answer.
#[derive(Debug)]
pub enum Error {
    /// No daemon listens there.
    NotRunning,
    /// The daemon listens, but this user may not talk to it.
    NotAllowed,
    /// It did not answer in time.
    NoAnswer,
    /// It did not do it, and says why.
    Failed(String),
    /// The connection broke, or the answer makes no sense.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotRunning => f.write_str("gwha is not running"),
            Error::NotAllowed => f.write_str("not allowed: only root may talk to gwha"),
            Error::NoAnswer => f.write_str("gwha does not answer"),
            Error::Failed(text) => f.write_str(text),
            Error::Io(error) => write!(f, "control socket: {}", disk::plain(error)),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => Error::NotRunning,
            ErrorKind::PermissionDenied => Error::NotAllowed,
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::NoAnswer,
            _ => Error::Io(error),
        }
    }
}

/// Calls a method of the daemon that listens at `socket`, and waits for its answer.
///
/// # Errors
/// See [`Error`].
pub fn call(socket: &Path, method: &str, arguments: &Data, patience: Duration) -> Result<Data, Error> {
    let request =
        frame::request(method, arguments).ok_or_else(|| Error::Failed("request too long".into()))?;
    let connected = local::connect(socket, SockType::Stream, SockFlag::empty());
    let mut stream = UnixStream::from(connected.map_err(|error| match error.into() {
        Error::Io(error) => Error::Failed(format!("{}: {}", socket.display(), disk::plain(&error))),
        known => known,
    })?);
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    // A daemon that is busy answers before it has read the request, and closes.
    let written = stream.write_all(&request);
    match receive(&mut stream) {
        Ok(body) => match frame::parse_answer(&body) {
            Some(answer) => answer.map_err(Error::Failed),
            None => Err(Error::Io(ErrorKind::InvalidData.into())),
        },
        Err(error) => Err(written.err().unwrap_or(error).into()),
    }
}

fn receive(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        match frame::split(&bytes, limits::ANSWER_BYTES) {
            Frame::Complete { body, .. } => return Ok(body),
            Frame::Malformed => return Err(ErrorKind::InvalidData.into()),
            Frame::Incomplete => {}
        }
        match stream.read(&mut chunk)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(chunk.get(..count).unwrap_or_default()),
        }
    }
}

//! Sockets within this machine, by their path.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr};

/// Connects to whoever has the socket at this path.
///
/// # Errors
/// Those of the system calls; a path of more than 107 bytes.
pub fn connect(path: &Path, kind: SockType, flags: SockFlag) -> io::Result<OwnedFd> {
    let own = socket::socket(AddressFamily::Unix, kind, flags | SockFlag::SOCK_CLOEXEC, None)?;
    socket::connect(own.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(own)
}

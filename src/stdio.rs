//! Standard output and standard error, without the buffers and locks that `std::io` has for programs of many threads.

use std::io;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::libc::{STDERR_FILENO, STDOUT_FILENO};
use nix::unistd::write;

/// Standard output.
pub const OUTPUT: BorrowedFd<'static> = standard(STDOUT_FILENO);
/// Standard error.
pub const ERROR: BorrowedFd<'static> = standard(STDERR_FILENO);

#[allow(unsafe_code)]
const fn standard(number: i32) -> BorrowedFd<'static> {
    // SAFETY: whoever starts a program gives it these two, and nothing closes them.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Writes all of a text.
///
/// # Errors
/// Those of `write`.
pub fn print(to: BorrowedFd<'_>, text: &str) -> io::Result<()> {
    let mut left = text.as_bytes();
    while !left.is_empty() {
        match write(to, left) {
            Ok(written) => left = left.get(written..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn all_of_a_text_arrives_although_it_is_taken_in_pieces() {
        let (here, mut there) = UnixStream::pair().unwrap();
        let text = "0123456789".repeat(100_000);
        let expected = text.clone();
        let reader = std::thread::spawn(move || {
            let mut read = String::new();
            there.read_to_string(&mut read).unwrap();
            read
        });

        print(here.as_fd(), &text).unwrap();
        drop(here);

        assert!(reader.join().unwrap() == expected);
    }

    #[test]
    fn nobody_who_reads_is_an_error() {
        let (here, there) = UnixStream::pair().unwrap();
        drop(there);
        assert_eq!(print(here.as_fd(), "x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}

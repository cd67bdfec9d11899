//! The shared secret of the two routers, and the file that it is in.

use core::fmt;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::disk::{self, OFlag};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// Bytes of a key file that are looked at: a key, and room for blanks.
const FILE_BYTES: usize = 256;

/// A key. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Why there is no key.
#[derive(Debug)]
pub enum Error {
    /// There is no such file: the channel is off.
    Missing,
    /// Group or others can read or write it (permission bits).
    Open(u32),
    /// It belongs to another user (user id).
    Owner(u32),
    /// It is not a plain file.
    NotAFile,
    /// It holds something else than 32 bytes in hexadecimal or base64.
    Malformed,
    /// `keygen`: the file is there already.
    Exists,
    /// It can't be read or written.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Missing => f.write_str("there is no such file; `gwha keygen` makes one"),
            Error::Open(mode) => {
                write!(f, "refused, for others than its owner can use it (mode {mode:03o}); chmod 600 it")
            }
            Error::Owner(user) => write!(f, "refused, for it belongs to another user (id {user})"),
            Error::NotAFile => f.write_str("not a plain file"),
            Error::Malformed => f.write_str("not a key: 32 bytes in hexadecimal or base64 are expected"),
            Error::Exists => f.write_str("there is one already; it is not overwritten"),
            Error::Io(error) => f.write_str(&disk::plain(error)),
        }
    }
}

impl Key {
    /// A key of these bytes.
    pub const fn new(bytes: [u8; KEY_BYTES]) -> Key {
        Key(bytes)
    }

    /// A new random key.
    ///
    /// # Errors
    /// If the kernel has no randomness to give.
    pub fn generate() -> Result<Key, Error> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| {
            Error::Io(io::Error::from_raw_os_error(error.raw_os_error().unwrap_or(libc::EIO)))
        })?;
        Ok(Key(bytes))
    }

    /// Its bytes, for the handshake.
    pub const fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// If it can't be read, is no key, or could be read or written by anybody but its owner, who has to be root or
    /// the user that runs this program.
    pub fn read(path: &Path) -> Result<Key, Error> {
        // Opening a pipe would wait for a writer.
        let file = disk::open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK);
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::Missing,
            _ => Error::Io(error),
        })?;
        let metadata = file.metadata().map_err(Error::Io)?;
        if !metadata.is_file() {
            return Err(Error::NotAFile);
        }
        if metadata.mode() & FOREIGN_BITS != 0 {
            return Err(Error::Open(metadata.mode() & PERMISSION_BITS));
        }
        if ![0, nix::unistd::geteuid().as_raw()].contains(&metadata.uid()) {
            return Err(Error::Owner(metadata.uid()));
        }
        let text = disk::beginning(&file, FILE_BYTES).map_err(Error::Io)?;
        Key::parse(&text).ok_or(Error::Malformed)
    }

    /// Writes a new key file that only its owner can read. Never replaces one.
    ///
    /// # Errors
    /// [`Error::Exists`] if there is something at `path`, whatever it is.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let file = disk::create(path, disk::NEW, 0o600);
        let mut file = file.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists,
            _ => Error::Io(error),
        })?;
        let written = writeln!(file, "{}", self.hexadecimal()).and_then(|()| file.sync_all());
        written.map_err(|error| {
            // Half a key would only be in the way of the next attempt.
            let _ = std::fs::remove_file(path);
            Error::Io(error)
        })
    }

    /// Understands the text of a key file.
    pub fn parse(text: &[u8]) -> Option<Key> {
        let text = text.trim_ascii();
        let bytes = if text.len() == KEY_BYTES.saturating_mul(2) { hexadecimal(text) } else { base64(text) };
        Some(Key(bytes?.try_into().ok()?))
    }

    fn hexadecimal(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |it: &u8| char::from(*it).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::new();
    for pair in text.chunks_exact(2) {
        bytes.push(digit(pair.first()?)? << 4 | digit(pair.last()?)?);
    }
    Some(bytes)
}

/// Standard base64 (RFC 4648 §4), with or without its padding.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"=").unwrap_or(text);
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0u32);
    for &it in text {
        bits = bits << 6 | sextet(it)?;
        count = count.saturating_add(6);
        if count >= 8 {
            count = count.saturating_sub(8);
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    let left_over = bits & (1u32 << count).saturating_sub(1);
    (left_over == 0).then_some(bytes)
}

fn sextet(it: u8) -> Option<u32> {
    let position = ALPHABET.iter().position(|letter| *letter == it)?;
    u32::try_from(position).ok()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const PERMISSION_BITS: u32 = 0o777;

/// What group and others may do.
const FOREIGN_BITS: u32 = 0o077;

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const COUNTING: [u8; KEY_BYTES] = {
        let mut bytes = [0; KEY_BYTES];
        let mut at = 0;
        while at < KEY_BYTES {
            bytes[at] = at as u8 * 8 + 1;
            at += 1;
        }
        bytes
    };
    /// `printf ... | base64` of the same bytes.
    const IN_BASE64: &str = "AQkRGSEpMTlBSVFZYWlxeYGJkZmhqbG5wcnR2eHp8fk=";

    #[test]
    fn key_is_read_as_keygen_writes_it_and_in_base64() {
        let key = Key::new(COUNTING);
        assert_eq!(Key::parse(key.hexadecimal().as_bytes()), Some(key.clone()));
        assert_eq!(
            Key::parse(format!(" {}\r\n", key.hexadecimal().to_uppercase()).as_bytes()),
            Some(key.clone())
        );
        assert_eq!(Key::parse(IN_BASE64.as_bytes()), Some(key.clone()));
        assert_eq!(Key::parse(IN_BASE64.trim_end_matches('=').as_bytes()), Some(key));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let hexadecimal = Key::new(COUNTING).hexadecimal();
        let (short, long) = (&hexadecimal[2..], hexadecimal.clone() + "00");
        let not_hexadecimal = hexadecimal.replace('0', "g");
        for text in [
            "",
            "\n",
            short,
            &long,
            &not_hexadecimal,
            &IN_BASE64[1..],
            "AQkRGSEpMTlBSVFZYWlxeYGJkZmhqbG5wcnR2eHp8fl=",
        ] {
            assert_eq!(Key::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn key_file_is_the_owners_only_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let key = Key::generate().unwrap();

        key.write(&path).unwrap();

        assert_eq!(fs::metadata(&path).unwrap().mode() & PERMISSION_BITS, 0o600);
        assert_eq!(Key::read(&path).unwrap(), key);
        assert!(matches!(Key::generate().unwrap().write(&path), Err(Error::Exists)));
        assert_eq!(Key::read(&path).unwrap(), key);
    }

    #[test]
    fn file_that_others_can_use_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        Key::generate().unwrap().write(&path).unwrap();
        for mode in [0o640, 0o620, 0o604, 0o602, 0o644, 0o601] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(matches!(Key::read(&path), Err(Error::Open(found)) if found == mode), "{mode:o}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        assert!(Key::read(&path).is_ok());
    }

    #[test]
    fn missing_file_pipe_and_junk_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        assert!(matches!(Key::read(&path), Err(Error::Missing)));
        assert!(matches!(Key::read(dir.path()), Err(Error::NotAFile)));
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(Key::read(&path), Err(Error::NotAFile)));
        fs::remove_file(&path).unwrap();
        fs::write(&path, [b'a'; 100_000]).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(Key::read(&path), Err(Error::Malformed)));
    }

    #[test]
    fn error_of_the_system_is_told_in_words_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();

        let error = Key::generate().unwrap().write(&file.join("key")).unwrap_err();

        assert_eq!(error.to_string(), "Not a directory");
    }

    #[test]
    fn two_keys_are_different_and_neither_is_shown() {
        let (one, other) = (Key::generate().unwrap(), Key::generate().unwrap());
        assert_ne!(one, other);
        assert_eq!(format!("{one:?}"), "Key(..)");
    }
}

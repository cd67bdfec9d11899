//! The lease file: reading it, knowing what it said, and writing it for a server that is about to start.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::collect::IntoVec as _;
use crate::disk::{self, OFlag, Use};
use crate::limits;
use crate::sync::lease::file::{self, Clock};
use crate::sync::lease::shadow::{Change, Found, Read, Shadow};
use crate::sync::lease::table::Lease;
use crate::sync::lease::{Client, Life};

use super::super::clock;

/// The file and what it said. The loop and the thread that watches the file share it.
#[derive(Debug)]
pub struct Desk {
    /// The file.
    pub path: PathBuf,
    /// Whether what it says counts.
    pub watch: Watch,
    shadow: Shadow,
    known: Option<FileId>,
}

/// Whether what the file says counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// No server of ours writes it.
    Off,
    /// A server writes it, and it is not known what has been in it before.
    Adopting,
    /// What changes in it is the server's doing.
    On,
}

/// What tells a file from another one of the same name.
pub type FileId = (u64, u64);

/// What was found in the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// The server granted or renewed a lease.
    Granted(IpAddr, Client, Life),
    /// A lease that stood there already: it counts if it is the later one.
    Adopted(IpAddr, Client, Life),
    /// It was released.
    Released(IpAddr),
    /// The server does not know of it any more, and it was not released.
    Dropped(IpAddr),
}

/// The text of a file, and which file it is; `None` if there is none.
///
/// # Errors
/// Those of the system calls; `FileTooLarge` beyond [`limits::LEASE_FILE_BYTES`].
pub fn read(path: &Path) -> io::Result<Option<(String, FileId)>> {
    let file = match disk::open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(disk::failure("not a regular file"));
    }
    let bytes = disk::read(&file, limits::LEASE_FILE_BYTES)?;
    let text =
        String::from_utf8(bytes).unwrap_or_else(|it| String::from_utf8_lossy(it.as_bytes()).into_owned());
    Ok(Some((text, (metadata.dev(), metadata.ino()))))
}

impl Desk {
    /// A file that does not count yet.
    pub fn new(path: PathBuf) -> Desk {
        Desk { path, watch: Watch::Off, shadow: Shadow::default(), known: None }
    }

    /// Another file, or another reading of it.
    pub fn begin(&mut self, watch: Watch) {
        self.watch = watch;
        self.shadow.clear();
        self.known = None;
    }

    /// Whether the file has this lease.
    pub fn has(&self, address: IpAddr, client: &Client) -> bool {
        self.shadow.has(address, client)
    }

    /// Takes in a text that nobody wrote to while it was read. `steady`: it was the same before.
    pub fn look(&mut self, text: &str, id: FileId, steady: Steady, out: &mut Vec<Item>) -> usize {
        let is_same = self.known.is_none_or(|known| known == id);
        let read = match (steady, is_same) {
            (Steady::No, true) => Read::Clean,
            (Steady::No, false) => Read::Glimpse,
            (Steady::Yes, true) => Read::Settled,
            (Steady::Yes, false) => Read::NewFile,
        };
        let clock = Clock { now: clock::now(), wall: clock::wall_micros() };
        let Found { changes, doubts, dropped } = self.shadow.look(text, read, clock, limits::LEASES);
        if steady == Steady::Yes || self.known.is_none() {
            self.known = Some(id);
        }
        for change in changes {
            match change {
                Change::Granted { address, client, end } => {
                    // A lease that has ended already is of no use to anybody.
                    let Some(life) = file::life(end, clock) else { continue };
                    out.push(match self.watch {
                        Watch::Adopting => Item::Adopted(address, client, life),
                        Watch::On | Watch::Off => Item::Granted(address, client, life),
                    });
                }
                Change::Released(address) => out.push(Item::Released(address)),
            }
        }
        out.extend(dropped.into_iter().map(Item::Dropped));
        if self.watch == Watch::Adopting && (steady == Steady::Yes || doubts == 0) && text.ends_with('\n') {
            self.watch = Watch::On;
        }
        doubts
    }

    /// Reads the file while nobody may write it, or somebody does so seldom.
    ///
    /// # Errors
    /// Those of [`read`].
    pub fn look_now(&mut self, out: &mut Vec<Item>) -> io::Result<()> {
        for _ in 0..READS_MAX {
            let Some(first) = read(&self.path)? else { return Ok(()) };
            if read(&self.path)?.is_some_and(|second| second == first) {
                let (text, id) = first;
                self.look(&text, id, Steady::No, out);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Writes a file with these leases, all of it or nothing, and takes it for the state from which the server starts.
    /// Lines that are not leases stay, unless they are about an address whose client is another one now.
    ///
    /// # Errors
    /// Those of the system calls. The file is as it was then.
    pub fn write(&mut self, leases: &[Lease<'_>]) -> io::Result<()> {
        let text = self.text(leases)?;
        let id = replace(&self.path, &text)?;
        self.begin(Watch::On);
        self.look(&text, id, Steady::Yes, &mut Vec::new());
        Ok(())
    }

    /// Whether [`Desk::write`] would succeed. The file stays as it is.
    pub fn rehearse(&self, leases: &[Lease<'_>]) -> io::Result<()> {
        let text = self.text(leases)?;
        let fresh = beside(&self.path)?;
        let written = write_new(&self.path, &fresh, &text);
        fs::remove_file(&fresh)?;
        written.map(|_| ())
    }

    fn text(&self, leases: &[Lease<'_>]) -> io::Result<String> {
        let before = read(&self.path)?;
        let mut old = Shadow::default();
        let clock = Clock { now: clock::now(), wall: clock::wall_micros() };
        if let Some((text, _)) = &before {
            old.look(text, Read::Settled, clock, limits::LEASES);
        }
        let stays = |line: &&String| {
            let about = line.split_ascii_whitespace().nth(1).and_then(|word| word.parse::<IpAddr>().ok());
            let Some(about) = about else { return true };
            leases.iter().any(|lease| lease.address == about && old.has(about, lease.client))
        };
        let others: Vec<String> = old.others().iter().filter(stays).cloned().into_vec();
        Ok(file::write(leases, &others, clock))
    }
}

/// Whether a text was the same some time before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steady {
    /// It was.
    Yes,
    /// That is not known.
    No,
}

/// A server that is about to be stopped, or is stopped, does not write for long.
const READS_MAX: usize = 3;

/// Whether another process has the file open: a server that runs keeps it so.
pub fn is_open_elsewhere(path: &Path) -> bool {
    disk::open(path, OFlag::O_RDONLY).is_ok_and(|file| disk::is_used(&file, Use::Any))
}

/// Puts a new file in the place of one. A server that still runs goes on writing the old one, which nobody reads any more.
fn replace(path: &Path, text: &str) -> io::Result<FileId> {
    let fresh = beside(path)?;
    let written = write_new(path, &fresh, text).and_then(|id| fs::rename(&fresh, path).map(|()| id));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}

/// A name for a new file, which is not there.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let fresh = disk::beside(path, ".gwha");
    // In a directory where everybody may write, somebody may have put a link there.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(fresh),
    }
}

fn write_new(like: &Path, fresh: &Path, text: &str) -> io::Result<FileId> {
    let mut file = disk::create(fresh, disk::NEW, 0o644)?;
    if let Ok(old) = fs::metadata(like) {
        file.set_permissions(Permissions::from_mode(old.mode() & 0o777))?;
        // Not root, or a file system without owners: then it was not another's before either.
        let _ = std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()));
    }
    file.write_all(text.as_bytes())?;
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests;

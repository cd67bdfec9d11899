//! Files that follow the master, without a disk or a socket.
//!
//! In reading order:
//!
//! * [`rules`]: which paths may follow at all.
//! * [`wire`]: what is said on the channel.
//! * [`plan`]: from what the master has and what is here to what is to be done.
//! * [`keep`]: options of UCI files that stay as they are on each router.
//! * [`check`]: what must be true of a content before it is put in place.
//! * [`party`]: one router's part in all of it; it is given a [`Disk`].
//!
//! # How it works
//!
//! The master of one group (that of the channel's instance) is the source. It tells every router the whole list of what it
//! has (path, owner, mode, size, hash), with a new number whenever that changes. Whoever is not master compares the list
//! with its own disk, asks for the contents that it lacks, one file at a time, and replaces each file as a whole. Then
//! it reports up to which number it has come, and what it could not do. Nothing else is remembered of a connection:
//! a new one begins with a list and a report.
//!
//! What the master has is what counts. A content that is replaced or removed here is put aside first, unless it is known to be
//! at another router: what came from there, or what was confirmed by it. [`Settled`] remembers that over a restart.

pub mod check;
pub mod keep;
pub mod party;
pub mod plan;
pub mod rules;
pub mod wire;

use blake2::{Blake2s256, Digest as _};

use crate::sorted::Map;

/// Of a file's content.
pub type Hash = [u8; 32];

/// The hash of a content.
pub fn hash(content: &[u8]) -> Hash {
    Blake2s256::digest(content).into()
}

/// Owner and permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Meta {
    /// The lower nine bits of the mode: nothing that follows gains set-user-id.
    pub mode: u32,
    /// Number of the owner.
    pub uid: u32,
    /// Number of the group.
    pub gid: u32,
}

/// Something at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub path: String,
    /// Whose.
    pub meta: Meta,
    /// What.
    pub kind: Kind,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File {
        /// Of its content.
        hash: Hash,
        /// Its bytes.
        size: u32,
    },
    /// A directory.
    Dir,
    /// Something that is left alone, with all that is below it, and why.
    Held(String),
}

/// What both routers have agreed on for a path, as far as this router knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// What the other router has.
    pub there: Hash,
    /// What this router has: another content if options are kept.
    pub here: Hash,
}

/// The contents that are known to be at another router too, by path.
pub type Settled = Map<String, Agreed>;

/// A disk, as [`party::Party`] needs it. Calls may take their time. Errors are sentences for people.
pub trait Disk {
    /// What is there, by path.
    fn scan(&mut self) -> Vec<Entry>;

    /// A file's content; `None` if there is nothing.
    ///
    /// # Errors
    /// If it can't be read, is too large, or is no file.
    fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>, String>;

    /// Puts a file with this content at the entry's path, whole or not at all, if what is there is still `own`, the content
    /// that was read. `false`: it is not; somebody has edited it since. Nothing is changed then.
    ///
    /// # Errors
    /// If that is not possible. What was there is still there then.
    fn replace(&mut self, entry: &Entry, content: &[u8], own: Option<&[u8]>) -> Result<bool, String>;

    /// Gives what is at the entry's path the entry's owner and mode.
    ///
    /// # Errors
    /// If that is not possible.
    fn adjust(&mut self, entry: &Entry) -> Result<(), String>;

    /// Makes a directory.
    ///
    /// # Errors
    /// If that is not possible.
    fn make_dir(&mut self, entry: &Entry) -> Result<(), String>;

    /// Removes a directory with nothing in it, or a file that is still `own`, as [`Disk::replace`] has it.
    ///
    /// # Errors
    /// If that is not possible.
    fn remove(&mut self, entry: &Entry, own: Option<&[u8]>) -> Result<bool, String>;

    /// Keeps a content that is about to be replaced or removed, beside all that was kept before.
    ///
    /// # Errors
    /// If there is no room. Then nothing is to be replaced.
    fn put_aside(&mut self, path: &str, content: &[u8]) -> Result<(), String>;

    /// What is kept aside: whose it was, and where it is.
    fn asides(&mut self) -> Vec<(String, String)>;

    /// Remembers what is settled over a restart. A failure only makes more be put aside later.
    fn remember(&mut self, settled: &Settled);
}

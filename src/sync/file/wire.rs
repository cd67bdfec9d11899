//! What is said of files, as bytes in network order.
//!
//! ```text
//! hello    version (1)  oldest (1)  source (1)  release  program  roots
//! list     number (4)  part (2)  last (1)  { kind (1)  mode (4)  uid (4)  gid (4)  size (4)  hash (32)  path }
//! ask      hash (32)  offset (4)  path
//! piece    hash (32)  offset (4)  bytes
//! refusal  hash (32)  why
//! report   number (4)  settled (1)  { kind (1)  path  why }
//! ```
//!
//! Texts have their length (2) before them. A later version may append fields to a message that does not end with a
//! list; kinds that are not known are left out.

use crate::limits;
use crate::peer::message::clean;
use crate::sync::bytes::{Bytes, put_text};

use super::rules::is_within;
use super::{Entry, Hash, Kind, Meta};

/// The version that this program speaks.
pub const VERSION: u8 = 1;

/// The oldest one that it understands.
pub const OLDEST: u8 = 1;

/// Kinds of messages, counted from the first of [`crate::peer::message::BULK_FILES`].
pub mod kind {
    /// See [`super::Hello`].
    pub const HELLO: u8 = 0;
    /// See [`super::ListPart`].
    pub const LIST: u8 = 1;
    /// See [`super::Ask`].
    pub const ASK: u8 = 2;
    /// See [`super::Piece`].
    pub const PIECE: u8 = 3;
    /// A content that was asked for can't be had: its hash, and why.
    pub const REFUSAL: u8 = 4;
    /// See [`super::Report`].
    pub const REPORT: u8 = 5;
}

/// Bytes of a content in one message.
pub const PIECE_BYTES: usize = 24 << 10;

/// Bytes of a part of a list, up to one entry more.
const PART_BYTES: usize = 24 << 10;

/// Things told in a report. Beyond that people have to look at the router itself.
const TOLD_MAX: usize = 32;

/// Who speaks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hello {
    /// The newest version that it speaks.
    pub version: u8,
    /// The oldest one.
    pub oldest: u8,
    /// Whether it is the source.
    pub is_source: bool,
    /// Of its system: files do not go from one to another.
    pub release: String,
    /// The version of its program.
    pub program: String,
    /// What it lists, a line each. Of anything else it does not know whether it is there.
    pub roots: String,
}

impl Hello {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.version, self.oldest, self.is_source.into()];
        put_text(&self.release, &mut out);
        put_text(&self.program, &mut out);
        put_text(&self.roots, &mut out);
        out
    }

    /// Of bytes; `None` if it is none.
    pub fn decode(body: &[u8]) -> Option<Hello> {
        let mut bytes = Bytes(body);
        Some(Hello {
            version: bytes.u8()?,
            oldest: bytes.u8()?,
            is_source: bytes.u8()? == 1,
            release: clean(bytes.text()?),
            program: clean(bytes.text()?),
            roots: bytes.text().unwrap_or_default().to_owned(),
        })
    }

    /// Whether it lists a path, or a directory above it.
    pub fn speaks_of(&self, path: &str) -> bool {
        self.roots.lines().any(|root| is_within(path, root))
    }
}

/// What a source has, in parts.
pub fn encode_list(number: u32, entries: &[Entry]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    let mut part = list_part(number, 0);
    for entry in entries {
        if part.len() >= LIST_HEAD.saturating_add(PART_BYTES) {
            parts.push(part);
            part = list_part(number, parts.len());
        }
        put_entry(entry, &mut part);
    }
    if let Some(last) = part.get_mut(LIST_HEAD - 1) {
        *last = 1;
    }
    parts.push(part);
    parts
}

/// A part of a list without entries, which is not the last one.
fn list_part(number: u32, at: usize) -> Vec<u8> {
    let mut out = number.to_be_bytes().to_vec();
    out.extend(u16::try_from(at).unwrap_or(u16::MAX).to_be_bytes());
    out.push(0);
    out
}

/// Number, part, and whether it is the last one.
const LIST_HEAD: usize = 7;

fn put_entry(entry: &Entry, out: &mut Vec<u8>) {
    let (kind, hash, size, why) = match &entry.kind {
        Kind::File { hash, size } => (ENTRY_FILE, *hash, *size, None),
        Kind::Dir => (ENTRY_DIR, [0; 32], 0, None),
        Kind::Held(why) => (ENTRY_HELD, [0; 32], 0, Some(why)),
    };
    out.push(kind);
    for number in [entry.meta.mode, entry.meta.uid, entry.meta.gid, size] {
        out.extend(number.to_be_bytes());
    }
    out.extend(hash);
    put_text(&entry.path, out);
    if let Some(why) = why {
        put_text(why, out);
    }
}

const ENTRY_FILE: u8 = 0;
const ENTRY_DIR: u8 = 1;
const ENTRY_HELD: u8 = 2;

/// A list as far as it has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// Its number.
    pub number: u32,
    /// What the source has, as it is told: in the order of the paths.
    pub entries: Vec<Entry>,
    parts: u16,
    is_whole: bool,
}

impl List {
    /// Takes in a part. `None`: it is not the next one, or nothing that could be one, or too much.
    pub fn add(&mut self, body: &[u8]) -> Option<()> {
        let mut bytes = Bytes(body);
        let (number, part, last) = (bytes.u32()?, bytes.u16()?, bytes.u8()?);
        if part == 0 {
            *self = List { number, ..List::default() };
        }
        if self.is_whole || number != self.number || part != self.parts {
            return None;
        }
        self.parts = part.checked_add(1)?;
        while !bytes.0.is_empty() {
            if self.entries.len() >= limits::FILES {
                return None;
            }
            let entry = read_entry(&mut bytes)?;
            // In their order, so that no path comes twice.
            if self.entries.last().is_some_and(|last| last.path >= entry.path) {
                return None;
            }
            self.entries.push(entry);
        }
        self.is_whole = last == 1;
        Some(())
    }

    /// Whether all parts have come.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }
}

fn read_entry(bytes: &mut Bytes<'_>) -> Option<Entry> {
    let kind = bytes.u8()?;
    let meta = Meta { mode: bytes.u32()? & 0o777, uid: bytes.u32()?, gid: bytes.u32()? };
    let size = bytes.u32()?;
    let hash = bytes.array()?;
    let path = bytes.text()?;
    if path.len() > limits::FILE_PATH_BYTES {
        return None;
    }
    let kind = match kind {
        ENTRY_FILE => Kind::File { hash, size },
        ENTRY_DIR => Kind::Dir,
        ENTRY_HELD => Kind::Held(clean(bytes.text()?)),
        _ => return None,
    };
    Some(Entry { path: path.to_owned(), meta, kind })
}

/// A piece of a content is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Of the content.
    pub hash: Hash,
    /// From where.
    pub offset: u32,
    /// Whose.
    pub path: String,
}

impl Ask {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.hash.to_vec();
        out.extend(self.offset.to_be_bytes());
        put_text(&self.path, &mut out);
        out
    }

    /// Of bytes; `None` if it is none.
    pub fn decode(body: &[u8]) -> Option<Ask> {
        let mut bytes = Bytes(body);
        Some(Ask { hash: bytes.array()?, offset: bytes.u32()?, path: bytes.text()?.to_owned() })
    }
}

/// A piece of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Of the whole content.
    pub hash: Hash,
    /// Where it belongs.
    pub offset: u32,
    /// At most [`PIECE_BYTES`].
    pub bytes: &'a [u8],
}

impl Piece<'_> {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.hash.to_vec();
        out.extend(self.offset.to_be_bytes());
        out.extend(self.bytes);
        out
    }

    /// Of bytes; `None` if it is none.
    pub fn decode(body: &[u8]) -> Option<Piece<'_>> {
        let mut bytes = Bytes(body);
        let (hash, offset) = (bytes.array()?, bytes.u32()?);
        (bytes.0.len() <= PIECE_BYTES).then_some(Piece { hash, offset, bytes: bytes.0 })
    }
}

/// That a content can't be had.
pub fn encode_refusal(hash: &Hash, why: &str) -> Vec<u8> {
    let mut out = hash.to_vec();
    put_text(why, &mut out);
    out
}

/// The hash of what can't be had, and why.
pub fn decode_refusal(body: &[u8]) -> Option<(Hash, String)> {
    let mut bytes = Bytes(body);
    Some((bytes.array()?, clean(bytes.text()?)))
}

/// How far a router has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of the list that it is about; 0 before the first.
    pub number: u32,
    /// Whether there is nothing more to be done.
    pub is_settled: bool,
    /// What could not be done, and what was put aside.
    pub told: Vec<Told>,
}

/// Something to be told of a path. That of all paths is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What is the matter.
    pub what: Matter,
    /// The path.
    pub path: String,
    /// In words.
    pub why: String,
}

/// What is the matter with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matter {
    /// It is not as the source has it, and waits for something.
    Waits,
    /// An edit was put aside.
    Aside,
    /// It could not be brought to what the source has.
    Failed,
}

impl Report {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.number.to_be_bytes().to_vec();
        out.push(self.is_settled.into());
        for (at, told) in self.told.iter().enumerate() {
            if at >= TOLD_MAX - 1 || out.len() > PART_BYTES {
                // The rest is not known to be as the source has it, whatever it is.
                if self.told.iter().skip(at).any(|told| told.what != Matter::Aside) {
                    put_told(Matter::Waits, "", "", &mut out);
                }
                break;
            }
            put_told(told.what, &told.path, &told.why, &mut out);
        }
        out
    }

    /// Of bytes; `None` if it is none.
    pub fn decode(body: &[u8]) -> Option<Report> {
        let mut bytes = Bytes(body);
        let mut report = Report { number: bytes.u32()?, is_settled: bytes.u8()? == 1, told: Vec::new() };
        while !bytes.0.is_empty() && report.told.len() < TOLD_MAX {
            let what = match bytes.u8()? {
                TOLD_FAILED => Matter::Failed,
                TOLD_ASIDE => Matter::Aside,
                _ => Matter::Waits,
            };
            let (path, why) = (bytes.text()?, bytes.text()?);
            report.told.push(Told { what, path: path.to_owned(), why: clean(why) });
        }
        Some(report)
    }
}

fn put_told(what: Matter, path: &str, why: &str, out: &mut Vec<u8>) {
    out.push(match what {
        Matter::Failed => TOLD_FAILED,
        Matter::Aside => TOLD_ASIDE,
        Matter::Waits => TOLD_WAITS,
    });
    put_text(path, out);
    let why: String = why.chars().take(WHY_CHARS).collect();
    put_text(&why, out);
}

const TOLD_FAILED: u8 = 0;
const TOLD_ASIDE: u8 = 1;
const TOLD_WAITS: u8 = 2;

/// A sentence is shorter.
const WHY_CHARS: usize = 200;

#[cfg(test)]
mod tests;

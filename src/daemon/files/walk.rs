//! What is on the disk of all that is listed.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::sync::file::plan::find;
use crate::sync::file::rules::{is_fresh, is_within};
use crate::sync::file::{Entry, Hash, Kind, Meta, hash};
use crate::{disk, limits};

use super::place::{Dir, Place};
use super::store::{LINK, OTHER, Stamp, Store, meta, stamp, words};

/// What is on the disk, by path.
pub fn walk(store: &mut Store) -> Vec<Entry> {
    let roots = store.rules.roots.clone();
    let mut entries = Vec::new();
    let mut known = core::mem::take(&mut store.known);
    for root in &roots {
        let mut look = Look { store: &mut *store, known: &mut known, entries: &mut entries };
        if let Err(error) = look.at_root(root) {
            // Of a directory of which something can't be read nothing is known.
            entries.retain(|entry| !is_within(&entry.path, root));
            add(&mut entries, held(root, &words(&error)));
        }
    }
    store.is_swept = true;
    known.retain(|path, _| find(&entries, path).is_some());
    store.known = known;
    entries
}

struct Look<'a> {
    store: &'a mut Store,
    known: &'a mut crate::sorted::Map<String, (Stamp, Hash)>,
    entries: &'a mut Vec<Entry>,
}

/// A file whose last change is no longer ago may be changed again without that showing in its stamp.
const YOUNG_MS: u64 = 50;

/// The same where stamps have no fractions of a second: jffs2 counts seconds, vfat every other one.
const YOUNG_COARSE_MS: u64 = 2000 + YOUNG_MS;

impl Look<'_> {
    fn at_root(&mut self, root: &str) -> io::Result<()> {
        self.store.watched.push(nearest(disk::split(Path::new(root)).0));
        if !self.store.rules.admit(root) {
            add(self.entries, held(root, NEVER));
            return Ok(());
        }
        let place = match Place::find(&self.store.rules, root) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                add(self.entries, held(root, NEVER));
                return Ok(());
            }
            other => other?,
        };
        if !self.store.is_swept {
            let _ = fs::remove_file(place.fresh());
        }
        self.at(&place, root)
    }

    fn at(&mut self, place: &Place, path: &str) -> io::Result<()> {
        let metadata = match fs::symlink_metadata(place.path()) {
            // It has just gone.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        if self.entries.len() >= limits::FILES {
            return Err(ErrorKind::QuotaExceeded.into());
        }
        let kind = metadata.file_type();
        if kind.is_dir() {
            let meta = meta(&metadata);
            add(self.entries, Entry { path: path.to_owned(), meta, kind: Kind::Dir });
            return self.in_dir(place, path);
        }
        if kind.is_symlink() {
            add(self.entries, held(path, LINK));
        } else if !kind.is_file() {
            add(self.entries, held(path, OTHER));
        } else {
            self.in_file(place, path, &metadata);
        }
        Ok(())
    }

    fn in_dir(&mut self, place: &Place, path: &str) -> io::Result<()> {
        self.store.watched.push(path.into());
        let dir = place.enter()?;
        let names = dir.names()?;
        for name in names {
            let below = format!("{path}/{name}");
            if is_fresh(&name) && !self.store.is_swept {
                let _ = fs::remove_file(dir.path_of(&name));
            }
            if self.store.rules.admit(&below) {
                self.at(&Place::find(&self.store.rules, &below)?, &below)?;
            }
        }
        Ok(())
    }

    fn in_file(&mut self, place: &Place, path: &str, metadata: &Metadata) {
        let stamp = stamp(metadata);
        let known = self.known.get(path).copied();
        let hash = match known.filter(|(known, _)| *known == stamp) {
            Some((_, hash)) => Ok(Some(hash)),
            None => self.read(place, path, stamp),
        };
        let size = u32::try_from(metadata.len()).unwrap_or(u32::MAX);
        let kind = match hash {
            Ok(Some(hash)) => Kind::File { hash, size },
            // It is being written: as it was before, until it is still.
            Ok(None) => match known {
                Some((stamp, hash)) => Kind::File { hash, size: u32::try_from(stamp[4]).unwrap_or(0) },
                None => return,
            },
            Err(error) => Kind::Held(words(&error)),
        };
        add(self.entries, Entry { path: path.to_owned(), meta: meta(metadata), kind });
    }

    /// The hash of a file; `None` if it was written meanwhile.
    fn read(&mut self, place: &Place, path: &str, before: Stamp) -> io::Result<Option<Hash>> {
        let file = place.open()?;
        let content = disk::read(&file, limits::FILE_BYTES)?;
        let metadata = file.metadata()?;
        if stamp(&metadata) != before {
            self.store.is_unsteady = true;
            return Ok(None);
        }
        let hash = hash(&content);
        if is_young(before, super::super::clock::wall_micros() / 1000) {
            self.store.is_unsteady = true;
        } else {
            self.known.insert(path.to_owned(), (before, hash));
        }
        Ok(Some(hash))
    }
}

/// Whether a file may be changed again without that showing.
fn is_young([_, _, changed_s, fraction_ns, _, _]: Stamp, now_ms: u64) -> bool {
    let changed_ms = changed_s.saturating_mul(1000).saturating_add(fraction_ns / 1_000_000);
    let young_ms = if fraction_ns == 0 { YOUNG_COARSE_MS } else { YOUNG_MS };
    i64::try_from(now_ms).unwrap_or(i64::MAX).abs_diff(changed_ms) < young_ms
}

fn held(path: &str, why: &str) -> Entry {
    Entry { path: path.to_owned(), meta: Meta::default(), kind: Kind::Held(why.to_owned()) }
}

/// Puts an entry in its place. A path that is there already is so because a listed directory is in another one.
fn add(entries: &mut Vec<Entry>, entry: Entry) {
    if let Err(at) = entries.binary_search_by(|other| other.path.cmp(&entry.path)) {
        entries.insert(at, entry);
    }
}

const NEVER: &str = "this never follows";

/// The nearest directory that is there.
fn nearest(path: &Path) -> PathBuf {
    let mut path = path;
    while path.as_os_str().len() > 1 && Dir::open(path).is_err() {
        path = disk::split(path).0;
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_young_until_its_next_change_would_show() {
        let stamp = |changed_s, fraction_ns| [0, 0, changed_s, fraction_ns, 1, 1];
        for (stamp, now_ms, is) in [
            (stamp(100, 1_000_000), 100_050, true),
            (stamp(100, 1_000_000), 100_051, false),
            (stamp(100, 999_000_000), 100_000, false),
            (stamp(100, 0), 100_999, true),
            (stamp(100, 0), 102_049, true),
            (stamp(100, 0), 102_050, false),
            // The clock was set back, or by years.
            (stamp(100, 1_000_000), 99_990, true),
            (stamp(i64::MAX, 1), 0, false),
            (stamp(i64::MIN, 1), u64::MAX, false),
        ] {
            assert_eq!(is_young(stamp, now_ms), is, "{stamp:?} at {now_ms}");
        }
    }
}

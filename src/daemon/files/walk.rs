//! What is on the disk of all that is listed.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::limits;
use crate::sync::file::plan::find;
use crate::sync::file::rules::{is_fresh, is_within};
use crate::sync::file::{Entry, Hash, Kind, Meta, hash};

use super::place::{self, Dir, Place};
use super::store::{Stamp, Store, meta, stamp, words};

/// What is on the disk, by path.
pub fn walk(store: &mut Store) -> Vec<Entry> {
    let mut roots: Vec<String> = store.rules.roots.clone();
    roots.sort();
    let nested: Vec<String> = roots.clone();
    roots.retain(|root| !nested.iter().any(|other| other != root && is_within(root, other)));
    roots.dedup();
    let mut entries = Vec::new();
    let mut known = core::mem::take(&mut store.known);
    for root in &roots {
        let begin = entries.len();
        let mut look = Look { store: &mut *store, known: &mut known, entries: &mut entries };
        if let Err(error) = look.at_root(root) {
            // Of a directory of which something can't be read nothing is known.
            entries.truncate(begin);
            entries.push(held(root, words(&error)));
        }
    }
    store.is_swept = true;
    entries.sort_by(|one, other| one.path.cmp(&other.path));
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
const YOUNG: Duration = Duration::from_millis(50);

impl Look<'_> {
    fn at_root(&mut self, root: &str) -> io::Result<()> {
        self.store.watched.push(nearest(Path::new(root).parent().unwrap_or(Path::new("/"))));
        if !self.store.rules.admit(root) {
            self.entries.push(held(root, "this never follows".to_owned()));
            return Ok(());
        }
        let place = match Place::find(&self.store.rules, root) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                self.entries.push(held(root, "this never follows".to_owned()));
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
            return Err(io::Error::other(format!("more than {} files and directories", limits::FILES)));
        }
        let kind = metadata.file_type();
        if kind.is_dir() {
            let meta = meta(&metadata);
            self.entries.push(Entry { path: path.to_owned(), meta, kind: Kind::Dir });
            return self.in_dir(place, path);
        }
        if kind.is_symlink() {
            self.entries.push(held(path, "a symbolic link is not followed".to_owned()));
        } else if !kind.is_file() {
            self.entries.push(held(path, "neither a file nor a directory".to_owned()));
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
        self.entries.push(Entry { path: path.to_owned(), meta: meta(metadata), kind });
    }

    /// The hash of a file; `None` if it was written meanwhile.
    fn read(&mut self, place: &Place, path: &str, before: Stamp) -> io::Result<Option<Hash>> {
        let file = place.open()?;
        let content = place::read_all(&file)?;
        let metadata = file.metadata()?;
        if stamp(&metadata) != before {
            self.store.is_unsteady = true;
            return Ok(None);
        }
        let hash = hash(&content);
        let age = metadata.modified().map(|at| SystemTime::now().duration_since(at));
        if matches!(age, Ok(Ok(age)) if age < YOUNG) {
            self.store.is_unsteady = true;
        } else {
            self.known.insert(path.to_owned(), (before, hash));
        }
        Ok(Some(hash))
    }
}

fn held(path: &str, why: String) -> Entry {
    Entry { path: path.to_owned(), meta: Meta::default(), kind: Kind::Held(why) }
}

/// The nearest directory that is there.
fn nearest(path: &Path) -> PathBuf {
    path.ancestors().find(|it| Dir::open(it).is_ok()).unwrap_or(Path::new("/")).to_owned()
}

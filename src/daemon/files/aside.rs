//! Edits that were made on a standby and replaced by what the master has: a file each, with the path's `/` as `%`, its
//! `%` as `%%.`, and a number behind it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use crate::sync::file::rules::FRESH;
use crate::{disk, limits};

use super::place;
use super::record::own;
use super::store::words;

/// Where they are.
#[derive(Debug)]
pub struct Asides(pub PathBuf);

/// An edit that is kept.
#[derive(Debug)]
pub struct Kept {
    /// Of which file.
    pub path: String,
    /// Counts those of one file.
    number: u32,
    /// Where it is.
    pub place: PathBuf,
}

impl Asides {
    /// Keeps a content. One that is kept already is not kept twice.
    ///
    /// # Errors
    /// If there is no room: nothing that is kept is ever removed.
    pub fn add(&self, path: &str, content: &[u8]) -> Result<(), String> {
        let mut bytes = content.len() as u64;
        let (mut count, mut last) = (0usize, 0u32);
        for kept in self.list().map_err(|error| not_kept(&error))? {
            bytes = bytes.saturating_add(fs::metadata(&kept.place).map_or(0, |it| it.len()));
            if kept.path == path {
                count = count.saturating_add(1);
                last = last.max(kept.number);
                if disk::load(&kept.place, limits::FILE_BYTES).is_ok_and(|kept| kept == content) {
                    return Ok(());
                }
            }
        }
        if count >= limits::ASIDE_PER_FILE || bytes > limits::ASIDE_BYTES {
            let dir = self.0.display();
            return Err(format!(
                "an edit made here has no room in {dir} any more: remove what is not needed"
            ));
        }
        let written = self.write(path, last.saturating_add(1), content);
        written.map_err(|error| not_kept(&error))
    }

    fn write(&self, path: &str, number: u32, content: &[u8]) -> io::Result<()> {
        disk::make_dirs(&self.0, 0o700)?;
        let fresh = self.0.join(FRESH);
        let _ = fs::remove_file(&fresh);
        place::write_new(&fresh, content, own())?;
        fs::rename(&fresh, self.0.join(format!("{}.{number}", name_of(path))))?;
        disk::open(&self.0, disk::OFlag::O_RDONLY)?.sync_all()
    }

    /// What is kept, as far as that can be told.
    pub fn files(&self) -> Vec<Kept> {
        self.list().unwrap_or_default()
    }

    fn list(&self) -> io::Result<Vec<Kept>> {
        let names = match disk::names(&self.0) {
            // Nothing was ever kept.
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            names => names?,
        };
        let mut all = Vec::new();
        for name in names {
            let Some((path, number)) = name.rsplit_once('.') else { continue };
            if let Ok(number) = number.parse() {
                all.push(Kept { path: path_of(path), number, place: self.0.join(&name) });
            }
        }
        Ok(all)
    }
}

/// A path in a name. No two have the same one, for nothing that follows has an empty name.
fn name_of(path: &str) -> String {
    path.replace('%', "//.").replace('/', "%")
}

fn path_of(name: &str) -> String {
    name.replace('%', "/").replace("//.", "%")
}

fn not_kept(error: &io::Error) -> String {
    format!("can't be kept aside: {}", words(error))
}

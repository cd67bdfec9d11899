//! Edits that were made on a standby and replaced by what the master has: a file each, with the path's `/` as `%` and a
//! number behind it.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::sync::file::rules::FRESH;
use crate::{disk, limits};

use super::place;
use super::record::own;
use super::store::words;

/// Where they are.
#[derive(Debug)]
pub struct Asides(pub PathBuf);

impl Asides {
    /// Keeps a content. One that is kept already is not kept twice.
    ///
    /// # Errors
    /// If there is no room: nothing that is kept is ever removed.
    pub fn add(&self, path: &str, content: &[u8]) -> Result<(), String> {
        let all = self.files();
        let bytes: u64 = all.iter().map(|(_, _, file)| fs::metadata(file).map_or(0, |it| it.len())).sum();
        let of_path = || all.iter().filter(|(other, ..)| other == path);
        if of_path().any(|(.., file)| disk::load(file, limits::FILE_BYTES).is_ok_and(|kept| kept == content))
        {
            return Ok(());
        }
        let is_full = of_path().count() >= limits::ASIDE_PER_FILE
            || bytes.saturating_add(content.len() as u64) > limits::ASIDE_BYTES;
        if is_full {
            let dir = self.0.display();
            return Err(format!(
                "an edit made here has no room in {dir} any more: remove what is not needed"
            ));
        }
        let number = of_path().map(|(_, number, _)| *number).max().unwrap_or(0).saturating_add(1);
        self.write(path, number, content).map_err(|error| format!("can't be kept aside: {}", words(&error)))
    }

    fn write(&self, path: &str, number: u32, content: &[u8]) -> io::Result<()> {
        disk::make_dirs(&self.0, 0o700)?;
        let fresh = self.0.join(FRESH);
        let _ = fs::remove_file(&fresh);
        place::write_new(&fresh, content, own())?;
        fs::rename(&fresh, self.0.join(format!("{}.{number}", path.replace('/', "%"))))?;
        disk::open(&self.0, disk::OFlag::O_RDONLY)?.sync_all()
    }

    /// Whose edits are kept, their numbers, and where.
    pub fn files(&self) -> Vec<(String, u32, PathBuf)> {
        let mut all = Vec::new();
        for name in disk::names(&self.0).unwrap_or_default() {
            let Some((path, number)) = name.rsplit_once('.') else { continue };
            if let Ok(number) = number.parse() {
                all.push((path.replace('%', "/"), number, self.0.join(&name)));
            }
        }
        all
    }
}

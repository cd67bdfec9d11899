//! Edits that were made on a standby and replaced by what the master has: `aside/<path>.<number>`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::limits;
use crate::sync::file::rules::{FRESH, is_fresh};

use super::place;
use super::record::own;
use super::store::words;

/// Where they are.
#[derive(Debug)]
pub struct Asides(PathBuf);

/// Directories and files of ours that are looked at: far more than there can be.
const LOOKED_AT: usize = 4096;

impl Asides {
    /// In this directory.
    pub fn new(dir: PathBuf) -> Asides {
        Asides(dir)
    }

    /// Keeps a content. One that is kept already is not kept twice.
    ///
    /// # Errors
    /// If there is no room: nothing that is kept is ever removed.
    pub fn add(&self, path: &str, content: &[u8]) -> Result<(), String> {
        let all = self.files();
        let bytes: u64 = all.iter().map(|(_, _, file)| fs::metadata(file).map_or(0, |it| it.len())).sum();
        let of_path = || all.iter().filter(|(other, ..)| other == path);
        if of_path().any(|(.., file)| fs::read(file).is_ok_and(|kept| kept == content)) {
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
        let file = self.0.join(path.trim_start_matches('/'));
        let (Some(dir), Some(name)) = (file.parent(), file.file_name().and_then(|it| it.to_str())) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        place::make_private(dir)?;
        let fresh = dir.join(format!(".{name}{FRESH}"));
        let _ = fs::remove_file(&fresh);
        place::write_new(&fresh, content, own())?;
        fs::rename(&fresh, dir.join(format!("{name}.{number}")))?;
        fs::File::open(dir)?.sync_all()
    }

    /// Whose edits are kept, and where.
    pub fn list(&self) -> Vec<(String, String)> {
        self.files().into_iter().map(|(path, _, file)| (path, file.display().to_string())).collect()
    }

    /// The directories in which they are.
    pub fn directories(&self) -> Vec<PathBuf> {
        self.walk().into_iter().filter(|path| path.is_dir()).collect()
    }

    fn files(&self) -> Vec<(String, u32, PathBuf)> {
        let read = |file: PathBuf| {
            let relative = file.strip_prefix(&self.0).ok()?.to_str()?;
            let (path, number) = relative.rsplit_once('.')?;
            let is_it = !is_fresh(Path::new(relative).file_name()?.to_str()?) && file.is_file();
            is_it.then_some((format!("/{path}"), number.parse().ok()?, file))
        };
        self.walk().into_iter().filter_map(read).collect()
    }

    /// Everything below, in its order.
    fn walk(&self) -> Vec<PathBuf> {
        let mut all = if self.0.is_dir() { vec![self.0.clone()] } else { Vec::new() };
        let mut at = 0;
        while let Some(path) = all.get(at).cloned() {
            at += 1;
            if all.len() < LOOKED_AT && path.is_dir() {
                all.extend(fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()));
            }
        }
        all.sort();
        all
    }
}

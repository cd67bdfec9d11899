//! Places on the disk, reached without following a link below what is listed.
//!
//! A directory is held open, and what is in it is named through `/proc/self/fd`: whatever somebody renames or links
//! meanwhile, the name means what is in this directory.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::disk::{self, OFlag};
use crate::sync::file::Meta;
use crate::sync::file::rules::{FRESH, Rules, is_within};

/// A directory that is held open.
#[derive(Debug)]
pub struct Dir(File);

/// A name in a directory.
#[derive(Debug)]
pub struct Place {
    dir: Dir,
    name: String,
}

impl Dir {
    /// The directory at a path, whatever leads there.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn open(path: &Path) -> io::Result<Dir> {
        disk::open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY).map(Dir)
    }

    /// A directory in this one; not through a link.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn enter(&self, name: &str) -> io::Result<Dir> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
        disk::open(&self.path_of(name), flags).map(Dir)
    }

    /// The names in it, in any order; those that are no text are left out.
    ///
    /// # Errors
    /// Those of `readdir`.
    pub fn names(&self) -> io::Result<Vec<String>> {
        disk::names(&self.path_of(""))
    }

    /// A path that means this name in this directory, while it is held open.
    pub fn path_of(&self, name: &str) -> PathBuf {
        format!("/proc/self/fd/{}/{name}", self.0.as_raw_fd()).into()
    }

    /// Where it really is.
    fn real_path(&self) -> io::Result<String> {
        let path = fs::read_link(format!("/proc/self/fd/{}", self.0.as_raw_fd()))?;
        path.into_os_string().into_string().map_err(|_| ErrorKind::InvalidInput.into())
    }
}

impl Place {
    /// The place of an admitted path.
    ///
    /// # Errors
    /// Those of `open`; `PermissionDenied` if links lead to what never follows.
    pub fn find(rules: &Rules, path: &str) -> io::Result<Place> {
        let root = rules.root_of(path).ok_or(ErrorKind::PermissionDenied)?;
        let (above, first) = root.rsplit_once('/').ok_or(ErrorKind::InvalidInput)?;
        let mut dir = Dir::open(Path::new(if above.is_empty() { "/" } else { above }))?;
        let real = dir.real_path()?;
        let below = path.get(root.len()..).unwrap_or_default();
        let real = format!("{}/{first}{below}", real.trim_end_matches('/'));
        if rules.never.iter().any(|never| is_within(&real, never)) {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let mut name = first;
        for next in below.split('/').filter(|it| !it.is_empty()) {
            dir = dir.enter(name)?;
            name = next;
        }
        Ok(Place { dir, name: name.to_owned() })
    }

    /// A path that means this place.
    pub fn path(&self) -> PathBuf {
        self.dir.path_of(&self.name)
    }

    /// A path for what is being written to this place.
    pub fn fresh(&self) -> PathBuf {
        self.dir.path_of(&format!(".{}{FRESH}", self.name))
    }

    /// The directory here.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn enter(&self) -> io::Result<Dir> {
        self.dir.enter(&self.name)
    }

    /// The file here, to be read. Never waits for a pipe.
    ///
    /// # Errors
    /// Those of `open`; `InvalidInput` if it is neither a file nor a directory.
    pub fn open(&self) -> io::Result<File> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let file = disk::open(&self.path(), flags)?;
        let kind = file.metadata()?.file_type();
        if kind.is_file() || kind.is_dir() { Ok(file) } else { Err(ErrorKind::InvalidInput.into()) }
    }

    /// Puts a content here, whole or not at all: beside first, and when it is on the disk, in the place.
    ///
    /// # Errors
    /// Those of the system calls. What was here is still here then.
    pub fn replace(&self, content: &[u8], meta: Meta) -> io::Result<()> {
        let fresh = self.fresh();
        let _ = fs::remove_file(&fresh);
        let written = write_new(&fresh, content, meta).and_then(|()| fs::rename(&fresh, self.path()));
        if written.is_err() {
            let _ = fs::remove_file(&fresh);
        }
        written.and_then(|()| self.settle())
    }

    /// Brings to the disk what has changed in the directory.
    ///
    /// # Errors
    /// Those of `fsync`.
    pub fn settle(&self) -> io::Result<()> {
        self.dir.0.sync_all()
    }
}

/// Gives an open file or directory its owner and mode.
///
/// # Errors
/// Those of the system calls.
pub fn adjust(file: &File, meta: Meta) -> io::Result<()> {
    std::os::unix::fs::fchown(file, Some(meta.uid), Some(meta.gid))?;
    file.set_permissions(fs::Permissions::from_mode(meta.mode))
}

/// Writes a new file and waits until it is on the disk.
///
/// # Errors
/// Those of the system calls.
pub fn write_new(path: &Path, content: &[u8], meta: Meta) -> io::Result<()> {
    let mut file = disk::create(path, disk::NEW, 0o600)?;
    file.write_all(content)?;
    adjust(&file, meta)?;
    file.sync_all()
}

//! Places on the disk, reached without following a link below what is listed.
//!
//! A directory is held open, and what is in it is named through `/proc/self/fd`: whatever somebody renames or links
//! meanwhile, the name means what is in this directory.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::disk::{self, Move, OFlag, Use};
use crate::limits;
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

/// What became of an exchange.
enum Swap {
    /// It is done.
    Done,
    /// It is not, for somebody has edited what is here.
    Edited,
    /// The same; and beside is an edit that has no place any more, for it was followed by another one within an instant.
    Out,
}

/// Keeps an edit that has no place any more.
pub type Keep<'a> = &'a dyn Fn(&[u8]) -> io::Result<()>;

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

    /// Sees to it that nobody writes to the file here.
    ///
    /// # Errors
    /// `ResourceBusy` if somebody does.
    pub fn is_free(&self) -> io::Result<()> {
        let is_busy = self.open().is_ok_and(|file| disk::is_used(&file, Use::Writing));
        if is_busy { Err(ErrorKind::ResourceBusy.into()) } else { Ok(()) }
    }

    /// Puts a content here, whole or not at all, if what is here is `own`: beside first, and when it is on the disk, in the
    /// place.
    ///
    /// # Errors
    /// Those of the system calls, of [`Place::is_free`], and of `keep`. What was here is still here then.
    pub fn replace(
        &self,
        content: &[u8],
        meta: Meta,
        own: Option<&[u8]>,
        keep: Keep<'_>,
    ) -> io::Result<bool> {
        self.with_fresh(keep, &|fresh| {
            write_new(fresh, content, meta)?;
            match own {
                Some(own) => self.exchange(fresh, content, own),
                None if move_if_free(fresh, &self.path())? => Ok(Swap::Done),
                None => Ok(Swap::Edited),
            }
        })
    }

    /// Removes the file here, if it is `own`.
    ///
    /// # Errors
    /// As of [`Place::replace`].
    pub fn remove(&self, own: &[u8], keep: Keep<'_>) -> io::Result<bool> {
        let path = self.path();
        self.with_fresh(keep, &|fresh| {
            if !is(&path, own) {
                return Ok(Swap::Edited);
            }
            fs::rename(&path, fresh)?;
            if is(fresh, own) {
                return Ok(Swap::Done);
            }
            Ok(if move_if_free(fresh, &path).unwrap_or(false) { Swap::Edited } else { Swap::Out })
        })
    }

    /// Exchanges the fresh file with what is here. What an editor puts here in this moment is not lost: what came out is looked
    /// at, and goes back if it is not `own`, or somebody still writes to it.
    fn exchange(&self, fresh: &Path, content: &[u8], own: &[u8]) -> io::Result<Swap> {
        let path = self.path();
        if !is(&path, own) {
            return Ok(Swap::Edited);
        }
        match disk::move_to(fresh, &path, Move::Exchange) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Swap::Edited),
            // File systems of a network can't. What is edited since it was looked at is lost there.
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                return fs::rename(fresh, path).map(|()| Swap::Done);
            }
            exchanged => exchanged?,
        }
        if is(fresh, own) {
            return Ok(Swap::Done);
        }
        match disk::move_to(fresh, &path, Move::Exchange) {
            Ok(()) if is(fresh, content) => Ok(Swap::Edited),
            // There was one more edit, of what was here for a moment; or all is gone from here.
            Ok(()) | Err(_) => Ok(Swap::Out),
        }
    }

    /// Does something with a file beside, which is gone in the end, but not before the names are on the disk; and if it is an
    /// edit it is kept first. Whether it is done.
    fn with_fresh(&self, keep: Keep<'_>, act: &dyn Fn(&Path) -> io::Result<Swap>) -> io::Result<bool> {
        self.is_free()?;
        let fresh = self.fresh();
        rescue(&fresh, keep)?;
        let done = act(&fresh);
        let settled = self.settle();
        if let Ok(Swap::Out) = done {
            rescue(&fresh, keep)?;
        }
        let _ = fs::remove_file(&fresh);
        settled.and(done).map(|swap| matches!(swap, Swap::Done))
    }

    /// Brings to the disk what has changed in the directory.
    ///
    /// # Errors
    /// Those of `fsync`.
    pub fn settle(&self) -> io::Result<()> {
        self.dir.0.sync_all()
    }
}

/// Has an edit kept that has no place any more, if there is one.
fn rescue(fresh: &Path, keep: Keep<'_>) -> io::Result<()> {
    match read(fresh) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        edit => keep(&edit?).and_then(|()| fs::remove_file(fresh)),
    }
}

/// The file at this name.
fn read(at: &Path) -> io::Result<Vec<u8>> {
    let file = disk::open(at, OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK)?;
    if disk::is_used(&file, Use::Writing) {
        return Err(ErrorKind::ResourceBusy.into());
    }
    disk::read(&file, limits::FILE_BYTES)
}

/// Whether it has this content, and keeps it.
fn is(at: &Path, content: &[u8]) -> bool {
    read(at).is_ok_and(|it| it == content)
}

/// Moves a file to a name that nothing has. Whether nothing had it.
fn move_if_free(from: &Path, to: &Path) -> io::Result<bool> {
    match disk::move_to(from, to, Move::IfFree) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) if error.kind() == ErrorKind::InvalidInput => match fs::symlink_metadata(to) {
            Ok(_) => Ok(false),
            Err(_) => fs::rename(from, to).map(|()| true),
        },
        moved => moved.map(|()| true),
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

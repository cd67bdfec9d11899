//! The two files: beside their places first, where everything that can go wrong goes wrong; then in their places.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::daemon::read_bounded;
use crate::disk;
use crate::peer::key::{self, Key};

use super::facts::Own;

/// Files that are written and not in their places yet. Dropped, they are gone.
#[derive(Debug, Default)]
pub struct Staged {
    /// In the order in which they are put in place: a key without a configuration does nothing.
    files: Vec<Beside>,
    /// The configuration that is replaced, and where it is kept.
    aside: Option<(Vec<u8>, PathBuf)>,
}

#[derive(Debug)]
struct Beside {
    temporary: PathBuf,
    path: PathBuf,
}

impl Drop for Beside {
    fn drop(&mut self) {
        // After a rename there is nothing to remove.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Writes both files beside their places, where they are not as they should be already.
///
/// # Errors
/// A sentence, with the file's name. Nothing is changed then.
pub fn stage(key: &Key, key_path: &Path, text: &str, config: &Path, own: Own) -> Result<Staged, String> {
    let mut staged = Staged::default();
    let is_there = match (Key::read(key_path), own) {
        (Ok(there), _) if there == *key => true,
        (Err(key::Error::Missing), _) => false,
        (Err(error @ key::Error::NotAFile), _) => return Err(named(key_path, &error)),
        (Ok(_) | Err(_), Own::GivenUp) => false,
        (Ok(_), Own::Kept) => return Err(named(key_path, &key::Error::Exists)),
        (Err(error), Own::Kept) => return Err(named(key_path, &error)),
    };
    if !is_there {
        disk::make_above(key_path, 0o700).map_err(|error| failed(key_path, &error))?;
        let temporary = beside(key_path);
        let _ = fs::remove_file(&temporary);
        staged.files.push(Beside { temporary: temporary.clone(), path: key_path.into() });
        key.write(&temporary).map_err(|error| named(key_path, &error))?;
    }
    let before = match read_bounded(config) {
        Ok(before) => before,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed(config, &error)),
    };
    if before != text.as_bytes() {
        let temporary = beside(config);
        staged.files.push(Beside { temporary: temporary.clone(), path: config.into() });
        write(&temporary, text.as_bytes()).map_err(|error| failed(config, &error))?;
        if !before.is_empty() {
            staged.aside = Some((before, disk::sibling(key_path, BEFORE)));
        }
    }
    Ok(staged)
}

impl Staged {
    /// Puts the files in their places. Returns where the configuration is that was there before, if there was one.
    ///
    /// # Errors
    /// A sentence. What was done until then stays, and does not have to be done again.
    pub fn commit(mut self) -> Result<Option<PathBuf>, String> {
        let aside = self.aside.take();
        if let Some((bytes, path)) = &aside {
            write(path, bytes).map_err(|error| failed(path, &error))?;
        }
        for Beside { temporary, path } in &self.files {
            fs::rename(temporary, path).map_err(|error| failed(path, &error))?;
            sync_dir(path).map_err(|error| failed(path, &error))?;
        }
        Ok(aside.map(|(_, path)| path))
    }
}

/// A name that neither `uci` nor the daemon takes for a configuration, on the same file system.
fn beside(path: &Path) -> PathBuf {
    let (dir, name) = disk::split(path);
    dir.join(format!(".{}.pair", name.to_string_lossy()))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = disk::create(path, disk::AFRESH, 0o600)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_dir(path: &Path) -> io::Result<()> {
    disk::open(disk::split(path).0, disk::OFlag::O_RDONLY)?.sync_all()
}

fn failed(path: &Path, error: &io::Error) -> String {
    named(path, &disk::plain(error))
}

fn named(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

/// Beside the key: the configuration that a pairing replaced.
const BEFORE: &str = "config.before-pair";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    struct Router {
        dir: tempfile::TempDir,
    }

    impl Router {
        fn new() -> Router {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("config")).unwrap();
            Router { dir }
        }

        fn config(&self) -> PathBuf {
            self.dir.path().join("config/gwha")
        }

        fn key(&self) -> PathBuf {
            self.dir.path().join("gwha/key")
        }

        fn stage(&self, byte: u8, text: &str, own: Own) -> Result<Staged, String> {
            stage(&Key::new([byte; 32]), &self.key(), text, &self.config(), own)
        }

        /// Every file with its content.
        fn files(&self) -> Vec<(String, String)> {
            let mut found = Vec::new();
            for dir in ["config", "gwha"] {
                for entry in fs::read_dir(self.dir.path().join(dir)).into_iter().flatten().flatten() {
                    let name = format!("{dir}/{}", entry.file_name().to_string_lossy());
                    found.push((name, fs::read_to_string(entry.path()).unwrap().trim().to_owned()));
                }
            }
            found.sort();
            found
        }
    }

    fn key_text(byte: u8) -> String {
        format!("{byte:02x}").repeat(32)
    }

    #[test]
    fn nothing_is_in_place_before_the_commit_and_nothing_beside_after_it() {
        let router = Router::new();
        let staged = router.stage(7, "new", Own::Kept).unwrap();
        assert!(!router.config().exists() && !router.key().exists());
        drop(staged);
        assert_eq!(router.files(), []);

        assert_eq!(router.stage(7, "new", Own::Kept).unwrap().commit(), Ok(None));
        let expected = [("config/gwha".to_owned(), "new".to_owned()), ("gwha/key".to_owned(), key_text(7))];
        assert_eq!(router.files(), expected);
        assert_eq!(fs::metadata(router.key()).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(router.config()).unwrap().mode() & 0o777, 0o600);

        let inode = || fs::metadata(router.config()).unwrap().ino();
        let before = inode();
        assert_eq!(router.stage(7, "new", Own::Kept).unwrap().commit(), Ok(None));
        assert_eq!(
            (router.files(), inode()),
            (expected.to_vec(), before),
            "what is right is not written again"
        );
    }

    #[test]
    fn configuration_that_is_replaced_is_kept_aside() {
        let router = Router::new();
        fs::write(router.config(), "old").unwrap();
        let aside = router.stage(7, "new", Own::Kept).unwrap().commit().unwrap().unwrap();
        assert_eq!(fs::read_to_string(aside).unwrap(), "old");
        assert_eq!(fs::read_to_string(router.config()).unwrap(), "new");
    }

    #[test]
    fn another_key_is_replaced_only_if_it_is_given_up() {
        let router = Router::new();
        router.stage(7, "new", Own::Kept).unwrap().commit().unwrap();
        let before = router.files();
        assert!(router.stage(8, "newer", Own::Kept).unwrap_err().contains("not overwritten"));
        assert_eq!(router.files(), before);
        router.stage(8, "newer", Own::GivenUp).unwrap().commit().unwrap();
        assert_eq!(Key::read(&router.key()).unwrap(), Key::new([8; 32]));

        fs::set_permissions(router.key(), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(router.stage(8, "newer", Own::Kept).unwrap_err().contains("chmod 600"));
        fs::remove_file(router.key()).unwrap();
        fs::create_dir(router.key()).unwrap();
        for own in [Own::Kept, Own::GivenUp] {
            assert!(router.stage(8, "newer", own).unwrap_err().contains("plain file"));
        }
    }

    #[test]
    fn directory_that_can_not_be_written_is_told_before_anything_is_changed() {
        let router = Router::new();
        let nowhere = router.dir.path().join("missing/gwha");
        let why = stage(&Key::new([7; 32]), &router.key(), "new", &nowhere, Own::Kept).unwrap_err();
        assert!(why.contains("missing/gwha"), "{why}");
        assert_eq!(router.files(), []);
    }
}

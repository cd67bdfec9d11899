use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::super::record::own;
use super::*;
use crate::limits;
use crate::sync::file::hash;

// Where processes can be traced: not in an emulator.
#[cfg(target_env = "gnu")]
mod power;

/// A process that another test has just begun has all files open for a moment.
fn patiently<T>(mut act: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let is_busy = |done: &Result<T, String>| done.as_ref().is_err_and(|why| why == BUSY);
    let mut done = act();
    for _ in 0..50 {
        if is_busy(&done) {
            std::thread::sleep(std::time::Duration::from_millis(10));
            done = act();
        }
    }
    done
}

/// A disk below a directory of its own.
struct Place {
    dir: tempfile::TempDir,
    store: Store,
}

impl Place {
    fn new(roots: &[&str]) -> Place {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let mut store = Store::new(dir.path().join("state"));
        store.configure(&Rules {
            roots: roots.iter().map(|root| path(root)).collect(),
            never: vec![path("state"), path("key"), path("app/key")],
            uci: path("config"),
            own: path("config/gwha"),
            ..Rules::default()
        });
        Place { dir, store }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn entry(&self, name: &str, kind: Kind) -> Entry {
        let meta = Meta { mode: 0o640, ..own() };
        Entry { path: self.path(name), meta, kind }
    }

    /// Replaces whatever is there.
    fn replace(&mut self, name: &str, content: &[u8]) -> Result<bool, String> {
        let own = self.store.read(&self.path(name))?;
        self.replace_own(name, content, own.as_deref())
    }

    fn replace_own(&mut self, name: &str, content: &[u8], own: Option<&[u8]>) -> Result<bool, String> {
        let entry = self.entry(name, Kind::File { hash: hash(content), size: 0 });
        patiently(|| self.store.replace(&entry, content, own))
    }

    fn remove_own(&mut self, name: &str, own: &[u8]) -> Result<bool, String> {
        let entry = self.entry(name, Kind::File { hash: hash(own), size: 0 });
        patiently(|| self.store.remove(&entry, Some(own)))
    }

    /// What a look finds, in words, without the directory's name.
    fn found(&mut self) -> Vec<String> {
        let base = self.path("");
        let word = |entry: Entry| {
            let name = entry.path.strip_prefix(&base).unwrap().to_owned();
            match entry.kind {
                Kind::File { size, .. } => format!("{name} {size}"),
                Kind::Dir => format!("{name}/"),
                Kind::Held(why) => format!("{name}: {why}"),
            }
        };
        self.store.scan().into_iter().map(word).collect()
    }
}

#[test]
fn files_and_directories_are_found_and_links_pipes_and_large_files_are_held() {
    let mut place = Place::new(&["app", "hosts", "none", "link"]);
    place.write("app/a", b"12");
    place.write("app/sub/b", b"");
    place.write("hosts", b"x");
    place.write("unlisted", b"x");
    symlink("/etc/passwd", place.path("app/passwd")).unwrap();
    symlink("/etc", place.path("app/sub/etc")).unwrap();
    symlink(place.path("unlisted"), place.path("link")).unwrap();
    mkfifo(place.path("app/pipe").as_str(), Mode::S_IRWXU).unwrap();
    fs::File::create(place.path("app/big")).unwrap().set_len(limits::FILE_BYTES as u64 + 1).unwrap();
    let found = [
        "app/",
        "app/a 2",
        "app/big: larger than 1 MiB",
        "app/passwd: a symbolic link is not followed",
        "app/pipe: neither a file nor a directory",
        "app/sub/",
        "app/sub/b 0",
        "app/sub/etc: a symbolic link is not followed",
        "hosts 1",
        "link: a symbolic link is not followed",
    ];
    assert_eq!(place.found(), found);
}

#[test]
fn key_and_records_are_never_found_by_whatever_way() {
    let mut place = Place::new(&["app", "key", "state", "alias/key", "all/app"]);
    for name in ["app/key", "key", "state/synced", "app/x"] {
        place.write(name, b"secret");
    }
    symlink(place.path(""), place.path("alias")).unwrap();
    symlink(place.path(""), place.path("all")).unwrap();
    let found = place.found();
    assert!(found.contains(&"app/x 6".to_owned()));
    let of_keys: Vec<_> =
        found.iter().filter(|it| it.contains("key") && !it.contains("never follows")).collect();
    assert_eq!(of_keys, [""; 0], "{found:?}");
    for name in ["app/key", "key", "state/synced", "alias/key", "all/app/key"] {
        assert!(place.store.read(&place.path(name)).is_err(), "{name}");
        assert!(place.replace(name, b"evil").is_err(), "{name}");
    }
}

#[test]
fn nothing_is_written_through_a_link_that_was_put_there() {
    let mut place = Place::new(&["app", "hosts"]);
    place.write("app/sub/x", b"x");
    place.write("elsewhere/x", b"untouched");
    fs::remove_dir_all(place.path("app/sub")).unwrap();
    symlink(place.path("elsewhere"), place.path("app/sub")).unwrap();
    symlink(place.path("elsewhere/x"), place.path("hosts")).unwrap();
    assert!(place.replace("app/sub/x", b"evil").is_err());
    assert!(place.store.read(&place.path("hosts")).is_err());
    assert!(place.remove_own("app/sub/x", b"untouched").is_err());
    for own in [None, Some(b"untouched".as_slice())] {
        assert_eq!(place.replace_own("hosts", b"new", own), Ok(false));
    }
    assert_eq!(place.remove_own("hosts", b"untouched"), Ok(false));
    assert_eq!(fs::read(place.path("elsewhere/x")).unwrap(), b"untouched");
    assert_eq!(fs::read_link(place.path("hosts")).unwrap(), place.dir.path().join("elsewhere/x"));
}

#[test]
fn replaced_file_has_its_content_owner_and_mode_and_a_directory_above_that_was_not_there() {
    let mut place = Place::new(&["new/deep/file", "app"]);
    place.replace("new/deep/file", b"content").unwrap();
    assert_eq!(fs::read(place.path("new/deep/file")).unwrap(), b"content");
    let dir = place.entry("app", Kind::Dir);
    place.store.make_dir(&dir).unwrap();
    for name in ["new/deep/file", "app"] {
        assert_eq!(fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o7777, 0o640, "{name}");
    }
    place.store.remove(&dir, None).unwrap();
    assert_eq!(place.found(), ["new/deep/file 7"]);
}

#[test]
fn file_that_is_not_what_was_read_is_neither_replaced_nor_removed() {
    let mut place = Place::new(&["app"]);
    place.write("app/x", b"edit");
    for own in [None, Some(b"read".as_slice())] {
        assert_eq!(place.replace_own("app/x", b"new", own), Ok(false), "{own:?}");
    }
    assert_eq!(place.remove_own("app/x", b"read"), Ok(false));
    assert_eq!(fs::read(place.path("app/x")).unwrap(), b"edit");
    assert_eq!(place.replace_own("app/gone", b"new", Some(b"read")), Ok(false));
    fs::File::create(place.path("app/x")).unwrap().set_len(limits::FILE_BYTES as u64 + 1).unwrap();
    assert_eq!(place.replace_own("app/x", b"new", Some(b"edit")), Ok(false));
    assert_eq!(place.remove_own("app/x", b"edit"), Ok(false));
    assert_eq!(place.found(), ["app/", "app/x: larger than 1 MiB"]);
    assert_eq!(fs::read_dir(place.path("app")).unwrap().count(), 1, "nothing is left beside");

    place.write("app/x", b"edit");
    assert_eq!(place.replace_own("app/x", b"new", Some(b"edit")), Ok(true));
    assert_eq!(place.replace_own("app/y", b"new", None), Ok(true));
    assert_eq!(place.remove_own("app/x", b"new"), Ok(true));
    assert_eq!(place.found(), ["app/", "app/y 3"]);
    assert_eq!(fs::read_dir(place.path("app")).unwrap().count(), 1);
}

#[test]
#[cfg(target_env = "gnu")]
fn file_to_which_somebody_still_writes_is_left_alone_until_that_is_over() {
    let mut place = Place::new(&["app"]);
    place.write("app/x", b"half");
    let path = place.path("app/x");
    let mut writer = fs::File::options().append(true).open(&path).unwrap();
    let busy = Err(BUSY.to_owned());
    assert_eq!(place.store.put_aside(&path, b"half").map(|()| true), busy);
    assert_eq!(place.replace_own("app/x", b"new", Some(b"half")), busy);
    assert_eq!(place.remove_own("app/x", b"half"), busy);
    writer.write_all(b" and half").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"half and half");
    assert_eq!(fs::read_dir(place.path("app")).unwrap().count(), 1);
    drop(writer);
    // Whoever reads is in nobody's way.
    let _reader = fs::File::open(&path).unwrap();
    assert_eq!(patiently(|| place.store.put_aside(&path, b"half and half")), Ok(()));
    assert_eq!(place.replace_own("app/x", b"new", Some(b"half and half")), Ok(true));
}

#[test]
fn edit_that_came_out_of_its_place_stays_until_it_has_room_aside() {
    let mut place = Place::new(&["app"]);
    place.write("app/x", b"own");
    place.found();
    let fresh = place.path("app/.x.gwha-new");
    for number in 0..limits::ASIDE_PER_FILE {
        place.store.put_aside(&place.path("app/x"), format!("{number}").as_bytes()).unwrap();
    }
    fs::write(&fresh, b"edit").unwrap();
    for _ in 0..2 {
        assert!(place.replace_own("app/x", b"new", Some(b"own")).is_err());
        assert!(place.remove_own("app/x", b"own").is_err());
        assert_eq!(
            (fs::read(place.path("app/x")).unwrap(), fs::read(&fresh).unwrap()),
            (b"own".into(), b"edit".into())
        );
    }
    fs::remove_file(&place.store.asides()[0].1).unwrap();
    assert_eq!(place.replace_own("app/x", b"new", Some(b"own")), Ok(true));
    assert!(place.store.asides().iter().any(|(_, kept)| fs::read(kept).unwrap() == b"edit"));
    assert_eq!(fs::read_dir(place.path("app")).unwrap().count(), 1);
}

/// An editor that puts one file after the other in place, and sees what each has replaced.
fn edit_all_the_time(path: &Path, is_over: &AtomicBool) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let (mut edits, mut replaced) = (Vec::new(), Vec::new());
    let fresh = path.with_extension("tmp");
    while !is_over.load(Ordering::Relaxed) {
        let edit = format!("edit {}", edits.len()).into_bytes();
        fs::write(&fresh, &edit).unwrap();
        match disk::move_to(&fresh, path, disk::Move::Exchange) {
            Ok(()) => replaced.push(fs::read(&fresh).unwrap()),
            Err(_) if disk::move_to(&fresh, path, disk::Move::IfFree).is_ok() => {}
            Err(_) => continue,
        }
        edits.push(edit);
    }
    (edits, replaced)
}

#[test]
fn no_edit_is_lost_however_close_to_a_replacement_or_a_removal_it_comes() {
    let mut place = Place::new(&["app"]);
    place.write("app/x", b"first");
    let path = place.dir.path().join("app/x");
    let is_over = Arc::new(AtomicBool::new(false));
    let (there, end) = (path.clone(), Arc::clone(&is_over));
    let editor = std::thread::spawn(move || edit_all_the_time(&there, &end));

    let (mut ours, mut secured, mut missed) = (Vec::new(), Vec::new(), 0);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(100);
    while ours.len() < 50 || missed < 50 {
        assert!(std::time::Instant::now() < until, "{} replaced, {missed} missed", ours.len());
        let own = place.store.read(&place.path("app/x")).unwrap();
        let new = format!("new {}", ours.len()).into_bytes();
        let done = match &own {
            Some(own) if missed % 3 == 0 => place.remove_own("app/x", own),
            _ => place.replace_own("app/x", &new, own.as_deref()).inspect(|is_done| {
                ours.extend(is_done.then_some(new));
            }),
        };
        match done {
            Ok(true) => secured.extend(own),
            Ok(false) => missed += 1,
            Err(why) => assert_eq!(why, BUSY),
        }
        for (_, aside) in place.store.asides() {
            secured.push(fs::read(&aside).unwrap());
            fs::remove_file(&aside).unwrap();
        }
    }
    is_over.store(true, Ordering::Relaxed);
    let (edits, replaced) = editor.join().unwrap();
    // Each content was replaced by the editor, or by us who had read it, or is there.
    let mut known: BTreeSet<Vec<u8>> = replaced.into_iter().chain(secured).collect();
    known.extend(fs::read(&path).ok());
    let lost: Vec<_> = edits.iter().filter(|edit| !known.contains(*edit)).collect();
    assert!(lost.is_empty(), "{} of {} edits are lost", lost.len(), edits.len());
}

#[test]
fn edits_are_kept_aside_once_each_and_none_is_ever_overwritten_for_want_of_room() {
    let mut place = Place::new(&["app"]);
    let path = place.path("app/x");
    for edit in ["one", "two", "one"] {
        place.store.put_aside(&path, edit.as_bytes()).unwrap();
    }
    let kept: Vec<Vec<u8>> = place.store.asides().iter().map(|(_, file)| fs::read(file).unwrap()).collect();
    assert_eq!(kept.iter().map(Vec::as_slice).collect::<BTreeSet<_>>(), [b"one".as_slice(), b"two"].into());
    assert!(place.store.asides().iter().all(|(of, _)| *of == path));
    let more = (0..100u8).filter(|edit| place.store.put_aside(&path, &[*edit]).is_ok()).count();
    assert_eq!(more, limits::ASIDE_PER_FILE - 2);
    assert!(place.store.put_aside(&place.path("app/y"), &vec![0; limits::ASIDE_BYTES as usize]).is_err());
    assert_eq!(place.store.asides().len(), limits::ASIDE_PER_FILE);
}

#[test]
fn edits_of_files_with_a_percent_sign_are_all_kept_under_the_files_own_name() {
    let mut place = Place::new(&["app"]);
    let mut wanted = Vec::new();
    for name in
        ["app/100%.conf", "app/100/.conf", "app/%", "app/a%/b", "app/a/%b", "app/a/%%.", "app/.%", "app/%."]
    {
        for edit in ["one", "two"] {
            place.store.put_aside(&place.path(name), edit.as_bytes()).unwrap();
            wanted.push((place.path(name), edit.as_bytes().to_vec()));
        }
    }
    let mut kept: Vec<_> =
        place.store.asides().into_iter().map(|(of, file)| (of, fs::read(file).unwrap())).collect();
    kept.sort();
    wanted.sort();
    assert_eq!(kept, wanted);
}

#[test]
fn file_that_was_edited_is_read_again_and_one_that_was_not_is_not() {
    let mut place = Place::new(&["hosts"]);
    place.write("hosts", b"12");
    std::thread::sleep(std::time::Duration::from_millis(100));
    let first = place.store.scan();
    assert_eq!((place.store.known.len(), place.store.is_unsteady), (1, false));
    // Not even with other rules: one that is just being written would be taken for none.
    let rules = place.store.rules.clone();
    place.store.configure(&rules);
    assert_eq!(place.store.known.len(), 1);
    place.write("hosts", b"34");
    assert_ne!(place.store.scan(), first);
    assert!(place.store.is_unsteady, "it may be written again in the same instant");
}

const CHILD: &str = "GWHA_STORE_CHILD";

/// What a process does that is killed in the middle of it.
fn child(dir: &Path) {
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let mut store = Store::new(dir.join("state"));
    store.configure(&Rules { roots: vec![path("app")], ..Rules::default() });
    for round in 0u32.. {
        let content = vec![b'a' + (round % 26) as u8; 60_000];
        let entry = Entry {
            path: path("app/x"),
            meta: own(),
            kind: Kind::File { hash: hash(&content), size: 60_000 },
        };
        if round == 3 {
            store.put_aside(&entry.path, b"old").unwrap();
        }
        let before = store.read(&entry.path).unwrap();
        assert_eq!(store.replace(&entry, &content, before.as_deref()), Ok(true));
    }
}

#[test]
fn process_that_is_killed_at_any_moment_leaves_a_whole_content_and_nothing_else() {
    if let Some(dir) = std::env::var_os(CHILD) {
        return child(Path::new(&dir));
    }
    let name = "daemon::files::store::tests::process_that_is_killed_at_any_moment_leaves_a_whole_content_and_nothing_else";
    let mut halves = 0;
    for run in 0..60u64 {
        let mut place = Place::new(&["app"]);
        place.write("app/x", b"old");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", name, "--test-threads=1"])
            .env(CHILD, place.dir.path())
            .stdout(Stdio::null());
        let mut process = command.spawn().unwrap();
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while fs::read(place.path("app/x")).unwrap() == b"old" {
            assert!(std::time::Instant::now() < until, "the process does not begin");
        }
        std::thread::sleep(std::time::Duration::from_micros(run * 97));
        process.kill().unwrap();
        process.wait().unwrap();

        let content = fs::read(place.path("app/x")).unwrap();
        assert!(content.len() == 60_000 && content.iter().all(|byte| *byte == content[0]), "run {run}");
        halves += fs::read_dir(place.path("app")).unwrap().count() - 1;
        // A half-written file is no file, and is gone after the first look.
        assert_eq!(place.found(), ["app/", "app/x 60000"], "run {run}");
        assert_eq!(fs::read_dir(place.path("app")).unwrap().count(), 1, "run {run}");
        let kept: Vec<Vec<u8>> =
            place.store.asides().iter().map(|(_, file)| fs::read(file).unwrap()).collect();
        assert!(kept.is_empty() || kept == [b"old"], "run {run}: {kept:?}");
        // And it goes on from there.
        place.replace("app/x", b"again").unwrap();
    }
    assert!(halves > 0, "no process was killed in the middle of a file");
}

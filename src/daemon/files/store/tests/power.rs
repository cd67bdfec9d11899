//! A standby that loses its power before each system call of a transfer, with real files.
//!
//! A process follows a master and is traced meanwhile. It is killed before its first system call that could change
//! anything on the disk, another one before its second, and so on until one comes to the end. After each the disk is
//! looked at, and then a restarted standby goes on with what there is.
//!
//! A kill leaves what was written in the kernel's cache, where a power loss would not. So the list of calls is looked at
//! too: nothing gets its name before it is on the disk, and no name is changed that is not brought to the disk before
//! anything else happens.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::FileExt as _;

use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::*;
use crate::daemon::clock;
use crate::peer::PeerId;
use crate::sync::file::party::{Out, Party};
use crate::sync::file::wire::{self, Ask, Hello, Piece, Report, kind};

const CHILD: &str = "GWHA_POWER_CHILD";
const NAME: &str = "daemon::files::store::tests::power::power_loss_before_each_system_call_leaves_old_or_new_and_a_restart_goes_on";
const MASTER: PeerId = PeerId(1);

/// What the master has: paths below the directory, with content and mode; a directory has no content.
type Tree = BTreeMap<String, (Option<Vec<u8>>, u32)>;

fn file(content: &[u8], mode: u32) -> (Option<Vec<u8>>, u32) {
    (Some(content.to_vec()), mode)
}

/// Before: what both have.
fn before() -> Tree {
    let all = [
        ("app", (None, 0o755)),
        ("app/mode", file(b"stays", 0o600)),
        ("app/old", file(b"is to go", 0o644)),
        ("app/same", file(b"same", 0o644)),
        ("app/sub", (None, 0o755)),
        ("app/sub/old", file(b"is to go too", 0o644)),
        ("app/text", file(&[b'o'; 30_000], 0o644)),
        ("app/edited", file(b"before", 0o644)),
        ("app/gone", file(b"before", 0o644)),
        ("config/dhcp", file(b"config dnsmasq\n\toption own 'standby'\n\toption all '1'\n", 0o644)),
    ];
    all.map(|(name, what)| (name.to_owned(), what)).into()
}

/// What the master has by now.
fn after() -> Tree {
    let all = [
        ("app", (None, 0o755)),
        ("app/mode", file(b"stays", 0o640)),
        ("app/same", file(b"same", 0o644)),
        ("app/new", (None, 0o700)),
        ("app/new/deep", file(b"in a new directory", 0o600)),
        ("app/text", file(&[b'n'; 60_000], 0o644)),
        ("app/edited", file(b"after", 0o644)),
        ("config/dhcp", file(b"config dnsmasq\n\toption own 'master'\n\toption all '2'\n", 0o644)),
    ];
    all.map(|(name, what)| (name.to_owned(), what)).into()
}

const EDIT: &[u8] = b"of the standby";
const KEPT: &str = "config dnsmasq\n\toption own 'standby'\n\toption all '2'\n";

fn path(dir: &Path, name: &str) -> String {
    dir.join(name).to_str().unwrap().to_owned()
}

fn rules(dir: &Path) -> Rules {
    Rules {
        roots: vec![path(dir, "app"), path(dir, "config/dhcp")],
        never: vec![path(dir, "state")],
        keep: vec!["dhcp.@dnsmasq[0].own".into()],
        uci: path(dir, "config"),
        own: path(dir, "config/gwha"),
    }
}

fn entry(dir: &Path, name: &str, (content, mode): &(Option<Vec<u8>>, u32)) -> Entry {
    let kind = match content {
        Some(content) => Kind::File { hash: hash(content), size: content.len() as u32 },
        None => Kind::Dir,
    };
    Entry { path: path(dir, name), meta: Meta { mode: *mode, ..own() }, kind }
}

/// Follows a master with this tree until it says that there is no more to be done.
fn follow(dir: &Path, master: &Tree) -> Report {
    let mut store = Store::new(dir.join("state"));
    store.configure(&rules(dir));
    let mut party = Party::new(rules(dir), Hello::default(), store.recall(), clock::now());
    party.up(MASTER, clock::now());
    let roots = rules(dir).roots.join("\n");
    let hello =
        Hello { version: wire::VERSION, oldest: wire::OLDEST, is_source: true, roots, ..Hello::default() };
    party.said(MASTER, kind::HELLO, &hello.encode(), clock::now(), &mut store);
    let mut entries: Vec<Entry> = master.iter().map(|(name, what)| entry(dir, name, what)).collect();
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    for part in wire::encode_list(1, &entries) {
        party.said(MASTER, kind::LIST, &part, clock::now(), &mut store);
    }
    for _ in 0..1000 {
        party.work(clock::now(), &mut store);
        for out in party.take_out() {
            let Out::Send(_, what, body) = out else { continue };
            if what == kind::ASK {
                let ask = Ask::decode(&body).unwrap();
                let contents = master.values().filter_map(|(content, _)| content.as_ref());
                let content = contents.into_iter().find(|it| hash(it) == ask.hash).unwrap();
                let from = ask.offset as usize;
                let bytes = &content[from..(from + wire::PIECE_BYTES).min(content.len())];
                let piece = Piece { hash: ask.hash, offset: ask.offset, bytes };
                party.said(MASTER, kind::PIECE, &piece.encode(), clock::now(), &mut store);
            } else if let Some(report) = Report::decode(&body).filter(|_| what == kind::REPORT) {
                if report.number == 1 && report.is_settled {
                    return report;
                }
            }
        }
    }
    panic!("there is no end to it");
}

/// Both had the same, then somebody edited two files here.
fn prepare(dir: &Path) {
    // Its own option is here already: it would not come.
    let master = before();
    fs::create_dir(dir.join("config")).unwrap();
    fs::write(dir.join("config/dhcp"), master["config/dhcp"].0.as_ref().unwrap()).unwrap();
    follow(dir, &master);
    for name in ["app/edited", "app/gone"] {
        fs::write(dir.join(name), EDIT).unwrap();
    }
    assert_eq!(names(dir, "state"), ["state", "state/synced"]);
    for name in TOPS {
        copy(&dir.join(name), &dir.join("before").join(name));
    }
}

/// As it was after [`prepare`]: paths are part of what is remembered, so the place is the same.
fn restore(dir: &Path) {
    for name in TOPS {
        fs::remove_dir_all(dir.join(name)).unwrap();
        copy(&dir.join("before").join(name), &dir.join(name));
    }
}

const TOPS: [&str; 3] = ["app", "config", "state"];

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name();
        copy(&from.join(&name), &to.join(&name));
    }
}

/// Everything below a directory, by name.
fn names(dir: &Path, name: &str) -> Vec<String> {
    let mut all = vec![name.to_owned()];
    for entry in fs::read_dir(dir.join(name)).into_iter().flatten() {
        all.extend(names(dir, &format!("{name}/{}", entry.unwrap().file_name().to_str().unwrap())));
    }
    all.sort();
    all
}

fn is_fresh(name: &str) -> bool {
    name.ends_with(crate::sync::file::rules::FRESH)
}

/// What is at a name.
fn read(dir: &Path, name: &str) -> Option<Vec<u8>> {
    fs::read(dir.join(name)).ok()
}

fn asides(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let is_aside = |name: &String| name.starts_with("state/aside/") && !is_fresh(name);
    names(dir, "state").into_iter().filter(is_aside).map(|it| (it.clone(), read(dir, &it).unwrap())).collect()
}

/// Each file is as it was, or as it is to be; what was edited here is in its place or aside.
fn check_torn(dir: &Path, at: usize) {
    let (before, after) = (before(), after());
    let mut allowed: BTreeSet<&String> = before.keys().collect();
    allowed.extend(after.keys());
    let found = [names(dir, "app"), names(dir, "config")].concat();
    for name in found.iter().filter(|name| !is_fresh(name) && *name != "config") {
        assert!(allowed.contains(name), "{at}: {name} is in no list");
        let Some(content) = read(dir, name) else { continue };
        let is_edit = ["app/edited", "app/gone"].contains(&name.as_str()) && content == EDIT;
        let was = before.get(name).and_then(|(content, _)| content.as_ref());
        let is = after.get(name).and_then(|(content, _)| content.as_deref());
        let is = if name == "config/dhcp" { Some(KEPT.as_bytes()) } else { is };
        let is_old = was == Some(&content);
        assert!(is_edit || is_old || is == Some(&content), "{at}: {name} has {} bytes", content.len());
        let mode = fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
        let modes = [before.get(name), after.get(name)].map(|it| it.map(|(_, mode)| *mode));
        assert!(modes.contains(&Some(mode)), "{at}: {name} has the mode {mode:o}");
    }
    // What the master had all the time, or still has, is there.
    for name in before.keys().filter(|name| after.contains_key(*name)) {
        assert!(found.contains(name), "{at}: {name} is gone");
    }
    let kept = asides(dir);
    assert!(kept.values().all(|content| content == EDIT), "{at}: {kept:?}");
    for name in ["app/edited", "app/gone"] {
        let aside = format!("{}.1", path(dir, name).replace('/', "%"));
        let is_aside = kept.keys().any(|it| it.ends_with(&aside));
        assert!(is_aside || read(dir, name).as_deref() == Some(EDIT), "{at}: the edit of {name} is lost");
    }
}

/// All is as the master has it, and nothing is left over.
fn check_whole(dir: &Path, at: usize) {
    let after = after();
    let found = [names(dir, "app"), names(dir, "config")].concat();
    let mut wanted: Vec<String> = after.keys().cloned().chain(["config".to_owned()]).collect();
    wanted.sort();
    let mut sorted = found.clone();
    sorted.sort();
    assert_eq!(sorted, wanted, "{at}");
    for (name, (content, mode)) in &after {
        let content = if name == "config/dhcp" { Some(KEPT.into()) } else { content.clone() };
        assert_eq!(read(dir, name), content, "{at}: {name}");
        let is = fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(is, *mode, "{at}: {name}");
    }
    let kept = asides(dir);
    assert_eq!(kept.values().collect::<Vec<_>>(), [EDIT, EDIT], "{at}: {:?}", kept.keys());
    let left: Vec<String> = names(dir, "state").into_iter().filter(|it| it.contains("new")).collect();
    assert_eq!(left, [""; 0], "{at}");
}

/// What a system call that could change something on the disk is called; `None`: it could not.
fn call(number: i64, arguments: &[u64]) -> Option<&'static str> {
    const HARMLESS: &[i64] = &[
        libc::SYS_read,
        libc::SYS_close,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_fstat,
        libc::SYS_newfstatat,
        libc::SYS_statx,
        libc::SYS_readlinkat,
        libc::SYS_getdents64,
        libc::SYS_lseek,
        libc::SYS_fcntl,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_geteuid,
        libc::SYS_getegid,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_sigaltstack,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_readlink,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_stat,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_lstat,
    ];
    const NAMED: &[(i64, &str)] = &[
        (libc::SYS_write, "write"),
        (libc::SYS_fsync, "fsync"),
        (libc::SYS_fchown, "chown"),
        (libc::SYS_fchmod, "chmod"),
        (libc::SYS_renameat, "rename"),
        (libc::SYS_renameat2, "rename"),
        (libc::SYS_unlinkat, "remove"),
        (libc::SYS_mkdirat, "mkdir"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_rename, "rename"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_unlink, "remove"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_rmdir, "remove"),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_mkdir, "mkdir"),
    ];
    if number == libc::SYS_openat {
        let flags = arguments.get(2).copied().unwrap_or(u64::MAX);
        let is_writing = flags & (libc::O_CREAT | libc::O_TRUNC) as u64 != 0;
        return is_writing.then_some("create");
    }
    if HARMLESS.contains(&number) {
        return None;
    }
    let named = NAMED.iter().find(|(known, _)| *known == number);
    Some(named.map_or("other", |(_, name)| name))
}

/// Follows in another process, which is killed before the system call of this number that could change something. The
/// calls that it came to, and whether it came to the end.
fn follow_and_die(dir: &Path, at: usize) -> (Vec<&'static str>, bool) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", NAME, "--test-threads=1"]).env(CHILD, dir).stdout(Stdio::null());
    let mut process = command.spawn().unwrap();
    // It stops when it is about to begin, and again when it has come to the end.
    let pid = traced(process.id());
    assert_eq!(wait(pid), WaitStatus::Stopped(pid, Signal::SIGSTOP));
    ptrace::setoptions(pid, ptrace::Options::PTRACE_O_TRACESYSGOOD).unwrap();
    let mut calls = Vec::new();
    let mut is_entry = true;
    let is_whole = loop {
        ptrace::syscall(pid, None).unwrap();
        match wait(pid) {
            WaitStatus::PtraceSyscall(_) => {
                let entered_now = is_entry;
                is_entry = !is_entry;
                if entered_now {
                    calls.extend(entered(pid));
                }
            }
            WaitStatus::Stopped(_, Signal::SIGSTOP) => break true,
            other => panic!("{other:?}"),
        }
        if calls.len() > at {
            break false;
        }
    };
    process.kill().unwrap();
    wait(pid);
    process.wait().unwrap();
    (calls, is_whole)
}

fn wait(thread: Pid) -> WaitStatus {
    waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap()
}

/// The thread that has stopped to be traced: a test has one of its own.
fn traced(process: u32) -> Pid {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        assert!(std::time::Instant::now() < until, "processes can't be traced here");
        for task in fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten() {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            if stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" t")) {
                return Pid::from_raw(task.file_name().to_str().unwrap().parse().unwrap());
            }
        }
        std::thread::yield_now();
    }
}

/// The call that a stopped process is about to make.
fn entered(thread: Pid) -> Option<&'static str> {
    let text = fs::read_to_string(format!("/proc/{thread}/syscall")).unwrap();
    let mut words = text.split_whitespace();
    let number: i64 = words.next()?.parse().ok()?;
    if [libc::SYS_kill, libc::SYS_tkill, libc::SYS_tgkill, libc::SYS_getpid, libc::SYS_gettid]
        .contains(&number)
    {
        return None;
    }
    let number_of = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).unwrap_or(u64::MAX);
    let arguments: Vec<u64> = words.map(number_of).collect();
    let to = if number == libc::SYS_renameat { 3 } else { 1 };
    let is_away = || text_at(thread, arguments[to]).ends_with(crate::sync::file::rules::FRESH.as_bytes());
    match call(number, &arguments) {
        // What is to be removed loses its name first.
        Some("rename") if number != libc::SYS_renameat2 && is_away() => Some("away"),
        other => other,
    }
}

/// A text in the memory of a stopped process.
fn text_at(thread: Pid, address: u64) -> Vec<u8> {
    let memory = fs::File::open(format!("/proc/{thread}/mem")).unwrap();
    let mut text = vec![0; libc::PATH_MAX as usize];
    let read = memory.read_at(&mut text, address).unwrap();
    text.truncate(read);
    text.into_iter().take_while(|byte| *byte != 0).collect()
}

#[test]
fn power_loss_before_each_system_call_leaves_old_or_new_and_a_restart_goes_on() {
    if let Some(dir) = std::env::var_os(CHILD) {
        ptrace::traceme().unwrap();
        raise(Signal::SIGSTOP).unwrap();
        follow(Path::new(&dir), &after());
        raise(Signal::SIGSTOP).unwrap();
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let mut left_over = 0;
    prepare(dir);
    for at in 0.. {
        restore(dir);
        let (calls, is_whole) = follow_and_die(dir, at);
        check_torn(dir, at);
        left_over += names(dir, "app").iter().filter(|name| is_fresh(name)).count();
        follow(dir, &after());
        check_whole(dir, at);
        // And there is nothing more to be put aside or to be done.
        follow(dir, &after());
        check_whole(dir, at);
        if is_whole {
            eprintln!("{} calls: {}", calls.len(), calls.join(" "));
            assert!(
                calls.len() > 40 && left_over > 10,
                "{left_over} half-written files in {} runs",
                calls.len()
            );
            check_order(&calls);
            return;
        }
    }
}

/// Nothing gets its name before it is on the disk; names are brought to the disk before anything else happens.
fn check_order(calls: &[&str]) {
    assert!(!calls.contains(&"other"), "a call that nobody has thought of");
    for (at, call) in calls.iter().enumerate() {
        let next = calls.get(at + 1).copied();
        if *call == "rename" {
            assert_eq!(calls[at - 1], "fsync", "{at}: what gets a name is on the disk");
        }
        if ["rename", "away"].contains(call) {
            // The last one is that of what is remembered, which may get lost: then more is put aside.
            assert!(next == Some("fsync") || next.is_none(), "{at}: its name is not");
        }
    }
}

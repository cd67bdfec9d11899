//! A peer with the right key that means no good. As the master it can change what is listed, for that is what a master is
//! for, and nothing else: nothing is written elsewhere, no junk is put in place, memory stays bounded, and what decides
//! about the role is on time.

mod puppet;

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::Instant;

use gwha::limits::{FILE_BYTES, FILE_DEPTH, FILE_PATH_BYTES, FILES};
use gwha::sync::file::wire::{self, Ask, Piece, Report, Told, kind};
use gwha::sync::file::{Entry, Kind, Meta, hash};
use nix::sys::stat::Mode;

use crate::lab::topology::Segment;

use super::*;
use puppet::{LOUD, Lie, Puppet, longest};

/// What an attack may make of memory, however long it goes on: some pieces, a file and its list, twice, and what glibc keeps of
/// what was freed. It was 8.7 MiB after 470,000 requests and after 2,500,000; with musl, as on a router, it stays below 8.
const MEMORY_KIB: u64 = 12 << 10;

fn site(path: &str) -> String {
    format!("{SITE}/{path}")
}

/// What is at a path and below it: kind and mode, and the hash of each file.
fn add(path: &Path, all: &mut BTreeMap<PathBuf, String>) {
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    let mut what = String::new();
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            add(&entry.unwrap().path(), all);
        }
    } else if metadata.is_file() {
        let hash = hash(&fs::read(path).unwrap());
        what = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    }
    all.insert(path.to_owned(), format!("{:o} {what}", metadata.mode()));
}

/// Everything on B that an attack could change.
fn everything(b: &Router) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    for path in
        [&b.site, Path::new("/run/gwha-B/aside"), Path::new("/etc/passwd"), Path::new("/etc/gwha-evil")]
    {
        add(path, &mut all);
    }
    all
}

#[track_caller]
fn is_as_before(before: &BTreeMap<PathBuf, String>, b: &Router, what: &str) {
    let now = everything(b);
    let changed: Vec<_> = before.iter().filter(|(path, was)| now.get(*path) != Some(was)).collect();
    let new: Vec<_> = now.iter().filter(|(path, _)| !before.contains_key(*path)).collect();
    assert!(changed.is_empty() && new.is_empty(), "{what}: changed {changed:?}, new {new:?}");
}

/// What B has of what is listed, as an honest master would list it.
fn listed(b: &Router) -> Vec<Entry> {
    let mut entries = Vec::new();
    for path in LISTED {
        list(b, path, &mut entries);
    }
    entries
}

fn list(b: &Router, path: &str, entries: &mut Vec<Entry>) {
    let Ok(metadata) = fs::symlink_metadata(b.file(path)) else { return };
    let meta = Meta { mode: metadata.mode() & 0o777, uid: metadata.uid(), gid: metadata.gid() };
    if metadata.is_dir() {
        entries.push(Entry { path: site(path), meta, kind: Kind::Dir });
        for entry in fs::read_dir(b.file(path)).unwrap() {
            list(b, &format!("{path}/{}", entry.unwrap().file_name().to_str().unwrap()), entries);
        }
    } else if metadata.is_file() {
        let content = fs::read(b.file(path)).unwrap();
        let kind = Kind::File { hash: hash(&content), size: content.len() as u32 };
        entries.push(Entry { path: site(path), meta, kind });
    }
}

fn memory(router: &Router, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", router.gwha.daemon.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The usual and the longest time between two adverts of a router on the LAN, in milliseconds.
fn gaps(lab: &Lab, host: Host, since: Instant) -> (f64, f64) {
    let adverts = lab.capture.adverts(host, Segment::Lan, since);
    let mut gaps: Vec<Duration> = adverts.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    gaps.sort_unstable();
    assert!(gaps.len() >= 10, "{} adverts", gaps.len());
    let ms = |gap: Duration| gap.as_secs_f64() * 1000.0;
    (ms(gaps[gaps.len() / 2]), ms(*gaps.last().unwrap()))
}

#[track_caller]
fn on_time((median, longest): (f64, f64), interval: f64) {
    eprintln!("adverts {median:.2} ms apart, {longest:.2} ms at most");
    assert!((median - interval).abs() < 5.0, "adverts are {median} ms apart");
    assert!(longest < 2.0 * interval, "no advert for {longest} ms");
}

/// Paths that are not in the lists of B, or lead out of them.
fn foreign_paths() -> Vec<String> {
    let deep = format!("etc/app{}", "/x".repeat(FILE_DEPTH));
    let long = format!("etc/app/{}", "x".repeat(FILE_PATH_BYTES - 40));
    let mut paths: Vec<String> = [
        "etc/unlisted",
        "etc/config",
        "etc/config/firewall",
        "etc/app2",
        "secret/key",
        "etc/app/../unlisted",
        "etc/app/..",
        "etc/app/./x",
        "etc/app//x",
        "etc/app/",
        "etc/app/a\nb",
        "etc/app/a\0b",
        "etc/app/.x.gwha-new",
        "etc/app/link",
        "etc/app/link/x",
        "etc/app/link/new",
        "etc/app/filelink",
        "etc/app/pipe",
        &deep,
        &long,
    ]
    .map(site)
    .to_vec();
    let elsewhere = ["", "/", "etc/app/x", "/etc/gwha-evil", "/etc/passwd", "/run/gwha-B/aside/x"];
    paths.extend(elsewhere.map(str::to_owned));
    paths.push("/proc/sys/net/ipv4/conf/all/forwarding".into());
    paths
}

/// Links and pipes of B's own in a listed directory, and what the links lead to.
fn set_traps(b: &Router) {
    fs::create_dir_all(b.file("etc/outside")).unwrap();
    fs::write(b.file("etc/outside/x"), "untouched").unwrap();
    fs::write(b.file("etc/unlisted"), "untouched").unwrap();
    symlink("../outside", b.file("etc/app/link")).unwrap();
    symlink("../outside/x", b.file("etc/app/filelink")).unwrap();
    nix::unistd::mkfifo(&b.file("etc/app/pipe"), Mode::S_IRWXU).unwrap();
    fs::write(b.file("etc/config/dhcp"), "config dnsmasq\n").unwrap();
    fs::write(b.file("etc/app/x"), "of B").unwrap();
}

/// A is master and has no channel, B is standby and follows whoever speaks for A.
fn victim(lab: &Lab) -> (Gwha, Router) {
    let a = Gwha::start_with(lab, Host::A, &configuration(&lan(), Host::A));
    until_role(&a, "master");
    let b = Router::start(lab, &lan(), Host::B, "");
    fs::create_dir_all(b.file("etc/app")).unwrap();
    until_role(&b.gwha, "backup");
    (a, b)
}

/// What B puts in place from this puppet: so that what it does not put in place means something.
#[track_caller]
fn is_followed(evil: &mut Puppet, b: &Router, text: &str) {
    evil.lie = Lie::None;
    let file = evil.file(&site("etc/app/control"), text.as_bytes());
    let mut entries = listed(b);
    entries.retain(|entry| entry.path != file.path);
    entries.push(file);
    evil.offer(entries, LIMIT).expect("B says that it is done");
    assert_eq!(b.read("etc/app/control"), text);
    let mode = fs::metadata(b.file("etc/app/control")).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o777, "set-user-id does not follow");
}

#[test]
fn evil_master_writes_nothing_outside_of_the_lists_and_no_junk_in_them() {
    scenario(|lab| {
        let (a, b) = victim(lab);
        let mut evil = Puppet::connect(Host::A, Host::B);
        evil.greet(true, env!("CARGO_PKG_VERSION"));
        set_traps(&b);
        is_followed(&mut evil, &b, "first");
        let (resident, start) = (memory(&b, "VmRSS:"), Instant::now());
        let before = everything(&b);

        for path in foreign_paths() {
            let asked = evil.asked;
            let file = evil.file(&path, b"evil");
            let dir = Entry { path: path.clone(), meta: LOUD, kind: Kind::Dir };
            for entry in [file, dir] {
                let entries = [listed(&b), vec![entry]].concat();
                let report = evil.offer(entries, LIMIT).unwrap_or_else(|| panic!("{path:?}: no end"));
                assert!(!report.told.is_empty(), "{path:?} is not refused");
            }
            is_as_before(&before, &b, &path);
            assert_eq!(evil.asked, asked, "{path:?} is asked for");
        }
        junk_contents(&mut evil, &b, &before);
        junk_lists(&mut evil, &b, &before);

        is_followed(&mut evil, &b, "last");
        let (now, high) = (memory(&b, "VmRSS:"), memory(&b, "VmHWM:"));
        eprintln!("memory: {resident} KiB at first, {now} at last, {high} at most");
        assert!(high < resident + MEMORY_KIB, "{resident} KiB before, up to {high}");
        assert_eq!((a.role(), b.gwha.role()), ("master".into(), "backup".into()));
        on_time(gaps(lab, Host::A, start), 200.0);
    });
}

/// Files in the lists, with contents that are not what they should be.
fn junk_contents(evil: &mut Puppet, b: &Router, before: &BTreeMap<PathBuf, String>) {
    let long = longest();
    let sized = |size: u32, mut entry: Entry| {
        if let Kind::File { hash, .. } = entry.kind {
            entry.kind = Kind::File { hash, size };
        }
        entry
    };
    let x = site("etc/app/x");
    let mut cases = Vec::new();
    for lie in [Lie::OtherBytes, Lie::TooMuch, Lie::Again, Lie::Empty, Lie::Silence, Lie::Endless] {
        cases.push((format!("{lie:?}"), lie, evil.file(&x, b"evil")));
        cases.push((format!("{lie:?} for long"), lie, evil.file(&x, &long)));
    }
    // One byte at a time is as good as all at once if the file is short.
    cases.retain(|(name, ..)| name != "Endless" && name != "Again");
    for size in [FILE_BYTES as u32 + 1, u32::MAX] {
        cases.push((format!("{size} bytes"), Lie::Endless, sized(size, evil.file(&x, &long))));
    }
    cases.push(("shorter than said".into(), Lie::None, sized(10, evil.file(&x, b"evil"))));
    cases.push(("longer than said".into(), Lie::None, sized(2, evil.file(&x, b"evil"))));
    for text in ["config dnsmasq\n\toption x 'unterminated\n", "\0\x01\x02", "option x 'in no section'\n"] {
        let entry = evil.file(&site("etc/config/dhcp"), text.as_bytes());
        cases.push((format!("dhcp {text:?}"), Lie::None, entry));
    }
    let own = b.read("etc/config/gwha");
    for text in ["junk", "", "config instance 'x'\n", &own.replace("option vrid '1'", "option vrid '999'")] {
        let entry = evil.file(&site("etc/config/gwha"), text.as_bytes());
        cases.push((format!("gwha {} bytes", text.len()), Lie::None, entry));
    }
    for (name, lie, entry) in cases {
        evil.lie = lie;
        let mut entries = listed(b);
        entries.retain(|it| it.path != entry.path);
        entries.push(entry);
        // Who says nothing, or goes on for ever, is left waiting.
        evil.offer(entries, ms(1200));
        is_as_before(before, b, &name);
    }
    evil.lie = Lie::None;
    // The configuration in force is not removed either, nor made a directory.
    for extra in [None, Some(Entry { path: site("etc/config/gwha"), meta: LOUD, kind: Kind::Dir })] {
        let mut entries = listed(b);
        entries.retain(|it| it.path != site("etc/config/gwha"));
        entries.extend(extra);
        evil.offer(entries, ms(1200));
        is_as_before(before, b, "no configuration");
    }
}

/// Lists that are none.
fn junk_lists(evil: &mut Puppet, b: &Router, before: &BTreeMap<PathBuf, String>) {
    let good = wire::encode_list(900, &[evil.file(&site("etc/app/new"), b"evil")]).remove(0);
    let entry = &good[7..];
    let part = |part: u16, last: u8, body: &[u8]| {
        [&900u32.to_be_bytes()[..], &part.to_be_bytes(), &[last], body].concat()
    };
    // As a device or a link would be called, if there were a word for that.
    let kinds = (3..=255u8).map(|kind| part(0, 1, &[&[kind][..], &entry[1..]].concat()));
    let cut = (0..good.len()).map(|length| good[..length].to_vec());
    let odd = [part(1, 1, entry), part(0, 1, &[entry, entry].concat()), part(u16::MAX, 1, entry)];
    for body in kinds.chain(cut).chain(odd) {
        // An empty list is a list: a master without files. That is not what is tried here.
        if body != part(0, 1, &[]) {
            evil.say(kind::LIST, body);
        }
    }
    evil.listen(ms(500));
    is_as_before(before, b, "lists that are none");
    // A list that never ends is not kept.
    evil.flood(ms(2000), |evil, count| {
        let entry = evil.file(&site(&format!("etc/app/{count:08}")), b"evil");
        let body = wire::encode_list(900, &[entry]).remove(0);
        evil.say(kind::LIST, part(count as u16, 0, &body[7..]));
    });
    let many: Vec<Entry> =
        (0..FILES + 1).map(|number| evil.file(&site(&format!("etc/app/{number:08}")), b"evil")).collect();
    evil.list(many);
    evil.listen(ms(500));
    is_as_before(before, b, "lists without an end");
}

/// The longest list there is: what B has, and things that it does not take, others each time.
fn long_list(b: &Router, number: u32) -> Vec<Vec<u8>> {
    let path = |at: usize| format!("{SITE}/etc/app/{}/{at:06}", "../".repeat(300));
    let meta = Meta { mode: number & 0o777, ..LOUD };
    let entry = |at| Entry { path: path(at), meta, kind: Kind::File { hash: [number as u8; 32], size: 9 } };
    let mut entries = listed(b);
    entries.extend((entries.len()..FILES).map(entry));
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    wire::encode_list(number, &entries)
}

/// Says everything there is to say about files, without an end.
fn flood(evil: &mut Puppet, lists: &[Vec<u8>], period: Duration) {
    let piece = Piece { hash: [7; 32], offset: 0, bytes: &[b'x'; wire::PIECE_BYTES] }.encode();
    let asks = [site("etc/app/x"), site("secret/key"), "/etc/shadow".into(), site("etc/config/gwha")];
    let told = |at: u32| Told { what: wire::Matter::Failed, path: site("etc/app"), why: format!("{at}") };
    let count = evil.flood(period, |evil, count| match count / 64 % 8 {
        0 => evil.say(kind::LIST, lists[count as usize % lists.len()].clone()),
        1 => evil.say(kind::PIECE, piece.clone()),
        2 => evil.greet(count % 3 != 0, &format!("{count}")),
        3 => {
            let path = asks[count as usize % asks.len()].clone();
            evil.say(kind::ASK, Ask { hash: [count as u8; 32], offset: 0, path }.encode());
        }
        4 => {
            let told = vec![told(count); 32];
            evil.say(kind::REPORT, Report { number: count, is_settled: true, told }.encode());
        }
        5 => evil.say(kind::REFUSAL, wire::encode_refusal(&[7; 32], "no")),
        6 => evil.say((count % 32) as u8, Vec::new()),
        _ => evil.say((count % 8) as u8, vec![count as u8; count as usize % 300]),
    });
    eprintln!("{count} messages in {period:?}");
    assert!(count > 1000, "{count} messages are no flood");
}

#[test]
fn flood_of_an_evil_master_delays_no_takeover_and_no_advert_and_keeps_no_memory() {
    scenario(|lab| {
        let (mut a, b) = victim(lab);
        let mut evil = Puppet::connect(Host::A, Host::B);
        evil.greet(true, env!("CARGO_PKG_VERSION"));
        set_traps(&b);
        is_followed(&mut evil, &b, "first");
        let (resident, before) = (memory(&b, "VmRSS:"), everything(&b));

        // The master's death is noticed as if nothing were the matter.
        let lists = [long_list(&b, 1), long_list(&b, 2)].concat();
        let flooding = thread::spawn(move || flood(&mut evil, &lists, ms(10_000)));
        thread::sleep(ms(2000));
        assert_eq!(b.gwha.role(), "backup");
        let died = Instant::now();
        a.daemon.crash();
        until_role(&b.gwha, "master");
        let last = lab.capture.adverts(Host::A, Segment::Lan, lab.started).last().unwrap().0;
        let first = lab.capture.adverts(Host::B, Segment::Lan, died)[0].0;
        let took = first - last;
        // Three intervals, and the skew of a priority of 90.
        eprintln!("B took over {took:?} after A's last advert");
        assert!(took > ms(600) && took < ms(1000), "B took over {took:?} after A's last advert");
        let start = Instant::now();
        thread::sleep(ms(5000));
        on_time(gaps(lab, Host::B, start), 200.0);
        flooding.join().unwrap();

        is_as_before(&before, &b, "the flood");
        let high = memory(&b, "VmHWM:");
        eprintln!("memory: {resident} KiB at first, {high} at most");
        assert!(high < resident + MEMORY_KIB, "{resident} KiB before, up to {high}");
        assert_eq!(b.gwha.role(), "master");
    });
}

#[test]
fn evil_standby_gets_what_is_listed_and_nothing_else_and_delays_no_advert() {
    scenario(|lab| {
        let b = Router::start(lab, &lan(), Host::B, "");
        fs::create_dir_all(b.file("etc/app")).unwrap();
        set_traps(&b);
        until_role(&b.gwha, "master");
        let mut evil = Puppet::connect(Host::A, Host::B);
        evil.greet(false, env!("CARGO_PKG_VERSION"));
        evil.listen(ms(500));
        let names: Vec<String> = evil
            .heard
            .iter()
            .filter(|(kind, _)| *kind == kind::LIST)
            .map(|(_, body)| String::from_utf8_lossy(body).into_owned())
            .collect();
        assert!(names.concat().contains("etc/app/x") && !names.concat().contains("unlisted"));
        let (resident, before, start) = (memory(&b, "VmRSS:"), everything(&b), Instant::now());

        // What is listed is to be had, and by its own name only.
        evil.heard.clear();
        let ask = |path: &str, content: &[u8]| Ask { hash: hash(content), offset: 0, path: path.into() };
        evil.say(kind::ASK, ask(&site("etc/app/x"), b"of B").encode());
        evil.listen(ms(300));
        let is_it = |(kind, body): &(u8, Vec<u8>)| *kind == kind::PIECE && body.ends_with(b"of B");
        assert!(evil.heard.iter().any(is_it), "{:?}", evil.heard);
        for path in foreign_paths() {
            evil.heard.clear();
            for content in [&b"of B"[..], b"untouched", &fs::read(b.file("secret/key")).unwrap()] {
                evil.say(kind::ASK, ask(&path, content).encode());
                evil.listen(ms(20));
            }
            evil.listen(ms(100));
            let is_refusal =
                |(kind, _): &(u8, Vec<u8>)| [kind::REFUSAL, kind::HELLO, kind::LIST].contains(kind);
            assert!(evil.heard.iter().all(is_refusal), "{path:?}: {:?}", evil.heard);
        }
        // The longest answers, as many as there can be.
        fs::write(b.file("etc/app/long"), longest()).unwrap();
        evil.listen(ms(1000));
        let ask = ask(&site("etc/app/long"), &longest()).encode();
        let count = evil.flood(ms(4000), |evil, _| evil.say(kind::ASK, ask.clone()));
        eprintln!("asked {count} times");
        flood(&mut evil, &[long_list(&b, 1), long_list(&b, 2)].concat(), ms(4000));
        fs::remove_file(b.file("etc/app/long")).unwrap();

        on_time(gaps(lab, Host::B, start), 200.0);
        is_as_before(&before, &b, "an evil standby");
        let high = memory(&b, "VmHWM:");
        eprintln!("memory: {resident} KiB at first, {high} at most");
        assert!(high < resident + MEMORY_KIB, "{resident} KiB before, up to {high}");
        assert_eq!(b.gwha.role(), "master");
    });
}

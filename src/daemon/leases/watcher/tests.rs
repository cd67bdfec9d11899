use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration as StdDuration, Instant as StdInstant};

use super::*;

/// Writes as dnsmasq does: in place, cut off first, then in blocks.
struct Server {
    file: File,
    leases: Vec<(u16, u64)>,
}

impl Server {
    fn new(path: &Path) -> Server {
        Server { file: File::create(path).unwrap(), leases: Vec::new() }
    }

    fn renew(&mut self, host: u16) {
        match self.leases.iter_mut().find(|(it, _)| *it == host) {
            Some((_, end)) => *end += 1,
            None => self.leases.insert(0, (host, clock::wall_seconds() + 3600)),
        }
    }

    fn release(&mut self, host: u16) {
        self.leases.retain(|(it, _)| *it != host);
    }

    fn write(&mut self) {
        let line = |(host, end): &(u16, u64)| {
            format!("{end} 02:00:00:00:{:02x}:{:02x} {} * *\n", host >> 8, host & 255, address(*host))
        };
        let text: String = self.leases.iter().map(line).collect();
        self.file.rewind().unwrap();
        self.file.set_len(0).unwrap();
        for block in text.as_bytes().chunks(4096) {
            self.file.write_all(block).unwrap();
        }
    }
}

fn address(host: u16) -> IpAddr {
    std::net::Ipv4Addr::from(0x0a00_0000 + u32::from(host)).into()
}

/// What the loop makes of what it is told.
#[derive(Default)]
struct Known {
    leases: BTreeMap<IpAddr, Instant>,
    releases: usize,
    dropped: usize,
}

impl Known {
    fn take(&mut self, watcher: &Watcher) {
        for item in watcher.take(usize::MAX) {
            match item {
                Item::Granted(address, _, life) | Item::Adopted(address, _, life) => {
                    let crate::sync::lease::Life::Until(end) = life else { panic!("{life:?}") };
                    self.leases.insert(address, end);
                }
                Item::Released(address) => {
                    self.leases.remove(&address);
                    self.releases += 1;
                }
                Item::Dropped(_) => self.dropped += 1,
            }
        }
    }

    #[track_caller]
    fn until(&mut self, watcher: &Watcher, what: &str, holds: impl Fn(&Known) -> bool) -> StdDuration {
        let start = StdInstant::now();
        while !holds(self) {
            assert!(start.elapsed() < StdDuration::from_secs(10), "{what}: {} leases", self.leases.len());
            let fds = &mut [PollFd::new(watcher.as_fd(), PollFlags::POLLIN)];
            let _ = poll(fds, PollTimeout::from(100u16));
            self.take(watcher);
        }
        start.elapsed()
    }
}

fn watched(path: &Path) -> Watcher {
    let watcher = Watcher::start(path.to_owned()).unwrap();
    watcher.desk().begin(Watch::Adopting);
    watcher.nudge();
    watcher
}

#[test]
fn changes_of_a_server_are_told_soon_and_its_release_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dhcp.leases");
    let watcher = watched(&path);
    let mut server = Server::new(&path);
    let mut known = Known::default();
    for host in 1..=20 {
        server.renew(host);
        server.write();
        known.until(&watcher, "granted", |known| known.leases.len() == usize::from(host));
    }
    server.release(7);
    server.write();
    known.until(&watcher, "released", |known| known.leases.len() == 19);
    // The last line: only a settled text proves that.
    server.release(1);
    server.write();
    known.until(&watcher, "the last one released", |known| known.leases.len() == 18);
    assert_eq!((known.releases, known.dropped), (2, 0));
}

#[test]
fn server_that_writes_all_the_time_loses_nothing_and_releases_nothing() {
    let known =
        (0..20).find_map(|_| while_it_writes()).expect("no machine so busy that each writer is stopped");
    assert_eq!((known.leases.len(), known.releases, known.dropped), (1500, 0, 0));
}

/// `None` if the system stopped the server within a write, for so long that half a text must look whole.
fn while_it_writes() -> Option<Known> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dhcp.leases");
    let watcher = watched(&path);
    let mut server = Server::new(&path);
    (1..=1500).for_each(|host| server.renew(host));
    server.write();
    let mut known = Known::default();
    known.until(&watcher, "all are there", |known| known.leases.len() == 1500);
    let end = StdInstant::now() + StdDuration::from_secs(2);
    let mut host = 0;
    while StdInstant::now() < end {
        host = host % 1500 + 1;
        server.renew(host);
        let before = StdInstant::now();
        server.write();
        if before.elapsed() >= SETTLED_AFTER {
            return None;
        }
        known.take(&watcher);
        std::thread::sleep(StdDuration::from_millis(2));
    }
    let total: u64 = server.leases.iter().map(|(_, end)| *end).sum();
    let base = clock::wall_micros() / 1_000_000;
    let now = clock::now();
    known.until(&watcher, "what was written last is known", |known| {
        let sum: u64 = known.leases.values().map(|end| base + end.since(now).as_secs()).sum();
        sum.abs_diff(total) <= 2 * 1500
    });
    Some(known)
}

#[test]
fn file_that_is_taken_away_or_replaced_releases_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dhcp.leases");
    let watcher = watched(&path);
    let mut server = Server::new(&path);
    (1..=5).for_each(|host| server.renew(host));
    server.write();
    let mut known = Known::default();
    known.until(&watcher, "all are there", |known| known.leases.len() == 5);

    fs::remove_file(&path).unwrap();
    let mut other = Server::new(&path);
    other.renew(99);
    other.write();
    known.until(&watcher, "the new file is read", |known| known.dropped == 5);
    assert_eq!((known.leases.len(), known.releases), (6, 0));
}

#[test]
fn file_that_does_not_count_is_not_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dhcp.leases");
    let watcher = Watcher::start(path.clone()).unwrap();
    let mut server = Server::new(&path);
    server.renew(1);
    server.write();
    std::thread::sleep(StdDuration::from_millis(200));
    assert_eq!(watcher.take(10), []);

    watcher.desk().begin(Watch::Adopting);
    watcher.nudge();
    Known::default().until(&watcher, "it counts now", |known| known.leases.len() == 1);
}

#[test]
fn directory_that_is_not_there_is_told_and_found_later() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("later/dhcp.leases");
    let watcher = watched(&path);
    let start = StdInstant::now();
    while watcher.problem().is_none() {
        assert!(start.elapsed() < StdDuration::from_secs(5));
        std::thread::sleep(StdDuration::from_millis(10));
    }
    fs::create_dir(dir.path().join("later")).unwrap();
    let mut server = Server::new(&path);
    server.renew(1);
    server.write();
    Known::default().until(&watcher, "found", |known| known.leases.len() == 1);
    assert_eq!(watcher.problem(), None);
}

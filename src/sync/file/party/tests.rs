use std::collections::BTreeMap;

use super::super::wire::{Ask, Matter, Piece, encode_list};
use super::super::{Meta, hash};
use super::*;
use crate::limits;

const NOW: Instant = Instant::from_micros(5_000_000);
const B: PeerId = PeerId(1);
const HOSTS: &str = "/etc/hosts";
const OWN: &str = "/etc/config/gwha";

/// A disk in memory that remembers what was done to it.
#[derive(Default)]
struct Memory {
    files: BTreeMap<String, Vec<u8>>,
    links: Vec<String>,
    asides: Vec<(String, String)>,
    done: Vec<String>,
    /// What goes wrong with everything that writes.
    broken: Option<&'static str>,
    /// Somebody writes to all files without end.
    is_growing: bool,
    /// What somebody writes into a file between a look at it and its replacement.
    edit: Option<Vec<u8>>,
}

impl Memory {
    fn do_it(&mut self, what: &str, path: &str) -> Result<(), String> {
        if let Some(why) = self.broken {
            return Err(why.to_owned());
        }
        self.done.push(format!("{what} {path}"));
        Ok(())
    }
}

impl Memory {
    fn is_edited_before(&mut self, path: &str, own: Option<&[u8]>) -> bool {
        if let Some(edit) = self.edit.take() {
            self.files.insert(path.to_owned(), edit);
        }
        self.files.get(path).map(Vec::as_slice) != own
    }
}

impl Disk for Memory {
    fn scan(&mut self) -> Vec<Entry> {
        if self.is_growing {
            self.files.values_mut().for_each(|content| content.push(b'.'));
        }
        let mut all: Vec<Entry> = self.files.iter().map(|(path, content)| file(path, content)).collect();
        all.extend(self.links.iter().map(|path| entry(path, Kind::Held("a symbolic link".into()))));
        all.sort_by(|one, other| one.path.cmp(&other.path));
        all
    }

    fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.files.get(path).cloned())
    }

    fn replace(&mut self, entry: &Entry, content: &[u8], own: Option<&[u8]>) -> Result<bool, String> {
        if self.is_edited_before(&entry.path, own) {
            return Ok(false);
        }
        self.do_it("replace", &entry.path)?;
        self.files.insert(entry.path.clone(), content.to_vec());
        Ok(true)
    }

    fn adjust(&mut self, entry: &Entry) -> Result<(), String> {
        self.do_it("adjust", &entry.path)
    }

    fn make_dir(&mut self, entry: &Entry) -> Result<(), String> {
        self.do_it("make", &entry.path)
    }

    fn remove(&mut self, entry: &Entry, own: Option<&[u8]>) -> Result<bool, String> {
        if self.is_edited_before(&entry.path, own) {
            return Ok(false);
        }
        self.do_it("remove", &entry.path)?;
        self.files.remove(&entry.path);
        Ok(true)
    }

    fn put_aside(&mut self, path: &str, content: &[u8]) -> Result<(), String> {
        self.do_it("aside", path)?;
        self.asides.push((path.to_owned(), String::from_utf8_lossy(content).into_owned()));
        Ok(())
    }

    fn asides(&mut self) -> Vec<(String, String)> {
        self.asides.clone()
    }

    fn remember(&mut self, _: &Settled) {}
}

fn entry(path: &str, kind: Kind) -> Entry {
    Entry { path: path.into(), meta: Meta::default(), kind }
}

fn file(path: &str, content: &[u8]) -> Entry {
    entry(path, Kind::File { hash: hash(content), size: content.len() as u32 })
}

fn party() -> Party {
    let rules = Rules {
        roots: vec![HOSTS.into(), "/etc/app".into(), OWN.into()],
        never: vec!["/etc/gwha".into()],
        uci: "/etc/config".into(),
        own: OWN.into(),
        ..Rules::default()
    };
    let mut party = Party::new(rules, hello(false), Settled::new(), NOW);
    party.up(B, NOW);
    party
}

fn hello(is_source: bool) -> Hello {
    let (release, program) = ("25.12".into(), "1".into());
    Hello { version: wire::VERSION, oldest: wire::OLDEST, is_source, release, program, roots: "/etc".into() }
}

fn said(party: &mut Party, disk: &mut Memory, what: u8, body: &[u8]) -> Vec<(u8, Vec<u8>)> {
    party.said(B, what, body, NOW, disk);
    party.work(NOW, disk);
    sent(party)
}

fn sent(party: &mut Party) -> Vec<(u8, Vec<u8>)> {
    let message = |out| match out {
        Out::Send(_, what, body) => Some((what, body)),
        Out::OwnChanged | Out::Changed(_) => None,
    };
    party.take_out().into_iter().filter_map(message).collect()
}

/// A follower to which the source has listed this.
fn follower(disk: &mut Memory, entries: &[Entry]) -> (Party, Vec<(u8, Vec<u8>)>) {
    let mut party = party();
    said(&mut party, disk, kind::HELLO, &hello(true).encode());
    let mut answers = Vec::new();
    for part in encode_list(7, entries) {
        answers = said(&mut party, disk, kind::LIST, &part);
    }
    (party, answers)
}

fn asks(messages: &[(u8, Vec<u8>)]) -> Vec<(String, u32)> {
    let asks = messages.iter().filter(|(what, _)| *what == kind::ASK);
    asks.filter_map(|(_, body)| Ask::decode(body)).map(|ask| (ask.path, ask.offset)).collect()
}

fn last_report(messages: &[(u8, Vec<u8>)]) -> Report {
    let (_, body) = messages.iter().rfind(|(what, _)| *what == kind::REPORT).expect("there is a report");
    Report::decode(body).unwrap()
}

fn piece(content: &[u8], offset: u32, bytes: &[u8]) -> Vec<u8> {
    Piece { hash: hash(content), offset, bytes }.encode()
}

#[test]
fn file_comes_in_pieces_that_are_asked_for_one_by_one() {
    let mut disk = Memory::default();
    let content = vec![7; wire::PIECE_BYTES + 10];
    let (mut party, messages) = follower(&mut disk, &[file(HOSTS, &content)]);
    assert_eq!(asks(&messages), [(HOSTS.to_owned(), 0)]);
    let messages =
        said(&mut party, &mut disk, kind::PIECE, &piece(&content, 0, &content[..wire::PIECE_BYTES]));
    assert_eq!(asks(&messages), [(HOSTS.to_owned(), wire::PIECE_BYTES as u32)]);
    assert!(disk.done.is_empty() && !party.view(NOW).is_pulled);
    let rest = piece(&content, wire::PIECE_BYTES as u32, &content[wire::PIECE_BYTES..]);
    let messages = said(&mut party, &mut disk, kind::PIECE, &rest);
    assert_eq!(disk.done, ["replace /etc/hosts"]);
    assert_eq!(disk.files[HOSTS], content);
    let report = last_report(&messages);
    assert_eq!((report.number, report.is_settled, report.told.len()), (7, true, 0));
    assert!(party.view(NOW).is_pulled);
}

#[test]
fn edit_made_while_a_file_is_replaced_or_removed_is_put_aside_as_any_other() {
    let mut disk = Memory::default();
    disk.files.insert(HOSTS.into(), b"old".to_vec());
    disk.edit = Some(b"hasty".to_vec());
    let (mut party, _) = follower(&mut disk, &[file(HOSTS, b"new")]);
    let messages = said(&mut party, &mut disk, kind::PIECE, &piece(b"new", 0, b"new"));
    assert_eq!(
        (disk.done.as_slice(), asks(&messages)),
        (&["aside /etc/hosts".to_owned()][..], vec![(HOSTS.to_owned(), 0)])
    );
    said(&mut party, &mut disk, kind::PIECE, &piece(b"new", 0, b"new"));
    assert_eq!(disk.files[HOSTS], b"new");
    let kept = ["old", "hasty"].map(|edit| (HOSTS.to_owned(), edit.to_owned()));
    assert_eq!(disk.asides, kept);

    disk.edit = Some(b"hastier".to_vec());
    let mut list = encode_list(8, &[entry("/etc/app", Kind::Dir), file(HOSTS, b"new")]);
    disk.files.insert("/etc/app/x".into(), b"mine".to_vec());
    party.touched(NOW);
    said(&mut party, &mut disk, kind::LIST, &list.swap_remove(0));
    assert!(!disk.files.contains_key("/etc/app/x"));
    assert_eq!(disk.asides.last().unwrap(), &("/etc/app/x".to_owned(), "hastier".to_owned()));
}

#[test]
fn paths_that_are_not_listed_are_never_asked_for_nor_touched() {
    let mut disk = Memory::default();
    disk.files.insert(HOSTS.into(), b"x".to_vec());
    disk.links.push("/etc/app".into());
    let bad = ["/etc/app/../passwd", "/etc/app/x", "/etc/gwha/key", "/etc/gwha/maintenance", "/etc/passwd"];
    let mut entries: Vec<Entry> = bad.iter().map(|path| file(path, b"evil")).collect();
    entries.push(entry("/etc/shadow", Kind::Dir));
    entries.push(file(HOSTS, b"x"));
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    let (mut party, messages) = follower(&mut disk, &entries);
    assert_eq!(asks(&messages), []);
    for path in bad {
        said(&mut party, &mut disk, kind::PIECE, &piece(b"evil", 0, b"evil"));
        assert!(
            last_report(&messages).told.iter().any(|told| told.path == path || told.path == "/etc/app"),
            "{path}"
        );
    }
    assert_eq!(disk.done, [""; 0]);
}

#[test]
fn content_that_is_not_what_was_announced_or_has_no_end_is_never_put_in_place() {
    let cases: [(&[u8], u32); 5] =
        [(b"evil", 0), (b"xyzxyz", 0), (b"", 0), (b"xyz", 1), (&[0; wire::PIECE_BYTES], 0)];
    for (bytes, offset) in cases {
        let mut disk = Memory::default();
        let (mut party, _) = follower(&mut disk, &[file(HOSTS, b"good")]);
        for _ in 0..3 {
            said(&mut party, &mut disk, kind::PIECE, &piece(b"good", offset, bytes));
        }
        assert_eq!(disk.done, [""; 0], "{bytes:?}");
        let row = party.view(NOW).rows.swap_remove(0);
        assert_eq!(row.state, State::Failed, "{bytes:?}: {row:?}");
    }
    let mut disk = Memory::default();
    let size = limits::FILE_BYTES as u32 + 1;
    let (party, messages) = follower(&mut disk, &[entry(HOSTS, Kind::File { hash: [1; 32], size })]);
    assert_eq!(asks(&messages), []);
    assert_eq!(party.view(NOW).rows[0].state, State::Failed);
}

#[test]
fn nothing_is_taken_from_a_router_that_is_not_the_source_nor_by_one_that_is() {
    let mut disk = Memory::default();
    let parts = encode_list(1, &[file(HOSTS, b"x")]);
    let mut party = party();
    said(&mut party, &mut disk, kind::HELLO, &hello(false).encode());
    assert_eq!(asks(&said(&mut party, &mut disk, kind::LIST, &parts[0])), []);
    party.set_source(true, NOW);
    said(&mut party, &mut disk, kind::HELLO, &hello(true).encode());
    assert_eq!(asks(&said(&mut party, &mut disk, kind::LIST, &parts[0])), []);
    said(&mut party, &mut disk, kind::PIECE, &piece(b"x", 0, b"x"));
    assert_eq!(disk.done, [""; 0]);
}

#[test]
fn two_that_say_they_are_the_source_are_both_left_alone() {
    let mut disk = Memory::default();
    let mut party = party();
    let c = PeerId(2);
    party.up(c, NOW);
    party.said(c, kind::HELLO, &hello(true).encode(), NOW, &mut disk);
    said(&mut party, &mut disk, kind::HELLO, &hello(true).encode());
    let messages = said(&mut party, &mut disk, kind::LIST, &encode_list(1, &[file(HOSTS, b"x")])[0]);
    assert_eq!(asks(&messages), []);
    let row = party.view(NOW).rows.swap_remove(0);
    assert_eq!(
        (row.state, row.why.as_deref()),
        (State::Pending, Some("two routers say that they are master"))
    );
    party.down(c);
    party.work(NOW, &mut disk);
    assert_eq!(asks(&sent(&mut party)), [(HOSTS.to_owned(), 0)]);
}

#[test]
fn source_hands_out_what_it_has_listed_and_nothing_else() {
    let mut disk = Memory::default();
    disk.files.insert(HOSTS.into(), b"content".to_vec());
    disk.files.insert("/etc/shadow".into(), b"secret".to_vec());
    let mut party = party();
    let ask = |path: &str, content: &[u8]| Ask { hash: hash(content), offset: 0, path: path.into() }.encode();
    let answers = said(&mut party, &mut disk, kind::ASK, &ask(HOSTS, b"content"));
    assert!(answers.iter().all(|(what, _)| *what != kind::PIECE), "a standby hands out nothing");

    party.set_source(true, NOW);
    disk.files.remove("/etc/shadow");
    party.work(NOW, &mut disk);
    disk.files.insert("/etc/shadow".into(), b"secret".to_vec());
    for (path, content) in
        [("/etc/shadow", b"secret".as_slice()), (HOSTS, b"another"), ("/etc/app/../hosts", b"content")]
    {
        let answers = said(&mut party, &mut disk, kind::ASK, &ask(path, content));
        assert!(answers.iter().all(|(what, _)| *what != kind::PIECE), "{path}");
    }
    let answers = said(&mut party, &mut disk, kind::ASK, &ask(HOSTS, b"content"));
    assert!(answers.iter().any(|(what, body)| *what == kind::PIECE && body.ends_with(b"content")));
    // It was edited since it was listed.
    disk.files.insert(HOSTS.into(), b"edited".to_vec());
    let answers = said(&mut party, &mut disk, kind::ASK, &ask(HOSTS, b"content"));
    assert!(answers.iter().all(|(what, _)| *what != kind::PIECE));
}

#[test]
fn files_do_not_go_between_releases_of_the_system_and_both_say_so() {
    let mut disk = Memory::default();
    let mut party = party();
    let other = Hello { release: "23.05".into(), ..hello(true) };
    said(&mut party, &mut disk, kind::HELLO, &other.encode());
    let messages = said(&mut party, &mut disk, kind::LIST, &encode_list(1, &[file(HOSTS, b"x")])[0]);
    assert_eq!(asks(&messages), []);
    let row = party.view(NOW).rows.swap_remove(0);
    assert!(
        row.state == State::Failed && row.why.as_ref().is_some_and(|why| why.contains("23.05")),
        "{row:?}"
    );

    party.set_source(true, NOW);
    let messages = said(&mut party, &mut disk, kind::HELLO, &Hello { is_source: false, ..other }.encode());
    assert!(messages.iter().all(|(what, _)| *what != kind::LIST));
    assert_eq!(party.view(NOW).rows[0].state, State::Failed);
}

#[test]
fn own_configuration_is_offered_when_it_is_in_force_and_not_before() {
    let mut disk = Memory::default();
    disk.files.insert(OWN.into(), b"edited".to_vec());
    let mut party = party();
    party.set_source(true, NOW);
    party.release(hash(b"in force"));
    let messages = said(&mut party, &mut disk, kind::HELLO, &hello(false).encode());
    let listed = |messages: &[(u8, Vec<u8>)]| {
        let mut list = List::default();
        messages.iter().filter(|(what, _)| *what == kind::LIST).for_each(|(_, body)| list.add(body).unwrap());
        list.entries
    };
    assert!(matches!(&listed(&messages)[..], [Entry { kind: Kind::Held(_), .. }]));
    assert_eq!(party.view(NOW).rows[2].state, State::Pending);
    party.release(hash(b"edited"));
    party.work(NOW, &mut disk);
    assert_eq!(listed(&sent(&mut party)), [file(OWN, b"edited")]);
    assert!(!party.view(NOW).is_delivered);

    let told = vec![wire::Told { what: Matter::Failed, path: OWN.into(), why: "bad".into() }];
    let report = Report { number: 2, is_settled: true, told };
    said(&mut party, &mut disk, kind::REPORT, &report.encode());
    let view = party.view(NOW);
    assert_eq!((view.is_delivered, view.own_refused.as_deref()), (true, Some("bad")));
}

#[test]
fn full_disk_and_no_room_to_put_aside_are_shown_and_tried_again_ever_more_seldom() {
    let mut disk = Memory { broken: Some("No space left on device"), ..Memory::default() };
    disk.files.insert(HOSTS.into(), b"mine".to_vec());
    let (mut party, messages) = follower(&mut disk, &[file(HOSTS, b"theirs")]);
    let mut messages = messages;
    let mut now = NOW;
    let mut waits = Vec::new();
    for _ in 0..4 {
        assert_eq!(asks(&messages), [(HOSTS.to_owned(), 0)]);
        party.said(B, kind::PIECE, &piece(b"theirs", 0, b"theirs"), now, &mut disk);
        party.work(now, &mut disk);
        let view = party.view(now);
        assert_eq!(view.rows[0].why.as_deref(), Some("No space left on device"));
        assert!(view.is_pulled, "there is nothing more that could be had");
        sent(&mut party);
        let retry = party.troubles.values().map(|trouble| trouble.retry).min().unwrap();
        waits.push(retry.since(now).as_secs());
        now = retry;
        party.work(now, &mut disk);
        messages = sent(&mut party);
    }
    assert_eq!(waits, [1, 2, 4, 8]);
    assert_eq!(disk.files[HOSTS], b"mine");
    disk.broken = None;
    party.said(B, kind::PIECE, &piece(b"theirs", 0, b"theirs"), now, &mut disk);
    party.work(now, &mut disk);
    assert_eq!(disk.done, ["aside /etc/hosts", "replace /etc/hosts"]);
    assert_eq!(party.view(now).rows[0].state, State::Differs);
}

#[test]
fn what_another_router_could_not_take_is_not_known_to_be_there_however_much_that_is() {
    let mut theirs = Memory { broken: Some("No space left on device"), ..Memory::default() };
    let mut disk = Memory::default();
    for number in 0..40 {
        disk.files.insert(format!("/etc/app/{number:02}"), format!("content {number}").into_bytes());
    }
    let (mut follower, mut messages) = follower(&mut theirs, &disk.scan());
    for (path, content) in &disk.files {
        assert_eq!(asks(&messages), [(path.clone(), 0)]);
        messages = said(&mut follower, &mut theirs, kind::PIECE, &piece(content, 0, content));
    }
    let report = last_report(&messages);
    assert!(report.is_settled);

    let mut party = party();
    party.set_source(true, NOW);
    party.work(NOW, &mut disk);
    let report = Report { number: party.number, ..report };
    said(&mut party, &mut disk, kind::REPORT, &report.encode());
    assert!(party.settled.is_empty(), "{} of them are not there", party.settled.len());
}

#[test]
fn file_that_cannot_be_removed_while_it_grows_is_not_looked_at_without_a_pause() {
    let mut disk = Memory { broken: Some("it is being written"), is_growing: true, ..Memory::default() };
    disk.files.insert("/etc/app/x".into(), Vec::new());
    let (mut party, _) = follower(&mut disk, &[entry("/etc/app", Kind::Dir)]);
    assert!(party.next_deadline() > NOW);
    let later = party.next_deadline();
    disk.is_growing = false;
    party.work(later, &mut disk);
    assert!(party.view(later).is_pulled);
    disk.broken = None;
    party.work(later.after(Duration::from_secs(1)), &mut disk);
    assert!(disk.files.is_empty() && disk.asides.len() == 1);
}

#[test]
fn option_that_is_kept_no_longer_follows_and_what_it_was_here_is_put_aside() {
    const NETWORK: &str = "/etc/config/network";
    let text = |address: &str| format!("config interface 'lan'\n\toption ipaddr '{address}'\n").into_bytes();
    let (own, theirs) = (text("2"), text("1"));
    let rules = |keep: &[String]| Rules {
        roots: vec![NETWORK.into()],
        keep: keep.to_vec(),
        uci: "/etc/config".into(),
        ..Rules::default()
    };
    let kept = ["network.lan.ipaddr".to_owned()];
    for is_restarted in [false, true] {
        let mut disk = Memory::default();
        disk.files.insert(NETWORK.into(), own.clone());
        let mut party = party();
        let mut told = |party: &mut Party, keep: &[String]| {
            party.configure(rules(keep), NOW);
            let mut messages = said(party, &mut disk, kind::HELLO, &hello(true).encode());
            let list = encode_list(7, &[file(NETWORK, &theirs)]).swap_remove(0);
            messages.extend(said(party, &mut disk, kind::LIST, &list));
            assert_eq!(asks(&messages), [(NETWORK.to_owned(), 0)], "{keep:?}");
            said(party, &mut disk, kind::PIECE, &piece(&theirs, 0, &theirs));
            assert!(party.view(NOW).is_pulled);
            (disk.files[NETWORK].clone(), disk.asides.len())
        };
        assert_eq!(told(&mut party, &kept), (own.clone(), 0));
        if is_restarted {
            party = Party::new(Rules::default(), hello(false), party.settled, NOW);
            party.up(B, NOW);
            // What is settled goes into nobody's way.
            assert_eq!(told(&mut party, &kept), (own.clone(), 0));
        }
        assert_eq!(told(&mut party, &[]), (theirs.clone(), 1));
    }
}

#[test]
fn list_that_got_lost_is_sent_again() {
    let mut disk = Memory::default();
    let mut party = party();
    party.set_source(true, NOW);
    let count =
        |messages: Vec<(u8, Vec<u8>)>| messages.iter().filter(|(what, _)| *what == kind::LIST).count();
    assert_eq!(count(said(&mut party, &mut disk, kind::HELLO, &hello(false).encode())), 1);
    assert_eq!(count(said(&mut party, &mut disk, kind::REPORT, &Report::default().encode())), 0);
    let later = NOW.after(Duration::from_secs(10));
    party.said(B, kind::REPORT, &Report::default().encode(), later, &mut disk);
    party.work(later, &mut disk);
    assert_eq!(count(sent(&mut party)), 1);
}

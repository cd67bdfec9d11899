//! What a router with the right key may say of files: nothing is written but what is listed, whole, and as announced.

use std::collections::BTreeMap;

use gwha::engine::Instant;
use gwha::peer::PeerId;
use gwha::sync::file::party::{Out, Party};
use gwha::sync::file::rules::Rules;
use gwha::sync::file::wire::{self, Ask, Hello, List, Piece, Report};
use gwha::sync::file::{Disk, Entry, Hash, Kind, Meta, Settled, hash};

const NOW: Instant = Instant::from_micros(5_000_000);
const OTHER: PeerId = PeerId(1);

fn rules() -> Rules {
    Rules {
        roots: vec!["/etc/a".into(), "/etc/config/dhcp".into()],
        never: vec!["/etc/a/key".into()],
        keep: vec!["dhcp.lan.x".into()],
        uci: "/etc/config".into(),
        own: "/etc/config/gwha".into(),
    }
}

/// A disk that insists on what must hold.
#[derive(Default)]
struct Strict(BTreeMap<String, Vec<u8>>);

impl Disk for Strict {
    fn scan(&mut self) -> Vec<Entry> {
        let entry = |(path, content): (&String, &Vec<u8>)| {
            let kind = Kind::File { hash: hash(content), size: content.len() as u32 };
            Entry { path: path.clone(), meta: Meta::default(), kind }
        };
        self.0.iter().map(entry).collect()
    }

    fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>, String> {
        assert!(rules().admit(path), "{path}");
        Ok(self.0.get(path).cloned())
    }

    fn replace(&mut self, entry: &Entry, content: &[u8], own: Option<&[u8]>) -> Result<bool, String> {
        assert_eq!(self.0.get(&entry.path).map(Vec::as_slice), own, "{}", entry.path);
        assert!(rules().admit(&entry.path), "{}", entry.path);
        let Kind::File { hash: announced, .. } = entry.kind else { panic!("{entry:?}") };
        let is_kept: bool = entry.path == "/etc/config/dhcp";
        let is_it: Hash = hash(content);
        assert!(is_kept || is_it == announced, "{}", entry.path);
        self.0.insert(entry.path.clone(), content.to_vec());
        Ok(true)
    }

    fn adjust(&mut self, entry: &Entry) -> Result<(), String> {
        assert!(rules().admit(&entry.path), "{}", entry.path);
        Ok(())
    }

    fn make_dir(&mut self, entry: &Entry) -> Result<(), String> {
        self.adjust(entry)
    }

    fn remove(&mut self, entry: &Entry, own: Option<&[u8]>) -> Result<bool, String> {
        self.adjust(entry)?;
        assert_eq!(self.0.remove(&entry.path).as_deref(), own, "{}", entry.path);
        Ok(true)
    }

    fn put_aside(&mut self, path: &str, _: &[u8]) -> Result<(), String> {
        assert!(rules().admit(path), "{path}");
        Ok(())
    }

    fn asides(&mut self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn remember(&mut self, _: &Settled) {}
}

/// Messages: a kind, a length in two bytes, a body. Above 127 they come to a router that is the source.
pub fn files(bytes: &[u8]) {
    again(bytes);
    let own = Hello { release: "25.12".into(), program: "1".into(), ..Hello::default() };
    let mut disk = Strict::default();
    disk.0.insert("/etc/a".into(), b"content".to_vec());
    let mut party = Party::new(rules(), own, Settled::new(), NOW);
    party.set_source(bytes.first().is_some_and(|first| *first > 127), NOW);
    party.up(OTHER, NOW);
    let mut rest = bytes.get(1..).unwrap_or_default();
    let mut now = NOW;
    while let Some((&[kind, high, low], more)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([high, low])).min(more.len());
        let (body, more) = more.split_at(length);
        rest = more;
        now = now.after(core::time::Duration::from_millis(u64::from(kind >> 4) * 500));
        party.said(OTHER, kind % 8, body, now, &mut disk);
        party.work(now, &mut disk);
        let said: usize = party
            .take_out()
            .iter()
            .map(|out| match out {
                Out::Send(_, _, body) => body.len(),
                Out::OwnChanged | Out::Changed(_) => 0,
            })
            .sum();
        assert!(said <= 128 << 10, "{said} bytes at once");
        let _ = party.view(now);
    }
}

/// What can be read can be said again.
fn again(bytes: &[u8]) {
    if let Some(hello) = Hello::decode(bytes) {
        assert_eq!(Hello::decode(&hello.encode()).map(|it| it.version), Some(hello.version));
    }
    if let Some(ask) = Ask::decode(bytes) {
        assert_eq!(Ask::decode(&ask.encode()), Some(ask));
    }
    if let Some(piece) = Piece::decode(bytes) {
        assert_eq!(Piece::decode(&piece.encode()), Some(piece));
    }
    if let Some(report) = Report::decode(bytes) {
        assert_eq!(Report::decode(&report.encode()).map(|it| it.told.len()), Some(report.told.len()));
    }
    let mut list = List::default();
    if list.add(bytes).is_some() && list.is_whole() {
        let mut copy = List::default();
        wire::encode_list(list.number, &list.entries)
            .iter()
            .for_each(|part| copy.add(part).expect("it was just made"));
        assert_eq!(copy.entries.len(), list.entries.len());
    }
}

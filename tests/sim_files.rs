//! Files in virtual time: two routers with disks that lose power at any step, people who edit on both, and a network that
//! breaks. A seed makes a history.
//!
//! What must hold: at every moment each file has a content that somebody wrote, and nothing unlisted exists; what is
//! replaced or removed is kept aside, unless the other router has had it; and when all is quiet both have what the last master
//! had.
//!
//! `SEED=7 cargo test --test sim_files -- --nocapture` tells one history.

#[path = "support/rng.rs"]
mod rng;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use gwha::engine::Instant;
use gwha::peer::PeerId;
use gwha::sync::file::party::{Out, Party, State};
use gwha::sync::file::rules::Rules;
use gwha::sync::file::wire::Hello;
use gwha::sync::file::{Disk, Entry, Hash, Kind, Meta, Settled, hash};

use rng::Rng;

const LISTED: &str = "/etc/hosts";
const DIR: &str = "/etc/app";
const NETWORK: &str = "/etc/config/network";

fn rules() -> Rules {
    Rules {
        roots: vec![LISTED.into(), DIR.into(), NETWORK.into()],
        never: vec!["/etc/gwha".into()],
        keep: vec!["network.lan.ipaddr".into()],
        uci: "/etc/config".into(),
        own: "/etc/config/gwha".into(),
    }
}

type Content = Vec<u8>;

/// What survives a power loss.
#[derive(Default)]
struct Platter {
    files: BTreeMap<String, (Content, Meta)>,
    dirs: BTreeMap<String, Meta>,
    /// Half-written files, which are swept at a start.
    fresh: BTreeSet<String>,
    asides: Vec<(String, Content)>,
    settled: Settled,
    /// Everything that ever was in a file, but for what is kept.
    ever: BTreeSet<(String, Hash)>,
    /// Steps until the power goes.
    fuel: Option<u32>,
    /// What can't be changed for now: paths that begin so.
    broken: Option<&'static str>,
    /// What was replaced or removed by what follows, since this was looked at last.
    overwritten: Vec<(String, Content)>,
    /// Somebody edits the file that is replaced or removed next, in the very moment in which that happens.
    hasty: Option<Content>,
}

impl Platter {
    /// A step that either happens or does not.
    fn burn(&mut self) -> Result<(), String> {
        match &mut self.fuel {
            Some(0) => Err("no power".into()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn touch(&mut self, path: &str) -> Result<(), String> {
        let is_broken = self.broken.is_some_and(|broken| path.starts_with(broken));
        if is_broken { Err("read-only".into()) } else { self.burn() }
    }

    fn is_dead(&self) -> bool {
        self.fuel == Some(0)
    }

    fn write(&mut self, path: &str, content: Content, meta: Meta) {
        self.ever.insert((path.to_owned(), hash(&shared(&content))));
        self.files.insert(path.to_owned(), (content, meta));
    }

    /// Whether the file is another one than was read, for somebody has just edited it.
    fn is_edited_before(&mut self, entry: &Entry, own: Option<&[u8]>) -> bool {
        if let Some(edit) = self.hasty.take_if(|_| entry.path != NETWORK) {
            self.write(&entry.path, edit, entry.meta);
        }
        self.files.get(&entry.path).map(|(content, _)| content.as_slice()) != own
    }

    /// What people see.
    fn tree(&self) -> BTreeMap<String, (Content, Meta)> {
        let dirs = self.dirs.iter().map(|(path, meta)| (path.clone(), (b"dir".to_vec(), *meta)));
        let files = self.files.iter().map(|(path, (content, meta))| (path.clone(), (shared(content), *meta)));
        dirs.chain(files).collect()
    }
}

/// A content without what is kept.
fn shared(content: &[u8]) -> Content {
    let text = String::from_utf8_lossy(content);
    text.lines()
        .filter(|line| !line.contains("ipaddr"))
        .flat_map(|line| [line, "\n"])
        .collect::<String>()
        .into()
}

impl Disk for Platter {
    fn scan(&mut self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for (path, meta) in &self.dirs {
            entries.push(Entry { path: path.clone(), meta: *meta, kind: Kind::Dir });
        }
        for (path, (content, meta)) in &self.files {
            let kind = Kind::File { hash: hash(content), size: content.len() as u32 };
            entries.push(Entry { path: path.clone(), meta: *meta, kind });
        }
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        entries
    }

    fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.files.get(path).map(|(content, _)| content.clone()))
    }

    fn replace(&mut self, entry: &Entry, content: &[u8], own: Option<&[u8]>) -> Result<bool, String> {
        self.touch(&entry.path)?;
        self.fresh.insert(entry.path.clone());
        self.burn()?;
        if self.is_edited_before(entry, own) {
            self.fresh.remove(&entry.path);
            return Ok(false);
        }
        if let Some((old, _)) = self.files.get(&entry.path).cloned() {
            self.overwritten.push((entry.path.clone(), old));
        }
        self.fresh.remove(&entry.path);
        self.write(&entry.path, content.to_vec(), entry.meta);
        self.burn().map(|()| true)
    }

    fn adjust(&mut self, entry: &Entry) -> Result<(), String> {
        self.touch(&entry.path)?;
        if let Some((_, meta)) = self.files.get_mut(&entry.path) {
            *meta = entry.meta;
        }
        if let Some(meta) = self.dirs.get_mut(&entry.path) {
            *meta = entry.meta;
        }
        Ok(())
    }

    fn make_dir(&mut self, entry: &Entry) -> Result<(), String> {
        self.touch(&entry.path)?;
        self.dirs.insert(entry.path.clone(), entry.meta);
        Ok(())
    }

    fn remove(&mut self, entry: &Entry, own: Option<&[u8]>) -> Result<bool, String> {
        self.touch(&entry.path)?;
        if entry.kind != Kind::Dir && self.is_edited_before(entry, own) {
            return Ok(false);
        }
        if let Some((old, _)) = self.files.remove(&entry.path) {
            self.overwritten.push((entry.path.clone(), old));
        } else {
            let below = format!("{}/", entry.path);
            if self.files.keys().any(|path| path.starts_with(&below)) {
                return Err("not empty".into());
            }
            self.dirs.remove(&entry.path);
        }
        self.burn().map(|()| true)
    }

    fn put_aside(&mut self, path: &str, content: &[u8]) -> Result<(), String> {
        self.touch(path)?;
        let aside = (path.to_owned(), content.to_vec());
        if !self.asides.contains(&aside) {
            self.asides.push(aside);
        }
        self.burn()
    }

    fn asides(&mut self) -> Vec<(String, String)> {
        self.asides.iter().enumerate().map(|(at, (path, _))| (path.clone(), format!("{path}.{at}"))).collect()
    }

    fn remember(&mut self, settled: &Settled) {
        if self.burn().is_ok() {
            self.settled = settled.clone();
        }
    }
}

struct Node {
    disk: Platter,
    party: Party,
    is_master: bool,
}

type Message = (u8, Vec<u8>);

struct World {
    rng: Rng,
    millis: u64,
    edits: u64,
    nodes: [Node; 2],
    /// From each node to the other; `None`: there is no channel.
    wires: Option<[VecDeque<Message>; 2]>,
    is_told: bool,
}

fn hello() -> Hello {
    Hello { release: "25.12".into(), program: "1".into(), ..Hello::default() }
}

impl World {
    fn new(seed: u64) -> World {
        let now = Instant::from_micros(1_000_000);
        let node = |at: usize| {
            let mut disk = Platter::default();
            disk.write(NETWORK, network(at, 0), Meta { mode: 0o600, uid: 0, gid: 0 });
            Node { disk, party: Party::new(rules(), hello(), Settled::new(), now), is_master: false }
        };
        let mut world = World {
            rng: Rng::new(seed),
            millis: 1000,
            edits: 0,
            nodes: [node(0), node(1)],
            wires: None,
            is_told: std::env::var_os("SEED").is_some(),
        };
        world.take_over(0);
        world.connect();
        world
    }

    fn tell(&self, what: impl Fn() -> String) {
        if self.is_told {
            println!("{:8} {}", self.millis, what());
        }
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.millis * 1000)
    }

    fn connect(&mut self) {
        if self.wires.is_none() {
            self.tell(|| "the channel stands".into());
            self.wires = Some(Default::default());
            let now = self.now();
            for at in 0..2 {
                self.nodes[at].party.up(PeerId(1 - at as u8), now);
                self.flush(at);
            }
        }
    }

    fn cut(&mut self) {
        if self.wires.take().is_some() {
            self.tell(|| "the channel is gone".into());
            for at in 0..2 {
                self.nodes[at].party.down(PeerId(1 - at as u8));
            }
        }
    }

    /// What a party has to say goes on the wire.
    fn flush(&mut self, at: usize) {
        for out in self.nodes[at].party.take_out() {
            if let (Out::Send(_, kind, body), Some(wires)) = (out, &mut self.wires) {
                wires[at].push_back((kind, body));
            }
        }
    }

    fn work(&mut self, at: usize) {
        let now = self.now();
        let Node { disk, party, .. } = &mut self.nodes[at];
        party.work(now, disk);
        self.after(at);
    }

    fn deliver(&mut self, to: usize) -> bool {
        let Some((kind, body)) = self.wires.as_mut().and_then(|wires| wires[1 - to].pop_front()) else {
            return false;
        };
        let now = self.now();
        let Node { disk, party, .. } = &mut self.nodes[to];
        party.said(PeerId(1 - to as u8), kind, &body, now, disk);
        party.work(now, disk);
        self.after(to);
        true
    }

    /// Nothing is said by a router without power, and what it did before it lost it must be safe.
    fn after(&mut self, at: usize) {
        self.check_overwritten(at);
        if self.nodes[at].disk.is_dead() {
            self.nodes[at].party.take_out();
            self.reboot(at);
        } else {
            self.flush(at);
        }
    }

    fn check_overwritten(&mut self, at: usize) {
        for (path, content) in std::mem::take(&mut self.nodes[at].disk.overwritten) {
            self.tell(|| format!("{at}: {path} lost {:?}", String::from_utf8_lossy(&content)));
            let is_aside = self.nodes[at].disk.asides.contains(&(path.clone(), content.clone()));
            let is_there = self.nodes[1 - at].disk.ever.contains(&(path.clone(), hash(&shared(&content))));
            assert!(is_aside || is_there, "{at}: {path} had {content:?}, which is nowhere else");
        }
    }

    fn reboot(&mut self, at: usize) {
        self.tell(|| format!("{at} starts again"));
        self.cut();
        let now = self.now();
        let Node { disk, party, is_master } = &mut self.nodes[at];
        disk.fuel = None;
        disk.fresh.clear();
        *party = Party::new(Rules::default(), hello(), disk.settled.clone(), now);
        party.configure(rules(), now);
        if std::mem::take(is_master) && self.rng.below(2) == 0 {
            self.take_over(at);
        }
        if !self.nodes.iter().any(|node| node.is_master) {
            self.take_over(1 - at);
        }
    }

    fn take_over(&mut self, at: usize) {
        self.tell(|| format!("{at} is master"));
        let now = self.now();
        self.nodes[at].is_master = true;
        self.nodes[at].party.set_source(true, now);
    }

    fn stand_by(&mut self, at: usize) {
        self.tell(|| format!("{at} is standby"));
        let now = self.now();
        self.nodes[at].is_master = false;
        self.nodes[at].party.set_source(false, now);
    }

    /// Somebody edits.
    fn edit(&mut self, at: usize) {
        self.edits += 1;
        let (what, number) = (self.rng.below(12), self.edits);
        let name = format!("{DIR}/{}", ["a", "b", "sub/c", "sub/d"][self.rng.below(4) as usize]);
        let path = if self.rng.below(3) == 0 { LISTED.to_owned() } else { name };
        let mode = [0o600, 0o644, 0o755][self.rng.below(3) as usize];
        let size = if self.rng.below(20) == 0 { self.rng.below(120_000) } else { self.rng.below(30) };
        let meta = Meta { mode, uid: 0, gid: self.rng.below(2) as u32 };
        let now = self.now();
        let Node { disk, party, .. } = &mut self.nodes[at];
        match what {
            0..8 => {
                let mut content = format!("edit {number} on {at}\n").into_bytes();
                content.extend(vec![b'x'; size as usize]);
                for dir in ["/etc/app", "/etc/app/sub"]
                    .into_iter()
                    .filter(|dir| path.starts_with(&format!("{dir}/")))
                {
                    disk.dirs.entry(dir.to_owned()).or_insert(Meta { mode: 0o755, uid: 0, gid: 0 });
                }
                disk.write(&path, content, meta);
            }
            8 => drop(disk.files.remove(&path)),
            9 => {
                if let Some((_, old)) = disk.files.get_mut(&path) {
                    *old = meta;
                }
            }
            _ => disk.write(NETWORK, network(at, number), meta),
        }
        party.touched(now);
        self.tell(|| format!("{at}: edit {number} ({what}) of {path}"));
    }

    fn step(&mut self) {
        let at = self.rng.below(2) as usize;
        let master = self.nodes.iter().position(|node| node.is_master).unwrap_or(0);
        match self.rng.below(100) {
            0..10 => self.edit(master),
            10..13 => self.edit(1 - master),
            13..70 => drop(self.deliver(at)),
            70..84 => self.work(at),
            84..90 => self.millis += self.rng.below(3000),
            90 => self.cut(),
            91..94 => self.connect(),
            94..97 => {
                let fuel = self.rng.below(8) as u32;
                self.nodes[at].disk.fuel = Some(fuel + 1);
            }
            97 if self.rng.below(2) == 0 => self.reboot(at),
            97 if self.rng.below(2) == 0 => {
                let broken = [Some(DIR), Some("/etc"), None, None][self.rng.below(4) as usize];
                self.tell(|| format!("{at}: broken is {broken:?}"));
                self.nodes[at].disk.broken = broken;
                let now = self.now();
                self.nodes[at].party.configure(rules(), now);
            }
            97 => {
                self.edits += 1;
                let edit = format!("hasty edit {} on {at}\n", self.edits);
                self.nodes[at].disk.hasty = Some(edit.into_bytes());
            }
            98 => {
                self.stand_by(master);
                self.take_over(1 - master);
            }
            _ => {
                // Both serve for a while, and one of them stops.
                self.cut();
                self.take_over(0);
                self.take_over(1);
                for _ in 0..self.rng.below(6) {
                    let at = self.rng.below(2) as usize;
                    self.edit(at);
                    self.work(at);
                }
                if self.rng.below(2) == 0 {
                    self.connect();
                }
                self.stand_by(at);
            }
        }
    }

    fn check(&self) {
        for node in &self.nodes {
            for (path, (content, _)) in &node.disk.files {
                assert!(rules().admit(path), "{path} is not listed");
                let written = (path.clone(), hash(&shared(content)));
                assert!(
                    self.nodes.iter().any(|node| node.disk.ever.contains(&written)),
                    "{path} has a content that nobody wrote"
                );
            }
        }
        for (at, node) in self.nodes.iter().enumerate() {
            let own = node.disk.files.get(NETWORK).expect("never removed");
            assert!(String::from_utf8_lossy(&own.0).contains(&address(at)), "{at} has lost its own address");
        }
    }

    fn settle(&mut self) {
        self.connect();
        for node in &mut self.nodes {
            node.disk.fuel = None;
            node.disk.broken = None;
        }
        for _ in 0..8 {
            for _ in 0..3 {
                self.millis += 25_000;
                (0..2).for_each(|at| self.work(at));
                while self.deliver(0) || self.deliver(1) {}
            }
        }
    }

    fn check_quiet(&mut self) {
        let masters: Vec<usize> = (0..2).filter(|at| self.nodes[*at].is_master).collect();
        if masters.len() == 2 {
            self.stand_by(1);
        }
        let master = masters[0];
        let before = self.nodes[master].disk.tree();
        self.settle();
        assert_eq!(self.nodes[master].disk.tree(), before, "the master has lost something");
        let other = self.nodes[1 - master].disk.tree();
        // A directory that the master never had is left alone, for it may be a medium that is not there.
        if before.contains_key(DIR) {
            assert_eq!(other, before, "the standby is not the same");
        }
        let now = self.now();
        for (at, node) in self.nodes.iter().enumerate() {
            let view = node.party.view(now);
            for row in &view.rows {
                let kept = node.disk.asides.iter().filter(|(path, _)| path.starts_with(&row.path)).count();
                assert_eq!(row.asides.len(), kept, "{at}: {row:?}");
                assert!(row.state <= State::Differs, "{at}: {row:?}");
                assert!(row.state != State::Pending || !before.contains_key(DIR), "{at}: {row:?}");
            }
            assert!(node.disk.fresh.is_empty());
        }
        assert!(self.nodes[master].party.view(now).is_delivered);
        assert!(self.nodes[1 - master].party.view(now).is_pulled);
        // Quiet means quiet: nothing is asked for any more.
        self.millis += 1;
        (0..2).for_each(|at| self.work(at));
        assert!(self.wires.as_ref().is_none_or(|wires| wires.iter().all(VecDeque::is_empty)));
    }
}

fn address(at: usize) -> String {
    format!("192.168.1.{}", at + 2)
}

fn network(at: usize, number: u64) -> Content {
    format!("config interface 'lan'\n\toption ipaddr '{}'\n\toption number '{number} on {at}'\n", address(at))
        .into()
}

fn play(seed: u64) {
    let mut world = World::new(seed);
    while world.edits < 200 {
        world.step();
        world.check();
    }
    world.check_quiet();
}

#[test]
fn no_history_loses_an_edit_of_the_master_or_one_that_is_not_kept_aside_and_all_end_equal() {
    rng::play_seeds(60, play);
}

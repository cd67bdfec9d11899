//! Whoever is not the source follows it.

use core::time::Duration;

use crate::engine::Instant;
use crate::limits;
use crate::peer::PeerId;

use super::super::plan::{Act, Plan, Step, find, is_settled, plan};
use super::super::rules::is_within;
use super::super::wire::{self, Ask, Matter, Piece, Report, Told, kind};
use super::super::{Agreed, Disk, Entry, Hash, Kind, check, hash, keep};
use super::{Out, Party, Peer, forget_others};

/// A content on its way.
#[derive(Debug)]
pub(super) struct Fetch {
    /// From whom.
    pub peer: PeerId,
    /// When it is given up.
    pub until: Instant,
    entry: Entry,
    hash: Hash,
    size: usize,
    bytes: Vec<u8>,
}

/// What could not be done.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    /// When it is tried again.
    pub retry: Instant,
    /// What was wanted. Something else is tried at once.
    wanted: Entry,
    /// Why not.
    pub why: String,
    /// How bad that is: what has just changed at the other router will be there in a moment.
    pub matter: Matter,
    wait: Duration,
}

/// How long a piece may take: the other router's disk may be slow.
const PATIENCE: Duration = Duration::from_secs(10);

/// First wait before what failed is tried again; doubles.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// What could not be done is looked at again after this time: it may be another file at every look, while it is written.
const BREATH: Duration = Duration::from_millis(100);

/// See [`RETRY_FIRST`].
const RETRY_MAX: Duration = Duration::from_secs(60);

impl Party {
    /// The router to follow: the one that is the source, if there is one and not more.
    pub(super) fn followed(&self) -> Option<PeerId> {
        let fits = |peer: &Peer| {
            peer.hello.as_ref().is_some_and(|hello| hello.is_source && self.obstacle(hello).is_none())
        };
        let mut sources = self.peers.iter().filter(|(_, peer)| fits(peer));
        let (id, peer) = sources.next()?;
        (sources.next().is_none() && peer.list.is_whole()).then_some(*id)
    }

    /// Comes as near to the source as is possible without waiting.
    pub(super) fn follow(&mut self, now: Instant, disk: &mut dyn Disk) {
        let Some(id) = self.followed() else {
            self.fetch = None;
            return;
        };
        if self.fetch.as_ref().is_some_and(|fetch| fetch.until <= now) {
            if let Some(fetch) = self.fetch.take() {
                self.miss(&fetch.entry, "the other router does not send it".to_owned(), now);
            }
        }
        let Some(peer) = self.peers.get(&id) else { return };
        let number = peer.list.number;
        let plan = self.plan(peer);
        let (mut is_at_work, mut fetch) = (false, None);
        for step in &plan.steps {
            let entry = &step.entry;
            let trouble = self.troubles.get(&entry.path);
            if trouble.is_some_and(|trouble| trouble.retry > now && trouble.wanted == *entry) {
                continue;
            }
            if step.act == Act::Fetch {
                fetch.get_or_insert(entry);
                continue;
            }
            match self.carry_out(step, disk) {
                Ok(()) => {
                    self.troubles.remove(&entry.path);
                    self.touched(now);
                }
                Err(why) => {
                    self.fail(entry, why, now);
                    self.touched(now.after(BREATH));
                }
            }
            is_at_work = true;
        }
        if !is_at_work {
            self.fetch_next(id, fetch, now, disk);
        }
        let is_settled = !is_at_work && fetch.is_none() && self.fetch.is_none();
        if is_settled {
            self.conclude(&plan, now, disk);
        }
        self.tell(id, number, is_settled, &plan);
    }

    /// What is to be done to be as another router.
    pub(super) fn plan(&self, peer: &Peer) -> Plan {
        let is_known = |path: &str| peer.hello.as_ref().is_some_and(|hello| hello.speaks_of(path));
        plan(&peer.list.entries, &self.found, &self.settled, &self.rules, &is_known)
    }

    fn fetch_next(&mut self, peer: PeerId, next: Option<&Entry>, now: Instant, disk: &mut dyn Disk) {
        let Some(entry) = next else {
            self.fetch = None;
            return;
        };
        if self.fetch.as_ref().is_some_and(|fetch| fetch.entry == *entry && fetch.peer == peer) {
            return;
        }
        let Kind::File { hash, size } = entry.kind else { return };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > limits::FILE_BYTES {
            let why = format!("larger than {} bytes", limits::FILE_BYTES);
            self.fail(entry, why, now);
            return self.touched(now);
        }
        let fetch = Fetch { peer, until: now, entry: entry.clone(), hash, size, bytes: Vec::new() };
        self.ask_on(fetch, now, disk);
    }

    /// Asks for the next piece, or puts the file in place if that was the last.
    fn ask_on(&mut self, mut fetch: Fetch, now: Instant, disk: &mut dyn Disk) {
        if fetch.bytes.len() < fetch.size {
            fetch.until = now.after(PATIENCE);
            let offset = u32::try_from(fetch.bytes.len()).unwrap_or(u32::MAX);
            let ask = Ask { hash: fetch.hash, offset, path: fetch.entry.path.clone() };
            self.send(fetch.peer, kind::ASK, ask.encode());
            self.fetch = Some(fetch);
            return;
        }
        match self.put(&fetch, disk) {
            Ok(()) => drop(self.troubles.remove(&fetch.entry.path)),
            Err(why) => self.fail(&fetch.entry, why, now),
        }
        self.touched(now);
    }

    /// A piece of a content has come.
    pub(super) fn piece_came(&mut self, peer: PeerId, body: &[u8], now: Instant, disk: &mut dyn Disk) {
        let Some(piece) = Piece::decode(body) else { return };
        let Some(mut fetch) = self.fetch.take_if(|fetch| fetch.peer == peer && fetch.hash == piece.hash)
        else {
            return;
        };
        let is_next = usize::try_from(piece.offset) == Ok(fetch.bytes.len());
        let is_good = is_next
            && !piece.bytes.is_empty()
            && piece.bytes.len() <= fetch.size.saturating_sub(fetch.bytes.len());
        if !is_good {
            return self.fail(&fetch.entry, "the other router sends something else".to_owned(), now);
        }
        fetch.bytes.extend_from_slice(piece.bytes);
        self.ask_on(fetch, now, disk);
    }

    /// The source can't send a content.
    pub(super) fn refused(&mut self, peer: PeerId, body: &[u8], now: Instant) {
        let Some((hash, why)) = wire::decode_refusal(body) else { return };
        if let Some(fetch) = self.fetch.take_if(|fetch| fetch.peer == peer && fetch.hash == hash) {
            self.miss(&fetch.entry, format!("the other router: {why}"), now);
        }
    }

    /// Puts a whole content in place.
    fn put(&mut self, fetch: &Fetch, disk: &mut dyn Disk) -> Result<(), String> {
        let path = fetch.entry.path.as_str();
        if hash(&fetch.bytes) != fetch.hash {
            return Err("what came is not what was announced".to_owned());
        }
        // As it is now, for it may have been edited since it was looked at.
        let own = disk.read(path)?;
        let content = keep::merge(&self.rules, path, &fetch.bytes, own.as_deref())?;
        let program =
            self.peers.get(&fetch.peer).and_then(|peer| peer.hello.as_ref()).map(|hello| &hello.program);
        check::check(&self.rules, path, &content, program == Some(&self.own.program))?;
        let here = hash(&content);
        if own.as_ref() != Some(&content) {
            self.secure(path, own.as_deref(), disk)?;
            if !disk.replace(&fetch.entry, &content, own.as_deref())? {
                // What was edited in this moment is looked at first.
                return Ok(());
            }
            self.note_change(path);
        }
        self.settled.insert(path.to_owned(), Agreed { there: fetch.hash, here });
        Ok(())
    }

    /// Sees to it that what is about to go is not lost.
    fn secure(&mut self, path: &str, content: Option<&[u8]>, disk: &mut dyn Disk) -> Result<(), String> {
        match content {
            Some(content) if !is_settled(path, &hash(content), &self.settled) => {
                disk.put_aside(path, content)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn note_change(&mut self, path: &str) {
        if path == self.rules.own {
            self.out.push(Out::OwnChanged);
        } else if !self.changed.iter().any(|it| it == path) {
            self.changed.push(path.to_owned());
        }
    }

    fn carry_out(&mut self, step: &Step, disk: &mut dyn Disk) -> Result<(), String> {
        let entry = &step.entry;
        match step.act {
            Act::Remove => {
                let own = match entry.kind {
                    Kind::File { .. } => disk.read(&entry.path)?,
                    Kind::Dir | Kind::Held(_) => None,
                };
                self.secure(&entry.path, own.as_deref(), disk)?;
                if disk.remove(entry, own.as_deref())? {
                    self.note_change(&entry.path);
                }
                Ok(())
            }
            Act::MakeDir => disk.make_dir(entry),
            Act::Adjust => disk.adjust(entry),
            Act::Fetch => Ok(()),
        }
    }

    fn fail(&mut self, entry: &Entry, why: String, now: Instant) {
        self.note(entry, why, Matter::Failed, now);
    }

    /// Something did not go well that may do so the next time.
    fn miss(&mut self, entry: &Entry, why: String, now: Instant) {
        let is_again = self.troubles.get(&entry.path).is_some_and(|trouble| trouble.wanted == *entry);
        self.note(entry, why, if is_again { Matter::Failed } else { Matter::Waits }, now);
    }

    fn note(&mut self, entry: &Entry, why: String, matter: Matter, now: Instant) {
        let before = self.troubles.get(&entry.path).filter(|trouble| trouble.wanted == *entry);
        let wait = before.map_or(RETRY_FIRST, |trouble| trouble.wait.saturating_mul(2).min(RETRY_MAX));
        let trouble = Trouble { retry: now.after(wait), wanted: entry.clone(), why, matter, wait };
        self.troubles.insert(entry.path.clone(), trouble);
    }

    /// There is a new list: what failed for a content that is wanted no more is forgotten.
    pub(super) fn forgive(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get(&id) else { return };
        let (wanted, found) = (&peer.list.entries, &self.found);
        self.troubles
            .retain(|path, trouble| [find(wanted, path), find(found, path)].contains(&Some(&trouble.wanted)));
        if self.fetch.as_ref().is_some_and(|fetch| find(wanted, &fetch.entry.path) != Some(&fetch.entry)) {
            self.fetch = None;
        }
    }

    /// Nothing more can be done for now.
    fn conclude(&mut self, plan: &Plan, now: Instant, disk: &mut dyn Disk) {
        let mut is_news = !self.changed.is_empty();
        for (path, agreed) in plan.same.iter() {
            if self.settled.get(path) != Some(agreed) {
                self.settled.insert(path.clone(), *agreed);
                is_news = true;
            }
        }
        let list = self.followed().and_then(|id| self.peers.get(&id)).map(|peer| &peer.list.entries);
        let list = list.map(Vec::as_slice).unwrap_or_default();
        if forget_others(&mut self.settled, list) || is_news {
            disk.remember(&self.settled);
        }
        let steps = &plan.steps;
        self.troubles.retain(|path, _| steps.iter().any(|step| step.entry.path == *path));
        if !self.changed.is_empty() {
            self.out.push(Out::Changed(core::mem::take(&mut self.changed)));
        }
        for root in &self.rules.roots {
            let is_bad = |(path, _): &(String, String)| is_within(path, root);
            let has_trouble = self.troubles.keys().any(|path| is_within(path, root));
            if !has_trouble && !plan.refused.iter().any(is_bad) && !plan.waiting.iter().any(is_bad) {
                self.level.insert(root.clone(), now);
            }
        }
    }

    /// Tells the source how far this router has come, if that is news.
    fn tell(&mut self, id: PeerId, number: u32, is_settled: bool, plan: &Plan) {
        let mut told = Vec::new();
        let mut add = |what, path: &str, why: &str| {
            told.push(Told { what, path: path.to_owned(), why: why.to_owned() })
        };
        for (path, trouble) in self.troubles.iter() {
            add(trouble.matter, path, &trouble.why);
        }
        for (path, why) in &plan.refused {
            add(Matter::Failed, path, why);
        }
        for (path, why) in &plan.waiting {
            add(Matter::Waits, path, why);
        }
        for (path, place) in &self.asides {
            add(Matter::Aside, path, place);
        }
        let report = Report { number, is_settled, told };
        if report != self.report {
            self.report = report;
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.is_owed = true;
            }
        }
    }

    /// Says how far this router has come, if it is one that follows.
    pub(super) fn say_report(&mut self, id: PeerId) {
        let follows = self.peers.get(&id).and_then(|peer| peer.hello.as_ref()).is_some_and(|it| it.is_source);
        if follows && !self.own.is_source {
            let is_of_it = self
                .peers
                .get(&id)
                .is_some_and(|peer| peer.list.is_whole() && peer.list.number == self.report.number);
            let report = if is_of_it { self.report.encode() } else { Report::default().encode() };
            self.send(id, kind::REPORT, report);
        }
    }
}

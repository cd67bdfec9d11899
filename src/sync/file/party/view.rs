//! How things stand, for people and for whoever waits.

use crate::collect::IntoVec as _;
use crate::engine::Instant;
use crate::sorted::Map;

use super::super::Kind;
use super::super::plan::find;
use super::super::rules::is_within;
use super::super::wire::Matter;
use super::source::UNRELEASED;
use super::{Party, Peer};

/// How things stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// The listed files and directories.
    pub rows: Vec<Row>,
    /// As a follower: there is nothing more to be had from the source.
    pub is_pulled: bool,
    /// As the source: whoever listens has all that can be given to it.
    pub is_delivered: bool,
    /// Whether somebody listens to this source.
    pub is_followed: bool,
    /// Whether this router has somebody to follow.
    pub is_following: bool,
    /// Why another router does not take this router's configuration.
    pub own_refused: Option<String>,
}

/// A listed file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its path.
    pub path: String,
    /// How it is.
    pub state: State,
    /// Whether it goes from here to the other router.
    pub is_sent: bool,
    /// When it was the same on both last.
    pub level: Option<Instant>,
    /// What is wrong, or waited for.
    pub why: Option<String>,
    /// Where edits made here are kept aside.
    pub asides: Vec<String>,
}

/// How a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The same on both routers.
    InSync,
    /// Not yet.
    Pending,
    /// The same, but an edit made on the standby was put aside.
    Differs,
    /// It can't be brought over.
    Failed,
}

impl State {
    /// The word used in status.
    pub const fn name(self) -> &'static str {
        match self {
            State::InSync => "in_sync",
            State::Pending => "pending",
            State::Differs => "differs",
            State::Failed => "failed",
        }
    }
}

/// What is to be said of a path.
type Said = (State, String, String);

impl Party {
    /// How things stand.
    pub fn view(&self, now: Instant) -> View {
        let said = if self.own.is_source { self.said_as_source() } else { self.said_as_follower() };
        let row = |path: &String| self.row(path, &said);
        let listeners: Vec<&Peer> = self.listeners().into_vec();
        let is_done = |peer: &&Peer| {
            peer.report.as_ref().is_some_and(|report| report.number == self.number && report.is_settled)
        };
        let own_refused = listeners.iter().filter(|peer| is_done(peer)).find_map(|peer| {
            let told = peer.report.as_ref()?.told.iter().find(|told| told.path == self.rules.own)?;
            (told.what == Matter::Failed).then(|| told.why.clone())
        });
        View {
            rows: self.rules.roots.iter().map(row).into_vec(),
            is_following: !self.own.is_source && self.followed().is_some(),
            is_pulled: !self.own.is_source && self.followed().is_some() && self.report.is_settled,
            is_delivered: self.scan_due > now && listeners.iter().all(is_done),
            is_followed: self.own.is_source && !listeners.is_empty(),
            own_refused,
        }
    }

    /// The routers that follow this one, or could.
    fn listeners(&self) -> impl Iterator<Item = &Peer> {
        self.peers.values().filter(|peer| {
            peer.hello.as_ref().is_some_and(|hello| !hello.is_source && self.obstacle(hello).is_none())
        })
    }

    fn row(&self, root: &str, said: &[Said]) -> Row {
        let asides =
            self.asides.iter().filter(|(path, _)| is_within(path, root)).map(|(_, place)| place.clone());
        // A word about a directory above is one about what is in it.
        let about = said.iter().filter(|(_, path, _)| is_within(path, root) || is_within(root, path));
        let worst = about.max_by_key(|(state, ..)| *state);
        let why = worst.map(|(_, path, why)| match path.strip_prefix(root).filter(|it| !it.is_empty()) {
            Some(below) => format!("{}: {why}", below.trim_start_matches('/')),
            None => why.clone(),
        });
        Row {
            path: root.to_owned(),
            state: worst.map_or(State::InSync, |(state, ..)| *state),
            is_sent: self.own.is_source,
            level: self.level.get(root).copied(),
            why: why.filter(|why| !why.is_empty()),
            asides: asides.into_vec(),
        }
    }

    fn said_of_asides(&self) -> Vec<Said> {
        let mut counts: Map<&String, u32> = Map::new();
        for (path, _) in &self.asides {
            let count = counts.get_or_default(path);
            *count = count.saturating_add(1);
        }
        let say = |(path, count): (&&String, &u32)| {
            (
                State::Differs,
                (*path).clone(),
                format!("the master's version replaced edits made here; kept aside: {count}"),
            )
        };
        counts.iter().map(say).into_vec()
    }

    fn said_as_source(&self) -> Vec<Said> {
        let mut said = self.said_of_asides();
        for entry in &self.listed {
            if let Kind::Held(why) = &entry.kind {
                let state = if why == UNRELEASED { State::Pending } else { State::Failed };
                said.push((state, entry.path.clone(), why.clone()));
            }
        }
        for peer in self.peers.values() {
            let Some(hello) = &peer.hello else { continue };
            if let Some(why) = self.obstacle(hello) {
                self.say_of_all(State::Failed, &why, &mut said);
            } else if hello.is_source {
                self.say_of_all(State::Pending, "both routers say that they are master", &mut said);
            } else {
                self.said_by(peer, &mut said);
            }
        }
        if !self.peers.values().any(|peer| peer.hello.is_some()) {
            self.say_of_all(State::Pending, NOBODY, &mut said);
        }
        said
    }

    /// What a router that follows has told.
    fn said_by(&self, peer: &Peer, said: &mut Vec<Said>) {
        let report = peer.report.as_ref().filter(|report| report.number == self.number);
        let Some(report) = report else { return self.say_of_all(State::Pending, "", said) };
        for told in &report.told {
            let (state, why) = match told.what {
                Matter::Failed => (State::Failed, format!("the other router: {}", told.why)),
                Matter::Aside => {
                    (State::Differs, format!("an edit is kept aside on the other router: {}", told.why))
                }
                Matter::Waits => continue,
            };
            said.push((state, told.path.clone(), why));
        }
        if !report.is_settled {
            self.say_of_all(State::Pending, "", said);
        }
    }

    fn said_as_follower(&self) -> Vec<Said> {
        let mut said = self.said_of_asides();
        let hellos = || self.peers.values().filter_map(|peer| peer.hello.as_ref());
        if let Some(why) = hellos().find_map(|hello| self.obstacle(hello)) {
            self.say_of_all(State::Failed, &why, &mut said);
        }
        let Some(peer) = self.followed().and_then(|id| self.peers.get(&id)) else {
            let sources = hellos().filter(|hello| hello.is_source).count();
            let why = match (sources, hellos().next()) {
                (0, None) => NOBODY,
                (0, Some(_)) => "no router is master",
                (1, _) => "",
                (_, _) => "two routers say that they are master",
            };
            self.say_of_all(State::Pending, why, &mut said);
            return said;
        };
        let plan = self.plan(peer);
        for step in &plan.steps {
            let path = &step.entry.path;
            if !self.troubles.contains_key(path) {
                said.push((State::Pending, path.clone(), String::new()));
            }
        }
        for (path, trouble) in self.troubles.iter() {
            let state = if trouble.matter == Matter::Failed { State::Failed } else { State::Pending };
            said.push((state, path.clone(), trouble.why.clone()));
        }
        let refused = plan.refused.into_iter().map(|(path, why)| (State::Failed, path, why));
        said.extend(refused);
        let waiting = plan.waiting.into_iter();
        said.extend(waiting.map(|(path, why)| (State::Pending, path, format!("the other router: {why}"))));
        // What is held here and not wanted there is nobody's business.
        said.retain(|(_, path, _)| self.rules.root_of(path).is_some() || find(&self.found, path).is_some());
        said
    }

    fn say_of_all(&self, state: State, why: &str, said: &mut Vec<Said>) {
        said.extend(self.rules.roots.iter().map(|root| (state, root.clone(), why.to_owned())));
    }
}

const NOBODY: &str = "the other router is not connected, or does not sync files";

//! The channel to the other routers, as the daemon runs it: its key, what is said on it, what was heard.

use crate::collect::IntoVec as _;
use crate::sorted::Map;
use core::time::Duration;
use std::path::Path;
use std::sync::Arc;

use crate::config::model::{Config, GroupId};
use crate::engine::{Event, Instant, Maintenance, Role};
use crate::peer::dial::Reach;
use crate::peer::kept::Kept;
use crate::peer::key::{self, Key};
use crate::peer::mesh::{Happening, Identity, Mesh, View};
use crate::peer::message::{GroupState, Hello, Message, PROTOCOL, PROTOCOL_OLDEST, Setup, State, clean};
use crate::peer::plan::Plan;
use crate::peer::session::End;
use crate::peer::{PeerId, about};
use crate::ubus::Decimal;

use super::clock;
use super::files::is_file;
use super::leases::is_lease;
use super::notify::Line;
use super::report::host_name;
use super::run::Daemon;

/// The channel and what was heard on it.
#[derive(Debug)]
pub struct Peering {
    /// The sockets.
    pub mesh: Mesh,
    /// Whether there is a key.
    pub key: KeyState,
    /// What our configuration says.
    pub setup: Setup,
    /// What the others said of themselves last.
    pub known: Map<PeerId, Known>,
    life: String,
    /// When a key that is not there is looked for again.
    key_due: Option<Instant>,
    /// When our state is told again.
    state_due: Instant,
    kept: Kept,
    /// Preemption waits for the first word of another router.
    holding: bool,
}

/// Whether there is a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// No channel is configured.
    Off,
    /// There is none: where it should be, and what is wrong.
    Unusable(String, String),
    /// There is one.
    Good,
}

/// What a router said of itself.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Its state, and when that came.
    pub state: Option<(State, Instant)>,
    /// Its wall clock minus ours then, in seconds.
    pub clock_offset: Decimal,
    /// Its configuration.
    pub setup: Option<Setup>,
}

/// A key that was not there is looked for this often: `gwha keygen` needs no reload after it.
const KEY_RETRY: Duration = Duration::from_secs(10);

/// How long a preemption waits for the channel after a start.
const PREEMPT_HOLD: Duration = Duration::from_secs(30);

/// Our state is told this often, and at once when a role changes.
const STATE_EVERY: Duration = Duration::from_secs(2);

impl Peering {
    /// No channel yet.
    pub fn new(now: Instant) -> Peering {
        let mut bytes = [0; 16];
        if getrandom::fill(&mut bytes).is_err() {
            log::warn!("peer channel: the system has no randomness to give yet");
        }
        let seed =
            bytes.first_chunk::<8>().map_or(0, |it| u64::from_ne_bytes(*it)) ^ clock::now().as_micros();
        Peering {
            mesh: Mesh::new(seed),
            key: KeyState::Off,
            setup: Setup::default(),
            known: Map::new(),
            life: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            key_due: None,
            state_due: now,
            kept: Kept::default(),
            holding: false,
        }
    }

    /// A turn of the loop in which peers were served is over.
    pub fn end_turn(&mut self) {
        self.mesh.end_turn();
    }

    /// When [`Daemon::expire_peers`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let state = (self.mesh.connected().next().is_some()).then_some(self.state_due);
        Instant::earliest(&[self.mesh.next_deadline(), self.key_due, state])
    }

    /// The state is to be told at the end of this turn.
    pub fn state_changed(&mut self, now: Instant) {
        self.state_due = now;
    }

    fn identity(&self, key: Key) -> Identity {
        let hello = Hello {
            protocol: PROTOCOL,
            oldest: PROTOCOL_OLDEST,
            life: self.life.clone(),
            node: host_name(),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        Identity { key, hello }
    }
}

impl Daemon {
    /// The configuration, or the key file, may be another one.
    pub(super) fn peers_configured(&mut self, now: Instant) {
        let setup = self.file.common().map(about::setup).unwrap_or_default();
        let is_news = setup != self.peering.setup;
        self.peering.setup = setup;
        self.read_key(now);
        self.plan_peers(now);
        if is_news {
            let message = Message::Setup(self.peering.setup.clone());
            self.peering.mesh.send_all(&message, &mut self.poller, now);
        }
    }

    /// At the start: a router that has forgotten a switch is told so before it may preempt, if there is somebody to
    /// tell it (protocol rules 8 and 19).
    pub(super) fn hold_preempt(&mut self, now: Instant) {
        if self.peering.key == KeyState::Good {
            self.peering.holding = true;
            self.step(now, Event::HoldPreempt { until: Some(now.after(PREEMPT_HOLD)) });
        }
    }

    fn read_key(&mut self, now: Instant) {
        let (state, key) = match &self.config.sync {
            None => (KeyState::Off, None),
            Some(sync) => match Key::read(Path::new(&sync.key_file)) {
                Ok(key) => (KeyState::Good, Some(key)),
                Err(error) => (KeyState::Unusable(sync.key_file.clone(), error.to_string()), None),
            },
        };
        if state != self.peering.key {
            match &state {
                KeyState::Unusable(file, error) => log::warn!("peer channel off: {file}: {error}"),
                KeyState::Good => log::info!("peer channel: key read"),
                KeyState::Off => {}
            }
        }
        self.peering.key_due = matches!(state, KeyState::Unusable(..)).then(|| now.after(KEY_RETRY));
        self.peering.key = state;
        let identity = key.map(|key| self.peering.identity(key));
        let mut happenings = Vec::new();
        self.peering.mesh.identify(identity, &mut self.poller, &mut happenings, now);
        self.peers_happened(happenings, now);
    }

    /// Links or addresses may be others.
    pub(super) fn plan_peers(&mut self, now: Instant) {
        let own = self.system.own_addresses();
        let is_current = Arc::ptr_eq(&self.config, self.engine.config());
        let source = |id| if is_current { self.engine.source(id) } else { None };
        let plan = Plan::new(&self.config, &source, &own, &|link| self.system.device(link));
        let mut happenings = Vec::new();
        self.peering.mesh.configure(plan, &mut self.poller, &mut happenings, now);
        self.peers_happened(happenings, now);
    }

    /// A connection is ready.
    pub(super) fn serve_peer(&mut self, slot: u16, now: Instant) {
        let mut happenings = Vec::new();
        self.peering.mesh.serve(slot, &mut self.poller, &mut happenings, now);
        self.peers_happened(happenings, now);
    }

    /// Does what is due.
    pub(super) fn expire_peers(&mut self, now: Instant) {
        if self.peering.key_due.is_some_and(|due| due <= now) {
            self.read_key(now);
            self.plan_peers(now);
        }
        let mut happenings = Vec::new();
        self.peering.mesh.expire(&mut self.poller, &mut happenings, now);
        self.peers_happened(happenings, now);
        if self.peering.holding && self.is_nobody_to_ask(now) {
            self.peering.holding = false;
            self.release_preempt(now);
        }
        if self.peering.state_due <= now {
            self.peering.state_due = now.after(STATE_EVERY);
            if self.peering.mesh.connected().next().is_some() {
                self.tell_state(now);
            }
        }
    }

    /// Whether the other router has no channel at all, or none with our key.
    pub(super) fn is_nobody_to_ask(&self, now: Instant) -> bool {
        let views = self.peering.mesh.views(now);
        views.iter().all(|view| matches!(view.trouble, Some(Reach::Key | Reach::Refused)))
    }

    fn peers_happened(&mut self, happenings: Vec<Happening>, now: Instant) {
        for happening in happenings {
            match happening {
                Happening::Up(peer) => self.peer_up(peer, now),
                Happening::Down(peer, end) => self.peer_down(peer, &end, now),
                Happening::Message(peer, message) => self.peer_said(peer, message, now),
            }
        }
    }

    fn peer_up(&mut self, peer: PeerId, now: Instant) {
        let views = self.peering.mesh.views(now);
        if let Some(view) = views.iter().find(|view| view.id == peer) {
            let name = view.hello.as_ref().map_or("", |hello| &hello.node);
            let address = view.address.map(|it| it.to_string()).unwrap_or_default();
            let route = view.route.as_deref().unwrap_or_default();
            self.tell_peer("channel_up", format!("peer {name} ({address}): channel up on {route}"), now);
        }
        let message = Message::Setup(self.peering.setup.clone());
        let _ = self.peering.mesh.send(peer, &message, &mut self.poller, now);
        self.peering.state_changed(now);
        self.leases_up(peer, now);
        self.files_up(peer);
    }

    fn peer_down(&mut self, peer: PeerId, end: &End, now: Instant) {
        self.peering.known.remove(&peer);
        self.duties.look_elsewhere();
        self.peer_gone(peer, now);
        self.leases_down(peer, now);
        self.files_down(peer, now);
        let views = self.peering.mesh.views(now);
        let name = hello_of(&views, peer).map_or("", |hello| &hello.node);
        self.tell_peer("channel_down", format!("peer {name}: channel down: {end}"), now);
    }

    fn tell_peer(&mut self, event: &str, message: String, now: Instant) {
        self.tell(now, Line::new(log::Level::Info, event, message));
    }

    fn peer_said(&mut self, peer: PeerId, message: Message, now: Instant) {
        match message {
            Message::State(state) => {
                let known = self.peering.known.get_or_default(peer);
                known.clock_offset = Decimal::thousandths(state.clock.saturating_sub(wall_clock()));
                known.state = Some((state, now));
                self.duties.look_elsewhere();
                self.peer_state(peer, now);
            }
            Message::Setup(setup) => self.peering.known.get_or_default(peer).setup = Some(setup),
            Message::Prepare(request) => self.prepare(peer, request, now),
            Message::Take(request) => self.take(peer, request, now),
            Message::Prepared(reply) | Message::Taken(reply) => self.answered(peer, reply, now),
            Message::Bulk(bulk) if is_lease(bulk.kind) => self.leases_said(peer, &bulk, now),
            Message::Bulk(bulk) if is_file(bulk.kind) => self.files_said(peer, bulk),
            // Belonging to what is not on, or to the session.
            Message::Bulk(_) | Message::Hello(_) | Message::Adopt | Message::Bye(_) | Message::Ping => {}
        }
    }

    /// What follows from another router's state for our groups.
    fn peer_state(&mut self, peer: PeerId, now: Instant) {
        let views = self.peering.mesh.views(now);
        let life = hello_of(&views, peer).map_or("", |hello| &hello.life);
        let Some((state, _)) = self.peering.known.get(&peer).and_then(|known| known.state.clone()) else {
            return;
        };
        let (engine, config) = (&self.engine, Arc::clone(self.engine.config()));
        let mastership = |name: &str| {
            let id = group_id(&config, name)?;
            let (role, epoch) = engine.role(id);
            (role == Role::Master).then_some(epoch.0)
        };
        self.peering.kept.heard(peer, life, &state, &mastership);
        for group in state.groups.iter().filter(|group| group.kept) {
            if let Some(group) = group_id(&config, &group.name) {
                self.step(now, Event::Kept { group });
            }
        }
        // Whatever it may have had to say is said.
        if core::mem::take(&mut self.peering.holding) {
            self.release_preempt(now);
        }
    }

    /// Nothing holds back a preemption any more, if that is so.
    pub(super) fn release_preempt(&mut self, now: Instant) {
        if !self.peering.holding && !self.files.is_holding() {
            self.step(now, Event::HoldPreempt { until: None });
        }
    }

    /// Tells every router how this one is.
    fn tell_state(&mut self, now: Instant) {
        let state = self.own_state(now);
        let best =
            |group: &GroupState, base: Option<u8>| base.is_none_or(|base| group.priority >= u32::from(base));
        let config = Arc::clone(self.engine.config());
        for group in &state.groups {
            let base = group_id(&config, &group.name).and_then(|id| self.engine.group(id, now).base);
            if group.role != Role::Master.name() || !best(group, base) {
                self.peering.kept.forget(&group.name);
            }
        }
        let peers: Vec<PeerId> = self.peering.mesh.connected().into_vec();
        for peer in peers {
            let mut state = state.clone();
            for group in &mut state.groups {
                let mastership = (group.role == Role::Master.name()).then_some(group.epoch);
                group.kept = self.peering.kept.keeps(peer, &group.name, mastership);
            }
            let _ = self.peering.mesh.send(peer, &Message::State(state), &mut self.poller, now);
        }
    }

    fn own_state(&self, now: Instant) -> State {
        let status = self.status(now);
        let groups = status.groups.iter().map(|group| GroupState {
            name: group.name.clone(),
            role: group.role.clone(),
            epoch: group.epoch,
            priority: group.priority.into(),
            switched_away: group_id(self.engine.config(), &group.name)
                .is_some_and(|id| self.engine.group(id, now).switched_away),
            kept: false,
            holds: self.held(&group.name),
        });
        State {
            role: status.role,
            health: status.health.name().into(),
            maintenance: self.engine.maintenance() == Maintenance::On,
            uptime: u32::try_from(now.since(self.started).as_secs()).unwrap_or(u32::MAX),
            clock: wall_clock(),
            groups: groups.into_vec(),
        }
    }
}

impl Known {
    /// A group's role there; a word of ours or nothing.
    pub fn role(&self, group: &str) -> Option<&'static str> {
        let (state, _) = self.state.as_ref()?;
        let said = state.groups.iter().find(|it| it.name == group)?;
        [Role::Init, Role::Backup, Role::Master, Role::Fault]
            .into_iter()
            .map(Role::name)
            .find(|it| *it == said.role)
    }

    /// A word of its state, fit to be shown.
    pub fn word(&self, word: impl Fn(&State) -> &String) -> Option<String> {
        self.state.as_ref().map(|(state, _)| clean(word(state)))
    }
}

/// The reason that a key file can't be used, in the words of [`key::Error`], goes into the status as it is.
const _: fn(&key::Error) -> String = ToString::to_string;

/// Who a router is, or was last.
fn hello_of(views: &[View], peer: PeerId) -> Option<&Hello> {
    views.iter().find(|view| view.id == peer)?.hello.as_ref()
}

fn group_id(config: &Config, name: &str) -> Option<GroupId> {
    (0..).map(GroupId).zip(&config.groups).find(|(_, group)| group.name == name).map(|(id, _)| id)
}

/// Milliseconds since 1970. Shown, never used.
fn wall_clock() -> i64 {
    i64::try_from(clock::wall_micros() / 1000).unwrap_or(i64::MAX)
}

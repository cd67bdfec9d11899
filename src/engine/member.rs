//! One instance as a member of its group: the link it lives on, who is heard there, and its own timers.
//! It has no role; roles belong to groups.

use core::time::Duration;
use std::net::IpAddr;

use crate::collect::IntoVec as _;
use crate::config::model::{Instance, InstanceId, Mode, Place, Routers, Vip};
use crate::wire::types::{Family, Interval, Version};
use crate::wire::vrrp::Reject;

use super::action::{Action, Mismatch, Notice};
use super::announce::Announcer;
use super::cx::Cx;
use super::event::{LinkCondition, LinkState};
use super::role::LinkProblem;
use super::time::Instant;
use super::timers::Timer;
use crate::limits;

/// A member of a group.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub id: InstanceId,
    /// Why it can't be used; `None`: usable.
    pub problem: Option<LinkProblem>,
    /// A reload brought it, and nothing has been said of its link yet. That is no fault: a master that said
    /// so for a moment would be relieved.
    pub awaited: bool,
    /// Own address, while it is on the link.
    pub source: Option<IpAddr>,
    /// Interval of the master that was heard last (RFC 9568 §6.1 Active_Adver_Interval).
    pub learned: Interval,
    /// Master_Down_Timer of this member; the group fires when those of all usable members have passed.
    pub master_down: Timer,
    /// Adver_Timer: when the next periodic advert leaves.
    pub advert: Timer,
    /// When an advert that could not be sent is tried again, and how often it was tried.
    pub retry: Timer,
    retries: u32,
    /// Gratuitous ARP or neighbour advertisements.
    pub announcer: Announcer,
    /// Since when Master_Down_Timer runs, and whose silence it watches.
    armed: (Instant, Watch),
    /// The Master_Down_Timer has run out here, and that was reported.
    pub silent: bool,
    /// The present master said here that it stops.
    pub stopped: bool,
    pub conflict_noticed: Option<Instant>,
    pub peers: Vec<Peer>,
    pub sent: u32,
    pub received: u32,
    pub rejected: [u32; Reject::ALL.len()],
}

/// Another router as heard by a member.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub address: IpAddr,
    pub last_heard: Option<Instant>,
    pub priority: Option<u8>,
    /// Not heard yet, or reported as lost.
    pub lost: bool,
    pub mismatch: Option<Mismatch>,
    mismatch_noticed: Option<Instant>,
}

impl Peer {
    fn new(address: IpAddr) -> Peer {
        Peer { address, last_heard: None, priority: None, lost: true, mismatch: None, mismatch_noticed: None }
    }
}

impl Member {
    pub fn new(id: InstanceId, instance: &Instance) -> Member {
        let (Routers::Listed(known) | Routers::Peers { peers: known, .. }) = &instance.routers;
        Member {
            id,
            problem: Some(LinkProblem::Missing),
            awaited: false,
            source: None,
            learned: instance.interval,
            master_down: Timer::default(),
            advert: Timer::default(),
            retry: Timer::default(),
            retries: 0,
            announcer: Announcer::default(),
            armed: (Instant::default(), Watch::Anyone),
            silent: false,
            stopped: false,
            conflict_noticed: None,
            peers: known.iter().map(|address| Peer::new(*address)).into_vec(),
            sent: 0,
            received: 0,
            rejected: [0; Reject::ALL.len()],
        }
    }

    pub fn usable(&self) -> bool {
        self.problem.is_none()
    }

    /// Looks at the link again. `place` is the group's, as far as it is known.
    pub fn look(&mut self, instance: &Instance, link: Option<&LinkState>, place: Option<Place>) {
        self.awaited &= link.is_none();
        self.source = link.and_then(|link| own_address(instance, &link.addresses, place));
        self.problem = match link.map(|link| link.condition) {
            None | Some(LinkCondition::Missing) => Some(LinkProblem::Missing),
            Some(LinkCondition::AdminDown) => Some(LinkProblem::AdminDown),
            Some(LinkCondition::NoCarrier) => Some(LinkProblem::NoCarrier),
            Some(LinkCondition::NotForwarding) => Some(LinkProblem::NotForwarding),
            Some(LinkCondition::Up) if self.source.is_none() => Some(LinkProblem::NoAddress),
            Some(LinkCondition::Up) => None,
        };
    }

    /// Master_Down_Interval for a node of this priority (RFC 9568 §6.1; protocol rule 4).
    pub fn master_down_interval(&self, instance: &Instance, priority: u8, watch: Watch) -> Duration {
        let interval = self.learned.duration();
        let three = interval.saturating_mul(3);
        match watch {
            Watch::OnlyPeer => three + (interval / 8).max(Duration::from_millis(5)),
            Watch::Anyone => three + skew_time(instance.version, interval, priority),
        }
    }

    /// The master was heard here: its silence counts from now.
    pub fn arm(&mut self, now: Instant, instance: &Instance, priority: u8, watch: Watch) {
        self.armed = (now, watch);
        self.silent = false;
        self.rearm(instance, priority);
    }

    /// The skew follows a priority that changes while the timer runs: a better node must be the faster one.
    pub fn rearm(&mut self, instance: &Instance, priority: u8) {
        if self.usable() && !self.silent {
            let (since, watch) = self.armed;
            self.master_down.set(since.after(self.master_down_interval(instance, priority, watch)));
        }
    }

    /// Books an accepted advert. Says whether its sender was given up before, and how long it was silent.
    pub fn book(&mut self, now: Instant, source: IpAddr, priority: u8) -> (Found, Option<Duration>) {
        self.received = self.received.saturating_add(1);
        let Some(peer) = self.peer(source) else { return (Found::Known, None) };
        peer.mismatch = None;
        let gap = peer.last_heard.replace(now).map(|last| now.since(last));
        // 0 and 1 are said by those who are not, or no longer, master.
        if priority <= 1 {
            return (Found::Known, gap);
        }
        peer.priority = Some(priority);
        (if core::mem::take(&mut peer.lost) { Found::New } else { Found::Known }, gap)
    }

    /// The record of a peer; strangers (multicast only) get one until there are too many.
    fn peer(&mut self, address: IpAddr) -> Option<&mut Peer> {
        let known = self.peers.iter().position(|peer| peer.address == address);
        match known {
            Some(at) => self.peers.get_mut(at),
            None if self.peers.len() < limits::PEERS_MAX => {
                self.peers.push(Peer::new(address));
                self.peers.last_mut()
            }
            None => None,
        }
    }

    /// Counts a refused packet; from a configured peer it may show that the configurations differ.
    pub fn refuse(&mut self, cx: &mut Cx<'_>, source: IpAddr, reject: Reject) {
        let count = &mut self.rejected[reject.index()];
        *count = count.saturating_add(1);
        if let Some(what) = mismatch(reject) {
            self.differs(cx, source, what);
        }
    }

    /// A peer's packets show that its configuration differs: kept for status, and mentioned now and then.
    pub fn differs(&mut self, cx: &mut Cx<'_>, source: IpAddr, what: Mismatch) {
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.address == source) else { return };
        peer.mismatch = Some(what);
        if peer.mismatch_noticed.is_none_or(|at| cx.now.since(at) >= limits::MISMATCH_NOTICE_EVERY) {
            peer.mismatch_noticed = Some(cx.now);
            cx.emit(Action::Notice(Notice::Misconfigured { instance: self.id, peer: source, what }));
        }
    }

    /// Sends one advert.
    pub fn advertise(&mut self, cx: &mut Cx<'_>, priority: u8) {
        self.sent = self.sent.saturating_add(1);
        cx.emit(Action::Advertise { instance: self.id, priority });
    }

    /// Sends the next periodic advert one interval after the last; a late one doesn't delay the others.
    pub fn schedule(&mut self, now: Instant, interval: Interval, rhythm: Rhythm) {
        let due = match (rhythm, self.advert.at()) {
            (Rhythm::Keep, Some(due)) => due.after(interval.duration()),
            (Rhythm::Keep, None) | (Rhythm::Restart, _) => now,
        };
        self.advert.set(if due > now { due } else { now.after(interval.duration()) });
        self.retries = 0;
        self.retry.stop();
    }

    /// The last advert did not leave: 10, 20, 40 ms later is better than an interval later, for a
    /// firewall reload refuses packets for some milliseconds only.
    pub fn send_failed(&mut self, now: Instant, interval: Interval) {
        let delay = limits::SEND_RETRY_FIRST.saturating_mul(1 << self.retries.min(10));
        if delay < interval.duration() {
            self.retry.set(now.after(delay));
        }
        self.retries = self.retries.saturating_add(1);
    }

    /// Says nothing any more.
    pub fn silence(&mut self) {
        self.advert.stop();
        self.retry.stop();
        self.announcer.stop();
    }
}

/// Whose silence a Master_Down_Timer watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watch {
    /// That of the only other router, heard a moment ago: nobody can rise at the same time.
    OnlyPeer,
    /// Anybody's: the skew keeps several backups from rising together.
    Anyone,
}

/// Whether the sender of an advert was known to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Never heard, or given up.
    New,
    /// Heard before.
    Known,
}

/// What the next periodic advert follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rhythm {
    /// The one before.
    Keep,
    /// This moment.
    Restart,
}

/// Skew_Time: in v2 of a second (RFC 3768 §6.1), in v3 of the interval (RFC 9568 §6.1).
fn skew_time(version: Version, interval: Duration, priority: u8) -> Duration {
    let unit = match version {
        Version::V2 => Duration::from_secs(1),
        Version::V3 => interval,
    };
    unit.saturating_mul(256 - u32::from(priority)) / 256
}

/// The address by which this node takes part, if it is among `addresses`.
fn own_address(instance: &Instance, addresses: &[IpAddr], place: Option<Place>) -> Option<IpAddr> {
    match &instance.routers {
        Routers::Listed(all) => match place {
            Some(Place(place)) => all.get(usize::from(place)).filter(|own| addresses.contains(own)).copied(),
            None => all.iter().find(|own| addresses.contains(own)).copied(),
        },
        Routers::Peers { source: Some(own), .. } => addresses.contains(own).then_some(*own),
        Routers::Peers { source: None, .. } => first_address(instance, addresses),
    }
}

/// Without a configured source: the first address of the family that is not virtual; for IPv6 a
/// link-local one (RFC 9568 §5.1.2.2: the source is the link-local address of the interface).
fn first_address(instance: &Instance, addresses: &[IpAddr]) -> Option<IpAddr> {
    let is_virtual = |address: &IpAddr| instance.vips.iter().any(|vip: &Vip| vip.address == *address);
    addresses.iter().copied().filter(|address| !is_virtual(address)).find(|address| {
        match (instance.family, address, instance.mode) {
            (Family::V4, IpAddr::V4(_), _) => true,
            (Family::V6, IpAddr::V6(address), Mode::Unicast | Mode::Multicast) => {
                address.is_unicast_link_local()
            }
            (Family::V4 | Family::V6, _, _) => false,
        }
    })
}

/// What a refusal says about the sender's configuration, if anything.
fn mismatch(reject: Reject) -> Option<Mismatch> {
    match reject {
        Reject::Version => Some(Mismatch::Version),
        Reject::AuthType | Reject::AuthData => Some(Mismatch::Auth),
        Reject::IntervalMismatch => Some(Mismatch::Interval),
        Reject::HopLimit => Some(Mismatch::HopLimit),
        Reject::Checksum => Some(Mismatch::Checksum),
        Reject::Truncated
        | Reject::Family
        | Reject::Vrid
        | Reject::Looped
        | Reject::Sender
        | Reject::Delivery
        | Reject::Type
        | Reject::NoAddresses
        | Reject::Length
        | Reject::IntervalZero => None,
    }
}

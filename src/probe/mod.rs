//! The hands of the carrier checks: they ask, the engine judges.
//!
//! One [`Prober`] does one track's work. It owns its sockets and children and shows the outside a
//! single descriptor that becomes readable when there is something to take in, whatever is behind it
//! (it is an epoll of its own). Nothing here blocks, forks for a built-in check, or reads a clock.
//!
//! | check | asked with | answered by |
//! |---|---|---|
//! | `ping` | ICMP echo on a raw socket | the echo reply with our payload from the target itself |
//! | `arp`, IPv4 | ARP request on a packet socket | an ARP reply to us about the target |
//! | `arp`, IPv6 | neighbour solicitation on a raw socket | a solicited advertisement about the target |
//! | `tcp` | a connection, reset at once | its establishment; a refusal is a failure |
//! | `script` | `/bin/sh -c` in a process group of its own | exit status 0 |
//!
//! Filters in the kernel keep everything else from waking the daemon. Each target gives at most one
//! result a round: what is silent gives none, for timeouts are the engine's business.

mod connect;
mod echo;
mod filter;
mod neighbor;
mod round;
mod script;
pub(crate) mod socket;

use core::fmt;
use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollTimeout};

use crate::config::model::TrackKind;
use crate::disk;

use connect::Connect;
use echo::Echo;
use neighbor::Neighbor;
use round::{Answers, Round};
use script::Script;
use socket::Site;

/// Where a check goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// Wherever the routing table says.
    Anywhere,
    /// Only through this device.
    Device(String),
    /// Only through a device that is not known at the moment: every test fails.
    Unknown,
}

/// What came of asking one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeResult {
    /// The round it belongs to.
    pub round: u32,
    /// Position in the track's targets; 0 for a script.
    pub target: u16,
    /// What it was.
    pub outcome: Outcome,
}

/// What came of asking one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It answered, this long after the round's start.
    Answered(Duration),
    /// It is known already that no answer will come.
    Failed(Failure),
}

/// Why no answer will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The device does not exist, or is down.
    NoDevice,
    /// The device has no Ethernet addresses, so nobody on it answers ARP.
    NotEthernet,
    /// No way to the target.
    Unreachable,
    /// Nobody listens at the port. The host lives, but what was asked for is the service.
    Refused,
    /// The script exited with this status.
    Exit(i32),
    /// This signal ended the script.
    Signal(i32),
    /// Too many earlier runs of the script can't be killed.
    Stuck,
    /// The kernel refused, with this errno.
    System(i32),
}

impl Failure {
    fn of(error: &io::Error) -> Failure {
        let number = error.raw_os_error().unwrap_or(0);
        // Of thousands of error numbers some have a meaning here.
        #[allow(clippy::wildcard_enum_match_arm)]
        match Errno::from_raw(number) {
            Errno::ENODEV | Errno::ENXIO | Errno::ENETDOWN => Failure::NoDevice,
            Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::EADDRNOTAVAIL | Errno::ETIMEDOUT => {
                Failure::Unreachable
            }
            Errno::ECONNREFUSED => Failure::Refused,
            _ => Failure::System(number),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NoDevice => f.write_str("device missing or down"),
            Failure::NotEthernet => f.write_str("device is not Ethernet"),
            Failure::Unreachable => f.write_str("unreachable"),
            Failure::Refused => f.write_str("connection refused"),
            Failure::Exit(status) => write!(f, "exit status {status}"),
            Failure::Signal(signal) => write!(f, "ended by signal {signal}"),
            Failure::Stuck => f.write_str("earlier runs can't be ended"),
            Failure::System(errno) => f.write_str(&disk::plain(&io::Error::from_raw_os_error(*errno))),
        }
    }
}

/// Asks the targets of one track.
#[derive(Debug)]
pub struct Prober {
    hands: Hands,
    via: Via,
    /// Index of the device that the open sockets are bound to; 0: to none.
    bound: u32,
    round: Round,
    /// What the outside polls: everything that `hands` waits for is in it.
    epoll: Epoll,
}

/// What a track asks with.
#[derive(Debug)]
enum Hands {
    Echo(Echo),
    Neighbor(Neighbor),
    Connect(Connect),
    Script(Script),
}

impl Prober {
    /// Hands for a track; `None` for a `link` track, which netlink answers.
    ///
    /// Opens no socket yet. Fails if there are no descriptors left, or if a command contains NUL.
    pub fn new(kind: &TrackKind, via: Via) -> io::Result<Option<Prober>> {
        let hands = match kind {
            TrackKind::Ping { targets } => Hands::Echo(Echo::new(targets.clone())),
            TrackKind::Arp { targets } => Hands::Neighbor(Neighbor::new(targets.clone())),
            TrackKind::Tcp { targets } => Hands::Connect(Connect::new(targets.clone())),
            TrackKind::Script { command } => Hands::Script(Script::new(command)?),
            TrackKind::Link => return Ok(None),
        };
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let round = Round::new(kind.targets());
        Ok(Some(Prober { hands, via, bound: 0, round, epoll }))
    }

    /// Goes out through another device from the next round on. The round under way, if any, ends
    /// without further results.
    pub fn set_via(&mut self, via: Via) {
        if self.via != via {
            self.end();
            self.via = via;
        }
    }

    /// Begins a round: asks every target once. An earlier round that is still open ends.
    ///
    /// `now_us` is microseconds on the caller's monotonic clock. What is known at once is added to
    /// `out`; the rest comes from [`Prober::ready`].
    pub fn start(&mut self, round: u32, now_us: u64, out: &mut Vec<ProbeResult>) {
        self.end();
        self.round.begin(round, now_us);
        let site = self.site();
        let mut answers = Answers::new(&mut self.round, now_us, out);
        match (&mut self.hands, site) {
            (Hands::Script(hands), _) => hands.ask(&self.epoll, &mut answers),
            (Hands::Echo(hands), Ok(site)) => hands.ask(&site, &self.epoll, &mut answers),
            (Hands::Neighbor(hands), Ok(site)) => hands.ask(&site, &self.epoll, &mut answers),
            (Hands::Connect(hands), Ok(site)) => hands.ask(&site, &self.epoll, &mut answers),
            (Hands::Echo(_) | Hands::Neighbor(_) | Hands::Connect(_), Err(failure)) => {
                answers.all_failed(failure);
            }
        }
    }

    /// Takes in what made the descriptor readable. It may be called at any time; what is left over
    /// makes the descriptor readable again.
    pub fn ready(&mut self, now_us: u64, out: &mut Vec<ProbeResult>) {
        let mut events = [EpollEvent::empty(); EVENTS_MAX];
        let count = self.epoll.wait(&mut events, EpollTimeout::ZERO).unwrap_or(0);
        let mut answers = Answers::new(&mut self.round, now_us, out);
        for event in events.iter().take(count) {
            match &mut self.hands {
                Hands::Echo(hands) => hands.ready(event.data(), &mut answers),
                Hands::Neighbor(hands) => hands.ready(event.data(), &mut answers),
                Hands::Connect(hands) => hands.ready(event.data(), &mut answers),
                Hands::Script(hands) => hands.ready(event.data(), &mut answers),
            }
        }
    }

    /// No answer to this round is wanted any more: connections close, a script is killed with all its
    /// children. Nothing happens if another round is under way.
    pub fn cancel(&mut self, round: u32) {
        if self.round.is(round) {
            self.end();
        }
    }

    /// Ends the round under way.
    fn end(&mut self) {
        self.round.end();
        match &mut self.hands {
            // Late answers carry an old round, by which they are told apart.
            Hands::Echo(_) | Hands::Neighbor(_) => {}
            Hands::Connect(hands) => hands.end(),
            Hands::Script(hands) => hands.end(),
        }
    }

    /// The device as it is now. Sockets are bound to a device's index, which changes when an interface
    /// is made anew under its old name: then they have to be opened anew, too.
    fn site(&mut self) -> Result<Site, Failure> {
        let site = Site::find(&self.via);
        let index = site.as_ref().map_or(0, Site::index);
        if index != self.bound {
            self.bound = index;
            match &mut self.hands {
                Hands::Echo(hands) => hands.close(),
                Hands::Neighbor(hands) => hands.close(),
                Hands::Connect(_) | Hands::Script(_) => {}
            }
        }
        site
    }
}

impl AsFd for Prober {
    /// The descriptor to poll for reading. It stays the same for the prober's life.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

/// Descriptors served in one call; more of them are reported by the next one.
const EVENTS_MAX: usize = 16;

//! `config track`.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};

use crate::collect::IntoVec as _;

use super::finding::At;
use super::instance::{Need, link, section_name};
use super::kinds::{Address, Kind};
use super::model::{LinkRef, TrackKind, Weight};
use super::net::{Scope, scope};
use super::problem::Problem;
use super::reader::{Given, Reader};
use super::schema::{
    COMMAND, FALL, INTERVAL, NEED, ONLY, RISE, TARGET, TIMEOUT, TYPE, TrackType, WEIGHT, docs,
};

/// A track as far as it could be read.
pub struct TrackDraft {
    /// Section name.
    pub name: String,
    /// The section.
    pub at: At,
    /// The routers it counts on; all if empty.
    pub only: Vec<Given<IpAddr>>,
    /// Where it goes out.
    pub link: Option<Given<LinkRef>>,
    /// Whether it could pass through another router if it has no link of its own.
    pub reach: Reach,
    /// Addresses of the targets with their places.
    pub targets: Vec<Given<IpAddr>>,
    /// What is asked; `None` after an error.
    pub kind: Option<TrackKind>,
    /// When and how often, and what it weighs; `None` after an error.
    pub pace: Option<Pace>,
}

/// Where a test ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// On the link.
    Link,
    /// Beyond, by whatever route the system has.
    Routed,
    /// Unknown: a command.
    Unknown,
}

/// When and how often a track asks, and what it weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How many targets must answer.
    pub need: u16,
    /// Time between tests.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Failed tests until down.
    pub fall: u16,
    /// Good tests until up.
    pub rise: u16,
    /// What being down does.
    pub weight: Weight,
}

impl Pace {
    /// How long it may take from the first good test to being up.
    pub fn rise_time(&self) -> Duration {
        self.interval.saturating_mul(self.rise.into()).saturating_add(self.timeout)
    }
}

impl TrackDraft {
    /// Reads a section.
    pub fn read(mut reader: Reader<'_>) -> TrackDraft {
        let name = section_name(&mut reader);
        let only = reader.distinct(&ONLY);
        let kind = reader.value_or_default(&TYPE);
        let need = match kind {
            Some(TrackType::Arp | TrackType::Link) => Need::Required,
            Some(TrackType::Ping | TrackType::Tcp | TrackType::Script) | None => Need::Optional,
        };
        let linked =
            reader.place(&super::schema::INTERFACE).or(reader.place(&super::schema::DEVICE)).is_some();
        let link = link(&mut reader, need);
        let (targets, asked) = kind.map(|kind| asked(&mut reader, kind)).unwrap_or_default();
        if kind.is_some_and(|kind| kind != TrackType::Script) {
            refuse_command(&mut reader);
        }
        for target in targets.iter().filter(|target| !linked && scope(target.value) == Scope::Link) {
            reader.findings.error(target.at.clone(), Problem::LinkLocalNeedsLink);
        }
        let pace = pace(&mut reader, asked.as_ref());
        TrackDraft { name, at: reader.head(), only, link, reach: reach(kind), targets, kind: asked, pace }
    }
}

fn reach(kind: Option<TrackType>) -> Reach {
    match kind {
        Some(TrackType::Ping | TrackType::Tcp) => Reach::Routed,
        Some(TrackType::Arp | TrackType::Link) => Reach::Link,
        Some(TrackType::Script) | None => Reach::Unknown,
    }
}

type Asked = (Vec<Given<IpAddr>>, Option<TrackKind>);

fn asked(reader: &mut Reader<'_>, kind: TrackType) -> Asked {
    let targets = match kind {
        TrackType::Ping | TrackType::Arp => targets(reader, &host, HOST),
        TrackType::Tcp => targets(reader, &service, SERVICE),
        TrackType::Link => return (Vec::new(), without_targets(reader, TrackKind::Link)),
        TrackType::Script => return (Vec::new(), script(reader)),
    };
    let sockets = targets.iter().map(|given| given.value).into_vec();
    let addresses = targets.into_iter().map(|given| given.with(|target| target.ip())).into_vec();
    if addresses.is_empty() || reader.written(&TARGET) != Some(addresses.len()) {
        return (addresses, None);
    }
    let hosts = addresses.iter().map(|given| given.value).into_vec();
    let asked = match kind {
        TrackType::Ping => TrackKind::Ping { targets: hosts },
        TrackType::Arp => TrackKind::Arp { targets: hosts },
        // The last two have no targets, and have gone above.
        TrackType::Tcp | TrackType::Link | TrackType::Script => TrackKind::Tcp { targets: sockets },
    };
    (addresses, Some(asked))
}

/// A host, without a port.
fn host(text: &str) -> Option<SocketAddr> {
    Some(SocketAddr::new(Address.parse(text)?, 0))
}

const HOST: &str = "an IPv4 or IPv6 address of a host";

fn service(text: &str) -> Option<SocketAddr> {
    text.parse().ok().filter(|target: &SocketAddr| target.port() != 0)
}

const SERVICE: &str = "ADDRESS:PORT or [IPV6-ADDRESS]:PORT, such as '192.0.2.1:53'";

fn script(reader: &mut Reader<'_>) -> Option<TrackKind> {
    let command = reader.required(&COMMAND, docs::COMMAND)?.value;
    without_targets(reader, TrackKind::Script { command })
}

fn without_targets(reader: &mut Reader<'_>, kind: TrackKind) -> Option<TrackKind> {
    let Some(at) = reader.place(&TARGET) else { return Some(kind) };
    reader.findings.error(at, Problem::NoEffect { why: "here: types 'link' and 'script' have no targets" });
    None
}

fn refuse_command(reader: &mut Reader<'_>) {
    if let Some(at) = reader.place(&COMMAND) {
        reader.findings.error(at, Problem::Needs { what: "'option type script'" });
    }
}

/// The targets that could be read; the others are reported.
fn targets(
    reader: &mut Reader<'_>,
    parse: &dyn Fn(&str) -> Option<SocketAddr>,
    allowed: &str,
) -> Vec<Given<SocketAddr>> {
    if reader.place(&TARGET).is_none() {
        reader.missing(&TARGET, docs::TARGET);
    }
    let mut targets: Vec<Given<SocketAddr>> = Vec::new();
    for given in reader.many(&TARGET) {
        match parse(&given.value) {
            None => {
                reader
                    .findings
                    .error(given.at, Problem::NotAllowed { allowed: allowed.into(), suggestion: None });
            }
            Some(value) if targets.iter().any(|earlier| earlier.value == value) => {
                reader.findings.error(given.at, Problem::Duplicate);
            }
            Some(value) => targets.push(Given { value, at: given.at }),
        }
    }
    targets
}

fn pace(reader: &mut Reader<'_>, kind: Option<&TrackKind>) -> Option<Pace> {
    let need = reader.one_or_default(&NEED);
    let interval = reader.value_or_default(&INTERVAL);
    let timeout = reader.one_or_default(&TIMEOUT);
    let fall = reader.value_or_default(&FALL);
    let rise = reader.value_or_default(&RISE);
    let weight = reader.value_or_default(&WEIGHT);

    let (need, interval, mut timeout) = (need?, interval?, timeout?);
    let targets = kind.map_or(usize::MAX, TrackKind::targets);
    if need.value as usize > targets {
        reader.findings.error(need.at, Problem::NeedBeyondTargets { targets });
    }
    if timeout.value > interval {
        if reader.place(&TIMEOUT).is_some() {
            reader.findings.error(timeout.at, Problem::TimeoutBeyondInterval { interval });
        }
        timeout.value = interval;
    }
    Some(Pace {
        need: u16::try_from(need.value).ok()?,
        interval,
        timeout: timeout.value,
        fall: u16::try_from(fall?).ok()?,
        rise: u16::try_from(rise?).ok()?,
        weight: weight?,
    })
}

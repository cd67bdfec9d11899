//! `config instance`: what can be said of it by itself.

use core::time::Duration;
use std::net::IpAddr;

use super::finding::{At, Findings};
use super::kinds::Kind;
use super::limits::NAME_BYTES_MAX;
use super::model::{AnnounceSchedule, LinkRef, Mode, Vip};
use super::net::{Scope, family, is_not_a_host, length_max, scope, subnet_contains};
use super::problem::Problem;
use super::reader::{Given, Reader};
use super::role::RoleDraft;
use super::schema::{
    ACCEPT_OLD_CHECKSUM, ADVERT_INTERVAL, ANNOUNCE, ANNOUNCE_REFRESH, AUTH_PASS, CHECKSUM, DEVICE, INTERFACE,
    Key, MODE, ONLY, PEER, ROUTER, SOURCE, TTL_MIN, VERSION, VIP, VRID, docs,
};
use crate::collect::IntoVec as _;
use crate::wire::types::{Family, Interval, Version, Vrid};
use crate::wire::vrrp::{Auth, ChecksumForm};

/// An instance as far as it could be read. What is `None` or left out has been reported.
pub struct InstanceDraft {
    /// Section name.
    pub name: String,
    /// The section.
    pub at: At,
    /// For which routers it is; all if empty.
    pub only: Vec<Given<IpAddr>>,
    /// Where it lives.
    pub link: Option<Given<LinkRef>>,
    /// Identifier.
    pub vrid: Option<Given<Vrid>>,
    /// Who takes part.
    pub routers: Option<RoutersDraft>,
    /// Virtual addresses.
    pub vips: Vec<Given<Vip>>,
    /// How it speaks.
    pub speech: Option<Speech>,
    /// Options that belong to its group, if it is in none.
    pub role: RoleDraft,
}

/// Who takes part.
pub enum RoutersDraft {
    /// `list router`.
    Listed(Vec<Given<IpAddr>>),
    /// `option source` and `list peer`.
    Peers {
        /// Own address.
        source: Option<Given<IpAddr>>,
        /// The others.
        peers: Vec<Given<IpAddr>>,
    },
}

impl RoutersDraft {
    /// Every address that is named.
    pub fn addresses(&self) -> impl Iterator<Item = &Given<IpAddr>> {
        let (listed, source) = match self {
            RoutersDraft::Listed(all) => (all, None),
            RoutersDraft::Peers { source, peers } => (peers, source.as_ref()),
        };
        source.into_iter().chain(listed)
    }
}

/// How an instance speaks.
pub struct Speech {
    /// VRRP version.
    pub version: Version,
    /// Own interval.
    pub interval: Interval,
    /// v2 authentication.
    pub auth: Auth,
    /// How adverts travel.
    pub mode: Mode,
    /// Smallest TTL that is accepted.
    pub hop_limit_min: u8,
    /// Checksum of v3 adverts over IPv4.
    pub checksum: ChecksumForm,
    /// Whether that of an old keepalived is accepted.
    pub accept_old_checksum: bool,
    /// When addresses are announced.
    pub announce: AnnounceSchedule,
}

impl InstanceDraft {
    /// Reads a section.
    pub fn read(mut reader: Reader<'_>) -> InstanceDraft {
        let name = section_name(&mut reader);
        let link = link(&mut reader, Need::Required);
        let vrid = reader.required(&VRID, docs::VRID).and_then(vrid);
        let vips = vips(&mut reader);
        let first = vips.first().map(|vip| vip.value.address);
        let routers = routers(&mut reader, first);
        if let Some(routers) = &routers {
            check_against_routers(&vips, routers, reader.findings);
        }
        InstanceDraft {
            name,
            at: reader.head(),
            only: reader.distinct(&ONLY),
            link,
            vrid,
            routers,
            speech: speech(&mut reader, first.map(family)),
            vips,
            role: RoleDraft::read(&mut reader),
        }
    }

    /// The family of its addresses.
    pub fn family(&self) -> Option<Family> {
        self.vips.first().map(|vip| family(vip.value.address))
    }

    /// The addresses of `list router`; empty if it has none.
    pub fn listed(&self) -> &[Given<IpAddr>] {
        match &self.routers {
            Some(RoutersDraft::Listed(all)) => all,
            Some(RoutersDraft::Peers { .. }) | None => &[],
        }
    }
}

/// Whether something must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It must.
    Required,
    /// It may.
    Optional,
}

/// The section's name; an empty one after an error.
pub fn section_name(reader: &mut Reader<'_>) -> String {
    let name = reader.name().unwrap_or_default().to_owned();
    if name.is_empty() {
        let kind = reader.kind().to_owned();
        reader.findings.error(reader.head(), Problem::Unnamed { kind });
    } else if name.len() > NAME_BYTES_MAX {
        reader.findings.error(reader.head(), Problem::NameTooLong { max: NAME_BYTES_MAX });
    }
    name
}

/// `option interface` or `option device`.
pub fn link(reader: &mut Reader<'_>, need: Need) -> Option<Given<LinkRef>> {
    if let (Some(at), Some(_)) = (reader.place(&DEVICE), reader.place(&INTERFACE)) {
        reader.findings.error(at, Problem::Excludes { other: "option interface" });
        return None;
    }
    if reader.place(&DEVICE).is_some() {
        return reader.one(&DEVICE).map(|given| given.with(LinkRef::Device));
    }
    if need == Need::Required && reader.place(&INTERFACE).is_none() {
        reader.missing(&INTERFACE, docs::INTERFACE);
    }
    reader.one(&INTERFACE).map(|given| given.with(LinkRef::Interface))
}

/// A list of addresses of one family, each once.
pub fn addresses(
    reader: &mut Reader<'_>,
    key: &Key<impl Kind<Value = IpAddr>>,
    like: Option<IpAddr>,
) -> Vec<Given<IpAddr>> {
    let mut kept: Vec<Given<IpAddr>> = Vec::new();
    for given in reader.many(key) {
        let first = like.or(kept.first().map(|first| first.value));
        if kept.iter().any(|earlier| earlier.value == given.value) {
            reader.findings.error(given.at, Problem::Duplicate);
        } else if let Some(first) = first.filter(|first| family(*first) != family(given.value)) {
            reader.findings.error(given.at, Problem::FamilyMix { first });
        } else {
            kept.push(given);
        }
    }
    kept
}

fn vrid(given: Given<u32>) -> Option<Given<Vrid>> {
    let value = Vrid::new(u8::try_from(given.value).ok()?)?;
    Some(Given { value, at: given.at })
}

fn vips(reader: &mut Reader<'_>) -> Vec<Given<Vip>> {
    if reader.place(&VIP).is_none() {
        reader.missing(&VIP, docs::VIP);
    }
    let mut kept: Vec<Given<Vip>> = Vec::new();
    for given in reader.many(&VIP) {
        let address = given.value.address;
        let first = kept.first().map(|first| first.value.address);
        let not_a_host = given.value.prefix.is_some_and(|length| is_not_a_host(address, length));
        let problem = match first {
            Some(first) if family(first) != family(address) => Some(Problem::FamilyMix { first }),
            None if address.is_ipv6() && scope(address) != Scope::Link => Some(Problem::NotLinkLocal),
            Some(_) if kept.iter().any(|earlier| earlier.value.address == address) => {
                Some(Problem::Duplicate)
            }
            Some(_) | None if not_a_host => Some(Problem::NotAHost),
            Some(_) | None => None,
        };
        if let Some(problem) = problem {
            reader.findings.error(given.at.clone(), problem);
        }
        kept.push(given);
    }
    kept
}

fn routers(reader: &mut Reader<'_>, vip: Option<IpAddr>) -> Option<RoutersDraft> {
    let alone = reader.place(&SOURCE).or(reader.place(&PEER));
    match (reader.place(&ROUTER), alone) {
        (Some(_), Some(at)) => {
            reader.findings.error(at, Problem::Excludes { other: "list router" });
            None
        }
        (Some(at), None) => listed(reader, at, vip),
        (None, Some(_)) => peers(reader, vip),
        (None, None) if reader.value_or_default(&MODE) == Some(Mode::Multicast) => peers(reader, vip),
        (None, None) => {
            reader.missing(&ROUTER, docs::ROUTER);
            None
        }
    }
}

fn listed(reader: &mut Reader<'_>, at: At, vip: Option<IpAddr>) -> Option<RoutersDraft> {
    let written = reader.written(&ROUTER).unwrap_or(0);
    let all = addresses(reader, &ROUTER, vip);
    if written < 2 {
        reader.findings.error(at, Problem::TooFew { min: 2 });
    }
    (all.len() >= 2 && all.len() == written).then_some(RoutersDraft::Listed(all))
}

fn peers(reader: &mut Reader<'_>, vip: Option<IpAddr>) -> Option<RoutersDraft> {
    let source = reader.one(&SOURCE);
    if let (Some(source), Some(first)) = (&source, vip) {
        if family(source.value) != family(first) {
            reader.findings.error(source.at.clone(), Problem::FamilyMix { first });
        }
    }
    let written = reader.written(&PEER).unwrap_or(0);
    let peers = addresses(reader, &PEER, vip);
    for peer in peers.iter().filter(|peer| source.as_ref().is_some_and(|source| source.value == peer.value)) {
        reader.findings.error(peer.at.clone(), Problem::PeerIsSource);
    }
    let unicast = reader.value_or_default(&MODE) == Some(Mode::Unicast);
    if unicast && written == 0 {
        reader.missing(&PEER, docs::PEER);
    }
    (peers.len() == written).then_some(RoutersDraft::Peers { source, peers })
}

/// Virtual addresses against the routers' own. An owner (priority 255) may have its own as VIP; with
/// `list router` there is no owner.
fn check_against_routers(vips: &[Given<Vip>], routers: &RoutersDraft, findings: &mut Findings) {
    for vip in vips {
        let address = vip.value.address;
        let same = routers.addresses().any(|router| router.value == address);
        if same && matches!(routers, RoutersDraft::Listed(_)) {
            findings.error(vip.at.clone(), Problem::IsRouter);
        }
        let Some(length) = vip.value.prefix.filter(|length| *length < length_max(address)) else { continue };
        // An IPv6 instance speaks between link-local or global addresses; those of the other scope
        // have nothing to do with the subnet.
        let stranger = routers.addresses().find(|router| {
            family(router.value) == family(address)
                && scope(router.value) == scope(address)
                && !subnet_contains(address, length, router.value)
        });
        if let Some(stranger) = stranger {
            findings.error(vip.at.clone(), Problem::OutsideSubnet { router: stranger.value });
        }
    }
}

fn speech(reader: &mut Reader<'_>, family: Option<Family>) -> Option<Speech> {
    let version = reader.one_or_default(&VERSION);
    let interval = reader.one_or_default(&ADVERT_INTERVAL);
    let mode = reader.value_or_default(&MODE);
    let hop_limit_min = reader.value_or_default(&TTL_MIN);
    let checksum = reader.one_or_default(&CHECKSUM);
    let accept_old_checksum = reader.value_or_default(&ACCEPT_OLD_CHECKSUM);
    let password = reader.one(&AUTH_PASS);
    let announce = announce(reader);

    let version = version?;
    if version.value == Version::V2 && family == Some(Family::V6) {
        reader.findings.error(version.at, Problem::Version2Ipv6);
    }
    Some(Speech {
        version: version.value,
        interval: self::interval(interval?, version.value, reader.findings)?,
        auth: auth(password, version.value, reader.findings),
        mode: mode?,
        hop_limit_min: u8::try_from(hop_limit_min?).ok()?,
        checksum: checksum_form(reader, checksum?, version.value, family)?,
        accept_old_checksum: accept_old_checksum?,
        announce: announce?,
    })
}

/// Milliseconds to what the version can carry.
fn interval(given: Given<u32>, version: Version, findings: &mut Findings) -> Option<Interval> {
    let (unit_ms, allowed) = match version {
        Version::V2 => (1000, "1000..255000 ms in steps of 1000 in version 2"),
        Version::V3 => (10, "10..40950 ms in steps of 10 in version 3"),
    };
    let units = (given.value % unit_ms == 0).then_some(given.value / unit_ms);
    let interval = units.and_then(|units| match version {
        Version::V2 => Interval::v2(u8::try_from(units).ok()?),
        Version::V3 => Interval::v3(u16::try_from(units).ok()?),
    });
    if interval.is_none() {
        findings.error(given.at, Problem::IntervalOfVersion { allowed });
    }
    interval
}

fn auth(password: Option<Given<String>>, version: Version, findings: &mut Findings) -> Auth {
    let Some(password) = password else { return Auth::None };
    if version == Version::V3 {
        findings
            .error(password.at, Problem::Needs { what: "'option version 2': version 3 has no passwords" });
        return Auth::None;
    }
    if password.value.len() > PASSWORD_BYTES {
        findings.warn(password.at, Problem::PasswordCut);
    }
    let mut bytes = [0; PASSWORD_BYTES];
    bytes.iter_mut().zip(password.value.bytes()).for_each(|(to, from)| *to = from);
    Auth::Password(bytes)
}

/// Length of the authentication data on the wire (RFC 2338 §5.3.10).
const PASSWORD_BYTES: usize = 8;

/// Version 2 sums the message only, IPv6 always the pseudo-header too.
fn checksum_form(
    reader: &mut Reader<'_>,
    given: Given<ChecksumForm>,
    version: Version,
    family: Option<Family>,
) -> Option<ChecksumForm> {
    let (only, why) = match (version, family) {
        (Version::V2, _) => (ChecksumForm::Message, "in version 2, which has only 'message'"),
        (Version::V3, Some(Family::V6)) => {
            (ChecksumForm::PseudoHeader, "with IPv6, which has only 'pseudo_header'")
        }
        (Version::V3, Some(Family::V4) | None) => return Some(given.value),
    };
    if reader.place(&CHECKSUM).is_some() && given.value != only {
        reader.findings.warn(given.at, Problem::NoEffect { why });
    }
    Some(only)
}

fn announce(reader: &mut Reader<'_>) -> Option<AnnounceSchedule> {
    let refresh = reader.value_or_default(&ANNOUNCE_REFRESH)?;
    let refresh = (refresh > 0).then(|| Duration::from_secs(refresh.into()));
    if reader.place(&ANNOUNCE).is_none() {
        return Some(AnnounceSchedule { refresh, ..AnnounceSchedule::default() });
    }
    let written = reader.many(&ANNOUNCE);
    for (earlier, later) in written.iter().zip(written.iter().skip(1)) {
        if later.value <= earlier.value {
            reader.findings.error(later.at.clone(), Problem::NotAscending);
        }
    }
    let bursts = written.iter().map(|given| Duration::from_millis(given.value.into())).into_vec();
    Some(AnnounceSchedule { bursts, refresh })
}

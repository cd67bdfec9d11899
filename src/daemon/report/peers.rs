//! The other routers: what the channel says of them, and what to make of it together with the adverts.

use core::time::Duration;

use crate::collect::IntoVec as _;
use crate::engine::{GroupView, PeerState, Role};
use crate::peer::about;
use crate::peer::dial::Reach;
use crate::peer::mesh::View;
use crate::peer::message::clean;
use crate::peer::session::End;
use crate::status::{self, Health, Status};
use crate::ubus::Decimal;

use super::super::peering::{KeyState, Known};
use super::Sources;

/// Shows the other routers.
pub fn show(sources: &Sources<'_>, status: &mut Status) {
    let views = sources.peering.mesh.views(sources.now);
    let mut peers: Vec<status::Peer> = views.iter().map(|view| peer(sources, view)).into_vec();
    match &sources.peering.key {
        KeyState::Off => {}
        KeyState::Unusable(file, error) => {
            status.peer.state = Some("off".into());
            status.peer.error = Some(format!("{file}: {error}"));
        }
        KeyState::Good if peers.len() == 1 => status.peer = peers.swap_remove(0),
        KeyState::Good => {
            status.peer = peers.first().cloned().unwrap_or_default();
            status.peers = peers;
        }
    }
}

fn peer(sources: &Sources<'_>, view: &View) -> status::Peer {
    let nothing = Known::default();
    let known = sources.peering.known.get(&view.id).unwrap_or(&nothing);
    let state = known.state.as_ref();
    let is_connected = view.trouble.is_none();
    let uptime = state.map(|(state, at)| {
        Decimal::seconds(sources.now.since(*at).saturating_add(Duration::from_secs(state.uptime.into())))
    });
    status::Peer {
        name: view.hello.as_ref().map(|hello| hello.node.clone()),
        address: view.address.map(|address| address.to_string()),
        connected: is_connected,
        state: Some(word(view).into()),
        error: view.trouble.as_ref().and_then(|trouble| reason(trouble, view.ended.as_ref())),
        instance: view.route.clone().filter(|_| is_connected),
        since: Some(Decimal::seconds(sources.now.since(view.since))),
        role: known.word(|state| &state.role),
        health: known.word(|state| &state.health),
        maintenance: state.map(|(state, _)| state.maintenance),
        uptime,
        version: view.hello.as_ref().map(|hello| hello.version.clone()),
        config_equal: known.setup.as_ref().map(|setup| setup.digest == sources.peering.setup.digest),
        clock_offset: state.map(|_| known.clock_offset),
    }
}

/// The stable word for how the channel is.
fn word(view: &View) -> &'static str {
    match &view.trouble {
        None => "connected",
        Some(Reach::Unknown) => "connecting",
        Some(Reach::Refused) => "process_dead",
        Some(Reach::NoAnswer) => "host_dead",
        Some(Reach::Key) => "wrong_key",
        Some(Reach::Other(_)) => "failed",
    }
}

fn reason(trouble: &Reach, ended: Option<&End>) -> Option<String> {
    let stopped = matches!(ended, Some(End::Bye(why)) if why == "stopping");
    Some(match trouble {
        Reach::Unknown => ended?.to_string(),
        Reach::Refused if stopped => "gwha was stopped there".into(),
        Reach::Refused => "it answers, but gwha does not: stopped, dead, or without a key".into(),
        Reach::NoAnswer => "it answers on no segment: switched off, cut off, or port 8470 is filtered".into(),
        Reach::Key => "the two routers have different keys".into(),
        Reach::Other(end) => end.to_string(),
    })
}

/// What is not as it should be between the routers.
pub fn warnings(
    sources: &Sources<'_>,
    groups: &[GroupView],
    status: &Status,
) -> Vec<(Health, (&'static str, String))> {
    let mut found = Vec::new();
    match &sources.peering.key {
        KeyState::Off => return found,
        KeyState::Unusable(file, error) => {
            let code = if error.starts_with("there is no") { "key_missing" } else { "key_refused" };
            found.push((Health::Degraded, (code, format!("no sync with the other router: {file}: {error}"))));
            return found;
        }
        KeyState::Good => {}
    }
    let is_heard = status.instances.iter().flat_map(|it| &it.peers).any(|it| it.state == "alive");
    for view in sources.peering.mesh.views(sources.now) {
        let name = view.hello.as_ref().map(|hello| clean(&hello.node)).filter(|name| !name.is_empty());
        let name = name.or(view.address.map(|it| it.to_string())).unwrap_or_default();
        if let Some(trouble) = &view.trouble {
            found.extend(unconnected(&name, &view, trouble, is_heard).map(|it| (Health::Degraded, it)));
            continue;
        }
        if let Some(known) = sources.peering.known.get(&view.id) {
            found
                .extend(connected(sources, &name, &view, known).into_iter().map(|it| (Health::Degraded, it)));
            found.extend(contradictions(sources, &name, known, groups));
        }
    }
    found
}

fn unconnected(name: &str, view: &View, trouble: &Reach, is_heard: bool) -> Option<(&'static str, String)> {
    let why = reason(trouble, view.ended.as_ref()).unwrap_or_default();
    Some(match trouble {
        Reach::Unknown => return None,
        Reach::Key => ("peer_key", format!("peer {name}: {why}")),
        // Its adverts come, so it lives: only the channel is broken.
        _ if is_heard => {
            ("peer_channel", format!("peer {name}: its adverts are heard, but not its channel: {why}"))
        }
        Reach::Refused => ("peer_process_dead", format!("peer {name}: {why}")),
        Reach::NoAnswer => ("peer_host_dead", format!("peer {name}: {why}")),
        Reach::Other(_) => ("peer_channel", format!("peer {name}: {why}")),
    })
}

fn connected(sources: &Sources<'_>, name: &str, view: &View, known: &Known) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if let Some(setup) = &known.setup {
        found.extend(about::differences(&sources.peering.setup, setup));
    }
    let version = view.hello.as_ref().map(|hello| hello.version.as_str()).unwrap_or_default();
    if version != env!("CARGO_PKG_VERSION") {
        let own = env!("CARGO_PKG_VERSION");
        found.push(("peer_version", format!("peer {name} runs gwha {version}, this router {own}")));
    }
    if known.state.as_ref().is_some_and(|(state, _)| state.maintenance) {
        found.push((
            "peer_maintenance",
            format!("peer {name} is in maintenance: it serves only if nobody else does"),
        ));
    }
    if view.hello.as_ref().is_some_and(|hello| hello.node == super::host_name()) {
        found.push(("peer_name", format!("both routers have the name {name}")));
    }
    found
}

/// Where the adverts say something else than the channel, on which the peer is alive: the segment is broken.
fn contradictions(
    sources: &Sources<'_>,
    name: &str,
    known: &Known,
    groups: &[GroupView],
) -> Vec<(Health, (&'static str, String))> {
    let mut found = Vec::new();
    let config = sources.engine.config();
    for (group, view) in config.groups.iter().zip(groups) {
        if known.role(&group.name) != Some(Role::Master.name()) {
            continue;
        }
        let silent = group.instances.iter().filter_map(|id| {
            let seen = sources.engine.instance(*id, sources.now);
            let is_silent =
                seen.problem.is_none() && seen.peers.iter().all(|it| it.state == PeerState::Silent);
            let settled = sources.now.since(view.since) > seen.master_down;
            (is_silent && settled).then(|| config.instances.get(id.index()).map(|it| it.name.clone()))?
        });
        let silent: Vec<String> = silent.into_vec();
        if silent.is_empty() {
            continue;
        }
        let where_ = silent.join(", ");
        let text = format!(
            "group {}: peer {name} is alive and master, but its adverts do not arrive on {where_}: that segment is broken",
            group.name
        );
        let health = if view.role == Role::Master { Health::Critical } else { Health::Degraded };
        found.push((health, ("peer_segment", text)));
    }
    found
}

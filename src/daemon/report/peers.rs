//! The other routers: what the channel says of them, and what to make of it together with the adverts.

use core::time::Duration;

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
use super::warnings::Findings;

/// Shows the other routers.
pub fn show(sources: &Sources<'_>, status: &mut Status) {
    let views = sources.peering.mesh.views(sources.now);
    match &sources.peering.key {
        KeyState::Off => {}
        KeyState::Unusable(file, error) => {
            status.peer.state = Some("off".into());
            status.peer.error = Some(format!("{file}: {error}"));
        }
        KeyState::Good => {
            for (place, view) in views.iter().enumerate() {
                if place == 0 {
                    status.peer = peer(sources, view);
                }
                if views.len() > 1 {
                    status.peers.push(peer(sources, view));
                }
            }
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

/// Adds what is not as it should be between the routers.
pub fn judge(sources: &Sources<'_>, groups: &[GroupView], status: &Status, findings: &mut Findings) {
    match &sources.peering.key {
        KeyState::Off => return,
        KeyState::Unusable(file, error) => {
            let code = if error.starts_with("there is no") { "key_missing" } else { "key_refused" };
            findings.degraded(code, format!("no sync with the other router: {file}: {error}"));
            return;
        }
        KeyState::Good => {}
    }
    let is_heard = status.instances.iter().any(|it| it.peers.iter().any(|peer| peer.state == "alive"));
    for view in &sources.peering.mesh.views(sources.now) {
        let name = view.hello.as_ref().map(|hello| clean(&hello.node)).filter(|name| !name.is_empty());
        let name = name.or(view.address.map(|it| it.to_string())).unwrap_or_default();
        if let Some(trouble) = &view.trouble {
            unconnected(&name, view, trouble, is_heard, findings);
        } else if let Some(known) = sources.peering.known.get(&view.id) {
            connected(sources, &name, view, known, findings);
            contradictions(sources, &name, known, groups, findings);
        }
    }
}

fn unconnected(name: &str, view: &View, trouble: &Reach, is_heard: bool, findings: &mut Findings) {
    let why = reason(trouble, view.ended.as_ref()).unwrap_or_default();
    let (code, but) = match trouble {
        Reach::Unknown => return,
        Reach::Key => ("peer_key", ""),
        // Its adverts come, so it lives: only the channel is broken.
        _ if is_heard => ("peer_channel", "its adverts are heard, but not its channel: "),
        Reach::Refused => ("peer_process_dead", ""),
        Reach::NoAnswer => ("peer_host_dead", ""),
        Reach::Other(_) => ("peer_channel", ""),
    };
    findings.degraded(code, format!("peer {name}: {but}{why}"));
}

fn connected(sources: &Sources<'_>, name: &str, view: &View, known: &Known, findings: &mut Findings) {
    if let Some(setup) = &known.setup {
        for (code, message) in about::differences(&sources.peering.setup, setup) {
            findings.degraded(code, message);
        }
    }
    let version = view.hello.as_ref().map_or("", |hello| &hello.version);
    if version != env!("CARGO_PKG_VERSION") {
        let own = env!("CARGO_PKG_VERSION");
        findings.degraded("peer_version", format!("peer {name} runs gwha {version}, this router {own}"));
    }
    if known.state.as_ref().is_some_and(|(state, _)| state.maintenance) {
        let text = format!("peer {name} is in maintenance: it serves only if nobody else does");
        findings.degraded("peer_maintenance", text);
    }
    if view.hello.as_ref().is_some_and(|hello| hello.node == super::host_name()) {
        findings.degraded("peer_name", format!("both routers have the name {name}"));
    }
}

/// Where the adverts say something else than the channel, on which the peer is alive: the segment is broken.
fn contradictions(
    sources: &Sources<'_>,
    name: &str,
    known: &Known,
    groups: &[GroupView],
    findings: &mut Findings,
) {
    let config = sources.engine.config();
    for (group, view) in config.groups.iter().zip(groups) {
        if known.role(&group.name) != Some(Role::Master.name()) {
            continue;
        }
        let mut silent = Vec::new();
        for id in &group.instances {
            let seen = sources.engine.instance(*id, sources.now);
            let is_silent =
                seen.problem.is_none() && seen.peers.iter().all(|it| it.state == PeerState::Silent);
            let settled = sources.now.since(view.since) > seen.master_down;
            if let (true, Some(instance)) = (is_silent && settled, config.instances.get(id.index())) {
                silent.push(instance.name.as_str());
            }
        }
        if silent.is_empty() {
            continue;
        }
        let text = format!(
            "group {}: peer {name} is alive and master, but its adverts do not arrive on {}: that segment is broken",
            group.name,
            silent.join(", ")
        );
        let health = if view.role == Role::Master { Health::Critical } else { Health::Degraded };
        findings.add(health, "peer_segment", text);
    }
}

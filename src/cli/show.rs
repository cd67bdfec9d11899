//! Answers as people read them, in 80 columns. The first line says what is going on, and why.

use std::fmt::Write as _;

use crate::collect::IntoVec as _;
use crate::status::{
    Checked, Group, Health, History, Instance, LeaseList, Peer, PeerRouter, SharedFile, Status, Target, Track,
};

use super::text::{duration, tenths, wrap};

/// The state of a node.
pub fn status(status: &Status) -> String {
    let mut out = wrap("", &headline(status), 2);
    for warning in &status.warnings {
        out.push_str(&wrap("! ", &warning.message, 2));
    }
    for group in &status.groups {
        out.push('\n');
        show_group(&mut out, group, status);
    }
    let peers = if status.peers.is_empty() { core::slice::from_ref(&status.peer) } else { &status.peers };
    for peer in peers.iter().filter(|peer| peer.state.is_some()) {
        out.push('\n');
        out.push_str(&wrap("", &channel_line(peer), 4));
    }
    if !status.tracks.is_empty() {
        out.push('\n');
    }
    for track in &status.tracks {
        out.push_str(&wrap("", &track_line(track), 8));
    }
    if !status.files.is_empty() {
        out.push('\n');
    }
    for file in &status.files {
        out.push_str(&wrap("", &file_line(file), 4));
    }
    let _ = writeln!(
        out,
        "\nhealth {}, configuration {}, gwha {} up {}",
        status.health.name(),
        status.config.state,
        status.version,
        duration(status.uptime)
    );
    out
}

/// "gw-a has been master for 2 h 3 min: the master 192.168.1.2 fell silent"
fn headline(status: &Status) -> String {
    let node = if status.node.is_empty() { "this router" } else { &status.node };
    if status.groups.is_empty() {
        return format!("{node} stands idle: no virtual router is configured and enabled");
    }
    let maintenance = if status.maintenance { " (in maintenance)" } else { "" };
    let role = match status.role.as_str() {
        "init" => "been undecided",
        "fault" => "had a fault",
        "mixed" => "had different roles",
        "backup" => "been backup",
        _ => "been master",
    };
    let since = duration(status.since.unwrap_or_default());
    let cause = status.cause.as_deref().unwrap_or("?");
    let alarm = match (status.health, status.warnings.iter().find(|it| is_alarm(&it.code))) {
        (Health::Critical, Some(_)) => ". CRITICAL, see below",
        (Health::Critical | Health::Degraded | Health::Healthy, _) => "",
    };
    format!("{node}{maintenance} has {role} for {since}: {cause}{alarm}")
}

fn is_alarm(code: &str) -> bool {
    matches!(code, "no_master" | "two_masters" | "serving_faulted")
}

fn show_group(out: &mut String, group: &Group, status: &Status) {
    let base = match group.base_priority {
        Some(base) if base != group.priority => format!(" of {base}"),
        Some(_) | None => String::new(),
    };
    let line = format!(
        "group {}: {} for {}, priority {}{base}, epoch {}",
        group.name,
        group.role,
        duration(group.since),
        group.priority,
        group.epoch
    );
    out.push_str(&wrap("", &line, 2));
    if let Some(master) = group.master.as_ref().filter(|_| group.role != "master") {
        let line = format!(
            "  follows {} (priority {}), heard {} ago",
            master.address,
            master.priority,
            duration(master.last_heard)
        );
        out.push_str(&wrap("", &line, 4));
    }
    for reason in &group.blocked_by {
        out.push_str(&wrap("  - ", reason, 4));
    }
    for instance in status.instances.iter().filter(|instance| instance.group == group.name) {
        out.push_str(&wrap("", &instance_line(instance), 6));
        for peer in &instance.peers {
            out.push_str(&wrap("      ", &peer_line(peer), 8));
        }
    }
}

fn instance_line(instance: &Instance) -> String {
    let place = instance.device.as_deref().unwrap_or(&instance.interface);
    let state = match &instance.problem {
        Some(problem) => format!("{} ({problem})", instance.state),
        None => instance.state.clone(),
    };
    format!(
        "    {} on {place}: {state}; {}; sent {}, received {}{}",
        instance.name,
        instance.vips.join(" "),
        instance.counters.sent,
        instance.counters.received,
        rejected(instance)
    )
}

fn rejected(instance: &Instance) -> String {
    let rejected = &instance.counters.rejected;
    if rejected.is_empty() {
        return String::new();
    }
    let reasons: Vec<String> = rejected.iter().map(|(reason, count)| format!("{count} {reason}")).into_vec();
    format!(", rejected {}", reasons.join(", "))
}

fn peer_line(peer: &PeerRouter) -> String {
    let heard = match peer.last_heard {
        Some(age) => format!(", heard {} ago", duration(age)),
        None => ", never heard as master".to_owned(),
    };
    let priority = peer.priority.map(|priority| format!(", priority {priority}")).unwrap_or_default();
    let mismatch = peer.mismatch.as_ref().map(|what| format!(" ({what})")).unwrap_or_default();
    format!("{}: {}{mismatch}{priority}{heard}", peer.address, peer.state)
}

/// "peer gw-b (192.168.1.3): backup, healthy, gwha 0.1.0, channel up on lan for 2 h 3 min"
fn channel_line(peer: &Peer) -> String {
    let name = peer.name.as_deref().unwrap_or("?");
    let address = peer.address.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
    let age = peer.since.map(|since| format!(" for {}", duration(since))).unwrap_or_default();
    if !peer.connected {
        let state = peer.state.as_deref().unwrap_or_default().replace('_', " ");
        let error = peer.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        if state == "off" {
            return format!("peer channel off{error}");
        }
        return format!("peer {name}{address}: channel down{age}, {state}{error}");
    }
    let words = [&peer.role, &peer.health].into_iter().flatten().cloned().into_vec();
    let maintenance = if peer.maintenance == Some(true) { ", in maintenance" } else { "" };
    let version = peer.version.as_deref().unwrap_or("?");
    let instance = peer.instance.as_deref().unwrap_or("?");
    format!(
        "peer {name}{address}: {}{maintenance}, gwha {version}, channel up on {instance}{age}",
        words.join(", ")
    )
}

fn track_line(track: &Track) -> String {
    let targets: Vec<String> = track.targets.iter().map(target).into_vec();
    let progress = match track.streak {
        0 => String::new(),
        streak => format!(", {streak} of {} tests say otherwise", track.needed),
    };
    let effect = match track.effect.as_str() {
        "none" | "" => String::new(),
        effect => format!(", effect {effect}"),
    };
    format!(
        "track {} ({}): {} for {}{progress}{effect}: {}",
        track.name,
        track.kind,
        track.state,
        duration(track.since),
        targets.join(", ")
    )
}

/// "file /etc/config/dhcp: in sync, received, 3 s ago"
fn file_line(file: &SharedFile) -> String {
    let state = file.state.replace('_', " ");
    let direction = file.direction.as_deref().unwrap_or("?");
    let age = file.last_success.map_or_else(|| "never".to_owned(), |age| format!("{} ago", duration(age)));
    let error = file.last_error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    let asides = file.asides.iter().fold(String::new(), |all, place| all + " " + place);
    format!("file {}: {state}, {direction}, {age}{error}{asides}", file.path)
}

fn target(target: &Target) -> String {
    match target.rtt_ms {
        Some(rtt) => format!("{} {} {} ms", target.target, target.state, tenths(rtt)),
        None => format!("{} {}", target.target, target.state),
    }
}

/// What happened, the youngest last.
pub fn history(history: &History) -> String {
    if history.events.is_empty() {
        return "nothing has happened since the boot\n".to_owned();
    }
    let mut out = String::new();
    for event in &history.events {
        let age = format!("{:>14} ago  ", duration(event.age.unwrap_or_default()));
        out.push_str(&wrap(&age, &event.message, 20));
    }
    out
}

/// The leases that both routers share.
pub fn leases(list: &LeaseList) -> String {
    let mut out = String::new();
    if let Some(error) = &list.error {
        let _ = writeln!(out, "no leases: {error}");
    }
    for lease in &list.leases {
        let name = lease.name.as_deref().unwrap_or("-");
        let rest = lease.expires_in.map_or_else(|| "for ever".to_owned(), duration);
        let _ = writeln!(out, "{:<39} {:<17} {name} ({rest})", lease.address, lease.client);
    }
    out
}

/// What is wrong with a file.
pub fn checked(checked: &Checked) -> String {
    let mut out = String::new();
    for warning in &checked.warnings {
        let _ = writeln!(out, "warning: {warning}");
    }
    for error in &checked.errors {
        let _ = writeln!(out, "error: {error}");
    }
    let verdict = match (checked.valid, checked.warnings.is_empty()) {
        (true, true) => "good",
        (true, false) => "can be used, but see above",
        (false, _) => "can't be used",
    };
    let _ = writeln!(out, "{}: {verdict}", checked.file);
    out
}

#[cfg(test)]
mod tests;

//! Actions and views in the words of the scenarios.

use std::net::IpAddr;

use gwha::engine::{
    Action, Cause, Fault, GroupView, InstanceView, Maintenance, Notice, PeerState, RoleChange, TrackView,
};

use crate::script::clock;
use crate::stage::Micros;
use crate::support::setup::Setup;

/// What one step did, a line for each thing; adverts that leave together share a line. In a step that
/// brings a configuration, what comes before [`Action::Configured`] is about the old one.
pub fn tell(actions: &[Action], old: &Setup, setup: &Setup) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let configured = actions.iter().position(|action| *action == Action::Configured).unwrap_or(0);
    for (index, action) in actions.iter().enumerate() {
        let line = Words { setup: if index < configured { old } else { setup } }.action(action);
        let joined = lines.last_mut().and_then(|last| join(last, &line));
        match (joined, lines.last_mut()) {
            (Some(joined), Some(last)) => *last = joined,
            _ => lines.push(line),
        }
    }
    lines
}

/// `lan > 3` and `wan > 3` make `lan wan > 3`; the same for announcements.
fn join(last: &str, line: &str) -> Option<String> {
    if let (Some((names, priority)), Some((name, same))) = (last.split_once(" > "), line.split_once(" > ")) {
        return (priority == same && !names.split(' ').any(|other| other == name))
            .then(|| format!("{names} {name} > {priority}"));
    }
    let name = line.strip_prefix("announce ")?;
    last.starts_with("announce ").then(|| format!("{last} {name}"))
}

struct Words<'s> {
    setup: &'s Setup,
}

impl Words<'_> {
    fn action(&self, action: &Action) -> String {
        match action {
            Action::Advertise { instance, priority } => {
                format!("{} > {priority}", self.member(instance.index()))
            }
            Action::Role(change) => self.role(change),
            Action::Announce { instance } => format!("announce {}", self.member(instance.index())),
            Action::Probe { track, .. } => format!("probe {}", self.track(track.index())),
            Action::EndProbe { track, .. } => format!("end probe {}", self.track(track.index())),
            Action::KeepMaintenance(maintenance) => format!("keep maintenance {}", on(*maintenance)),
            Action::Reply { result: Ok(done), .. } => {
                format!("reply: done in {}", clock(done.took.as_micros() as Micros))
            }
            Action::Reply { result: Err(refusal), .. } => format!("reply: refused, {refusal:?}"),
            Action::Notice(notice) => format!("notice: {}", self.notice(notice)),
            Action::Configured => "configured".to_owned(),
            Action::Exit => "exit".to_owned(),
        }
    }

    fn role(&self, change: &RoleChange) -> String {
        format!("{} becomes {}, {}", change.from.name(), change.to.name(), self.cause(&change.cause))
    }

    fn cause(&self, cause: &Cause) -> String {
        let code = cause.code();
        match cause {
            Cause::Told { from, priority } => format!("{code} {} {priority}", self.who(*from)),
            Cause::MasterHeard { from, priority, burden }
            | Cause::HigherPriority { from, priority, burden } => {
                format!("{code} {} {priority}{}", self.who(*from), behind(burden))
            }
            Cause::NoUsableMember { burden } => format!("{code}{}", behind(burden)),
            Cause::Stopped { from } | Cause::Stalled { from } => format!("{code} {}", self.who(*from)),
            Cause::FaultBegan(Fault::Link { instance, problem }) => format!("{code} {instance}: {problem}"),
            Cause::FaultBegan(Fault::Track { track }) => format!("{code} {track}"),
            Cause::FaultBegan(Fault::Addresses) => format!("{code} addresses"),
            Cause::Started
            | Cause::Resumed
            | Cause::MasterDown { .. }
            | Cause::Preempt
            | Cause::Operator
            | Cause::FaultEnded
            | Cause::Terminated
            | Cause::Reconfigured => code.to_owned(),
        }
    }

    fn notice(&self, notice: &Notice) -> String {
        match notice {
            Notice::PeerFound { instance, peer, priority } => {
                format!("found {} on {} at {priority}", self.who(*peer), self.member(instance.index()))
            }
            Notice::PeerLost { instance, peer } => {
                format!("lost {} on {}", self.who(*peer), self.member(instance.index()))
            }
            Notice::Misconfigured { instance, peer, what } => {
                format!("{} on {} differs in {}", self.who(*peer), self.member(instance.index()), what.name())
            }
            Notice::Rival { instance, peer, priority } => {
                format!("rival {} on {} at {priority}", self.who(*peer), self.member(instance.index()))
            }
            Notice::TrackChanged { track, up } => {
                format!("{} is {}", self.track(track.index()), if *up { "up" } else { "down" })
            }
            Notice::PriorityChanged { from, to, .. } => format!("priority {from} to {to}"),
            Notice::Conflict { instance } => format!("conflict on {}", self.member(instance.index())),
            Notice::PeerSplit { peer, .. } => format!("{} is split", self.who(*peer)),
        }
    }

    fn who(&self, address: IpAddr) -> char {
        self.setup.who(address)
    }

    fn member(&self, index: usize) -> &str {
        &self.setup.members[index].name
    }

    fn track(&self, index: usize) -> &str {
        &self.setup.tracks[index].name
    }
}

fn behind(burden: &str) -> String {
    if burden.is_empty() { String::new() } else { format!(" ({burden})") }
}

fn on(maintenance: Maintenance) -> &'static str {
    match maintenance {
        Maintenance::On => "on",
        Maintenance::Off => "off",
    }
}

/// `show group`.
pub fn group(view: &GroupView, setup: &Setup, at: impl Fn(gwha::engine::Instant) -> Micros) -> String {
    let mut line = format!("{} since {}, says {}", view.role.name(), clock(at(view.since)), view.priority);
    if let Some(master) = view.master {
        line += &format!(", follows {} at {}", setup.who(master.address), master.priority);
    }
    if view.maintenance == Maintenance::On {
        line += ", maintenance";
    }
    if !view.blocked_by.is_empty() {
        line += &format!(", blocked by: {}", view.blocked_by.join("; "));
    }
    line
}

/// `show NAME` of an instance.
pub fn instance(view: &InstanceView, setup: &Setup) -> String {
    let mut line = format!("sent {}, received {}", view.sent, view.received);
    for (reason, count) in &view.rejected {
        line += &format!(", {reason} {count}");
    }
    line += &format!(", master_down {}", clock(view.master_down.as_micros() as Micros));
    for peer in &view.peers {
        let state = match peer.state {
            PeerState::Alive | PeerState::Silent => peer.state.name().to_owned(),
            PeerState::Misconfigured(what) => format!("misconfigured ({})", what.name()),
        };
        line += &format!(", {} {state}", setup.who(peer.address));
    }
    line
}

/// `show NAME` of a track.
pub fn track(view: &TrackView) -> String {
    format!("{}, {} of {}, effect {}", view.state.name(), view.streak, view.needed, view.effect)
}

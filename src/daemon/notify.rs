//! What the engine noticed, in the words of a log line and of the history.
//!
//! A standby at rest logs nothing. What a hostile or misconfigured neighbour can repeat for ever is logged
//! once in a while, and then with the number of times that it was kept quiet.

use core::mem::Discriminant;
use std::fmt::Write as _;
use std::net::IpAddr;

use log::Level;

use crate::config::model::{Config, GroupId, InstanceId, TrackId};
use crate::engine::{Cause, Instant, Notice, Role, RoleChange};
use crate::limits;
use crate::status::Happening;

/// One line for the log, and what the history keeps of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// How loud it is.
    pub level: Level,
    /// For the history; its `message` is the line.
    pub happening: Happening,
}

impl Line {
    /// A line of which there is nothing more to say.
    pub fn new(level: Level, event: &str, message: String) -> Line {
        Line { level, happening: Happening { event: event.to_owned(), message, ..Happening::default() } }
    }
}

/// A role change as a line.
pub fn role_changed(config: &Config, change: &RoleChange) -> Line {
    let RoleChange { group, from, to, cause, epoch } = change;
    let name = group_name(config, *group);
    let message = format!("group {name}: {from} -> {to} ({cause}), epoch {epoch}");
    let level = match (to, cause) {
        (Role::Fault, _) | (_, Cause::Stalled { .. }) => Level::Warn,
        (Role::Init | Role::Backup | Role::Master, _) => Level::Info,
    };
    let mut line = Line::new(level, "role", message);
    let happening = &mut line.happening;
    happening.group = Some(name.to_owned());
    happening.from = Some(from.name().to_owned());
    happening.to = Some(to.name().to_owned());
    happening.cause = Some(cause.to_string());
    happening.cause_code = Some(cause.code().to_owned());
    happening.epoch = Some(epoch.0);
    line
}

/// A notice as a line.
pub fn noticed(config: &Config, notice: &Notice) -> Line {
    let instance = |id: &InstanceId| config.instances.get(id.index()).map_or("?", |found| &found.name);
    let group = |id: &GroupId| group_name(config, *id);
    let (level, event, message) = match notice {
        Notice::PeerFound { instance, peer, priority } => {
            let cause = format!("is heard with priority {priority}");
            return peer_changed(config, (*instance, *peer), ("silent", "alive"), cause);
        }
        Notice::PeerLost { instance, peer } => {
            return peer_changed(config, (*instance, *peer), ("alive", "silent"), "fell silent".into());
        }
        Notice::Misconfigured { instance: id, peer, what } => {
            let text = format!("instance {}: {peer} differs in: {}", instance(id), what.name());
            (Level::Warn, "misconfigured", text)
        }
        Notice::Rival { instance: id, peer, priority } => {
            let text =
                format!("instance {}: {peer} claims to be master with priority {priority}", instance(id));
            (Level::Warn, "rival", text)
        }
        Notice::TrackChanged { track, up } => track_changed(config, *track, *up),
        Notice::PriorityChanged { group: id, from, to } => {
            (Level::Info, "priority", format!("group {}: priority {from} -> {to}", group(id)))
        }
        Notice::Conflict { instance: id } => {
            let text = format!("instance {}: another host claims a virtual address", instance(id));
            (Level::Warn, "conflict", text)
        }
        Notice::PeerSplit { group: id, peer } => {
            let text = format!(
                "group {}: {peer} stops on one instance and advertises on another; \
                 its instances are not one sync group",
                group(id)
            );
            (Level::Warn, "peer_split", text)
        }
    };
    Line::new(level, event, message)
}

/// What follows the master began to fail (`Ok`: what is wrong), or works again.
pub fn sync_changed(trouble: Result<&str, &str>) -> Line {
    match trouble {
        Ok(trouble) => Line::new(Level::Warn, "sync_failed", trouble.to_owned()),
        Err(recovery) => Line::new(Level::Info, "sync_recovered", recovery.to_owned()),
    }
}

/// Addresses that another router has lent to somebody else, while the routers did not see each other.
pub fn lent_twice(addresses: &[IpAddr]) -> Line {
    const NAMED: usize = 4;
    let mut message = "leases: lent to two clients while the routers did not see each other".to_owned();
    for (place, address) in addresses.iter().take(NAMED).enumerate() {
        let before = if place == 0 { ":" } else { "," };
        let _ = write!(message, "{before} {address}");
    }
    let more = addresses.len().saturating_sub(NAMED);
    if more > 0 {
        let _ = write!(message, " and {more} more");
    }
    message.push_str("; the later lease counts");
    Line::new(Level::Warn, "lent_twice", message)
}

fn peer_changed(
    config: &Config,
    (id, peer): (InstanceId, IpAddr),
    (from, to): (&str, &str),
    cause: String,
) -> Line {
    let instance = config.instances.get(id.index());
    let name = instance.map_or("?", |instance| &instance.name);
    let (level, event) = if to == "alive" { (Level::Info, "peer_found") } else { (Level::Warn, "peer_lost") };
    let mut line = Line::new(level, event, format!("instance {name}: {peer} {cause}"));
    let happening = &mut line.happening;
    happening.group = instance.map(|instance| group_name(config, instance.group).to_owned());
    happening.instance = Some(name.to_owned());
    happening.peer = Some(peer.to_string());
    happening.from = Some(from.to_owned());
    happening.to = Some(to.to_owned());
    happening.cause = Some(cause);
    line
}

fn track_changed(config: &Config, id: TrackId, is_up: bool) -> (Level, &'static str, String) {
    let name = config.tracks.get(id.index()).map_or("?", |track| &track.name);
    if is_up {
        (Level::Info, "track", format!("track {name} is up"))
    } else {
        (Level::Warn, "track", format!("track {name} is down"))
    }
}

fn group_name(config: &Config, id: GroupId) -> &str {
    config.groups.get(id.index()).map_or("?", |group| &group.name)
}

/// What makes two notices the same fact, for those that somebody else can repeat at will.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    kind: Discriminant<Notice>,
    place: u16,
    peer: Option<IpAddr>,
}

impl Key {
    /// `None` for what changes only as often as this node lets it.
    fn of(notice: &Notice) -> Option<Key> {
        let (place, peer) = match notice {
            Notice::Misconfigured { instance, peer, .. } | Notice::Rival { instance, peer, .. } => {
                (instance.0, Some(*peer))
            }
            Notice::PeerFound { instance, peer, .. } | Notice::PeerLost { instance, peer } => {
                (instance.0, Some(*peer))
            }
            Notice::Conflict { instance } => (instance.0, None),
            Notice::PeerSplit { group, peer } => (group.0, Some(*peer)),
            Notice::TrackChanged { .. } | Notice::PriorityChanged { .. } => return None,
        };
        Some(Key { kind: core::mem::discriminant(notice), place, peer })
    }
}

/// Keeps repetitions out of the log. It holds few facts, and forgets those that are over.
#[derive(Debug, Default)]
pub struct Limiter {
    said: Vec<Said>,
}

#[derive(Debug)]
struct Said {
    key: Key,
    at: Instant,
    /// How often it was not said since.
    suppressed: u32,
}

impl Limiter {
    /// Whether the notice is to be told now, and how often it has been kept quiet since it was told last.
    pub fn admit(&mut self, notice: &Notice, now: Instant) -> Option<u32> {
        let Some(key) = Key::of(notice) else { return Some(0) };
        let is_over = |said: &Said| now.since(said.at) >= limits::LOG_REPEAT;
        if let Some(said) = self.said.iter_mut().find(|said| said.key == key) {
            if !is_over(said) {
                said.suppressed = said.suppressed.saturating_add(1);
                return None;
            }
            let suppressed = core::mem::take(&mut said.suppressed);
            said.at = now;
            return Some(suppressed);
        }
        self.said.retain(|said| !is_over(said));
        if self.said.len() >= limits::LOG_REPEAT_KEYS {
            return None;
        }
        self.said.push(Said { key, at: now, suppressed: 0 });
        Some(0)
    }

    /// Forgets everything: places in an old configuration mean nothing in a new one.
    pub fn clear(&mut self) {
        self.said.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rival(last_byte: u8) -> Notice {
        Notice::Rival { instance: InstanceId(0), peer: IpAddr::from([192, 0, 2, last_byte]), priority: 50 }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn peer_that_comes_or_goes_is_told_as_a_change() {
        let text = "config gwha 'main'\n option enabled '1'\nconfig instance 'lan'\n option device 'lan'\n \
            option vrid '1'\n list router '192.0.2.1'\n list router '192.0.2.2'\n list vip '192.0.2.9'\n";
        let config = crate::config::load("test", text.as_bytes()).unwrap_or_else(|no| panic!("{no}")).config;
        let (instance, peer) = (InstanceId(0), IpAddr::from([192, 0, 2, 2]));

        let lost = noticed(&config, &Notice::PeerLost { instance, peer }).happening;
        let found = noticed(&config, &Notice::PeerFound { instance, peer, priority: 90 }).happening;

        assert_eq!((lost.event.as_str(), lost.group.as_deref()), ("peer_lost", Some("lan")));
        assert_eq!((lost.from.as_deref(), lost.to.as_deref()), (Some("alive"), Some("silent")));
        assert_eq!(lost.message, "instance lan: 192.0.2.2 fell silent");
        assert_eq!((found.event.as_str(), found.peer.as_deref()), ("peer_found", Some("192.0.2.2")));
        assert_eq!(
            (found.to.as_deref(), found.cause.as_deref()),
            (Some("alive"), Some("is heard with priority 90"))
        );
    }

    #[test]
    fn repeated_fact_is_told_once_a_minute_with_its_count() {
        let mut limiter = Limiter::default();

        assert_eq!(limiter.admit(&rival(1), at(0)), Some(0));
        for second in 1..60 {
            assert_eq!(limiter.admit(&rival(1), at(second)), None);
        }
        assert_eq!(limiter.admit(&rival(1), at(60)), Some(59));
        assert_eq!(limiter.admit(&rival(2), at(60)), Some(0));
    }

    #[test]
    fn thousand_forged_sources_make_a_bounded_number_of_lines() {
        let mut limiter = Limiter::default();
        let sources = (0..1000u16).map(|number| IpAddr::from([10, 0, (number >> 8) as u8, number as u8]));

        let told = sources
            .filter(|peer| {
                let notice = Notice::Rival { instance: InstanceId(0), peer: *peer, priority: 1 };
                limiter.admit(&notice, at(1)).is_some()
            })
            .count();

        assert_eq!(told, limits::LOG_REPEAT_KEYS);
        assert_eq!(limiter.admit(&rival(1), at(61)), Some(0));
    }

    #[test]
    fn own_changes_are_always_told() {
        let mut limiter = Limiter::default();
        let notice = Notice::TrackChanged { track: TrackId(0), up: false };
        for _ in 0..5 {
            assert_eq!(limiter.admit(&notice, at(1)), Some(0));
        }
    }
}

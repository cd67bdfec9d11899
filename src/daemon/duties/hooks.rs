//! Hooks: programs of the administrator that are told of role changes.
//!
//! The files of `/etc/hotplug.d/gwha`, in their order, as OpenWrt's `hotplug-call` runs them, then the group's
//! `option script`. One at a time; see [`crate::duties::Hooks`].

use core::time::Duration;
use std::fs;
use std::path::Path;

use log::Level;

use crate::collect::take_first;
use crate::config::Secs;
use crate::config::model::Config;
use crate::daemon::notify::Line;
use crate::disk::plain;
use crate::duties::{Change, Hooks, Run};
use crate::engine::{Instant, RoleChange};
use crate::exec::child::Ending;
use crate::exec::children::{Children, Ended, Program};
use crate::reconcile::Row;
use crate::status::Happening;

use super::hands::Scene;

/// The hooks, and what came of each last.
#[derive(Debug, Default)]
pub struct HookRuns {
    queue: Hooks,
    running: Option<Running>,
    runs: u32,
    /// What came of each last: lines of the status, by name.
    results: Vec<Row>,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Running {
    number: u32,
    run: Run,
    name: String,
    begun: Instant,
    deadline: Instant,
    /// Since when there is a newer role.
    outdated: Option<Instant>,
}

/// A program to run.
struct Hook {
    name: String,
    program: Program,
}

impl HookRuns {
    /// A group's role has changed.
    pub fn role_changed(&mut self, group: &str, change: &RoleChange) {
        let RoleChange { from, to, cause, epoch, .. } = change;
        self.queue.push(Change {
            subject: String::new(),
            action: to.name().to_owned(),
            group: group.to_owned(),
            from: from.name().to_owned(),
            to: to.name().to_owned(),
            cause: cause.code().to_owned(),
            epoch: Some(epoch.0),
        });
    }

    /// Something else has happened that the files in the directory are told of; whether it is of that kind.
    pub fn happened(&mut self, happening: &Happening) -> bool {
        let event: &str = &happening.event;
        let Some((_, what)) = EVENTS.iter().find(|(known, _)| *known == event) else { return false };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let Happening { instance, peer, group, from, to, cause, message, .. } = happening;
        self.queue.push(Change {
            subject: format!("{what} {} {}", text(instance), text(peer)),
            action: event.to_owned(),
            group: text(group),
            from: text(from),
            to: text(to),
            cause: cause.clone().unwrap_or_else(|| message.clone()),
            epoch: None,
        });
        true
    }

    /// Begins what is due, and gives up what takes too long.
    pub fn run(&mut self, scene: &Scene<'_>, children: &mut Children, now: Instant) {
        if let Some(running) = &mut self.running {
            // The newer role does not wait for long.
            if self.queue.is_outdated(&running.run) {
                let outdated = *running.outdated.get_or_insert(now);
                running.deadline = running.deadline.min(outdated.after(OUTDATED_MAX));
            }
            if running.deadline > now {
                return;
            }
            children.kill(running.number);
            let message = format!("killed after {} s", Secs(now.since(running.begun)));
            self.over(Err(message.into()), now);
        }
        while self.running.is_none() {
            let next = match self.queue.current() {
                Some(current) => {
                    let count = hooks(scene.config, &current.change).len();
                    self.queue.ended(count)
                }
                None => None,
            };
            let next = next.or_else(|| {
                let count = hooks(scene.config, self.queue.next()?).len();
                self.queue.begin(count)
            });
            match next {
                Some(run) => self.start(run, scene.config, children, now),
                None if self.queue.next().is_none() => return,
                // A group without hooks.
                None => {}
            }
        }
    }

    fn start(&mut self, run: Run, config: &Config, children: &mut Children, now: Instant) {
        let Some(Hook { name, mut program }) = hooks(config, &run.change).into_iter().nth(run.place) else {
            return;
        };
        program.environment = environment(&run.change);
        self.runs = self.runs.wrapping_add(1);
        let number = NUMBERS | (self.runs & 0xffff);
        self.note(&name, "running", None);
        let started = children.start(number, &program);
        let deadline = now.after(DEADLINE);
        self.running = Some(Running { number, run, name, begun: now, deadline, outdated: None });
        if let Err(error) = started {
            self.over(Err(plain(&error).into()), now);
        }
    }

    /// Whether a child is the hook that runs.
    pub fn is(&self, number: u32) -> bool {
        number & NUMBERS == NUMBERS && self.running.as_ref().is_some_and(|it| it.number == number)
    }

    /// A hook has ended.
    pub fn ended(&mut self, ended: &Ended, now: Instant) {
        let result = match ended.ending {
            Ending::Exited(0) => Ok(()),
            Ending::Exited(_) | Ending::Killed(_) | Ending::Lost => ended.success(),
        };
        self.over(result, now);
    }

    fn over(&mut self, result: Result<(), Box<str>>, now: Instant) {
        let Some(Running { run, name, begun, .. }) = self.running.take() else { return };
        let Change { subject, action, group, from, to, epoch, .. } = run.change;
        let told = if subject.is_empty() { format!("group {group}, {from} -> {to}") } else { action };
        let took = Secs(now.since(begun));
        let how = result.as_ref().err().map_or("exit status 0", |error| error);
        let message = format!("hook {name} ({told}): {how}, after {took} s");
        let level = if result.is_ok() { Level::Info } else { Level::Warn };
        let mut line = Line::new(level, "hook", message);
        line.happening.group = some(group);
        line.happening.from = some(from);
        line.happening.to = some(to);
        line.happening.epoch = epoch;
        self.lines.push(line);
        let observed = if result.is_ok() { "done" } else { "failed" };
        self.note(&name, observed, result.err().map(String::from));
    }

    /// Remembers how a hook is.
    fn note(&mut self, name: &str, observed: &'static str, error: Option<String>) {
        let at = self.results.iter().position(|row| *row.name >= *name).unwrap_or(self.results.len());
        match self.results.get_mut(at) {
            Some(row) if row.name == name => (row.observed, row.error) = (observed, error),
            Some(_) | None => {
                let name = name.to_owned();
                let row = Row { kind: "hook", name, wanted: "done", observed, error, retry_in: None };
                self.results.insert(at, row);
                if self.results.len() > RESULTS_MAX {
                    take_first(&mut self.results);
                }
            }
        }
    }

    /// What is to be logged.
    pub fn take_lines(&mut self) -> Vec<Line> {
        core::mem::take(&mut self.lines)
    }

    /// When something is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.running.as_ref().map(|running| running.deadline)
    }

    /// The lines of the status.
    pub fn rows(&self) -> &[Row] {
        &self.results
    }
}

/// Words that there are none of are left out.
fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// The hooks that are told of a change, in their order. A group's script knows of roles only.
fn hooks(config: &Config, change: &Change) -> Vec<Hook> {
    let mut all = hotplug(Path::new(HOTPLUG));
    let group = Some(&change.group).filter(|_| change.subject.is_empty());
    let script =
        config.groups.iter().find(|it| Some(&it.name) == group).and_then(|it| it.actions.script.as_ref());
    all.extend(script.map(|command| Hook { name: command.clone(), program: Program::shell(command, &[]) }));
    all
}

/// OpenWrt's way: each file is read by a shell of its own, after its library.
fn hotplug(dir: &Path) -> Vec<Hook> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut names = Vec::new();
    for entry in entries.flatten().take(HOOKS_MAX) {
        let path = entry.path();
        if path.is_file() {
            names.push(path.to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    let mut hooks = Vec::new();
    for name in names {
        hooks.push(Hook { program: Program::shell(SOURCE, &[&name]), name });
    }
    hooks
}

fn environment(change: &Change) -> Vec<(&'static str, String)> {
    let Change { subject: _, action, group, from, to, cause, epoch } = change;
    let epoch = epoch.map(|epoch| epoch.to_string()).unwrap_or_default();
    let mut all = Vec::new();
    for (name, value) in [
        ("HOTPLUG_TYPE", "gwha"),
        ("ACTION", action),
        ("GROUP", group),
        ("FROM", from),
        ("TO", to),
        ("CAUSE", cause),
        ("EPOCH", &epoch),
    ] {
        all.push((name, value.to_owned()));
    }
    all
}

/// What else hooks are told of, and what it is about: the newest of each is told.
const EVENTS: [(&str, &str); 6] = [
    ("peer_found", "peer"),
    ("peer_lost", "peer"),
    ("channel_up", "channel"),
    ("channel_down", "channel"),
    ("sync_failed", "sync"),
    ("sync_recovered", "sync"),
];

const HOTPLUG: &str = "/etc/hotplug.d/gwha";
const SOURCE: &str = "[ ! -f /lib/functions.sh ] || . /lib/functions.sh; . \"$0\"";

/// How long a hook may run.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long it may go on when the role it is about is over.
const OUTDATED_MAX: Duration = Duration::from_secs(5);
/// Files in the directory of hooks that are looked at.
const HOOKS_MAX: usize = 64;
/// Hooks whose last outcome is shown.
const RESULTS_MAX: usize = 64;
/// Children have numbers of their own from here on, beyond those of attempts and of conntrackd.
const NUMBERS: u32 = 0xe000_0000;

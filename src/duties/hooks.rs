//! Whose turn it is among the hooks: one at a time, in order, the newest role wins.

use crate::collect::take_first;

/// What hooks are told: that a role has changed, or that something else has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// What it is about: of two changes of the same thing only the newer one counts. Empty: the role of the group.
    pub subject: String,
    /// The new role, or what has happened.
    pub action: String,
    /// The group's name, if it is about one.
    pub group: String,
    /// How it was before, in the words of the status.
    pub from: String,
    /// How it is from then on.
    pub to: String,
    /// Why: for a role a stable word, otherwise a sentence.
    pub cause: String,
    /// The group's count of role changes.
    pub epoch: Option<u32>,
}

impl Change {
    /// Whether both are about the same thing, so that the newer one makes the older one void.
    fn replaces(&self, older: &Change) -> bool {
        self.subject == older.subject && self.group == older.group
    }
}

/// One run of one hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What it is told.
    pub change: Change,
    /// Its place in the list of hooks.
    pub place: usize,
}

/// The role changes that wait for their hooks.
///
/// A change is told to every hook in turn. When the role of a group changes again meanwhile, the run under way
/// goes on to its end, those of the older change that have not begun are left out, and the newer one follows.
/// What a hook is told first (`from`) is then the role that the hooks were told of last.
#[derive(Debug, Default)]
pub struct Hooks {
    waiting: Vec<Change>,
    current: Option<Run>,
    /// Role changes whose hooks were left out, since the start.
    skipped: u32,
}

impl Hooks {
    /// Something has changed that hooks are told of.
    pub fn push(&mut self, mut change: Change) {
        if let Some(place) = self.waiting.iter().position(|old| change.replaces(old)) {
            change.from = self.waiting.remove(place).from;
            self.skipped = self.skipped.saturating_add(1);
        }
        self.waiting.push(change);
        if self.waiting.len() > WAITING_MAX {
            take_first(&mut self.waiting);
        }
    }

    /// The run that begins now, of `hooks` in all; `None` while one is under way, and when there is nothing to tell.
    pub fn begin(&mut self, hooks: usize) -> Option<Run> {
        if self.current.is_some() {
            return None;
        }
        let change = take_first(&mut self.waiting)?;
        self.start(change, 0, hooks)
    }

    /// The run under way is over. The next one of the same change, if there is one; otherwise see [`Hooks::begin`].
    pub fn ended(&mut self, hooks: usize) -> Option<Run> {
        let Run { change, place } = self.current.take()?;
        if self.waiting.iter().any(|newer| newer.replaces(&change)) {
            self.skipped = self.skipped.saturating_add(1);
            return None;
        }
        self.start(change, place.saturating_add(1), hooks)
    }

    fn start(&mut self, change: Change, place: usize, hooks: usize) -> Option<Run> {
        if place >= hooks {
            return None;
        }
        let run = Run { change, place };
        self.current = Some(run.clone());
        Some(run)
    }

    /// Whether a group's role has changed again since a run began.
    pub fn is_outdated(&self, run: &Run) -> bool {
        self.waiting.iter().any(|newer| newer.replaces(&run.change))
    }

    /// What hooks are told next, after the run under way.
    pub fn next(&self) -> Option<&Change> {
        self.waiting.first()
    }

    /// The run under way.
    pub fn current(&self) -> Option<&Run> {
        self.current.as_ref()
    }
}

/// Changes that wait: one of each group and peer is far below that.
const WAITING_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn change(group: &str, from: &str, to: &str, epoch: u32) -> Change {
        let [group, from, to] = [group, from, to].map(str::to_owned);
        Change { group, from, action: to.clone(), to, epoch: Some(epoch), ..Change::default() }
    }

    fn told(run: Option<Run>) -> Option<(String, String, String, usize)> {
        run.map(|run| (run.change.group, run.change.from, run.change.to, run.place))
    }

    fn of(group: &str, from: &str, to: &str, place: usize) -> Option<(String, String, String, usize)> {
        Some((group.into(), from.into(), to.into(), place))
    }

    #[test]
    fn hooks_run_one_after_the_other_and_in_order() {
        let mut hooks = Hooks::default();
        hooks.push(change("lan", "backup", "master", 1));
        hooks.push(change("wan", "backup", "fault", 1));

        assert_eq!(told(hooks.begin(2)), of("lan", "backup", "master", 0));
        assert_eq!(hooks.begin(2), None);
        assert_eq!(told(hooks.ended(2)), of("lan", "backup", "master", 1));
        assert_eq!(hooks.ended(2), None);
        assert_eq!(told(hooks.begin(2)), of("wan", "backup", "fault", 0));
        assert_eq!(told(hooks.ended(2)), of("wan", "backup", "fault", 1));
        assert_eq!(hooks.ended(2), None);
        assert_eq!(hooks.begin(2), None);
    }

    #[test]
    fn the_newest_role_wins_and_tells_of_the_last_role_that_was_told() {
        let mut hooks = Hooks::default();
        hooks.push(change("lan", "init", "backup", 1));
        hooks.begin(3);
        hooks.push(change("lan", "backup", "master", 2));
        hooks.push(change("lan", "master", "backup", 3));
        hooks.push(change("lan", "backup", "master", 4));

        // The second and third hook are not told of the older role any more, nor any of those in between.
        assert!(hooks.is_outdated(&hooks.current().unwrap().clone()));
        assert_eq!(hooks.ended(3), None);
        assert_eq!(told(hooks.begin(3)), of("lan", "backup", "master", 0));
        assert_eq!(hooks.current().unwrap().change.epoch, Some(4));
        assert_eq!(told(hooks.ended(3)), of("lan", "backup", "master", 1));
    }

    #[test]
    fn a_lost_peer_and_a_role_are_two_things_and_a_peer_that_is_back_is_the_same() {
        let peer = |to: &str| Change { subject: "peer 10.0.0.3".into(), ..change("lan", "x", to, 0) };
        let mut hooks = Hooks::default();
        hooks.push(change("lan", "backup", "master", 1));
        hooks.push(peer("silent"));
        hooks.push(peer("alive"));

        assert_eq!(told(hooks.begin(1)), of("lan", "backup", "master", 0));
        assert_eq!(hooks.ended(1), None);
        assert_eq!(told(hooks.begin(1)), of("lan", "x", "alive", 0));
        assert_eq!(hooks.ended(1), None);
        assert_eq!(hooks.begin(1), None);
    }

    #[test]
    fn without_hooks_nothing_runs_and_nothing_waits() {
        let mut hooks = Hooks::default();
        hooks.push(change("lan", "init", "backup", 1));
        assert_eq!(hooks.begin(0), None);
        assert_eq!(hooks.begin(5), None);
    }
}

//! Files as people see them.

use core::time::Duration;

use crate::engine::Instant;
use crate::status::SharedFile;
use crate::sync::file::party::{Row, State};
use crate::ubus::Decimal;

use super::super::notify;
use super::super::run::Daemon;
use super::Files;

/// What is not the same after this time is worth a warning.
const PENDING_WARNED: Duration = Duration::from_secs(15);

/// A thread that is in the same round for longer than this waits for its disk.
const STALLED_AFTER: Duration = Duration::from_secs(2);

/// A reload that takes longer is worth a warning.
const RELOAD_WARNED: Duration = Duration::from_secs(5);

impl Files {
    /// For the status.
    pub fn status(&self, now: Instant) -> Vec<SharedFile> {
        let stalled = self.stalled(now);
        let shown_as = |path: &str, state: State, is_sent| SharedFile {
            path: path.to_owned(),
            state: if stalled.is_some() { State::Failed } else { state }.name().into(),
            direction: Some(if is_sent { "sent" } else { "received" }.into()),
            last_error: stalled.clone(),
            ..SharedFile::default()
        };
        let mut shown = Vec::new();
        for row in &self.known.view.rows {
            let mut file = shown_as(&row.path, row.state, row.is_sent);
            file.last_success = row.level.map(|at| Decimal::seconds(now.since(at)));
            file.last_error = file.last_error.or_else(|| row.why.clone());
            file.asides.clone_from(&row.asides);
            shown.push(file);
        }
        // Until the thread has said something there is nothing but their names.
        if self.mail.is_some() && shown.is_empty() {
            for path in &self.rules.roots {
                shown.push(shown_as(path, State::Pending, self.is_source));
            }
        }
        shown
    }

    /// What is wrong: a stable word, and a sentence with the age.
    pub fn troubles(&self, now: Instant) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.mail.is_none() {
            return found;
        }
        if let Some(stalled) = self.stalled(now) {
            found.push(("files_stalled", format!("files: {stalled}")));
        }
        let rows = &self.known.view.rows;
        let age = |row: &Row| match row.level {
            Some(at) => format!("last the same {} s ago", now.since(at).as_secs()),
            None => "never the same yet".to_owned(),
        };
        for row in rows.iter().filter(|row| row.state == State::Failed) {
            let why = row.why.as_deref().unwrap_or_default();
            found.push(("files_failed", format!("files: {}: {why} ({})", row.path, age(row))));
        }
        if let Some(row) = rows.iter().find(|row| row.state == State::Pending).filter(|_| self.is_late(now)) {
            let why = row.why.as_deref().map(|why| format!("{why}, ")).unwrap_or_default();
            found.push(("files_pending", format!("files: {} differs: {why}{}", row.path, age(row))));
        }
        if let Some(row) = rows.iter().find(|row| row.state == State::Differs) {
            let why = row.why.as_deref().unwrap_or_default();
            found.push(("files_aside", format!("files: {}: {why}", row.path)));
        }
        if let Some(since) = self.unpulled {
            let text = format!(
                "files: the master's were not here before a takeover was allowed ({} s ago)",
                now.since(since).as_secs()
            );
            found.push(("files_unpulled", text));
        }
        for text in [self.reload_trouble(now), self.notices.trouble()].into_iter().flatten() {
            found.push(("files_reload", format!("files: after they came: {text}")));
        }
        found
    }

    /// In words, if a service takes long to reload, or could not.
    fn reload_trouble(&self, now: Instant) -> Option<String> {
        if let Some((name, since)) = &self.progress.running {
            let age = now.since(*since);
            if age >= RELOAD_WARNED {
                return Some(format!("reload of {name}: has not ended for {} s", age.as_secs()));
            }
        }
        let (error, at) = self.progress.error.as_ref()?;
        Some(format!("{error} ({} s ago)", now.since(*at).as_secs()))
    }

    fn is_late(&self, now: Instant) -> bool {
        self.pending.is_some_and(|since| now.since(since) >= PENDING_WARNED)
    }

    /// In words, if the disk does not answer.
    fn stalled(&self, now: Instant) -> Option<String> {
        let (round, since) = self.round;
        let age = now.since(since);
        let is_stalled = round % 2 == 1 && age >= STALLED_AFTER && self.mail.as_ref()?.round() == round;
        is_stalled.then(|| format!("the disk has not answered for {} s", age.as_secs()))
    }

    fn look_at_thread(&mut self, now: Instant) {
        let Some(mail) = &self.mail else { return };
        let round = mail.round();
        if round != self.round.0 {
            self.round = (round, now);
        }
        let is_pending = self.known.view.rows.iter().any(|row| row.state == State::Pending);
        self.pending = if is_pending { self.pending.or(Some(now)) } else { None };
    }
}

impl Daemon {
    pub(super) fn file_routine(&mut self, now: Instant) {
        self.files.look_at_thread(now);
        if self.peering.mesh.connected().next().is_none() {
            // The channel has a warning of its own.
            self.files.pending = None;
        }
        self.tell_of_files(now);
    }

    /// Says once when something fails, and once when all is well again.
    pub(super) fn tell_of_files(&mut self, now: Instant) {
        let bad = ["files_stalled", "files_failed"];
        let trouble =
            self.files.troubles(now).into_iter().find(|(code, _)| bad.contains(code)).map(|(_, text)| text);
        if trouble.is_some() != self.files.is_told {
            self.files.is_told = trouble.is_some();
            self.tell(now, notify::sync_changed(trouble.as_deref().ok_or("files: they follow again")));
        }
    }
}

//! A changed configuration of ours is taken by the standby first, and by the master when that has gone well.

use core::time::Duration;

use crate::engine::Instant;
use crate::status::Checked;

use super::super::config_file;
use super::super::methods::{self, Caller, Reply};
use super::super::run::Daemon;
use super::Reloading;
use super::mail::Order;

/// How long the other router may take: it fetches, checks and applies.
const PATIENCE: Duration = Duration::from_secs(5);

impl Daemon {
    /// Somebody wants the file to be read again: a caller, or a signal.
    pub(in crate::daemon) fn reload_asked(&mut self, caller: Option<Caller>, now: Instant) -> Reply {
        let is_shared = self.files.known.view.is_followed && self.files.rules.admit(&self.files.rules.own);
        let content = if is_shared { config_file::content_if_valid(self.config_path()) } else { None };
        let Some(content) = content else { return Reply::Now(methods::encode(&self.reload(now))) };
        let waiting = match caller.map(|caller| self.waiting().enter(caller)) {
            Some(Err(failure)) => return Reply::Now(Err(failure)),
            Some(Ok(id)) => Some(id),
            None => None,
        };
        self.files.order(Order::Release(content));
        self.files.look();
        let look = self.files.look;
        let mut callers = self.files.reloading.take().map(|before| before.callers).unwrap_or_default();
        callers.extend(waiting);
        self.files.reloading = Some(Reloading { until: now.after(PATIENCE), look, callers });
        Reply::Later
    }

    /// Goes on with a reload if the other router has taken the configuration, or refused it, or is gone.
    pub(super) fn check_reload(&mut self, now: Instant) {
        let Some(reloading) = &self.files.reloading else { return };
        let known = &self.files.known;
        let is_gone = self.peering.mesh.connected().next().is_none() || !self.files.is_source;
        if is_gone || known.looked == reloading.look && !known.view.is_followed {
            self.finish_reload(None, now);
        } else if known.looked == reloading.look && known.view.is_delivered {
            let refused = known.view.own_refused.clone();
            self.finish_reload(refused, now);
        }
    }

    pub(super) fn finish_reload(&mut self, refused: Option<String>, now: Instant) {
        let Some(reloading) = self.files.reloading.take() else { return };
        let checked = match refused {
            None => self.reload(now),
            Some(why) => {
                let file = self.config_path().display().to_string();
                let error = format!("{file}: the other router does not take it: {why}");
                log::error!("{error}; what was in force still is");
                self.file.refuse(error.clone());
                Checked { file, errors: vec![error], ..Checked::default() }
            }
        };
        for id in reloading.callers {
            self.conclude(id, &methods::encode(&checked), now);
        }
    }
}

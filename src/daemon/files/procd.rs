//! procd is told of UCI packages that have come, again and again until it has taken that in.

use core::time::Duration;

use crate::engine::Instant;

use super::super::bus::{self, Bus, CallError, CallId, procd};

/// A package that procd has to hear of.
#[derive(Debug)]
struct Notice {
    package: String,
    /// The call that is under way.
    call: Option<CallId>,
    /// It has come again since that call.
    is_news: bool,
    /// When it is told next.
    due: Instant,
    /// The wait after another failure.
    wait: Duration,
    error: Option<String>,
}

/// All packages that procd has to hear of.
#[derive(Debug, Default)]
pub struct Notices(Vec<Notice>);

/// First wait before procd is told again; doubles.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// See [`RETRY_FIRST`].
const RETRY_MAX: Duration = Duration::from_secs(16);

impl Notices {
    /// A package has come.
    pub fn add(&mut self, package: String, now: Instant) {
        match self.0.iter_mut().find(|notice| notice.package == package) {
            Some(notice) => (notice.is_news, notice.due) = (true, now),
            None => self.0.push(Notice {
                package,
                call: None,
                is_news: false,
                due: now,
                wait: RETRY_FIRST,
                error: None,
            }),
        }
    }

    /// When [`Notices::tell`] has something to do.
    pub fn due(&self) -> Option<Instant> {
        self.0.iter().filter(|notice| notice.call.is_none()).map(|notice| notice.due).min()
    }

    /// Tells procd what is due.
    pub fn tell(&mut self, bus: &mut Bus, now: Instant) {
        for notice in self.0.iter_mut().filter(|notice| notice.call.is_none() && notice.due <= now) {
            notice.is_news = false;
            notice.call = Some(bus.invoke(&procd::changed(&notice.package), now.after(bus::PATIENCE)));
        }
    }

    /// A call has ended. `is_missed`: there should be a bus here.
    pub fn ended(&mut self, id: CallId, error: Option<CallError>, is_missed: bool, now: Instant) {
        let Some(at) = self.0.iter().position(|notice| notice.call == Some(id)) else { return };
        let Some(notice) = self.0.get_mut(at) else { return };
        notice.call = None;
        // A system without a bus has no procd either.
        let error = error.filter(|_| is_missed);
        if error.is_none() && !notice.is_news {
            self.0.swap_remove(at);
            return;
        }
        if let Some(error) = error {
            notice.due = now.after(notice.wait);
            notice.wait = notice.wait.saturating_mul(2).min(RETRY_MAX);
            if notice.error.is_none() {
                log::warn!("procd was not told of {}: {error}", notice.package);
            }
            notice.error = Some(error.to_string());
        }
    }

    /// What procd has not taken in, in words.
    pub fn trouble(&self) -> Option<String> {
        let notice = self.0.iter().find(|notice| notice.error.is_some())?;
        let error = notice.error.as_deref().unwrap_or_default();
        Some(format!("procd was not told of {}: {error}", notice.package))
    }
}

//! Files that follow the master: what the loop has to do with them.
//!
//! It carries messages between the channel and a thread, tells the thread of roles, and is told how things stand. All that
//! touches a disk is the thread's, so a disk that is full, read-only or hangs delays nothing here. See
//! [`crate::sync::file`] for how it works.

mod aside;
mod mail;
mod place;
mod procd;
mod record;
mod reload;
mod services;
mod show;
mod store;
mod turn;
mod walk;
mod worker;

use core::time::Duration;
use std::sync::Arc;

use crate::engine::{CommandId, Instant, Role};
use crate::sync::file::rules::Rules;

use mail::{Known, Mail, Order, Services};
use procd::Notices;
use services::Progress;
pub use turn::is_file;

/// What the loop knows of files.
#[derive(Debug)]
pub struct Files {
    /// `None` while nothing is listed.
    mail: Option<Arc<Mail>>,
    rules: Rules,
    services: Services,
    is_source: bool,
    /// The role in the group whose master is the source.
    role: Option<Role>,
    /// What could not be handed over yet.
    orders: Vec<Order>,
    known: Known,
    /// How reloads of services go.
    progress: Progress,
    /// What procd has to hear of.
    notices: Notices,
    /// Number of the last look that was asked for.
    look: u32,
    /// Until when a preemption waits for the master's files.
    hold: Hold,
    /// This router took the role before it had the master's files.
    unpulled: Option<Instant>,
    reloading: Option<Reloading>,
    routine_due: Instant,
    /// The round that the thread was in when it was looked at last, and since when.
    round: (u32, Instant),
    /// Since when the listed files are not the same on both routers although they could be.
    pending: Option<Instant>,
    /// Whether the last that was told was that something fails.
    is_told: bool,
}

/// Whether a preemption waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// It does not.
    Off,
    /// It has to, from this turn on.
    Wanted,
    /// It does, until then.
    Until(Instant),
}

/// A reload that waits until the other router has taken the configuration.
#[derive(Debug)]
struct Reloading {
    until: Instant,
    /// The look at which the thread knows the file.
    look: u32,
    /// Who waits for the answer.
    callers: Vec<CommandId>,
}

/// How long a preemption waits for the master's files (protocol rule 19).
const PULL_PATIENCE: Duration = Duration::from_secs(30);

/// How often the thread is looked at.
const ROUTINE_EVERY: Duration = Duration::from_secs(2);

impl Files {
    /// Nothing follows yet.
    pub fn new(now: Instant) -> Files {
        Files {
            mail: None,
            rules: Rules::default(),
            services: Services::default(),
            is_source: false,
            role: None,
            orders: Vec::new(),
            known: Known::default(),
            progress: Progress::default(),
            notices: Notices::default(),
            look: 0,
            hold: Hold::Wanted,
            unpulled: None,
            reloading: None,
            routine_due: now,
            round: (0, now),
            pending: None,
            is_told: false,
        }
    }

    /// Whether something is listed.
    pub fn is_on(&self) -> bool {
        self.mail.is_some()
    }

    /// Whether a preemption has to wait.
    pub fn is_holding(&self) -> bool {
        self.hold != Hold::Off && self.is_on()
    }

    /// When [`super::run::Daemon::expire_files`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.mail.as_ref()?;
        let hold = match self.hold {
            Hold::Off => None,
            Hold::Wanted => Some(Instant::from_micros(0)),
            Hold::Until(at) => Some(at),
        };
        let reload = self.reloading.as_ref().map(|reloading| reloading.until);
        let orders = (!self.orders.is_empty()).then_some(Instant::from_micros(0));
        Instant::earliest(&[Some(self.routine_due), hold, reload, orders, self.notices.due()])
    }

    /// Whether whoever listens has everything, as far as that is possible, since the last look that was asked for.
    pub fn is_level(&self) -> bool {
        let view = &self.known.view;
        self.mail.is_none()
            || (self.known.looked == self.look
                && self.known.is_source == self.is_source
                && (!view.is_followed || view.is_delivered)
                && (!view.is_following || view.is_pulled))
    }

    fn order(&mut self, order: Order) {
        if let Some(mail) = &self.mail {
            self.orders.push(order);
            mail.post(&mut self.orders);
        }
    }

    /// Has the thread look at the disk now.
    pub fn look(&mut self) {
        self.look = self.look.wrapping_add(1);
        self.order(Order::Look(self.look));
    }
}

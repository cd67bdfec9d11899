//! gwha on OpenWrt's message bus: the object `gwha`, and gwha as a client of others.
//!
//! Nothing here waits, and nothing that decides about a role waits for it. Without ubusd every call fails, events go
//! nowhere, and the daemon goes on.
//!
//! # Asking others
//!
//! ```text
//! let id: CallId = self.bus.invoke(&netifd::up("wan"), now.after(PATIENCE));
//! ```
//!
//! Each call ends exactly once, in this turn or a later one, in [`Daemon::call_ended`](super::run::Daemon), as the
//! `CallId` and a `Result<Data, CallError>`: the first table of the answer (an empty one if it has none), or
//!
//! * [`CallError::NoObject`]: nobody has published the object: netifd is not running, or knows no such interface;
//! * [`CallError::Deadline`]: no answer in time;
//! * [`CallError::Disconnected`]: ubusd is not there, or went during the call;
//! * [`CallError::Status`]: the object's own refusal;
//! * [`CallError::Busy`], [`CallError::TooLong`]: limits of ours.
//!
//! Whoever asks keeps the id and looks for it there. [`netifd`] says what to ask, and reads the answers.
//! The state of netifd's interfaces is followed anyway: see [`network`].

pub mod netifd;
mod network;
pub mod procd;
mod serve;

use core::time::Duration;
use std::path::PathBuf;

use crate::engine::Instant;
use crate::limits;
use crate::status::Happening;
use crate::ubus::conn;
use crate::ubus::session::{self, Call, Event, Key, RequestId};
use crate::ubus::{Connection, Data, Status};

use super::methods;
use super::poller::{Interest, Poller, Source};
use crate::control::Answer;

pub use crate::ubus::session::CallError;
pub use network::Network;

/// A call of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallId(u32);

/// What is to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The object's path.
    pub object: String,
    /// Its method.
    pub method: &'static str,
    /// A table.
    pub arguments: Data,
}

/// How a call of ours has ended.
pub type Ended = (CallId, Result<Data, CallError>);

/// The daemon's place on the bus.
#[derive(Debug)]
pub struct Bus {
    /// `None`: to stay away from it.
    link: Option<Link>,
    /// netifd's interfaces.
    pub network: Network,
    last_call: u32,
    /// Calls of ours that have ended, and nobody was told.
    ended: Vec<Ended>,
}

/// What is there if there is to be a bus.
#[derive(Debug)]
struct Link {
    connection: Connection,
    object: Key,
    /// The generation of the connection that the poller watches, and for what.
    watched: Option<(u32, conn::Interest)>,
    /// What has come and nobody has looked at.
    events: Vec<Event>,
    /// Calls of our methods, to be carried out one in a turn.
    calls: Vec<Call>,
    /// Calls of ours that are under way.
    open: Vec<(RequestId, CallId)>,
    /// Since when it is as it is: up, or down.
    since: Instant,
    /// Whether it was up in this life: then this is a system with a bus.
    was_up: bool,
    /// Why ubusd does not publish our object.
    refused: Option<Status>,
    /// The trouble that the log tells of.
    logged: Option<String>,
}

impl Bus {
    /// A place on the bus of the ubusd that listens on one of `sockets`; on none of them: stays away from it.
    pub fn new(sockets: &[PathBuf], now: Instant) -> Bus {
        let mut network = Network::default();
        let link = (!sockets.is_empty()).then(|| {
            let mut connection = Connection::new(sockets);
            let object = connection.session().publish(now.as_micros(), methods::object());
            network.follow(connection.session(), now);
            Link {
                connection,
                object,
                watched: None,
                events: Vec::new(),
                calls: Vec::new(),
                open: Vec::new(),
                since: now,
                was_up: false,
                refused: None,
                logged: None,
            }
        });
        Bus { link, network, last_call: 0, ended: Vec::new() }
    }

    /// Calls a method of somebody's object. How it ends comes to `Daemon::call_ended` in any case, and not later
    /// than `deadline`.
    pub fn invoke(&mut self, request: &Request, deadline: Instant) -> CallId {
        self.last_call = self.last_call.wrapping_add(1);
        let id = CallId(self.last_call);
        let begun = match &mut self.link {
            Some(link) => link.begin(id, request, deadline),
            None => Err(CallError::Disconnected),
        };
        if let Err(error) = begun {
            self.ended.push((id, Err(error)));
        }
        id
    }

    /// Tells whoever listens or has subscribed that something has happened.
    pub fn publish(&mut self, happening: &Happening) {
        let Some(link) = self.link.as_mut().filter(|link| link.connection.is_up()) else { return };
        let Ok(data) = Data::encode(happening) else { return };
        let session = link.connection.session();
        // Nobody waits for these. What is lost when too much waits to be sent is in the history.
        let _ = session.send_event(EVENT, &data);
        let _ = session.notify(link.object, &happening.event, &data);
    }

    /// Answers a call of one of our methods.
    pub fn answer(&mut self, call: session::CallId, answer: &Answer) {
        let Some(link) = &mut self.link else { return };
        let answer = answer.as_ref().map_err(|failure| Status::from_wire(u32::from(failure.code())));
        link.connection.session().answer(call, answer);
    }

    /// When there is something to do without anything coming in.
    pub fn next_deadline(&self) -> Option<Instant> {
        if !self.ended.is_empty() {
            return Some(AT_ONCE);
        }
        let link = self.link.as_ref()?;
        if !link.calls.is_empty() {
            return Some(AT_ONCE);
        }
        let connection = link.connection.next_deadline().map(Instant::from_micros);
        let network = self.network.next_deadline().filter(|_| link.connection.is_up());
        Instant::earliest(&[connection, network])
    }

    /// Sends what waits to be sent, as far as that is possible at once. To be called at the end of a turn.
    pub fn flush(&mut self, poller: &mut Poller) {
        if let Some(link) = &mut self.link {
            link.connection.flush();
            link.watch(poller);
        }
    }

    /// Whether its absence is a fault: not on a system that has none. `is_openwrt` as for [`Bus::trouble`].
    pub fn is_missed(&self, is_openwrt: bool) -> bool {
        self.link.as_ref().is_some_and(|link| link.was_up || is_openwrt)
    }

    /// What is wrong with the bus, where that matters: not on a system that has none.
    ///
    /// `is_openwrt`: there is a network configuration, so there should be a netifd to apply it.
    pub fn trouble(&self, is_openwrt: bool, now: Instant) -> Option<String> {
        let link = self.link.as_ref()?;
        let is_lasting = |since: Instant| now.since(since) >= limits::BUS_GRACE;
        if !link.connection.is_up() {
            let down = link.connection.down().map(|down| format!(": {down}")).unwrap_or_default();
            let is_missed = (link.was_up || is_openwrt) && is_lasting(link.since);
            return is_missed
                .then(|| format!("no connection to ubus{down}; LuCI and netifd are out of reach"));
        }
        if let Some(status) = link.refused {
            return Some(format!(
                "ubus does not publish the object gwha ({status}): is there a second gwha?"
            ));
        }
        let is_gone = is_openwrt && self.network.absent_since().is_some_and(is_lasting);
        is_gone.then(|| "netifd does not answer: interfaces are taken from /etc/config/network".to_owned())
    }

    /// Writes to the log that there is trouble, or no more; not that ubusd was restarted.
    fn log_trouble(&mut self, is_openwrt: bool, now: Instant) {
        let trouble = self.trouble(is_openwrt, now);
        let Some(link) = &mut self.link else { return };
        match &trouble {
            Some(trouble) if link.logged.is_none() => log::warn!("{trouble}"),
            None if link.logged.is_some() => log::info!("ubus: all is well again"),
            Some(_) | None => {}
        }
        link.logged = trouble;
    }

    fn drive(&mut self, now: Instant, poller: &mut Poller) {
        let Some(link) = &mut self.link else { return };
        link.connection.drive(now.as_micros(), &mut link.events);
        link.watch(poller);
    }
}

impl Link {
    fn begin(&mut self, id: CallId, request: &Request, deadline: Instant) -> Result<(), CallError> {
        let Request { object, method, arguments } = request;
        let open = self.connection.session().call(object, method, arguments, deadline.as_micros())?;
        self.open.push((open, id));
        Ok(())
    }

    /// Has the poller watch the socket that there is now, for what it is to be watched for.
    fn watch(&mut self, poller: &mut Poller) {
        let generation = self.connection.generation();
        if self.watched.is_some_and(|(watched, _)| watched != generation) {
            poller.closed();
            self.watched = None;
        }
        let Some(fd) = self.connection.fd() else { return };
        let wanted = (generation, self.connection.interest());
        if self.watched == Some(wanted) {
            return;
        }
        let interest = match wanted.1 {
            conn::Interest::Read => Interest::Read,
            conn::Interest::ReadWrite => Interest::Both,
        };
        let done = match self.watched {
            None => poller.add(fd, Source::Bus, interest),
            Some(_) => poller.change(fd, Source::Bus, interest),
        };
        // Tried again at the end of the next turn, of which there is one at the latest when a request expires.
        if done.is_ok() {
            self.watched = Some(wanted);
        }
    }
}

/// The name of our events, as in `ubus listen gwha`.
const EVENT: &str = "gwha";

/// Long ago.
const AT_ONCE: Instant = Instant::from_micros(0);

/// How long another program may take to answer: netifd does within milliseconds, but scripts may hold it up.
pub const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;

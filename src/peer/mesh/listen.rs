//! The sockets that other routers connect to.

use core::time::Duration;

use nix::errno::Errno;

use crate::daemon::poller::{Interest, Poller, Source};
use crate::disk::plain;
use crate::engine::Instant;
use crate::peer::gate::Gate;
use crate::peer::link;

use super::{LISTEN_RETRY, Listener, Mesh};

impl Mesh {
    /// Listens on every segment of the plan, and on no other.
    pub(super) fn listen(&mut self, poller: &mut Poller, now: Instant) {
        self.retry = None;
        for place in &mut self.listeners {
            let is_wanted = |it: &Listener| self.plan.routes.contains(&it.route);
            if let Some(listener) = place.take_if(|listener| !is_wanted(listener)) {
                let _ = poller.remove(&listener.socket);
            }
        }
        for route in &self.plan.routes {
            if self.listeners.iter().flatten().any(|listener| listener.route == *route) {
                continue;
            }
            let free = self.listeners.iter().position(Option::is_none).unwrap_or(self.listeners.len());
            let opened = link::listen(route).and_then(|socket| {
                let token = u16::try_from(free).map_err(|_| Errno::EMFILE)?;
                poller.add(&socket, Source::PeerListener(token), Interest::Read)?;
                Ok(socket)
            });
            match opened {
                Ok(socket) => {
                    let gate = Gate::new(ACCEPTS_BURST, ACCEPTS_EVERY, now);
                    let listener = Listener { route: route.clone(), socket, gate, interest: Interest::Read };
                    match self.listeners.get_mut(free) {
                        Some(place) => *place = Some(listener),
                        None => self.listeners.push(Some(listener)),
                    }
                }
                Err(error) => {
                    log::info!(
                        "peer channel: can't listen on {} ({}): {}",
                        route.own,
                        route.name,
                        plain(&error)
                    );
                    self.retry = Some(now.after(LISTEN_RETRY));
                }
            }
        }
    }

    /// Lets listeners that have rested go on.
    pub(super) fn open_gates(&mut self, poller: &mut Poller, now: Instant) {
        for (slot, listener) in (0..).zip(&mut self.listeners) {
            let Some(listener) = listener else { continue };
            listener.gate.fill(now);
            if listener.interest == Interest::Nothing && listener.gate.opens_at().is_none() {
                listener.interest = Interest::Read;
                let _ = poller.change(&listener.socket, Source::PeerListener(slot), Interest::Read);
            }
        }
    }
}

/// Connections that are looked at on one listener, wherever they come from. Beyond that it rests.
const ACCEPTS_BURST: u32 = 16;
const ACCEPTS_EVERY: Duration = Duration::from_millis(20);

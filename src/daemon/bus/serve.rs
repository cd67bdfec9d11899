//! What comes from the bus, and what the daemon makes of it.

use crate::collect::take_first;
use crate::engine::Instant;
use crate::ubus::Data;
use crate::ubus::session::{Call, Event};

use super::super::methods::{Caller, Reply};
use super::super::run::Daemon;
use super::{Bus, CallError, CallId};

impl Daemon {
    /// Reads and sends what can be, and does what is due: of the calls that wait, one.
    pub(in super::super) fn serve_bus(&mut self, now: Instant) {
        self.bus.drive(now, &mut self.poller);
        self.bus.sort_events(now);
        if let Some(question) = self.bus.network.question(now) {
            let id = self.bus.invoke(&question, now.after(super::network::PATIENCE));
            self.bus.network.asked(id);
        }
        if let Some(call) = self.bus.next_call() {
            self.called(&call, now);
        }
        self.bus.log_trouble(self.system.is_openwrt(), now);
        // Those that are added meanwhile wait for the next turn.
        for (id, result) in core::mem::take(&mut self.bus.ended) {
            self.call_ended(id, &result, now);
        }
    }

    fn called(&mut self, call: &Call, now: Instant) {
        if let Reply::Now(answer) = self.call(Caller::Bus(call.id), call.method, &call.data, now) {
            self.bus.answer(call.id, &answer);
        }
    }

    /// A call of ours has ended. Whoever made it knows its id.
    fn call_ended(&mut self, id: CallId, result: &Result<Data, CallError>, now: Instant) {
        if !self.bus.network.is_asked(id) {
            self.duty_call_ended(id, result, now);
            self.bus.network.ordered(now);
            self.file_call_ended(id, result.as_ref().err().copied(), now);
        } else if self.bus.network.answered(result, now) {
            self.interfaces_changed(now);
        }
    }

    /// netifd has told something new of its interfaces: see [`Network::interfaces`](super::Network::interfaces).
    fn interfaces_changed(&mut self, now: Instant) {
        self.system.resolver().learn(self.bus.network.interfaces());
        self.find_devices(now);
        self.duties.look_at_interfaces(now);
    }
}

impl Bus {
    /// Takes note of what has come. Calls queue up; the session's limits are theirs too.
    pub(super) fn sort_events(&mut self, now: Instant) {
        let Some(link) = &mut self.link else { return };
        for event in link.events.drain(..) {
            match event {
                Event::Connected => {
                    link.since = now;
                    link.was_up = true;
                }
                Event::Disconnected => {
                    link.since = now;
                    link.refused = None;
                    link.calls.clear();
                }
                Event::Registered(key) => {
                    if key == link.object {
                        link.refused = None;
                    }
                    self.network.registered(key, now);
                }
                Event::Refused(key, status) => {
                    if key == link.object {
                        link.refused = Some(status);
                    }
                }
                Event::Gone(key) => self.network.gone(key, now),
                Event::Call(call) => link.calls.push(call),
                Event::Reply(request, result) => {
                    if let Some(at) = link.open.iter().position(|(open, _)| *open == request) {
                        let (_, id) = link.open.swap_remove(at);
                        let first = result.map(|tables| tables.into_iter().next().unwrap_or_default());
                        self.ended.push((id, first));
                    }
                }
                Event::Heard(key, _, _) | Event::Notified(key, _, _) => self.network.told(key, now),
                // Notifications are sent whether somebody is there or not, and nobody looks anything up.
                Event::Subscribers(..) | Event::Found(..) => {}
            }
        }
    }

    pub(super) fn next_call(&mut self) -> Option<Call> {
        take_first(&mut self.link.as_mut()?.calls)
    }
}

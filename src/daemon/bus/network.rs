//! netifd's interfaces, followed: asked for when netifd appears, and again whenever it tells of a change.

use core::time::Duration;

use crate::engine::Instant;
use crate::ubus::Data;
use crate::ubus::session::{Key, Session};

use super::netifd::{self, Interface};
use super::{CallError, CallId};

/// What is known of netifd's interfaces.
#[derive(Debug, Default)]
pub struct Network {
    /// Its notifications (`interface.update`, `interface.down`); they also tell that it comes and goes.
    notifications: Option<Key>,
    /// Its events (`ifup`, `ifdown`).
    events: Option<Key>,
    /// The question that is under way.
    asked: Option<CallId>,
    /// When to ask again.
    due: Option<Instant>,
    /// Since when it is not there.
    absent: Option<Instant>,
    interfaces: Vec<Interface>,
}

impl Network {
    /// The interfaces as netifd has told last; none before it was there.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// Since when netifd is not there, though ubus is.
    pub fn absent_since(&self) -> Option<Instant> {
        self.absent
    }

    /// When [`Network::question`] has one, if the bus is up.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.due.filter(|_| self.asked.is_none())
    }

    pub(super) fn follow(&mut self, session: &mut Session, now: Instant) {
        let at = now.as_micros();
        self.notifications = Some(session.follow(at, netifd::INTERFACES));
        self.events = Some(session.listen(at, netifd::INTERFACES));
        self.absent = Some(now);
    }

    /// netifd is there (again).
    pub(super) fn registered(&mut self, key: Key, now: Instant) {
        if self.notifications == Some(key) {
            self.absent = None;
            // What the one before was asked is not answered any more.
            self.asked = None;
            self.due = Some(now);
        }
    }

    /// netifd is not there (any more). Its interfaces are as they were: it leaves them to its successor.
    pub(super) fn gone(&mut self, key: Key, now: Instant) {
        if self.notifications == Some(key) {
            self.absent = Some(now);
        }
    }

    /// netifd tells of a change. An interface that flaps is not asked about each time.
    pub(super) fn told(&mut self, key: Key, now: Instant) {
        if self.notifications == Some(key) || self.events == Some(key) {
            self.due = self.due.or(Some(now.after(TOGETHER)));
        }
    }

    /// A call of ours has ended, perhaps without an answer. What came of it netifd does not tell by itself, if the interface
    /// can't come up.
    pub(super) fn ordered(&mut self, now: Instant) {
        if self.absent.is_none() {
            self.due = self.due.or(Some(now.after(TOGETHER)));
        }
    }

    /// Whether to ask now. The question is then under way: see [`Network::asked`].
    pub(super) fn question(&mut self, now: Instant) -> Option<super::Request> {
        self.next_deadline().filter(|due| *due <= now)?;
        self.due = None;
        Some(netifd::dump())
    }

    pub(super) fn asked(&mut self, id: CallId) {
        self.asked = Some(id);
    }

    /// Whether the call was our question.
    pub(super) fn is_asked(&self, id: CallId) -> bool {
        self.asked == Some(id)
    }

    /// Takes the answer. Whether there is a change.
    pub(super) fn answered(&mut self, answer: &Result<Data, CallError>, now: Instant) -> bool {
        self.asked = None;
        match answer {
            Ok(data) => {
                let interfaces = netifd::interfaces(data);
                let is_change = interfaces != self.interfaces;
                self.interfaces = interfaces;
                return is_change;
            }
            // It will be registered again.
            Err(CallError::NoObject | CallError::Disconnected) => {}
            Err(CallError::Status(_) | CallError::Deadline | CallError::Busy | CallError::TooLong) => {
                log::debug!("netifd: no list of interfaces; asking again");
                self.due = self.due.or(Some(now.after(PATIENCE)));
            }
        }
        false
    }
}

/// How long netifd may take for its list, and until it is asked again: as long as nothing is known of what orders have come
/// to, all that follows from them has to wait.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Changes that come together are one: netifd tells of each address and route.
const TOGETHER: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(1_000_000 + millis * 1000)
    }

    fn dump(device: &str) -> Result<Data, CallError> {
        let lan = crate::ubus::Table::default().with("interface", "lan").with("l3_device", device);
        Ok(Data::encode(&crate::ubus::Table::default().with("interface", vec![lan])).unwrap())
    }

    fn present() -> (Network, Key, Key) {
        let mut network = Network::default();
        network.follow(&mut Session::new(), at(0));
        let (notifications, events) = (network.notifications.unwrap(), network.events.unwrap());
        network.registered(notifications, at(0));
        (network, notifications, events)
    }

    #[test]
    fn asks_when_netifd_appears_and_after_changes_together() {
        let (mut network, notifications, events) = present();
        assert!(network.question(at(0)).is_some());
        assert!(network.question(at(0)).is_none(), "it is under way");
        network.asked(CallId(1));
        assert!(network.answered(&dump("br-lan"), at(1)));
        assert_eq!(network.next_deadline(), None);

        network.told(notifications, at(100));
        network.told(events, at(120));
        network.told(notifications, at(140));
        assert!(network.question(at(140)).is_none());
        assert!(network.question(at(150)).is_some());
        network.asked(CallId(2));
        assert!(!network.answered(&dump("br-lan"), at(151)), "nothing new");
        assert_eq!(network.next_deadline(), None);
    }

    #[test]
    fn change_during_a_question_is_asked_about_afterwards() {
        let (mut network, notifications, _) = present();
        network.question(at(0));
        network.asked(CallId(1));

        network.told(notifications, at(10));

        assert!(network.question(at(1000)).is_none(), "one at a time");
        network.answered(&dump("br-lan"), at(1000));
        assert!(network.question(at(1000)).is_some());
    }

    #[test]
    fn netifd_that_died_during_a_question_is_asked_when_it_is_back() {
        let (mut network, notifications, _) = present();
        network.question(at(0));
        network.asked(CallId(1));
        network.gone(notifications, at(5));

        network.registered(notifications, at(1000));

        assert!(network.question(at(1000)).is_some());
        network.asked(CallId(2));
        assert!(!network.is_asked(CallId(1)), "its end is nobody's");
        assert!(network.is_asked(CallId(2)));
    }

    #[test]
    fn silent_netifd_is_asked_again_and_what_was_known_stays() {
        let (mut network, notifications, _) = present();
        network.question(at(0));
        network.asked(CallId(1));
        network.answered(&dump("br-lan"), at(1));
        network.told(notifications, at(2));
        network.question(at(1000));
        network.asked(CallId(2));

        assert!(!network.answered(&Err(CallError::Deadline), at(3000)));

        assert_eq!(network.interfaces().len(), 1);
        assert_eq!(network.next_deadline(), Some(at(5000)));
        network.gone(notifications, at(4000));
        assert_eq!(network.absent_since(), Some(at(4000)));
    }

    #[test]
    fn what_came_of_an_order_is_asked_for() {
        let (mut network, notifications, _) = present();
        network.question(at(0));
        network.asked(CallId(1));
        network.answered(&dump("br-lan"), at(1));

        network.ordered(at(100));
        assert!(network.question(at(150)).is_some());
        network.asked(CallId(2));
        network.answered(&dump("br-lan"), at(151));

        network.gone(notifications, at(200));
        network.ordered(at(210));
        assert_eq!(network.next_deadline(), None, "there is nobody to ask");
    }
}

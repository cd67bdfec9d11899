//! What comes from the network, for the engine.

use crate::engine::{Event, Instant, Role};
use crate::limits;

use super::conflicts::Seen;
use super::run::{Backlog, Daemon};
use super::sockets::Received;

impl Daemon {
    /// Reads adverts, a bounded number of them.
    pub(super) fn receive(&mut self, slot: u16, now: Instant) -> Backlog {
        let mut buffer = core::mem::take(&mut self.packet);
        // What is left is seen in the next turn, which is soon enough while no timer is due in this one: to ask
        // whether there is more costs as much as to read it.
        let is_due = self.engine.next_deadline().is_some_and(|deadline| deadline <= now);
        let (portion, mut backlog) = match is_due || self.gather.is_streak() {
            true => (limits::PACKETS_PER_TURN, Backlog::More),
            false => (self.sockets.usual(slot), Backlog::None),
        };
        for _ in 0..portion {
            match self.sockets.receive(slot, &mut buffer) {
                Received::Packet(packet) => {
                    self.gather.heard();
                    // Usually one: two only if two links are one device.
                    let mut position = 0;
                    while let Some(link) = self.sockets.link(slot, position) {
                        self.step(now, Event::Vrrp { link, packet });
                        position += 1;
                    }
                }
                Received::Junk => {}
                Received::Nothing => {
                    backlog = Backlog::None;
                    break;
                }
            }
        }
        self.packet = buffer;
        backlog
    }

    /// Reads what others say about our virtual addresses.
    pub(super) fn look_for_conflicts(&mut self, slot: u16, now: Instant) {
        for _ in 0..limits::CONFLICTS_PER_TURN {
            match self.conflicts.receive(slot) {
                Seen::Claim(claim) if self.system.mac(claim.link) != Some(claim.mac) => {
                    // A standby hears the master's own announcements.
                    let group = self.config.instances.get(claim.instance.index()).map(|it| it.group);
                    if group.is_some_and(|group| self.engine.role(group).0 == Role::Master) {
                        self.conflicts.note(claim, now);
                        self.step(now, Event::Conflict { instance: claim.instance });
                    }
                }
                Seen::Claim(_) | Seen::Other => {}
                Seen::Nothing => return,
            }
        }
    }
}

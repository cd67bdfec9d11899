//! An independent VRRP router, written from RFC 9568 §6.4 (and RFC 3768 §6.4 for version 2), with
//! the two things in which keepalived differs: members can be coupled (`vrrp_sync_group`), and a
//! master answers a lower priority in version 2 as well.
//!
//! It shares no code with the engine: where both agree, it is not because one mistake was made twice.

use std::net::IpAddr;

use crate::support::setup::{Node, Setup};
use crate::support::vrrp::Advert;
use crate::world::Micros;

/// A router that speaks VRRP and nothing else.
#[derive(Debug)]
pub struct Speaker {
    priority: u8,
    preempt: bool,
    coupled: bool,
    routers: Vec<VirtualRouter>,
}

/// One virtual router of it.
#[derive(Debug)]
struct VirtualRouter {
    state: State,
    version: u8,
    address: IpAddr,
    /// Own Advertisement_Interval.
    interval: Micros,
    /// Active_Adver_Interval: the master's in version 3.
    learnt: Micros,
    /// Adver_Timer of a master, Active_Down_Timer of a backup.
    timer: Micros,
    /// Its timer has run out, and the group waits for the other members.
    wants: bool,
}

/// RFC 9568 §6.3; keepalived's FAULT is Initialize.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Initialize,
    Backup,
    Active,
}

/// An advert to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Say {
    pub member: usize,
    pub priority: u8,
}

impl Speaker {
    pub fn new(setup: &Setup, node: Node, preempt: bool, coupled: bool) -> Speaker {
        let routers = setup.members.iter().enumerate().map(|(index, member)| VirtualRouter {
            state: State::Initialize,
            version: member.version,
            address: setup.address(index, node),
            interval: Micros::from(member.interval) * 10_000,
            learnt: Micros::from(member.interval) * 10_000,
            timer: Micros::MAX,
            wants: false,
        });
        Speaker { priority: setup.base(node), preempt, coupled, routers: routers.collect() }
    }

    /// Whether it is master: of all members if they are coupled, else of any.
    pub fn is_master(&self) -> bool {
        self.routers.iter().any(|router| router.state == State::Active)
    }

    pub fn next(&self) -> Option<Micros> {
        self.routers.iter().map(|router| router.timer).min().filter(|timer| *timer != Micros::MAX)
    }

    /// §6.4.1 (Startup) and §6.4.2/3 (Shutdown), for an interface.
    pub fn link(&mut self, now: Micros, member: usize, up: bool, out: &mut Vec<Say>) {
        let before = self.routers[member].state;
        match (up, before) {
            (true, State::Initialize) => {
                let down = self.down_interval(member);
                self.routers[member].become_backup(now, down);
                if self.coupled && !self.all(|router| router.state == State::Backup) {
                    self.routers[member].timer = Micros::MAX;
                } else if self.coupled {
                    self.all_backup(now);
                }
            }
            (false, State::Backup | State::Active) => {
                self.routers[member].stop();
                if self.coupled {
                    self.fault(out);
                }
            }
            (true, _) | (false, State::Initialize) => {}
        }
    }

    /// A member of a sync group fails: masters among the others send priority 0 and wait.
    fn fault(&mut self, out: &mut Vec<Say>) {
        for (member, router) in self.routers.iter_mut().enumerate() {
            if router.state == State::Active {
                out.push(Say { member, priority: 0 });
                router.state = State::Backup;
            }
            router.timer = Micros::MAX;
            router.wants = false;
        }
    }

    /// An orderly stop.
    pub fn shut_down(&mut self, out: &mut Vec<Say>) {
        for (member, router) in self.routers.iter_mut().enumerate() {
            if router.state == State::Active {
                out.push(Say { member, priority: 0 });
            }
            router.stop();
        }
    }

    /// Timers that have run out.
    pub fn timeout(&mut self, now: Micros, out: &mut Vec<Say>) {
        for member in 0..self.routers.len() {
            if self.routers[member].timer > now {
                continue;
            }
            match self.routers[member].state {
                // (705) If the Adver_Timer fires.
                State::Active => self.advertise(now, member, out),
                // (350) If the Active_Down_Timer fires.
                State::Backup if self.coupled => {
                    let down = self.down_interval(member);
                    self.routers[member].wants = true;
                    self.routers[member].timer = now + down;
                    if self.all(|router| router.wants && router.state != State::Initialize) {
                        (0..self.routers.len()).for_each(|member| self.become_master(now, member, out));
                    }
                }
                State::Backup => self.become_master(now, member, out),
                State::Initialize => self.routers[member].timer = Micros::MAX,
            }
        }
    }

    /// An advert whose length, checksum and addresses were found right.
    pub fn hear(&mut self, now: Micros, member: usize, from: IpAddr, advert: &Advert, out: &mut Vec<Say>) {
        let router = &self.routers[member];
        let interval = Micros::from(advert.interval) * 10_000;
        if advert.version != router.version || (router.version == 2 && interval != router.interval) {
            return;
        }
        match router.state {
            State::Initialize => {}
            State::Backup => self.hear_as_backup(now, member, advert.priority, interval),
            State::Active => self.hear_as_master(now, member, from, advert.priority, interval, out),
        }
    }

    /// §6.4.2 (420) to (470).
    fn hear_as_backup(&mut self, now: Micros, member: usize, priority: u8, interval: Micros) {
        let skew = self.skew(member);
        let accepted = !self.preempt || priority >= self.priority;
        let router = &mut self.routers[member];
        if priority == 0 {
            router.timer = router.timer.min(now + skew);
        } else if accepted {
            router.learnt = if router.version == 2 { router.interval } else { interval };
            router.wants = false;
            let down = self.down_interval(member);
            if self.routers[member].timer != Micros::MAX {
                self.routers[member].timer = now + down;
            }
        }
    }

    /// §6.4.3 (705) to (770).
    fn hear_as_master(
        &mut self,
        now: Micros,
        member: usize,
        from: IpAddr,
        priority: u8,
        interval: Micros,
        out: &mut Vec<Say>,
    ) {
        let own = (self.priority, self.routers[member].address);
        if priority == 0 || (priority, from) <= own {
            self.advertise(now, member, out);
            return;
        }
        self.routers[member].learnt = interval;
        if self.coupled {
            self.all_backup(now);
        } else {
            let down = self.down_interval(member);
            self.routers[member].become_backup(now, down);
        }
    }

    fn become_master(&mut self, now: Micros, member: usize, out: &mut Vec<Say>) {
        let router = &mut self.routers[member];
        router.state = State::Active;
        router.learnt = router.interval;
        self.advertise(now, member, out);
    }

    fn advertise(&mut self, now: Micros, member: usize, out: &mut Vec<Say>) {
        out.push(Say { member, priority: self.priority });
        self.routers[member].timer = now + self.routers[member].interval;
    }

    fn all_backup(&mut self, now: Micros) {
        for member in 0..self.routers.len() {
            let down = self.down_interval(member);
            self.routers[member].become_backup(now, down);
        }
    }

    fn all(&self, test: impl Fn(&VirtualRouter) -> bool) -> bool {
        self.routers.iter().all(test)
    }

    /// §6.1: ((256 - priority) * Active_Adver_Interval) / 256; version 2 counts in seconds.
    fn skew(&self, member: usize) -> Micros {
        let router = &self.routers[member];
        let unit = if router.version == 2 { 1_000_000 } else { router.learnt };
        (256 - Micros::from(self.priority)) * unit / 256
    }

    /// §6.1: (3 * Active_Adver_Interval) + Skew_Time.
    fn down_interval(&self, member: usize) -> Micros {
        3 * self.routers[member].learnt + self.skew(member)
    }
}

impl VirtualRouter {
    fn become_backup(&mut self, now: Micros, down_interval: Micros) {
        self.state = State::Backup;
        self.timer = now + down_interval;
        self.wants = false;
    }

    fn stop(&mut self) {
        self.state = State::Initialize;
        self.timer = Micros::MAX;
        self.wants = false;
    }
}

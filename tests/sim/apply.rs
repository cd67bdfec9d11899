//! How a fault is done to the world, and what the checkers are told of it.

use gwha::engine::{LinkCondition, Role};

use crate::checks::Change;
use crate::fault::{Declared, Fault, Order, Reach};
use crate::node::Request;
use crate::speaker::Speaker;
use crate::support::setup::{Node as Place, Setup};
use crate::trace::Entry;
use crate::truth::{Bounds, Kind, NodeTruth, SegmentTruth, Truth};
use crate::world::{Station, Who, World};

impl World {
    /// Does a fault.
    pub fn apply(&mut self, fault: Fault, declared: Declared) {
        if declared == Declared::Yes {
            self.trace.add(self.now, None, Entry::Fault(fault));
            self.truth.declare(fault);
        }
        match fault {
            Fault::Path { member, from, to, open } => self.segments[member].set_open(from, to, open),
            Fault::Loss(member, permille) => self.segments[member].loss = permille,
            Fault::Clog(member, delay) => self.segments[member].set_clog(delay),
            Fault::Carrier(node, answers) => self.carrier[node] = answers,
            Fault::CarrierForAll(answers) => self.carrier.fill(answers),
            Fault::SendErrors(node, permille) => self.send_errors[node] = permille,
            Fault::Forge { member, as_if, to, priority } => self.inject(member, as_if, to, priority),
            Fault::Link(..)
            | Fault::PowerOff(_)
            | Fault::Kill(_)
            | Fault::Terminate(_)
            | Fault::Start(_)
            | Fault::Stall(..)
            | Fault::Addresses(..)
            | Fault::Steal(_)
            | Fault::Order(..)
            | Fault::Channel(..)
            | Fault::Reload(..) => self.hit(fault),
            Fault::ForgingEnds | Fault::Healed => {}
        }
        if declared == Declared::Yes {
            self.look(Change::Fault);
        }
    }

    fn hit(&mut self, fault: Fault) {
        let Some(place) = fault.node() else { return };
        match self.plan.kinds[place] {
            Who::Gwha => self.hit_gwha(place, fault),
            Who::Speaker { preempt, coupled } => self.hit_speaker(place, fault, preempt, coupled),
        }
    }

    fn hit_gwha(&mut self, place: Place, fault: Fault) {
        let (now, netlink) = (self.now, self.plan.pace.netlink);
        let setup = &self.plan.setup;
        let Station::Gwha(node) = &mut self.stations[place] else { return };
        match fault {
            Fault::Link(_, member, condition) => {
                node.set_link(member, condition);
                let late = self.rng.between(0, netlink + 1);
                self.wake_by(place, now + late);
            }
            Fault::PowerOff(_) => node.power_off(),
            Fault::Kill(_) => node.stop(),
            Fault::Start(_) if !node.runs() => {
                node.start(now);
                self.soon(place);
            }
            Fault::Stall(_, length) if node.runs() => {
                node.stalled_until = node.stalled_until.max(now + length);
                self.stall_until(place, now + length);
            }
            Fault::Addresses(_, takes) => {
                node.kernel_takes = takes;
                node.holds &= takes;
                node.apply();
                self.soon(place);
            }
            Fault::Steal(_) => {
                // netlink tells at once, and the executor puts them back at once.
                node.holds = false;
                node.apply();
                self.soon(place);
            }
            Fault::Terminate(_) => {
                node.request(Request::Terminate);
                self.soon(place);
            }
            Fault::Order(_, order) => {
                node.request(Request::Command(order.command()));
                self.soon(place);
            }
            Fault::Channel(_, word) => {
                node.request(Request::Channel(word));
                self.soon(place);
            }
            Fault::Reload(_, vips) => {
                let mut changed = setup.clone();
                changed.members.iter_mut().for_each(|member| member.vips = vips);
                node.request(Request::Reload(changed.config(place)));
                self.soon(place);
            }
            Fault::Start(_)
            | Fault::Stall(..)
            | Fault::Path { .. }
            | Fault::Loss(..)
            | Fault::Clog(..)
            | Fault::Carrier(..)
            | Fault::CarrierForAll(_)
            | Fault::SendErrors(..)
            | Fault::Forge { .. }
            | Fault::ForgingEnds
            | Fault::Healed => {}
        }
    }

    fn hit_speaker(&mut self, place: Place, fault: Fault, preempt: bool, coupled: bool) {
        let now = self.now;
        let mut says = Vec::new();
        let Station::Speaker(speech) = &mut self.stations[place] else { return };
        match fault {
            Fault::Link(_, member, condition) => {
                speech.links[member] = condition == LinkCondition::Up;
                if let Some(speaker) = &mut speech.speaker {
                    speaker.link(now, member, condition == LinkCondition::Up, &mut says);
                }
            }
            Fault::PowerOff(_) | Fault::Kill(_) => speech.speaker = None,
            Fault::Terminate(_) => {
                if let Some(mut speaker) = speech.speaker.take() {
                    speaker.shut_down(&mut says);
                }
            }
            Fault::Start(_) if speech.speaker.is_none() => {
                let mut speaker = Speaker::new(&self.plan.setup, place, preempt, coupled);
                for (member, up) in speech.links.iter().enumerate() {
                    speaker.link(now, member, *up, &mut says);
                }
                speech.speaker = Some(speaker);
            }
            // A speaker has no tracks, no operator, and is never paused.
            Fault::Start(_)
            | Fault::Stall(..)
            | Fault::Addresses(..)
            | Fault::Steal(_)
            | Fault::Order(..)
            | Fault::Channel(..)
            | Fault::Reload(..)
            | Fault::Path { .. }
            | Fault::Loss(..)
            | Fault::Clog(..)
            | Fault::Carrier(..)
            | Fault::CarrierForAll(_)
            | Fault::SendErrors(..)
            | Fault::Forge { .. }
            | Fault::ForgingEnds
            | Fault::Healed => {}
        }
        self.speak(place, &says);
    }
}

impl Truth {
    pub fn new(setup: &Setup, kinds: &[Kind], bounds: Bounds) -> Truth {
        let nodes = kinds.len();
        let members = setup.members.len();
        let segment = SegmentTruth { open: vec![vec![true; nodes]; nodes], lossy: false, clogged: false };
        let node = |(place, kind): (Place, &Kind)| NodeTruth {
            place,
            kind: *kind,
            runs: false,
            stalled: false,
            role: Role::Init,
            since: 0,
            word: 0,
            links: vec![false; members],
            carrier: true,
            addresses: true,
            addresses_failed: None,
            maintenance: false,
            touched: 0,
            base: setup.base(place),
            stopping: false,
        };
        Truth {
            now: 0,
            nodes: kinds.iter().enumerate().map(node).collect(),
            segments: vec![segment; members],
            bounds,
            shaken: 0,
            disturbed: 0,
            disturbed_otherwise: 0,
            carrier_changed: 0,
            forged: 0,
            forging: None,
            healed: None,
            only_boots: true,
            switches: 0,
            orders_at: 0,
            network_bad: 0,
        }
    }

    fn declare(&mut self, fault: Fault) {
        let now = self.now;
        self.spread(fault);
        if let Some(node) = fault.node().filter(|_| fault.reach() != Reach::Nobody) {
            self.nodes[node].touched = now;
        }
        match fault {
            Fault::Link(node, member, condition) => {
                let node = &mut self.nodes[node];
                if member < node.links.len() {
                    node.links[member] = condition == LinkCondition::Up;
                }
            }
            Fault::Path { member, from, to, open } => self.segments[member].open[from][to] = open,
            Fault::Loss(member, permille) => self.segments[member].lossy = permille > 0,
            Fault::Clog(member, delay) => self.segments[member].clogged = delay > 0,
            Fault::PowerOff(node) | Fault::Kill(node) => self.gone(node),
            Fault::Start(node) => self.nodes[node].runs = true,
            Fault::Terminate(node) => self.nodes[node].stopping = self.nodes[node].runs,
            Fault::Stall(node, _) => self.nodes[node].stalled = self.nodes[node].runs,
            Fault::Carrier(node, answers) => self.nodes[node].carrier = answers,
            Fault::CarrierForAll(answers) => {
                for node in &mut self.nodes {
                    (node.carrier, node.touched) = (answers, now);
                }
            }
            Fault::Addresses(node, takes) => {
                let node = &mut self.nodes[node];
                (node.addresses, node.addresses_failed) = (takes, Some(now));
            }
            Fault::Order(node, order) => {
                self.orders_at = now;
                match order {
                    Order::Switch => self.switches += 1,
                    // Nobody hears what is said to a dead one.
                    Order::Maintenance(on) if self.nodes[node].runs => self.nodes[node].maintenance = on,
                    Order::Maintenance(_) => {}
                    Order::Recheck => {}
                }
            }
            Fault::Forge { .. } => (self.forging, self.forged) = (self.forging.or(Some(now)), now),
            Fault::ForgingEnds => self.forging = None,
            Fault::Healed => self.healed = Some(now),
            // The other router says that an operator moved the role, or that it should not be taken back yet.
            Fault::Channel(..) => self.switches += 1,
            Fault::Steal(_) | Fault::SendErrors(..) | Fault::Reload(..) => {}
        }
    }

    fn spread(&mut self, fault: Fault) {
        let now = self.now;
        match fault.reach() {
            Reach::Network => (self.shaken, self.disturbed, self.disturbed_otherwise) = (now, now, now),
            Reach::Node => (self.disturbed, self.disturbed_otherwise) = (now, now),
            Reach::Everybody => self.disturbed = now,
            Reach::Nobody => {}
        }
        if matches!(fault, Fault::Path { .. } | Fault::Loss(..) | Fault::Clog(..) | Fault::SendErrors(..)) {
            self.network_bad = now;
        }
        if matches!(fault, Fault::Carrier(..) | Fault::CarrierForAll(_)) {
            self.carrier_changed = now;
        }
        let boots = matches!(fault, Fault::Start(_) | Fault::Link(_, _, LinkCondition::Up));
        self.only_boots &= boots || fault.reach() == Reach::Nobody;
    }

    /// Something was not as it should be for a moment.
    pub fn shake(&mut self) {
        (self.shaken, self.disturbed, self.disturbed_otherwise) = (self.now, self.now, self.now);
    }

    /// A frame was lost, or came far too late.
    pub fn lost(&mut self) {
        self.network_bad = self.now;
        self.shake();
    }

    pub fn stall_ends(&mut self, node: Place) {
        self.nodes[node].stalled = false;
        self.nodes[node].touched = self.now;
        self.shake();
    }

    /// A daemon ended.
    pub fn gone(&mut self, node: Place) {
        let now = self.now;
        let node = &mut self.nodes[node];
        (node.runs, node.stalled, node.stopping) = (false, false, false);
        (node.role, node.word) = (Role::Init, 0);
        node.touched = now;
        self.shake();
    }

    pub fn role(&mut self, node: Place, role: Role) {
        (self.nodes[node].role, self.nodes[node].since) = (role, self.now);
        if role != Role::Master {
            self.nodes[node].word = 0;
        }
    }

    /// A master says a priority. True if it is a new one.
    pub fn word(&mut self, node: Place, priority: u8) -> bool {
        core::mem::replace(&mut self.nodes[node].word, priority) != priority
    }
}

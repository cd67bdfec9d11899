//! What is true of the world, and what the checkers may know of it: every fault that was declared,
//! and every role and word of every node. The engines know none of this.

use core::time::Duration;

use gwha::engine::Role;

use crate::support::setup::{Check, Node, Setup};
use crate::world::Micros;

/// How long a node that could not install its addresses counts as faulty (rule 22): it can find out
/// only by serving.
const DISTRUST: Micros = 605_000_000;

/// The world as the checkers see it.
#[derive(Debug, Clone)]
pub struct Truth {
    pub now: Micros,
    pub nodes: Vec<NodeTruth>,
    pub segments: Vec<SegmentTruth>,
    pub bounds: Bounds,
    /// When a fault of the network, of power or of scheduling began, hit or ended last.
    pub shaken: Micros,
    /// The same of anything at all that was not constant.
    pub disturbed: Micros,
    /// The same, but for a carrier lost or back for everybody at once, and forged packets.
    pub disturbed_otherwise: Micros,
    /// When the carrier router changed its mind about anybody last.
    pub carrier_changed: Micros,
    /// When somebody sent in another's name last, and since when he does.
    pub forged: Micros,
    pub forging: Option<Micros>,
    /// Since when every fault is over for good.
    pub healed: Option<Micros>,
    /// Nothing has happened yet but nodes starting with good links.
    pub only_boots: bool,
    /// How often an operator moved the role, and when he gave an order last.
    pub switches: u32,
    pub orders_at: Micros,
    /// When a segment lost, delayed or withheld something last.
    pub network_bad: Micros,
}

/// A node as it is.
#[derive(Debug, Clone)]
pub struct NodeTruth {
    pub place: Node,
    pub kind: Kind,
    pub runs: bool,
    pub stalled: bool,
    pub role: Role,
    /// Since when.
    pub since: Micros,
    /// What it advertised last as master, 0 before.
    pub word: u8,
    /// For each member: frames can pass.
    pub links: Vec<bool>,
    /// The carrier router answers it.
    pub carrier: bool,
    pub addresses: bool,
    /// When its kernel refused addresses last; it does not trust it for a while.
    pub addresses_failed: Option<Micros>,
    pub maintenance: bool,
    /// When a fault or an order hit it last, or one of them ended.
    pub touched: Micros,
    pub base: u8,
    /// SIGTERM was sent.
    pub stopping: bool,
}

/// Who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Gwha,
    Speaker,
}

/// A segment as it is.
#[derive(Debug, Clone)]
pub struct SegmentTruth {
    /// For each sender and receiver: frames pass, all of them, in good time.
    pub open: Vec<Vec<bool>>,
    pub lossy: bool,
    pub clogged: bool,
}

/// How long things may take with this configuration, in microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Master_Down, at most.
    pub master_down: Micros,
    /// Latency of any segment and any loop, at most.
    pub latency: Micros,
    /// A probe's answer.
    pub answer: Micros,
    /// Until every track has judged a lost carrier.
    pub judgement: Micros,
    /// From any state to the final one, once nothing happens any more.
    pub settle: Micros,
    pub preempt: bool,
    /// A lost carrier makes a fault or lowers the priority.
    pub tracked: bool,
    /// Some track is judged by the master only.
    pub master_only: bool,
}

impl Bounds {
    pub fn new(setup: &Setup, latency: Micros, answer: Micros) -> Bounds {
        let master_down = micros(setup.master_down_max());
        let rise = setup.tracks.iter().map(|track| micros(track.rise_time())).max().unwrap_or(0);
        let fall = |track: &Check| micros(track.interval * (u32::from(track.fall) + 1) + track.timeout);
        let judgement = setup.tracks.iter().map(fall).max().unwrap_or(0);
        let timeout = setup.tracks.iter().map(|track| micros(track.timeout)).max().unwrap_or(0);
        Bounds {
            master_down,
            judgement,
            latency,
            answer,
            settle: 3 * master_down + 2 * micros(setup.delay) + 2 * rise + timeout + 5_000_000,
            preempt: setup.preempt,
            tracked: !setup.tracks.is_empty(),
            master_only: setup.tracks.iter().any(|track| track.master_only),
        }
    }
}

impl Truth {
    /// Nodes that hold the role and could act on it.
    pub fn masters(&self) -> impl Iterator<Item = &NodeTruth> {
        self.nodes.iter().filter(|node| node.runs && node.role == Role::Master)
    }

    pub fn running(&self) -> impl Iterator<Item = &NodeTruth> {
        self.nodes.iter().filter(|node| node.runs)
    }

    /// Frames from one node reach the other on some segment, all of them and in good time.
    pub fn hears(&self, to: &NodeTruth, from: &NodeTruth) -> bool {
        (0..self.segments.len()).any(|member| self.hears_on(member, to, from))
    }

    /// Both hear each other on one segment.
    pub fn connected(&self, a: &NodeTruth, b: &NodeTruth) -> bool {
        (0..self.segments.len()).any(|member| self.hears_on(member, a, b) && self.hears_on(member, b, a))
    }

    /// No frame from one node can reach the other.
    pub fn parted(&self, to: &NodeTruth, from: &NodeTruth) -> bool {
        (0..self.segments.len()).all(|member| {
            let linked = from.links[member] && to.links[member];
            !linked || !self.segments[member].open[from.place][to.place]
        })
    }

    fn hears_on(&self, member: usize, to: &NodeTruth, from: &NodeTruth) -> bool {
        let segment = &self.segments[member];
        let passes = segment.open[from.place][to.place] && !segment.lossy && !segment.clogged;
        passes && from.links[member] && to.links[member] && !from.stalled && !to.stalled
    }

    /// No segment loses, delays or withholds anything.
    pub fn network_is_good(&self) -> bool {
        let good = |segment: &SegmentTruth| {
            !segment.lossy && !segment.clogged && segment.open.iter().flatten().all(|open| *open)
        };
        self.segments.iter().all(good)
    }

    /// Nothing is wrong with a node, as far as it could know.
    pub fn is_healthy(&self, node: &NodeTruth) -> bool {
        let trusted = node.addresses_failed.is_none_or(|at| self.now.saturating_sub(at) > DISTRUST);
        let whole = node.links.iter().all(|up| *up) && trusted && !node.maintenance;
        node.runs && !node.stalled && whole && (node.carrier || !self.bounds.tracked)
    }
}

impl NodeTruth {
    /// It can do something on some segment.
    pub fn can_serve(&self) -> bool {
        self.runs && !self.stalled && self.links.iter().any(|up| *up)
    }
}

fn micros(duration: Duration) -> Micros {
    duration.as_micros() as Micros
}

//! A network segment: what becomes of a frame between two nodes.

use crate::rng::Rng;
use crate::world::Micros;

/// How good a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    pub latency: Micros,
    /// Up to this much more, without overtaking.
    pub jitter: Micros,
    /// Of a thousand frames, how many come twice.
    pub duplicated: u32,
    /// Of a thousand frames, how many may be overtaken.
    pub reordered: u32,
    /// How much later a duplicate or an overtaken frame comes at most.
    pub straggle: Micros,
}

impl Quality {
    /// The longest that a frame takes.
    pub fn slowest(&self) -> Micros {
        self.latency + self.jitter + self.straggle
    }
}

/// A segment that all nodes are on.
#[derive(Debug, Clone)]
pub struct Segment {
    pub quality: Quality,
    /// Of a thousand frames, how many are lost.
    pub loss: u32,
    /// Added to every frame's time.
    clog: Micros,
    nodes: usize,
    /// For each pair (from, to): whether frames pass.
    open: Vec<bool>,
    /// For each pair: when the last frame that kept its place arrives.
    last: Vec<Micros>,
}

impl Segment {
    pub fn new(quality: Quality, nodes: usize) -> Segment {
        let pairs = nodes * nodes;
        Segment { quality, loss: 0, clog: 0, nodes, open: vec![true; pairs], last: vec![0; pairs] }
    }

    /// Frames that are under way stay late; those sent from now on overtake them.
    pub fn set_clog(&mut self, delay: Micros) {
        self.clog = delay;
        self.last.fill(0);
    }

    /// Frames sent now come in time, if they come.
    pub fn is_prompt(&self) -> bool {
        self.clog == 0
    }

    pub fn set_open(&mut self, from: usize, to: usize, open: bool) {
        self.open[from * self.nodes + to] = open;
    }

    /// When a frame sent now arrives: never, once or twice.
    pub fn carry(&mut self, rng: &mut Rng, now: Micros, from: usize, to: usize) -> Vec<Micros> {
        let pair = from * self.nodes + to;
        if !self.open[pair] || rng.chance(self.loss) {
            return Vec::new();
        }
        let Quality { latency, jitter, duplicated, reordered, straggle } = self.quality;
        let on_time = now + latency + rng.between(0, jitter + 1) + self.clog;
        let mut arrivals = Vec::with_capacity(1);
        if rng.chance(reordered) {
            arrivals.push(on_time + rng.between(0, straggle + 1));
        } else {
            self.last[pair] = self.last[pair].max(on_time);
            arrivals.push(self.last[pair]);
        }
        if rng.chance(duplicated) {
            arrivals.push(on_time + rng.between(0, straggle + 1));
        }
        arrivals
    }
}

//! One prober for each track, kept over a reload if the track is the same.

use std::io;

use crate::config::model::{Config, Track, TrackId, TrackKind};
use crate::disk::plain;
use crate::engine::{Event, Instant, ProbeOutcome, Round};
use crate::netlink::IfName;
use crate::probe::{Outcome, ProbeResult, Prober, Via};

use super::poller::{Interest, Poller, Source};

/// The probers.
#[derive(Debug, Default)]
pub struct Probes {
    slots: Vec<Option<Slot>>,
    results: Vec<ProbeResult>,
}

#[derive(Debug)]
struct Slot {
    track: TrackId,
    name: String,
    kind: TrackKind,
    prober: Prober,
}

/// An answer of a track's target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    track: TrackId,
    round: Round,
    target: u16,
    outcome: ProbeOutcome,
}

impl Answer {
    /// What the engine is told.
    pub fn event(self) -> Event<'static> {
        let Answer { track, round, target, outcome } = self;
        Event::Probe { track, round, target, outcome }
    }
}

impl Probes {
    /// Makes the probers those of `config`, going out through the devices that its links are now.
    pub fn configure(&mut self, config: &Config, devices: &[Option<IfName>], poller: &mut Poller) {
        let mut known = core::mem::take(&mut self.slots);
        for (id, track) in (0..).map(TrackId).zip(&config.tracks) {
            let via = via(track, devices);
            let is_same = |slot: &Slot| slot.name == track.name && slot.kind == track.kind;
            let old = known.iter_mut().find(|place| place.as_ref().is_some_and(is_same));
            match old.and_then(Option::take) {
                Some(mut slot) => {
                    slot.track = id;
                    slot.prober.set_via(via);
                    // Its place is another one now, and that is what the poller reports.
                    let _ = poller.change(&slot.prober, Source::Probes(id.0), Interest::Read);
                    self.slots.push(Some(slot));
                }
                None => self.slots.push(open(id, track, via, poller)),
            }
        }
        for slot in known.iter().flatten() {
            let _ = poller.remove(&slot.prober);
        }
    }

    /// Asks all targets of a track, and returns what is known at once.
    pub fn start(&mut self, track: TrackId, round: Round, now: Instant) -> Vec<Answer> {
        let Some(Some(slot)) = self.slots.get_mut(track.index()) else { return Vec::new() };
        slot.prober.start(round.0, now.as_micros(), &mut self.results);
        answers(slot, &mut self.results)
    }

    /// Ends a round.
    pub fn cancel(&mut self, track: TrackId, round: Round) {
        if let Some(Some(slot)) = self.slots.get_mut(track.index()) {
            slot.prober.cancel(round.0);
        }
    }

    /// Takes in what has arrived at a place.
    pub fn ready(&mut self, place: u16, now: Instant) -> Vec<Answer> {
        let Some(Some(slot)) = self.slots.get_mut(usize::from(place)) else { return Vec::new() };
        slot.prober.ready(now.as_micros(), &mut self.results);
        answers(slot, &mut self.results)
    }
}

fn open(id: TrackId, track: &Track, via: Via, poller: &mut Poller) -> Option<Slot> {
    let refused = |error: &io::Error| log::error!("track {}: {}", track.name, plain(error));
    let prober = Prober::new(&track.kind, via).inspect_err(refused).ok()??;
    // As an error of the standard library: nix's own words for all of its numbers would be seven kilobytes.
    let added = poller.add(&prober, Source::Probes(id.0), Interest::Read).map_err(io::Error::from);
    added.inspect_err(refused).ok()?;
    Some(Slot { track: id, name: track.name.clone(), kind: track.kind.clone(), prober })
}

fn via(track: &Track, devices: &[Option<IfName>]) -> Via {
    match track.link {
        None => Via::Anywhere,
        Some(link) => match devices.get(link.index()).copied().flatten() {
            Some(name) => Via::Device(name.to_string()),
            None => Via::Unknown,
        },
    }
}

fn answers(slot: &Slot, results: &mut Vec<ProbeResult>) -> Vec<Answer> {
    let mut answers = Vec::new();
    for ProbeResult { round, target, outcome } in results.drain(..) {
        let outcome = match outcome {
            Outcome::Answered(time) => ProbeOutcome::Answered(time),
            Outcome::Failed(failure) => {
                log::debug!("track {}: target {target}: {failure}", slot.name);
                ProbeOutcome::Failed
            }
        };
        answers.push(Answer { track: slot.track, round: Round(round), target, outcome });
    }
    answers
}

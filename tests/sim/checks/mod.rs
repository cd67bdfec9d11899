//! The properties of the rule book, each a checker of its own, watching only [`Truth`].

use gwha::engine::Role;

use crate::support::setup::Node;
use crate::truth::Truth;
use crate::world::Micros;

mod handover;
mod masters;
mod moves;
mod serving;

pub use handover::LoweredMasterYields;
pub use masters::{BestWins, BootHasOneMaster, OneMasterWhenCalm, OneMasterWhenSettled};
pub use moves::{CarrierDeadForAll, FewMoves, ForgeryMovesNothing, NothingTakenFromHealthy};
pub use serving::{LoneNodeServes, MasterOfDeadBackupStays, SegmentIsServed};

/// Something that must hold.
pub trait Property {
    /// Its name in the rule book.
    fn name(&self) -> &'static str;

    /// Looks at the world after a change.
    ///
    /// # Errors
    /// What does not hold.
    fn look(&mut self, truth: &Truth, change: Change) -> Result<(), String>;
}

/// What has just changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Role {
        node: Node,
        from: Role,
        to: Role,
    },
    /// A master says another priority than before.
    Word,
    /// A declared fault, or the end of one.
    Fault,
    /// Nothing but the time.
    Time,
}

/// All properties of a world.
pub fn all() -> Vec<Box<dyn Property>> {
    vec![
        Box::new(OneMasterWhenSettled::default()),
        Box::new(BestWins::default()),
        Box::new(OneMasterWhenCalm::default()),
        Box::new(LoneNodeServes::default()),
        Box::new(SegmentIsServed::default()),
        Box::new(FewMoves::default()),
        Box::new(CarrierDeadForAll::default()),
        Box::new(MasterOfDeadBackupStays),
        Box::new(ForgeryMovesNothing::default()),
        Box::new(LoweredMasterYields::default()),
        Box::new(NothingTakenFromHealthy),
        Box::new(BootHasOneMaster::default()),
    ]
}

/// Measures how long a condition has held, and complains if that is too long.
///
/// Between two looks nothing changes, so a condition that was seen at the one held until the other.
#[derive(Debug, Default)]
struct Watch {
    since: Option<Micros>,
}

impl Watch {
    /// `holds` carries the earliest time from which it counts (which may lie in the future).
    fn look(&mut self, now: Micros, holds: Option<Micros>, limit: Micros) -> Result<(), Micros> {
        let too_long = self.since.and_then(|since| now.checked_sub(since)).filter(|held| *held > limit);
        self.since = holds.map(|from| self.since.unwrap_or(now).max(from));
        too_long.map_or(Ok(()), Err)
    }
}

/// Microseconds as people read them.
fn ms(micros: Micros) -> String {
    format!("{}.{:03} ms", micros / 1000, micros % 1000)
}

//! `/etc/config/gwha`: from text to a valid [`model::Config`].
//!
//! ```text
//! bytes ─► uci::Tree ─► Drafts: each section by itself ─► assemble: how they fit ─► Config
//!                          │ schema, kinds, reader             │ unique, group, rank
//!                          └──────────► Findings ◄─────────────┘
//! ```
//!
//! Everything that is wrong is found in one go and named by line, section, option and value, with what
//! would be right. [`schema`] is the single source of what there is to configure.

mod assemble;
mod conflict;
mod diff;
mod drafts;
mod finding;
mod group;
mod instance;
mod key;
pub mod kinds;
pub mod limits;
mod load;
pub mod model;
mod net;
mod problem;
mod rank;
mod reader;
mod role;
pub mod schema;
mod suggest;
mod sync;
mod system_check;
mod track;
mod unique;

pub use conflict::Conflict;
pub use diff::{Diff, Fate, Identity, diff, identity};
pub use finding::{At, Finding, Rejected, Spot};
pub use load::{Loaded, Variants, load};
pub use problem::{Problem, Secs};
pub use system_check::{Hazard, SystemFiles, hazards};

#[cfg(test)]
mod tests;

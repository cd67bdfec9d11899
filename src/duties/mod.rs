//! What follows from a role besides addresses: the duties of a router.
//!
//! A [`Duty`] is one thing that is to be one way on the master and another way on a standby: an interface, a
//! service, the DHCP server, a route. [`of`] computes the duties of a configuration; the [`Planner`] knows for each how
//! it should be and how it was seen last, and says what to do next. It remembers nothing of what was done to get there.
//! So a crash at any point, a stranger who starts what should be stopped, a role that comes and goes, and a command that
//! fails are all the same case: look, compare, act.
//!
//! The order in which things change is [`STEPS`], in one place. Nothing that decides about a role waits for any of it.
//!
//! Pure: what is to be done is done by [`Hands`], and the time is an argument.

mod desired;
mod elsewhere;
mod hooks;
mod planner;
mod step;

pub use desired::{Duty, of};
pub use elsewhere::{Handover, Word};
pub use hooks::{Change, Hooks, Run};
pub use planner::{Act, Answer, ELSEWHERE_MAX, Hands, Job, Planner, Seen, Started, Ticket};
pub use step::{After, Kind, STEPS, Side, Step};

//! The daemon: everything that touches the world, around the pure engine.
//!
//! In reading order: `run` (the loop), `act` (from an event to its effects), `reload` (configurations and links),
//! `methods` and `report` (what people ask and see), `bus` (OpenWrt's ubus). The others are the hands: `sockets`, `system`, `probes`,
//! and what is remembered: `memory`, `history`, `storage`.

mod act;
mod attempts;
mod bounded;
pub mod bus;
mod chores;
pub mod clock;
pub mod config_file;
pub mod conflicts;
mod duties;
pub mod files;
mod gather;
mod handover;
pub mod history;
pub mod leases;
pub mod memory;
pub mod methods;
mod notify;
mod packets;
mod peering;
pub mod poller;
mod probes;
pub mod realtime;
mod release;
mod reload;
pub mod report;
mod resolver;
mod run;
pub mod run_dir;
pub mod signals;
pub mod sockets;
pub mod storage;
mod system;

pub use bounded::read as read_bounded;
pub use release::release;
pub use resolver::Resolver;
pub use run::{Error, Options, run};

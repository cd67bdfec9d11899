//! gwha lets two routers act as one gateway.

pub mod cli;
mod collect;
pub mod config;
pub mod control;
pub mod daemon;
pub mod disk;
pub mod duties;
pub mod engine;
pub mod exec;
pub mod import;
pub mod limits;
mod local;
pub mod netlink;
pub mod pair;
pub mod peer;
pub mod probe;
pub mod reconcile;
mod record;
pub mod sorted;
pub mod status;
pub mod stdio;
pub mod sync;
pub mod syslog;
pub mod thread;
pub mod ubus;
pub mod uci;
pub mod wire;

//! gwha lets two routers act as one gateway.

pub mod config;
pub mod engine;
pub mod exec;
pub mod limits;
pub mod netlink;
pub mod probe;
pub mod reconcile;
pub mod ubus;
pub mod uci;
pub mod wire;

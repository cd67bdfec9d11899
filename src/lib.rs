//! gwha lets two routers act as one gateway.

pub mod config;
pub mod engine;
pub mod probe;
pub mod wire;

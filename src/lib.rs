//! gwha lets two routers act as one gateway.

pub mod ubus;
pub mod wire;

//! The ubus implementation against message buses: the broker in `tests/broker`, and the real `ubusd`
//! with the real `ubus` command where they are installed.

#[path = "../broker/mod.rs"]
mod broker;
mod conn;
mod daemon;
#[path = "../namespace/mod.rs"]
#[allow(unused_macros)]
mod namespace;
mod node;
mod program;
mod scene;
mod wire;

//! The ubus implementation against message buses: the broker in `tests/broker`, and the real `ubusd`
//! with the real `ubus` command where they are installed.

#[path = "../broker/mod.rs"]
mod broker;
mod conn;
mod daemon;
#[path = "../namespace/mod.rs"]
#[allow(unused_macros)]
mod namespace;
mod netifd;
mod node;
mod program;
mod scene;
#[path = "../netifd/mod.rs"]
#[allow(dead_code, reason = "the end-to-end tests use all of it")]
mod stand_in;
mod wire;

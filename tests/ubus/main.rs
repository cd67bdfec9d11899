//! The ubus implementation against message buses: the broker in `tests/broker`, and the real `ubusd`
//! with the real `ubus` command where they are installed.

#[path = "../broker/mod.rs"]
mod broker;
mod conn;
mod daemon;
mod program;
mod scene;
mod wire;

//! A small ubusd for trying things out: `cargo run --example broker -- /tmp/ubus.sock`.

#[path = "mod.rs"]
mod broker;

fn main() {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: broker SOCKET");
        std::process::exit(2);
    };
    let _broker = broker::Broker::start(path.as_ref());
    loop {
        std::thread::park();
    }
}

//! `up_on_master` through netifd: a program that publishes what netifd does, and behaves well or badly.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gwha::ubus::session::{Call, Event, Key};
use gwha::ubus::{Connection, Data, Method, Object, Status};

use crate::conn::at_each_bus;
use crate::namespace::in_namespace;
use crate::node::{Node, configuration};
use crate::program::table;

const METHODS: &[Method] = &[
    Method { name: "dump", arguments: &[] },
    Method { name: "up", arguments: &[] },
    Method { name: "down", arguments: &[] },
];

/// How it takes orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Obliging,
    Refusing,
    Silent,
}

#[derive(Debug)]
struct State {
    mood: Mood,
    /// Whether `wan` is up, and wanted so.
    up: bool,
    orders: Vec<String>,
    stop: bool,
}

/// A running netifd with the interface `wan`, which is down when it starts (`auto '0'`).
struct Netifd {
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

impl Netifd {
    fn start(socket: &Path, mood: Mood) -> Netifd {
        let state = State { mood, up: false, orders: Vec::new(), stop: false };
        let state = Arc::new(Mutex::new(state));
        let (shared, socket) = (Arc::clone(&state), socket.to_owned());
        let thread = Some(thread::spawn(move || serve(&shared, socket)));
        Netifd { state, thread }
    }

    fn is_up(&self) -> bool {
        self.state.lock().unwrap().up
    }

    fn set(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    fn orders(&self) -> Vec<String> {
        self.state.lock().unwrap().orders.clone()
    }
}

impl Drop for Netifd {
    fn drop(&mut self) {
        self.state.lock().unwrap().stop = true;
        let _ = self.thread.take().unwrap().join();
    }
}

fn serve(state: &Mutex<State>, socket: PathBuf) {
    let start = Instant::now();
    let now = || start.elapsed().as_micros() as u64;
    let mut connection = Connection::new([&socket]);
    let object = |path: &str| Object { path: path.into(), methods: METHODS };
    let list = connection.session().publish(now(), object("network.interface"));
    connection.session().publish(now(), object("network.interface.wan"));
    while !state.lock().unwrap().stop {
        let mut events = Vec::new();
        connection.drive(now(), &mut events);
        for event in events {
            if let Event::Call(call) = event {
                answer(&mut connection, list, &call, &mut state.lock().unwrap());
            }
        }
        connection.flush();
        thread::sleep(Duration::from_millis(2));
    }
}

fn answer(connection: &mut Connection, list: Key, call: &Call, state: &mut State) {
    if call.method == "dump" {
        let up = state.up;
        let answer = table(&format!(
            r#"{{"interface":[{{"interface":"wan","up":{up},"pending":false,"autostart":{up},"device":"wan"}}]}}"#
        ));
        return connection.session().answer(call.id, Ok(&answer));
    }
    state.orders.push(call.method.to_owned());
    match state.mood {
        Mood::Silent => {}
        Mood::Refusing => connection.session().answer(call.id, Err(Status::PermissionDenied)),
        Mood::Obliging => {
            state.up = call.method == "up";
            connection.session().answer(call.id, Ok(&Data::EMPTY));
            connection.session().notify(list, "interface.update", &table("{}")).unwrap();
        }
    }
}

/// A daemon that serves, and has `wan` up on the master.
fn node(bus: &crate::daemon::Daemon) -> Node {
    let text = configuration("device") + "\tlist up_on_master 'wan'\n";
    // There is a network configuration, so this is an OpenWrt.
    Node::start_with(bus, &text, "config interface 'wan'\n\toption device 'wan-pub'\n")
}

fn until(node: &Node, what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "not within 30 s: {what}: {}", node.status());
        thread::sleep(Duration::from_millis(10));
    }
}

/// What is said of the interface.
fn row(node: &Node) -> serde_json::Value {
    let status = node.status();
    let rows = status["actions"].as_array().cloned().unwrap_or_default();
    rows.into_iter().find(|row| row["kind"] == "interface").unwrap_or_default()
}

#[test]
fn interface_of_netifd_is_up_on_the_master_and_down_when_it_stops() {
    in_namespace("netifd::interface_of_netifd_is_up_on_the_master_and_down_when_it_stops", || {
        at_each_bus(|bus| {
            let netifd = Netifd::start(&bus.socket(), Mood::Obliging);
            let node = node(bus);
            until(&node, "it is up", || netifd.is_up());
            until(&node, "that is seen", || row(&node)["observed"] == "up");
            assert_eq!(netifd.orders(), ["up"], "it was told once");

            // It restarts, and has forgotten what it was told.
            drop(netifd);
            let netifd = Netifd::start(&bus.socket(), Mood::Obliging);
            until(&node, "it is up again", || netifd.is_up());

            drop(node);
            assert!(!netifd.is_up(), "a stopped daemon leaves a standby: {:?}", netifd.orders());
        });
    });
}

#[test]
fn netifd_that_refuses_or_says_nothing_keeps_no_role_from_changing_and_is_shown() {
    in_namespace(
        "netifd::netifd_that_refuses_or_says_nothing_keeps_no_role_from_changing_and_is_shown",
        || {
            at_each_bus(|bus| {
                let netifd = Netifd::start(&bus.socket(), Mood::Refusing);
                let node = node(bus);
                until(&node, "the router serves", || node.status()["role"] == "master");
                until(&node, "the refusal is shown", || row(&node)["error"].is_string());
                netifd.set(Mood::Silent);
                let before = netifd.orders().len();
                until(&node, "it is asked again", || netifd.orders().len() > before);
                until(&node, "the silence is shown", || {
                    row(&node)["error"].as_str().is_some_and(|error| error.contains("answer"))
                });
                netifd.set(Mood::Obliging);
                until(&node, "it is up at last", || {
                    row(&node)["observed"] == "up" && row(&node)["error"].is_null()
                });
            });
        },
    );
}

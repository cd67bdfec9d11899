//! `up_on_master` through netifd: a program that publishes what netifd does, and behaves well or badly.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use gwha::ubus::Status;

use crate::conn::at_each_bus;
use crate::namespace::in_namespace;
use crate::node::{Node, configuration};
use crate::stand_in::{Netifd, Reaction};

/// How it takes orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Obliging,
    Refusing,
    Silent,
    /// Its device is not there.
    Deviceless,
    /// An interface never comes up.
    Stuck,
}

/// netifd with the interface `wan`, in the mood that is set.
fn netifd(socket: &Path, mood: &Arc<Mutex<Mood>>) -> Netifd {
    let mood = Arc::clone(mood);
    let temper = move |method: &str| match *mood.lock().unwrap() {
        _ if method == "dump" => Reaction::GOOD,
        Mood::Obliging => Reaction::GOOD,
        Mood::Refusing => {
            Reaction { obeys: false, says: Some(Err(Status::PermissionDenied)), ..Reaction::GOOD }
        }
        Mood::Silent => Reaction { obeys: false, says: None, ..Reaction::GOOD },
        Mood::Stuck => Reaction { takes: Duration::from_secs(1000), ..Reaction::GOOD },
        Mood::Deviceless => Reaction { available: false, ..Reaction::GOOD },
    };
    Netifd::start(socket, &[("wan", "static", "wan")], Box::new(temper), Box::new(|_, _| ()))
}

fn mood(mood: Mood) -> Arc<Mutex<Mood>> {
    Arc::new(Mutex::new(mood))
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
            let mood = mood(Mood::Obliging);
            let first = netifd(&bus.socket(), &mood);
            let node = node(bus);
            until(&node, "it is up", || first.is_up("wan"));
            until(&node, "that is seen", || row(&node)["observed"] == "up");
            let orders = first.orders();
            assert!(orders.len() == 1 && orders[0].method == "up", "it was told once: {orders:?}");

            // It restarts, and has forgotten what it was told.
            drop(first);
            let netifd = netifd(&bus.socket(), &mood);
            until(&node, "it is up again", || netifd.is_up("wan"));

            drop(node);
            assert!(netifd.is_down("wan"), "a stopped daemon leaves a standby: {:?}", netifd.orders());
        });
    });
}

#[test]
fn netifd_that_refuses_or_says_nothing_keeps_no_role_from_changing_and_is_shown() {
    in_namespace(
        "netifd::netifd_that_refuses_or_says_nothing_keeps_no_role_from_changing_and_is_shown",
        || {
            at_each_bus(|bus| {
                let mood = mood(Mood::Refusing);
                let netifd = netifd(&bus.socket(), &mood);
                let node = node(bus);
                until(&node, "the router serves", || node.status()["role"] == "master");
                until(&node, "the refusal is shown", || row(&node)["error"].is_string());
                *mood.lock().unwrap() = Mood::Silent;
                let before = netifd.orders().len();
                until(&node, "it is asked again", || netifd.orders().len() > before);
                until(&node, "the silence is shown", || {
                    row(&node)["error"].as_str().is_some_and(|error| error.contains("answer"))
                });
                *mood.lock().unwrap() = Mood::Obliging;
                until(&node, "it is up at last", || {
                    row(&node)["observed"] == "up" && row(&node)["error"].is_null()
                });
            });
        },
    );
}

#[test]
fn interface_that_does_not_come_up_is_not_called_up() {
    in_namespace("netifd::interface_that_does_not_come_up_is_not_called_up", || {
        at_each_bus(|bus| {
            let _netifd = netifd(&bus.socket(), &mood(Mood::Stuck));
            let node = node(bus);
            until(&node, "it is coming up", || row(&node)["observed"] == "coming up");
            thread::sleep(Duration::from_millis(3000));
            assert_eq!(row(&node)["observed"], "coming up");
        });
    });
}

#[test]
fn interface_without_a_device_is_shown_and_not_left_wanted_on_a_standby() {
    in_namespace("netifd::interface_without_a_device_is_shown_and_not_left_wanted_on_a_standby", || {
        at_each_bus(|bus| {
            let netifd = netifd(&bus.socket(), &mood(Mood::Deviceless));
            let node = node(bus);
            until(&node, "the router serves", || node.status()["role"] == "master");
            until(&node, "what is missing is shown", || {
                row(&node)["error"].as_str().is_some_and(|error| error.contains("its device is not there"))
            });

            drop(node);
            let orders = netifd.orders();
            assert_eq!(orders.last().map(|order| order.method.as_str()), Some("down"), "{orders:?}");
        });
    });
}

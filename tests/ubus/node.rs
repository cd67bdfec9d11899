//! The daemon on a bus: the real program, in a network namespace of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use gwha::ubus::session::{CallError, Event, Key};
use gwha::ubus::{Data, Status, json};
use nix::net::if_::if_nametoindex;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::conn::at_each_bus;
use crate::daemon::{Daemon, installed};
use crate::namespace::{in_namespace, ip};
use crate::program::{Program, table, ubus, until};

/// A running gwha with a group of three instances, and no other router.
pub struct Node {
    child: Child,
    directory: TempDir,
    socket: PathBuf,
}

/// What is asked for the device of; `network` is for it to find, if there is nobody better to ask.
const NETWORK: &str = "config interface 'lan'\n\toption device 'lan'\n";

impl Node {
    /// A daemon that serves.
    fn start(bus: &Daemon) -> Node {
        let node = Node::start_with(bus, &configuration("device"), "");
        let mut client = Program::connected(&node.socket);
        node.until(&mut client, |status| status["role"] == "master");
        node
    }

    pub fn start_with(bus: &Daemon, configuration: &str, network: &str) -> Node {
        for name in ["lan", "iot", "wan", "other"] {
            if if_nametoindex(name).is_err() {
                ip(&format!("link add {name} type veth peer name {name}-x"));
                ip(&format!("link set {name} up"));
                ip(&format!("link set {name}-x up"));
            }
        }
        for (name, address) in [("lan", "192.0.2.1"), ("iot", "198.51.100.1"), ("wan", "203.0.113.1")] {
            ip(&format!("addr replace {address}/24 dev {name}"));
        }
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("gwha"), configuration).unwrap();
        if !network.is_empty() {
            std::fs::write(directory.path().join("network"), network).unwrap();
        }
        let socket = bus.socket();
        let mut command = gwha(directory.path());
        command.arg("run").arg("--ubus").arg(&socket).stdout(Stdio::null()).stderr(Stdio::null());
        Node { child: command.spawn().unwrap(), directory, socket }
    }

    /// Runs a command over the control socket.
    fn cli(&self, arguments: &[&str]) -> Output {
        gwha(self.directory.path()).args(arguments).output().unwrap()
    }

    /// Runs a command over the bus.
    fn cli_over_ubus(&self, arguments: &[&str]) -> Output {
        Command::new(PROGRAM).args(arguments).arg("--ubus").arg(&self.socket).output().unwrap()
    }

    /// The status over the control socket, which is there also without a bus.
    pub fn status(&self) -> Value {
        serde_json::from_slice(&self.cli(&["status", "--json"]).stdout).unwrap_or(Value::Null)
    }

    /// Waits until the status over the bus is so.
    fn until(&self, client: &mut Program, is_so: impl Fn(&Value) -> bool) {
        let start = Instant::now();
        while !status(client).is_some_and(|status| is_so(&status)) {
            assert!(start.elapsed() < LIMIT, "it does not come to that: {}", self.status());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_gwha");

const LIMIT: Duration = Duration::from_secs(20);

fn gwha(directory: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("--config").arg(directory.join("gwha")).arg("--run-dir").arg(directory.join("run"));
    command
}

pub fn configuration(link: &str) -> String {
    let mut text = String::from("config gwha 'main'\n\toption enabled '1'\n");
    for (id, name, net) in [(1, "lan", "192.0.2"), (2, "iot", "198.51.100"), (3, "wan", "203.0.113")] {
        text += &format!(
            "config instance '{name}'\n\toption {link} '{name}'\n\toption vrid '{id}'\n\
             \toption advert_interval '100'\n\tlist router '{net}.1'\n\tlist router '{net}.2'\n\
             \tlist vip '{net}.9/24'\n"
        );
    }
    text += "config group 'gateway'\n\tlist instance 'lan'\n\tlist instance 'iot'\n\tlist instance 'wan'\n";
    text + "\toption preempt_delay '0'\n"
}

/// The status over the bus, if it is served.
fn status(client: &mut Program) -> Option<Value> {
    let tables = client.call(&mut [], "gwha", "status", &Data::EMPTY).ok()?;
    serde_json::from_str(&tables.first()?.to_json(json::Layout::Compact).ok()?).ok()
}

fn text(tables: &[Data]) -> String {
    tables.iter().map(one).collect()
}

fn one(table: &Data) -> String {
    table.to_json(json::Layout::Compact).unwrap()
}

#[test]
fn every_method_is_served_and_its_arguments_are_checked() {
    in_namespace("node::every_method_is_served_and_its_arguments_are_checked", || {
        at_each_bus(|bus| {
            let _node = Node::start(bus);
            let mut client = Program::connected(&bus.socket());
            let mut call = |method, data: &str| client.call(&mut [], "gwha", method, &table(data));

            for (method, arguments, part) in [
                ("status", "{}", r#""role":"master""#),
                ("status", r#"{"ubus_rpc_session":"0"}"#, r#""groups":[{"name":"gateway""#),
                ("history", "{}", r#""event":"role""#),
                ("history", r#"{"limit":1}"#, r#""to":"master""#),
                ("leases", "{}", "\"leases\":[]"),
                ("sync", "{}", r#""done":false"#),
                ("check", "{}", r#""valid":true"#),
                ("reload", "{}", r#""valid":true"#),
                ("maintenance", r#"{"on":true}"#, r#""done":true"#),
                ("maintenance", r#"{"on":false}"#, r#""done":true"#),
                ("switch", r#"{"to":"nobody"}"#, "no router is known by the name 'nobody'"),
                // Nobody is there to take over: it waits for Master_Down and a second, and gives up.
                ("switch", "{}", r#""done":false"#),
            ] {
                let answer =
                    call(method, arguments).unwrap_or_else(|error| panic!("{method} {arguments}: {error}"));
                assert!(text(&answer).contains(part), "{method} {arguments}: {}", text(&answer));
            }
            for (method, arguments) in [
                ("status", r#"{"x":1}"#),
                ("history", r#"{"limit":"1"}"#),
                ("history", r#"{"limit":-1}"#),
                ("switch", r#"{"to":true}"#),
                ("maintenance", "{}"),
                ("maintenance", r#"{"on":"yes"}"#),
            ] {
                let refused = Err(CallError::Status(Status::InvalidArgument));
                assert_eq!(call(method, arguments), refused, "{method} {arguments}");
            }
            assert_eq!(call("nonsense", "{}"), Err(CallError::Status(Status::MethodNotFound)));
        });
    });
}

#[test]
fn every_way_to_ask_gives_the_same_status() {
    in_namespace("node::every_way_to_ask_gives_the_same_status", || {
        at_each_bus(|bus| {
            let node = Node::start(bus);
            let socket = node.cli(&["status", "--json"]);
            assert_eq!(socket.status.code(), Some(0), "healthy: {socket:?}");
            let over_ubus = node.cli_over_ubus(&["status", "--json"]);
            assert_eq!(over_ubus.status.code(), Some(0));
            assert_eq!(shape(&socket.stdout), shape(&over_ubus.stdout));
            if installed("ubus") {
                let called = ubus(&node.socket, &["call", "gwha", "status"], &mut []);
                assert_eq!(shape(&socket.stdout), shape(called.text.as_bytes()));
            }
            let words = node.cli_over_ubus(&["status"]);
            assert!(String::from_utf8_lossy(&words.stdout).contains(" has been master for "), "{words:?}");
        });
    });
}

/// A JSON text with every number, which is an age or a count, in the place of its digits.
fn shape(text: &[u8]) -> Value {
    fn blur(value: &mut Value) {
        match value {
            Value::Number(_) => *value = "a number".into(),
            Value::Array(elements) => elements.iter_mut().for_each(blur),
            Value::Object(members) => members.values_mut().for_each(blur),
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }
    let mut value = serde_json::from_slice(text).unwrap();
    blur(&mut value);
    assert!(value.pointer("/instances/2/counters/sent").is_some(), "{value}");
    value
}

#[test]
fn command_line_asks_over_the_bus_when_the_control_socket_is_lost() {
    in_namespace("node::command_line_asks_over_the_bus_when_the_control_socket_is_lost", || {
        at_each_bus(|bus| {
            let node = Node::start(bus);
            let socket = node.socket.to_str().unwrap();
            let code = |arguments: &[&str]| node.cli(arguments).status.code();
            std::fs::remove_file(node.directory.path().join("run/control.sock")).unwrap();

            assert_eq!(code(&["status"]), Some(3), "the socket alone");
            assert_eq!(code(&["status", "--ubus", socket]), Some(0));
            assert_eq!(code(&["switch", "--to", "nobody", "--ubus", socket]), Some(1), "refused");
            assert_eq!(code(&["history", "--ubus", socket]), Some(0));

            bus.kill();
            assert_eq!(code(&["status", "--ubus", socket]), Some(3), "neither");
        });
    });
}

#[test]
fn the_real_command_lists_and_calls() {
    in_namespace("node::the_real_command_lists_and_calls", || {
        at_each_bus(|bus| {
            if !installed("ubus") {
                return eprintln!("the ubus command is not installed: not tested");
            }
            let node = Node::start(bus);
            let run = |arguments: &[&str]| ubus(&node.socket, arguments, &mut []);

            let listed = run(&["-v", "list", "gwha"]).text;
            let (_, methods) = listed.split_once('\n').unwrap();
            let expected = "\t\"status\":{}\n\t\"history\":{\"limit\":\"Integer\"}\n\t\"leases\":{}\n\
                \t\"switch\":{\"to\":\"String\"}\n\t\"maintenance\":{\"on\":\"Boolean\"}\n\t\"sync\":{}\n\
                \t\"reload\":{}\n\t\"check\":{}\n";
            assert_eq!(methods, expected);

            for (arguments, code) in [
                (["status", "{}"], Some(0)),
                (["history", r#"{"limit":3}"#], Some(0)),
                (["maintenance", r#"{"on":false}"#], Some(0)),
                (["switch", r#"{"to":"peer"}"#], Some(0)),
                // The command ends with the negative status, or what a byte holds of it.
                (["history", r#"{"limit":"x"}"#], Some(256 - 2)),
                (["maintenance", "{}"], Some(256 - 2)),
                (["nonsense", "{}"], Some(256 - 3)),
            ] {
                let output = run(&[&["call", "gwha"][..], &arguments].concat());
                assert_eq!(output.code, code, "{arguments:?}: {}", output.text);
            }
        });
    });
}

#[test]
fn role_changes_are_told_to_listeners_and_subscribers() {
    in_namespace("node::role_changes_are_told_to_listeners_and_subscribers", || {
        at_each_bus(|bus| {
            let mut witness = Program::connected(&bus.socket());
            let listening = witness.connection.session().listen(0, "gwha");
            let following = witness.connection.session().follow(0, "gwha");
            witness.expect(Event::Registered(listening));
            witness.expect(Event::Gone(following));
            let _node = Node::start_with(bus, &configuration("device"), "");

            let mut roles = Vec::new();
            until(&mut [&mut witness], |all| {
                let heard = all[0].events.iter().filter_map(|event| match event {
                    Event::Heard(key, name, data) if *key == listening && name == "gwha" => Some(data),
                    _ => None,
                });
                roles = heard.map(|data| serde_json::from_str(&one(data)).unwrap()).collect();
                roles.iter().any(|event: &Value| event["to"] == "master")
            });

            let master = roles.iter().find(|event| event["to"] == "master").unwrap();
            assert_eq!(master["event"], "role");
            assert_eq!(master["group"], "gateway");
            assert!(master["from"] == "init" || master["from"] == "backup", "{master}");
            assert!(master["cause"].is_string() && master["epoch"].is_u64(), "{master}");
            let notified = |event: &Event| {
                matches!(event, Event::Notified(key, name, data)
                if *key == following && name == "role" && one(data).contains(r#""to":"master""#))
            };
            until(&mut [&mut witness], |all| all[0].events.iter().any(notified));
        });
    });
}

#[test]
fn bus_that_is_killed_during_calls_is_used_again_when_it_is_back() {
    in_namespace("node::bus_that_is_killed_during_calls_is_used_again_when_it_is_back", || {
        at_each_bus(|bus| {
            let node = Node::start(bus);
            let mut client = Program::connected(&bus.socket());
            let epoch = node.status()["groups"][0]["epoch"].clone();
            for _ in 0..5 {
                let deadline = client.now() + 3_000_000;
                for _ in 0..20 {
                    let session = client.connection.session();
                    session.call("gwha", "status", &Data::EMPTY, deadline).unwrap();
                    session.call("gwha", "switch", &Data::EMPTY, deadline).unwrap();
                }
                client.turn();
                bus.kill();
                let ended = |event: &&Event| matches!(event, Event::Reply(..));
                until(&mut [&mut client], |all| all[0].events.iter().filter(ended).count() == 40);
                client.take();
                bus.restart();
                until(&mut [&mut client], |all| all[0].connection.is_up());
                node.until(&mut client, |status| status["role"] == "master");
            }
            let status = node.status();
            assert_eq!(status["health"], "healthy", "{}", status["warnings"]);
            assert_eq!(status["groups"][0]["epoch"], epoch, "a role has changed");
        });
    });
}

#[test]
fn a_thousand_calls_leave_the_memory_as_it_was() {
    in_namespace("node::a_thousand_calls_leave_the_memory_as_it_was", || {
        at_each_bus(|bus| {
            let node = Node::start(bus);
            let mut client = Program::connected(&bus.socket());
            let mut calls = |count| (0..count).for_each(|_| assert!(status(&mut client).is_some()));
            calls(200);
            let (memory, work) = (resident(&node), work_done(&node));

            calls(1000);

            let (grown, work) = (resident(&node).saturating_sub(memory), work_done(&node) - work);
            // Also three adverts every 100 ms, and all that belongs to being awake.
            eprintln!("1000 calls of status: {grown} KiB more, {:?} of work each", work / 1000);
            assert!(grown <= 64, "{memory} KiB, and {grown} KiB more after 1000 calls");
            assert!(cfg!(debug_assertions) || work < Duration::from_secs(1), "{:?} each", work / 1000);
        });
    });
}

/// Memory that the daemon has, in KiB.
fn resident(node: &Node) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", node.child.id())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// CPU time that the daemon has had.
fn work_done(node: &Node) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{}/schedstat", node.child.id())).unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

#[test]
fn interface_is_the_device_that_netifd_says_and_else_that_of_the_file() {
    in_namespace("node::interface_is_the_device_that_netifd_says_and_else_that_of_the_file", || {
        at_each_bus(|bus| {
            let node = Node::start_with(bus, &configuration("interface"), NETWORK);
            let device = |node: &Node| node.status()["instances"][0]["device"].clone();
            wait_for(&node, |node| device(node) == "lan");

            // netifd comes, tells of a change, dies, and comes again.
            let (mut netifd, key) = netifd(bus, "other");
            until(&mut [&mut netifd], |_| device(&node) == "other");
            netifd.dump = interfaces("lan");
            netifd.connection.session().notify(key, "interface.update", &table("{}")).unwrap();
            until(&mut [&mut netifd], |_| device(&node) == "lan");
            drop(netifd);
            let (mut netifd, _) = self::netifd(bus, "other");
            until(&mut [&mut netifd], |_| device(&node) == "other");

            // The bus itself restarts.
            netifd.dump = interfaces("lan");
            bus.restart();
            until(&mut [&mut netifd], |_| device(&node) == "lan");
        });
    });
}

fn wait_for(node: &Node, is_so: impl Fn(&Node) -> bool) {
    let start = Instant::now();
    while !is_so(node) {
        assert!(start.elapsed() < LIMIT, "it does not come to that: {}", node.status());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A program that answers as netifd does, of this device.
fn netifd(bus: &Daemon, device: &str) -> (Program, Key) {
    let mut netifd = Program::connected(&bus.socket());
    netifd.dump = interfaces(device);
    let key = netifd.publish("network.interface");
    netifd.expect(Event::Registered(key));
    (netifd, key)
}

fn interfaces(device: &str) -> Data {
    table(&format!(
        r#"{{"interface":[{{"interface":"lan","up":true,"l3_device":"{device}","device":"{device}"}},
            {{"interface":"wan","up":false,"device":"other"}}]}}"#
    ))
}

#[test]
fn daemon_that_stands_idle_is_on_the_bus() {
    in_namespace("node::daemon_that_stands_idle_is_on_the_bus", || {
        at_each_bus(|bus| {
            // News of the devices would wake it: they are over when the second one starts.
            drop(Node::start_with(bus, "", ""));
            std::thread::sleep(Duration::from_secs(3));
            let node = Node::start_with(bus, "", "");
            let mut client = Program::connected(&node.socket);
            node.until(&mut client, |status| status["role"] == "init");
        });
    });
}

#[test]
fn name_that_is_taken_is_a_warning_and_ours_once_it_is_free() {
    in_namespace("node::name_that_is_taken_is_a_warning_and_ours_once_it_is_free", || {
        at_each_bus(|bus| {
            let (mut other, _) = Program::serving(&bus.socket(), "gwha");
            let node = Node::start_with(bus, &configuration("device"), "");
            let is_warned = |node: &Node| node.status()["warnings"].to_string().contains("a second gwha");
            until(&mut [&mut other], |_| is_warned(&node));
            drop(other);

            let mut client = Program::connected(&bus.socket());
            node.until(&mut client, |status| status["role"] == "master" && status["health"] == "healthy");
        });
    });
}

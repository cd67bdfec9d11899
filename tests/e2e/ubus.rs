//! A pair of gateways on message buses, and what buses and those on them must not do to it.
//!
//! The bus is the real ubusd where there is one, else the broker.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use gwha::ubus::message::Builder;
use gwha::ubus::session::Event;
use gwha::ubus::{Data, Kind, json};
use serde_json::Value;

use crate::daemon::{Daemon, kinds};
use crate::lab::gwha::Gwha;
use crate::lab::setup::Setup;
use crate::lab::topology::{Host, Segment};
use crate::lab::{Lab, holds_for, scenario, until};
use crate::program::{Program, until as run_until};

use super::hostile::keeps_its_schedule;
use super::support::{LIMIT, ms, until_holds, until_role};

fn bus() -> Daemon {
    Daemon::start(kinds()[0])
}

/// A and B on a bus each, with A serving.
fn pair(lab: &Lab, setup: &Setup, a: &Path, b: &Path) -> (Gwha, Gwha) {
    let (a, b) = (Gwha::start_on_bus(lab, Host::A, setup, a), Gwha::start_on_bus(lab, Host::B, setup, b));
    until_role(&a, "master");
    until_role(&b, "backup");
    until_holds(lab, Host::A, &setup.segments);
    (a, b)
}

fn value(data: &Data) -> Value {
    serde_json::from_str(&data.to_json(json::Layout::Compact).unwrap()).unwrap()
}

#[test]
fn switch_over_the_bus_is_answered_when_it_is_done() {
    scenario(|lab| {
        let (bus_a, bus_b) = (bus(), bus());
        let setup = Setup::reference(200);
        let (a, _b) = pair(lab, &setup, &bus_a.socket(), &bus_b.socket());
        let mut operator = Program::connected(&bus_a.socket());
        let mut witness = Program::connected(&bus_b.socket());
        let listening = witness.connection.session().listen(0, "gwha");
        witness.expect(Event::Registered(listening));

        let answers = operator.call(&mut [&mut witness], "gwha", "switch", &Data::EMPTY).unwrap();

        // B serves at this moment, and not only soon.
        assert_eq!(value(&answers[0])["done"], true, "{answers:?}");
        assert_eq!(a.role(), "backup");
        lab.until_serving(Host::B, LIMIT);
        let is_told = |event: &Event| {
            matches!(event, Event::Heard(key, name, data)
            if *key == listening && name == "gwha" && value(data)["to"] == "master")
        };
        run_until(&mut [&mut witness], |all| all[0].events.iter().any(is_told));

        // Refused with a reason: nobody is there any more.
        witness.take();
        lab.silence(Host::A);
        run_until(&mut [&mut witness], |_| lab.holders(Segment::Lan).contains(&Host::B));
        let mut operator = Program::connected(&bus_b.socket());
        let answers = operator.call(&mut [], "gwha", "switch", &Data::EMPTY).unwrap();
        let answer = value(&answers[0]);
        assert_eq!(answer["done"], false);
        assert!(answer["error"].is_string(), "{answer}");
    });
}

#[test]
fn clients_that_flood_and_never_read_delay_no_advert() {
    scenario(|lab| {
        let (bus_a, bus_b) = (bus(), bus());
        let setup = Setup::lan(500);
        let (mut a, b) = pair(lab, &setup, &bus_a.socket(), &bus_b.socket());
        let epochs = (a.epoch(), b.epoch());
        let over = AtomicBool::new(false);
        let start = Instant::now();

        let sent: usize = thread::scope(|scope| {
            let floods = [(); 3].map(|()| scope.spawn(|| flood(&bus_a.socket(), &over)));
            thread::sleep(ms(5000));
            keeps_its_schedule(lab, &setup, start);
            over.store(true, Ordering::Relaxed);
            floods.into_iter().map(|flood| flood.join().unwrap()).sum()
        });

        eprintln!("{sent} calls in {:?}", start.elapsed());
        assert!(sent > 10_000, "{sent} calls are no flood");
        assert_eq!((a.epoch(), b.epoch()), epochs, "a role has changed");
        assert!(lab.watch.since(start).is_empty(), "addresses have moved: {:?}", lab.watch.since(start));
        assert!(a.daemon.is_running());
        let mut client = Program::connected(&bus_a.socket());
        until("the others are served again", LIMIT, || {
            client.call(&mut [], "gwha", "status", &Data::EMPTY).is_ok()
        });
    });
}

/// Calls `status` as fast as the bus takes it, and reads nothing. Returns how often.
fn flood(socket: &Path, over: &AtomicBool) -> usize {
    let mut finder = Program::connected(socket);
    let request = finder.connection.session().lookup("gwha", u64::MAX).unwrap();
    run_until(&mut [&mut finder], |all| !all[0].events.is_empty());
    let [Event::Found(found, Ok(objects))] = &finder.take()[..] else { panic!("no gwha") };
    assert_eq!(*found, request);
    let id = objects[0].id;
    let call = |seq: usize| {
        let message = Builder::new(Kind::Invoke, seq as u16, id).object(id).method("status");
        message.data(&Data::EMPTY).finish().unwrap()
    };
    let calls: Vec<u8> = (0..100).flat_map(call).collect();
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_write_timeout(Some(ms(100))).unwrap();
    stream.read_exact(&mut [0; 12]).unwrap();
    let mut bytes = 0;
    while !over.load(Ordering::Relaxed) {
        let at = bytes % calls.len();
        bytes += stream.write(&calls[at..]).unwrap_or(0);
    }
    bytes / (calls.len() / 100)
}

#[test]
fn roles_are_decided_as_ever_on_a_bus() {
    scenario(|lab| {
        let bus = bus();
        story(lab, &bus.socket());
    });
}

#[test]
fn roles_are_decided_as_ever_where_no_bus_is() {
    scenario(|lab| story(lab, &lab.dir.join("no.sock")));
}

#[test]
fn roles_are_decided_as_ever_on_a_bus_that_greets_and_then_sleeps() {
    scenario(|lab| {
        let socket = lab.dir.join("ubus.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        thread::spawn(move || {
            let mut streams = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                stream.write_all(&Builder::new(Kind::Hello, 0, 4711).finish().unwrap()).unwrap();
                streams.push(stream);
            }
        });
        story(lab, &socket);
    });
}

#[test]
fn roles_are_decided_as_ever_on_a_bus_that_restarts_every_second() {
    scenario(|lab| {
        let mut bus = bus();
        let socket = bus.socket();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    thread::sleep(ms(1000));
                    bus.restart();
                }
            });
            let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| story(lab, &socket)));
            over.store(true, Ordering::Relaxed);
            told.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
    });
}

/// A pair at rest, a switch there and back, a crash, a return: the same with any bus.
fn story(lab: &Lab, socket: &Path) {
    // Slow enough that a busy machine moves nothing.
    let setup = Setup { preempt_delay_s: 1.0, ..Setup::lan(1000) };
    let (mut a, b) = pair(lab, &setup, socket, &lab.dir.join("none.sock"));
    let before = [changes(&a).len(), changes(&b).len()];
    let start = Instant::now();
    holds_for("A serves", ms(4000), || lab.holders(Segment::Lan) == [Host::A]);
    keeps_its_schedule(lab, &setup, start);

    assert!(a.cli(&["switch"]).status.success());
    until_holds(lab, Host::B, &setup.segments);
    assert!(b.cli(&["switch"]).status.success());
    until_holds(lab, Host::A, &setup.segments);
    a.daemon.kill();
    until("B serves too", LIMIT, || lab.holders(Segment::Lan).contains(&Host::B));
    a.restart();
    until_holds(lab, Host::A, &setup.segments);
    until_role(&b, "backup");

    // B never had a bus, and misses none.
    assert!(!b.at("/warnings").to_string().contains("ubus"), "{}", b.at("/warnings"));
    // The history lasts over the crash.
    let expected_a = ["master-backup", "backup-master", "init-backup", "backup-master"];
    let expected_b = ["backup-master", "master-backup", "backup-master", "master-backup"];
    assert_eq!(changes(&a)[before[0]..], expected_a);
    assert_eq!(changes(&b)[before[1]..], expected_b);
}

/// The role changes in a node's history.
fn changes(node: &Gwha) -> Vec<String> {
    let output = node.cli(&["history", "--json", "--limit", "100"]);
    let history: Value = serde_json::from_slice(&output.stdout).unwrap();
    let events = history["events"].as_array().unwrap().iter().filter(|event| event["event"] == "role");
    let word = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
    events.map(|event| word(event, "from") + "-" + &word(event, "to")).collect()
}

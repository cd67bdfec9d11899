use std::io::Write as _;
use std::os::unix::net::{UnixListener, UnixStream};

use tempfile::TempDir;

use crate::ubus::Kind;
use crate::ubus::message::Builder;

use super::*;

/// A bus of which the test plays the ubusd.
struct Bench {
    directory: TempDir,
    bus: Bus,
    poller: Poller,
}

impl Bench {
    fn new() -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let bus = Bus::new(&[directory.path().join("ubus.sock")], at(0));
        Bench { directory, bus, poller: Poller::new().unwrap() }
    }

    fn listen(&self) -> UnixListener {
        let path = self.directory.path().join("ubus.sock");
        let _ = std::fs::remove_file(&path);
        UnixListener::bind(path).unwrap()
    }

    fn drive(&mut self, millis: u64) {
        self.bus.drive(at(millis), &mut self.poller);
        self.bus.sort_events(at(millis));
        self.bus.flush(&mut self.poller);
    }

    /// Accepts and greets.
    fn greet(&mut self, listener: &UnixListener, millis: u64) -> UnixStream {
        self.drive(millis);
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&Builder::new(Kind::Hello, 0, 7).finish().unwrap()).unwrap();
        self.drive(millis);
        stream
    }

    fn ended(&mut self) -> Vec<(CallId, Result<Data, CallError>)> {
        self.bus.ended.drain(..).collect()
    }
}

fn at(millis: u64) -> Instant {
    Instant::from_micros(1_000_000 + millis * 1000)
}

#[test]
fn call_ends_exactly_once_whatever_happens() {
    let mut bench = Bench::new();
    let request = netifd::up("wan");

    let id = bench.bus.invoke(&request, at(1000));
    assert_eq!(bench.bus.next_deadline(), Some(AT_ONCE), "told in the next turn, not at once");
    assert_eq!(bench.ended(), [(id, Err(CallError::Disconnected))]);

    let listener = bench.listen();
    let stream = bench.greet(&listener, 1000);
    let id = bench.bus.invoke(&request, at(2000));
    bench.drive(1500);
    assert_eq!(bench.ended(), []);
    bench.drive(2000);
    assert_eq!(bench.ended(), [(id, Err(CallError::Deadline))]);

    let id = bench.bus.invoke(&request, at(9000));
    drop(stream);
    bench.drive(2100);
    assert_eq!(bench.ended(), [(id, Err(CallError::Disconnected))]);
    assert!(bench.bus.link.as_ref().unwrap().open.is_empty());

    let long = Request { arguments: Data::from_bytes(vec![0; 2 << 20]), ..request };
    bench.greet(&listener, 4000);
    let id = bench.bus.invoke(&long, at(5000));
    bench.drive(5000);
    assert_eq!(bench.ended().len(), 1, "{id:?}");
}

#[test]
fn daemon_that_stays_away_from_the_bus_can_ask_and_publish_all_the_same() {
    let mut bus = Bus::new(&[], at(0));
    assert_eq!(bus.next_deadline(), None);

    let id = bus.invoke(&netifd::up("wan"), at(1000));
    bus.publish(&Happening::default());

    assert_eq!(bus.ended.pop(), Some((id, Err(CallError::Disconnected))));
    assert_eq!(bus.trouble(true, at(1_000_000)), None);
}

#[test]
fn reconnecting_leaves_nothing_behind_in_the_poller() {
    let mut bench = Bench::new();
    for turn in 0..20 {
        let listener = bench.listen();
        let stream = bench.greet(&listener, turn * 10_000);
        assert!(bench.bus.link.as_ref().unwrap().watched.is_some());
        assert!(bench.poller.ready_now().unwrap().is_empty());
        drop((stream, listener));
        assert_eq!(bench.poller.ready_now().unwrap(), [Source::Bus]);
        bench.drive(turn * 10_000 + 5000);
        assert_eq!(bench.bus.link.as_ref().unwrap().watched, None);
    }
    assert!(bench.poller.ready_now().unwrap().is_empty());
    assert_eq!(bench.poller.watched(), 0);
}

#[test]
fn missing_bus_is_trouble_only_where_there_should_be_one() {
    let mut bench = Bench::new();
    bench.drive(60_000);
    assert_eq!(bench.bus.trouble(false, at(60_000)), None, "a system without ubus");
    assert_eq!(bench.bus.trouble(true, at(9_000)), None, "booting");
    assert!(bench.bus.trouble(true, at(60_000)).unwrap().contains("No such file"));

    let listener = bench.listen();
    let stream = bench.greet(&listener, 70_000);
    assert_eq!(bench.bus.trouble(false, at(70_000)), None);
    drop((stream, listener));
    bench.drive(80_000);
    assert_eq!(bench.bus.trouble(false, at(85_000)), None, "it restarts");
    assert!(bench.bus.trouble(false, at(90_000)).unwrap().contains("no connection to ubus"));
}

#[test]
fn flood_of_calls_is_carried_out_one_in_a_turn() {
    let mut bench = Bench::new();
    let listener = bench.listen();
    let mut stream = bench.greet(&listener, 0);
    register(&mut bench, &mut stream, 555);
    // In one piece: the kernel lets only some hundred small ones wait.
    stream.write_all(&(0..1000).flat_map(|seq| call_of_status(seq, 555)).collect::<Vec<u8>>()).unwrap();
    bench.drive(20);

    // The session lets sixteen of one caller wait; to the others it has said no.
    assert_eq!(bench.bus.next_deadline(), Some(AT_ONCE));
    let mut carried_out = 0;
    while let Some(call) = bench.bus.next_call() {
        bench.bus.answer(call.id, &Ok(Data::EMPTY));
        carried_out += 1;
    }
    assert_eq!(carried_out, 16);
}

/// Plays ubusd's part in the publication of the object.
fn register(bench: &mut Bench, stream: &mut UnixStream, id: u32) {
    for message in
        [Builder::new(Kind::Data, 1, 0).object(id), Builder::new(Kind::Status, 1, 0).status(Status::Ok)]
    {
        stream.write_all(&message.finish().unwrap()).unwrap();
    }
    bench.drive(10);
    assert_eq!(bench.bus.link.as_ref().unwrap().refused, None);
}

fn call_of_status(seq: u16, object: u32) -> Vec<u8> {
    let call = Builder::new(Kind::Invoke, seq, 99).object(object).method("status").data(&Data::EMPTY);
    call.finish().unwrap()
}

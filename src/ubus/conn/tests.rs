use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::super::message::Builder;
use super::super::{Data, Kind};
use super::*;

/// A socket on which the test plays ubusd.
struct Bench {
    directory: TempDir,
    connection: Connection,
    events: Vec<Event>,
    now: u64,
}

impl Bench {
    fn new() -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let connection = Connection::new([directory.path().join("ubus.sock")]);
        Bench { directory, connection, events: Vec::new(), now: 0 }
    }

    fn listen(&self) -> UnixListener {
        UnixListener::bind(self.directory.path().join("ubus.sock")).unwrap()
    }

    fn drive(&mut self) -> Vec<Event> {
        self.connection.drive(self.now, &mut self.events);
        core::mem::take(&mut self.events)
    }

    /// A connection that was greeted, and ubusd's end of it.
    fn up() -> (Bench, UnixListener, UnixStream) {
        let mut bench = Bench::new();
        let listener = bench.listen();
        assert_eq!(bench.drive(), []);
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&hello()).unwrap();
        assert_eq!(bench.drive(), [Event::Connected]);
        assert!(bench.connection.is_up());
        (bench, listener, stream)
    }
}

fn hello() -> Vec<u8> {
    Builder::new(Kind::Hello, 0, 5).finish().unwrap()
}

#[test]
fn a_missing_ubusd_is_tried_again_with_growing_delays() {
    let mut bench = Bench::new();
    let mut delays = Vec::new();
    for _ in 0..9 {
        bench.drive();
        assert_eq!(bench.connection.down(), Some(Down::System(Errno::ENOENT)));
        let next = bench.connection.next_deadline().unwrap();
        delays.push((next - bench.now) / 1000);
        bench.now = next;
    }
    assert_eq!(delays, [50, 100, 200, 400, 800, 1600, 3200, 3200, 3200]);

    let _listener = bench.listen();
    bench.now -= 1;
    bench.drive();
    assert!(bench.connection.fd().is_none(), "not before its time");
    bench.now += 1;
    bench.drive();
    assert!(bench.connection.fd().is_some());
}

#[test]
fn the_end_of_the_connection_is_noticed_and_a_new_one_made() {
    let (mut bench, listener, stream) = Bench::up();
    let generation = bench.connection.generation();

    drop(stream);
    assert_eq!(bench.drive(), [Event::Disconnected]);
    assert_eq!(bench.connection.down(), Some(Down::Closed));
    assert_eq!(bench.connection.next_deadline(), Some(50_000));
    assert_ne!(bench.connection.generation(), generation);

    bench.now = 50_000;
    bench.drive();
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(&hello()).unwrap();
    assert_eq!(bench.drive(), [Event::Connected]);
    assert_eq!(bench.connection.down(), None);
}

#[test]
fn a_ubusd_that_closes_at_once_is_not_stormed() {
    let mut bench = Bench::new();
    let listener = bench.listen();
    for delay in [50_000, 100_000, 200_000] {
        bench.drive();
        drop(listener.accept().unwrap());
        assert_eq!(bench.drive(), []);
        assert_eq!(bench.connection.down(), Some(Down::Closed));
        assert_eq!(bench.connection.next_deadline(), Some(bench.now + delay));
        bench.now += delay;
    }
}

#[test]
fn a_ubusd_that_does_not_greet_is_left() {
    let mut bench = Bench::new();
    let _listener = bench.listen();
    bench.drive();
    bench.now = bench.connection.next_deadline().unwrap();
    bench.drive();
    assert_eq!(bench.connection.down(), Some(Down::Violation(Violation::Silence)));
    assert!(bench.connection.fd().is_none());
}

#[test]
fn garbage_ends_the_connection() {
    let (mut bench, _listener, mut stream) = Bench::up();
    stream.write_all(&[0xff; 20]).unwrap();
    assert_eq!(bench.drive(), [Event::Disconnected]);
    assert!(matches!(bench.connection.down(), Some(Down::Violation(Violation::Frame(_)))));
}

#[test]
fn connecting_never_blocks_on_a_stopped_ubusd() {
    let bench = Bench::new();
    let _listener = bench.listen();
    let path = bench.directory.path().join("ubus.sock");
    let mut waiting = Vec::new();
    let start = Instant::now();
    let refused = loop {
        let mut connection = Connection::new([&path]);
        connection.drive(0, &mut Vec::new());
        if connection.fd().is_none() {
            break connection;
        }
        waiting.push(connection);
        assert!(waiting.len() < 10_000, "the queue of the listener has an end");
    };
    assert_eq!(refused.down(), Some(Down::System(Errno::EAGAIN)));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn writing_never_blocks_on_a_ubusd_that_does_not_read() {
    let (mut bench, _listener, mut stream) = Bench::up();
    let large = Data::from_bytes(vec![0; 900_000]);
    let sent = (0..10).filter(|_| bench.connection.session().send_event("x", &large).is_ok()).count();
    assert_eq!(sent, 2);
    bench.connection.flush();
    assert_eq!(bench.connection.interest(), Interest::ReadWrite);
    assert_eq!(bench.drive(), []);

    stream.set_nonblocking(true).unwrap();
    let mut received = 0;
    let mut buffer = vec![0; 100_000];
    for _ in 0..1000 {
        received += stream.read(&mut buffer).unwrap_or_default();
        bench.drive();
    }
    assert!(received > 2 * 900_000);
    assert_eq!(bench.connection.interest(), Interest::Read);
}

#[test]
fn a_flood_is_read_in_portions() {
    let (mut bench, _listener, stream) = Bench::up();
    stream.set_nonblocking(true).unwrap();
    let ping = Builder::new(Kind::Ping, 0, 0).finish().unwrap();
    let flood = ping.repeat(16 * 1024 / ping.len());
    let mut offered = 0;
    while let Ok(count) = (&stream).write(&flood) {
        offered += count;
    }
    assert!(offered > 65536);

    bench.drive();

    // What was read has made room for as much, and no more.
    let mut room = 0;
    while let Ok(count) = (&stream).write(&flood) {
        room += count;
    }
    assert!(room <= 2 * 65536, "{room}");
    assert!(room > 0);
}

#[test]
fn bytes_that_came_before_the_end_are_heeded() {
    let mut bench = Bench::new();
    let listener = bench.listen();
    bench.drive();
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(&hello()).unwrap();
    drop(stream);
    assert_eq!(bench.drive(), [Event::Connected, Event::Disconnected]);
}

#[test]
fn the_first_socket_that_answers_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let [missing, dead, good] = ["missing", "dead", "good"].map(|name| directory.path().join(name));
    drop(UnixListener::bind(&dead).unwrap());
    let mut events = Vec::new();
    let mut connection = Connection::new([&missing, &dead, &good]);
    connection.drive(0, &mut events);
    assert_eq!(connection.down(), Some(Down::System(Errno::ECONNREFUSED)), "not that one is missing");

    let listener = UnixListener::bind(&good).unwrap();
    connection.drive(FIRST_DELAY_US, &mut events);

    assert!(connection.fd().is_some());
    listener.accept().unwrap();
}

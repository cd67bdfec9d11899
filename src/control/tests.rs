use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::daemon::poller::{Poller, Source};
use crate::engine::Instant;
use crate::limits;
use crate::ubus::{Data, Table};

use super::server::{Request, Server};
use super::{Answer, Failure, client, frame};

/// A server in the hand of the test: turns are made one by one.
struct Lab {
    _dir: tempfile::TempDir,
    path: PathBuf,
    poller: Poller,
    server: Server,
    now: Instant,
}

impl Lab {
    fn new() -> Lab {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let mut poller = Poller::new().unwrap();
        let server = Server::open(&path, &mut poller).unwrap();
        Lab { _dir: dir, path, poller, server, now: Instant::from_micros(1_000_000) }
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// One turn of a loop in which something is ready: returns the requests.
    fn turn(&mut self) -> Vec<Request> {
        let ready = self.poller.wait().unwrap();
        let mut requests = Vec::new();
        for source in ready {
            match source {
                Source::Control => self.server.accept(self.now, &mut self.poller),
                Source::Client(slot) => {
                    requests.extend(self.server.serve(slot, self.now, &mut self.poller));
                }
                other => panic!("{other:?} was never added"),
            }
        }
        requests
    }

    fn request(&mut self) -> Request {
        for _ in 0..100 {
            if let Some(request) = self.turn().pop() {
                return request;
            }
        }
        panic!("no request in 100 turns");
    }

    fn answer(&mut self, request: &Request, answer: &Answer) {
        self.server.answer(request.client, answer, self.now, &mut self.poller);
    }

    fn clients(&self) -> usize {
        usize::from(self.server.next_deadline().is_some())
    }
}

fn table(text: &str) -> Data {
    Data::encode(&Table::default().with("text", text)).unwrap()
}

#[test]
fn request_reaches_the_daemon_and_its_answer_comes_back() {
    let mut lab = Lab::new();
    let path = lab.path.clone();
    let caller =
        thread::spawn(move || client::call(&path, "switch", &table("to"), Duration::from_secs(10)).unwrap());

    let request = lab.request();
    assert_eq!(request.method, "switch");
    assert_eq!(request.arguments, table("to"));
    lab.answer(&request, &Ok(table("done")));

    assert_eq!(caller.join().unwrap(), table("done"));
}

#[test]
fn failure_comes_back_as_text() {
    let mut lab = Lab::new();
    let path = lab.path.clone();
    let caller = thread::spawn(move || client::call(&path, "x", &Data::EMPTY, Duration::from_secs(10)));

    let request = lab.request();
    lab.answer(&request, &Err(Failure::UnknownMethod));

    assert_eq!(caller.join().unwrap().unwrap_err().to_string(), "no such method");
}

#[test]
fn socket_is_for_its_owner_only() {
    let lab = Lab::new();
    let mode = std::fs::metadata(&lab.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn missing_daemon_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let absent = client::call(&path, "status", &Data::EMPTY, Duration::from_secs(1)).unwrap_err();
    assert!(matches!(absent, client::Error::NotRunning));

    // What a killed daemon leaves behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let dead = client::call(&path, "status", &Data::EMPTY, Duration::from_secs(1)).unwrap_err();
    assert!(matches!(dead, client::Error::NotRunning));

    let mut poller = Poller::new().unwrap();
    let _server = Server::open(&path, &mut poller).unwrap();
    let silent = client::call(&path, "status", &Data::EMPTY, Duration::from_millis(50)).unwrap_err();
    assert!(matches!(silent, client::Error::NoAnswer), "{silent}");
}

#[test]
fn client_that_never_reads_costs_one_answer_and_then_its_place() {
    let mut lab = Lab::new();
    let mut stream = lab.connect();
    stream.write_all(&frame::request("status", &Data::EMPTY).unwrap()).unwrap();
    let request = lab.request();

    // Returns although the socket's buffer is far too small.
    lab.answer(&request, &Ok(table(&"x".repeat(900_000))));

    assert_eq!(lab.clients(), 1);
    lab.now = lab.now.after(limits::CLIENT_PATIENCE);
    lab.server.expire(lab.now, &mut lab.poller);
    assert_eq!(lab.clients(), 0);
}

#[test]
fn slow_reader_gets_a_long_answer_whole() {
    let mut lab = Lab::new();
    let mut stream = lab.connect();
    stream.write_all(&frame::request("status", &Data::EMPTY).unwrap()).unwrap();
    let request = lab.request();
    let answer = Ok(table(&"x".repeat(900_000)));
    lab.answer(&request, &answer);
    let expected = frame::answer(&answer);
    let reader = thread::spawn(move || {
        let mut bytes = vec![0; expected.len()];
        stream.read_exact(&mut bytes).unwrap();
        assert!(bytes == expected);
    });

    // The last turn finds the connection closed.
    while lab.clients() > 0 {
        lab.turn();
    }

    reader.join().unwrap();
}

#[test]
fn hostile_clients_are_dropped_at_once() {
    let too_long = u32::try_from(limits::REQUEST_BYTES + 1).unwrap().to_be_bytes().to_vec();
    let request = frame::request("status", &Data::EMPTY).unwrap();
    let cases: [(&str, Vec<u8>); 6] = [
        ("a length beyond the limit", too_long),
        ("a length of four gigabytes", vec![0xff; 4]),
        ("an empty request", vec![0; 4]),
        ("a name longer than the request", vec![0, 0, 0, 2, 9, b'x']),
        ("a name that is no text", vec![0, 0, 0, 2, 1, 0xff]),
        ("a second request behind the first", request.repeat(2)),
    ];
    for (name, bytes) in cases {
        let mut lab = Lab::new();
        let mut stream = lab.connect();
        stream.write_all(&bytes).unwrap();
        lab.turn();

        assert!(lab.turn().is_empty(), "{name}");

        assert_eq!(lab.clients(), 0, "{name}");
        assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0, "{name}");
    }
}

#[test]
fn flood_without_end_is_cut_off() {
    let mut lab = Lab::new();
    let mut stream = lab.connect();
    stream.set_nonblocking(true).unwrap();
    let mut flood = vec![0; 4096];
    flood[2] = 0x1f;
    let mut turns = 0;
    while stream.write(&flood).is_ok() || turns < 2 {
        assert!(lab.turn().is_empty());
        turns += 1;
        assert!(turns < 20, "still connected");
    }
}

#[test]
fn silent_client_loses_its_place_and_a_waiting_one_keeps_it() {
    let mut lab = Lab::new();
    let _silent = lab.connect();
    lab.turn();
    let mut waiting = lab.connect();
    waiting.write_all(&frame::request("switch", &Data::EMPTY).unwrap()).unwrap();
    let request = lab.request();

    lab.now = lab.now.after(Duration::from_secs(100));
    lab.server.expire(lab.now, &mut lab.poller);

    lab.answer(&request, &Ok(table("done")));
    let mut bytes = vec![0; frame::answer(&Ok(table("done"))).len()];
    waiting.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, frame::answer(&Ok(table("done"))));
}

#[test]
fn answer_for_a_client_that_left_does_not_reach_its_successor() {
    let mut lab = Lab::new();
    let mut first = lab.connect();
    first.write_all(&frame::request("switch", &Data::EMPTY).unwrap()).unwrap();
    let request = lab.request();
    drop(first);
    lab.turn();
    let mut second = lab.connect();
    lab.turn();

    lab.answer(&request, &Ok(table("secret")));

    second.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(second.read(&mut [0; 16]).is_err());
}

#[test]
fn one_client_too_many_is_told_so() {
    let mut lab = Lab::new();
    let mut streams = Vec::new();
    for _ in 0..limits::CONTROL_CLIENTS {
        streams.push(lab.connect());
        lab.turn();
    }
    let path = lab.path.clone();
    let caller = thread::spawn(move || client::call(&path, "status", &Data::EMPTY, Duration::from_secs(10)));

    lab.turn();

    assert_eq!(caller.join().unwrap().unwrap_err().to_string(), "too many requests at once");
}

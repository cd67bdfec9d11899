//! TCP connections between the LAN and the outside world that have to survive.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::topology::{Host, OUTSIDE};
use crate::lab::until;

/// Which way the data flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the world.
    Upload,
    /// From the world to the client.
    Download,
}

/// A connection with data every 10 ms in one direction.
pub struct Stream {
    pub direction: Direction,
    received: Arc<AtomicUsize>,
    broken: Arc<Mutex<Option<String>>>,
    stop: Arc<AtomicBool>,
}

impl Stream {
    /// Connects `client` to the world outside.
    pub fn start(client: Host, direction: Direction) -> Stream {
        let listener = Host::Carrier
            .netns()
            .enter(|| TcpListener::bind(SocketAddr::new(OUTSIDE, 0)).expect("the outside server can listen"));
        let server = listener.local_addr().expect("a listener has an address");
        let near = client.netns().enter(move || {
            TcpStream::connect_timeout(&server, Duration::from_secs(10)).expect("the world can be reached")
        });
        let (far, _) = listener.accept().expect("the connection arrives");
        let (source, sink) = match direction {
            Direction::Upload => (near, far),
            Direction::Download => (far, near),
        };
        let stream =
            Stream { direction, received: Arc::default(), broken: Arc::default(), stop: Arc::default() };
        stream.feed(source);
        stream.drain(sink);
        stream.until_flowing(Duration::from_secs(5));
        stream
    }

    fn feed(&self, mut source: TcpStream) {
        let (broken, stop) = (Arc::clone(&self.broken), Arc::clone(&self.stop));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                if let Err(error) = source.write_all(&[0; 200]) {
                    broken.lock().expect("nobody panics with it").get_or_insert(format!("sending: {error}"));
                    return;
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
    }

    fn drain(&self, mut sink: TcpStream) {
        let (received, broken) = (Arc::clone(&self.received), Arc::clone(&self.broken));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                match sink.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(length) => {
                        received.fetch_add(length, Ordering::Relaxed);
                    }
                    Err(error) => {
                        broken
                            .lock()
                            .expect("nobody panics with it")
                            .get_or_insert(format!("receiving: {error}"));
                        return;
                    }
                }
            }
        });
    }

    /// Waits until data arrives again, and tells how long that took.
    #[track_caller]
    pub fn until_flowing(&self, limit: Duration) -> Duration {
        let start = Instant::now();
        let before = self.received.load(Ordering::Relaxed);
        until(&format!("the {:?} flows", self.direction), limit, || {
            self.assert_whole();
            self.received.load(Ordering::Relaxed) > before + 1000
        });
        start.elapsed()
    }

    /// The connection was never refused or reset.
    #[track_caller]
    pub fn assert_whole(&self) {
        let broken = self.broken.lock().expect("nobody panics with it").clone();
        assert_eq!(broken, None, "the {:?} has ended", self.direction);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Asks a DNS server for the address of `router.test`; whether there was an answer.
pub fn resolves(client: Host, server: Ipv4Addr) -> bool {
    client.netns().enter(move || {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket can be had");
        socket.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout can be set");
        let question =
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06router\x04test\x00\x00\x01\x00\x01";
        let mut answer = [0; 512];
        socket.send_to(question, (server, 53)).is_ok()
            && socket.recv(&mut answer).is_ok_and(|length| length > 30)
    })
}

//! A small ubusd for tests: [`Bus`] on a socket, in a thread of its own.

mod bus;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::{Gid, Group, Uid, User};

pub use bus::Bus;

/// A running bus; it ends, with all its connections, when this is dropped.
pub struct Broker {
    path: PathBuf,
    /// Closing this end tells the thread to stop.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    /// Listens at `path`, which is removed first, as ubusd does.
    pub fn start(path: &Path) -> Broker {
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path).expect("a socket for the broker");
        listener.set_nonblocking(true).expect("a non-blocking socket");
        let (stop, stopped) = UnixStream::pair().expect("a pair of sockets");
        let thread = std::thread::spawn(move || Server::new(listener, stopped).run());
        Broker { path: path.to_owned(), stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

struct Server {
    listener: UnixListener,
    stopped: UnixStream,
    bus: Bus,
    streams: BTreeMap<u32, UnixStream>,
}

impl Server {
    fn new(listener: UnixListener, stopped: UnixStream) -> Server {
        Server { listener, stopped, bus: Bus::default(), streams: BTreeMap::new() }
    }

    fn run(mut self) {
        loop {
            let (stop, connection, ready) = self.wait();
            if stop {
                return;
            }
            if connection {
                self.accept();
            }
            for client in ready {
                if self.read(client).is_err() {
                    self.drop_client(client);
                }
            }
            self.write();
        }
    }

    /// Waits until something can be done: to stop, to accept, to read or write these clients.
    fn wait(&mut self) -> (bool, bool, Vec<u32>) {
        let mut fds = vec![
            PollFd::new(self.stopped.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
        ];
        for (client, stream) in &self.streams {
            let mut flags = PollFlags::POLLIN;
            if self.bus.pending(*client) {
                flags |= PollFlags::POLLOUT;
            }
            fds.push(PollFd::new(stream.as_fd(), flags));
        }
        poll(&mut fds, PollTimeout::NONE).expect("poll");
        let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(true));
        let stop = ready.next() == Some(true);
        let connection = ready.next() == Some(true);
        let clients = self.streams.keys().zip(ready).filter(|(_, ready)| *ready).map(|(client, _)| *client);
        (stop, connection, clients.collect())
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            // ubusd closes the connection of a user or group without a name.
            if let Some((user, group)) = names(&stream)
                && stream.set_nonblocking(true).is_ok()
            {
                let client = self.bus.connect(&user, &group);
                self.streams.insert(client, stream);
            }
        }
    }

    fn read(&mut self, client: u32) -> Result<(), ()> {
        let mut buffer = [0; 4096];
        let Some(mut stream) = self.streams.get(&client) else { return Ok(()) };
        match stream.read(&mut buffer) {
            Ok(0) => Err(()),
            Ok(count) => self.bus.receive(client, &buffer[..count]).map_err(|_| ()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(_) => Err(()),
        }
    }

    /// Sends as much as every client takes.
    fn write(&mut self) {
        let mut broken = Vec::new();
        for (client, mut stream) in &self.streams {
            let sent = self.bus.transmit(*client, |bytes| match stream.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
                result => result,
            });
            if sent.is_err() {
                broken.push(*client);
            }
        }
        for client in broken {
            self.drop_client(client);
        }
    }

    fn drop_client(&mut self, client: u32) {
        self.streams.remove(&client);
        self.bus.disconnect(client);
    }
}

fn names(stream: &UnixStream) -> Option<(String, String)> {
    let peer = getsockopt(stream, PeerCredentials).ok()?;
    let user = User::from_uid(Uid::from_raw(peer.uid())).ok()??;
    let group = Group::from_gid(Gid::from_raw(peer.gid())).ok()??;
    Some((user.name, group.name))
}

//! The least that a program can do for three virtual routers: what the kernel takes for the packets alone.
//!
//! The master waits for the next interval and sends three packets of an advert's size, the backup waits for packets and
//! reads them. Neither looks at anything. What gwha or keepalived cost above that is theirs.

use std::io::{ErrorKind, Read as _};
use std::process::exit;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::net::{IpAddr, SocketAddr};

use crate::lab::Lab;
use crate::lab::process::Daemon;
use crate::lab::topology::{Host, Segment};

/// The word on the command line of the measuring program that makes it this one.
pub const WORD: &str = "bare";

/// Starts it on `host`: A sends, B reads.
pub fn start(lab: &Lab, host: Host, interval: Duration) -> Daemon {
    let program = std::env::current_exe().expect("a program knows its file");
    let mut command = host.netns().command(program.to_str().expect("cargo's names are plain"));
    command.args([WORD, if host == Host::A { "send" } else { "read" }, &interval.as_millis().to_string()]);
    Daemon::start(command, &lab.dir.join(format!("{host}.bare.log")))
}

/// Is that program, until it is killed.
pub fn run(role: &str, interval_ms: &str) -> ! {
    let interval = Duration::from_millis(interval_ms.parse().expect("an interval in milliseconds"));
    let peer = if role == "send" { Host::B } else { Host::A };
    let sockets = Segment::ALL.map(|segment| socket(segment, peer));
    match role {
        "send" => send(&sockets, interval),
        _ => read(&sockets),
    }
}

fn socket(segment: Segment, peer: Host) -> Socket {
    let socket =
        Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112))).expect("root may have raw sockets");
    socket.bind_device(Some(segment.name().as_bytes())).expect("the device is there");
    let address = SocketAddr::new(IpAddr::V4(peer.address(segment)), 0);
    socket.connect(&SockAddr::from(address)).expect("the peer's network is there");
    socket.set_nonblocking(true).expect("any socket can be non-blocking");
    socket
}

fn send(sockets: &[Socket], interval: Duration) -> ! {
    let timer = TimerFd::new(ClockId::CLOCK_BOOTTIME, TimerFlags::empty()).expect("a timer");
    timer.set(Expiration::Interval(interval.into()), TimerSetTimeFlags::empty()).expect("an interval");
    loop {
        timer.wait().expect("a timer can be waited for");
        for socket in sockets {
            // Until the other router is there, nobody answers for its address.
            let _ = socket.send(&[0x31; 12]);
        }
    }
}

fn read(sockets: &[Socket]) -> ! {
    let epoll = Epoll::new(EpollCreateFlags::empty()).expect("an epoll");
    for (token, socket) in (0..).zip(sockets) {
        epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, token)).expect("a socket can be watched");
    }
    let mut events = [EpollEvent::empty(); 3];
    loop {
        let count = epoll.wait(&mut events, EpollTimeout::NONE).unwrap_or(0);
        for event in &events[..count] {
            let mut buffer = [0; 64];
            match usize::try_from(event.data())
                .ok()
                .and_then(|token| sockets.get(token))
                .map(|mut it| it.read(&mut buffer))
            {
                Some(Err(error)) if error.kind() != ErrorKind::WouldBlock => exit(1),
                _ => {}
            }
        }
    }
}

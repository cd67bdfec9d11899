//! A stream of pings that shows, probe by probe, whether a service was there.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

use super::topology::Host;
use super::wait::until;

/// An unanswered probe is taken for lost once it is this old. Answers that come later still count.
const PATIENCE: Duration = Duration::from_millis(200);

/// A probe answered later than this was held up by more than a busy machine.
const LATE: Duration = Duration::from_millis(100);

/// A service counts as back once it has answered this many probes in a row.
const IN_A_ROW: usize = 20;

/// One ping and its answer.
#[derive(Clone, Copy, Debug)]
struct Shot {
    sent: Instant,
    answered: Option<Instant>,
}

/// What an event cost a stream of probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Probes that were never answered.
    pub lost: usize,
    /// From the event to the answer of the first probe after the last one that was lost or late; zero if none was.
    /// (A client that has to ask who has the gateway's address keeps its packets meanwhile: late, not lost.)
    pub duration: Duration,
}

/// A running stream of probes. Dropping it ends it.
pub struct Probe {
    shots: Arc<Mutex<Vec<Shot>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Probe {
    /// Pings `target` from `host`, one echo request every `interval`.
    pub fn start(host: Host, target: IpAddr, interval: Duration) -> Probe {
        static STREAMS: AtomicU16 = AtomicU16::new(1);
        let stream = STREAMS.fetch_add(1, Ordering::Relaxed);
        let socket = host.netns().enter(|| {
            let (domain, protocol) = match target {
                IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
                IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
            };
            Socket::new(domain, Type::RAW, Some(protocol)).expect("a raw socket can be opened")
        });
        let shots: Arc<Mutex<Vec<Shot>>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let (list, end) = (Arc::clone(&shots), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let mut next = Instant::now();
            while !end.load(Ordering::Relaxed) {
                next += interval;
                fire(&socket, target, stream, &list);
                while collect(&socket, stream, &list, next.saturating_duration_since(Instant::now())) {}
            }
        });
        Probe { shots, stop, thread: Some(thread) }
    }

    /// Waits until the service answers probe after probe, sent after this call.
    #[track_caller]
    pub fn until_answered(&self, limit: Duration) {
        let first = self.with(<[Shot]>::len);
        until("probes are answered", limit, || {
            self.with(|shots| {
                let sent_since = shots.get(first..).unwrap_or_default().iter().rev();
                let judged = sent_since.skip_while(|shot| shot.answered.is_none()).take(IN_A_ROW);
                judged.filter(|shot| shot.answered.is_some()).count() == IN_A_ROW
            })
        });
    }

    /// Whether the service is there now: the last tenth of a second of probes, all answered.
    pub fn is_answered(&self) -> bool {
        self.with(|shots| {
            let judged = shots.iter().rev().skip_while(|shot| shot.answered.is_none());
            let silence = shots.iter().rev().take_while(|shot| shot.answered.is_none()).count();
            silence < IN_A_ROW
                && judged.take(IN_A_ROW).filter(|shot| shot.answered.is_some()).count() == IN_A_ROW
        })
    }

    /// What the stream has lost since `event`. A probe under way at the event counts.
    pub fn outage(&self, event: Instant) -> Outage {
        let now = Instant::now();
        let is_lost = |shot: &&Shot| shot.answered.is_none() && now.duration_since(shot.sent) > PATIENCE;
        self.with(|shots| {
            let start = shots.partition_point(|shot| shot.sent + FLIGHT < event);
            let shots = shots.get(start..).unwrap_or_default();
            let Some(last_missed) = shots.iter().rposition(|shot| is_lost(&shot) || shot.is_late()) else {
                return Outage { lost: 0, duration: Duration::ZERO };
            };
            let lost = shots.iter().filter(is_lost).count();
            let back = shots.iter().skip(last_missed + 1).find_map(|shot| shot.answered).unwrap_or(now);
            Outage { lost, duration: back.saturating_duration_since(event) }
        })
    }

    /// The first answer to a probe sent since `since`.
    pub fn first_answer(&self, since: Instant) -> Option<Instant> {
        self.with(|shots| {
            shots.iter().filter(|shot| shot.sent >= since).filter_map(|shot| shot.answered).min()
        })
    }

    /// Probes lost since `since`, once those in flight have had their time.
    pub fn lost_since(&self, since: Instant) -> usize {
        thread::sleep(PATIENCE);
        self.outage(since).lost
    }

    /// The last `cells` periods of `period` as a line, oldest first: `.` all answered, `x` one or more not
    /// answered, `:` answered late, ` ` nothing sent.
    pub fn strip(&self, cells: usize, period: Duration) -> String {
        let now = Instant::now();
        let span = period * u32::try_from(cells).unwrap_or(u32::MAX);
        let mut line = vec![' '; cells];
        self.with(|shots| {
            let start = shots.partition_point(|shot| shot.sent + span < now);
            for shot in shots.get(start..).unwrap_or_default() {
                let age = now.duration_since(shot.sent).as_nanos() / period.as_nanos().max(1);
                let cell = usize::try_from(age).ok().and_then(|age| cells.checked_sub(age + 1));
                if let Some(cell) = cell.and_then(|cell| line.get_mut(cell)) {
                    *cell = worse(*cell, shot.mark(now));
                }
            }
        });
        line.into_iter().collect()
    }

    fn with<T>(&self, look: impl FnOnce(&[Shot]) -> T) -> T {
        look(&self.shots.lock().expect("the probing thread does not panic"))
    }
}

impl Shot {
    fn is_late(&self) -> bool {
        self.answered.is_some_and(|at| at.duration_since(self.sent) > LATE)
    }

    /// How the probe is drawn. One that is still young enough to be answered in time is drawn as answered.
    fn mark(&self, now: Instant) -> char {
        match self.answered {
            Some(_) if self.is_late() => ':',
            None if now.duration_since(self.sent) > LATE => 'x',
            Some(_) | None => '.',
        }
    }
}

/// The mark of a period in which both marks occur.
fn worse(one: char, other: char) -> char {
    [one, other].into_iter().max_by_key(|mark| " .:x".find(*mark)).unwrap_or(' ')
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A probe this young may have been under way when something happened.
const FLIGHT: Duration = Duration::from_millis(5);

/// Sends the next echo request. That there is no way to send it is a lost probe like any other.
fn fire(socket: &Socket, target: IpAddr, stream: u16, shots: &Mutex<Vec<Shot>>) {
    let mut shots = shots.lock().expect("nobody panics with the list");
    let number = u32::try_from(shots.len()).expect("a stream has less than 2^32 probes");
    shots.push(Shot { sent: Instant::now(), answered: None });
    drop(shots);
    let _ = socket.send_to(&echo_request(target, stream, number), &SocketAddr::new(target, 0).into());
}

/// Takes in one packet within `patience`; `false` when there was none.
fn collect(mut socket: &Socket, stream: u16, shots: &Mutex<Vec<Shot>>, patience: Duration) -> bool {
    // Not a read timeout: those are rounded to the kernel's ticks of 4 ms.
    let mut ready = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    if ppoll(&mut ready, Some(TimeSpec::from_duration(patience)), None) != Ok(1) {
        return false;
    }
    let mut buffer = [0; 256];
    let Ok(length) = socket.read(&mut buffer) else { return false };
    let now = Instant::now();
    let number = buffer.get(..length).and_then(|packet| echo_reply(packet, stream));
    let mut shots = shots.lock().expect("nobody panics with the list");
    if let Some(shot) = number.and_then(|number| shots.get_mut(number as usize)) {
        shot.answered = Some(now);
    }
    true
}

/// An ICMP echo request (RFC 792, RFC 4443) with the probe's number as its data. The kernel sums up the one of IPv6.
fn echo_request(target: IpAddr, stream: u16, number: u32) -> Vec<u8> {
    let mut message = vec![if target.is_ipv4() { 8 } else { 128 }, 0, 0, 0];
    message.extend(stream.to_be_bytes());
    message.extend([0, 0]);
    message.extend(number.to_be_bytes());
    let checksum = checksum(&message);
    message.splice(2..4, checksum.to_be_bytes());
    message
}

/// The number of the probe that an IPv4 packet, or a message of ICMPv6, answers.
fn echo_reply(packet: &[u8], stream: u16) -> Option<u32> {
    let first = *packet.first()?;
    let message = if first >> 4 == 4 { packet.get(usize::from(first & 0x0f) * 4..)? } else { packet };
    let is_ours = (message.starts_with(&[0, 0]) || message.starts_with(&[129, 0]))
        && message.get(4..6)? == stream.to_be_bytes();
    let number = message.get(8..12)?.try_into().ok()?;
    is_ours.then_some(u32::from_be_bytes(number))
}

/// The Internet checksum (RFC 1071) of a message of even length.
pub fn checksum(message: &[u8]) -> u16 {
    let words = message.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).expect("a sum folded twice has 16 bits")
}

//! What must never be seen on the wire, of a whole scenario: two DHCP servers that answer, and one hardware address on
//! two ports of the switch.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::lab::capture::Sighting;
use crate::lab::frame::{Frame, SHARED_MAC};
use crate::lab::topology::{Host, Segment};

/// Something that a gateway was seen to do.
pub type Seen = (Instant, Host);

/// The answers of the gateways' DHCP servers since `since`.
pub fn dhcp_answers(lab: &Lab, since: Instant) -> Vec<Seen> {
    let is_answer = |sighting: &Sighting| matches!(sighting.frame, Frame::DhcpReply { .. });
    gateways(lab, since, is_answer)
}

/// The frames from the shared hardware address since `since`.
pub fn shared_frames(lab: &Lab, since: Instant) -> Vec<Seen> {
    gateways(lab, since, |sighting| sighting.mac == SHARED_MAC)
}

fn gateways(lab: &Lab, since: Instant, is_it: impl Fn(&Sighting) -> bool) -> Vec<Seen> {
    let all = lab.capture.since(since).into_iter();
    let mut seen: Vec<Seen> = all
        .filter(|sighting| Host::GATEWAYS.contains(&sighting.from) && is_it(sighting))
        .map(|sighting| (sighting.at, sighting.from))
        .collect();
    seen.sort();
    seen
}

/// At every moment of the scenario so far, one router at most did what only the master may do on the wire.
///
/// A router may be the last to have done it until another one does: from then on only a new promotion (it
/// announces the LAN's virtual address) lets it do so again.
#[track_caller]
pub fn assert_one_at_a_time(lab: &Lab) {
    let start = lab.started;
    for (what, seen) in
        [("DHCP answers", dhcp_answers(lab, start)), ("the shared address", shared_frames(lab, start))]
    {
        if let Some((old, new)) = doubled(lab, &seen) {
            let after = |at: Instant| at.saturating_duration_since(start);
            panic!(
                "{what}: of {} at {:?}, though {} was at it at {:?}; announced: {:?}",
                new.1,
                after(new.0),
                old.1,
                after(old.0),
                promotions(lab).iter().map(|(at, host)| (after(*at), *host)).collect::<Vec<_>>()
            );
        }
    }
}

/// The first sighting of a router that another one had relieved, and the sighting of that other one before it.
fn doubled(lab: &Lab, seen: &[Seen]) -> Option<(Seen, Seen)> {
    let promotions = promotions(lab);
    // The last promotion of a router until a moment.
    let promoted = |(at, host): Seen| {
        promotions.iter().rev().find(|(when, who)| *who == host && *when <= at).map(|(when, _)| *when)
    };
    let pairs = seen.iter().zip(seen.iter().skip(1));
    pairs.map(|(old, new)| (*old, *new)).find(|(old, new)| old.1 != new.1 && promoted(*new) < promoted(*old))
}

/// When a router announced the LAN's virtual address, as it does first of all: seen on the wire, like the rest, for what is heard from
/// the kernel of a router may be read a tenth of a second later on a busy machine.
fn promotions(lab: &Lab) -> Vec<Seen> {
    gateways(lab, lab.started, |sighting| sighting.frame == Frame::Garp { address: Segment::Lan.vip() })
}

/// For how long `old` did it after `new` had begun to.
pub fn overlap(seen: &[Seen], old: Host, new: Host) -> Duration {
    let first = seen.iter().find(|(_, host)| *host == new);
    let last = seen.iter().rfind(|(_, host)| *host == old);
    first.zip(last).map(|(first, last)| last.0.saturating_duration_since(first.0)).unwrap_or_default()
}

/// A client that asks for an address a hundred times a second, so that no server answers unseen.
pub struct Asker {
    stop: Arc<AtomicBool>,
}

impl Asker {
    /// Starts asking, on the LAN.
    pub fn start() -> Asker {
        let stop = Arc::new(AtomicBool::new(false));
        let socket = Host::Client.netns().enter(|| {
            let socket =
                UdpSocket::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 68))).expect("a port for clients");
            socket.set_broadcast(true).expect("broadcasts are allowed");
            socket2::SockRef::from(&socket).bind_device(Some(b"lan")).expect("it is on the LAN");
            socket
        });
        let flag = Arc::clone(&stop);
        thread::spawn(move || {
            let mut transaction = 0x5000_0000u32;
            while !flag.load(Ordering::Relaxed) {
                transaction += 1;
                let _ = socket.send_to(&discover(transaction), (Ipv4Addr::BROADCAST, 67));
                thread::sleep(Duration::from_millis(10));
            }
        });
        Asker { stop }
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A DHCPDISCOVER that is answered by broadcast.
fn discover(transaction: u32) -> Vec<u8> {
    let mut packet = vec![1, 1, 6, 0];
    packet.extend(transaction.to_be_bytes());
    packet.extend([0, 0, 0x80, 0]);
    packet.extend([0; 16]);
    packet.extend([2, 0, 0, 0, 0x77, 1]);
    packet.extend([0; 10 + 64 + 128]);
    packet.extend([99, 130, 83, 99, 53, 1, 1, 255]);
    packet.resize(300, 0);
    packet
}

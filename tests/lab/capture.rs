//! Listens at the switch's ports: who sent which advert or announcement, and when.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{IoSliceMut, Write as _};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg,
    setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;

use super::frame::{Advert, Frame, decode};
use super::topology::{Host, Segment};

/// The kernel's mark of a frame on its way out of a port (`PACKET_OUTGOING`).
const OUTGOING: u8 = 4;

/// A frame of interest, seen on its way into the switch.
#[derive(Clone, Debug)]
pub struct Sighting {
    pub at: Instant,
    pub segment: Segment,
    pub from: Host,
    /// The hardware address that it came from.
    pub mac: [u8; 6],
    pub frame: Frame,
}

/// What has been seen so far.
#[derive(Clone)]
pub struct Capture(Arc<Mutex<Vec<Sighting>>>);

impl Capture {
    /// Starts listening, and writes every frame to `SEGMENT.pcap` in `dir`.
    pub fn start(dir: &Path) -> Capture {
        let seen = Capture(Arc::default());
        let socket = open();
        let ports = ports();
        let mut files: BTreeMap<Segment, File> =
            Segment::ALL.into_iter().map(|segment| (segment, pcap(dir, segment))).collect();
        let list = Arc::clone(&seen.0);
        thread::spawn(move || {
            let mut buffer = vec![0; 2048];
            loop {
                let Some((index, taken, length)) = receive(&socket, &mut buffer) else { continue };
                let (Some(&(segment, from)), Some(bytes)) = (ports.get(&index), buffer.get(..length)) else {
                    continue;
                };
                let file = files.get_mut(&segment).expect("each segment has a file");
                let _ = file.write_all(&record(taken, bytes));
                if let (Some(frame), Some(&mac)) =
                    (decode(bytes), bytes.get(6..).and_then(<[u8]>::first_chunk))
                {
                    let at = instant(taken);
                    list.lock().expect("no reader panics").push(Sighting { at, segment, from, mac, frame });
                }
            }
        });
        seen
    }

    /// Everything seen since `since`, oldest first.
    pub fn since(&self, since: Instant) -> Vec<Sighting> {
        let seen = self.0.lock().expect("no reader panics");
        seen.iter().filter(|sighting| sighting.at >= since).cloned().collect()
    }

    /// The adverts that `from` has sent on `segment` since `since`, with their times.
    pub fn adverts(&self, from: Host, segment: Segment, since: Instant) -> Vec<(Instant, Advert)> {
        let sent = |sighting: Sighting| match sighting.frame {
            Frame::Advert(advert) if (sighting.from, sighting.segment) == (from, segment) => {
                Some((sighting.at, advert))
            }
            Frame::Advert(_)
            | Frame::Garp { .. }
            | Frame::Advertisement { .. }
            | Frame::DhcpReply { .. }
            | Frame::RouterAdvert { .. }
            | Frame::Shared => None,
        };
        self.since(since).into_iter().filter_map(sent).collect()
    }

    /// The gratuitous ARPs and neighbour advertisements that `from` has sent since `since`.
    pub fn announcements(&self, from: Host, since: Instant) -> Vec<Sighting> {
        let is_announcement = |frame: &Frame| match frame {
            Frame::Garp { .. } | Frame::Advertisement { .. } => true,
            Frame::Advert(_) | Frame::DhcpReply { .. } | Frame::RouterAdvert { .. } | Frame::Shared => false,
        };
        self.since(since).into_iter().filter(|s| s.from == from && is_announcement(&s.frame)).collect()
    }
}

/// A socket that sees every frame of the switch's namespace, with the kernel's time stamps.
fn open() -> OwnedFd {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)
        .expect("a packet socket can be opened");
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).expect("packets can be stamped");
    // Best effort: an ordinary user's namespace may not go beyond the system's limit.
    let _ = setsockopt(&socket, sockopt::RcvBufForce, &(8 << 20));
    socket
}

/// The interface index of every port of the switch.
fn ports() -> BTreeMap<usize, (Segment, Host)> {
    let mut ports = BTreeMap::new();
    for host in Host::ALL {
        for &segment in host.segments() {
            let index = nix::net::if_::if_nametoindex(host.port(segment).as_str()).expect("the port exists");
            ports.insert(index as usize, (segment, host));
        }
    }
    ports
}

/// The next frame that came into a port: the port's index, the time since 1970 and the length.
fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> Option<(usize, Duration, usize)> {
    let mut control = nix::cmsg_space!(TimeSpec);
    let mut slices = [IoSliceMut::new(buffer)];
    let message =
        recvmsg::<LinkAddr>(socket.as_raw_fd(), &mut slices, Some(&mut control), MsgFlags::empty()).ok()?;
    let port = message.address.filter(|address| address.pkttype() != OUTGOING)?;
    let stamp = message.cmsgs().ok()?.find_map(|control| {
        if let ControlMessageOwned::ScmTimestampns(stamp) = control {
            Some(Duration::from(stamp))
        } else {
            None
        }
    })?;
    Some((port.ifindex(), stamp, message.bytes))
}

/// The same moment on the monotonic clock.
fn instant(since_1970: Duration) -> Instant {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Instant::now() - now.saturating_sub(since_1970)
}

/// A new capture file with the header of the nanosecond format.
fn pcap(dir: &Path, segment: Segment) -> File {
    let path = dir.join(format!("{}.pcap", segment.name()));
    let mut file = File::create(&path).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
    let words = [0xa1b2_3c4d_u32, 2 | 4 << 16, 0, 0, 65535, 1];
    let header: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
    file.write_all(&header).expect("the capture file can be written");
    file
}

/// One frame as it stands in a capture file.
fn record(since_1970: Duration, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let seconds = u32::try_from(since_1970.as_secs()).unwrap_or(u32::MAX);
    let words = [seconds, since_1970.subsec_nanos(), length, length];
    words.into_iter().flat_map(u32::to_ne_bytes).chain(bytes.iter().copied()).collect()
}

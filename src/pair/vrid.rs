//! The VRID of a configuration that has to be made: one that nobody else on the network uses.
//!
//! Only routers that send to the group of all VRRP routers can be heard, about once a second each. Those that send to each other
//! alone (unicast) are in nobody's way: what they say is taken by its sender, not by its VRID.

use core::time::Duration;
use std::io::{self, Read as _};
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;

use nix::net::if_::if_nametoindex;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use crate::daemon::clock;
use crate::engine::Instant;
use crate::sorted::Map;
use crate::wire::ipv4::Header;
use crate::wire::vrrp;

use super::facts::Place;

/// What is taken if nobody uses it: keepalived's manual has it in its examples, and so has ours.
pub const USUAL: u8 = 51;

/// Listens to the VRRP routers of a network.
#[derive(Debug)]
pub struct Ear {
    /// Nothing can be heard without the right to raw sockets.
    socket: Option<Socket>,
    until: Instant,
}

impl Ear {
    /// Begins to listen.
    pub fn open(place: &Place) -> Ear {
        Ear { socket: open(&place.device).ok(), until: clock::now().after(PATIENCE) }
    }

    /// Listens to the end, and chooses: the VRID, and who uses the usual one if that is not it.
    pub fn choose(self) -> (u8, Option<Ipv4Addr>) {
        let heard = self.socket.map(|socket| hear(&socket, self.until)).unwrap_or_default();
        (free(&heard), heard.get(&USUAL).copied())
    }
}

fn open(device: &str) -> io::Result<Socket> {
    let index = if_nametoindex(device)?;
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(i32::from(vrrp::PROTOCOL))))?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(device.as_bytes()))?;
    socket.set_multicast_all_v4(false)?;
    socket.join_multicast_v4_n(&vrrp::GROUP_V4, &InterfaceIndexOrAddress::Index(index))?;
    Ok(socket)
}

/// All VRIDs that are said until then, and by whom.
fn hear(mut socket: &Socket, until: Instant) -> Map<u8, Ipv4Addr> {
    let mut heard = Map::default();
    loop {
        let left = until.since(clock::now());
        if left.is_zero() {
            return heard;
        }
        let timeout = PollTimeout::try_from(left.as_millis().saturating_add(1)).unwrap_or(PollTimeout::ZERO);
        let _ = poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], timeout);
        let mut packet = [0; PACKET_BYTES];
        let Ok(length) = socket.read(&mut packet) else { continue };
        if let Some((vrid, sender)) = understand(packet.get(..length).unwrap_or_default()) {
            heard.insert(vrid, sender);
        }
    }
}

/// Whose virtual router a packet is about.
fn understand(packet: &[u8]) -> Option<(u8, Ipv4Addr)> {
    let (header, payload) = Header::parse(packet)?;
    let (version, vrid) = vrrp::peek(payload)?;
    matches!(version, 2 | 3).then_some((vrid, header.source))
}

/// The usual one, or the next that nobody uses.
fn free(heard: &Map<u8, Ipv4Addr>) -> u8 {
    (USUAL..=u8::MAX).chain(1..USUAL).find(|vrid| !heard.contains_key(vrid)).unwrap_or(USUAL)
}

/// More than the usual second between two adverts.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Headers and the beginning of an advert; what is longer is cut off.
const PACKET_BYTES: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(vrids: impl IntoIterator<Item = u8>) -> Map<u8, Ipv4Addr> {
        let mut heard = Map::default();
        for vrid in vrids {
            heard.insert(vrid, Ipv4Addr::new(192, 168, 1, 9));
        }
        heard
    }

    #[test]
    fn usual_vrid_is_taken_unless_somebody_has_it() {
        assert_eq!(free(&heard([])), 51);
        assert_eq!(free(&heard([50, 52])), 51);
        assert_eq!(free(&heard([51, 52, 54])), 53);
        assert_eq!(free(&heard(51..=255)), 1);
        assert_eq!(free(&heard((2..=255).chain([0]))), 1);
        assert_eq!(free(&heard(0..=255)), 51);
    }

    #[test]
    fn only_vrrp_of_a_known_version_says_a_vrid() {
        let advert = |first: u8| {
            let mut packet =
                vec![0x45, 0xc0, 0, 28, 0, 1, 0, 0, 255, 112, 0, 0, 192, 168, 1, 9, 224, 0, 0, 18];
            packet.extend([first, 51, 100, 1, 0, 100, 0, 0]);
            packet
        };
        let sender = Ipv4Addr::new(192, 168, 1, 9);
        assert_eq!(understand(&advert(0x21)), Some((51, sender)));
        assert_eq!(understand(&advert(0x31)), Some((51, sender)));
        assert_eq!(understand(&advert(0x41)), None);
        assert_eq!(understand(advert(0x31).get(..21).unwrap()), None);
        assert_eq!(understand(&[]), None);
    }
}

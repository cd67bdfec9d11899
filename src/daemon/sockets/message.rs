//! One packet in, one packet out, without allocating.

use std::io::{self, IoSlice, IoSliceMut, Read as _};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockaddrIn6, cmsg_space, recvmsg};
use socket2::{MsgHdr, SockAddr, Socket};

use crate::limits;
use crate::wire::ipv4;
use crate::wire::types::Family;
use crate::wire::vrrp::Packet;

/// What an attempt to receive found.
#[derive(Debug)]
pub enum Received<'b> {
    /// A packet. Nothing about its payload has been checked.
    Packet(Packet<'b>),
    /// Something that the kernel let through but is no whole packet. More may be waiting.
    Junk,
    /// Nothing is waiting.
    Nothing,
}

/// Room for one packet; by default for none.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
}

impl Buffer {
    /// Room for the longest packet that is looked at. Of a longer one the rest is cut off, and its checksum will not fit.
    pub fn new() -> Buffer {
        Buffer { bytes: vec![0; limits::PACKET_BYTES] }
    }

    pub(super) fn receive(&mut self, socket: &Socket, family: Family) -> Received<'_> {
        match family {
            Family::V4 => self.receive_v4(socket),
            Family::V6 => self.receive_v6(socket),
        }
    }

    /// Raw IPv4 sockets deliver the header along with the packet.
    fn receive_v4(&mut self, mut socket: &Socket) -> Received<'_> {
        let length = match socket.read(&mut self.bytes) {
            Ok(length) => length,
            Err(error) => return failed(&error),
        };
        match self.bytes.get(..length).and_then(ipv4::Header::parse) {
            Some((header, bytes)) => Received::Packet(Packet {
                source: header.source.into(),
                destination: header.destination.into(),
                hop_limit: header.ttl,
                bytes,
            }),
            None => Received::Junk,
        }
    }

    /// Raw IPv6 sockets deliver the payload, and the rest beside it.
    fn receive_v6(&mut self, socket: &Socket) -> Received<'_> {
        let mut control = [0; CONTROL_BYTES];
        let mut slices = [IoSliceMut::new(&mut self.bytes)];
        let received =
            recvmsg::<SockaddrIn6>(socket.as_raw_fd(), &mut slices, Some(&mut control), MsgFlags::empty());
        let (source, length) = match received {
            Ok(message) => (message.address.map(|address| address.ip()), message.bytes),
            Err(errno) => return failed(&errno.into()),
        };
        let (destination, hop_limit) = beside(&control);
        match (source, destination, hop_limit, self.bytes.get(..length)) {
            (Some(source), Some(destination), Some(hop_limit), Some(bytes)) => Received::Packet(Packet {
                source: source.into(),
                destination: destination.into(),
                hop_limit,
                bytes,
            }),
            _ => Received::Junk,
        }
    }
}

/// To whom a packet was sent, and its hop limit, of the control messages that came with it: in the kernel's layout, with
/// zeros behind the last.
fn beside(mut control: &[u8]) -> (Option<Ipv6Addr>, Option<u8>) {
    let (mut destination, mut hop_limit) = (None, None);
    while let Some((level, kind, data, rest)) = control_message(control) {
        match (level, kind) {
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                destination = data.first_chunk::<16>().map(|address| Ipv6Addr::from(*address));
            }
            (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                hop_limit =
                    data.first_chunk().and_then(|limit| u8::try_from(i32::from_ne_bytes(*limit)).ok());
            }
            _ => {}
        }
        control = rest;
    }
    (destination, hop_limit)
}

/// The first of the control messages: level and type, data, and those behind it.
fn control_message(control: &[u8]) -> Option<(i32, i32, &[u8], &[u8])> {
    let (length, rest) = control.split_first_chunk()?;
    let (level, rest) = rest.split_first_chunk()?;
    let (kind, _) = rest.split_first_chunk()?;
    let length = usize::from_ne_bytes(*length);
    let data = control.get(HEADER_BYTES..length)?;
    let next = length.checked_next_multiple_of(size_of::<usize>())?;
    let rest = control.get(next..).unwrap_or_default();
    Some((i32::from_ne_bytes(*level), i32::from_ne_bytes(*kind), data, rest))
}

/// Sends a payload from `source`, whatever other addresses the device has.
///
/// # Errors
/// Those of `sendmsg`. EINVAL: `source` is not an address of this machine.
pub fn send(
    socket: &Socket,
    device: u32,
    source: IpAddr,
    destination: IpAddr,
    payload: &[u8],
) -> Result<(), Errno> {
    let mut control = [0; CONTROL_BYTES];
    let control = packet_info(&mut control, device, source);
    let address = SockAddr::from(match destination {
        IpAddr::V4(address) => SocketAddr::V4(SocketAddrV4::new(address, 0)),
        IpAddr::V6(address) => SocketAddr::V6(SocketAddrV6::new(address, 0, 0, scope(address, device))),
    });
    let buffers = [IoSlice::new(payload)];
    let message = MsgHdr::new().with_addr(&address).with_buffers(&buffers).with_control(control);
    let sent = socket.sendmsg(&message, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
    sent.map(drop).map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
}

/// The control message that says from which address a packet leaves: one `cmsghdr` with an `in_pktinfo` or an
/// `in6_pktinfo` (ip(7), RFC 3542 §6.2), in the kernel's layout.
fn packet_info(buffer: &mut [u8; CONTROL_BYTES], device: u32, source: IpAddr) -> &[u8] {
    let mut end = 0;
    let mut put = |bytes: &[u8]| {
        if let Some(place) = buffer.get_mut(end..end + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        end += bytes.len();
    };
    let mut header = |level: libc::c_int, kind: libc::c_int, data_bytes: usize| {
        put(&(HEADER_BYTES + data_bytes).to_ne_bytes());
        put(&level.to_ne_bytes());
        put(&kind.to_ne_bytes());
    };
    match source {
        IpAddr::V4(address) => {
            header(libc::IPPROTO_IP, libc::IP_PKTINFO, 12);
            put(&device.to_ne_bytes());
            put(&address.octets());
            put(&[0; 4]);
        }
        IpAddr::V6(address) => {
            header(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, 20);
            put(&address.octets());
            put(&device.to_ne_bytes());
        }
    }
    let padded = end.next_multiple_of(size_of::<usize>());
    buffer.get(..padded).unwrap_or_default()
}

/// Link-local addresses mean something on a link only.
fn scope(address: Ipv6Addr, device: u32) -> u32 {
    if address.is_unicast_link_local() || address.is_multicast() { device } else { 0 }
}

fn failed<'b>(error: &io::Error) -> Received<'b> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Received::Nothing,
        io::ErrorKind::Interrupted => Received::Junk,
        // The device is gone, and the socket soon will be. Reading has cleared the error.
        _ => Received::Nothing,
    }
}

/// A `cmsghdr` as the kernel lays it out: a `size_t` and two `int`.
const HEADER_BYTES: usize = size_of::<usize>() + 8;

/// Enough for what is sent and for what is asked for on receipt.
const CONTROL_BYTES: usize = cmsg_space::<libc::in6_pktinfo>() + cmsg_space::<libc::c_int>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_messages_are_read_as_they_are_written() {
        let address: Ipv6Addr = "fe80::1".parse().unwrap();
        let mut control = [0; CONTROL_BYTES];
        let written = packet_info(&mut control, 7, address.into()).len();
        let limit = [
            (HEADER_BYTES + 4).to_ne_bytes().as_slice(),
            &libc::IPPROTO_IPV6.to_ne_bytes(),
            &libc::IPV6_HOPLIMIT.to_ne_bytes(),
            &255_i32.to_ne_bytes(),
        ]
        .concat();
        control[written..written + limit.len()].copy_from_slice(&limit);

        assert_eq!(beside(&control), (Some(address), Some(255)));
        assert_eq!(beside(&control[..written]), (Some(address), None));
        assert_eq!(beside(&[0; CONTROL_BYTES]), (None, None));
        assert_eq!(beside(&[0xff; CONTROL_BYTES]), (None, None));
    }
}

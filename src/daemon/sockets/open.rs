//! Opening a VRRP socket.

use core::num::NonZeroU32;
use std::io::{self, Read as _};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use crate::config::model::Mode;
use crate::limits;
use crate::wire::types::Family;
use crate::wire::vrrp;

use super::Device;

/// A raw socket for protocol 112 on one device.
pub fn socket(device: &Device, family: Family, mode: Mode) -> io::Result<Socket> {
    let domain = match family {
        Family::V4 => Domain::IPV4,
        Family::V6 => Domain::IPV6,
    };
    // `Socket::new` makes it close-on-exec.
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(i32::from(vrrp::PROTOCOL))))?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(device.name.as_bytes()))?;
    drain(&socket);
    // Beyond net.core.rmem_max, which is about 200 packets; without the right to that, up to it.
    if setsockopt(&socket, sockopt::RcvBufForce, &limits::PACKET_QUEUE_BYTES).is_err() {
        socket.set_recv_buffer_size(limits::PACKET_QUEUE_BYTES)?;
    }
    match family {
        Family::V4 => set_up_v4(&socket)?,
        Family::V6 => set_up_v6(&socket)?,
    }
    // After the traffic class, which resets it: ahead of everything else in the device's queue.
    let _ = socket.set_priority(TC_PRIO_CONTROL);
    if mode == Mode::Multicast {
        join(&socket, device, family)?;
    }
    Ok(socket)
}

fn set_up_v4(socket: &Socket) -> io::Result<()> {
    socket.set_ttl_v4(vrrp::HOP_LIMIT.into())?;
    socket.set_multicast_ttl_v4(vrrp::HOP_LIMIT.into())?;
    socket.set_multicast_loop_v4(false)?;
    // Only groups joined by this very socket.
    socket.set_multicast_all_v4(false)?;
    socket.set_tos_v4(INTERNETWORK_CONTROL)
}

fn set_up_v6(socket: &Socket) -> io::Result<()> {
    socket.set_unicast_hops_v6(vrrp::HOP_LIMIT.into())?;
    socket.set_multicast_hops_v6(vrrp::HOP_LIMIT.into())?;
    socket.set_multicast_loop_v6(false)?;
    socket.set_multicast_all_v6(false)?;
    socket.set_tclass_v6(INTERNETWORK_CONTROL)?;
    // An IPv6 socket delivers no header: the receiver's address and the hop limit come beside the packet. The
    // checksum is left to us (no IPV6_CHECKSUM): the kernel would drop bad ones uncounted.
    setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    setsockopt(socket, sockopt::Ipv6RecvHopLimit, &true)?;
    Ok(())
}

fn join(socket: &Socket, device: &Device, family: Family) -> io::Result<()> {
    let index = NonZeroU32::new(device.index).ok_or(io::ErrorKind::InvalidInput)?;
    match family {
        Family::V4 => {
            socket.join_multicast_v4_n(&vrrp::GROUP_V4, &InterfaceIndexOrAddress::Index(index.get()))
        }
        Family::V6 => socket.join_multicast_v6(&vrrp::GROUP_V6, index.get()),
    }
}

/// Throws away what arrived on other devices between opening and binding.
fn drain(mut socket: &Socket) {
    let mut buffer = [0; 64];
    for _ in 0..limits::PACKETS_PER_TURN {
        if socket.read(&mut buffer).is_err() {
            return;
        }
    }
}

/// CS6 (RFC 2474 §4.2.2.2): what routers say to each other.
const INTERNETWORK_CONTROL: u32 = 0xc0;

/// The highest band of the kernel's default queueing (linux/pkt_sched.h).
const TC_PRIO_CONTROL: u32 = 7;

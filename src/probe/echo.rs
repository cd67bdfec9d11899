//! `ping`: ICMP echo over raw sockets.
//!
//! Datagram ICMP sockets would do without privilege, but with the kernel's default
//! `ping_group_range` nobody gets one, not even root.

use std::io;
use std::net::{IpAddr, Ipv6Addr};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollFlags};
use nix::sys::socket::SockaddrStorage;
use socket2::{Domain, Protocol, Socket, Type};

use crate::wire::icmp4::{self, EchoKind};
use crate::wire::icmp6::{self, Received};
use crate::wire::ipv4;

use super::Failure;
use super::filter;
use super::round::{Answers, numbers};
use super::socket::{READS_MAX, Site, receive, secret, watch};

#[derive(Debug)]
pub(super) struct Echo {
    targets: Vec<IpAddr>,
    /// Proves that a reply answers our own request; its last two bytes are our identifier.
    secret: [u8; 8],
    v4: Option<Socket>,
    v6: Option<Socket>,
}

impl Echo {
    pub(super) fn new(targets: Vec<IpAddr>) -> Echo {
        Echo { targets, secret: secret().to_be_bytes(), v4: None, v6: None }
    }

    pub(super) fn ask(&mut self, site: &Site, epoll: &Epoll, answers: &mut Answers<'_>) {
        let Some(round) = answers.round() else {
            return;
        };
        for target in numbers(self.targets.len()) {
            if let Err(error) = self.send(site, epoll, round, target) {
                answers.failed(target, Failure::of(&error));
            }
        }
    }

    pub(super) fn ready(&mut self, token: u64, answers: &mut Answers<'_>) {
        let (socket, parse): (_, Parse) = match token {
            V4 => (&self.v4, parse_v4),
            V6 => (&self.v6, parse_v6),
            _ => return,
        };
        let mut buffer = [0; BUFFER_LEN];
        for _ in 0..READS_MAX {
            let Some(Ok((length, source))) = socket.as_ref().map(|socket| receive(socket, &mut buffer))
            else {
                return;
            };
            let bytes = buffer.get(..length).unwrap_or_default();
            let reply = parse(bytes, source);
            let target = reply.and_then(|reply| self.target_of(&reply, answers.round()?));
            if let Some(target) = target {
                answers.answered(target);
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.v4 = None;
        self.v6 = None;
    }

    fn send(&mut self, site: &Site, epoll: &Epoll, round: u32, target: u16) -> io::Result<()> {
        let address = *self.targets.get(usize::from(target)).ok_or(Errno::EINVAL)?;
        let payload = self.payload(round, target);
        let echo = icmp4::Echo {
            kind: EchoKind::Request,
            id: self.id(),
            sequence: sequence(round),
            payload: &payload,
        };
        let mut message = Vec::with_capacity(BUFFER_LEN);
        let socket = match address {
            IpAddr::V4(_) => {
                echo.emit(&mut message);
                self.socket_v4(site, epoll)?
            }
            IpAddr::V6(to) => {
                // The kernel computes the checksum again, with the source that it chooses.
                icmp6::emit_echo(&echo, Ipv6Addr::UNSPECIFIED, to, &mut message);
                self.socket_v6(site, epoll)?
            }
        };
        socket.send_to(&message, &site.address(address)).map(drop)
    }

    fn socket_v4(&mut self, site: &Site, epoll: &Epoll) -> io::Result<&Socket> {
        if self.v4.is_none() {
            let socket = site.open(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
            socket.attach_filter(&filter::echo_v4(self.id()))?;
            watch(epoll, &socket, EpollFlags::EPOLLIN, V4)?;
            self.v4 = Some(socket);
        }
        self.v4.as_ref().ok_or_else(|| Errno::ENOTSOCK.into())
    }

    fn socket_v6(&mut self, site: &Site, epoll: &Epoll) -> io::Result<&Socket> {
        if self.v6.is_none() {
            let socket = site.open(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
            socket.attach_filter(&filter::echo_v6(self.id()))?;
            watch(epoll, &socket, EpollFlags::EPOLLIN, V6)?;
            self.v6 = Some(socket);
        }
        self.v6.as_ref().ok_or_else(|| Errno::ENOTSOCK.into())
    }

    fn id(&self) -> u16 {
        let [.., high, low] = self.secret;
        u16::from_be_bytes([high, low])
    }

    /// The target that this reply answers for, in this round.
    fn target_of(&self, reply: &Reply<'_>, round: u32) -> Option<u16> {
        if reply.echo.kind != EchoKind::Reply
            || reply.echo.id != self.id()
            || reply.echo.sequence != sequence(round)
        {
            return None;
        }
        (0u16..).zip(&self.targets).find_map(|(target, address)| {
            let ours = *address == reply.source && reply.echo.payload == self.payload(round, target);
            ours.then_some(target)
        })
    }

    fn payload(&self, round: u32, target: u16) -> [u8; PAYLOAD_LEN] {
        let [s0, s1, s2, s3, s4, s5, s6, s7] = self.secret;
        let ([r0, r1, r2, r3], [t0, t1]) = (round.to_be_bytes(), target.to_be_bytes());
        [s0, s1, s2, s3, s4, s5, s6, s7, r0, r1, r2, r3, t0, t1, 0, 0]
    }
}

/// An echo message and who sent it.
struct Reply<'a> {
    source: IpAddr,
    echo: icmp4::Echo<'a>,
}

type Parse = for<'a> fn(&'a [u8], Option<SockaddrStorage>) -> Option<Reply<'a>>;

fn parse_v4(bytes: &[u8], _: Option<SockaddrStorage>) -> Option<Reply<'_>> {
    let (header, message) = ipv4::Header::parse(bytes)?;
    Some(Reply { source: header.source.into(), echo: icmp4::Echo::parse(message)? })
}

fn parse_v6(bytes: &[u8], source: Option<SockaddrStorage>) -> Option<Reply<'_>> {
    let source = source?.as_sockaddr_in6()?.ip();
    Some(Reply { source: source.into(), echo: icmp6::parse_echo(bytes, Received::Socket)? })
}

/// Counts up by one a round, as every ping does.
const fn sequence(round: u32) -> u16 {
    round as u16
}

const V4: u64 = 4;
const V6: u64 = 6;
/// Secret, round, target, and two bytes to a whole word.
const PAYLOAD_LEN: usize = 16;
/// The longest IP header, the ICMP header, the payload: and more, so that a longer reply shows.
const BUFFER_LEN: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
    const ROUND: u32 = 0x0001_0005;

    /// The answer to round [`ROUND`] for the second target.
    fn reply(payload: &[u8]) -> Reply<'_> {
        let echo = icmp4::Echo { kind: EchoKind::Reply, id: 0x0708, sequence: 5, payload };
        Reply { source: TARGET, echo }
    }

    fn echo() -> Echo {
        Echo { secret: [1, 2, 3, 4, 5, 6, 7, 8], ..Echo::new(vec![OTHER, TARGET]) }
    }

    #[test]
    fn a_reply_is_for_the_target_that_its_payload_names() {
        let payload = echo().payload(ROUND, 1);

        assert_eq!(payload, [1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 5, 0, 1, 0, 0]);
        assert_eq!(echo().target_of(&reply(&payload), ROUND), Some(1));
    }

    #[test]
    fn a_reply_from_elsewhere_is_none() {
        let payload = echo().payload(ROUND, 1);

        assert_eq!(echo().target_of(&Reply { source: OTHER, ..reply(&payload) }, ROUND), None);
    }

    #[test]
    fn a_reply_to_another_round_is_none_even_with_the_same_sequence() {
        let old = echo().payload(5, 1);

        assert_eq!(echo().target_of(&reply(&old), ROUND), None);
        assert_eq!(echo().target_of(&reply(&old), 6), None);
    }

    #[test]
    fn a_reply_that_was_made_up_is_none() {
        let payload = echo().payload(ROUND, 1);
        let mut guess = payload;
        guess[0] ^= 1;
        let ours = reply(&payload);
        let request = icmp4::Echo { kind: EchoKind::Request, ..ours.echo };
        let other_id = icmp4::Echo { id: 1, ..ours.echo };
        let short = icmp4::Echo { payload: &payload[..15], ..ours.echo };

        assert_eq!(echo().target_of(&reply(&guess), ROUND), None);
        for echo_message in [request, other_id, short] {
            let forged = Reply { source: TARGET, echo: echo_message };
            assert_eq!(echo().target_of(&forged, ROUND), None);
        }
    }
}

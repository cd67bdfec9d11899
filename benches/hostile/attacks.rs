//! The attacks.

use std::net::Ipv4Addr;

use crate::lab::attack::{Forgery, Sum, ipv4};
use crate::lab::setup::{Setup, Version};
use crate::lab::topology::{Host, Segment};

/// What a packet is, and to which routers it goes.
pub struct Attack {
    pub name: &'static str,
    pub version: Version,
    /// Whom the packets go to.
    pub to: &'static [Host],
    /// How many packets go out in each interval between two adverts, to each of them.
    pub per_interval: u32,
    /// Whether the master dies in the middle of it.
    pub then: Then,
    /// The IPv4 packet with this number, for this router.
    pub packet: fn(u32, Host) -> Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Nothing,
    MasterDies,
}

/// Packets in an interval of 100 ms.
const FLOOD: u32 = 1000;

pub const SECRET: &str = "s3cr3t12";

impl Attack {
    pub fn is_flood(&self) -> bool {
        self.per_interval >= FLOOD
    }

    /// The routers that are attacked: the LAN only, so that nothing but the LAN's adverts counts.
    pub fn setup(&self) -> Setup {
        match self.version {
            Version::V2 => Setup { version: Version::V2, secret: Some(SECRET), ..Setup::lan(1000) },
            Version::V3 => Setup::lan(100),
        }
    }
}

const A: &[Host] = &[Host::A];
const B: &[Host] = &[Host::B];
const BOTH: &[Host] = &[Host::A, Host::B];

/// Every attack.
pub fn all() -> Vec<Attack> {
    let all = [of_version_3(), under_which_the_master_dies(), floods(), of_version_2()];
    all.into_iter().flatten().collect()
}

fn attack(name: &'static str, to: &'static [Host], packet: fn(u32, Host) -> Vec<u8>) -> Attack {
    Attack { name, version: Version::V3, to, per_interval: 4, then: Then::Nothing, packet }
}

fn of_version_3() -> Vec<Attack> {
    let v3 = attack;
    vec![
        v3("an empty packet, to the master", A, |_, to| ipv4(own(), to.address(Segment::Lan), 255, &[])),
        v3("own address, priority 255, to the master", A, |_, to| stranger(to, |_| {})),
        v3("own address, priority 255, to both", BOTH, |_, to| stranger(to, |_| {})),
        v3("own address, wrong checksum, to the master", A, |_, to| stranger(to, |it| it.sum = Sum::Wrong)),
        v3("own address, priority 0, to the standby", B, |_, to| stranger(to, |it| it.priority = 0)),
        v3("peer's address, wrong checksum, to the master", A, |_, to| peer(to, |it| it.sum = Sum::Wrong)),
        v3("peer's address, version 2, to the master", A, |_, to| peer(to, version_2)),
        v3("peer's address, hop limit 64, to the master", A, |_, to| peer(to, |it| it.hop_limit = 64)),
        v3("peer's address, another VRID, to the master", A, |_, to| peer(to, |it| it.vrid = 77)),
        v3("peer's address, count 255 and one address, to the master", A, |_, to| {
            peer(to, |it| it.count = 255)
        }),
        v3("peer's address, 4 to 11 bytes, to the master", A, stub),
        v3("peer's address, type 2, to the master", A, |_, to| peer(to, |it| it.kind = 2)),
        v3("peer's address, wrong addresses inside, to the master", A, |_, to| {
            peer(to, |it| it.vips = vec![it.source])
        }),
        v3("peer's address, interval of 1 s, to the master", A, |_, to| {
            peer(to, |it| it.interval = [0, 100])
        }),
        v3("peer's address, single bits of it flipped, to the master", A, flipped),
        v3("peer's address, to the group, to the master", A, |_, to| peer(to, |it| it.sum = Sum::WithGroup)),
        v3("peer's address, priority 0, to the standby", B, |_, to| peer(to, |it| it.priority = 0)),
        v3("peer's address, interval 0, to the standby", B, |_, to| peer(to, |it| it.interval = [0, 0])),
        v3("peer's address, checksum of the group, to the standby", B, |_, to| {
            peer(to, |it| (it.sum, it.priority) = (Sum::WithGroup, 100))
        }),
        v3("the router's own address, priority 255, to the master", A, |_, to| {
            peer(to, |it| it.source = to.address(Segment::Lan))
        }),
        v3("random bytes, to both", BOTH, noise),
        v3("peer's address, all of it right, priority 255, to the master", A, |_, to| peer(to, |_| {})),
    ]
}

fn under_which_the_master_dies() -> Vec<Attack> {
    let dies = |name, to, packet: fn(u32, Host) -> Vec<u8>| Attack {
        then: Then::MasterDies,
        ..attack(name, to, packet)
    };
    vec![
        dies("own address, wrong checksum, to the standby", B, |_, to| {
            stranger(to, |it| it.sum = Sum::Wrong)
        }),
        dies("own address, priority 255, to the standby", B, |_, to| stranger(to, |_| {})),
        dies("own address, another VRID, to the standby", B, |_, to| stranger(to, |it| it.vrid = 77)),
        dies("the master's address, priority 255, to the standby", B, |_, to| peer(to, |_| {})),
    ]
}

fn floods() -> Vec<Attack> {
    let flood =
        |name, packet: fn(u32, Host) -> Vec<u8>| Attack { per_interval: FLOOD, ..attack(name, BOTH, packet) };
    vec![
        flood("flood, 10,000 a second, own address, priority 255, to both", |_, to| stranger(to, |_| {})),
        flood("flood, 10,000 a second, peer's address, 4 to 11 bytes, to both", stub),
    ]
}

/// The same for version 2, which has a password and long intervals.
fn of_version_2() -> Vec<Attack> {
    let v2 = |name, to, packet: fn(u32, Host) -> Vec<u8>| Attack {
        version: Version::V2,
        ..attack(name, to, packet)
    };
    vec![
        v2("version 2, own address, wrong password, to the master", A, |_, to| secret(to, own(), "guessed!")),
        v2("version 2, own address, right password, priority 255, to the master", A, |_, to| {
            secret(to, own(), SECRET)
        }),
        v2("version 2, peer's address, wrong password, to the master", A, |_, to| {
            secret(to, other(to), "guessed!")
        }),
        v2("version 2, peer's address, no password, to the master", A, |_, to| {
            version2(to, |it| (it.interval, it.tail) = ([0, 1], vec![0; 8]))
        }),
        v2("version 2, peer's address, authentication header claimed, to the master", A, |_, to| {
            version2(to, |it| it.interval = [2, 1])
        }),
        v2("version 2, peer's address, interval of 2 s, to the master", A, |_, to| {
            version2(to, |it| it.interval = [1, 2])
        }),
        v2("version 2, the master's address, priority 0, to the standby", B, |_, to| {
            version2(to, |it| it.priority = 0)
        }),
    ]
}

fn own() -> Ipv4Addr {
    Host::Stranger.address(Segment::Lan)
}

fn other(host: Host) -> Ipv4Addr {
    if host == Host::A { Host::B.address(Segment::Lan) } else { Host::A.address(Segment::Lan) }
}

/// A message from the stranger's own address, otherwise right and of the highest priority.
fn stranger(to: Host, spoil: impl Fn(&mut Forgery)) -> Vec<u8> {
    peer(to, |forgery| {
        forgery.source = own();
        spoil(forgery);
    })
}

/// A message as if from the other router, of the highest priority.
fn peer(to: Host, spoil: impl Fn(&mut Forgery)) -> Vec<u8> {
    let mut forgery = Forgery::v3(other(to), to.address(Segment::Lan), Segment::Lan.vip(), 10);
    forgery.priority = 255;
    spoil(&mut forgery);
    forgery.packet()
}

fn version_2(forgery: &mut Forgery) {
    *forgery =
        Forgery { priority: 255, ..Forgery::v2(forgery.source, forgery.destination, Segment::Lan.vip(), "") };
}

fn secret(to: Host, source: Ipv4Addr, secret: &str) -> Vec<u8> {
    let valid = Forgery::v2(source, to.address(Segment::Lan), Segment::Lan.vip(), secret);
    Forgery { priority: 255, ..valid }.packet()
}

/// A message as if from the other router, with the right password.
fn version2(to: Host, spoil: impl Fn(&mut Forgery)) -> Vec<u8> {
    let mut forgery = Forgery::v2(other(to), to.address(Segment::Lan), Segment::Lan.vip(), SECRET);
    forgery.priority = 255;
    spoil(&mut forgery);
    forgery.packet()
}

/// A message of which one bit is wrong, and so is its checksum.
fn flipped(number: u32, to: Host) -> Vec<u8> {
    let mut message = Forgery::v3(other(to), to.address(Segment::Lan), Segment::Lan.vip(), 10).message();
    let bit = number.wrapping_mul(0x9e37_79b9) >> 16;
    let place = bit as usize / 8 % message.len();
    message[place] ^= 1 << (bit % 8);
    ipv4(other(to), to.address(Segment::Lan), 255, &message)
}

/// The beginning of a message.
fn stub(number: u32, to: Host) -> Vec<u8> {
    let message = Forgery::v3(other(to), to.address(Segment::Lan), Segment::Lan.vip(), 10).message();
    let length = [4, 7, 8, 11][number as usize % 4];
    ipv4(other(to), to.address(Segment::Lan), 255, message.get(..length).unwrap_or_default())
}

/// Up to 64 bytes of no meaning, the same in every run.
fn noise(number: u32, to: Host) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let length = next() % 64;
    let bytes: Vec<u8> = (0..length).map(|_| next().to_be_bytes()[1]).collect();
    ipv4(other(to), to.address(Segment::Lan), 255, &bytes)
}

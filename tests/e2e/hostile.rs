//! A host on the LAN that sends what no router sends. Nothing changes but counters.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::attack::{Forgery, Stranger, Sum, ipv4};
use crate::lab::setup::{Setup, Version};
use crate::lab::topology::{Host, Segment};
use crate::lab::{Lab, scenario, until};

use super::support::{LIMIT, ms, pair};

/// Ten packets a second, as in the runs that silence keepalived.
const PACE: Duration = Duration::from_millis(100);

/// How many packets of each kind go to each router.
const PACKETS: u64 = 12;

/// One kind of junk: the word under which it is counted, and how to make it from a valid message.
struct Junk {
    reason: &'static str,
    spoil: fn(&mut Forgery),
}

#[test]
fn junk_at_a_version_3_router_changes_only_counters() {
    scenario(|lab| {
        let junk = [
            Junk { reason: "bad_checksum", spoil: |forgery| forgery.sum = Sum::Wrong },
            Junk { reason: "bad_checksum", spoil: |forgery| forgery.sum = Sum::WithGroup },
            Junk { reason: "interval_zero", spoil: |forgery| forgery.interval = [0, 0] },
            Junk { reason: "type", spoil: |forgery| forgery.kind = 2 },
            Junk { reason: "version", spoil: |forgery| forgery.version = 4 },
            Junk { reason: "length", spoil: |forgery| forgery.tail = vec![7; 8] },
            Junk { reason: "truncated", spoil: |forgery| forgery.count = 9 },
            Junk { reason: "hop_limit", spoil: |forgery| forgery.hop_limit = 64 },
            Junk { reason: "unknown_sender", spoil: from_the_stranger },
            Junk { reason: "unknown_sender", spoil: zero_from_the_stranger },
        ];
        withstands(lab, &Setup::lan(200), &junk, |from, to| Forgery::v3(from, to, Segment::Lan.vip(), 20));
    });
}

#[test]
fn junk_at_a_version_2_router_changes_only_counters() {
    scenario(|lab| {
        let junk = [
            Junk { reason: "bad_checksum", spoil: |forgery| forgery.sum = Sum::Wrong },
            Junk { reason: "auth_type", spoil: |forgery| forgery.interval = [0, 1] },
            Junk { reason: "auth_data", spoil: |forgery| forgery.tail = b"guessed!".to_vec() },
            Junk { reason: "interval_mismatch", spoil: |forgery| forgery.interval = [1, 2] },
            Junk { reason: "unknown_sender", spoil: from_the_stranger },
        ];
        let setup = Setup { version: Version::V2, secret: Some("s3cr3t12"), ..Setup::lan(1000) };
        withstands(lab, &setup, &junk, |from, to| Forgery::v2(from, to, Segment::Lan.vip(), "s3cr3t12"));
    });
}

/// The strongest claim there is, but not from a router.
fn from_the_stranger(forgery: &mut Forgery) {
    forgery.source = Host::Stranger.address(Segment::Lan);
    forgery.priority = 255;
}

/// "The master stops", but not from the master.
fn zero_from_the_stranger(forgery: &mut Forgery) {
    forgery.source = Host::Stranger.address(Segment::Lan);
    forgery.priority = 0;
}

/// Sends each kind of junk to both routers and looks at roles, the master's adverts and the counters.
fn withstands(lab: &Lab, setup: &Setup, junk: &[Junk], valid: fn(Ipv4Addr, Ipv4Addr) -> Forgery) {
    let (a, b) = pair(lab, setup);
    let stranger = Stranger::new();
    let epochs = (a.epoch(), b.epoch());
    let start = Instant::now();
    for Junk { reason, spoil } in junk {
        let path = format!("/rejected/{reason}");
        let before = [&a, &b].map(|node| node.counter("lan", &path));
        at_a_pace(PACKETS, || {
            for (to, from) in [(&a, &b), (&b, &a)] {
                let [to, from] = [to, from].map(|node| node.host.address(Segment::Lan));
                let mut forgery = valid(from, to);
                spoil(&mut forgery);
                stranger.send(&forgery.packet(), to);
            }
        });
        for (node, before) in [&a, &b].into_iter().zip(before) {
            until(&format!("{} counts each packet as {reason}", node.host), LIMIT, || {
                node.counter("lan", &path) == before + PACKETS
            });
        }
    }
    keeps_its_schedule(lab, setup, start);
    assert_eq!((a.epoch(), b.epoch()), epochs, "a role has changed");
    assert!(lab.watch.since(start).is_empty(), "addresses have moved: {:?}", lab.watch.since(start));
}

#[test]
fn random_bytes_change_no_role_and_no_schedule() {
    scenario(|lab| {
        let setup = Setup::lan(200);
        let (mut a, mut b) = pair(lab, &setup);
        let stranger = Stranger::new();
        let epochs = (a.epoch(), b.epoch());
        let mut random = Random(0x2545_f491);
        let start = Instant::now();
        at_a_pace(60, || {
            for (to, from) in [(Host::A, Host::B), (Host::B, Host::A)] {
                let [to, from] = [to, from].map(|host| host.address(Segment::Lan));
                for _ in 0..10 {
                    let bytes: Vec<u8> =
                        (0..random.next() % 64).map(|_| random.next().to_be_bytes()[3]).collect();
                    stranger.send(&ipv4(from, to, 255, &bytes), to);
                }
            }
        });
        keeps_its_schedule(lab, &setup, start);
        assert!(a.daemon.is_running() && b.daemon.is_running());
        assert_eq!((a.epoch(), b.epoch()), epochs, "a role has changed");
        assert!(lab.watch.since(start).is_empty(), "addresses have moved: {:?}", lab.watch.since(start));
    });
}

#[test]
fn priority_zero_forged_from_the_peers_address_moves_nothing() {
    scenario(|lab| {
        let (a, b) = pair(lab, &Setup::lan(200));
        let stranger = Stranger::new();
        let epochs = (a.epoch(), b.epoch());
        let start = Instant::now();
        at_a_pace(40, || {
            for (to, from) in [(Host::B, Host::A), (Host::A, Host::B)] {
                let [to, from] = [to, from].map(|host| host.address(Segment::Lan));
                let mut forgery = Forgery::v3(from, to, Segment::Lan.vip(), 20);
                forgery.priority = 0;
                stranger.send(&forgery.packet(), to);
            }
        });
        assert_eq!((a.epoch(), b.epoch()), epochs, "a role has changed");
        assert!(lab.watch.since(start).is_empty(), "addresses have moved: {:?}", lab.watch.since(start));
    });
}

/// Calls `act` so many times, one `PACE` apart.
fn at_a_pace(times: u64, mut act: impl FnMut()) {
    for _ in 0..times {
        act();
        thread::sleep(PACE);
    }
}

/// A's adverts since `start` are neither missing nor more than there should be. One may be late on a busy machine.
pub fn keeps_its_schedule(lab: &Lab, setup: &Setup, start: Instant) {
    let interval = ms(u64::from(setup.interval_ms));
    let times: Vec<Instant> =
        lab.capture.adverts(Host::A, Segment::Lan, start).into_iter().map(|(at, _)| at).collect();
    let expected = start.elapsed().as_millis() / interval.as_millis();
    let sent = times.len() as u128;
    assert!(
        sent + 2 >= expected * 9 / 10 && sent <= expected * 11 / 10 + 2,
        "{sent} adverts, not {expected}"
    );
    let gap = times.windows(2).map(|pair| pair[1].duration_since(pair[0])).max().unwrap_or_default();
    assert!(gap < interval * 2, "no advert for {gap:?}");
}

/// Marsaglia's xorshift: the same bytes in every run.
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}

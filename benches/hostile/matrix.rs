//! What a standby takes for a sign of its master's life: one kind of message at a time, at twice the pace of the master's
//! own, after valid ones.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::lab::attack::{Forgery, Stranger, Sum, with_options};
use crate::lab::setup::{Setup, Version};
use crate::lab::topology::{Host, Segment};
use crate::lab::watch::Change;

use super::run::{restart_lab, start};

/// Intervals that valid messages come for, before and after the standby is started, and then those of the row.
const VALID: u32 = 12;
const OF_THE_ROW: u32 = 25;

/// A kind of message.
pub struct Row {
    pub name: &'static str,
    version: Version,
    secret: Option<&'static str>,
    packet: fn(&Forgery) -> Vec<u8>,
}

/// Runs every row; the only figure is how often the standby took over.
pub fn all(lab: &Lab, program: &str, only: &str) {
    for row in rows().into_iter().filter(|row| row.name.contains(only)) {
        println!("matrix;{};{}", row.name, run(lab, program, &row));
    }
}

fn run(lab: &Lab, program: &str, row: &Row) -> String {
    let interval_ms = if row.version == Version::V2 { 1000 } else { 100 };
    let setup = Setup { version: row.version, secret: row.secret, ..Setup::lan(interval_ms) };
    let stranger = Stranger::new();
    let (from, to) = (Host::A.address(Segment::Lan), Host::B.address(Segment::Lan));
    let valid = match row.version {
        Version::V2 => Forgery::v2(from, to, Segment::Lan.vip(), row.secret.unwrap_or_default()),
        Version::V3 => Forgery::v3(from, to, Segment::Lan.vip(), 10),
    };
    let valid = if row.secret.is_none() && row.version == Version::V2 {
        Forgery { interval: [0, 1], ..valid }
    } else {
        valid
    };
    let say = |packet: &dyn Fn() -> Vec<u8>, intervals: u32| {
        for _ in 0..intervals * 2 {
            stranger.send(&packet(), to);
            thread::sleep(Duration::from_millis(u64::from(interval_ms) / 2));
        }
    };
    let few = if row.version == Version::V2 { 3 } else { 1 };
    say(&|| valid.packet(), 2);
    let router = start(lab, program, Host::B, &setup);
    say(&|| valid.packet(), VALID / few);
    let begin = Instant::now();
    say(&|| (row.packet)(&valid), OF_THE_ROW / few);
    let taken = lab.watch.since(begin).into_iter().filter(|step| step.change == Change::Added).count();
    drop(router);
    restart_lab(lab, IpAddr::V4(Segment::Lan.vip()));
    match taken {
        0 => "stays".to_owned(),
        1 => "takes over".to_owned(),
        _ => format!("takes over {taken} times"),
    }
}

fn rows() -> Vec<Row> {
    let v3 = |name, packet| Row { name, version: Version::V3, secret: None, packet };
    let v2 = |name, packet| Row { name, version: Version::V2, secret: None, packet };
    vec![
        v3("v3, right in everything", |valid| valid.packet()),
        v3("v3, hop limit 64", |valid| with(valid, |it| it.hop_limit = 64)),
        v3("v3, checksum of the message alone (RFC 9568)", |valid| {
            with(valid, |it| it.sum = Sum::MessageOnly)
        }),
        v3("v3, checksum as if to 224.0.0.18", |valid| with(valid, |it| it.sum = Sum::WithGroup)),
        v3("v3, checksum field 0", |valid| with(valid, |it| it.sum = Sum::Zero)),
        v3("v3, from an address that is no peer's", |valid| {
            with(valid, |it| it.source = Host::Stranger.address(Segment::Lan))
        }),
        v3("v3, another interval (1 s)", |valid| with(valid, |it| it.interval = [0, 100])),
        v3("v3, interval 0", |valid| with(valid, |it| it.interval = [0, 0])),
        v3("v3, reserved bits set", |valid| with(valid, |it| it.interval = [0xf0, 10])),
        v3("v3, with IPv4 options", |valid| with_options(&valid.packet())),
        v3("v3, type 2", |valid| with(valid, |it| it.kind = 2)),
        v3("v3, another virtual address", |valid| with(valid, |it| it.vips = vec![it.source])),
        v3("v3, one virtual address more", |valid| {
            with(valid, |it| {
                it.vips.push(it.source);
                it.count = 2;
            })
        }),
        v3("v3, no virtual address", |valid| {
            with(valid, |it| {
                it.vips.clear();
                it.count = 0;
            })
        }),
        v3("v3, 14 zero bytes behind it", |valid| with(valid, |it| it.tail = vec![0; 14])),
        v3("v3, 8 zero bytes behind it", |valid| with(valid, |it| it.tail = vec![0; 8])),
        v3("v3, 28 bytes behind it", |valid| with(valid, |it| it.tail = vec![7; 28])),
        v3("v3, priority 50", |valid| with(valid, |it| it.priority = 50)),
        v3("v3, to the group 224.0.0.18", |valid| {
            with(valid, |it| it.destination = std::net::Ipv4Addr::new(224, 0, 0, 18))
        }),
        v3("v2 to a router of v3", |valid| {
            let v2 = Forgery::v2(valid.source, valid.destination, Segment::Lan.vip(), "");
            Forgery { interval: [0, 1], ..v2 }.packet()
        }),
        v2("v2, right in everything", |valid| valid.packet()),
        v2("v2, another interval (2 s)", |valid| with(valid, |it| it.interval = [0, 2])),
        v2("v2, with a password where none is asked for", |valid| {
            with(valid, |it| (it.interval, it.tail) = ([1, 1], b"s3cr3t12".to_vec()))
        }),
        v2("v2, no authentication, but data for it", |valid| {
            with(valid, |it| it.tail = b"anything".to_vec())
        }),
        v2("v2, another virtual address", |valid| with(valid, |it| it.vips = vec![it.source])),
        v2("v3 to a router of v2", |valid| {
            Forgery::v3(valid.source, valid.destination, Segment::Lan.vip(), 100).packet()
        }),
    ]
}

fn with(valid: &Forgery, spoil: impl Fn(&mut Forgery)) -> Vec<u8> {
    let mut forgery = valid.clone();
    spoil(&mut forgery);
    forgery.packet()
}

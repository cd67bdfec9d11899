//! What the loop itself does with many leases, each piece of it by itself: it must not hold up an advert.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, Instant};

use gwha::daemon::clock;
use gwha::engine::Instant as Moment;
use gwha::limits;
use gwha::sync::lease::feed::Feed;
use gwha::sync::lease::table::Table;
use gwha::sync::lease::{Client, Life, Node, wire};

/// The shortest and the usual time of each piece, with so many leases.
pub fn measure(count: u32, dir: &Path) -> Vec<(&'static str, Duration, Duration)> {
    let now = clock::now();
    let table = filled(1, count, now);
    let mut other = Table::new(Node(2));
    let (mut feed, mut back) = (Feed::default(), Feed::default());
    feed.heard(Feed::hello(&other, now), &table);
    back.heard(Feed::hello(&table, now), &other);
    let mut batches = Vec::new();
    while let Some(body) = feed.next(&table, now) {
        let head = wire::Batch::decode(&body).expect("it was just made").head;
        feed.acked(head, &table);
        batches.push(body);
    }
    let mut next = batches.iter().cycle();
    let mut fresh = filled(3, count, now);
    let mut host = 0;
    let file = dir.join("loop.leases");
    vec![
        timed("taking in what the thread found (one portion)", || {
            for _ in 0..limits::LEASES_PER_TURN {
                host = (host + 1) % count;
                fresh.grant(address(host), client(host), Life::Until(now.after(Duration::from_secs(9000))));
            }
        }),
        timed("taking in a batch of the other router's", || {
            let body = next.next().expect("there are batches");
            let batch = wire::Batch::decode(body).expect("it was just made");
            for (address, entry) in wire::entries(batch.entries, now) {
                other.merge(address, entry);
            }
        }),
        timed("making the batches that may be on their way", || {
            let mut feed = Feed::default();
            feed.heard(Feed::hello(&Table::new(Node(9)), now), &table);
            while feed.next(&table, now).is_some() {}
        }),
        timed("forgetting what is over, and saying hello", || {
            fresh.purge(now);
            let _ = Feed::hello(&fresh, now).encode();
        }),
        timed("counting for the status", || {
            let _ = fresh.count(now);
        }),
        timed("writing the file for a takeover", || {
            let leases = table.leases(now);
            let clock = gwha::sync::lease::file::Clock { now, wall: clock::wall_micros() };
            let text = gwha::sync::lease::file::write(&leases, &[], clock);
            fs::write(&file, text).expect("the file is written");
        }),
    ]
}

fn filled(node: u32, count: u32, now: Moment) -> Table {
    let mut table = Table::new(Node(node));
    for host in 0..count {
        table.grant(address(host), client(host), Life::Until(now.after(Duration::from_secs(3600))));
    }
    table
}

fn address(host: u32) -> IpAddr {
    Ipv4Addr::from(0x0a10_0000 + host).into()
}

fn client(host: u32) -> Client {
    let mac = format!("02:00:00:01:{:02x}:{:02x}", host >> 8, host & 255);
    Client::new(&mac, &format!("host-{host}"), &format!("01:{mac}")).expect("three words")
}

/// Other programs run on this machine too: the shortest time is the work, the median what it usually takes.
fn timed(name: &'static str, mut work: impl FnMut()) -> (&'static str, Duration, Duration) {
    let mut times: Vec<Duration> = (0..51)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    (name, times[0], times[times.len() / 2])
}

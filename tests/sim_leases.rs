//! Leases in virtual time: three routers with real tables, a server each, and a network that breaks. A seed makes a history.
//!
//! What must hold: no table has a lease that no server granted; what a standby has confirmed outlives the master; where nobody
//! lost anything unconfirmed and nothing was split, no address has two owners and no released lease comes back; and when all
//! is quiet, all tables are equal.
//!
//! `SEED=7 cargo test --test sim_leases -- --nocapture` tells one history.

#[path = "support/rng.rs"]
mod rng;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use gwha::engine::Instant;
use gwha::limits;
use gwha::sync::lease::feed::Feed;
use gwha::sync::lease::file::{self, Clock};
use gwha::sync::lease::shadow::{Change, Read, Shadow};
use gwha::sync::lease::table::Table;
use gwha::sync::lease::wire::{self, Batch, Head, Hello};
use gwha::sync::lease::{Client, Node};

use rng::Rng;

const ROUTERS: usize = 3;
const ADDRESSES: u8 = 12;
const CLIENTS: u8 = 10;
/// The routers' wall clocks differ by years, and nothing may depend on it.
const WALL: [u64; ROUTERS] = [1_795_192_000, 1_500_000_000, 1_900_000_000];

#[derive(Clone)]
enum Message {
    Hello(Vec<u8>),
    Batch(Vec<u8>),
    Ack(Vec<u8>),
}

/// dnsmasq: what it has in memory, as lines of its file.
#[derive(Default)]
struct Server(Vec<(u8, u8, u64)>);

struct Router {
    table: Table,
    feeds: [Feed; ROUTERS],
    shadow: Shadow,
    server: Option<Server>,
}

struct World {
    rng: Rng,
    seconds: u64,
    lives: u32,
    routers: [Router; ROUTERS],
    /// `None`: there is no channel.
    wires: BTreeMap<(usize, usize), Option<VecDeque<Message>>>,
    /// Every lease that any server ever granted: address and client.
    granted: BTreeSet<(u8, u8)>,
    /// Who believes to have which address, and until when.
    owners: BTreeMap<u8, (u8, u64)>,
    released: BTreeSet<(u8, u8)>,
    /// Something unconfirmed was lost, or two servers ran: an address may have two owners then.
    is_spoilt: bool,
    is_told: bool,
}

fn router(node: u32) -> Router {
    Router {
        table: Table::new(Node(node)),
        feeds: Default::default(),
        shadow: Shadow::default(),
        server: None,
    }
}

fn address(host: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, host).into()
}

fn client(number: u8) -> Client {
    Client::new(&format!("02:00:00:00:00:{number:02x}"), "*", "*").unwrap()
}

impl World {
    fn new(seed: u64) -> World {
        let mut world = World {
            rng: Rng::new(seed),
            seconds: 1000,
            lives: 10,
            routers: [router(1), router(2), router(3)],
            wires: BTreeMap::new(),
            granted: BTreeSet::new(),
            owners: BTreeMap::new(),
            released: BTreeSet::new(),
            is_spoilt: false,
            is_told: std::env::var_os("SEED").is_some(),
        };
        for (from, to) in pairs() {
            world.connect(from, to);
        }
        world.take_over(0);
        world
    }

    fn tell(&self, what: impl Fn() -> String) {
        if self.is_told {
            println!("{:6} {}", self.seconds, what());
        }
    }

    /// Each router has a clock of its own boot too.
    fn clock(&self, at: usize) -> Clock {
        let now = Instant::from_micros((self.seconds + 7919 * at as u64) * 1_000_000);
        Clock { now, wall: (WALL[at] + self.seconds) * 1_000_000 }
    }

    fn connect(&mut self, from: usize, to: usize) {
        let now = self.clock(from).now;
        self.routers[from].feeds[to].begin();
        let hello = Feed::hello(&self.routers[from].table, now).encode();
        self.wires.insert((from, to), Some(VecDeque::from([Message::Hello(hello)])));
    }

    fn disconnect(&mut self, one: usize, other: usize) {
        for (from, to) in [(one, other), (other, one)] {
            self.wires.insert((from, to), None);
            self.routers[from].feeds[to].begin();
        }
    }

    /// Time goes on. A channel on which nothing arrives for seconds is given up.
    fn pass(&mut self, limit: u64) {
        self.seconds += self.rng.below(limit);
        for (from, to) in pairs() {
            if self.wires.get(&(from, to)).is_some_and(|wire| wire.as_ref().is_some_and(|it| !it.is_empty()))
            {
                self.disconnect(from, to);
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, message: Message) {
        if let Some(Some(wire)) = self.wires.get_mut(&(from, to)) {
            wire.push_back(message);
        }
    }

    fn feed(&mut self, from: usize, to: usize) {
        let now = self.clock(from).now;
        let Router { table, feeds, .. } = &mut self.routers[from];
        if let Some(body) = feeds[to].next(table, now) {
            self.send(from, to, Message::Batch(body));
        }
    }

    fn deliver(&mut self, from: usize, to: usize) -> bool {
        let Some(Some(wire)) = self.wires.get_mut(&(from, to)) else { return false };
        let Some(message) = wire.pop_front() else { return false };
        let now = self.clock(to).now;
        let Router { table, feeds, .. } = &mut self.routers[to];
        match message {
            Message::Hello(body) => {
                feeds[from].heard(Hello::decode(&body).unwrap(), table);
                self.feed(to, from);
            }
            Message::Batch(body) => {
                let batch = Batch::decode(&body).unwrap();
                for (address, entry) in wire::entries(batch.entries, now) {
                    table.merge(address, entry);
                }
                table.complete(&batch.have);
                feeds[from].came(&batch);
                self.send(to, from, Message::Ack(batch.head.encode()));
            }
            Message::Ack(body) => {
                feeds[from].acked(Head::decode(&body).unwrap().0, table);
                self.feed(to, from);
            }
        }
        true
    }

    fn serving(&self) -> Vec<usize> {
        (0..ROUTERS).filter(|at| self.routers[*at].server.is_some()).collect()
    }

    /// A client asks a server: it gets what it has there, or the first address that is free there.
    fn ask(&mut self, at: usize, who: u8) {
        let (seconds, lasts) = (self.seconds, 60 + self.rng.below(3000));
        let Some(server) = &mut self.routers[at].server else { return };
        server.0.retain(|(_, _, end)| *end > seconds);
        let own = server.0.iter().find(|(_, client, _)| *client == who).map(|(host, ..)| *host);
        let free = (1..=ADDRESSES).find(|host| server.0.iter().all(|(it, ..)| it != host));
        let Some(host) = own.or(free) else { return };
        server.0.retain(|(it, ..)| *it != host);
        server.0.insert(0, (host, who, seconds + lasts));
        self.tell(|| format!("{at} grants {host} to client {who} for {lasts}"));
        self.granted.insert((host, who));
        self.released.remove(&(host, who));
        self.owners.retain(|address, (owner, end)| *end > seconds && (*owner != who || *address == host));
        let before = self.owners.insert(host, (who, seconds + lasts));
        if let Some((before, _)) = before.filter(|(owner, _)| *owner != who) {
            assert!(self.is_spoilt, "{host} belongs to client {before} and was given to client {who}");
        }
    }

    fn release(&mut self, at: usize, who: u8) {
        let Some(server) = &mut self.routers[at].server else { return };
        let Some(host) = server.0.iter().find(|(_, client, _)| *client == who).map(|(host, ..)| *host) else {
            return;
        };
        server.0.retain(|(_, client, _)| *client != who);
        self.tell(|| format!("client {who} releases {host} at {at}"));
        self.owners.retain(|_, (owner, _)| *owner != who);
        self.released.insert((host, who));
    }

    /// The thread reads the server's file: all of it, or a beginning.
    fn read(&mut self, at: usize, is_settled: bool) {
        let cut = self.rng.below(400) as usize;
        let (clock, is_torn) = (self.clock(at), !is_settled && self.rng.below(3) == 0);
        let base = WALL[at];
        let Router { table, shadow, server, .. } = &mut self.routers[at];
        let Some(server) = server else { return };
        let mut text = String::new();
        for (host, who, end) in &server.0 {
            let _ = writeln!(text, "{} {} {} * *", base + end, client(*who).hardware(), address(*host));
        }
        let text = if is_torn { &text[..cut.min(text.len())] } else { &text[..] };
        let read = if is_settled { Read::Settled } else { Read::Clean };
        let found = shadow.look(text, read, clock, limits::LEASES);
        for change in found.changes {
            match change {
                Change::Granted { address, client, end } => {
                    let Some(life) = file::life(end, clock) else { continue };
                    table.grant(address, client, life);
                }
                Change::Released(address) => {
                    table.release(address, clock.now);
                }
            }
        }
        for to in (0..ROUTERS).filter(|to| *to != at) {
            self.feed(at, to);
        }
    }

    /// A server starts with what the table has, as a file.
    fn take_over(&mut self, at: usize) {
        let clock = self.clock(at);
        let base = WALL[at];
        let Router { table, shadow, server, .. } = &mut self.routers[at];
        let text = file::write(&table.leases(clock.now), &[], clock);
        shadow.clear();
        shadow.look(&text, Read::Settled, clock, limits::LEASES);
        let rows = file::lines(&text).filter_map(|line| match line {
            file::Line::Lease(row) => Some(row),
            file::Line::Other(_) => None,
        });
        let lease = |row: file::Row<'_>| {
            let IpAddr::V4(address) = row.address else { panic!("{row:?}") };
            let who = u8::from_str_radix(row.hardware.rsplit(':').next().unwrap(), 16).unwrap();
            (address.octets()[3], who, row.end - base)
        };
        *server = Some(Server(rows.map(lease).collect()));
        self.tell(|| format!("{at} takes over with {} leases", text.lines().count()));
    }

    /// The master is gone with all that it had, and another takes over.
    fn crash(&mut self, at: usize) {
        let to = (at + 1 + self.rng.below(2) as usize) % ROUTERS;
        self.read(at, true);
        let Router { table, feeds, .. } = &self.routers[at];
        // Whatever the other one has confirmed, it has: with this client, or something later.
        let is_level = feeds[to].is_level(table);
        let mine: Vec<_> = table.entries().map(|(address, entry)| (address, entry.clone())).collect();
        for (address, entry) in &mine {
            let there = self.routers[to].table.get(*address).map(|it| it.stamp);
            let is_over =
                entry.life.left(self.clock(at).now).is_some_and(|left| left < Duration::from_secs(2));
            assert!(
                !is_level || is_over || there >= Some(entry.stamp),
                "{address} was confirmed and is not there"
            );
        }
        self.is_spoilt |= !is_level;
        self.tell(|| {
            format!("{at} loses power{}", if is_level { "" } else { ", with something unconfirmed" })
        });
        self.lives += 1;
        self.routers[at] = router(self.lives);
        for other in (0..ROUTERS).filter(|other| *other != at) {
            self.disconnect(at, other);
        }
        self.take_over(to);
    }

    /// Two servers at a time, which both go on; then one stops, and the other starts anew with what both know.
    fn split_and_heal(&mut self, at: usize) {
        let other = (at + 1) % ROUTERS;
        self.tell(|| format!("{at} and {other} are split"));
        self.is_spoilt = true;
        self.disconnect(at, other);
        self.take_over(other);
        for _ in 0..self.rng.below(20) {
            let (who, side) = (self.rng.below(CLIENTS.into()) as u8, self.rng.below(2) as usize);
            self.ask([at, other][side], who);
            self.pass(30);
        }
        self.read(at, true);
        self.read(other, true);
        self.routers[other].server = None;
        self.connect(at, other);
        self.connect(other, at);
        self.settle();
        self.take_over(at);
    }

    /// All channels stand, and everybody says hello as often as in a quarter of a minute.
    fn settle(&mut self) {
        for _ in 0..5 {
            for (from, to) in pairs() {
                if self.wires.get(&(from, to)).is_none_or(Option::is_none) {
                    self.connect(from, to);
                    self.connect(to, from);
                }
            }
            for (from, to) in pairs() {
                let hello = Feed::hello(&self.routers[from].table, self.clock(from).now).encode();
                self.send(from, to, Message::Hello(hello));
            }
            while pairs().into_iter().any(|(from, to)| self.deliver(from, to)) {}
        }
    }

    fn step(&mut self) {
        let Some(at) = self.serving().first().copied() else { panic!("nobody serves") };
        let who = self.rng.below(CLIENTS.into()) as u8;
        let (from, to) = pairs()[self.rng.below(6) as usize];
        match self.rng.below(100) {
            0..30 => self.ask(at, who),
            30..36 => self.release(at, who),
            36..56 => self.read(at, false),
            56..84 => {
                self.deliver(from, to);
            }
            84..88 => {
                self.disconnect(from, to);
                self.tell(|| format!("no channel between {from} and {to}"));
            }
            88..92 => {
                self.connect(from, to);
                self.connect(to, from);
            }
            92..97 => {
                self.pass(200);
                let now = [0, 1, 2].map(|at| self.clock(at).now);
                self.routers.iter_mut().zip(now).for_each(|(router, now)| router.table.purge(now));
            }
            97 => self.crash(at),
            98 => {
                // A planned switch waits until the successor has everything.
                self.read(at, true);
                self.settle();
                self.routers[at].server = None;
                self.take_over((at + 1) % ROUTERS);
            }
            _ => self.split_and_heal(at),
        }
    }

    fn check(&self) {
        for router in &self.routers {
            for (host, entry) in router.table.entries() {
                let IpAddr::V4(host) = host else { panic!("{host}") };
                let Some(owner) = &entry.client else { continue };
                let who = (0..CLIENTS).find(|who| client(*who) == *owner).expect("a client of this world");
                assert!(self.granted.contains(&(host.octets()[3], who)), "{host} was never given to {who}");
            }
        }
    }

    fn check_quiet(&mut self) {
        let at = self.serving()[0];
        self.read(at, true);
        self.settle();
        let now = [0, 1, 2].map(|at| self.clock(at).now);
        self.routers.iter_mut().zip(now).for_each(|(router, now)| router.table.purge(now));
        let leases = |at: usize| -> BTreeMap<IpAddr, Client> {
            let leases = self.routers[at].table.leases(now[at]);
            // Seconds are rounded up on the way: what ends within two of them is not compared.
            let lasting =
                leases.into_iter().filter(|it| it.life.left(now[at]) > Some(Duration::from_secs(4)));
            lasting.map(|lease| (lease.address, lease.client.clone())).collect()
        };
        let expected = leases(at);
        for other in (0..ROUTERS).filter(|other| *other != at) {
            for (address, client) in &expected {
                let there = self.routers[other].table.get(*address).and_then(|entry| entry.client.as_ref());
                assert_eq!(there, Some(client), "{address} at {other}");
            }
            for (address, client) in leases(other) {
                let here = self.routers[at].table.get(address).and_then(|entry| entry.client.as_ref());
                assert_eq!(here, Some(&client), "{address} at {other} only");
            }
        }
        if !self.is_spoilt {
            for (host, who) in &self.released {
                assert_ne!(
                    expected.get(&address(*host)),
                    Some(&client(*who)),
                    "{host} came back to client {who}"
                );
            }
        }
    }
}

fn pairs() -> [(usize, usize); 6] {
    [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)]
}

fn play(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..300 {
        world.step();
        world.check();
    }
    world.check_quiet();
}

#[test]
fn no_history_invents_resurrects_doubles_or_loses_a_confirmed_lease() {
    rng::play_seeds(300, play);
}

//! DHCP leases over the channel, with real servers and real clients.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use serde_json::Value;

use crate::lab::dhcp::{Clients, listed};
use crate::lab::gwha::{Gwha, configuration};
use crate::lab::setup::{Preempt, Setup};
use crate::lab::topology::{Host, Segment};
use crate::lab::{Lab, scenario, until};

use super::setups::place::{Place, is_settled};
use super::support::{LIMIT, ms, until_role};
use super::wire::assert_one_at_a_time;

/// A gateway with its DHCP server, which gwha lets answer while it is master.
struct Router {
    gwha: Gwha,
    place: Place,
}

/// Addresses are given in order and without asking around first: a server that does not know a lease gives its address to
/// the next one who comes.
const SERVER: &str = "dhcp-range=192.168.100.100,192.168.100.250,2m\ndhcp-sequential-ip\n";

impl Router {
    fn start(lab: &Lab, setup: &Setup, host: Host) -> Router {
        let place = Place::new(lab, host);
        place.dnsmasq_with(SERVER);
        let text = configuration(setup, host);
        let (_, instances) = text.split_once("\n\n").expect("the first section ends");
        let text = format!("{}\n{instances}\toption dhcp_on_master '1'\n{}", place.options(), place.sync());
        Router { gwha: Gwha::start_with(lab, host, &text), place }
    }

    /// Waits until the router is master and its server answers.
    fn serve(&self) {
        until_role(&self.gwha, "master");
        until("the server answers", LIMIT, || is_settled(&self.gwha));
    }

    /// Without a farewell of anybody.
    fn lose_power(&mut self, lab: &Lab) {
        lab.power_off(self.gwha.host);
        self.gwha.daemon.kill();
        self.place.lose_power();
    }

    /// Comes back with what flash keeps: its configuration.
    fn boot(&mut self, lab: &Lab) {
        lab.reboot(self.gwha.host);
        self.gwha.restart();
    }

    fn leases(&self) -> Vec<(IpAddr, String)> {
        let answer = self.gwha.cli(&["leases", "--json"]).stdout;
        listed(&serde_json::from_slice(&answer).unwrap_or(Value::Null))
    }

    fn address_of(&self, client: u8) -> Option<IpAddr> {
        let mac = mac(client);
        self.leases().iter().find(|(_, client)| *client == mac).map(|(address, _)| *address)
    }
}

fn mac(client: u8) -> String {
    format!("02:00:00:00:99:{client:02x}")
}

fn lan() -> Setup {
    Setup { preempt: Preempt::No, ..Setup::lan(200) }
}

#[track_caller]
fn until_equal(one: &Router, other: &Router) {
    until("both routers know the same leases", LIMIT, || {
        let (one, other) = (one.leases(), other.leases());
        !one.is_empty() && one == other
    });
}

/// Chance that a failed run can be repeated with.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn clients_keep_their_addresses_over_power_losses_and_no_address_has_two_owners() {
    scenario(|lab| {
        const CLIENTS: u8 = 30;
        let setup = lan();
        let seed = std::env::var("SEED").ok().and_then(|it| it.parse().ok()).unwrap_or_else(|| {
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos().into()
        });
        eprintln!("SEED={seed}");
        let mut dice = Dice(seed);
        let clients = Clients::new(lab, CLIENTS);
        let mut master = Router::start(lab, &setup, Host::A);
        until_role(&master.gwha, "master");
        let mut standby = Router::start(lab, &setup, Host::B);
        master.serve();
        until("connected", LIMIT, || master.gwha.at("/peer/connected") == true);

        let mut given: BTreeMap<u8, (Ipv4Addr, Instant)> = BTreeMap::new();
        let mut exchanges = 0;
        for round in 0..3 {
            // Clients come in no order, new ones among them.
            for _ in 0..12 + dice.below(6) {
                let client = u8::try_from(dice.below(u64::from(CLIENTS) / 3 * (round + 1))).unwrap();
                let address = clients.ask(client).expect("the server answers");
                exchanges += 1;
                if let Some((before, _)) = given.insert(client, (address, Instant::now())) {
                    assert_eq!(address, before, "round {round}: client {client} was moved");
                }
                std::thread::sleep(ms(dice.below(60)));
            }
            master.lose_power(lab);
            let lost_at = Instant::now();

            until_role(&standby.gwha, "master");
            let confirmed: BTreeSet<(IpAddr, String)> = standby.leases().into_iter().collect();
            for (client, (address, at)) in &given {
                if lost_at.duration_since(*at) > ms(1000) {
                    let lease = (IpAddr::V4(*address), mac(*client));
                    assert!(confirmed.contains(&lease), "round {round}: {lease:?} is not in {confirmed:?}");
                }
            }
            standby.serve();

            // A newcomer first: it must not be given what belongs to somebody.
            let newcomer = CLIENTS - 1 - u8::try_from(round).unwrap();
            let mut owners: BTreeMap<Ipv4Addr, u8> = BTreeMap::new();
            let known: Vec<u8> = given.keys().copied().filter(|client| *client != newcomer).collect();
            for client in core::iter::once(newcomer).chain(known) {
                let address = clients.ask(client).expect("the new server answers");
                exchanges += 1;
                let is_confirmed = confirmed.iter().any(|(_, owner)| *owner == mac(client));
                if let Some((before, _)) = given.get(&client).filter(|_| is_confirmed) {
                    assert_eq!(address, *before, "round {round}: client {client} was moved by the takeover");
                }
                assert_eq!(owners.insert(address, client), None, "round {round}: {address} has two owners");
                given.insert(client, (address, Instant::now()));
            }
            master.boot(lab);
            core::mem::swap(&mut master, &mut standby);
            until_equal(&master, &standby);
        }
        assert!(exchanges >= 50, "only {exchanges} exchanges");
        eprintln!("{exchanges} exchanges");
        assert_one_at_a_time(lab);
    });
}

#[test]
fn change_is_on_the_standby_within_a_tenth_of_a_second_and_a_release_too() {
    scenario(|lab| {
        let clients = Clients::new(lab, 3);
        let a = Router::start(lab, &lan(), Host::A);
        until_role(&a.gwha, "master");
        let b = Router::start(lab, &lan(), Host::B);
        a.serve();
        until("connected", LIMIT, || a.gwha.at("/peer/connected") == true);
        let mut times = Vec::new();
        for client in 0..3 {
            let address = clients.ask(client).expect("the server answers");
            times.push(until("the lease is on the standby", LIMIT, || {
                b.address_of(client) == Some(address.into())
            }));
        }
        // Starting a command line to look takes part of that.
        assert!(times.iter().min().is_some_and(|it| *it < ms(100)), "{times:?}");
        until("nothing is on its way", LIMIT, || a.gwha.at("/leases/pending") == 0);
        assert_eq!((a.gwha.at("/leases/count"), a.gwha.at("/leases/peer_count")), (3.into(), 3.into()));
        assert!(a.gwha.at("/leases/last_success").as_f64().is_some_and(|it| it < 20.0));

        // dnsmasq is told by hand that an address is free again, as by a client that leaves.
        let released = Host::Client.netns().enter(|| release(a.address_of(1).unwrap(), 1));
        assert!(released, "the release was sent");
        until("the standby knows of the release", LIMIT, || b.address_of(1).is_none());
        assert!(b.address_of(0).is_some() && b.address_of(2).is_some());
        assert_one_at_a_time(lab);
    });
}

/// A DHCPRELEASE as udhcpc sends it.
fn release(address: IpAddr, client: u8) -> bool {
    let IpAddr::V4(address) = address else { return false };
    let mut packet = vec![1, 1, 6, 0, 9, 9, 9, 9, 0, 0, 0, 0];
    packet.extend(address.octets());
    packet.extend([0; 12]);
    packet.extend([2, 0, 0, 0, 0x99, client]);
    packet.extend([0; 10 + 64 + 128]);
    packet.extend([99, 130, 83, 99, 53, 1, 7, 54, 4, 192, 168, 100, 2]);
    packet.extend([61, 7, 1, 2, 0, 0, 0, 0x99, client, 255]);
    let server = (Host::A.address(Segment::Lan), 67);
    let socket = std::net::UdpSocket::bind("0.0.0.0:68");
    socket.and_then(|socket| socket.send_to(&packet, server)).is_ok()
}

#[test]
fn restart_of_the_daemon_loses_no_lease_and_no_change_made_meanwhile() {
    scenario(|lab| {
        let clients = Clients::new(lab, 8);
        let mut a = Router::start(lab, &lan(), Host::A);
        until_role(&a.gwha, "master");
        let mut b = Router::start(lab, &lan(), Host::B);
        a.serve();
        until("connected", LIMIT, || a.gwha.at("/peer/connected") == true);
        for client in 0..4 {
            clients.ask(client).expect("the server answers");
        }
        until_equal(&a, &b);

        // The standby's daemon forgets nothing, also while there is nobody to ask.
        lab.cut(Host::A, Segment::Lan, crate::lab::fault::Direction::Both);
        b.gwha.daemon.kill();
        b.gwha.restart();
        until("B knows its leases", LIMIT, || b.leases().len() == 4);
        lab.mend_all();
        until_role(&a.gwha, "master");

        // The master's daemon finds what its server did while it was away.
        a.gwha.daemon.kill();
        let address = clients.ask(5).expect("the server does not need the daemon");
        a.gwha.restart();
        until("B knows the new lease", 2 * LIMIT, || b.address_of(5) == Some(address.into()));
        until_equal(&a, &b);
        assert_one_at_a_time(lab);
    });
}

#[test]
fn planned_switch_brings_the_last_lease_over_before_the_role_moves() {
    scenario(|lab| {
        let clients = Clients::new(lab, 12);
        let a = Router::start(lab, &lan(), Host::A);
        until_role(&a.gwha, "master");
        let b = Router::start(lab, &lan(), Host::B);
        a.serve();
        until("connected", LIMIT, || a.gwha.at("/peer/connected") == true);
        for client in 0..11 {
            clients.ask(client).expect("the server answers");
        }
        let last = clients.ask(11).expect("the server answers");
        let switched = a.gwha.cli(&["switch"]);
        assert!(switched.status.success(), "{switched:?}");
        assert_eq!(b.address_of(11), Some(last.into()), "the switch was faster than the lease");

        b.serve();
        assert_eq!(clients.ask(11), Some(last));
        let synced = b.gwha.cli(&["sync"]);
        assert!(synced.status.success(), "{synced:?}");
        until_equal(&a, &b);
        let listed = String::from_utf8_lossy(&a.gwha.cli(&["leases"]).stdout).into_owned();
        assert!(listed.contains(&last.to_string()) && listed.contains(&mac(11)), "{listed}");
        assert_one_at_a_time(lab);
    });
}

#[test]
fn file_that_cannot_be_read_is_a_warning_and_an_event_and_then_none() {
    scenario(|lab| {
        let a = Router::start(lab, &lan(), Host::A);
        until_role(&a.gwha, "master");
        let file = a.place.lease_file();
        let warns = || a.gwha.at("/warnings").to_string().contains("leases_");
        let _ = fs::remove_file(&file);
        fs::create_dir(&file).unwrap();
        until("A warns", LIMIT, warns);
        fs::remove_dir(&file).unwrap();
        until("A does not warn any more", LIMIT, || !warns());
        a.serve();
        assert!(a.place.is_running("dnsmasq"), "it could not start with such a file");

        let history = || String::from_utf8(a.gwha.cli(&["history", "--json"]).stdout).unwrap();
        until("that it works again is told", LIMIT, || history().contains("sync_recovered"));
        let events = ["sync_failed", "sync_recovered"].map(|event| history().matches(event).count());
        assert_eq!(events, [1, 1], "{}", history());
        assert_one_at_a_time(lab);
    });
}

/// Two routers that don't see each other both lend the same addresses to different clients.
#[test]
fn after_a_split_no_address_has_two_owners() {
    scenario(|lab| {
        let near_a = Clients::on(lab, Host::Client, 0..6);
        let near_b = Clients::on(lab, Host::Stranger, 6..12);
        let a = Router::start(lab, &lan(), Host::A);
        a.serve();
        let b = Router::start(lab, &lan(), Host::B);
        until("connected", LIMIT, || a.gwha.at("/peer/connected") == true);
        let before: Vec<Ipv4Addr> = (0..3).filter_map(|client| near_a.ask(client)).collect();
        assert_eq!(before.len(), 3);
        until_equal(&a, &b);
        assert_one_at_a_time(lab);

        for (one, other) in [(Host::A, Host::B), (Host::Client, Host::B), (Host::Stranger, Host::A)] {
            lab.cut_path(one, other, Segment::Lan);
            lab.cut_path(other, one, Segment::Lan);
        }
        b.serve();
        // In the order in which addresses are given: the same ones on both sides.
        let mut given: BTreeMap<u8, Ipv4Addr> = (0..3).zip(before).collect();
        given.extend((3..6).map(|client| (client, near_a.ask(client).expect("A answers"))));
        given.extend((6..12).map(|client| (client, near_b.ask(client).expect("B answers"))));
        let distinct: BTreeSet<Ipv4Addr> = given.values().copied().collect();
        assert_eq!(distinct.len(), 9, "there was to be a quarrel about three addresses: {given:?}");

        lab.mend_all();
        until("there is one master again", LIMIT, || {
            [&a, &b].iter().filter(|it| it.gwha.role() == "master").count() == 1
        });
        let (master, standby) = if a.gwha.role() == "master" { (&a, &b) } else { (&b, &a) };
        until_equal(&a, &b);
        master.serve();
        until_role(&standby.gwha, "backup");
        until("the standby is silent", LIMIT, || is_settled(&standby.gwha));

        // Everybody asks again. Who had an address alone keeps it; of two, one.
        let mut owners: BTreeMap<Ipv4Addr, u8> = BTreeMap::new();
        for (client, held) in &given {
            let clients = if *client < 6 { &near_a } else { &near_b };
            let address = clients.ask(*client).expect("the master answers");
            assert_eq!(owners.insert(address, *client), None, "{address} has two owners");
            let alone = given.values().filter(|other| *other == held).count() == 1;
            assert!(address == *held || !alone, "client {client} had {held} alone and got {address}");
        }
        let kept = given.iter().filter(|(client, held)| owners.get(*held) == Some(*client)).count();
        assert_eq!(kept, 9, "of two that had one address, one keeps it: {given:?} {owners:?}");
        until_equal(&a, &b);
        let history =
            [&a, &b].map(|it| String::from_utf8_lossy(&it.gwha.cli(&["history"]).stdout).into_owned());
        let told = ["lent to two clients", "192.168.100.103", "192.168.100.104", "192.168.100.105"];
        let is_told = |text: &String| {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            told.iter().all(|word| text.contains(word))
        };
        assert!(history.iter().any(is_told), "{history:?}");
    });
}

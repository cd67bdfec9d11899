//! The encrypted channel between two running routers: seeing each other, and what is made of a silence.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::lab::fault::Direction;
use crate::lab::gwha::{Gwha, configuration};
use crate::lab::setup::Setup;
use crate::lab::topology::{Host, Segment};
use crate::lab::{Lab, holds_for, scenario, until};

use super::support::{LIMIT, ms, until_holds, until_role};

fn key_file(lab: &Lab, host: Host) -> PathBuf {
    lab.dir.join(format!("{host}.key"))
}

fn write_key(path: &Path, digit: char) {
    fs::write(path, digit.to_string().repeat(64)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn with_sync(lab: &Lab, setup: &Setup, host: Host) -> String {
    let key = key_file(lab, host);
    let sync =
        format!("\nconfig sync 'peer'\n\toption instance 'lan'\n\toption key_file '{}'\n", key.display());
    configuration(setup, host) + &sync
}

fn start(lab: &Lab, setup: &Setup, host: Host) -> Gwha {
    Gwha::start_with(lab, host, &with_sync(lab, setup, host))
}

/// A pair that shares a key and has found each other.
fn connected_pair(lab: &Lab, setup: &Setup) -> (Gwha, Gwha) {
    for host in [Host::A, Host::B] {
        write_key(&key_file(lab, host), '7');
    }
    let (a, b) = (start(lab, setup, Host::A), start(lab, setup, Host::B));
    until_role(&a, "master");
    until_holds(lab, Host::A, &setup.segments);
    until_connected(&a);
    until_connected(&b);
    (a, b)
}

#[track_caller]
fn until_connected(node: &Gwha) {
    until(&format!("{} is connected", node.host), LIMIT, || node.at("/peer/connected") == true);
}

#[track_caller]
fn until_says(node: &Gwha, pointer: &str, value: &str) {
    until(&format!("{} says {value} at {pointer}", node.host), LIMIT, || node.at(pointer) == value);
}

fn warns(node: &Gwha, code: &str) -> bool {
    let warnings = node.at("/warnings");
    warnings.as_array().is_some_and(|all| all.iter().any(|warning| warning["code"] == code))
}

#[track_caller]
fn until_warns(node: &Gwha, code: &str) {
    until(&format!("{} warns of {code}", node.host), LIMIT, || warns(node, code));
}

#[test]
fn routers_see_each_other_whoever_starts_first_and_after_a_restart() {
    scenario(|lab| {
        let setup = Setup::reference(200);
        let (mut a, mut b) = connected_pair(lab, &setup);
        until_says(&a, "/peer/role", "backup");
        until_says(&b, "/peer/role", "master");
        assert_eq!(a.at("/peer/name"), "gw-b");
        assert_eq!(b.at("/peer/name"), "gw-a");
        assert_eq!(a.at("/peer/version"), env!("CARGO_PKG_VERSION"));
        assert_eq!(a.at("/peer/instance"), "lan");
        until("the configurations are compared", LIMIT, || a.at("/peer/config_equal") == true);
        assert!(a.at("/peer/clock_offset").as_f64().is_some_and(|it| it.abs() < 2.0));
        until("a healthy pair has nothing to warn of", LIMIT, || b.at("/warnings") == Value::Array(vec![]));

        for node in [&mut b, &mut a] {
            node.daemon.kill();
            until(&format!("{} is gone", node.host), LIMIT, || node.status().is_none());
            node.restart();
            until_connected(node);
        }
        until_connected(&b);
    });
}

#[test]
fn maintenance_of_one_router_is_shown_on_the_other() {
    scenario(|lab| {
        let (a, b) = connected_pair(lab, &Setup::reference(200));
        assert!(b.cli(&["maintenance", "on"]).status.success());
        until_warns(&a, "peer_maintenance");
        assert_eq!(a.at("/peer/maintenance"), true);
        assert!(b.cli(&["maintenance", "off"]).status.success());
        until("A has nothing to warn of", LIMIT, || !warns(&a, "peer_maintenance"));
    });
}

#[test]
fn channel_falls_over_to_another_segment_and_comes_back_and_no_role_moves() {
    scenario(|lab| {
        let (a, b) = connected_pair(lab, &Setup::reference(200));
        let epochs = || (a.epoch(), b.epoch());
        let before = epochs();
        lab.cut(Host::B, Segment::Lan, Direction::Both);

        until("the channel runs on another segment", LIMIT, || {
            let is_elsewhere =
                |node: &Gwha| node.at("/peer/connected") == true && node.at("/peer/instance") != "lan";
            is_elsewhere(&a) && is_elsewhere(&b)
        });
        until_warns(&b, "peer_segment");
        assert_eq!(epochs(), before);

        lab.mend_all();
        until("the channel is back on its own segment", 2 * LIMIT, || {
            a.at("/peer/instance") == "lan" && b.at("/peer/instance") == "lan"
        });
        until("B has nothing to warn of", LIMIT, || !warns(&b, "peer_segment"));
        assert_eq!(epochs(), before);
    });
}

#[test]
fn dead_process_and_dead_host_are_told_apart() {
    scenario(|lab| {
        let (a, mut b) = connected_pair(lab, &Setup::reference(200));
        b.daemon.kill();
        until_says(&a, "/peer/state", "process_dead");
        until_warns(&a, "peer_process_dead");
        b.restart();
        until_connected(&a);

        lab.silence(Host::B);
        until_says(&a, "/peer/state", "host_dead");
        until_warns(&a, "peer_host_dead");
        assert_eq!(a.role(), "master");
    });
}

#[test]
fn different_keys_are_shown_on_both_sides_and_nothing_is_learned() {
    scenario(|lab| {
        write_key(&key_file(lab, Host::A), '7');
        write_key(&key_file(lab, Host::B), '8');
        let setup = Setup::reference(200);
        let (a, b) = (start(lab, &setup, Host::A), start(lab, &setup, Host::B));
        for node in [&a, &b] {
            until_says(node, "/peer/state", "wrong_key");
            until_warns(node, "peer_key");
            assert_eq!(node.at("/peer/name"), Value::Null);
            assert_eq!(node.at("/peer/role"), Value::Null);
        }
        until_role(&a, "master");
        until_role(&b, "backup");

        write_key(&key_file(lab, Host::B), '7');
        b.hup();
        until_connected(&a);
        until("B has no more to say of keys", LIMIT, || !warns(&b, "peer_key"));
    });
}

#[test]
fn key_that_changes_under_the_same_configuration_ends_the_channel_of_the_old_one() {
    scenario(|lab| {
        let (a, b) = connected_pair(lab, &Setup::reference(200));
        write_key(&key_file(lab, Host::A), '8');
        a.hup();
        for node in [&a, &b] {
            until_says(node, "/peer/state", "wrong_key");
            assert_eq!(node.at("/peer/connected"), false);
        }

        write_key(&key_file(lab, Host::B), '8');
        b.hup();
        until_connected(&a);
        until_connected(&b);
        assert_eq!(a.role(), "master");
    });
}

#[test]
fn key_that_is_missing_or_open_is_a_warning_and_is_found_when_it_comes() {
    scenario(|lab| {
        let setup = Setup::reference(200);
        write_key(&key_file(lab, Host::A), '7');
        let (a, b) = (start(lab, &setup, Host::A), start(lab, &setup, Host::B));
        until_warns(&b, "key_missing");
        until_role(&a, "master");

        write_key(&key_file(lab, Host::B), '7');
        fs::set_permissions(key_file(lab, Host::B), fs::Permissions::from_mode(0o644)).unwrap();
        b.hup();
        until_warns(&b, "key_refused");
        assert_eq!(a.at("/peer/connected"), false);

        fs::set_permissions(key_file(lab, Host::B), fs::Permissions::from_mode(0o600)).unwrap();
        until_connected(&a);
    });
}

#[test]
fn keygen_makes_a_key_for_its_owner_and_overwrites_nothing() {
    scenario(|lab| {
        let setup = Setup::lan(200);
        let node = start(lab, &setup, Host::A);
        let path = lab.dir.join("new/key");
        let made = node.cli(&["keygen", &path.display().to_string()]);
        assert!(made.status.success(), "{made:?}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!String::from_utf8_lossy(&made.stdout).contains(text.trim()), "the key was printed");

        let again = node.cli(&["keygen", &path.display().to_string()]);
        assert_eq!(again.status.code(), Some(1), "{again:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    });
}

#[test]
fn each_difference_of_the_configurations_is_named() {
    scenario(|lab| {
        let (a, b) = connected_pair(lab, &Setup::reference(200));
        let other = with_sync(lab, &Setup::reference(200), Host::B);
        let other =
            other.replace("option vrid '3'", "option vrid '33'").replace("10.0.0.4/24", "10.0.0.44/24");
        b.write_config(&other);
        b.hup();
        for node in [&a, &b] {
            until_warns(node, "peer_vrid");
            until_warns(node, "peer_vip");
            assert_eq!(node.at("/peer/config_equal"), false);
        }
    });
}

#[test]
fn flood_of_connections_delays_no_advert_and_keeps_no_memory() {
    scenario(|lab| {
        let (a, b) = connected_pair(lab, &Setup::reference(100));
        let epochs = (a.epoch(), b.epoch());
        let memory = resident_kib(&a);
        let target = SocketAddr::new(Host::A.address(Segment::Lan).into(), 8470);
        // From a stranger, and from the peer's own address: junk, half a handshake, silence.
        let flood = |host: Host, seconds: u64| {
            host.netns().enter(move || {
                let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
                let (mut open, mut count) = (Vec::new(), 0u32);
                while std::time::Instant::now() < end {
                    if let Ok(mut stream) = TcpStream::connect_timeout(&target, ms(50)) {
                        let _ = stream.set_nonblocking(true);
                        let _ = match count % 3 {
                            0 => stream.write(&[0xff; 4096]),
                            1 => stream.write(b"\x01\x00\x35gwha\x01half"),
                            _ => stream.read(&mut [0; 8]),
                        };
                        open.push(stream);
                    }
                    if open.len() > 200 {
                        open.clear();
                    }
                    count += 1;
                }
                count
            })
        };
        let began = std::time::Instant::now();
        let tried = flood(Host::Stranger, 3) + flood(Host::B, 3);
        assert!(tried > 100, "only {tried} connections: that was no flood");

        assert_eq!((a.epoch(), b.epoch()), epochs, "a flood moved a role");
        let gap = median_gap(lab, began);
        assert!(gap.abs_diff(ms(100)) < ms(5), "adverts are {gap:?} apart");
        assert_eq!(a.at("/peer/connected"), true);
        assert!(resident_kib(&a) < memory + 1024, "{memory} KiB before, {} now", resident_kib(&a));
        holds_for("B follows A", ms(1000), || b.role() == "backup");
    });
}

/// The usual time between two adverts of A on the LAN.
fn median_gap(lab: &Lab, since: std::time::Instant) -> std::time::Duration {
    let adverts = lab.capture.adverts(Host::A, Segment::Lan, since);
    let mut gaps: Vec<_> =
        adverts.windows(2).map(|pair| pair[1].0.saturating_duration_since(pair[0].0)).collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied().unwrap_or_default()
}

fn resident_kib(node: &Gwha) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.daemon.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn router_that_was_switched_away_does_not_take_back_after_its_restart() {
    scenario(|lab| {
        let setup = Setup::reference(200);
        let (mut a, mut b) = connected_pair(lab, &setup);
        let switched = a.cli(&["switch"]);
        assert!(switched.status.success(), "{switched:?}");
        lab.until_serving(Host::B, LIMIT);
        // B has heard of it before A forgets: A says so every two seconds, and at once when its role changes.
        until("A knows", LIMIT, || a.at("/groups/0/blocked_by").to_string().contains("operator"));
        std::thread::sleep(ms(2500));

        a.daemon.kill();
        lab.reboot(Host::A);
        a.restart();
        until_role(&a, "backup");
        lab.stays_serving(Host::B, ms(5000));
        until("A knows again", LIMIT, || a.at("/groups/0/blocked_by").to_string().contains("operator"));

        b.daemon.kill();
        lab.silence(Host::B);
        until_role(&a, "master");
    });
}

#[test]
fn router_that_was_not_switched_away_takes_back_after_its_restart() {
    scenario(|lab| {
        let (mut a, _b) = connected_pair(lab, &Setup::reference(200));
        a.daemon.kill();
        lab.reboot(Host::A);
        lab.until_serving(Host::B, LIMIT);
        a.restart();
        lab.until_serving(Host::A, LIMIT);
    });
}

#[test]
fn router_in_maintenance_refuses_a_switch_at_once() {
    scenario(|lab| {
        let (a, b) = connected_pair(lab, &Setup::reference(1000));
        assert!(b.cli(&["maintenance", "on"]).status.success());
        let event = std::time::Instant::now();
        let switched = a.cli(&["switch"]);
        assert_eq!(switched.status.code(), Some(1), "{switched:?}");
        assert!(String::from_utf8_lossy(&switched.stderr).contains("maintenance"), "{switched:?}");
        assert!(event.elapsed() < ms(1500), "the refusal took {:?}", event.elapsed());
        assert_eq!(a.role(), "master");
    });
}

#[test]
fn one_of_three_routers_is_chosen_by_address_or_name_from_anywhere() {
    scenario(|lab| {
        let setup = Setup { routers: vec![Host::A, Host::B, Host::C], ..Setup::lan(200) };
        for host in Host::GATEWAYS {
            write_key(&key_file(lab, host), '7');
        }
        let nodes = Host::GATEWAYS.map(|host| start(lab, &setup, host));
        let [a, b, c] = &nodes;
        until_role(a, "master");
        for node in &nodes {
            until(&format!("{} is connected to both others", node.host), LIMIT, || {
                let peers = node.at("/peers");
                peers
                    .as_array()
                    .is_some_and(|all| all.len() == 2 && all.iter().all(|it| it["connected"] == true))
            });
        }

        let to_c = Host::C.address(Segment::Lan).to_string();
        let switched = a.cli(&["switch", "--to", &to_c]);
        assert!(switched.status.success(), "{switched:?}");
        until_holds(lab, Host::C, &setup.segments);

        // For a moment C says 254, which B could only equal.
        until("C is done taking", LIMIT, || c.at("/groups/0/priority") == 80);
        let switched = a.cli(&["switch", "--to", "gw-b"]);
        assert!(switched.status.success(), "{switched:?}");
        until_holds(lab, Host::B, &setup.segments);
        until_role(c, "backup");
        until_role(b, "master");
    });
}

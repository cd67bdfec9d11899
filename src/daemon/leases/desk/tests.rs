use core::time::Duration;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::symlink;

use super::*;
use crate::sync::lease::{Node, Stamp};

fn client(text: &str) -> Client {
    Client::parse(text).unwrap()
}

fn hour() -> Life {
    Life::Until(clock::now().after(Duration::from_secs(3600)))
}

fn end_in(seconds: u64) -> u64 {
    clock::wall_seconds() + seconds
}

#[test]
fn file_for_a_server_has_the_leases_and_the_lines_that_only_this_router_knows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dhcp.leases");
    let stale = format!("{} 02:00:00:00:00:01 10.0.0.1 old *\n", end_in(100));
    let others = "duid 00:01:02\nvendorclass 10.0.0.7 aa\nvendorclass 10.0.0.9 bb\n";
    let kept = format!("{} 02:00:00:00:00:07 10.0.0.7 kept *\n", end_in(100));
    fs::write(&path, stale + &kept + others).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let (one, six) = (client("02:00:00:00:00:09 nine *"), client("77 laptop 00:01:aa"));
    let seven = client("02:00:00:00:00:07 kept *");

    let mut desk = Desk::new(path.clone());
    let leases = [
        ([10, 0, 0, 9].into(), &one, Life::Forever),
        ([10, 0, 0, 7].into(), &seven, hour()),
        ("fd00::9".parse().unwrap(), &six, hour()),
    ];
    let stamp = Stamp { term: 1, node: Node(1), seq: 1 };
    let leases = leases.map(|(address, client, life)| Lease { address, client, life, stamp });
    desk.write(&leases).unwrap();

    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "0 02:00:00:00:00:09 10.0.0.9 nine *");
    assert!(lines[1].ends_with(" 02:00:00:00:00:07 10.0.0.7 kept *"), "{text}");
    // 10.0.0.9 belonged to nobody when that line was written.
    assert_eq!(&lines[2..4], ["duid 00:01:02", "vendorclass 10.0.0.7 aa"]);
    assert!(lines[4].ends_with(" 77 fd00::9 laptop 00:01:aa"), "{text}");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    // And nothing in it is news.
    let mut items = Vec::new();
    desk.look_now(&mut items).unwrap();
    assert_eq!((items, desk.watch), (vec![], Watch::On));
}

#[test]
fn server_that_still_runs_writes_into_a_file_that_nobody_reads() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dhcp.leases");
    let mut servers = File::create(&path).unwrap();
    let mut desk = Desk::new(path.clone());
    desk.write(&[]).unwrap();
    writeln!(servers, "{} 02:00:00:00:00:01 10.0.0.1 late *", end_in(100)).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
}

#[test]
fn file_of_a_server_that_runs_is_told_from_one_that_nobody_has_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dhcp.leases");
    assert!(!is_open_elsewhere(&path));
    fs::write(&path, "").unwrap();
    let server = OpenOptions::new().append(true).open(&path).unwrap();
    assert!(is_open_elsewhere(&path));
    drop(server);
    // A program that another test starts at this moment has it too, until it is that program.
    let mut looks = 0..1000;
    while is_open_elsewhere(&path) && looks.next().is_some() {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!looks.is_empty(), "nobody has it open any more");
}

#[test]
fn link_that_waits_in_a_public_directory_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dhcp.leases");
    let victim = dir.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, dir.path().join("dhcp.leases.gwha")).unwrap();
    Desk::new(path.clone()).write(&[]).unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert!(path.exists());
}

#[test]
fn what_stood_in_the_file_before_is_told_apart_from_what_the_server_does() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dhcp.leases");
    let mut desk = Desk::new(path.clone());
    desk.begin(Watch::Adopting);
    let mut items = Vec::new();
    desk.look_now(&mut items).unwrap();
    assert_eq!((items.len(), desk.watch), (0, Watch::Adopting));

    let old = format!("{} 02:00:00:00:00:01 10.0.0.1 old *\n", end_in(100));
    fs::write(&path, &old).unwrap();
    desk.look_now(&mut items).unwrap();
    assert!(matches!(items[..], [Item::Adopted(..)]), "{items:?}");

    items.clear();
    fs::write(&path, format!("{} 02:00:00:00:00:02 10.0.0.2 new *\n{old}", end_in(100))).unwrap();
    desk.look_now(&mut items).unwrap();
    assert!(matches!(items[..], [Item::Granted(..)]), "{items:?}");
}

#[test]
fn directory_that_is_not_there_is_an_error_and_a_missing_file_is_none() {
    let dir = tempfile::tempdir().unwrap();
    assert!(read(&dir.path().join("none")).unwrap().is_none());
    assert!(read(dir.path()).is_err());
    assert!(Desk::new(dir.path().join("no/dhcp.leases")).write(&[]).is_err());
    let big = dir.path().join("big");
    File::create(&big).unwrap().set_len(limits::LEASE_FILE_BYTES as u64 + 1).unwrap();
    assert!(read(&big).is_err());
}

use std::collections::BTreeMap;

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::engine::Instant;

const WALL: u64 = 1_795_192_000;

fn clock() -> Clock {
    Clock { now: Instant::from_micros(300_000_000), wall: WALL * 1_000_000 }
}

/// A file with these hosts, each with its own address and an end an hour from now.
fn text(hosts: impl IntoIterator<Item = u8>) -> String {
    let mut text = String::new();
    for host in hosts {
        let _ = writeln!(text, "{} 02:00:00:00:00:{host:02x} 10.0.0.{host} h{host} *", WALL + 3600);
    }
    text
}

fn shadow(text: &str) -> Shadow {
    let mut shadow = Shadow::default();
    shadow.look(text, Read::Settled, clock(), 1000);
    shadow
}

fn released(found: &Found) -> Vec<u8> {
    let host = |change: &Change| match change {
        Change::Released(IpAddr::V4(address)) => Some(address.octets()[3]),
        Change::Released(IpAddr::V6(_)) | Change::Granted { .. } => None,
    };
    found.changes.iter().filter_map(host).collect()
}

fn granted(found: &Found) -> usize {
    found.changes.len() - released(found).len()
}

#[test]
fn first_look_finds_everything_new_and_the_second_nothing() {
    let mut shadow = Shadow::default();
    assert_eq!(granted(&shadow.look(&text(1..=20), Read::Clean, clock(), 1000)), 20);
    assert_eq!(shadow.look(&text(1..=20), Read::Clean, clock(), 1000), Found::default());
}

#[test]
fn renewal_and_new_owner_are_grants() {
    let mut shadow = shadow(&text(1..=3));
    let changed = text(1..=3).replace("10.0.0.2 h2", "10.0.0.2 other").replace(
        &format!("{} 02:00:00:00:00:03", WALL + 3600),
        &format!("{} 02:00:00:00:00:03", WALL + 7200),
    );
    let found = shadow.look(&changed, Read::Clean, clock(), 1000);
    assert_eq!((granted(&found), found.changes.len()), (2, 2));
}

#[test]
fn release_is_believed_at_once_if_the_writer_was_past_it() {
    let found = shadow(&text(1..=5)).look(&text([1, 2, 4, 5]), Read::Clean, clock(), 1000);
    assert_eq!((released(&found), found.doubts), (vec![3], 0));
}

#[test]
fn beginning_of_a_file_releases_nothing() {
    let whole = text(1..=50);
    for length in 0..whole.len() {
        let mut shadow = shadow(&whole);
        let found = shadow.look(&whole[..length], Read::Clean, clock(), 1000);
        assert_eq!(found.changes, [], "{length}");
        let found = shadow.look(&whole, Read::Clean, clock(), 1000);
        assert_eq!(found, Found::default(), "{length}");
    }
}

#[test]
fn text_without_its_last_line_end_is_never_settled() {
    let whole = text(1..=5);
    let mut shadow = shadow(&whole);
    let found = shadow.look(&whole[..whole.len() - 1], Read::Settled, clock(), 1000);
    assert_eq!((found.changes.len(), found.doubts), (0, 1));
}

#[test]
fn last_lines_are_released_when_the_text_is_settled() {
    let mut shadow = shadow(&text(1..=5));
    let found = shadow.look(&text(1..=3), Read::Clean, clock(), 1000);
    assert_eq!((found.changes.len(), found.doubts), (0, 2));
    let found = shadow.look(&text(1..=3), Read::Settled, clock(), 1000);
    assert_eq!((released(&found), found.doubts), (vec![4, 5], 0));
}

#[test]
fn beginning_of_a_restarted_servers_file_releases_nothing() {
    let backwards = text((1..=5).rev());
    let mut shadow = shadow(&text(1..=5));
    let found = shadow.look(&text([5, 4]), Read::Clean, clock(), 1000);
    assert_eq!((found.changes.len(), found.doubts), (0, 3));
    assert_eq!(shadow.look(&backwards, Read::Settled, clock(), 1000), Found::default());
}

#[test]
fn lease_that_was_granted_anew_is_no_proof_of_what_stood_before_it() {
    let mut shadow1 = shadow(&text([1, 11]));
    let anew = text([11]).replace(&(WALL + 3600).to_string(), &(WALL + 3700).to_string());
    let found = shadow1.look(&anew, Read::Clean, clock(), 1000);
    assert_eq!((released(&found), found.doubts), (vec![], 1));

    // Nor is one that was missing for a while.
    let mut shadow2 = shadow(&text([1, 11]));
    shadow2.look(&text([1]), Read::Clean, clock(), 1000);
    let found = shadow2.look(&text([11]), Read::Clean, clock(), 1000);
    assert_eq!((released(&found), found.doubts), (vec![], 1));
}

#[test]
fn lease_that_has_ended_is_not_released() {
    let mut shadow = shadow(&text(1..=5));
    let late = Clock { wall: (WALL + 3600) * 1_000_000, ..clock() };
    let found = shadow.look(&text([1]), Read::Settled, late, 1000);
    assert_eq!((found.changes.len(), found.doubts, found.dropped.len()), (0, 0, 4));
}

#[test]
fn most_of_a_network_and_a_new_file_are_lost_and_not_released() {
    let mut shadow1 = shadow(&text(1..=50));
    let found = shadow1.look("", Read::Clean, clock(), 1000);
    assert_eq!((found.changes.len(), found.doubts, found.dropped.len()), (0, 50, 0));
    let found = shadow1.look("", Read::Settled, clock(), 1000);
    assert_eq!((found.changes.len(), found.doubts, found.dropped.len()), (0, 0, 50));

    let mut shadow2 = shadow(&text(1..=3));
    let found = shadow2.look(&text([1, 3]), Read::Glimpse, clock(), 1000);
    assert_eq!((found.changes.len(), found.doubts), (0, 1));
    let found = shadow2.look(&text([1]), Read::NewFile, clock(), 1000);
    assert_eq!((found.changes.len(), found.dropped.len()), (0, 2));
}

#[test]
fn most_of_a_network_before_its_last_client_is_no_release_either() {
    let mut shadow = shadow(&text(1..=50));
    let found = shadow.look(&text([50]), Read::Clean, clock(), 1000);
    assert_eq!((found.changes.len(), found.doubts), (0, 49));
    let found = shadow.look(&text(1..=50), Read::Clean, clock(), 1000);
    assert_eq!(found, Found::default());
}

#[test]
fn of_two_lines_with_one_address_the_first_counts() {
    let two = text([7]) + &text([7]).replace("h7", "other");
    let mut shadow = Shadow::default();
    let found = shadow.look(&two, Read::Clean, clock(), 1000);
    assert_eq!(found.changes.len(), 1);
    assert!(shadow.has("10.0.0.7".parse().unwrap(), &Client::new("02:00:00:00:00:07", "h7", "*").unwrap()));
    assert_eq!(shadow.look(&two, Read::Clean, clock(), 1000), Found::default());
}

#[test]
fn other_lines_are_kept_as_the_settled_text_has_them() {
    let mut shadow = shadow(&(text([1]) + "duid 00:01\nvendorclass 10.0.0.1 aa\n"));
    assert_eq!(shadow.others(), ["duid 00:01", "vendorclass 10.0.0.1 aa"]);
    shadow.look("", Read::Clean, clock(), 1000);
    assert_eq!(shadow.others().len(), 2);
}

proptest! {
    /// A server that grants, renews and releases, and a reader that sees a beginning of its file as often as not.
    #[test]
    fn reader_ends_where_the_server_is_and_invents_nothing(
        steps in prop::collection::vec((1u8..30, 0u8..4, 0usize..2000, any::<bool>()), 1..120)
    ) {
        let mut leases: Vec<(u8, u64)> = Vec::new();
        let mut shadow = Shadow::default();
        let mut known: BTreeMap<u8, u64> = BTreeMap::new();
        for (host, action, cut, is_torn) in steps {
            let at = leases.iter().position(|(it, _)| *it == host);
            match (action, at) {
                (0, Some(at)) => { leases.remove(at); }
                (0, None) => {}
                (_, Some(at)) => leases[at].1 += 1,
                (_, None) => leases.insert(0, (host, WALL + 3600)),
            }
            let mut whole = String::new();
            for (host, end) in &leases {
                let _ = writeln!(whole, "{end} 02:00:00:00:00:{host:02x} 10.0.0.{host} h{host} *");
            }
            let seen = if is_torn { &whole[..cut.min(whole.len())] } else { &whole[..] };
            let found = shadow.look(seen, Read::Clean, clock(), 1000);
            apply(&mut known, &found);
            for host in released(&found) {
                prop_assert!(leases.iter().all(|(it, _)| *it != host), "{host} was not released");
            }
        }
        let mut whole = String::new();
        for (host, end) in &leases {
            let _ = writeln!(whole, "{end} 02:00:00:00:00:{host:02x} 10.0.0.{host} h{host} *");
        }
        let found = shadow.look(&whole, Read::Settled, clock(), 1000);
        let lost = found.dropped.len();
        apply(&mut known, &found);
        for (host, end) in &leases {
            prop_assert_eq!(known.get(host), Some(end));
        }
        prop_assert_eq!(known.len(), leases.len() + lost);
    }

    #[test]
    fn no_text_panics(text in "(?s).{0,300}", settled in any::<bool>()) {
        let read = if settled { Read::Settled } else { Read::Clean };
        let mut shadow = shadow(&self::text(1..5));
        shadow.look(&text, read, clock(), 10);
    }
}

fn apply(known: &mut BTreeMap<u8, u64>, found: &Found) {
    for change in &found.changes {
        match change {
            Change::Granted { address: IpAddr::V4(address), end, .. } => {
                known.insert(address.octets()[3], *end);
            }
            Change::Released(IpAddr::V4(address)) => {
                known.remove(&address.octets()[3]);
            }
            Change::Granted { .. } | Change::Released(_) => panic!("there is no IPv6 in this file"),
        }
    }
}

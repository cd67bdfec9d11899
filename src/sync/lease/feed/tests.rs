use std::net::{IpAddr, Ipv4Addr};

use super::super::table::Merged;
use super::super::{Client, Life};
use super::*;

const NOW: Instant = Instant::from_micros(9_000_000);

fn grant(table: &mut Table, host: u16) {
    let client =
        Client::new(&format!("02:00:00:00:{:02x}:{:02x}", host >> 8, host & 0xff), "*", "*").unwrap();
    let address = IpAddr::from(Ipv4Addr::from(0x0a00_0000 + u32::from(host)));
    let life = Life::Until(NOW.after(Duration::from_secs(3600)));
    assert_eq!(table.grant(address, client, life), Merged::News);
}

fn table(node: u32, hosts: u16) -> Table {
    let mut table = Table::new(Node(node));
    (0..hosts).for_each(|host| grant(&mut table, host));
    table
}

/// Takes in a batch as a standby does, and answers.
fn take(body: &[u8], table: &mut Table) -> Head {
    let batch = Batch::decode(body).unwrap();
    for (address, entry) in wire::entries(batch.entries, NOW) {
        assert_ne!(table.merge(address, entry), Merged::Full);
    }
    table.complete(&batch.have);
    batch.head
}

fn open(feed: &mut Feed, own: &Table, other: &Table) {
    feed.begin();
    assert_eq!(feed.heard(Feed::hello(other, NOW), own), Understood::Yes);
}

/// Until nothing more is to be sent. How many batches that took.
fn settle(feed: &mut Feed, own: &Table, other: &mut Table) -> usize {
    let mut batches = 0;
    while let Some(body) = feed.next(own, NOW) {
        batches += 1;
        let head = take(&body, other);
        feed.acked(head, own);
    }
    batches
}

#[test]
fn new_standby_is_given_everything_in_batches_that_wait_for_each_other() {
    let (a, mut b) = (table(1, 2000), Table::new(Node(2)));
    let mut feed = Feed::default();
    assert_eq!(feed.next(&a, NOW), None, "nothing is sent before the other router has said what it has");
    open(&mut feed, &a, &b);
    let mut flying = Vec::new();
    while let Some(body) = feed.next(&a, NOW) {
        assert!(body.len() <= crate::peer::frame::BODY_BYTES);
        flying.push(body);
    }
    assert_eq!(flying.len(), WINDOW);
    assert!(!feed.is_level(&a));
    for body in flying {
        let head = take(&body, &mut b);
        feed.acked(head, &a);
    }
    settle(&mut feed, &a, &mut b);
    assert!(feed.is_level(&a));
    assert_eq!((b.count(NOW), b.digest()), (2000, a.digest()));
    assert_eq!(feed.pending(&a), 0);
}

#[test]
fn one_that_was_away_is_given_what_it_missed() {
    let (mut a, mut b) = (table(1, 500), Table::new(Node(2)));
    let mut feed = Feed::default();
    open(&mut feed, &a, &b);
    settle(&mut feed, &a, &mut b);
    grant(&mut a, 7);
    grant(&mut a, 600);
    open(&mut feed, &a, &b);
    let body = feed.next(&a, NOW).unwrap();
    assert_eq!(wire::entries(Batch::decode(&body).unwrap().entries, NOW).count(), 2);
}

#[test]
fn what_was_on_its_way_when_the_channel_broke_is_sent_again() {
    let (mut a, mut b) = (table(1, 3), Table::new(Node(2)));
    let mut feed = Feed::default();
    open(&mut feed, &a, &b);
    let lost = feed.next(&a, NOW).unwrap();
    assert!(!lost.is_empty());
    open(&mut feed, &a, &b);
    assert_eq!(settle(&mut feed, &a, &mut b), 1);
    assert_eq!(b.count(NOW), 3);
    // And what could not be queued.
    grant(&mut a, 9);
    assert!(feed.next(&a, NOW).is_some());
    feed.rewind();
    assert_eq!(settle(&mut feed, &a, &mut b), 1);
    assert_eq!(b.count(NOW), 4);
}

#[test]
fn change_is_pending_until_it_is_confirmed() {
    let (mut a, mut b) = (table(1, 1), Table::new(Node(2)));
    let mut feed = Feed::default();
    open(&mut feed, &a, &b);
    settle(&mut feed, &a, &mut b);
    grant(&mut a, 5);
    feed.changed(&a, NOW);
    grant(&mut a, 6);
    feed.changed(&a, NOW.after(Duration::from_millis(5)));
    let later = NOW.after(Duration::from_millis(30));
    assert_eq!((feed.pending(&a), feed.lag(later)), (2, Some(Duration::from_millis(30))));
    let body = feed.next(&a, NOW).unwrap();
    assert_eq!(feed.pending(&a), 2);
    let head = take(&body, &mut b);
    assert!(feed.acked(head, &a));
    assert_eq!((feed.pending(&a), feed.lag(later)), (0, None));
}

#[test]
fn what_came_from_a_router_is_not_sent_back_to_it() {
    let (a, mut b) = (table(1, 30), Table::new(Node(2)));
    let (mut there, mut back) = (Feed::default(), Feed::default());
    open(&mut there, &a, &b);
    open(&mut back, &b, &a);
    let body = there.next(&a, NOW).unwrap();
    take(&body, &mut b);
    back.came(&Batch::decode(&body).unwrap());
    assert_eq!(back.next(&b, NOW), None);
}

#[test]
fn tables_that_differ_although_their_numbers_agree_are_sent_anew() {
    let (mut a, mut b) = (table(1, 30), Table::new(Node(2)));
    let mut feed = Feed::default();
    open(&mut feed, &a, &b);
    settle(&mut feed, &a, &mut b);
    // B loses what it had, for whatever reason, and its numbers say otherwise.
    let mut liar = Feed::hello(&Table::new(Node(2)), NOW);
    liar.have = b.have().clone();
    feed.heard(liar.clone(), &a);
    assert_eq!(feed.next(&a, NOW), None, "once may be chance");
    feed.heard(liar, &a);
    let mut fresh = Table::new(Node(3));
    assert_eq!(settle(&mut feed, &a, &mut fresh), 1);
    assert_eq!(fresh.digest(), a.digest());
    grant(&mut a, 100);
    assert_eq!(settle(&mut feed, &a, &mut fresh), 1);
}

#[test]
fn version_that_is_too_new_is_told_and_nothing_is_sent() {
    let (a, b) = (table(1, 3), Table::new(Node(2)));
    let mut feed = Feed::default();
    feed.begin();
    let hello = Hello { version: 9, oldest: 8, ..Feed::hello(&b, NOW) };
    assert_eq!(feed.heard(hello, &a), Understood::No { oldest: 8, newest: 9 });
    assert_eq!(feed.next(&a, NOW), None);
    let hello = Hello { version: 9, oldest: 1, ..Feed::hello(&b, NOW) };
    assert_eq!(feed.heard(hello, &a), Understood::Yes);
    assert!(feed.next(&a, NOW).is_some());
}

#[test]
fn answer_to_nothing_confirms_nothing() {
    let (a, b) = (table(1, 3), Table::new(Node(2)));
    let mut feed = Feed::default();
    open(&mut feed, &a, &b);
    assert!(!feed.acked(Head { number: 77, count: 3 }, &a));
    assert_eq!(feed.pending(&a), 3);
}

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

const NOW: Instant = Instant::from_micros(1_000_000_000);
const A: Node = Node(1);
const B: Node = Node(2);

fn at(host: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, host).into()
}

fn client(number: u8) -> Client {
    Client::new(&format!("02:00:00:00:00:{number:02x}"), "*", "*").unwrap()
}

fn hour() -> Life {
    Life::Until(NOW.after(Duration::from_secs(3600)))
}

/// Brings everything that `from` has to `to`, as it comes over the wire.
fn send(from: &Table, to: &mut Table) {
    let have = to.have().clone();
    for (address, entry) in from.lacking(&have) {
        assert_ne!(to.merge(address, entry.clone()), Merged::Full);
    }
    to.complete(from.have());
}

fn owner(table: &Table, host: u8) -> Option<Client> {
    table.get(at(host)).and_then(|entry| entry.client.clone())
}

#[test]
fn standby_has_what_it_was_sent_and_then_lacks_nothing() {
    let (mut a, mut b) = (Table::new(A), Table::new(B));
    for host in 1..=9 {
        a.grant(at(host), client(host), hour());
    }
    a.release(at(3), NOW);
    send(&a, &mut b);

    assert_eq!(b.count(NOW), 8);
    assert_eq!(b.digest(), a.digest());
    assert_eq!(a.lacking(b.have()).count(), 0);

    a.grant(at(4), client(4), Life::Forever);
    let lacking: Vec<IpAddr> = a.lacking(b.have()).map(|(address, _)| address).collect();
    assert_eq!(lacking, [at(4)]);
}

#[test]
fn the_last_of_all_numbers_ends_the_search() {
    let mut table = Table::new(A);
    let stamp = Stamp { term: 1, node: B, seq: u64::MAX };
    let entry = Entry { stamp, client: Some(client(1)), life: Life::Forever };
    assert_ne!(table.merge(at(1), entry), Merged::Full);
    let mut have = Have::default();
    assert_eq!(table.lacking(&have).count(), 1);

    have.add(B, u64::MAX);

    assert_eq!(table.lacking(&have).take(2).count(), 0);
}

#[test]
fn transfer_that_breaks_off_is_not_taken_for_complete() {
    let (mut a, mut b, mut c) = (Table::new(A), Table::new(B), Table::new(Node(3)));
    a.grant(at(1), client(1), hour());
    a.grant(at(2), client(2), hour());
    let have = Have::default();
    let from_a: Vec<_> = a.lacking(&have).map(|(address, entry)| (address, entry.clone())).collect();
    send(&a, &mut b);
    // B's own word of 10.0.0.1 replaces A's, and does not get to C: only A's of 10.0.0.2 does.
    b.grant(at(1), client(1), hour());
    let (address, entry) = b.lacking(&have).next().unwrap();
    c.merge(address, entry.clone());
    assert_eq!((address, c.have()), (at(2), &Have::default()));
    // So A still knows that C lacks the first.
    assert_eq!(a.lacking(c.have()).count(), from_a.len());
}

#[test]
fn older_copy_does_not_bring_a_released_lease_back() {
    let (mut a, mut b, mut c) = (Table::new(A), Table::new(B), Table::new(Node(3)));
    a.grant(at(1), client(1), hour());
    send(&a, &mut b);
    a.release(at(1), NOW);
    send(&a, &mut c);
    send(&b, &mut c);
    assert_eq!(owner(&c, 1), None);
    send(&c, &mut b);
    assert_eq!(owner(&b, 1), None);
}

#[test]
fn who_takes_over_writes_above_everything_that_it_knew() {
    let (mut a, mut b) = (Table::new(Node(900)), Table::new(Node(5)));
    for _ in 0..50 {
        a.grant(at(1), client(1), hour());
    }
    send(&a, &mut b);
    b.grant(at(1), client(2), hour());
    send(&b, &mut a);
    assert_eq!(owner(&a, 1), Some(client(2)));
    assert_eq!(b.term(), 2);
}

#[test]
fn after_a_split_both_agree_on_one_owner() {
    let (mut a, mut b) = (Table::new(A), Table::new(B));
    a.grant(at(1), client(1), hour());
    send(&a, &mut b);
    // Both go on alone.
    a.grant(at(7), client(7), hour());
    b.grant(at(7), client(8), hour());
    b.grant(at(9), client(9), hour());
    send(&a, &mut b);
    send(&b, &mut a);

    assert_eq!(a.digest(), b.digest());
    assert_eq!(owner(&a, 7), owner(&b, 7));
    assert_eq!(a.leases(NOW), b.leases(NOW));
    assert_eq!(a.count(NOW), 3);
    // The one that stays master writes above the other from now on.
    a.grant(at(7), client(7), hour());
    send(&a, &mut b);
    assert_eq!(owner(&b, 7), Some(client(7)));
}

#[test]
fn lease_that_is_over_is_gone_without_a_word() {
    let mut a = Table::new(A);
    a.grant(at(1), client(1), hour());
    a.grant(at(2), client(2), Life::Forever);
    a.grant(at(3), client(3), Life::Length(60));
    let later = NOW.after(Duration::from_secs(3600));
    assert_eq!(a.count(later), 2);
    let left: Vec<IpAddr> = a.leases(later).iter().map(|lease| lease.address).collect();
    assert_eq!(left, [at(2), at(3)]);
    a.purge(later);
    assert_eq!(a.entries().count(), 2);

    let mut never_had_it = Table::new(B);
    send(&a, &mut never_had_it);
    assert_eq!(never_had_it.digest(), a.digest());
}

#[test]
fn release_is_remembered_for_as_long_as_an_older_copy_could_live() {
    let mut a = Table::new(A);
    a.grant(at(1), client(1), hour());
    a.grant(at(2), client(2), Life::Forever);
    a.release(at(1), NOW);
    a.release(at(2), NOW);
    a.purge(NOW.after(Duration::from_secs(3599)));
    assert_eq!(a.entries().count(), 2);
    a.purge(NOW.after(Duration::from_secs(3600)));
    assert_eq!(a.entries().count(), 1);
    a.purge(NOW.after(RELEASE_REMEMBERED));
    assert_eq!(a.entries().count(), 0);
}

#[test]
fn what_was_not_lent_is_not_released() {
    let mut a = Table::new(A);
    assert_eq!(a.release(at(1), NOW), Merged::Known);
    assert_eq!((a.head(), a.entries().count()), (0, 0));
}

#[test]
fn full_table_takes_renewals_and_nothing_new() {
    let mut a = Table::new(A);
    for number in 0..u32::try_from(limits::LEASES).unwrap() {
        assert_eq!(a.grant(Ipv4Addr::from(number).into(), client(1), hour()), Merged::News);
    }
    assert_eq!(a.grant("fd00::1".parse().unwrap(), client(1), hour()), Merged::Full);
    assert_eq!(a.grant(Ipv4Addr::from(0).into(), client(1), Life::Forever), Merged::News);
    assert_eq!(a.entries().count(), limits::LEASES);
}

/// What three routers do, each on its own: a grant or a release of one of few addresses, or an exchange.
#[derive(Debug, Clone)]
enum Step {
    Grant { router: usize, host: u8, client: u8 },
    Release { router: usize, host: u8 },
    Send { from: usize, to: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0usize..3, 0u8..6, 0u8..9).prop_map(|(router, host, client)| Step::Grant { router, host, client }),
        (0usize..3, 0u8..6).prop_map(|(router, host)| Step::Release { router, host }),
        (0usize..3, 0usize..3).prop_map(|(from, to)| Step::Send { from, to }),
    ];
    prop::collection::vec(step, 0..60)
}

fn play(steps: &[Step]) -> [Table; 3] {
    let mut tables = [Table::new(Node(7)), Table::new(Node(3)), Table::new(Node(5))];
    for step in steps {
        match *step {
            Step::Grant { router, host, client: number } => {
                tables[router].grant(at(host), client(number), hour());
            }
            Step::Release { router, host } => {
                tables[router].release(at(host), NOW);
            }
            Step::Send { from, to } if from != to => {
                let mut other = core::mem::replace(&mut tables[to], Table::new(Node(0)));
                send(&tables[from], &mut other);
                tables[to] = other;
            }
            Step::Send { .. } => {}
        }
    }
    tables
}

fn copy(table: &Table) -> Table {
    let mut copy = Table::new(Node(99));
    send(table, &mut copy);
    copy
}

fn join(one: &Table, other: &Table) -> Table {
    let mut both = copy(one);
    for (address, entry) in other.entries() {
        both.merge(address, entry.clone());
    }
    both.complete(other.have());
    both
}

fn same(one: &Table, other: &Table) -> bool {
    one.entries.iter().eq(other.entries.iter())
        && one.digest == other.digest
        && one.order.iter().eq(other.order.iter())
}

proptest! {
    #[test]
    fn merge_is_commutative(steps in steps()) {
        let [a, b, _] = play(&steps);
        prop_assert!(same(&join(&a, &b), &join(&b, &a)));
    }

    #[test]
    fn merge_is_associative(steps in steps()) {
        let [a, b, c] = play(&steps);
        prop_assert!(same(&join(&join(&a, &b), &c), &join(&a, &join(&b, &c))));
    }

    #[test]
    fn merge_is_idempotent(steps in steps()) {
        let [a, b, _] = play(&steps);
        prop_assert!(same(&join(&a, &a), &copy(&a)));
        let both = join(&a, &b);
        prop_assert!(same(&join(&both, &b), &both));
    }

    /// Nobody who has what the numbers say lacks an entry.
    #[test]
    fn exchange_by_numbers_makes_tables_equal(steps in steps()) {
        let [mut a, mut b, mut c] = play(&steps);
        send(&a, &mut b);
        send(&b, &mut a);
        prop_assert!(same(&a, &b));
        send(&b, &mut c);
        send(&c, &mut b);
        send(&b, &mut a);
        prop_assert!(same(&a, &b) && same(&b, &c));
        prop_assert_eq!(a.leases(NOW), c.leases(NOW));
    }

    /// A writer that knows an entry and writes after it is never overruled by it.
    #[test]
    fn later_word_of_who_knew_the_earlier_one_stands(steps in steps(), host in 0u8..6) {
        let [mut a, b, _] = play(&steps);
        for (address, entry) in b.entries() {
            a.merge(address, entry.clone());
        }
        a.grant(at(host), client(200), hour());
        prop_assert_eq!(owner(&join(&b, &a), host), Some(client(200)));
    }
}

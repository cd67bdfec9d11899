use proptest::prelude::*;

use super::*;

/// The kernel's rules for addresses, as far as a plan can meet them. `tests/netlink_kernel.rs` holds the real one
/// to the same rules.
#[derive(Debug, Clone, Default)]
struct Kernel {
    observed: Observed,
    keeps_secondaries: Set<IfIndex>,
}

/// What is on a device.
fn on(observed: &Observed, device: IfIndex) -> impl Iterator<Item = &SeenAddress> {
    observed.addresses.iter().filter(move |seen| seen.placed.device == device)
}

impl Kernel {
    fn with(addresses: &[SeenAddress]) -> Kernel {
        let mut kernel = Kernel::default();
        for seen in addresses {
            let _ = kernel.add(*seen);
        }
        kernel
    }

    fn add(&mut self, new: SeenAddress) -> Result<(), &'static str> {
        let is_there = on(&self.observed, new.placed.device).any(|seen| {
            let is_same_network = seen.placed.prefix.length() == new.placed.prefix.length();
            seen.placed.is(new.placed.prefix.address())
                && (is_same_network || new.placed.prefix.family() == Family::V6)
        });
        if is_there {
            return Err("EEXIST");
        }
        self.observed.addresses.push(new);
        Ok(())
    }

    fn remove(&mut self, old: Placed) -> Result<(), &'static str> {
        let is_old =
            |seen: &SeenAddress| (seen.placed.device, seen.placed.prefix) == (old.device, old.prefix);
        let position = self.observed.addresses.iter().position(is_old).ok_or("EADDRNOTAVAIL")?;
        let in_network = |seen: &SeenAddress| {
            seen.placed.device == old.device
                && seen.placed.prefix.length() == old.prefix.length()
                && seen.placed.prefix.contains(old.prefix.address())
        };
        let is_first = !self.observed.addresses[..position].iter().any(in_network);
        self.observed.addresses.remove(position);
        if old.prefix.family() == Family::V4 && is_first && !self.keeps_secondaries.contains(&old.device) {
            self.observed.addresses.retain(|seen| !in_network(seen));
        }
        Ok(())
    }

    fn apply(&mut self, op: &Op) -> Result<(), &'static str> {
        match op {
            Op::KeepSecondaries(device) => {
                self.keeps_secondaries.insert(*device);
                Ok(())
            }
            Op::AddAddress(placed) => self.add(SeenAddress { placed: *placed, owner: Owner::Ours }),
            Op::RemoveAddress(placed) => self.remove(*placed),
        }
    }
}

fn device(number: u32) -> IfIndex {
    IfIndex::new(number).unwrap()
}

fn placed(text: &str) -> Placed {
    let (address, length) = text.split_once('/').unwrap();
    let prefix = Prefix::new(address.parse().unwrap(), length.parse().unwrap()).unwrap();
    Placed { device: device(1), prefix, label: None }
}

fn ours(text: &str) -> SeenAddress {
    SeenAddress { placed: placed(text), owner: Owner::Ours }
}

fn strangers(text: &str) -> SeenAddress {
    SeenAddress { placed: placed(text), owner: Owner::Stranger }
}

fn want(text: &str, wanted: Addresses) -> WantedAddress {
    let Placed { device, prefix, label } = placed(text);
    WantedAddress { device, address: prefix.address(), length: Some(prefix.length()), label, wanted }
}

fn steps(wanted: &[WantedAddress], seen: &[SeenAddress]) -> Vec<Op> {
    plan(&Desired { addresses: wanted.to_vec() }, &Observed { addresses: seen.to_vec() })
}

use Addresses::{Absent, Hold, Present};

fn add(text: &str) -> Op {
    Op::AddAddress(placed(text))
}

fn remove(text: &str) -> Op {
    Op::RemoveAddress(placed(text))
}

mod the_length {
    use super::*;

    #[test]
    fn is_as_written_when_nothing_else_makes_the_network_reachable() {
        let elsewhere = SeenAddress {
            placed: Placed { device: device(2), ..placed("192.0.2.2/24") },
            owner: Owner::Stranger,
        };
        for seen in
            [strangers("198.51.100.2/24"), strangers("192.0.2.2/25"), strangers("192.0.2.2/32"), elsewhere]
        {
            assert_eq!(steps(&[want("192.0.2.1/24", Present)], &[seen]), [add("192.0.2.1/24")], "{seen:?}");
        }
    }

    #[test]
    fn is_a_hosts_when_the_routers_own_address_covers_it() {
        for own in ["192.0.2.2/24", "192.0.0.2/16"] {
            let steps = steps(&[want("192.0.2.1/24", Present)], &[strangers(own)]);
            assert_eq!(steps, [add("192.0.2.1/32")], "{own}");
        }
        let steps = steps(&[want("2001:db8::1/64", Present)], &[strangers("2001:db8::a:b/64")]);
        assert_eq!(steps, [add("2001:db8::1/128")]);
    }

    #[test]
    fn is_a_hosts_for_an_ipv6_link_local_address() {
        assert_eq!(steps(&[want("fe80::1/64", Present)], &[]), [add("fe80::1/128")]);
    }

    #[test]
    fn is_a_hosts_when_none_is_written() {
        let wanted = WantedAddress { length: None, ..want("192.0.2.1/24", Present) };
        assert_eq!(steps(&[wanted], &[]), [add("192.0.2.1/32")]);
    }

    #[test]
    fn is_as_written_only_for_the_first_of_a_network() {
        let wanted = [want("192.0.2.9/24", Present), want("192.0.2.1/24", Present)];

        assert_eq!(steps(&wanted, &[]), [add("192.0.2.9/24"), add("192.0.2.1/32")]);
        // The one that has been first stays first.
        assert_eq!(steps(&wanted, &[ours("192.0.2.1/24")]), [add("192.0.2.9/32")]);
    }

    #[test]
    fn changes_when_the_routers_own_address_comes_and_nothing_is_lost() {
        let seen = [ours("192.0.2.1/24"), strangers("192.0.2.2/24")];
        assert_eq!(
            steps(&[want("192.0.2.1/24", Present)], &seen),
            [Op::KeepSecondaries(device(1)), add("192.0.2.1/32"), remove("192.0.2.1/24")]
        );
    }

    #[test]
    fn of_an_ipv6_address_changes_by_removing_it_first() {
        let seen = [ours("2001:db8::1/64"), strangers("2001:db8::2/64")];
        assert_eq!(
            steps(&[want("2001:db8::1/64", Present)], &seen),
            [remove("2001:db8::1/64"), add("2001:db8::1/128")]
        );
    }

    #[test]
    fn passes_to_the_next_virtual_address_when_the_first_goes() {
        let wanted = [want("192.0.2.1/24", Absent), want("192.0.2.9/24", Present)];
        assert_eq!(
            steps(&wanted, &[ours("192.0.2.1/24"), ours("192.0.2.9/32")]),
            [
                Op::KeepSecondaries(device(1)),
                remove("192.0.2.1/24"),
                add("192.0.2.9/24"),
                remove("192.0.2.9/32")
            ]
        );
    }
}

mod ownership {
    use super::*;

    #[test]
    fn a_strangers_virtual_address_is_neither_doubled_nor_removed() {
        for text in ["192.0.2.1/24", "192.0.2.1/32"] {
            for wanted in [Present, Hold, Absent] {
                assert_eq!(steps(&[want("192.0.2.1/24", wanted)], &[strangers(text)]), []);
            }
        }
    }

    #[test]
    fn what_is_held_is_left_as_it_is() {
        for seen in [&[ours("192.0.2.1/24")][..], &[ours("192.0.2.1/32")], &[]] {
            assert_eq!(steps(&[want("192.0.2.1/24", Hold)], seen), []);
        }
    }

    #[test]
    fn what_nothing_mentions_any_more_goes_if_it_is_ours() {
        let seen = [ours("192.0.2.1/24"), strangers("192.0.2.7/32"), ours("fe80::1/128")];
        let expected = [remove("192.0.2.1/24"), remove("fe80::1/128")];
        assert_eq!(steps(&[], &seen), expected);
    }

    #[test]
    fn the_same_address_on_another_device_is_another_address() {
        let moved = WantedAddress { device: device(2), ..want("192.0.2.1/24", Present) };
        let there = Placed { device: device(2), ..placed("192.0.2.1/24") };
        assert_eq!(steps(&[moved], &[ours("192.0.2.1/24")]), [remove("192.0.2.1/24"), Op::AddAddress(there)]);
    }
}

#[test]
fn what_goes_goes_before_what_comes() {
    let wanted = [want("192.0.2.1/24", Present), want("198.51.100.1/24", Absent)];
    assert_eq!(steps(&wanted, &[ours("198.51.100.1/24")]), [remove("198.51.100.1/24"), add("192.0.2.1/24")]);
}

#[test]
fn a_new_label_needs_a_new_address() {
    let labelled = WantedAddress { label: Label::new("lan0:vip"), ..want("192.0.2.1/24", Present) };
    let new = Placed { label: Label::new("lan0:vip"), ..placed("192.0.2.1/24") };
    assert_eq!(steps(&[labelled], &[ours("192.0.2.1/24")]), [remove("192.0.2.1/24"), Op::AddAddress(new)]);
}

/// Few devices, addresses and lengths, so that they meet.
fn any_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0u32..8).prop_map(|host| IpAddr::V4((0xc000_0200 + host).into())),
        (0u32..3).prop_map(|host| IpAddr::V4((0xc633_6400 + host).into())),
        (0u128..6).prop_map(|host| IpAddr::V6(((0x2001_0db8 << 96) + host).into())),
    ]
}

fn any_label() -> impl Strategy<Value = Option<Label>> {
    prop_oneof![4 => Just(None), 1 => Just(Label::new("lan0:vip"))]
}

fn length_of(address: IpAddr, choice: u8) -> u8 {
    match Family::of(address) {
        Family::V4 => [24, 24, 29, 30, 32][usize::from(choice % 5)],
        Family::V6 => [64, 64, 126, 128][usize::from(choice % 4)],
    }
}

prop_compose! {
    fn any_seen()(
        number in 1u32..3, address in any_address(), choice: u8, is_ours: bool, label in any_label(),
    ) -> SeenAddress {
        let prefix = Prefix::new(address, length_of(address, choice)).unwrap();
        let label = label.filter(|_| Family::of(address) == Family::V4);
        let owner = if is_ours { Owner::Ours } else { Owner::Stranger };
        SeenAddress { placed: Placed { device: device(number), prefix, label }, owner }
    }
}

prop_compose! {
    fn any_want()(
        number in 1u32..3, address in any_address(), choice: u8, is_written: bool, label in any_label(),
        wanted in prop_oneof![3 => Just(Present), 1 => Just(Hold), 1 => Just(Absent)],
    ) -> WantedAddress {
        let length = is_written.then(|| length_of(address, choice));
        let label = label.filter(|_| Family::of(address) == Family::V4);
        WantedAddress { device: device(number), address, length, label, wanted }
    }
}

fn any_desired() -> impl Strategy<Value = Desired> {
    proptest::collection::vec(any_want(), 0..8).prop_map(|mut addresses| {
        addresses.sort_by_key(|entry| (entry.device, entry.address));
        addresses.dedup_by_key(|entry| (entry.device, entry.address));
        Desired { addresses }
    })
}

fn any_kernel() -> impl Strategy<Value = Kernel> {
    proptest::collection::vec(any_seen(), 0..10).prop_map(|seen| Kernel::with(&seen))
}

fn of(kernel: &Kernel, owner: Owner) -> Vec<Placed> {
    kernel.observed.addresses.iter().filter(|seen| seen.owner == owner).map(|seen| seen.placed).collect()
}

fn is_as_desired(kernel: &Kernel, desired: &Desired) -> Result<(), TestCaseError> {
    for entry in &desired.addresses {
        let standing = kernel.observed.standing(entry.device, entry.address);
        match entry.wanted {
            Present => prop_assert_ne!(standing, Standing::Absent, "{:?}", entry),
            Absent => prop_assert_ne!(standing, Standing::Ours, "{:?}", entry),
            Hold => {}
        }
        if entry.wanted == Present && !kernel.observed.has(entry.device, entry.address, Owner::Stranger) {
            let mut on_device = on(&kernel.observed, entry.device);
            prop_assert!(on_device.any(|seen| seen.placed.covers(entry.written())), "{:?}", entry);
        }
    }
    let is_wanted = |placed: &Placed| {
        let is_it = |entry: &WantedAddress| entry.device == placed.device && placed.is(entry.address);
        desired.addresses.iter().any(|entry| is_it(entry) && entry.wanted != Absent)
    };
    prop_assert!(of(kernel, Owner::Ours).iter().all(is_wanted));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_plan_carried_out_leaves_nothing_to_do(desired in any_desired(), mut kernel in any_kernel()) {
        for op in plan(&desired, &kernel.observed) {
            prop_assert_eq!(kernel.apply(&op), Ok(()), "{:?}", op);
        }
        prop_assert_eq!(plan(&desired, &kernel.observed), []);
        is_as_desired(&kernel, &desired)?;
    }

    #[test]
    fn strangers_addresses_stay_as_they_are(desired in any_desired(), mut kernel in any_kernel()) {
        let before = of(&kernel, Owner::Stranger);
        for op in plan(&desired, &kernel.observed) {
            let _ = kernel.apply(&op);
            prop_assert_eq!(&of(&kernel, Owner::Stranger), &before, "{:?}", op);
        }
    }

    #[test]
    fn what_is_held_stays_as_it_is(desired in any_desired(), mut kernel in any_kernel()) {
        let held = |kernel: &Kernel| {
            let is_held = |placed: &Placed| {
                let is_it = |entry: &WantedAddress| entry.device == placed.device && placed.is(entry.address);
                desired.addresses.iter().any(|entry| is_it(entry) && entry.wanted == Hold)
            };
            of(kernel, Owner::Ours).into_iter().filter(is_held).collect::<Vec<_>>()
        };
        let before = held(&kernel);
        for op in plan(&desired, &kernel.observed) {
            let _ = kernel.apply(&op);
        }
        prop_assert_eq!(held(&kernel), before);
    }

    #[test]
    fn a_plan_cut_short_anywhere_is_taken_up_again(
        desired in any_desired(), mut kernel in any_kernel(), cut in 0usize..6,
    ) {
        for op in plan(&desired, &kernel.observed).iter().take(cut) {
            prop_assert_eq!(kernel.apply(op), Ok(()));
        }
        for op in plan(&desired, &kernel.observed) {
            prop_assert_eq!(kernel.apply(&op), Ok(()));
        }
        prop_assert_eq!(plan(&desired, &kernel.observed), []);
        is_as_desired(&kernel, &desired)?;
    }

    #[test]
    fn an_ipv4_address_that_stays_is_never_gone_in_between(desired in any_desired(), mut kernel in any_kernel()) {
        let is_relabelled = |entry: &&WantedAddress| {
            kernel.observed.ours().iter().any(|old| old.is(entry.address) && old.label != entry.label)
        };
        let stays: Vec<_> = desired
            .addresses
            .iter()
            .filter(|entry| entry.wanted == Present && entry.address.is_ipv4())
            .filter(|entry| kernel.observed.standing(entry.device, entry.address) != Standing::Absent)
            .filter(|entry| !is_relabelled(entry))
            .collect();
        for op in plan(&desired, &kernel.observed) {
            let _ = kernel.apply(&op);
            for entry in &stays {
                let standing = kernel.observed.standing(entry.device, entry.address);
                prop_assert_ne!(standing, Standing::Absent, "{:?} {:?}", op, entry);
            }
        }
    }
}

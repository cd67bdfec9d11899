use core::num::NonZeroU8;
use core::time::Duration;
use std::collections::BTreeSet;
use std::net::IpAddr;

use super::*;
use crate::config::model::*;
use crate::netlink::{
    AddressFlags, Event, IfIndex, Lifetimes, Link, LinkFlags, LinkKind, OperState, Prefix, Scope,
};
use crate::wire::types::{Family, Interval, Version, Vrid};
use crate::wire::vrrp::{Auth, ChecksumForm};

const OWN: &str = "192.0.2.2/24";
const VIP: &str = "192.0.2.1";

fn at(ms: u64) -> Instant {
    Instant::from_micros(ms * 1000)
}

fn name(text: &str) -> IfName {
    IfName::new(text).unwrap()
}

fn index(number: u32) -> IfIndex {
    IfIndex::new(number).unwrap()
}

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix::new(address.parse().unwrap(), length.parse().unwrap()).unwrap()
}

/// A configuration of one group for each of `groups`, which lists its virtual addresses; all on link 0.
fn config(groups: &[&[&str]]) -> Config {
    let instance = |(number, vips): (usize, &&[&str])| Instance {
        name: format!("instance{number}"),
        link: LinkId(0),
        family: Family::V4,
        vrid: Vrid::new(NonZeroU8::MIN.get()).unwrap(),
        version: Version::V3,
        interval: Interval::DEFAULT,
        auth: Auth::None,
        mode: Mode::Unicast,
        routers: Routers::Listed(Vec::new()),
        vips: vips.iter().map(|text| vip(text)).collect(),
        hop_limit_min: 255,
        checksum: ChecksumForm::Message,
        accept_old_checksum: false,
        announce: AnnounceSchedule::default(),
        group: GroupId(number as u16),
    };
    let group = |number: usize| Group {
        name: format!("group{number}"),
        instances: vec![InstanceId(number as u16)],
        tracks: Vec::new(),
        base: Base::Own(100),
        preempt: Preempt::On,
        preempt_delay: Duration::ZERO,
        actions: Actions::default(),
    };
    Config {
        enabled: true,
        log_level: log::LevelFilter::Info,
        tools: Default::default(),
        scheduling: Scheduling::Ordinary,
        links: vec![LinkRef::Interface("lan".into())],
        instances: groups.iter().enumerate().map(instance).collect(),
        groups: (0..groups.len()).map(group).collect(),
        tracks: Vec::new(),
        sync: None,
    }
}

/// `ADDRESS/LENGTH` or `ADDRESS/LENGTH LABEL`.
fn vip(text: &str) -> Vip {
    let (text, label) = text.split_once(' ').map_or((text, None), |(text, label)| (text, Some(label.into())));
    let prefix = prefix(text);
    Vip { address: prefix.address(), prefix: Some(prefix.length()), label }
}

/// A kernel that does what it is told, unless told not to.
#[derive(Default)]
struct Kernel {
    mirror: Mirror,
    /// Addresses whose steps fail.
    refused: BTreeSet<IpAddr>,
    /// It is older than 5.18.
    is_old: bool,
    file: String,
    taken: Vec<String>,
}

impl Kernel {
    fn link(&mut self, number: u32, text: &str, flags: i32) {
        self.mirror.apply(&Event::Link(Link {
            index: index(number),
            name: name(text),
            flags: LinkFlags(flags as u32),
            carrier: true,
            oper_state: OperState::Up,
            mac: Some([2, 0, 0, 0, 0, 1]),
            mtu: 1500,
            master: None,
            lower: None,
            kind: LinkKind::Plain,
            port: None,
        }));
    }

    fn address(&self, placed: Placed, protocol: Protocol) -> Address {
        let device = self.mirror.link(placed.device).unwrap();
        Address {
            index: placed.device,
            prefix: placed.prefix,
            peer: None,
            flags: AddressFlags::NONE,
            scope: Scope::UNIVERSE,
            label: placed
                .label
                .or(Label::new(device.name.as_bytes()))
                .filter(|_| placed.prefix.address().is_ipv4()),
            broadcast: None,
            protocol: if self.is_old { Protocol::UNSPECIFIED } else { protocol },
            lifetimes: Lifetimes::FOREVER,
        }
    }

    fn set(&mut self, number: u32, text: &str, protocol: Protocol) {
        let placed = Placed { device: index(number), prefix: prefix(text), label: None };
        let event = Event::Address(self.address(placed, protocol));
        self.mirror.apply(&event);
    }

    fn remove(&mut self, number: u32, text: &str) {
        let placed = Placed { device: index(number), prefix: prefix(text), label: None };
        let event = Event::AddressGone(self.address(placed, MARK));
        self.mirror.apply(&event);
    }

    fn on(&self, number: u32) -> Vec<String> {
        self.mirror.addresses_on(index(number)).iter().map(|address| address.prefix.to_string()).collect()
    }
}

impl Hands for Kernel {
    fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    fn keep(&mut self, record: &Record) {
        self.file = record.to_string();
    }

    fn take(&mut self, op: &Op) -> Result<(), String> {
        let (verb, placed) = match op {
            Op::AddAddress(placed) => ("add", placed),
            Op::RemoveAddress(placed) => ("remove", placed),
            Op::KeepSecondaries(_) => return Ok(()),
        };
        self.taken.push(format!("{verb} {}", placed.prefix));
        if self.refused.contains(&placed.prefix.address()) {
            return Err("no".into());
        }
        let address = self.address(*placed, MARK);
        match op {
            Op::AddAddress(_) => {
                let record = Record::parse(&self.file);
                let device = self.mirror.link(placed.device).unwrap().name;
                assert!(record.contains(device, placed.prefix.address()), "it is on file before it is there");
                self.mirror.apply(&Event::Address(address));
            }
            Op::RemoveAddress(_) => self.mirror.apply(&Event::AddressGone(address)),
            Op::KeepSecondaries(_) => {}
        }
        Ok(())
    }
}

/// A router: `br-lan` is up as device 2 with its own address, and there is a loopback device.
struct Router {
    kernel: Kernel,
    reconciler: Reconciler,
    names: Vec<Option<IfName>>,
    epoch: u32,
}

fn router_with(config: &Config, kernel: Kernel) -> Router {
    let mut reconciler = Reconciler::new(Record::parse(&kernel.file), 1);
    reconciler.configure(config, &|_| (Addresses::Hold, Epoch(0)));
    Router { kernel, reconciler, names: vec![Some(name("br-lan"))], epoch: 0 }
}

fn kernel() -> Kernel {
    let mut kernel = Kernel::default();
    kernel.link(1, "lo", libc::IFF_UP);
    kernel.set(1, "127.0.0.1/8", Protocol(1));
    kernel.link(2, "br-lan", libc::IFF_UP);
    kernel.set(2, OWN, Protocol::UNSPECIFIED);
    kernel
}

fn old_kernel() -> Kernel {
    let mut kernel = Kernel { is_old: true, ..Kernel::default() };
    kernel.link(2, "br-lan", libc::IFF_UP);
    kernel.set(2, OWN, Protocol::UNSPECIFIED);
    kernel
}

fn router(config: &Config) -> Router {
    router_with(config, kernel())
}

impl Router {
    fn role(&mut self, group: u16, wanted: Addresses) {
        self.epoch += 1;
        self.reconciler.set_role(GroupId(group), wanted, Epoch(self.epoch));
    }

    fn settle(&mut self, ms: u64) -> Vec<String> {
        self.kernel.taken.clear();
        self.reconciler.settle(at(ms), &self.names, &mut self.kernel);
        core::mem::take(&mut self.kernel.taken)
    }

    fn on_lan(&self) -> Vec<String> {
        self.kernel.on(2)
    }

    fn row(&self, ms: u64) -> Row {
        self.reconciler.rows(at(ms)).next().unwrap()
    }

    fn outcomes(&mut self) -> Vec<ApplyOutcome> {
        self.reconciler.applied().into_iter().map(|applied| applied.outcome).collect()
    }
}

/// A router that holds its one virtual address as master since 0 ms.
fn master() -> Router {
    let mut router = router(&config(&[&["192.0.2.1/24"]]));
    router.role(0, Addresses::Present);
    assert_eq!(router.settle(0), ["add 192.0.2.1/32"]);
    assert_eq!(router.outcomes(), [ApplyOutcome::Complete]);
    router
}

mod roles {
    use super::*;

    #[test]
    fn a_master_has_the_addresses_and_a_backup_has_not() {
        let mut router = master();
        assert_eq!(router.on_lan(), [OWN, "192.0.2.1/32"]);
        assert_eq!(router.settle(1), [""; 0]);

        router.role(0, Addresses::Absent);
        assert_eq!(router.settle(2), ["remove 192.0.2.1/32"]);

        assert_eq!(router.on_lan(), [OWN]);
        assert_eq!(router.kernel.file, "");
    }

    #[test]
    fn groups_have_their_own_roles() {
        let mut router = router(&config(&[&["192.0.2.1/24"], &["192.0.2.7/24"]]));
        router.role(0, Addresses::Present);
        router.role(1, Addresses::Absent);
        router.settle(0);
        assert_eq!(router.on_lan(), [OWN, "192.0.2.1/32"]);

        router.role(0, Addresses::Absent);
        router.role(1, Addresses::Present);
        assert_eq!(router.settle(1), ["remove 192.0.2.1/32", "add 192.0.2.7/32"]);
    }

    #[test]
    fn the_engine_is_told_once_for_each_epoch_and_outcome() {
        let mut router = master();
        assert_eq!(router.outcomes(), []);
        router.role(0, Addresses::Absent);
        router.settle(1);

        let told = router.reconciler.applied();
        let expected = Applied { group: GroupId(0), epoch: Epoch(2), outcome: ApplyOutcome::Complete };
        assert_eq!(told, [expected]);
    }
}

mod an_earlier_life {
    use super::*;

    fn after_kill() -> Kernel {
        let mut kernel = kernel();
        kernel.set(2, "192.0.2.1/32", MARK);
        kernel.file = "br-lan 192.0.2.1\n".into();
        kernel
    }

    #[test]
    fn keeps_its_addresses_until_the_role_is_known() {
        let config = config(&[&["192.0.2.1/24"]]);
        for wanted in [Addresses::Present, Addresses::Absent] {
            let mut router = router_with(&config, after_kill());
            assert_eq!(router.settle(0), [""; 0]);
            assert_eq!(router.outcomes(), []);
            assert_eq!(router.kernel.file, "br-lan 192.0.2.1\n");

            router.role(0, wanted);
            let expected: &[&str] = match wanted {
                Addresses::Absent => &["remove 192.0.2.1/32"],
                Addresses::Present | Addresses::Hold => &[],
            };
            assert_eq!(router.settle(1), expected);
        }
    }

    #[test]
    fn leaves_nothing_that_the_configuration_no_longer_mentions() {
        let mut router = router_with(&config(&[&["192.0.2.9/24"]]), after_kill());
        assert_eq!(router.settle(0), ["remove 192.0.2.1/32"]);
    }

    #[test]
    fn keeps_its_addresses_until_the_device_is_known_or_the_role_is_against_it() {
        let mut router = router_with(&config(&[&["192.0.2.1/24"]]), after_kill());
        router.names = vec![None];
        assert_eq!(router.settle(0), [""; 0]);
        router.role(0, Addresses::Present);
        assert_eq!(router.settle(1), [""; 0]);
        router.role(0, Addresses::Absent);
        assert_eq!(router.settle(2), ["remove 192.0.2.1/32"]);
    }

    #[test]
    fn of_another_daemon_on_the_machine_is_not_ours() {
        let mut kernel = after_kill();
        kernel.file.clear();
        let mut router = router_with(&config(&[&["192.0.2.9/24"]]), kernel);
        assert_eq!(router.settle(0), [""; 0]);
    }

    #[test]
    fn is_known_from_the_record_on_an_old_kernel() {
        let mut kernel = old_kernel();
        kernel.set(2, "192.0.2.1/32", MARK);
        kernel.set(2, "192.0.2.7/32", MARK);
        kernel.file = "br-lan 192.0.2.1\n".into();
        let mut router = router_with(&config(&[&["192.0.2.1/24", "192.0.2.7/24"]]), kernel);

        router.role(0, Addresses::Absent);

        assert_eq!(router.settle(0), ["remove 192.0.2.1/32"]);
        assert_eq!(router.on_lan(), [OWN, "192.0.2.7/32"]);
    }

    #[test]
    fn does_not_make_a_replaced_address_ours_on_a_new_kernel() {
        let mut kernel = after_kill();
        kernel.set(2, "192.0.2.1/32", Protocol::UNSPECIFIED);
        let mut router = router_with(&config(&[&["192.0.2.1/24"]]), kernel);

        router.role(0, Addresses::Absent);

        assert_eq!(router.settle(0), [""; 0]);
        assert_eq!(router.row(0).observed, "foreign");
    }
}

mod strangers {
    use super::*;

    #[test]
    fn an_address_that_somebody_else_has_put_there_satisfies() {
        let mut kernel = kernel();
        kernel.set(2, "192.0.2.1/24", Protocol::UNSPECIFIED);
        let mut router = router_with(&config(&[&["192.0.2.1/24"]]), kernel);

        router.role(0, Addresses::Present);

        assert_eq!(router.settle(0), [""; 0]);
        assert_eq!(router.outcomes(), [ApplyOutcome::Complete]);
        let row = router.row(0);
        assert_eq!((row.wanted, row.observed, row.error), ("present", "foreign", None));

        router.kernel.remove(2, "192.0.2.1/24");
        assert_eq!(router.settle(1), ["add 192.0.2.1/32"]);
    }

    #[test]
    fn an_address_that_is_removed_comes_back_at_once_and_then_less_and_less_often() {
        let mut router = master();
        for ms in [100, 101, 102] {
            router.kernel.remove(2, "192.0.2.1/32");
            assert_eq!(router.settle(ms), ["add 192.0.2.1/32"]);
            assert_eq!(router.outcomes(), []);
        }

        router.kernel.remove(2, "192.0.2.1/32");
        assert_eq!(router.settle(103), [""; 0]);
        assert_eq!(router.outcomes(), [ApplyOutcome::Failing]);
        let row = router.row(103);
        assert_eq!((row.observed, row.error.as_deref()), ("absent", Some("removed by somebody else")));
        let due = router.reconciler.next_deadline().unwrap();
        assert_eq!(row.retry_in, Some(due.since(at(103))));
        assert!(due <= at(203) && due >= at(178), "{due}");

        assert_eq!(router.settle(203), ["add 192.0.2.1/32"]);
        assert_eq!(router.outcomes(), [ApplyOutcome::Complete]);
        assert_eq!(router.reconciler.next_deadline(), None);
    }

    #[test]
    fn the_routers_own_address_may_come_later() {
        let mut kernel = kernel();
        kernel.remove(2, OWN);
        let mut router = router_with(&config(&[&["192.0.2.1/24"]]), kernel);
        router.role(0, Addresses::Present);
        assert_eq!(router.settle(0), ["add 192.0.2.1/24"]);

        router.kernel.set(2, OWN, Protocol::UNSPECIFIED);

        assert_eq!(router.settle(1), ["add 192.0.2.1/32", "remove 192.0.2.1/24"]);
        assert_eq!(router.outcomes(), [ApplyOutcome::Complete]);
    }
}

mod failures {
    use super::*;

    #[test]
    fn are_told_retried_and_over_with_the_first_success() {
        let mut router = router(&config(&[&["192.0.2.1/24"]]));
        router.kernel.refused.insert(VIP.parse().unwrap());
        router.role(0, Addresses::Present);

        assert_eq!(router.settle(0), ["add 192.0.2.1/32"]);
        assert_eq!(router.outcomes(), [ApplyOutcome::Failing]);
        assert_eq!(router.row(0).error.as_deref(), Some("no"));
        assert_eq!(router.settle(50), [""; 0]);
        assert_eq!(router.settle(100), ["add 192.0.2.1/32"]);

        router.kernel.refused.clear();
        assert_eq!(router.settle(300), ["add 192.0.2.1/32"]);
        assert_eq!(router.outcomes(), [ApplyOutcome::Complete]);
        assert_eq!((router.row(300).error, router.reconciler.next_deadline()), (None, None));
    }

    #[test]
    fn of_one_address_hold_up_no_other() {
        let mut router = router(&config(&[&["192.0.2.1/24", "192.0.2.7/24", "192.0.2.8/24"]]));
        router.kernel.refused.insert(VIP.parse().unwrap());
        router.kernel.refused.insert("192.0.2.7".parse().unwrap());
        router.role(0, Addresses::Present);

        router.settle(0);

        assert_eq!(router.on_lan(), [OWN, "192.0.2.8/32"]);
    }

    #[test]
    fn are_forgotten_with_the_role() {
        let mut router = router(&config(&[&["192.0.2.1/24"]]));
        router.kernel.refused.insert(VIP.parse().unwrap());
        router.role(0, Addresses::Present);
        for _ in 0..8 {
            let due = router.reconciler.next_deadline().unwrap_or_default();
            router.settle(due.as_micros().div_ceil(1000));
        }
        let (last, due) = (at(0), router.reconciler.next_deadline().unwrap());
        assert!(due.since(last) > Duration::from_secs(5));

        router.role(0, Addresses::Absent);
        router.settle(20_000);
        router.kernel.refused.clear();
        router.role(0, Addresses::Present);

        assert_eq!(router.settle(20_001), ["add 192.0.2.1/32"]);
    }

    #[test]
    fn of_a_change_leave_the_old_address_alone() {
        let mut kernel = kernel();
        kernel.remove(2, OWN);
        let mut router = router_with(&config(&[&["192.0.2.1/24"]]), kernel);
        router.role(0, Addresses::Present);
        router.settle(0);
        router.kernel.set(2, OWN, Protocol::UNSPECIFIED);
        router.kernel.refused.insert(VIP.parse().unwrap());

        assert_eq!(router.settle(1), ["add 192.0.2.1/32"]);

        assert_eq!(router.on_lan(), ["192.0.2.1/24", OWN]);
        assert_eq!(router.outcomes(), [ApplyOutcome::Failing]);
    }

    #[test]
    fn to_remove_a_leftover_are_retried_with_delays_too() {
        let mut kernel = kernel();
        kernel.set(2, "192.0.2.77/32", MARK);
        kernel.file = "br-lan 192.0.2.77\n".into();
        kernel.refused.insert("192.0.2.77".parse().unwrap());
        let mut router = router_with(&config(&[&["192.0.2.1/24"]]), kernel);

        assert_eq!(router.settle(0), ["remove 192.0.2.77/32"]);
        assert_eq!(router.settle(1), [""; 0]);
        let due = router.reconciler.next_deadline().unwrap();
        assert!(due > at(1) && due <= at(100));
        router.kernel.refused.clear();
        assert_eq!(router.settle(100), ["remove 192.0.2.77/32"]);
        assert_eq!(router.reconciler.next_deadline(), None);
    }
}

mod devices {
    use super::*;

    #[test]
    fn that_are_not_there_are_waited_for_and_no_failure() {
        let mut kernel = kernel();
        kernel.mirror.apply(&Event::LinkGone(index(2)));
        let mut router = router_with(&config(&[&["192.0.2.1/24"]]), kernel);
        router.role(0, Addresses::Present);
        assert_eq!(router.settle(0), [""; 0]);
        assert_eq!(router.outcomes(), [ApplyOutcome::Complete]);
        assert_eq!(router.row(0).error.as_deref(), Some("no interface lan yet"));

        router.kernel.link(7, "br-lan", libc::IFF_UP);
        router.kernel.set(7, OWN, Protocol::UNSPECIFIED);

        assert_eq!(router.settle(1), ["add 192.0.2.1/32"]);
        assert_eq!(router.kernel.on(7), [OWN, "192.0.2.1/32"]);
    }

    #[test]
    fn that_return_with_another_number_get_their_addresses_at_once() {
        let mut router = master();
        for life in 0..6 {
            router.kernel.mirror.apply(&Event::LinkGone(index(2 + life)));
            router.kernel.link(3 + life, "br-lan", libc::IFF_UP);
            router.kernel.set(3 + life, OWN, Protocol::UNSPECIFIED);
            assert_eq!(router.settle(u64::from(life)), ["add 192.0.2.1/32"]);
        }
        assert_eq!(router.outcomes(), []);
    }

    #[test]
    fn that_go_down_lose_ipv6_addresses_without_anybodys_fault() {
        let mut router = router(&config(&[&["2001:db8::1/64"]]));
        router.role(0, Addresses::Present);
        assert_eq!(router.settle(0), ["add 2001:db8::1/64"]);
        for ms in 1..6 {
            router.kernel.link(2, "br-lan", 0);
            router.kernel.remove(2, "2001:db8::1/64");
            assert_eq!(router.settle(ms), [""; 0]);
            router.kernel.link(2, "br-lan", libc::IFF_UP);
            assert_eq!(router.settle(ms), ["add 2001:db8::1/64"]);
        }
        assert_eq!(router.outcomes(), [ApplyOutcome::Complete]);
    }

    #[test]
    fn that_are_down_lose_their_addresses_with_the_role() {
        let mut router = master();
        router.kernel.link(2, "br-lan", 0);
        router.role(0, Addresses::Absent);
        assert_eq!(router.settle(1), ["remove 192.0.2.1/32"]);
    }
}

mod configurations {
    use super::*;

    #[test]
    fn that_are_equal_change_nothing() {
        let config = config(&[&["192.0.2.1/24"]]);
        let mut router = master();
        router.reconciler.configure(&config, &|_| (Addresses::Present, Epoch(1)));
        assert_eq!(router.settle(1), [""; 0]);
    }

    #[test]
    fn move_addresses_in_one_go() {
        let mut router = master();
        let other = config(&[&["192.0.2.9/24"]]);
        router.reconciler.configure(&other, &|_| (Addresses::Present, Epoch(1)));
        assert_eq!(router.settle(1), ["remove 192.0.2.1/32", "add 192.0.2.9/32"]);
    }

    #[test]
    fn keep_the_history_of_what_stays() {
        let mut router = master();
        for ms in 0..4 {
            router.kernel.remove(2, "192.0.2.1/32");
            router.settle(ms);
        }
        let due = router.reconciler.next_deadline();
        assert!(due.is_some());

        let more = config(&[&["192.0.2.9/24", "192.0.2.1/24"]]);
        router.reconciler.configure(&more, &|_| (Addresses::Present, Epoch(1)));

        assert_eq!(router.settle(4), ["add 192.0.2.9/32"]);
        assert_eq!(router.reconciler.next_deadline(), due);
    }

    #[test]
    fn that_are_disabled_remove_what_is_ours() {
        let mut router = master();
        let disabled = Config { enabled: false, ..config(&[&["192.0.2.1/24"]]) };
        router.reconciler.configure(&disabled, &|_| (Addresses::Hold, Epoch(2)));
        assert_eq!(router.settle(1), ["remove 192.0.2.1/32"]);
    }

    #[test]
    fn labels_start_with_the_device() {
        let mut router = router(&config(&[&["192.0.2.1/24 vip"]]));
        router.role(0, Addresses::Present);
        assert_eq!(router.settle(0), ["add 192.0.2.1/32"]);
        let labels: Vec<_> = router.kernel.mirror.addresses_on(index(2)).iter().map(|a| a.label).collect();
        assert_eq!(labels, [Label::new("br-lan"), Label::new("br-lan:vip")]);
        assert_eq!(router.settle(1), [""; 0]);
    }

    #[test]
    fn with_an_address_in_two_groups_install_it_while_one_wants_it() {
        let mut router = router(&config(&[&["192.0.2.1/24"], &["192.0.2.1/24"]]));
        router.role(0, Addresses::Present);
        router.role(1, Addresses::Absent);
        assert_eq!(router.settle(0), ["add 192.0.2.1/32"]);
        assert_eq!(router.settle(1), [""; 0]);
    }
}

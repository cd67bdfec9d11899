use super::*;
use crate::netlink::{Event, Lifetimes, LinkFlags, Port, Prefix, Protocol, Scope};

const UP: i32 = libc::IFF_UP;

fn index(number: u32) -> IfIndex {
    IfIndex::new(number).unwrap()
}

fn name(text: &str) -> IfName {
    IfName::new(text).unwrap()
}

/// A device that is up and has carrier.
fn link(number: u32, text: &str, kind: LinkKind) -> Link {
    Link {
        index: index(number),
        name: name(text),
        flags: LinkFlags(UP as u32),
        carrier: true,
        oper_state: OperState::Up,
        mac: Some([2, 0, 0, 0, 0, number as u8]),
        mtu: 1500,
        master: None,
        lower: None,
        kind,
        port: None,
    }
}

fn port(number: u32, bridge: u32, state: PortState) -> Link {
    let text = format!("lan{number}");
    Link { master: Some(index(bridge)), port: Some(state), ..link(number, &text, LinkKind::Plain) }
}

fn mirror(links: &[Link]) -> Mirror {
    let mut mirror = Mirror::default();
    links.iter().for_each(|link| mirror.apply(&Event::Link(*link)));
    mirror
}

fn condition_of(links: &[Link], text: &str) -> LinkCondition {
    state(&mirror(links), Some(name(text))).condition
}

fn address(number: u32, text: &str, flags: AddressFlags) -> Event {
    let (address, length) = text.split_once('/').unwrap();
    Event::Address(Address {
        index: index(number),
        prefix: Prefix::new(address.parse().unwrap(), length.parse().unwrap()).unwrap(),
        peer: None,
        flags,
        scope: Scope::UNIVERSE,
        label: None,
        broadcast: None,
        protocol: Protocol::UNSPECIFIED,
        lifetimes: Lifetimes::FOREVER,
    })
}

mod a_device {
    use super::*;

    #[test]
    fn is_up_with_power_and_carrier_only() {
        let up = link(1, "eth0", LinkKind::Plain);
        assert_eq!(condition_of(&[up], "eth0"), LinkCondition::Up);
        assert_eq!(condition_of(&[up], "eth1"), LinkCondition::Missing);
        let off = Link { flags: LinkFlags(0), ..up };
        assert_eq!(condition_of(&[off], "eth0"), LinkCondition::AdminDown);
        let pulled = Link { carrier: false, ..up };
        assert_eq!(condition_of(&[pulled], "eth0"), LinkCondition::NoCarrier);
        let waits = Link { oper_state: OperState::Dormant, ..up };
        assert_eq!(condition_of(&[waits], "eth0"), LinkCondition::NoCarrier);
        let silent = Link { oper_state: OperState::Unknown, ..up };
        assert_eq!(condition_of(&[silent], "eth0"), LinkCondition::Up);
    }

    #[test]
    fn whose_name_is_not_known_is_missing() {
        assert_eq!(state(&Mirror::default(), None).condition, LinkCondition::Missing);
    }

    #[test]
    fn that_is_a_port_forwards_or_does_not() {
        assert_eq!(condition_of(&[port(2, 1, PortState::Forwarding)], "lan2"), LinkCondition::Up);
        assert_eq!(condition_of(&[port(2, 1, PortState::Blocking)], "lan2"), LinkCondition::NotForwarding);
    }
}

mod a_bridge {
    use super::*;

    fn bridge() -> Link {
        link(1, "br-lan", LinkKind::Bridge)
    }

    #[test]
    fn forwards_when_one_port_does() {
        let links = [bridge(), port(2, 1, PortState::Disabled), port(3, 1, PortState::Forwarding)];
        assert_eq!(condition_of(&links, "br-lan"), LinkCondition::Up);
    }

    #[test]
    fn without_ports_has_no_carrier_whatever_it_claims() {
        assert_eq!(condition_of(&[bridge()], "br-lan"), LinkCondition::NoCarrier);
        let elsewhere = port(3, 9, PortState::Forwarding);
        assert_eq!(condition_of(&[bridge(), elsewhere], "br-lan"), LinkCondition::NoCarrier);
    }

    #[test]
    fn whose_ports_have_no_carrier_has_none() {
        let pulled = Link { carrier: false, ..port(2, 1, PortState::Disabled) };
        assert_eq!(condition_of(&[bridge(), pulled], "br-lan"), LinkCondition::NoCarrier);
        let off = Link { flags: LinkFlags(0), ..port(2, 1, PortState::Disabled) };
        assert_eq!(condition_of(&[bridge(), off], "br-lan"), LinkCondition::NoCarrier);
    }

    #[test]
    fn whose_ports_listen_or_learn_does_not_forward_yet() {
        for state in [PortState::Listening, PortState::Learning, PortState::Blocking] {
            let quiet = Link { carrier: false, ..bridge() };
            assert_eq!(condition_of(&[quiet, port(2, 1, state)], "br-lan"), LinkCondition::NotForwarding);
        }
    }

    #[test]
    fn that_is_off_is_off() {
        let off = Link { flags: LinkFlags(0), ..bridge() };
        assert_eq!(
            condition_of(&[off, port(2, 1, PortState::Forwarding)], "br-lan"),
            LinkCondition::AdminDown
        );
    }

    #[test]
    fn follows_its_ports_by_their_own_events() {
        let mut mirror = mirror(&[bridge(), port(2, 1, PortState::Listening)]);
        let condition = |mirror: &Mirror| state(mirror, Some(name("br-lan"))).condition;
        let event = |state| Port { index: index(2), bridge: Some(index(1)), state };
        assert_eq!(condition(&mirror), LinkCondition::NotForwarding);
        mirror.apply(&Event::Port(event(Some(PortState::Forwarding))));
        assert_eq!(condition(&mirror), LinkCondition::Up);
        mirror.apply(&Event::Port(event(None)));
        assert_eq!(condition(&mirror), LinkCondition::Up);
        mirror.apply(&Event::PortGone(event(None)));
        assert_eq!(condition(&mirror), LinkCondition::NoCarrier);
    }

    #[test]
    fn decides_for_the_devices_above_it() {
        let above = |kind| Link { lower: Some(index(1)), ..link(9, "br-lan.10", kind) };
        for kind in [LinkKind::Vlan, LinkKind::Macvlan] {
            let listening = [bridge(), port(2, 1, PortState::Listening), above(kind)];
            assert_eq!(condition_of(&listening, "br-lan.10"), LinkCondition::NotForwarding);
            assert_eq!(condition_of(&[bridge(), above(kind)], "br-lan.10"), LinkCondition::NoCarrier);
            let forwarding = [bridge(), port(2, 1, PortState::Forwarding), above(kind)];
            assert_eq!(condition_of(&forwarding, "br-lan.10"), LinkCondition::Up);
            let off = Link { flags: LinkFlags(0), ..above(kind) };
            assert_eq!(condition_of(&[bridge(), off], "br-lan.10"), LinkCondition::AdminDown);
        }
    }
}

#[test]
fn devices_that_claim_to_be_above_each_other_end() {
    let one = Link { lower: Some(index(2)), ..link(1, "one", LinkKind::Macvlan) };
    let two = Link { lower: Some(index(1)), ..link(2, "two", LinkKind::Macvlan) };
    assert_eq!(condition_of(&[one, two], "one"), LinkCondition::Up);
}

#[test]
fn addresses_are_those_that_can_be_used_in_the_kernels_order() {
    let mut mirror = mirror(&[link(1, "eth0", LinkKind::Plain)]);
    for event in [
        address(1, "192.0.2.2/24", AddressFlags::NONE),
        address(1, "192.0.2.1/32", AddressFlags::NOPREFIXROUTE),
        address(1, "192.0.2.1/24", AddressFlags::NONE),
        address(1, "2001:db8::2/64", AddressFlags::TENTATIVE),
        address(1, "2001:db8::3/64", AddressFlags::DADFAILED.with(AddressFlags::TENTATIVE)),
        address(1, "2001:db8::1/128", AddressFlags::NODAD),
        address(2, "198.51.100.1/24", AddressFlags::NONE),
    ] {
        mirror.apply(&event);
    }
    let expected: Vec<IpAddr> =
        ["192.0.2.2", "192.0.2.1", "2001:db8::1"].iter().map(|text| text.parse().unwrap()).collect();
    assert_eq!(state(&mirror, Some(name("eth0"))).addresses, expected);
}

mod news {
    use super::*;

    fn links() -> Links {
        let mut links = Links::default();
        links.set_names(vec![Some(name("eth0")), None, Some(name("eth1"))]);
        links
    }

    fn ids(news: &[News]) -> Vec<u16> {
        news.iter().map(|news| news.link.0).collect()
    }

    #[test]
    fn are_everything_first_and_then_what_changed() {
        let mut links = links();
        let mut mirror = mirror(&[link(1, "eth0", LinkKind::Plain)]);
        assert_eq!(ids(&links.news(&mirror)), [0, 1, 2]);
        assert!(links.news(&mirror).is_empty());

        mirror.apply(&Event::Link(link(2, "eth1", LinkKind::Plain)));
        let news = links.news(&mirror);
        assert_eq!(ids(&news), [2]);
        assert_eq!(news[0].state.condition, LinkCondition::Up);
        assert_eq!(news[0].device, links.device(&mirror, LinkId(2)));
        assert_eq!(news[0].device.unwrap().mac, Some(Mac([2, 0, 0, 0, 0, 2])));

        links.set_names(vec![Some(name("eth1"))]);
        assert_eq!(ids(&links.news(&mirror)), [0]);
    }

    #[test]
    fn tell_of_a_device_that_was_made_anew_even_if_its_state_is_the_same() {
        let mut links = links();
        let mut mirror = mirror(&[link(1, "eth0", LinkKind::Plain)]);
        links.news(&mirror);
        mirror.apply(&Event::LinkGone(index(1)));
        mirror.apply(&Event::Link(link(7, "eth0", LinkKind::Plain)));

        let news = links.news(&mirror);

        assert_eq!(ids(&news), [0]);
        assert_eq!(news[0].device.unwrap().index, index(7));
    }

    #[test]
    fn tell_of_a_device_that_takes_the_name_of_another() {
        let mut links = links();
        let mut mirror = mirror(&[link(1, "eth0", LinkKind::Plain), link(2, "spare", LinkKind::Plain)]);
        links.news(&mirror);
        mirror.apply(&Event::Link(link(1, "old", LinkKind::Plain)));
        mirror.apply(&Event::Link(link(2, "eth0", LinkKind::Plain)));
        assert_eq!(links.news(&mirror)[0].device.unwrap().index, index(2));
    }
}

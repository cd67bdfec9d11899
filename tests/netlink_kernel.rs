//! `gwha::netlink` against the running kernel.
//!
//! What the address rules of gwha rest on stands here as facts about the kernel.

#![allow(clippy::wildcard_enum_match_arm)]

#[macro_use]
mod namespace;

use std::os::fd::AsFd;

use gwha::netlink::{
    Address, AddressFlags, Error, Event, Existing, Family, Groups, IfIndex, IfName, Label, Lifetimes, Link,
    LinkKind, PortState, Prefix, Protocol, Received, Route, RouteKind, Rule, Scope, Socket, address, link,
    route, rule,
};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};

use namespace::ip;

/// The mark of the test, and that of a stranger.
const OURS: Protocol = Protocol(103);
const STRANGER: Protocol = Protocol(104);

fn requests() -> Socket {
    Socket::open(Groups::NONE).expect("a socket")
}

fn links(socket: &mut Socket) -> Vec<Link> {
    let mut links = Vec::new();
    let done = socket.dump(&link::dump(), &mut |event| match event {
        Event::Link(link) => links.push(link),
        other => panic!("not a link: {other:?}"),
    });
    done.expect("a dump");
    links
}

fn link_named(socket: &mut Socket, name: &str) -> Link {
    let name = IfName::new(name).expect("a name");
    links(socket).into_iter().find(|link| link.name == name).expect("the link is there")
}

fn addresses(socket: &mut Socket, family: Option<Family>) -> Vec<Address> {
    let mut addresses = Vec::new();
    let done = socket.dump(&address::dump(family), &mut |event| match event {
        Event::Address(address) => addresses.push(address),
        other => panic!("not an address: {other:?}"),
    });
    done.expect("a dump");
    addresses
}

fn routes(socket: &mut Socket, family: Family, protocol: Protocol) -> Vec<Route> {
    let mut routes = Vec::new();
    let done = socket.dump(&route::dump(family, protocol), &mut |event| match event {
        Event::Route(route) => routes.push(route),
        other => panic!("not a route: {other:?}"),
    });
    done.expect("a dump");
    routes
}

fn rules(socket: &mut Socket, family: Family) -> Vec<Rule> {
    let mut rules = Vec::new();
    let done = socket.dump(&rule::dump(family), &mut |event| match event {
        Event::Rule(rule) => rules.push(rule),
        other => panic!("not a rule: {other:?}"),
    });
    done.expect("a dump");
    rules
}

fn notifications(socket: &mut Socket) -> Vec<Event> {
    let mut events = Vec::new();
    let received = socket.notifications(10_000, &mut |event| events.push(event));
    assert_eq!(received, Ok(Received::All));
    events
}

/// Waits until the kernel tells of the address.
fn told_of(socket: &mut Socket, text: &str) -> Address {
    loop {
        let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, 5000u16), Ok(1), "the kernel tells of {text} within 5 s");
        for event in notifications(socket) {
            match event {
                Event::Address(address) if address.prefix == prefix(text) => return address,
                _ => {}
            }
        }
    }
}

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').expect("ADDRESS/LENGTH");
    Prefix::new(address.parse().expect("an address"), length.parse().expect("a length")).expect("it fits")
}

fn on(index: IfIndex, text: &str, protocol: Protocol) -> Address {
    let prefix = prefix(text);
    Address {
        index,
        prefix,
        peer: None,
        flags: match prefix.family() {
            Family::V4 => AddressFlags::NONE,
            Family::V6 => AddressFlags::NODAD,
        },
        scope: Scope::UNIVERSE,
        label: None,
        broadcast: prefix.broadcast(),
        protocol,
        lifetimes: Lifetimes::FOREVER,
    }
}

fn add(socket: &mut Socket, address: &Address) -> Result<(), Error> {
    socket.request(&address.add(Existing::Refuse))
}

fn find(socket: &mut Socket, text: &str) -> Option<Address> {
    addresses(socket, None).into_iter().find(|address| address.prefix == prefix(text))
}

/// A veth pair, both ends up.
fn veth(socket: &mut Socket) -> IfIndex {
    ip("link add lan0 type veth peer name lan1");
    ip("link set lan0 up");
    ip("link set lan1 up");
    link_named(socket, "lan0").index
}

/// The IPv4 addresses on a device with their owners, in the kernel's order.
fn v4_on(socket: &mut Socket, index: IfIndex) -> Vec<(String, Protocol, bool)> {
    addresses(socket, Some(Family::V4))
        .into_iter()
        .filter(|address| address.index == index)
        .map(|a| (a.prefix.to_string(), a.protocol, a.flags.contain(AddressFlags::SECONDARY)))
        .collect()
}

fn refusal(result: Result<(), Error>) -> Errno {
    match result.expect_err("the kernel refuses") {
        Error::Refused(error) => error.errno,
        other => panic!("not refused: {other}"),
    }
}

namespace_tests! {
    links_and_addresses_are_those_that_iproute2_shows => {
        let mut socket = requests();
        veth(&mut socket);
        ip("link add br0 type bridge");
        ip("link set lan1 master br0");
        ip("link set lan0 mtu 1400 address 02:00:00:00:00:01");
        ip("link add mv0 link lan0 type macvlan mode bridge");
        ip("address add 192.0.2.2/24 broadcast + dev lan0 label lan0:own");
        ip("address add 192.0.2.3/24 dev lan0 valid_lft 100 preferred_lft 50");
        ip("address add 2001:db8::2/64 dev lan0 nodad");
        ip("address add 10.0.0.1 peer 10.0.0.2/30 dev br0");
        ip("link set lo up");

        let shown: serde_json::Value = serde_json::from_str(&ip("-j -d address")).expect("JSON");
        let links = links(&mut socket);
        let addresses = addresses(&mut socket, None);

        let shown = shown.as_array().expect("a list");
        assert_eq!(links.len(), shown.len());
        for (link, shown) in links.iter().zip(shown) {
            assert_link_as_shown(link, shown, &links);
            let own: Vec<_> = addresses.iter().filter(|address| address.index == link.index).collect();
            let shown = shown["addr_info"].as_array().expect("a list");
            assert_eq!(own.len(), shown.len(), "{own:?}");
            for shown in shown {
                assert_address_as_shown(&own, shown);
            }
        }
    }

    a_mark_comes_back_in_dumps_and_notifications => {
        let mut socket = requests();
        let index = veth(&mut socket);
        let mut monitor = Socket::open(Groups::ADDRESSES).expect("a socket");
        for text in ["192.0.2.1/24", "192.0.2.1/32", "2001:db8::1/64", "fe80::5/128"] {
            add(&mut socket, &on(index, text, OURS)).expect("added");

            assert_eq!(find(&mut socket, text).expect("in the dump").protocol, OURS, "{text}");
            // The kernel tells of an IPv6 address from a work queue, a moment after it is there.
            assert_eq!(told_of(&mut monitor, text).protocol, OURS, "{text}");
        }
    }

    the_kernel_keeps_all_that_was_asked_for => {
        let mut socket = requests();
        let index = veth(&mut socket);
        let v4 = Address {
            label: Label::new("lan0:vip"),
            flags: AddressFlags::NOPREFIXROUTE,
            ..on(index, "192.0.2.1/32", OURS)
        };
        let v6 = Address {
            flags: AddressFlags::NODAD.with(AddressFlags::NOPREFIXROUTE),
            lifetimes: Lifetimes::DEPRECATED,
            ..on(index, "2001:db8::1/128", OURS)
        };
        for wanted in [v4, v6] {
            add(&mut socket, &wanted).expect("added");
            let seen = find(&mut socket, &wanted.prefix.to_string()).expect("in the dump");
            assert!(seen.flags.contain(wanted.flags), "{seen:?}");
            assert!(!seen.flags.contain(AddressFlags::TENTATIVE));
            assert_eq!((seen.lifetimes, seen.label), (wanted.lifetimes, wanted.label));
        }
    }

    an_exclusive_add_refuses_what_is_there => {
        let mut socket = requests();
        let index = veth(&mut socket);
        for text in ["192.0.2.1/24", "2001:db8::1/64"] {
            add(&mut socket, &on(index, text, STRANGER)).expect("added");
            let again = add(&mut socket, &on(index, text, OURS));

            let Err(Error::Refused(error)) = again else { panic!("{again:?}") };
            assert_eq!(error.errno, Errno::EEXIST);
            assert!(error.text.is_some_and(|text| text.contains("already assigned")));
            assert_eq!(find(&mut socket, text).expect("still there").protocol, STRANGER);
        }
    }

    removing_what_is_gone_says_so => {
        let mut socket = requests();
        let index = veth(&mut socket);
        for text in ["192.0.2.1/24", "2001:db8::1/64"] {
            let wanted = on(index, text, OURS);
            add(&mut socket, &wanted).expect("added");
            socket.request(&wanted.delete()).expect("removed");
            assert_eq!(refusal(socket.request(&wanted.delete())), Errno::EADDRNOTAVAIL);
        }
        let nowhere = on(IfIndex::new(9999).expect("not 0"), "192.0.2.1/24", OURS);
        assert_eq!(refusal(add(&mut socket, &nowhere)), Errno::ENODEV);
        assert_eq!(refusal(socket.request(&nowhere.delete())), Errno::ENODEV);
    }

    the_first_address_of_a_network_takes_the_others_with_it => {
        let mut socket = requests();
        let index = veth(&mut socket);
        add(&mut socket, &on(index, "192.0.2.1/24", OURS)).expect("added");
        ip("address add 192.0.2.2/24 dev lan0");

        socket.request(&on(index, "192.0.2.1/24", OURS).delete()).expect("removed");

        assert_eq!(v4_on(&mut socket, index), []);
    }

    a_virtual_address_turns_into_a_host_address_and_the_routers_own_stays => {
        let mut socket = requests();
        let index = veth(&mut socket);
        add(&mut socket, &on(index, "192.0.2.1/24", OURS)).expect("added");
        ip("address add 192.0.2.2/24 dev lan0");
        ip("route add default via 192.0.2.254");

        socket.request(&link::keep_secondaries(index)).expect("set");
        add(&mut socket, &on(index, "192.0.2.1/32", OURS)).expect("both lengths may be there");
        socket.request(&on(index, "192.0.2.1/24", OURS).delete()).expect("removed");

        let mut left = v4_on(&mut socket, index);
        left.sort();
        let expected = [("192.0.2.1/32".into(), OURS, false), ("192.0.2.2/24".into(), Protocol(0), false)];
        assert_eq!(left, expected);
        let routes = ip("route show table all");
        assert!(routes.contains("192.0.2.0/24 dev lan0 proto kernel scope link src 192.0.2.2"), "{routes}");
        assert!(routes.contains("default via 192.0.2.254 dev lan0"), "{routes}");
        assert!(routes.contains("local 192.0.2.1 dev lan0 table local"), "{routes}");
    }

    a_host_address_beside_the_routers_own_is_no_source => {
        let mut socket = requests();
        let index = veth(&mut socket);
        ip("address add 192.0.2.2/24 dev lan0");
        ip("address add 2001:db8::2/64 dev lan0 nodad");
        ip("route add default via 192.0.2.254");
        add(&mut socket, &on(index, "192.0.2.1/32", OURS)).expect("added");
        let v6 = Address { lifetimes: Lifetimes::DEPRECATED, ..on(index, "2001:db8::1/128", OURS) };
        add(&mut socket, &v6).expect("added");

        for destination in ["192.0.2.9", "203.0.113.9", "224.0.0.5 oif lan0"] {
            let chosen = ip(&format!("route get {destination}"));
            assert!(chosen.contains("src 192.0.2.2 "), "{chosen}");
        }
        let chosen = ip("route get 2001:db8::9");
        assert!(chosen.contains("src 2001:db8::2 "), "{chosen}");
    }

    an_ipv6_address_has_one_length => {
        let mut socket = requests();
        let index = veth(&mut socket);
        add(&mut socket, &on(index, "2001:db8::1/64", OURS)).expect("added");
        assert_eq!(refusal(add(&mut socket, &on(index, "2001:db8::1/128", OURS))), Errno::EEXIST);
    }

    ipv6_addresses_go_when_the_device_goes_down_and_can_be_added_while_it_is => {
        let mut socket = requests();
        let index = veth(&mut socket);
        let v6 = on(index, "2001:db8::1/128", OURS);
        add(&mut socket, &v6).expect("added");
        add(&mut socket, &on(index, "192.0.2.1/32", OURS)).expect("added");

        ip("link set lan0 down");

        assert_eq!(find(&mut socket, "2001:db8::1/128"), None);
        assert!(find(&mut socket, "192.0.2.1/32").is_some());
        assert_eq!(add(&mut socket, &v6), Ok(()));
        ip("link set lan0 up");
        assert_eq!(find(&mut socket, "2001:db8::1/128").map(|a| a.protocol), Some(OURS));
    }

    a_dump_larger_than_a_datagram_is_whole => {
        let mut socket = requests();
        let index = veth(&mut socket);
        for network in 0..2000 {
            let text = format!("10.{}.{}.1/24", network / 256, network % 256);
            add(&mut socket, &on(index, &text, OURS)).expect("added");
        }
        assert_eq!(v4_on(&mut socket, index).len(), 2000);
    }

    an_overrun_is_reported_and_reading_goes_on => {
        let mut socket = requests();
        let index = veth(&mut socket);
        let mut monitor = Socket::open(Groups::ADDRESSES).expect("a socket");
        let flapping = on(index, "192.0.2.1/32", OURS);
        for _ in 0..3000 {
            add(&mut socket, &flapping).expect("added");
            socket.request(&flapping.delete()).expect("removed");
        }

        assert_eq!(monitor.notifications(100_000, &mut |_| {}), Err(Error::Overrun));
        assert_eq!(monitor.notifications(100_000, &mut |_| {}), Ok(Received::All));
        add(&mut socket, &flapping).expect("added");
        assert!(matches!(notifications(&mut monitor)[..], [Event::Address(_)]));
    }

    reading_notifications_is_bounded => {
        let mut socket = requests();
        let index = veth(&mut socket);
        let mut monitor = Socket::open(Groups::ADDRESSES).expect("a socket");
        for last in 1..=10 {
            add(&mut socket, &on(index, &format!("192.0.2.{last}/32"), OURS)).expect("added");
        }
        let mut count = 0;
        assert_eq!(monitor.notifications(4, &mut |_| count += 1), Ok(Received::More));
        assert_eq!(count, 4);
        assert_eq!(notifications(&mut monitor).len(), 6);
    }

    a_bridge_port_tells_its_state => {
        let mut socket = requests();
        let index = veth(&mut socket);
        // With spanning tree, a port listens and learns for 15 s each before it forwards.
        for (bridge, spanning_tree, state) in [("br0", 0, PortState::Forwarding), ("br1", 1, PortState::Listening)] {
            ip(&format!("link add {bridge} type bridge stp_state {spanning_tree}"));
            ip(&format!("link set {bridge} up"));
            let mut monitor = Socket::open(Groups::LINKS).expect("a socket");

            ip(&format!("link set lan0 master {bridge}"));
            let bridge = link_named(&mut socket, bridge);
            let port = link_named(&mut socket, "lan0");
            assert_eq!((port.port, port.master), (Some(state), Some(bridge.index)));
            assert_eq!((bridge.kind, bridge.carrier), (LinkKind::Bridge, state == PortState::Forwarding));
            let told = notifications(&mut monitor);
            let tells = |event: &Event| matches!(event, Event::Port(p) if p.index == index && p.state == Some(state));
            assert!(told.iter().any(tells), "{told:?}");

            ip("link set lan0 nomaster");
            let told = notifications(&mut monitor);
            let leaves = |event: &Event| matches!(event, Event::PortGone(p) if p.index == index);
            assert!(told.iter().any(leaves), "{told:?}");
            assert!(!told.iter().any(|event| matches!(event, Event::LinkGone(_))), "{told:?}");
            assert_eq!(link_named(&mut socket, "lan0").port, None);
        }
    }

    a_bridge_that_never_had_a_port_claims_carrier => {
        let mut socket = requests();
        ip("link add br0 type bridge");
        ip("link set br0 up");
        assert!(link_named(&mut socket, "br0").carrier);

        veth(&mut socket);
        ip("link set lan0 master br0");
        ip("link set lan0 nomaster");
        assert!(!link_named(&mut socket, "br0").carrier);
    }

    routes_are_dumped_and_removed_by_owner => {
        let mut socket = requests();
        let index = veth(&mut socket);
        ip("address add 192.0.2.2/24 dev lan0");
        ip("address add 2001:db8::2/64 dev lan0 nodad");
        for (destination, gateway) in [("0.0.0.0/0", "192.0.2.254"), ("::/0", "2001:db8::fe")] {
            let wanted = Route {
                destination: prefix(destination),
                gateway: gateway.parse().ok(),
                device: Some(index),
                source: None,
                table: 4711,
                metric: 77,
                protocol: OURS,
                scope: Scope::UNIVERSE,
                kind: RouteKind::UNICAST,
            };
            let family = wanted.destination.family();
            socket.request(&wanted.add(Existing::Refuse)).expect("added");
            assert_eq!(refusal(socket.request(&wanted.add(Existing::Refuse))), Errno::EEXIST);

            assert_eq!(routes(&mut socket, family, OURS), [wanted]);
            let foreign = Route { protocol: STRANGER, ..wanted };
            assert_eq!(refusal(socket.request(&foreign.delete())), Errno::ESRCH);
            socket.request(&wanted.delete()).expect("removed");
            assert_eq!(routes(&mut socket, family, OURS), []);
            assert!(!routes(&mut socket, family, Protocol::UNSPECIFIED).is_empty());
        }
    }

    rules_carry_their_owner => {
        let mut socket = requests();
        for (family, from) in [(Family::V4, "192.0.2.0/24"), (Family::V6, "2001:db8::/64")] {
            let all = Rule::all(family, 1000, 4711, OURS);
            let narrow = Rule { from: prefix(from), input: IfName::new("lan0"), ..all };
            for wanted in [all, narrow] {
                socket.request(&wanted.add(Existing::Refuse)).expect("added");
                assert_eq!(refusal(socket.request(&wanted.add(Existing::Refuse))), Errno::EEXIST);
                assert!(rules(&mut socket, family).contains(&wanted));
                let foreign = Rule { protocol: STRANGER, ..wanted };
                assert_eq!(refusal(socket.request(&foreign.delete())), Errno::ENOENT);
                socket.request(&wanted.delete()).expect("removed");
                assert!(!rules(&mut socket, family).contains(&wanted));
            }
        }
    }

    a_device_that_returns_has_another_number => {
        let mut socket = requests();
        let before = veth(&mut socket);
        let mut monitor = Socket::open(Groups::LINKS).expect("a socket");
        ip("link del lan0");
        let after = veth(&mut socket);

        assert_ne!(before, after);
        let told = notifications(&mut monitor);
        let gone = told.iter().position(|event| *event == Event::LinkGone(before)).expect("told");
        let back = told.iter().position(|event| matches!(event, Event::Link(link) if link.index == after));
        assert!(back.expect("told") > gone);
    }
}

fn assert_link_as_shown(link: &Link, shown: &serde_json::Value, all: &[Link]) {
    assert_eq!(shown["ifindex"], link.index.get());
    assert_eq!(shown["ifname"], link.name.to_string());
    assert_eq!(shown["mtu"], link.mtu);
    let has = |flag: &str| shown["flags"].as_array().expect("a list").iter().any(|shown| shown == flag);
    assert_eq!(has("UP"), link.flags.is_up());
    assert_eq!(has("LOOPBACK"), link.flags.is_loopback());
    if link.flags.is_up() {
        assert_eq!(has("LOWER_UP"), link.carrier, "{shown}");
    }
    let mac = link.mac.expect("all devices here have one").map(|byte| format!("{byte:02x}")).join(":");
    assert_eq!(shown["address"], mac);
    let kind = match shown["linkinfo"]["info_kind"].as_str() {
        None => LinkKind::Plain,
        Some("bridge") => LinkKind::Bridge,
        Some("macvlan") => LinkKind::Macvlan,
        Some(_) => LinkKind::Other,
    };
    assert_eq!(link.kind, kind);
    let name_of = |index: Option<IfIndex>| {
        all.iter().find(|other| Some(other.index) == index).map(|other| other.name.to_string())
    };
    assert_eq!(shown["master"].as_str(), name_of(link.master).as_deref());
    if link.kind == LinkKind::Macvlan {
        assert_eq!(shown["link"].as_str(), name_of(link.lower).as_deref());
    }
}

fn assert_address_as_shown(all: &[&Address], shown: &serde_json::Value) {
    let local = shown["local"].as_str().expect("an address");
    let address = all.iter().find(|a| a.prefix.address().to_string() == local).expect("it is in the dump");
    assert_eq!(shown["prefixlen"], address.prefix.length());
    assert_eq!(shown["broadcast"].as_str(), address.broadcast.map(|ip| ip.to_string()).as_deref());
    assert_eq!(shown["label"].as_str(), address.label.map(|label| label.to_string()).as_deref());
    assert_eq!(shown["address"].as_str(), address.peer.map(|ip| ip.to_string()).as_deref());
    assert_eq!(shown["secondary"] == true, address.flags.contain(AddressFlags::SECONDARY));
    assert_eq!(shown["nodad"] == true, address.flags.contain(AddressFlags::NODAD));
    // The clock may tick between the two looks.
    for (shown, seen) in [
        (&shown["valid_life_time"], address.lifetimes.valid_s),
        (&shown["preferred_life_time"], address.lifetimes.preferred_s),
    ] {
        let shown = shown.as_u64().expect("a number");
        assert!(shown.abs_diff(seen.into()) <= 1, "{shown} {seen}");
    }
}

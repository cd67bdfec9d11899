//! The codec against an independent one, in both directions.

#![allow(clippy::wildcard_enum_match_arm)]

use core::net::Ipv6Addr;

use netlink_packet_core::{NetlinkBuffer, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::address::{AddressAttribute, AddressScope};
use netlink_packet_route::link::{
    InfoBridgePort, InfoKind, InfoPortData, InfoPortKind, LinkAttribute, LinkInfo, LinkMessage, State,
};
use netlink_packet_route::route::{RouteAddress, RouteAttribute};
use netlink_packet_route::rule::{RuleAction, RuleAttribute};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::*;

fn decode(bytes: &[u8]) -> RouteNetlinkMessage {
    let buffer = NetlinkBuffer::new_checked(bytes).expect("a netlink message");
    assert_eq!(buffer.length() as usize, bytes.len());
    match NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes).expect("the oracle reads it").payload {
        NetlinkPayload::InnerMessage(message) => message,
        other => panic!("{other:?}"),
    }
}

fn family(prefix: Prefix) -> AddressFamily {
    match prefix.family() {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    }
}

fn any_ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
    ]
}

fn any_prefix() -> impl Strategy<Value = Prefix> {
    (any_ip(), any::<u8>())
        .prop_map(|(ip, length)| Prefix::new(ip, length % (Family::of(ip).bits() + 1)).expect("it fits"))
}

fn any_index() -> impl Strategy<Value = IfIndex> {
    (1..u32::MAX).prop_map(|index| IfIndex::new(index).expect("not 0"))
}

prop_compose! {
    fn any_address()(
        prefix in any_prefix(),
        index in any_index(),
        flags in 0u32..0x1000,
        label in "[a-z0-9:.-]{1,15}",
        broadcast in any::<Option<u32>>(),
        protocol in 1u8..,
        valid_s in any::<u32>(),
        preferred_s in any::<u32>(),
    ) -> Address {
        let v4 = prefix.family() == Family::V4;
        Address {
            index,
            prefix,
            peer: None,
            flags: AddressFlags(flags),
            scope: Scope::UNIVERSE,
            label: Label::new(label).filter(|_| v4),
            broadcast: broadcast.map(Ipv4Addr::from_bits).filter(|_| v4),
            protocol: Protocol(protocol),
            lifetimes: Lifetimes { valid_s, preferred_s },
        }
    }
}

proptest! {
    #[test]
    fn the_oracle_reads_our_addresses(address in any_address()) {
        let bytes = address.add(Existing::Refuse).numbered(SEQUENCE);
        let RouteNetlinkMessage::NewAddress(seen) = decode(&bytes) else { panic!("not an address") };

        prop_assert_eq!(seen.header.family, family(address.prefix));
        prop_assert_eq!(seen.header.prefix_len, address.prefix.length());
        prop_assert_eq!(seen.header.index, address.index.get());
        prop_assert_eq!(seen.header.scope, AddressScope::Universe);
        let has = |attribute: AddressAttribute| seen.attributes.contains(&attribute);
        prop_assert!(has(AddressAttribute::Local(address.prefix.address())));
        prop_assert!(has(AddressAttribute::Address(address.prefix.address())));
        prop_assert!(has(AddressAttribute::Protocol(address.protocol.0.into())));
        for attribute in &seen.attributes {
            match attribute {
                AddressAttribute::Flags(flags) => prop_assert_eq!(flags.bits(), address.flags.0),
                AddressAttribute::Label(label) => {
                    prop_assert_eq!(Label::new(label), address.label);
                }
                AddressAttribute::Broadcast(broadcast) => {
                    prop_assert_eq!(Some(*broadcast), address.broadcast);
                }
                AddressAttribute::CacheInfo(info) => {
                    prop_assert_eq!(info.ifa_valid, address.lifetimes.valid_s);
                    prop_assert_eq!(info.ifa_preferred, address.lifetimes.preferred_s);
                }
                AddressAttribute::Local(_) | AddressAttribute::Address(_) => {}
                AddressAttribute::Protocol(_) => {}
                other => panic!("not asked for: {other:?}"),
            }
        }
    }

    #[test]
    fn we_read_the_oracles_addresses(address in any_address()) {
        let bytes = address.add(Existing::Refuse).numbered(SEQUENCE);
        let mut again = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&bytes).expect("it reads");
        again.finalize();
        let mut emitted = vec![0xa5; again.buffer_len()];
        again.serialize(&mut emitted);

        let message = Messages::new(&emitted).next().expect("a message").expect("well-formed");
        prop_assert_eq!(Event::parse(&message), Ok(Some(Event::Address(address))));
    }

    #[test]
    fn the_oracle_reads_our_routes(
        destination in any_prefix(),
        gateway in any::<Option<u128>>(),
        device in proptest::option::of(any_index()),
        table in any::<u32>(),
        metric in any::<u32>(),
        protocol in any::<u8>(),
    ) {
        let v6 = destination.family() == Family::V6;
        let gateway = gateway.map(Ipv6Addr::from_bits).map(IpAddr::V6).filter(|_| v6);
        let route = Route {
            destination, gateway, device, source: gateway, table, metric,
            protocol: Protocol(protocol), scope: Scope::LINK, kind: RouteKind::UNICAST,
        };
        let bytes = route.add(Existing::Refuse).numbered(SEQUENCE);
        let RouteNetlinkMessage::NewRoute(seen) = decode(&bytes) else { panic!("not a route") };

        prop_assert_eq!(seen.header.address_family, family(destination));
        prop_assert_eq!(seen.header.destination_prefix_length, destination.length());
        prop_assert_eq!(u8::from(seen.header.protocol), protocol);
        prop_assert_eq!(u8::from(seen.header.scope), Scope::LINK.0);
        let has = |attribute: RouteAttribute| seen.attributes.contains(&attribute);
        prop_assert!(has(RouteAttribute::Table(table)));
        prop_assert!(has(RouteAttribute::Priority(metric)));
        prop_assert_eq!(device.is_some(), device.is_some_and(|index| has(RouteAttribute::Oif(index.get()))));
        if let Some(IpAddr::V6(gateway)) = gateway {
            prop_assert!(has(RouteAttribute::Gateway(RouteAddress::Inet6(gateway))));
            prop_assert!(has(RouteAttribute::PrefSource(RouteAddress::Inet6(gateway))));
        }
        if destination != Prefix::all(destination.family()) {
            let written = match destination.address() {
                IpAddr::V4(address) => RouteAddress::Inet(address),
                IpAddr::V6(address) => RouteAddress::Inet6(address),
            };
            prop_assert!(has(RouteAttribute::Destination(written)));
        }
        prop_assert_eq!(echoed(&route.add(Existing::Refuse)), Event::Route(route));
    }

    #[test]
    fn the_oracle_reads_our_rules(
        from in any_prefix(), priority in any::<u32>(), table in 1u32.., protocol in any::<u8>(),
        input in "[a-z0-9]{1,15}",
    ) {
        let all = Rule::all(from.family(), priority, table, Protocol(protocol));
        let rule = Rule { from, input: IfName::new(&input), ..all };
        let bytes = rule.add(Existing::Refuse).numbered(SEQUENCE);
        let RouteNetlinkMessage::NewRule(seen) = decode(&bytes) else { panic!("not a rule") };

        prop_assert_eq!(seen.header.family, family(from));
        prop_assert_eq!(seen.header.src_len, from.length());
        prop_assert_eq!(seen.header.dst_len, 0);
        prop_assert_eq!(seen.header.action, RuleAction::ToTable);
        let has = |attribute: RuleAttribute| seen.attributes.contains(&attribute);
        prop_assert!(has(RuleAttribute::Table(table)));
        prop_assert!(has(RuleAttribute::Priority(priority)));
        prop_assert!(has(RuleAttribute::Iifname(input)));
        prop_assert!(has(RuleAttribute::Protocol(protocol.into())));
        prop_assert_eq!(has(RuleAttribute::Source(from.address())), from != Prefix::all(from.family()));
        prop_assert_eq!(echoed(&rule.add(Existing::Refuse)), Event::Rule(rule));
    }
}

#[test]
fn we_read_the_oracles_links() {
    let mut link = LinkMessage::default();
    link.header.index = 5;
    link.attributes = vec![
        LinkAttribute::IfName("lan1".into()),
        LinkAttribute::Address(vec![2, 0, 0, 0, 0, 1]),
        LinkAttribute::Mtu(1492),
        LinkAttribute::Link(4),
        LinkAttribute::Controller(9),
        LinkAttribute::Carrier(1),
        LinkAttribute::OperState(State::LowerLayerDown),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::MacVlan),
            LinkInfo::PortKind(InfoPortKind::Bridge),
            LinkInfo::PortData(InfoPortData::BridgePort(vec![
                InfoBridgePort::Priority(32),
                InfoBridgePort::State(netlink_packet_route::link::BridgePortState::Learning),
            ])),
        ]),
    ];
    let mut message = NetlinkMessage::from(RouteNetlinkMessage::NewLink(link));
    message.finalize();
    let mut bytes = vec![0xa5; message.buffer_len()];
    message.serialize(&mut bytes);

    let seen = Event::parse(&Messages::new(&bytes).next().expect("a message").expect("well-formed"));

    let expected = Link {
        index: IfIndex::new(5).expect("not 0"),
        name: IfName::new("lan1").expect("a name"),
        flags: LinkFlags(0),
        carrier: true,
        oper_state: OperState::LowerLayerDown,
        mac: Some([2, 0, 0, 0, 0, 1]),
        mtu: 1492,
        master: IfIndex::new(9),
        lower: IfIndex::new(4),
        kind: LinkKind::Macvlan,
        port: Some(PortState::Learning),
    };
    assert_eq!(seen, Ok(Some(Event::Link(expected))));
}

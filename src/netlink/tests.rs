use core::net::{IpAddr, Ipv4Addr};

use nix::errno::Errno;
use proptest::prelude::*;

use super::*;

mod oracle;

const SEQUENCE: u32 = 7;
const PORT: u32 = 4711;

/// A message with its header, padded as the kernel pads it.
fn message(kind: i32, flags: i32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (16 + payload.len() as u32).to_ne_bytes().to_vec();
    bytes.extend((kind as u16).to_ne_bytes());
    bytes.extend((flags as u16).to_ne_bytes());
    bytes.extend(SEQUENCE.to_ne_bytes());
    bytes.extend(PORT.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = (4 + value.len() as u16).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// `struct ifinfomsg`, then the attributes.
fn link_payload(family: i32, index: u32, flags: i32, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![family as u8, 0, 1, 0];
    bytes.extend(index.to_ne_bytes());
    bytes.extend((flags as u32).to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(attributes.concat());
    bytes
}

fn event(kind: u16, payload: &[u8]) -> Result<Option<Event>, ParseError> {
    let bytes = message(kind.into(), 0, payload);
    Event::parse(&Messages::new(&bytes).next().expect("a message").expect("well-formed"))
}

fn link(attributes: &[Vec<u8>]) -> Link {
    let name = attribute(libc::IFLA_IFNAME, b"lan0\0");
    let payload = link_payload(0, 3, libc::IFF_UP, &[vec![name], attributes.to_vec()].concat());
    match event(libc::RTM_NEWLINK, &payload) {
        Ok(Some(Event::Link(link))) => link,
        other => panic!("not a link: {other:?}"),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').expect("ADDRESS/LENGTH");
    Prefix::new(ip(address), length.parse().expect("a number")).expect("a length that fits")
}

fn address() -> Address {
    Address {
        index: IfIndex::new(3).expect("not 0"),
        prefix: prefix("192.0.2.1/24"),
        peer: None,
        flags: AddressFlags::NOPREFIXROUTE,
        scope: Scope::UNIVERSE,
        label: Label::new("lan0:vip"),
        broadcast: Some(Ipv4Addr::new(192, 0, 2, 255)),
        protocol: Protocol(103),
        lifetimes: Lifetimes { valid_s: 100, preferred_s: 10 },
    }
}

/// What the kernel would send back of a request: the same payload.
fn echoed(request: &Request) -> Event {
    let bytes = request.numbered(1);
    let message = Messages::new(&bytes).next().expect("a message").expect("well-formed");
    Event::parse(&message).expect("parses").expect("is known")
}

mod messages {
    use super::*;

    #[test]
    fn a_datagram_is_cut_into_its_messages() {
        let datagram = [message(libc::NLMSG_NOOP, 0, b"abc"), message(libc::NLMSG_DONE, 2, &[0; 4])].concat();

        let all: Vec<_> = Messages::new(&datagram).map(|message| message.expect("well-formed")).collect();

        assert_eq!(all.iter().map(|message| message.payload).collect::<Vec<_>>(), [&b"abc"[..], &[0; 4]]);
        assert_eq!((all[1].kind, all[1].flags, all[1].sequence, all[1].port), (3, 2, SEQUENCE, PORT));
    }

    #[test]
    fn a_datagram_cut_anywhere_ends_with_an_error() {
        let whole = address().add(Existing::Refuse).numbered(SEQUENCE);

        for end in 1..whole.len() {
            let all: Vec<_> = Messages::new(&whole[..end]).collect();
            assert!(matches!(all[..], [Err(_)]), "{end} bytes: {all:?}");
        }
    }

    #[test]
    fn a_length_below_the_header_or_beyond_the_end_is_an_error() {
        for length in [0u32, 15, 17, u32::MAX] {
            let mut bytes = message(libc::NLMSG_NOOP, 0, &[]);
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            let all: Vec<_> = Messages::new(&bytes).collect();
            assert_eq!(all, [Err(ParseError::BadMessageLength)], "length {length}");
        }
    }

    fn content(kind: i32, flags: i32, payload: &[u8]) -> Result<Content, ParseError> {
        let bytes = message(kind, flags, payload);
        Messages::new(&bytes).next().expect("a message").expect("well-formed").content()
    }

    fn error(number: i32, request: &[u8], attributes: &[u8]) -> Vec<u8> {
        [&number.to_ne_bytes(), request, attributes].concat()
    }

    #[test]
    fn an_error_carries_the_kernels_words() {
        let words = attribute(1, b"Device does not exist\0");
        let request = message(16, 0, &[0; 5]);
        let header = message(16, 0, &[]);
        let refused = Content::Error(KernelError {
            errno: Errno::ENODEV,
            text: Some("Device does not exist".to_owned()),
        });

        let whole = error(-libc::ENODEV, &request, &words);
        assert_eq!(content(libc::NLMSG_ERROR, libc::NLM_F_ACK_TLVS, &whole), Ok(refused.clone()));
        let capped = error(-libc::ENODEV, &header, &words);
        let flags = libc::NLM_F_ACK_TLVS | libc::NLM_F_CAPPED;
        assert_eq!(content(libc::NLMSG_ERROR, flags, &capped), Ok(refused));
    }

    #[test]
    fn error_zero_is_an_acknowledgement() {
        assert_eq!(content(libc::NLMSG_ERROR, 0, &error(0, &[], &[])), Ok(Content::Ack));
    }

    #[test]
    fn a_dump_can_end_with_an_error() {
        let failed = Content::Error(KernelError { errno: Errno::EMSGSIZE, text: None });

        assert_eq!(content(libc::NLMSG_DONE, 0, &(-libc::EMSGSIZE).to_ne_bytes()), Ok(failed));
        assert_eq!(content(libc::NLMSG_DONE, 0, &[0; 4]), Ok(Content::Done));
        assert_eq!(content(libc::NLMSG_DONE, 0, &[0; 3]), Err(ParseError::ShortHeader));
    }

    #[test]
    fn a_broken_extended_acknowledgement_costs_only_its_text() {
        let broken = error(-libc::EPERM, &message(16, 0, &[]), &[0xff; 7]);
        let refused = Content::Error(KernelError { errno: Errno::EPERM, text: None });

        assert_eq!(
            content(libc::NLMSG_ERROR, libc::NLM_F_ACK_TLVS | libc::NLM_F_CAPPED, &broken),
            Ok(refused)
        );
    }

    #[test]
    fn the_kernels_words_are_cut_when_endless() {
        let words = attribute(1, &[b'x'; 5000]);
        let payload = error(-libc::EPERM, &message(16, 0, &[]), &words);

        match content(libc::NLMSG_ERROR, libc::NLM_F_ACK_TLVS | libc::NLM_F_CAPPED, &payload) {
            Ok(Content::Error(error)) => assert_eq!(error.text.map(|text| text.len()), Some(200)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_smallest_number_is_an_error_too() {
        assert!(matches!(content(libc::NLMSG_ERROR, 0, &i32::MIN.to_ne_bytes()), Ok(Content::Error(_))));
    }
}

mod exchanges {
    use super::*;

    fn read(exchange: &mut Exchange, datagram: &[u8]) -> (Result<Progress, Error>, Vec<Event>) {
        let mut events = Vec::new();
        let progress = exchange.read(datagram, &mut |event| events.push(event));
        (progress, events)
    }

    fn an_address() -> Vec<u8> {
        let payload = address().add(Existing::Refuse).numbered(0).split_off(16);
        message(libc::RTM_NEWADDR.into(), libc::NLM_F_MULTI, &payload)
    }

    fn done() -> Vec<u8> {
        message(libc::NLMSG_DONE, libc::NLM_F_MULTI, &[0; 4])
    }

    #[test]
    fn a_dump_spans_datagrams_until_done() {
        let mut exchange = Exchange::new(SEQUENCE, PORT, Expect::Dump);

        let (progress, events) = read(&mut exchange, &[an_address(), an_address()].concat());
        assert_eq!((progress, events.len()), (Ok(Progress::Pending), 2));
        let (progress, events) = read(&mut exchange, &[an_address(), done()].concat());
        assert_eq!((progress, events.len()), (Ok(Progress::Complete), 1));
    }

    #[test]
    fn answers_to_an_older_request_or_another_socket_are_skipped() {
        for mut exchange in
            [Exchange::new(SEQUENCE + 1, PORT, Expect::Dump), Exchange::new(SEQUENCE, PORT + 1, Expect::Dump)]
        {
            let (progress, events) = read(&mut exchange, &[an_address(), done()].concat());
            assert_eq!((progress, events.len()), (Ok(Progress::Pending), 0));
        }
    }

    #[test]
    fn a_dump_during_a_change_is_reported_once_it_is_over() {
        let mut exchange = Exchange::new(SEQUENCE, PORT, Expect::Dump);
        let mut interrupted = an_address();
        interrupted[6] |= libc::NLM_F_DUMP_INTR as u8;

        assert_eq!(read(&mut exchange, &interrupted).0, Ok(Progress::Pending));
        assert_eq!(read(&mut exchange, &done()).0, Err(Error::Interrupted));
    }

    #[test]
    fn a_change_is_over_with_its_acknowledgement() {
        let mut exchange = Exchange::new(SEQUENCE, PORT, Expect::Ack);
        let ack = message(libc::NLMSG_ERROR, 0, &[0; 20]);

        assert_eq!(read(&mut exchange, &ack).0, Ok(Progress::Complete));
    }

    #[test]
    fn a_refusal_ends_either() {
        for expect in [Expect::Ack, Expect::Dump] {
            let mut exchange = Exchange::new(SEQUENCE, PORT, expect);
            let refusal = [&(-libc::EEXIST).to_ne_bytes()[..], &[0; 16]].concat();
            let (progress, _) = read(&mut exchange, &message(libc::NLMSG_ERROR, 0, &refusal));
            assert_eq!(progress.expect_err("refused").errno(), Some(Errno::EEXIST));
        }
    }

    #[test]
    fn lost_messages_end_the_exchange() {
        let mut exchange = Exchange::new(SEQUENCE, PORT, Expect::Dump);
        assert_eq!(read(&mut exchange, &message(libc::NLMSG_OVERRUN, 0, &[])).0, Err(Error::Overrun));
    }

    #[test]
    fn an_unreadable_object_hides_no_other() {
        let mut exchange = Exchange::new(SEQUENCE, PORT, Expect::Dump);
        let broken = message(libc::RTM_NEWADDR.into(), 0, &[99; 8]);

        let (progress, events) = read(&mut exchange, &[broken, an_address(), done()].concat());

        assert_eq!((progress, events.len()), (Ok(Progress::Complete), 1));
    }
}

mod links {
    use super::*;

    #[test]
    fn a_bridge_port_that_leaves_is_not_a_device_that_is_gone() {
        let payload = link_payload(
            libc::AF_BRIDGE,
            3,
            0,
            &[attribute(libc::IFLA_MASTER, &9u32.to_ne_bytes()), attribute(libc::IFLA_IFNAME, b"lan0\0")],
        );

        let port = Port { index: IfIndex::new(3).expect("not 0"), bridge: IfIndex::new(9), state: None };
        assert_eq!(event(libc::RTM_DELLINK, &payload), Ok(Some(Event::PortGone(port))));
        let payload = link_payload(0, 3, 0, &[]);
        assert_eq!(event(libc::RTM_DELLINK, &payload), Ok(Some(Event::LinkGone(port.index))));
    }

    #[test]
    fn a_port_state_is_found_in_both_places() {
        let state = attribute(1, &[3]);
        let slave =
            [attribute(libc::IFLA_INFO_SLAVE_KIND, b"bridge"), attribute(libc::IFLA_INFO_SLAVE_DATA, &state)];
        let seen = link(&[attribute(libc::IFLA_LINKINFO | 0x8000, &slave.concat())]);
        assert_eq!(seen.port, Some(PortState::Forwarding));

        let payload = link_payload(
            libc::AF_BRIDGE,
            3,
            0,
            &[attribute(libc::IFLA_PROTINFO | 0x8000, &attribute(1, &[4]))],
        );
        match event(libc::RTM_NEWLINK, &payload) {
            Ok(Some(Event::Port(port))) => assert_eq!(port.state, Some(PortState::Blocking)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_bond_members_data_is_no_bridge_state() {
        let slave = [
            attribute(libc::IFLA_INFO_SLAVE_KIND, b"bond"),
            attribute(libc::IFLA_INFO_SLAVE_DATA, &attribute(1, &[3])),
        ];
        assert_eq!(link(&[attribute(libc::IFLA_LINKINFO, &slave.concat())]).port, None);
    }

    #[test]
    fn a_wireless_scan_says_nothing_of_the_device() {
        let name = attribute(libc::IFLA_IFNAME, b"wlan0\0");
        let payload = link_payload(0, 3, 0, &[name, attribute(libc::IFLA_WIRELESS, &[0; 12])]);
        assert_eq!(event(libc::RTM_NEWLINK, &payload), Ok(None));
    }

    #[test]
    fn only_vlan_and_macvlan_have_a_device_below() {
        let below = attribute(libc::IFLA_LINK, &2u32.to_ne_bytes());
        let kind = |text: &[u8]| attribute(libc::IFLA_LINKINFO, &attribute(libc::IFLA_INFO_KIND, text));
        let elsewhere = attribute(libc::IFLA_LINK_NETNSID, &0u32.to_ne_bytes());

        assert_eq!(link(&[below.clone(), kind(b"vlan\0")]).lower, IfIndex::new(2));
        assert_eq!(link(&[below.clone(), kind(b"macvlan\0")]).lower, IfIndex::new(2));
        assert_eq!(link(&[below.clone(), kind(b"veth\0")]).lower, None);
        assert_eq!(link(&[below, kind(b"macvlan\0"), elsewhere]).lower, None);
    }

    #[test]
    fn carrier_falls_back_to_the_flags_of_old_kernels() {
        let payload = |flags| link_payload(0, 3, flags, &[attribute(libc::IFLA_IFNAME, b"lan0\0")]);
        let carrier = |flags| match event(libc::RTM_NEWLINK, &payload(flags)) {
            Ok(Some(Event::Link(link))) => link.carrier,
            other => panic!("{other:?}"),
        };

        assert!(carrier(libc::IFF_UP | libc::IFF_LOWER_UP));
        assert!(!carrier(libc::IFF_UP));
        assert!(!link(&[attribute(libc::IFLA_CARRIER, &[0])]).carrier);
    }

    #[test]
    fn a_mac_is_six_bytes_long() {
        let mac = [2, 0, 0, 0, 0, 1];
        assert_eq!(link(&[attribute(libc::IFLA_ADDRESS, &mac)]).mac, Some(mac));
        assert_eq!(link(&[attribute(libc::IFLA_ADDRESS, &[1, 2, 3, 4])]).mac, None);
    }

    #[test]
    fn a_nameless_device_and_device_zero_are_errors() {
        let nameless = link_payload(0, 3, 0, &[]);
        assert_eq!(event(libc::RTM_NEWLINK, &nameless), Err(ParseError::MissingAttribute(libc::IFLA_IFNAME)));
        let zero = link_payload(0, 0, 0, &[attribute(libc::IFLA_IFNAME, b"lan0\0")]);
        assert_eq!(event(libc::RTM_NEWLINK, &zero), Err(ParseError::NoIndex));
    }
}

mod values {
    use super::*;

    #[test]
    fn a_prefix_contains_its_network_only() {
        for (network, inside, outside) in [
            ("192.0.2.1/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.1/32", "192.0.2.1", "192.0.2.0"),
            ("2001:db8::1/64", "2001:db8::ffff", "2001:db8:0:1::"),
            ("2001:db8::1/128", "2001:db8::1", "2001:db8::2"),
        ] {
            assert!(prefix(network).contains(ip(inside)), "{network} {inside}");
            assert!(!prefix(network).contains(ip(outside)), "{network} {outside}");
        }
        assert!(Prefix::all(Family::V4).contains(ip("203.0.113.9")));
        assert!(Prefix::all(Family::V6).contains(ip("ff02::1")));
        assert!(!Prefix::all(Family::V4).contains(ip("::")));
    }

    #[test]
    fn only_networks_of_more_than_two_addresses_have_a_broadcast_address() {
        let broadcast = |text| prefix(text).broadcast().map(IpAddr::V4);
        assert_eq!(broadcast("192.0.2.1/24"), Some(ip("192.0.2.255")));
        assert_eq!(broadcast("10.0.0.1/0"), Some(ip("255.255.255.255")));
        assert_eq!(broadcast("192.0.2.5/30"), Some(ip("192.0.2.7")));
        assert_eq!(broadcast("192.0.2.5/31"), None);
        assert_eq!(broadcast("192.0.2.5/32"), None);
        assert_eq!(broadcast("fe80::1/64"), None);
    }

    #[test]
    fn a_prefix_longer_than_its_address_does_not_exist() {
        assert_eq!(Prefix::new(ip("192.0.2.1"), 33), None);
        assert_eq!(Prefix::new(ip("2001:db8::1"), 129), None);
    }

    #[test]
    fn a_label_starts_with_its_device_and_fits() {
        let on = |device: &str, name: &str| {
            let device = IfName::new(device).expect("a name");
            Label::on_device(device, name).map(|label| label.to_string())
        };
        assert_eq!(on("br-lan", "vip").as_deref(), Some("br-lan:vip"));
        assert_eq!(on("br-lan", "br-lan:vip").as_deref(), Some("br-lan:vip"));
        assert_eq!(on("br-lan", "gateway-of-home").as_deref(), Some("br-lan:gateway-"));
        assert_eq!(on("br-lan", "gateway-ü").as_deref(), Some("br-lan:gateway-"));
        assert_eq!(on("abcdefghijklmno", "vip"), None);
        assert_eq!(on("br-lan", ""), None);
    }

    #[test]
    fn names_that_no_device_can_have_are_refused() {
        for name in ["", ".", "..", "a/b", "a b", "a:b", "a\tb", "a\0b", "sixteen-letters!"] {
            assert_eq!(IfName::new(name), None, "{name:?}");
        }
        assert_eq!(IfName::new("br-lan.10").map(|name| name.to_string()).as_deref(), Some("br-lan.10"));
    }

    #[test]
    fn what_is_added_reads_back_as_itself() {
        let v6 = Address {
            prefix: prefix("fe80::1/128"),
            flags: AddressFlags::NODAD.with(AddressFlags::NOPREFIXROUTE),
            label: None,
            broadcast: None,
            lifetimes: Lifetimes::DEPRECATED,
            ..address()
        };
        let pointopoint = Address { peer: Some(ip("192.0.2.2")), ..address() };
        for address in [address(), v6, pointopoint] {
            assert_eq!(echoed(&address.add(Existing::Refuse)), Event::Address(address));
        }
    }

    #[test]
    fn exclusive_and_replacing_requests_differ() {
        let flags = |existing| {
            let bytes = address().add(existing).numbered(1);
            i32::from(u16::from_ne_bytes([bytes[6], bytes[7]]))
        };
        let always = libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE;
        assert_eq!(flags(Existing::Refuse), always | libc::NLM_F_EXCL);
        assert_eq!(flags(Existing::Replace), always | libc::NLM_F_REPLACE);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for message in Messages::new(&bytes).flatten() {
            let _ = message.content();
            let _ = Event::parse(&message);
        }
        let mut exchange = Exchange::new(0, 0, Expect::Dump);
        let _ = exchange.read(&bytes, &mut |_| {});
    }

    #[test]
    fn any_payload_of_a_known_kind_is_read_without_panic(
        kind in 16u16..40,
        payload in proptest::collection::vec(prop_oneof![Just(0u8), 0u8..24, any::<u8>()], 0..200),
    ) {
        let _ = event(kind, &payload);
    }

    #[test]
    fn a_damaged_message_is_read_without_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        end in any::<prop::sample::Index>(),
    ) {
        let slave = [
            attribute(libc::IFLA_INFO_SLAVE_KIND, b"bridge"),
            attribute(libc::IFLA_INFO_SLAVE_DATA, &attribute(1, &[3])),
        ];
        let attributes = [
            attribute(libc::IFLA_IFNAME, b"lan0\0"),
            attribute(libc::IFLA_LINKINFO, &slave.concat()),
            attribute(libc::IFLA_MASTER, &[9, 0, 0, 0]),
        ];
        let mut bytes = [
            message(libc::RTM_NEWLINK.into(), 0, &link_payload(0, 3, 0, &attributes)),
            address().add(Existing::Refuse).numbered(SEQUENCE),
        ]
        .concat();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(end.index(bytes.len()));
        for message in Messages::new(&bytes).flatten() {
            let _ = message.content();
            let _ = Event::parse(&message);
        }
    }
}

use super::super::icmp4::EchoKind;
use super::*;
use proptest::prelude::*;

const A: Mac = Mac([2, 0, 0, 0, 0x0a, 1]);
const VIP: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// The announcement that keepalived 2.4.3 sent for fe80::1, Ethernet and IPv6 headers on.
#[rustfmt::skip]
const ANNOUNCEMENT: [u8; 86] = [
    0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0x0a, 1, 0x86, 0xdd,
    0x60, 0, 0, 0, 0, 0x20, 0x3a, 0xff,
    0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    0x88, 0, 0xcd, 0x9a, 0xa0, 0, 0, 0,
    0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    2, 1, 2, 0, 0, 0, 0x0a, 1,
];

/// The solicitation of 2001:db8:1::2 for 2001:db8:1::3.
#[rustfmt::skip]
const SOLICITATION: [u8; 32] = [
    0x87, 0, 0x12, 0x22, 0, 0, 0, 0,
    0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3,
    1, 1, 2, 0, 0, 0, 0x0a, 1,
];

fn to_all_nodes() -> Received {
    Received::Frame { source: VIP, destination: ALL_NODES }
}

fn advertisement() -> &'static [u8] {
    &ANNOUNCEMENT[54..]
}

fn solicitation() -> (NeighborSolicitation, Ipv6Addr, Ipv6Addr) {
    let target = "2001:db8:1::3".parse().unwrap();
    let message = NeighborSolicitation { target, link_address: Some(A) };
    (message, "2001:db8:1::2".parse().unwrap(), solicited_node(target))
}

/// `message` with a valid checksum.
fn summed(mut message: Vec<u8>) -> Vec<u8> {
    message[2..4].fill(0);
    fill_in(&mut message, 0, VIP, ALL_NODES);
    message
}

#[test]
fn a_captured_announcement_is_taken_apart() {
    let (ethernet, packet) = ethernet::Header::parse(&ANNOUNCEMENT).unwrap();
    let (ip, message) = ipv6::Header::parse(packet).unwrap();
    let received = Received::Frame { source: ip.source, destination: ip.destination };
    let advertisement = NeighborAdvertisement::parse(message, received).unwrap();

    assert_eq!(ethernet.destination, Mac::multicast(ALL_NODES));
    assert_eq!((ip.source, ip.destination, ip.hop_limit), (VIP, ALL_NODES, HOP_LIMIT));
    assert_eq!(advertisement.target, VIP);
    assert_eq!(advertisement.link_address, Some(A));
    assert!(advertisement.flags.contains(Flags::ROUTER | Flags::OVERRIDE));
    assert!(!advertisement.flags.contains(Flags::SOLICITED));
}

#[test]
fn an_announcement_is_the_captured_frame() {
    let mut out = vec![0xa5];

    NeighborAdvertisement::unsolicited(VIP, A, Node::Router).emit_frame(A, &mut out);

    assert_eq!(out[0], 0xa5);
    assert_eq!(out[1..], ANNOUNCEMENT);
}

#[test]
fn a_host_does_not_claim_to_be_a_router() {
    let advertisement = NeighborAdvertisement::unsolicited(VIP, A, Node::Host);

    assert!(!advertisement.flags.contains(Flags::ROUTER));
    assert!(advertisement.flags.contains(Flags::OVERRIDE));
}

#[test]
fn a_frame_without_option_says_its_length() {
    let mut out = Vec::new();
    NeighborAdvertisement { target: VIP, flags: Flags::OVERRIDE, link_address: None }.emit_frame(A, &mut out);

    let (ip, message) = ipv6::Header::parse(&out[ethernet::HEADER_LEN..]).unwrap();

    assert_eq!((usize::from(ip.payload_len), message.len()), (24, 24));
    assert!(NeighborAdvertisement::parse(message, to_all_nodes()).is_some());
}

#[test]
fn parse_gives_the_solicitation() {
    let (message, source, destination) = solicitation();

    let received = Received::Frame { source, destination };
    assert_eq!(NeighborSolicitation::parse(&SOLICITATION, received), Some(message));
    assert_eq!(NeighborSolicitation::parse(&SOLICITATION, Received::Socket), Some(message));
}

#[test]
fn emit_appends_the_solicitation() {
    let (message, source, destination) = solicitation();
    let mut out = vec![0xa5];

    message.emit(source, destination, &mut out);

    assert_eq!(out[0], 0xa5);
    assert_eq!(out[1..], SOLICITATION);
}

#[test]
fn solicited_node_keeps_the_last_three_bytes() {
    let target = "fe80::ff:fe00:b01".parse().unwrap();

    assert_eq!(solicited_node(target), "ff02::1:ff00:b01".parse::<Ipv6Addr>().unwrap());
}

#[test]
fn a_message_cut_anywhere_is_none() {
    // Cut behind the target it is whole, only without an option: then the checksum tells.
    for length in 0..advertisement().len() {
        assert_eq!(NeighborAdvertisement::parse(&advertisement()[..length], to_all_nodes()), None);
        if length != usize::from(LEN) {
            assert_eq!(NeighborAdvertisement::parse(&advertisement()[..length], Received::Socket), None);
            assert_eq!(NeighborSolicitation::parse(&SOLICITATION[..length], Received::Socket), None);
        }
    }
}

#[test]
fn a_damaged_message_from_a_frame_is_none() {
    for position in 0..advertisement().len() {
        let mut message = advertisement().to_vec();
        message[position] ^= 0x10;
        assert_eq!(NeighborAdvertisement::parse(&message, to_all_nodes()), None, "{position}");
    }
}

#[test]
fn other_types_codes_and_multicast_targets_are_none_though_intact() {
    for (position, value) in [(0, 135), (0, 134), (1, 1), (8, 0xff)] {
        let mut message = advertisement().to_vec();
        message[position] = value;
        let message = summed(message);
        assert_eq!(NeighborAdvertisement::parse(&message, to_all_nodes()), None, "{position}");
    }
}

#[test]
fn unknown_options_are_skipped_and_the_first_address_counts() {
    let mut message = advertisement()[..24].to_vec();
    message.extend_from_slice(&[0x0e, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    message.extend_from_slice(&[2, 1, 2, 0, 0, 0, 0x0a, 1]);
    message.extend_from_slice(&[2, 1, 2, 0, 0, 0, 0x0b, 1]);

    let advertisement = NeighborAdvertisement::parse(&summed(message), to_all_nodes()).unwrap();

    assert_eq!(advertisement.link_address, Some(A));
}

#[test]
fn an_option_of_length_zero_drops_the_message() {
    let mut message = advertisement()[..24].to_vec();
    message.extend_from_slice(&[2, 0, 2, 0, 0, 0, 0x0a, 1]);

    assert_eq!(NeighborAdvertisement::parse(&summed(message), to_all_nodes()), None);
}

#[test]
fn echo_uses_the_numbers_of_icmpv6() {
    let echo = Echo { kind: EchoKind::Request, id: 1, sequence: 2, payload: b"gwha" };
    let mut out = vec![0xa5];
    emit_echo(&echo, VIP, ALL_NODES, &mut out);

    assert_eq!(out[..3], [0xa5, 128, 0]);
    assert_eq!(parse_echo(&out[1..], to_all_nodes()), Some(echo));
    out[9] ^= 1;
    assert_eq!(parse_echo(&out[1..], to_all_nodes()), None);
    assert!(parse_echo(&out[1..], Received::Socket).is_some());
}

proptest! {
    #[test]
    fn advertisements_and_solicitations_parse_to_themselves(
        target in any::<Ipv6Addr>().prop_filter("multicast", |a| !a.is_multicast()),
        addresses in any::<(Ipv6Addr, Ipv6Addr)>(),
        mac in any::<Option<[u8; 6]>>(),
        flags in 0u8..8,
    ) {
        let (source, destination) = addresses;
        let received = Received::Frame { source, destination };
        let link_address = mac.map(Mac);
        let advertisement = NeighborAdvertisement { target, flags: Flags(flags << 5), link_address };
        let solicitation = NeighborSolicitation { target, link_address };
        let (mut told, mut asked) = (Vec::new(), Vec::new());

        advertisement.emit(source, destination, &mut told);
        solicitation.emit(source, destination, &mut asked);

        prop_assert_eq!(NeighborAdvertisement::parse(&told, received), Some(advertisement));
        prop_assert_eq!(NeighborSolicitation::parse(&asked, received), Some(solicitation));
    }

    #[test]
    fn echo_parses_to_itself(id: u16, sequence: u16, payload: Vec<u8>, source: Ipv6Addr) {
        let echo = Echo { kind: EchoKind::Reply, id, sequence, payload: &payload };
        let mut out = Vec::new();

        emit_echo(&echo, source, VIP, &mut out);

        prop_assert_eq!(parse_echo(&out, Received::Frame { source, destination: VIP }), Some(echo));
    }

    #[test]
    fn parse_never_panics(bytes: Vec<u8>, kind in 128u8..137) {
        let mut bytes = bytes;
        bytes.insert(0, kind);
        bytes.insert(1, 0);
        let _ = parse_echo(&bytes, Received::Socket);
        let _ = NeighborAdvertisement::parse(&bytes, Received::Socket);
        let _ = NeighborSolicitation::parse(&bytes, Received::Socket);
    }
}

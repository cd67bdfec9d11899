//! Every recorded packet of keepalived decodes, and encodes back to the same bytes.
//!
//! Where the captures come from stands in `tests/vectors/README.md`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use gwha::wire::arp::{self, Arp};
use gwha::wire::ethernet::{self, ethertype};
use gwha::wire::icmp6::{self, Flags, NeighborAdvertisement, NeighborSolicitation, Node, Received};
use gwha::wire::types::{Interval, Version, Vrid};
use gwha::wire::vrrp::{
    self, AcceptChecksum, Advert, Auth, ChecksumForm, Delivery, Expect, Outgoing, Packet, Reject, Senders,
};
use gwha::wire::{ipv4, ipv6};

/// IP protocol of the IPsec authentication header.
const AH: u8 = 51;
const IGMP: u8 = 2;

/// One recording and what its nodes were configured with.
struct Capture {
    name: &'static str,
    version: Version,
    interval: Interval,
    auth: Auth,
    delivery: Delivery,
    hop_limit: u8,
    vips: &'static [&'static str],
    /// Frames by kind.
    frames: &'static [(&'static str, usize)],
}

const PASS: Auth = Auth::Password(*b"s3cr3t12");
const V4: &[&str] = &["192.168.1.1"];
const V6: &[&str] = &["fe80::1", "2001:db8:1::1"];
const TWENTY: &[&str] = &[
    "10.99.0.1",
    "10.99.0.2",
    "10.99.0.3",
    "10.99.0.4",
    "10.99.0.5",
    "10.99.0.6",
    "10.99.0.7",
    "10.99.0.8",
    "10.99.0.9",
    "10.99.0.10",
    "10.99.0.11",
    "10.99.0.12",
    "10.99.0.13",
    "10.99.0.14",
    "10.99.0.15",
    "10.99.0.16",
    "10.99.0.17",
    "10.99.0.18",
    "10.99.0.19",
    "10.99.0.20",
];

fn v2(name: &'static str, auth: Auth, frames: &'static [(&'static str, usize)]) -> Capture {
    Capture {
        name,
        version: Version::V2,
        interval: Interval::v2(1).unwrap(),
        auth,
        delivery: Delivery::Unicast,
        hop_limit: 255,
        vips: V4,
        frames,
    }
}

fn v3(name: &'static str, centiseconds: u16, frames: &'static [(&'static str, usize)]) -> Capture {
    let interval = Interval::v3(centiseconds).unwrap();
    Capture { version: Version::V3, interval, ..v2(name, Auth::None, frames) }
}

fn captures() -> Vec<Capture> {
    let multicast = Delivery::Multicast;
    vec![
        v2("v2-ah-unicast", Auth::None, &[("ah", 18), ("arp", 4), ("gratuitous", 25)]),
        v2("v2-noauth-unicast", Auth::None, &[("arp", 2), ("gratuitous", 25), ("vrrp", 18)]),
        Capture {
            delivery: multicast,
            ..v2("v2-pass-multicast", PASS, &[("gratuitous", 25), ("igmp", 12), ("vrrp", 18)])
        },
        Capture { vips: TWENTY, ..v2("v2-pass-unicast-20vips", PASS, &[("gratuitous", 500), ("vrrp", 18)]) },
        v2("v2-pass-unicast", PASS, &[("arp", 4), ("gratuitous", 30), ("vrrp", 23)]),
        Capture {
            delivery: multicast,
            ..v3("v3-ipv4-multicast-100ms", 10, &[("gratuitous", 20), ("igmp", 12), ("vrrp", 49)])
        },
        v3("v3-ipv4-unicast-100ms", 10, &[("arp", 2), ("gratuitous", 20), ("vrrp", 51)]),
        v3("v3-ipv4-unicast-10ms", 1, &[("gratuitous", 20), ("vrrp", 401)]),
        v3("v3-ipv4-unicast-1s", 100, &[("arp", 2), ("gratuitous", 30), ("vrrp", 23)]),
        Capture { vips: TWENTY, ..v3("v3-ipv4-unicast-20vips", 10, &[("gratuitous", 400), ("vrrp", 50)]) },
        Capture {
            delivery: multicast,
            ..v3("v3-ipv4-vmac-multicast", 10, &[("gratuitous", 25), ("igmp", 11), ("vrrp", 136)])
        },
        Capture {
            delivery: multicast,
            ..v3(
                "v3-ipv4-vmac-multicast.B",
                10,
                &[("gratuitous", 25), ("gratuitous reply", 5), ("igmp", 11), ("vrrp", 136)],
            )
        },
        Capture {
            delivery: multicast,
            vips: V6,
            ..v3("v3-ipv6-multicast-100ms", 10, &[("announcement", 40), ("vrrp", 49)])
        },
        Capture {
            hop_limit: 64,
            vips: V6,
            ..v3(
                "v3-ipv6-unicast-100ms",
                10,
                &[("announcement", 40), ("answer", 2), ("solicitation", 2), ("vrrp", 50)],
            )
        },
        Capture {
            hop_limit: 64,
            vips: V6,
            ..v3(
                "v3-ipv6-unicast-global-100ms",
                10,
                &[("announcement", 40), ("answer", 2), ("solicitation", 2), ("vrrp", 48)],
            )
        },
    ]
}

#[test]
fn every_recorded_packet_encodes_back_to_the_same_bytes() {
    for capture in captures() {
        let mut kinds = BTreeMap::new();
        for frame in frames(capture.name) {
            *kinds.entry(check_frame(&capture, &frame)).or_insert(0) += 1;
        }
        assert_eq!(kinds, capture.frames.iter().copied().collect(), "{}", capture.name);
    }
}

#[test]
fn no_recording_is_left_out() {
    let known: Vec<String> = captures().iter().map(|capture| format!("{}.pcap", capture.name)).collect();
    for entry in std::fs::read_dir(directory()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name) || name == "README.md", "{name} is in no test");
    }
}

/// What comes with AH is IP protocol 51, so a VRRP socket never sees it. Neither the header nor what
/// is in it would be accepted.
#[test]
fn vrrp_inside_an_authentication_header_is_refused() {
    let captures = captures();
    let capture = &captures[0];
    let mut seen = 0;
    for frame in frames(capture.name) {
        let (_, packet) = ethernet::Header::parse(&frame).unwrap();
        let Some((ip, ah)) = ipv4::Header::parse(packet).filter(|(ip, _)| ip.protocol == AH) else {
            continue;
        };
        let whole = Packet {
            source: ip.source.into(),
            destination: ip.destination.into(),
            hop_limit: ip.ttl,
            bytes: ah,
        };
        let inner = Packet { bytes: &ah[24..], ..whole };

        assert_eq!(vrrp::check(&whole, &expect(capture)), Err(Reject::Vrid));
        assert_eq!(vrrp::check(&inner, &expect(capture)), Err(Reject::AuthType));
        assert_eq!(vrrp::check(&inner, &Expect { auth: PASS, ..expect(capture) }), Err(Reject::AuthType));
        seen += 1;
    }
    assert_eq!(seen, 18);
}

/// Checks one frame and says what it was.
fn check_frame(capture: &Capture, frame: &[u8]) -> &'static str {
    let (ethernet, payload) = ethernet::Header::parse(frame).unwrap();
    match ethernet.ethertype {
        ethertype::ARP => check_arp(ethernet, payload, frame),
        ethertype::IPV4 => {
            let (ip, payload) = ipv4::Header::parse(payload).unwrap();
            let packet = Packet {
                source: ip.source.into(),
                destination: ip.destination.into(),
                hop_limit: ip.ttl,
                bytes: payload,
            };
            match ip.protocol {
                vrrp::PROTOCOL => check_vrrp(capture, packet),
                AH => "ah",
                IGMP => "igmp",
                other => panic!("{}: IP protocol {other}", capture.name),
            }
        }
        ethertype::IPV6 => {
            let (ip, payload) = ipv6::Header::parse(payload).unwrap();
            let packet = Packet {
                source: ip.source.into(),
                destination: ip.destination.into(),
                hop_limit: ip.hop_limit,
                bytes: payload,
            };
            match ip.next_header {
                vrrp::PROTOCOL => check_vrrp(capture, packet),
                icmp6::PROTOCOL => check_discovery(ethernet, ip, payload, frame),
                other => panic!("{}: next header {other}", capture.name),
            }
        }
        other => panic!("{}: ethertype {other:#x}", capture.name),
    }
}

fn check_arp(ethernet: ethernet::Header, payload: &[u8], frame: &[u8]) -> &'static str {
    let arp = Arp::parse(payload).unwrap();
    let mut out = Vec::new();
    arp.emit_frame(ethernet.destination, &mut out);
    assert_eq!(out, frame);
    if arp.sender != arp.target {
        return "arp";
    }
    if arp.operation == arp::Operation::Reply {
        return "gratuitous reply";
    }
    assert_eq!(arp, Arp::gratuitous(ethernet.source, arp.target));
    "gratuitous"
}

fn check_vrrp(capture: &Capture, packet: Packet<'_>) -> &'static str {
    let expect = expect(capture);
    let advert = vrrp::check(&packet, &expect).unwrap_or_else(|reject| panic!("{}: {reject}", capture.name));
    let vips: Vec<IpAddr> = capture.vips.iter().map(|vip| vip.parse().unwrap()).collect();

    assert_eq!(vrrp::peek(packet.bytes).map(|(_, vrid)| vrid), Some(51));
    assert_eq!(packet.hop_limit, capture.hop_limit);
    assert!([0, 90, 100].contains(&advert.priority));
    assert_eq!(advert.interval, capture.interval);
    assert!(advert.addresses.iter().eq(vips.iter().copied()), "{:?}", advert.addresses);
    assert_eq!(advert.checksum == ChecksumForm::PseudoHeader, capture.version == Version::V3);

    let mut out = Vec::new();
    outgoing(&advert, &packet, &vips, capture.auth).emit(&mut out);
    assert_eq!(out, packet.bytes);
    "vrrp"
}

fn check_discovery(
    ethernet: ethernet::Header,
    ip: ipv6::Header,
    message: &[u8],
    frame: &[u8],
) -> &'static str {
    let received = Received::Frame { source: ip.source, destination: ip.destination };
    let mut out = Vec::new();
    ethernet.emit(&mut out);
    ip.emit(&mut out);
    assert_eq!(ip.hop_limit, icmp6::HOP_LIMIT);
    if let Some(solicitation) = NeighborSolicitation::parse(message, received) {
        solicitation.emit(ip.source, ip.destination, &mut out);
        if ip.destination.is_multicast() {
            assert_eq!(ip.destination, icmp6::solicited_node(solicitation.target));
            assert_eq!(ethernet.destination, ethernet::Mac::multicast(ip.destination));
        }
        assert_eq!(out, frame);
        return "solicitation";
    }
    let advertisement = NeighborAdvertisement::parse(message, received).unwrap();
    advertisement.emit(ip.source, ip.destination, &mut out);
    assert_eq!(out, frame);
    if advertisement.flags.contains(Flags::SOLICITED) {
        return "answer";
    }
    check_announcement(advertisement, ethernet, ip.source, frame)
}

/// An announcement is what our own constructors make of its address.
fn check_announcement(
    advertisement: NeighborAdvertisement,
    ethernet: ethernet::Header,
    source: Ipv6Addr,
    frame: &[u8],
) -> &'static str {
    let mut out = Vec::new();
    NeighborAdvertisement::unsolicited(source, ethernet.source, Node::Router)
        .emit_frame(ethernet.source, &mut out);
    assert_eq!(advertisement.target, source);
    assert_eq!(out, frame);
    "announcement"
}

fn expect(capture: &Capture) -> Expect<'static> {
    Expect {
        version: capture.version,
        vrid: Vrid::new(51).unwrap(),
        interval: capture.interval,
        auth: capture.auth,
        own: &[],
        senders: Senders::Any,
        delivery: capture.delivery,
        hop_limit_min: capture.hop_limit,
        checksum: AcceptChecksum::Usual,
    }
}

fn outgoing<'a>(advert: &Advert<'_>, packet: &Packet<'_>, vips: &'a [IpAddr], auth: Auth) -> Outgoing<'a> {
    Outgoing {
        version: advert.version,
        vrid: advert.vrid,
        priority: advert.priority,
        interval: advert.interval,
        auth,
        addresses: vips,
        checksum: advert.checksum,
        source: packet.source,
        destination: packet.destination,
    }
}

/// The frames of a nanosecond pcap file, little-endian as it was written.
fn frames(name: &str) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(directory().join(format!("{name}.pcap"))).unwrap();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), 0xa1b2_3c4d, "magic of nanosecond pcap");
    assert_eq!(word(20), 1, "link type Ethernet");
    let mut frames = Vec::new();
    let mut at = 24;
    while at < bytes.len() {
        let (captured, original) = (word(at + 8) as usize, word(at + 12) as usize);
        assert_eq!(captured, original, "full frames");
        frames.push(bytes[at + 16..at + 16 + captured].to_vec());
        at += 16 + captured;
    }
    frames
}

fn directory() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors"))
}

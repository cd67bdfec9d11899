use super::*;
use proptest::prelude::*;

const A: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const B: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const C: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 3));
const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100));
const GROUP: IpAddr = IpAddr::V4(GROUP_V4);
const A6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
const B6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2));
const VIP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100));
const SECRET: Auth = Auth::Password(*b"s3cret\0\0");

/// keepalived 2.4.3, unicast A to B, VRID 51, priority 200, 200 ms, one address.
const V3: [u8; 12] = [0x31, 0x33, 0xc8, 0x01, 0x00, 0x14, 0xbf, 0xd1, 192, 0, 2, 100];
/// The same with `v3_checksum_as_v2`, the form of RFC 9568.
const V3_MESSAGE: [u8; 12] = [0x31, 0x33, 0xc8, 0x01, 0x00, 0x14, 0x44, 0x52, 192, 0, 2, 100];
/// The same to the multicast group: also what a unicast peer before 1.3.7 summed.
const V3_GROUP: [u8; 12] = [0x31, 0x33, 0xc8, 0x01, 0x00, 0x14, 0xa1, 0xc1, 192, 0, 2, 100];
/// v2 with the password "s3cret", one second.
#[rustfmt::skip]
const V2_PASS: [u8; 20] = [
    0x21, 0x33, 0xc8, 0x01, 0x01, 0x01, 0x17, 0x4b, 192, 0, 2, 100,
    0x73, 0x33, 0x63, 0x72, 0x65, 0x74, 0, 0,
];
/// IPv6 unicast A6 to B6, 200 ms.
#[rustfmt::skip]
const V6: [u8; 24] = [
    0x31, 0x33, 0xc8, 0x01, 0x00, 0x14, 0x7c, 0x00,
    0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x00,
];

fn vrid() -> Vrid {
    Vrid::new(51).unwrap()
}

fn outgoing() -> Outgoing<'static> {
    Outgoing {
        version: Version::V3,
        vrid: vrid(),
        priority: 200,
        interval: Interval::v3(20).unwrap(),
        auth: Auth::None,
        addresses: &[VIP],
        checksum: ChecksumForm::PseudoHeader,
        source: A,
        destination: B,
    }
}

fn outgoing_v2() -> Outgoing<'static> {
    Outgoing { version: Version::V2, interval: Interval::DEFAULT, auth: SECRET, ..outgoing() }
}

fn outgoing_v6() -> Outgoing<'static> {
    Outgoing { addresses: &[VIP6], source: A6, destination: B6, ..outgoing() }
}

fn emitted(outgoing: &Outgoing<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    outgoing.emit(&mut out);
    out
}

fn packet(bytes: &[u8]) -> Packet<'_> {
    Packet { source: A, destination: B, hop_limit: 255, bytes }
}

fn packet_v6(bytes: &[u8]) -> Packet<'_> {
    Packet { source: A6, destination: B6, ..packet(bytes) }
}

fn expect() -> Expect<'static> {
    Expect {
        version: Version::V3,
        vrid: vrid(),
        interval: Interval::DEFAULT,
        auth: Auth::None,
        own: &[B, B6],
        senders: Senders::Only(&[A, A6]),
        delivery: Delivery::Unicast,
        hop_limit_min: 255,
        checksum: AcceptChecksum::Usual,
    }
}

fn expect_v2() -> Expect<'static> {
    Expect { version: Version::V2, auth: SECRET, ..expect() }
}

/// `bytes` with one byte set and the checksum made right again.
fn changed<const N: usize>(bytes: [u8; N], position: usize, value: u8) -> [u8; N] {
    let mut bytes = bytes;
    bytes[position] = value;
    resum(&mut bytes);
    bytes
}

fn resum(bytes: &mut [u8]) {
    bytes[6..8].fill(0);
    let sum = Checksum::new().with(bytes).finish();
    bytes[6..8].copy_from_slice(&sum.to_be_bytes());
}

fn reject(packet: Packet<'_>, expect: Expect<'_>) -> Reject {
    check(&packet, &expect).unwrap_err()
}

mod golden {
    use super::*;

    /// Every advert of keepalived 2.4.3 that was recorded by hand, with what it says.
    #[test]
    fn adverts_of_keepalived_are_emitted_and_accepted() {
        let v3 = outgoing();
        let v2 = Outgoing { auth: Auth::None, ..outgoing_v2() };
        let two: &[IpAddr] = &[VIP, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 101))];
        #[rustfmt::skip]
        let table: [(&[u8], Outgoing<'_>); 9] = [
            (b"\x21\x33\xc8\x01\x00\x01\x54\x65\xc0\x00\x02\x64\0\0\0\0\0\0\0\0", v2),
            (b"\x21\x33\x00\x01\x00\x01\x1c\x66\xc0\x00\x02\x64\0\0\0\0\0\0\0\0", Outgoing { priority: 0, ..v2 }),
            (&V2_PASS, outgoing_v2()),
            (&V3_GROUP, Outgoing { destination: GROUP, ..v3 }),
            (&V3, v3),
            (b"\x31\x33\x00\x01\x00\x14\x87\xd2\xc0\x00\x02\x64", Outgoing { priority: 0, ..v3 }),
            (&V3_MESSAGE, Outgoing { checksum: ChecksumForm::Message, ..v3 }),
            (b"\x31\x33\xc8\x02\x00\x64\xfd\x16\xc0\x00\x02\x64\xc0\x00\x02\x65",
             Outgoing { interval: Interval::DEFAULT, addresses: two, ..v3 }),
            (&V6, outgoing_v6()),
        ];
        for (bytes, outgoing) in table {
            assert_eq!(emitted(&outgoing), bytes, "{outgoing:?}");

            let to_group = outgoing.destination == GROUP;
            let delivery = if to_group { Delivery::Multicast } else { Delivery::Unicast };
            let expect = Expect { version: outgoing.version, auth: outgoing.auth, delivery, ..expect() };
            let (source, destination) = (outgoing.source, outgoing.destination);
            let advert = check(&Packet { source, destination, hop_limit: 255, bytes }, &expect).unwrap();
            assert_eq!((advert.priority, advert.interval), (outgoing.priority, outgoing.interval));
            assert!(advert.addresses.iter().eq(outgoing.addresses.iter().copied()));
        }
    }

    /// From holo's packet tests: a second implementation of v2.
    #[test]
    fn an_advert_of_holo_is_emitted_and_accepted() {
        const BYTES: [u8; 20] =
            [0x21, 0x33, 0x1e, 0x01, 0x00, 0x01, 0xb5, 0xc5, 10, 0, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0];
        let vip = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 5));
        let outgoing = Outgoing { auth: Auth::None, priority: 30, addresses: &[vip], ..outgoing_v2() };

        assert_eq!(emitted(&outgoing), BYTES);
        assert!(check(&packet(&BYTES), &Expect { auth: Auth::None, ..expect_v2() }).is_ok());
    }
}

mod values {
    use super::*;

    #[test]
    fn a_v3_advert_is_taken_apart() {
        let advert = check(&packet(&V3), &expect()).unwrap();

        assert_eq!((advert.version, advert.vrid, advert.priority), (Version::V3, vrid(), 200));
        assert_eq!(advert.interval.centiseconds(), 20);
        assert_eq!((advert.addresses.len(), advert.addresses.is_empty()), (1, false));
        assert_eq!(advert.addresses.iter().collect::<Vec<_>>(), [VIP]);
        assert_eq!(advert.checksum, ChecksumForm::PseudoHeader);
    }

    #[test]
    fn an_ipv6_advert_is_taken_apart() {
        let advert = check(&packet_v6(&V6), &expect()).unwrap();

        assert_eq!(advert.addresses.iter().collect::<Vec<_>>(), [VIP6]);
        assert_eq!(advert.checksum, ChecksumForm::PseudoHeader);
    }

    #[test]
    fn peek_finds_the_virtual_router() {
        assert_eq!(peek(&V3), Some((3, 51)));
        assert_eq!(peek(&V2_PASS), Some((2, 51)));
        assert_eq!(peek(&V3[..1]), None);
        assert_eq!(peek(&[]), None);
    }

    #[test]
    fn emit_appends_and_leaves_what_was_there() {
        let mut out = vec![0xa5; 5];

        outgoing().emit(&mut out);

        assert_eq!(out[..5], [0xa5; 5]);
        assert_eq!(out[5..], V3);
    }

    #[test]
    fn addresses_of_the_other_family_are_not_sent() {
        assert_eq!(emitted(&Outgoing { addresses: &[VIP6, VIP], ..outgoing() }), V3);
    }

    #[test]
    fn addresses_behind_the_255th_are_not_sent() {
        let bytes = emitted(&Outgoing { addresses: &[VIP; 300], ..outgoing() });

        assert_eq!(bytes.len(), 8 + 255 * 4);
        assert_eq!(check(&packet(&bytes), &expect()).unwrap().addresses.len(), ADDRESSES_MAX);
    }

    #[test]
    fn an_interval_of_the_other_version_is_brought_into_range() {
        let slow = Outgoing { interval: Interval::v2(255).unwrap(), ..outgoing() };
        let fast = Outgoing { interval: Interval::v3(10).unwrap(), ..outgoing_v2() };

        assert_eq!(emitted(&slow)[4..6], [0x0f, 0xff]);
        assert_eq!(emitted(&fast)[5], 1);
    }

    #[test]
    fn a_password_is_not_shown() {
        assert!(!format!("{:?}", outgoing_v2()).contains("115"));
        assert_eq!(format!("{SECRET:?}"), "Password(***)");
    }
}

mod accepted {
    use super::*;

    #[test]
    fn both_checksum_forms_of_v3_and_they_are_told_apart() {
        assert_eq!(check(&packet(&V3), &expect()).unwrap().checksum, ChecksumForm::PseudoHeader);
        assert_eq!(check(&packet(&V3_MESSAGE), &expect()).unwrap().checksum, ChecksumForm::Message);
    }

    #[test]
    fn the_old_unicast_checksum_only_where_it_is_asked_for() {
        let old = Expect { checksum: AcceptChecksum::OldUnicast, ..expect() };

        assert_eq!(reject(packet(&V3_GROUP), expect()), Reject::Checksum);
        assert_eq!(check(&packet(&V3_GROUP), &old).unwrap().checksum, ChecksumForm::PseudoHeader);
        assert!(check(&packet(&V3), &old).is_ok());
        let mut damaged = V3_GROUP;
        damaged[2] ^= 1;
        assert_eq!(reject(packet(&damaged), old), Reject::Checksum);
    }

    #[test]
    fn reserved_bits_of_v3() {
        let advert = changed(V3, 4, 0xf0);

        assert_eq!(check(&packet(&advert), &expect()).unwrap().interval.centiseconds(), 20);
    }

    #[test]
    fn another_interval_in_v3() {
        let expect = Expect { interval: Interval::v3(1).unwrap(), ..expect() };

        assert_eq!(check(&packet(&V3), &expect).unwrap().interval.centiseconds(), 20);
    }

    #[test]
    fn garbage_in_the_auth_data_of_a_packet_without_authentication() {
        let mut bytes = changed(V2_PASS, 4, 0);
        bytes[12..].fill(0xa5);
        resum(&mut bytes);

        assert!(check(&packet(&bytes), &Expect { auth: Auth::None, ..expect_v2() }).is_ok());
    }

    #[test]
    fn padding_to_the_shortest_frame_whatever_is_in_it() {
        for length in [14, 18, 22, 26] {
            let mut padded = V3.to_vec();
            padded.resize(length, 0xa5);
            assert_eq!(check(&packet(&padded), &expect()), check(&packet(&V3), &expect()), "{length}");
        }
    }

    #[test]
    fn a_lower_hop_limit_where_the_configuration_says_so() {
        let far = Packet { hop_limit: 64, ..packet(&V3) };

        assert!(check(&far, &Expect { hop_limit_min: 64, ..expect() }).is_ok());
    }

    #[test]
    fn anybody_in_multicast() {
        let multicast = Expect { senders: Senders::Any, delivery: Delivery::Multicast, ..expect() };
        let stranger = Outgoing { source: C, destination: GROUP, ..outgoing() };

        let bytes = emitted(&stranger);

        let packet = Packet { source: C, destination: GROUP, ..packet(&bytes) };
        assert!(check(&packet, &multicast).is_ok());
    }
}

mod rejected {
    use super::*;

    #[test]
    fn reasons_have_distinct_names_and_their_position_as_index() {
        let mut names: Vec<_> = Reject::ALL.iter().map(|reject| reject.name()).collect();
        names.sort_unstable();
        names.dedup();

        assert_eq!(names.len(), Reject::ALL.len());
        assert!(Reject::ALL.iter().enumerate().all(|(index, reject)| reject.index() == index));
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }

    #[test]
    fn what_is_cut_anywhere() {
        for length in 0..V3.len() {
            assert_eq!(reject(packet(&V3[..length]), expect()), Reject::Truncated, "{length}");
        }
        for length in 0..V2_PASS.len() {
            assert_eq!(reject(packet(&V2_PASS[..length]), expect_v2()), Reject::Truncated, "{length}");
        }
        for length in 0..V6.len() {
            assert_eq!(reject(packet_v6(&V6[..length]), expect()), Reject::Truncated, "{length}");
        }
    }

    #[test]
    fn an_address_count_beyond_the_end() {
        assert_eq!(reject(packet(&changed(V3, 3, 2)), expect()), Reject::Truncated);
        assert_eq!(reject(packet(&changed(V3, 3, 255)), expect()), Reject::Truncated);
    }

    #[test]
    fn two_families_and_v2_over_ipv6() {
        assert_eq!(reject(Packet { destination: B6, ..packet(&V3) }, expect()), Reject::Family);
        let v2 = changed(V2_PASS, 4, 0);
        let expect = Expect { auth: Auth::None, ..expect_v2() };
        assert_eq!(reject(packet_v6(&v2), expect), Reject::Family);
    }

    #[test]
    fn another_vrid() {
        assert_eq!(reject(packet(&changed(V3, 1, 52)), expect()), Reject::Vrid);
        assert_eq!(reject(packet(&changed(V3, 1, 0)), expect()), Reject::Vrid);
    }

    #[test]
    fn an_own_packet_even_if_the_own_address_is_listed_as_a_peer() {
        let expect = Expect { own: &[A], senders: Senders::Only(&[A, B]), ..expect() };

        assert_eq!(reject(packet(&V3), expect), Reject::Looped);
    }

    #[test]
    fn a_sender_that_is_no_peer() {
        assert_eq!(reject(Packet { source: C, ..packet(&V3) }, expect()), Reject::Sender);
    }

    #[test]
    fn a_sender_that_can_be_no_station() {
        let any = Expect { senders: Senders::Any, own: &[], ..expect() };
        for source in ["0.0.0.0", "255.255.255.255", "224.0.0.18"] {
            let packet = Packet { source: source.parse().unwrap(), ..packet(&V3) };
            assert_eq!(reject(packet, any), Reject::Sender, "{source}");
        }
        for source in ["::", "ff02::12"] {
            let packet = Packet { source: source.parse().unwrap(), ..packet_v6(&V6) };
            assert_eq!(reject(packet, any), Reject::Sender, "{source}");
        }
    }

    #[test]
    fn multicast_where_unicast_is_configured_and_the_reverse() {
        let multicast = Expect { delivery: Delivery::Multicast, ..expect() };
        let to_group = Packet { destination: GROUP, ..packet(&V3_GROUP) };
        let to_broadcast = Packet { destination: Ipv4Addr::BROADCAST.into(), ..packet(&V3) };

        assert_eq!(reject(to_group, expect()), Reject::Delivery);
        assert_eq!(reject(to_broadcast, expect()), Reject::Delivery);
        assert_eq!(reject(packet(&V3), multicast), Reject::Delivery);
        assert!(check(&to_group, &multicast).is_ok());
    }

    #[test]
    fn a_hop_limit_below_the_minimum() {
        assert_eq!(reject(Packet { hop_limit: 254, ..packet(&V3) }, expect()), Reject::HopLimit);
    }

    #[test]
    fn another_version() {
        assert_eq!(reject(packet(&V2_PASS), expect()), Reject::Version);
        assert_eq!(reject(packet(&V3), expect_v2()), Reject::Version);
        assert_eq!(reject(packet(&changed(V3, 0, 0x41)), expect()), Reject::Version);
    }

    /// An AH header in the place of VRRP begins with "next header 112", which is no version of VRRP.
    #[test]
    fn an_authentication_header() {
        let mut ah = vec![0x70, 0x04, 0, 0, 192, 0, 2, 1];
        ah.extend_from_slice(&V2_PASS);
        let expect = Expect { vrid: Vrid::new(4).unwrap(), ..expect_v2() };

        assert_eq!(reject(packet(&ah), expect), Reject::Version);
    }

    #[test]
    fn another_type() {
        assert_eq!(reject(packet(&changed(V3, 0, 0x32)), expect()), Reject::Type);
        assert_eq!(reject(packet(&changed(V3, 0, 0x30)), expect()), Reject::Type);
    }

    #[test]
    fn no_addresses() {
        let mut bytes = V3[..8].to_vec();
        bytes[3] = 0;
        resum(&mut bytes);

        assert_eq!(reject(packet(&bytes), expect()), Reject::NoAddresses);
    }

    /// What keepalived refuses too: 8 zero bytes (a v2 trailer on v3) and 28 (its HMAC).
    #[test]
    fn trailers_that_are_no_padding() {
        for length in [13, 15, 16, 20, 27, 30, 40] {
            let mut bytes = V3.to_vec();
            bytes.resize(length, 0);
            assert_eq!(reject(packet(&bytes), expect()), Reject::Length, "{length}");
        }
        let mut bytes = V6.to_vec();
        bytes.resize(26, 0);
        assert_eq!(reject(packet_v6(&bytes), expect()), Reject::Length);
    }

    #[test]
    fn a_damaged_message() {
        let damaged = |bytes: &[u8], position: usize| {
            let mut bytes = bytes.to_vec();
            bytes[position] ^= 0x80;
            bytes
        };
        for position in [2, 4, 6, 8, 11] {
            assert_eq!(reject(packet(&damaged(&V3, position)), expect()), Reject::Checksum);
            assert_eq!(reject(packet(&damaged(&V2_PASS, position)), expect_v2()), Reject::Checksum);
            assert_eq!(reject(packet_v6(&damaged(&V6, position)), expect()), Reject::Checksum);
        }
        assert_eq!(reject(packet(&damaged(&V2_PASS, 19)), expect_v2()), Reject::Checksum);
    }

    #[test]
    fn an_unset_checksum() {
        let mut bytes = V3;
        bytes[6..8].fill(0);

        assert_eq!(reject(packet(&bytes), expect()), Reject::Checksum);
    }

    #[test]
    fn an_ipv6_checksum_without_pseudo_header() {
        let mut bytes = V6;
        resum(&mut bytes);

        assert_eq!(reject(packet_v6(&bytes), expect()), Reject::Checksum);
    }

    #[test]
    fn another_authentication() {
        let none = Expect { auth: Auth::None, ..expect_v2() };

        assert_eq!(reject(packet(&V2_PASS), none), Reject::AuthType);
        assert_eq!(reject(packet(&changed(V2_PASS, 4, 0)), expect_v2()), Reject::AuthType);
        assert_eq!(reject(packet(&changed(V2_PASS, 4, 2)), expect_v2()), Reject::AuthType);
    }

    #[test]
    fn another_password() {
        assert_eq!(reject(packet(&changed(V2_PASS, 12, b'S')), expect_v2()), Reject::AuthData);
        assert_eq!(reject(packet(&changed(V2_PASS, 19, 1)), expect_v2()), Reject::AuthData);
    }

    #[test]
    fn an_interval_of_zero() {
        assert_eq!(reject(packet(&changed(V3, 5, 0)), expect()), Reject::IntervalZero);
        assert_eq!(reject(packet(&changed(V2_PASS, 5, 0)), expect_v2()), Reject::IntervalZero);
        let mut reserved = changed(V3, 4, 0xf0);
        reserved = changed(reserved, 5, 0);
        assert_eq!(reject(packet(&reserved), expect()), Reject::IntervalZero);
    }

    #[test]
    fn another_interval_in_v2() {
        assert_eq!(reject(packet(&changed(V2_PASS, 5, 2)), expect_v2()), Reject::IntervalMismatch);
    }

    /// Faults added one by one from the last rung to the first: each time the earlier one is named.
    #[test]
    fn the_first_rung_that_is_missed_is_the_reason() {
        let mut bytes = V2_PASS.to_vec();
        let steps: [(usize, u8, Reject); 8] = [
            (5, 2, Reject::IntervalMismatch),
            (5, 0, Reject::IntervalZero),
            (12, 0, Reject::AuthData),
            (4, 2, Reject::AuthType),
            (3, 0, Reject::NoAddresses),
            (0, 0x22, Reject::Type),
            (0, 0x32, Reject::Version),
            (1, 9, Reject::Vrid),
        ];
        for (position, value, reason) in steps {
            bytes[position] = value;
            resum(&mut bytes);
            assert_eq!(reject(packet(&bytes), expect_v2()), reason);
            if reason == Reject::Version {
                let far = Packet { hop_limit: 1, ..packet(&bytes) };
                assert_eq!(reject(far, expect_v2()), Reject::HopLimit);
                let wide = Packet { destination: GROUP, ..far };
                assert_eq!(reject(wide, expect_v2()), Reject::Delivery);
                assert_eq!(reject(Packet { source: C, ..wide }, expect_v2()), Reject::Sender);
                assert_eq!(reject(Packet { source: B, ..wide }, expect_v2()), Reject::Looped);
            }
        }
    }
}

mod properties {
    use super::*;

    /// RFC 1071 by another road than the code's: big integers modulo 2^16 - 1.
    fn is_intact(parts: &[&[u8]]) -> bool {
        let bytes = parts.concat();
        let sum: u64 = bytes
            .chunks(2)
            .map(|word| u64::from(word[0]) * 256 + word.get(1).copied().map_or(0, u64::from))
            .sum();
        sum != 0 && sum % 0xffff == 0
    }

    fn pseudo_header(source: IpAddr, destination: IpAddr, len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for address in [source, destination] {
            match address {
                IpAddr::V4(address) => bytes.extend_from_slice(&address.octets()),
                IpAddr::V6(address) => bytes.extend_from_slice(&address.octets()),
            }
        }
        bytes.extend_from_slice(&u32::try_from(len).unwrap().to_be_bytes());
        bytes.extend_from_slice(&[0, 0, 0, PROTOCOL]);
        bytes
    }

    /// What `check` accepted must have the parts it says and one of the checksums it may have.
    fn accepted_rightly(packet: &Packet<'_>, expect: &Expect<'_>, advert: &Advert<'_>) {
        let width = if packet.source.is_ipv4() { 4 } else { 16 };
        let trailer = if expect.version == Version::V2 { 8 } else { 0 };
        let message = &packet.bytes[..8 + advert.addresses.len() * width + trailer];
        let plain = is_intact(&[message]);
        let with = |to| is_intact(&[&pseudo_header(packet.source, to, message.len()), message]);
        let right = match (advert.checksum, expect.checksum) {
            (ChecksumForm::Message, _) => plain && packet.source.is_ipv4(),
            (ChecksumForm::PseudoHeader, AcceptChecksum::Usual) => with(packet.destination),
            (ChecksumForm::PseudoHeader, AcceptChecksum::OldUnicast) => {
                with(packet.destination) || with(GROUP)
            }
        };
        assert!(right, "wrong checksum accepted: {packet:?}");
        assert!(!advert.addresses.is_empty());
        assert!(advert.interval.centiseconds() > 0);
        assert!(packet.hop_limit >= expect.hop_limit_min);
        assert!(!expect.own.contains(&packet.source));
    }

    fn expectations() -> impl Strategy<Value = Expect<'static>> {
        let versions = prop_oneof![Just(Version::V2), Just(Version::V3)];
        let auths = prop_oneof![Just(Auth::None), Just(SECRET)];
        let checksums = prop_oneof![Just(AcceptChecksum::Usual), Just(AcceptChecksum::OldUnicast)];
        let senders = prop_oneof![Just(Senders::Any), Just(Senders::Only(&[A, A6]))];
        let deliveries = prop_oneof![Just(Delivery::Unicast), Just(Delivery::Multicast)];
        (versions, auths, checksums, senders, deliveries).prop_map(
            |(version, auth, checksum, senders, delivery)| Expect {
                version,
                auth,
                checksum,
                senders,
                delivery,
                ..expect()
            },
        )
    }

    fn paths() -> impl Strategy<Value = (IpAddr, IpAddr)> {
        prop_oneof![
            4 => Just((A, B)),
            2 => Just((A6, B6)),
            1 => Just((A, GROUP)),
            1 => Just((A6, IpAddr::V6(GROUP_V6))),
            1 => Just((A6, B)),
            1 => any::<([u8; 4], [u8; 4])>().prop_map(|(a, b)| (a.into(), b.into())),
        ]
    }

    fn adverts() -> impl Strategy<Value = (Version, Vrid, u8, Interval, Auth, Vec<IpAddr>, ChecksumForm, bool)>
    {
        let v4 = prop::collection::vec(any::<Ipv4Addr>().prop_map(IpAddr::V4), 1..=255);
        let v6 = prop::collection::vec(any::<Ipv6Addr>().prop_map(IpAddr::V6), 1..=255);
        let forms = prop_oneof![Just(ChecksumForm::Message), Just(ChecksumForm::PseudoHeader)];
        let vrid = (1..=255u8).prop_map(|id| Vrid::new(id).unwrap());
        let v2 = (1..=255u8).prop_map(|seconds| (Version::V2, Interval::v2(seconds).unwrap()));
        let v3 = (1..=4095u16).prop_map(|time| (Version::V3, Interval::v3(time).unwrap()));
        let auth = prop_oneof![Just(Auth::None), any::<[u8; 8]>().prop_map(Auth::Password)];
        (prop_oneof![v2, v3], vrid, any::<u8>(), auth, v4, v6, forms, any::<bool>()).prop_map(
            |((version, interval), vrid, priority, auth, v4, v6, form, over_v6)| {
                let over_v6 = over_v6 && version == Version::V3;
                let addresses = if over_v6 { v6 } else { v4 };
                (version, vrid, priority, interval, auth, addresses, form, over_v6)
            },
        )
    }

    proptest! {
        #[test]
        fn what_was_emitted_is_accepted_as_it_was(
            (version, vrid, priority, interval, auth, addresses, checksum, over_v6) in adverts()
        ) {
            let (source, destination) = if over_v6 { (A6, B6) } else { (A, B) };
            let outgoing = Outgoing {
                version, vrid, priority, interval, auth, addresses: &addresses, checksum, source, destination,
            };
            let bytes = emitted(&outgoing);

            let expect = Expect { version, vrid, interval, auth, ..expect() };
            let advert = check(&Packet { source, destination, hop_limit: 255, bytes: &bytes }, &expect).unwrap();

            prop_assert_eq!((advert.version, advert.vrid, advert.priority), (version, vrid, priority));
            prop_assert_eq!(advert.interval, interval);
            prop_assert!(advert.addresses.iter().eq(addresses.iter().copied()));
            let again = Outgoing { checksum: advert.checksum, ..outgoing };
            prop_assert_eq!(emitted(&again), bytes);
        }

        #[test]
        fn random_bytes_never_panic_and_are_never_accepted_wrongly(
            bytes in prop::collection::vec(any::<u8>(), 0..64),
            path in paths(), hop_limit: u8, expect in expectations(),
        ) {
            let packet = Packet { source: path.0, destination: path.1, hop_limit, bytes: &bytes };
            if let Ok(advert) = check(&packet, &expect) {
                accepted_rightly(&packet, &expect, &advert);
            }
        }

        /// Starts from real adverts, so that the mutations reach every rung.
        #[test]
        fn mutated_adverts_never_panic_and_are_never_accepted_wrongly(
            base in prop::sample::select(vec![
                V3.to_vec(), V3_MESSAGE.to_vec(), V3_GROUP.to_vec(), V2_PASS.to_vec(), V6.to_vec(),
            ]),
            writes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
            length in prop_oneof![3 => Just(None), 1 => (0..40usize).prop_map(Some)],
            path in paths(), hop_limit in 250u8.., expect in expectations(),
        ) {
            let mut bytes = base;
            for (position, value) in writes {
                let position = position.index(bytes.len());
                bytes[position] = value;
            }
            if let Some(length) = length {
                bytes.resize(length, 0);
            }
            let packet = Packet { source: path.0, destination: path.1, hop_limit, bytes: &bytes };
            if let Ok(advert) = check(&packet, &expect) {
                accepted_rightly(&packet, &expect, &advert);
            }
        }

        #[test]
        fn one_changed_bit_is_always_refused(
            base in prop::sample::select(vec![V3.to_vec(), V3_MESSAGE.to_vec(), V6.to_vec()]),
            bit in any::<prop::sample::Index>(),
        ) {
            let mut bytes = base;
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let packet = if bytes.len() == V6.len() { packet_v6(&bytes) } else { packet(&bytes) };

            prop_assert!(check(&packet, &expect()).is_err());
        }
    }
}

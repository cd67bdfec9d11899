//! The codec against adverts that keepalived 2.4.3 sent.

use std::net::IpAddr;

use super::vrrp::{Advert, Cover};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn advert(version: u8, interval: u16, vips: &[&str]) -> Advert {
    Advert {
        version,
        kind: 1,
        vrid: 51,
        priority: 200,
        interval,
        vips: vips.iter().map(|vip| ip(vip)).collect(),
        auth_type: 0,
        auth: [0; 8],
    }
}

#[test]
fn v2_with_a_password_is_what_keepalived_sends() {
    let sent = Advert { auth_type: 1, auth: *b"s3cret\0\0", ..advert(2, 100, &["192.0.2.100"]) };

    let wire = bytes("2133c801 0101174b c0000264 7333637265740000");

    assert_eq!(sent.encode(Cover::Message), wire);
    assert_eq!(Advert::decode(&wire, false, Cover::Message), Some(sent));
}

#[test]
fn v3_over_ipv4_is_what_keepalived_sends() {
    let cover = Cover::Pseudo(ip("192.0.2.1"), ip("192.0.2.2"));
    let sent = advert(3, 20, &["192.0.2.100"]);

    assert_eq!(sent.encode(cover), bytes("3133c801 0014bfd1 c0000264"));
    assert_eq!(sent.encode(Cover::Message), bytes("3133c801 00144452 c0000264"));
    assert_eq!(Advert::decode(&bytes("3133c801 0014bfd1 c0000264"), false, cover), Some(sent));
}

#[test]
fn v3_over_ipv6_sums_the_pseudo_header_of_rfc_8200() {
    let cover = Cover::Pseudo(ip("2001:db8::1"), ip("2001:db8::2"));
    let sent = advert(3, 20, &["2001:db8::100"]);

    let wire = sent.encode(cover);

    assert_eq!(wire[..8], bytes("3133c801 00147c00"));
    assert_eq!(Advert::decode(&wire, true, cover), Some(sent));
}

#[test]
fn a_flipped_bit_is_noticed() {
    let mut wire = bytes("3133c801 00144452 c0000264");
    wire[2] ^= 1;

    assert_eq!(Advert::decode(&wire, false, Cover::Message), None);
}

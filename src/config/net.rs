//! Addresses and subnets.

use std::net::IpAddr;

use crate::wire::types::Family;

/// The family of an address.
pub const fn family(address: IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    }
}

/// Where an address is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// On its link only (fe80::/10; 169.254.0.0/16 counts as an ordinary IPv4 subnet).
    Link,
    /// Everywhere else.
    Other,
}

/// Where `address` is valid.
pub fn scope(address: IpAddr) -> Scope {
    match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Scope::Link,
        IpAddr::V4(_) | IpAddr::V6(_) => Scope::Other,
    }
}

/// The whole length of an address: what a host route has.
pub const fn length_max(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Whether the subnet of `address` with that prefix length contains `other`; never across families.
pub fn subnet_contains(address: IpAddr, length: u8, other: IpAddr) -> bool {
    if family(address) != family(other) {
        return false;
    }
    let host_bits = u32::from(length_max(address).saturating_sub(length));
    let network = |address| bits(address).checked_shr(host_bits).unwrap_or(0);
    network(address) == network(other)
}

/// Whether `address` is its subnet's network address or, in IPv4, its broadcast address. A subnet of
/// one or two addresses has none (RFC 3021, RFC 6164); the network address of IPv6 is the
/// subnet-router anycast address (RFC 4291 §2.6.1).
pub fn is_not_a_host(address: IpAddr, length: u8) -> bool {
    let host_bits = u32::from(length_max(address).saturating_sub(length));
    if host_bits < 2 {
        return false;
    }
    let all_ones = 1_u128.checked_shl(host_bits).map_or(u128::MAX, |bit| bit.wrapping_sub(1));
    let host = bits(address) & all_ones;
    host == 0 || (address.is_ipv4() && host == all_ones)
}

/// What tells a host from others of its subnet in the usual numbering: the last byte of an IPv4
/// address, the interface identifier of an IPv6 one.
pub fn host_part(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(v4) => u64::from(v4.to_bits() & 0xff),
        IpAddr::V6(v6) => (v6.to_bits() & u128::from(u64::MAX)) as u64,
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_subnet_contains_its_addresses_only() {
        assert!(subnet_contains(ip("192.168.1.1"), 24, ip("192.168.1.254")));
        assert!(!subnet_contains(ip("192.168.1.1"), 24, ip("192.168.2.1")));
        assert!(subnet_contains(ip("10.0.0.1"), 32, ip("10.0.0.1")));
        assert!(!subnet_contains(ip("10.0.0.1"), 32, ip("10.0.0.0")));
        assert!(subnet_contains(ip("2001:db8::1"), 1, ip("2001:db9::1")));
        assert!(!subnet_contains(ip("2001:db8::1"), 64, ip("2001:db8:0:1::1")));
        assert!(!subnet_contains(ip("0.0.0.1"), 1, ip("::1")));
    }

    #[test]
    fn network_and_broadcast_addresses_are_no_hosts() {
        assert!(is_not_a_host(ip("192.168.1.0"), 24));
        assert!(is_not_a_host(ip("192.168.1.255"), 24));
        assert!(is_not_a_host(ip("2001:db8::"), 64));
        assert!(!is_not_a_host(ip("192.168.1.255"), 16));
        assert!(!is_not_a_host(ip("192.168.1.0"), 31));
        assert!(!is_not_a_host(ip("192.168.1.0"), 32));
        assert!(!is_not_a_host(ip("2001:db8::ffff:ffff:ffff:ffff"), 64));
    }
}

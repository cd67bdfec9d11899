//! The internet checksum (RFC 1071).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A 16-bit one's complement sum over parts, as if they stood one behind the other.
///
/// Parts may have odd lengths. To verify, sum everything including the checksum field: the sum of an
/// intact message is [`Checksum::is_intact`]. To fill in, sum with the field at zero and write
/// [`Checksum::finish`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checksum {
    /// Always below 2^16: the carry is folded at each word, so that no length can overflow it.
    sum: u32,
    /// First byte of a word whose second one has not come yet.
    half: Option<u8>,
}

impl Checksum {
    /// The sum over nothing.
    pub const fn new() -> Checksum {
        Checksum { sum: 0, half: None }
    }

    /// Goes on with the next bytes.
    #[must_use]
    pub fn with(mut self, part: &[u8]) -> Checksum {
        let mut rest = part;
        if let (Some(first), Some((second, tail))) = (self.half, rest.split_first()) {
            self.half = None;
            self.word([first, *second]);
            rest = tail;
        }
        let words = rest.chunks_exact(2);
        if let [last] = words.remainder() {
            self.half = Some(*last);
        }
        for word in words {
            if let [high, low] = word {
                self.word([*high, *low]);
            }
        }
        self
    }

    /// The pseudo-header of an upper-layer message of `length` bytes: RFC 9293 §3.1 for IPv4,
    /// RFC 8200 §8.1 for IPv6. Addresses of two families count as those of the source's.
    #[must_use]
    pub fn pseudo_header(self, source: IpAddr, destination: IpAddr, protocol: u8, length: u16) -> Checksum {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.pseudo_v4(source, destination, protocol, length)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.pseudo_v6(source, destination, protocol, length)
            }
            (IpAddr::V4(source), IpAddr::V6(_)) => {
                self.pseudo_v4(source, Ipv4Addr::UNSPECIFIED, protocol, length)
            }
            (IpAddr::V6(source), IpAddr::V4(_)) => {
                self.pseudo_v6(source, Ipv6Addr::UNSPECIFIED, protocol, length)
            }
        }
    }

    /// The pseudo-header of IPv4 (RFC 9293 §3.1).
    #[must_use]
    pub fn pseudo_v4(self, source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, length: u16) -> Checksum {
        self.with(&source.octets())
            .with(&destination.octets())
            .with(&[0, protocol])
            .with(&length.to_be_bytes())
    }

    /// The pseudo-header of IPv6 (RFC 8200 §8.1).
    #[must_use]
    pub fn pseudo_v6(self, source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, length: u16) -> Checksum {
        self.with(&source.octets())
            .with(&destination.octets())
            .with(&u32::from(length).to_be_bytes())
            .with(&[0, 0, 0, protocol])
    }

    /// The value for the checksum field; a last odd byte counts as padded with zero.
    #[must_use]
    pub fn finish(self) -> u16 {
        let padded = match self.half {
            Some(_) => self.with(&[0]),
            None => self,
        };
        // `sum` is below 2^16, so nothing is cut off.
        !(padded.sum as u16)
    }

    /// Whether what was summed, its checksum field included, has arrived as it was sent.
    #[must_use]
    pub fn is_intact(self) -> bool {
        self.finish() == 0
    }

    fn word(&mut self, word: [u8; 2]) {
        let sum = self.sum + u32::from(u16::from_be_bytes(word));
        self.sum = (sum & 0xffff) + (sum >> 16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 1071 §3's own example: the sum is ddf2.
    const RFC_EXAMPLE: [u8; 8] = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];

    /// The same by another road: big integers modulo 2^16 - 1.
    fn reference(bytes: &[u8]) -> u16 {
        let sum: u64 = bytes
            .chunks(2)
            .map(|word| u64::from(word[0]) * 256 + word.get(1).copied().map_or(0, u64::from))
            .sum();
        let folded = if sum == 0 { 0 } else { (sum - 1) % 0xffff + 1 };
        !u16::try_from(folded).unwrap()
    }

    #[test]
    fn the_example_of_rfc_1071_sums_to_ddf2() {
        assert_eq!(Checksum::new().with(&RFC_EXAMPLE).finish(), !0xddf2);
    }

    #[test]
    fn megabytes_of_ones_do_not_overflow() {
        let ones = vec![0xff; 1 << 20];

        assert_eq!(Checksum::new().with(&ones).with(&ones).finish(), 0);
    }

    #[test]
    fn nothing_is_not_intact() {
        assert!(!Checksum::new().is_intact());
        assert!(!Checksum::new().with(&[0; 8]).is_intact());
    }

    #[test]
    fn pseudo_headers_have_the_layout_of_their_rfcs() {
        let (a, b) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 7));
        let v4 = [192, 0, 2, 1, 198, 51, 100, 7, 0, 112, 0x01, 0x2c];
        assert_eq!(Checksum::new().pseudo_v4(a, b, 112, 300).finish(), reference(&v4));

        let (a, b): (Ipv6Addr, Ipv6Addr) = ("fe80::1".parse().unwrap(), "ff02::12".parse().unwrap());
        let mut v6 = Vec::new();
        v6.extend_from_slice(&a.octets());
        v6.extend_from_slice(&b.octets());
        v6.extend_from_slice(&[0, 0, 0x01, 0x2c, 0, 0, 0, 112]);
        assert_eq!(Checksum::new().pseudo_v6(a, b, 112, 300).finish(), reference(&v6));
        assert_eq!(
            Checksum::new().pseudo_header(a.into(), b.into(), 112, 300),
            Checksum::new().pseudo_v6(a, b, 112, 300)
        );
    }

    proptest! {
        #[test]
        fn any_split_into_parts_gives_the_same_sum(parts in prop::collection::vec(any::<Vec<u8>>(), 0..6)) {
            let sum = parts.iter().fold(Checksum::new(), |sum, part| sum.with(part));

            prop_assert_eq!(sum.finish(), reference(&parts.concat()));
        }

        #[test]
        fn a_filled_in_checksum_verifies_and_a_changed_bit_is_seen(
            mut bytes in prop::collection::vec(any::<u8>(), 4..64),
            bit in any::<prop::sample::Index>(),
        ) {
            bytes[0] |= 1; // An all-zero message has no checksum that tells it from nothing.
            bytes[2..4].fill(0);
            let value = Checksum::new().with(&bytes).finish();
            bytes[2..4].copy_from_slice(&value.to_be_bytes());
            prop_assert!(Checksum::new().with(&bytes).is_intact());

            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);

            prop_assert!(!Checksum::new().with(&bytes).is_intact());
        }
    }
}

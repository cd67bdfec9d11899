//! VRRP adverts by the letter of RFC 3768 §5, RFC 5798 §5 and RFC 9568 §5.

use std::net::IpAddr;

/// An advert, field by field; impossible values can be written too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advert {
    pub version: u8,
    pub kind: u8,
    pub vrid: u8,
    pub priority: u8,
    /// Centiseconds; v2 carries whole seconds.
    pub interval: u16,
    pub vips: Vec<IpAddr>,
    /// v2 authentication type.
    pub auth_type: u8,
    /// v2 authentication data.
    pub auth: [u8; 8],
}

/// What a checksum covers besides the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover {
    /// Nothing: v2 always, v3 over IPv4 by RFC 9568.
    Message,
    /// A pseudo-header with these addresses: v3 by RFC 5798.
    Pseudo(IpAddr, IpAddr),
}

impl Advert {
    /// The bytes after the IP header.
    pub fn encode(&self, cover: Cover) -> Vec<u8> {
        let mut bytes = vec![self.version << 4 | self.kind, self.vrid, self.priority, self.vips.len() as u8];
        if self.version == 2 {
            bytes.extend([self.auth_type, (self.interval / 100) as u8]);
        } else {
            bytes.extend(self.interval.to_be_bytes());
        }
        bytes.extend([0, 0]);
        for vip in &self.vips {
            bytes.extend(octets(*vip));
        }
        if self.version == 2 {
            bytes.extend(self.auth);
        }
        let sum = checksum(&bytes, cover).to_be_bytes();
        bytes[6..8].copy_from_slice(&sum);
        bytes
    }

    /// The advert in `bytes`, if length, type and checksum are right.
    pub fn decode(bytes: &[u8], family_v6: bool, cover: Cover) -> Option<Advert> {
        let [first, vrid, priority, count, a, b, _, _, rest @ ..] = bytes else { return None };
        let (version, kind) = (first >> 4, first & 15);
        let width = if family_v6 { 16 } else { 4 };
        let trailer = if version == 2 { 8 } else { 0 };
        if kind != 1 || rest.len() != usize::from(*count) * width + trailer || checksum(bytes, cover) != 0 {
            return None;
        }
        let (vips, auth) = rest.split_at(rest.len() - trailer);
        let seconds_or_centiseconds =
            if version == 2 { u16::from(*b) * 100 } else { u16::from_be_bytes([*a & 15, *b]) };
        Some(Advert {
            version,
            kind,
            vrid: *vrid,
            priority: *priority,
            interval: seconds_or_centiseconds,
            vips: vips.chunks(width).filter_map(address).collect(),
            auth_type: if version == 2 { *a } else { 0 },
            auth: auth.try_into().unwrap_or([0; 8]),
        })
    }
}

/// RFC 1071 over the message as it stands (a message with its checksum in place gives 0).
fn checksum(message: &[u8], cover: Cover) -> u16 {
    let mut all = Vec::new();
    if let Cover::Pseudo(source, destination) = cover {
        all.extend(octets(source));
        all.extend(octets(destination));
        if source.is_ipv6() {
            all.extend((message.len() as u32).to_be_bytes());
            all.extend([0, 0, 0, 112]);
        } else {
            all.extend([0, 112]);
            all.extend((message.len() as u16).to_be_bytes());
        }
    }
    all.extend(message);
    let mut sum: u32 =
        all.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

//! Leases as bytes, in network order.
//!
//! ```text
//! hello   version (1)  oldest (1)  node (4)  term (4)  count (4)  digest (8)  writers (2)  { node (4)  seq (8) }
//! batch   number (4)  count (4)  writers (2)  { node (4)  seq (8) }  { length (2)  entry }
//! entry   term (4)  node (4)  seq (8)  life (1)  seconds (4)  family (1)  address (4 or 16)  words (2)  client
//! ack     number (4)  count (4)
//! ```
//!
//! A later version may append fields to a message or an entry; what stands behind the known ones is skipped, and so is an
//! entry that can't be understood. An entry without a client is a release. A batch that leaves nothing to be sent says what
//! the sender has; the others have no writers in them.

use core::time::Duration;
use std::net::IpAddr;

use crate::collect::IntoVec as _;
use crate::engine::Instant;
use crate::sync::bytes::Bytes;

use super::table::{Entry, Have};
use super::{Client, Life, Node, Stamp};

/// The version that this program speaks.
pub const VERSION: u8 = 1;

/// The oldest one that it understands.
pub const OLDEST: u8 = 1;

/// Writers that are told of. There is one for each start of a daemon whose leases still run.
pub const WRITERS_MAX: usize = 256;

/// What a router says of its table: when the channel stands, and then now and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The newest version that it speaks.
    pub version: u8,
    /// The oldest one.
    pub oldest: u8,
    /// Its name as a writer.
    pub node: Node,
    /// The highest term that it has seen.
    pub term: u32,
    /// Leases that run.
    pub count: u32,
    /// Of its entries.
    pub digest: u64,
    /// What it has.
    pub have: Have,
}

/// What stands before a batch's entries, and all of an answer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Counts the batches of a connection.
    pub number: u32,
    /// Leases that run at the sender.
    pub count: u32,
}

impl Hello {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.version, self.oldest];
        out.extend(self.node.0.to_be_bytes());
        out.extend(self.term.to_be_bytes());
        out.extend(self.count.to_be_bytes());
        out.extend(self.digest.to_be_bytes());
        put_have(&self.have, &mut out);
        out
    }

    /// Of bytes; `None` if it is none.
    pub fn decode(body: &[u8]) -> Option<Hello> {
        let mut bytes = Bytes(body);
        Some(Hello {
            version: bytes.u8()?,
            oldest: bytes.u8()?,
            node: Node(bytes.u32()?),
            term: bytes.u32()?,
            count: bytes.u32()?,
            digest: bytes.u64()?,
            have: read_have(&mut bytes)?,
        })
    }
}

impl Head {
    /// As bytes.
    pub fn encode(self) -> Vec<u8> {
        [self.number.to_be_bytes(), self.count.to_be_bytes()].concat()
    }

    /// Of the first bytes of a body, and the rest of it.
    pub fn decode(body: &[u8]) -> Option<(Head, &[u8])> {
        let mut bytes = Bytes(body);
        let head = Head { number: bytes.u32()?, count: bytes.u32()? };
        Some((head, bytes.0))
    }
}

/// Leases on their way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch<'a> {
    /// Which batch, and of how many.
    pub head: Head,
    /// What the sender has, if nothing is left to be sent.
    pub have: Have,
    /// See [`entries`].
    pub entries: &'a [u8],
}

impl Batch<'_> {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.head.encode();
        put_have(&self.have, &mut out);
        out.extend(self.entries);
        out
    }

    /// Of bytes; `None` if it is none.
    pub fn decode(body: &[u8]) -> Option<Batch<'_>> {
        let (head, rest) = Head::decode(body)?;
        let mut bytes = Bytes(rest);
        let have = read_have(&mut bytes)?;
        Some(Batch { head, have, entries: bytes.0 })
    }
}

fn put_have(have: &Have, out: &mut Vec<u8>) {
    let writers: Vec<(Node, u64)> = have.iter().take(WRITERS_MAX).into_vec();
    out.extend(u16::try_from(writers.len()).unwrap_or(0).to_be_bytes());
    for (node, seq) in writers {
        out.extend(node.0.to_be_bytes());
        out.extend(seq.to_be_bytes());
    }
}

/// Appends an entry.
pub fn put_entry(address: IpAddr, entry: &Entry, now: Instant, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend([0; 2]);
    out.extend(entry.stamp.term.to_be_bytes());
    out.extend(entry.stamp.node.0.to_be_bytes());
    out.extend(entry.stamp.seq.to_be_bytes());
    let (kind, seconds) = match entry.life {
        Life::Until(end) => (LIFE_UNTIL, whole_seconds(end.since(now))),
        Life::Length(seconds) => (LIFE_LENGTH, seconds),
        Life::Forever => (LIFE_FOREVER, 0),
    };
    out.push(kind);
    out.extend(seconds.to_be_bytes());
    match address {
        IpAddr::V4(address) => {
            out.push(4);
            out.extend(address.octets());
        }
        IpAddr::V6(address) => {
            out.push(6);
            out.extend(address.octets());
        }
    }
    let words = entry.client.as_ref().map(Client::text).unwrap_or_default();
    out.extend(u16::try_from(words.len()).unwrap_or(0).to_be_bytes());
    out.extend(words.as_bytes());
    let length = out.len().saturating_sub(start).saturating_sub(2);
    if let Some(place) = out.get_mut(start..start.saturating_add(2)) {
        place.copy_from_slice(&u16::try_from(length).unwrap_or(0).to_be_bytes());
    }
}

/// The entries of a batch; those that can't be understood are left out, and so is everything behind a torn one.
pub fn entries(body: &[u8], now: Instant) -> impl Iterator<Item = (IpAddr, Entry)> {
    let mut bytes = Bytes(body);
    let cut = move || {
        let length = usize::from(bytes.u16()?);
        bytes.take(length)
    };
    core::iter::from_fn(cut).filter_map(move |entry| read_entry(entry, now))
}

fn read_entry(body: &[u8], now: Instant) -> Option<(IpAddr, Entry)> {
    let mut bytes = Bytes(body);
    let stamp = Stamp { term: bytes.u32()?, node: Node(bytes.u32()?), seq: bytes.u64()? };
    let (kind, seconds) = (bytes.u8()?, bytes.u32()?);
    let life = match kind {
        LIFE_UNTIL => Life::Until(now.after(Duration::from_secs(seconds.into()))),
        LIFE_LENGTH => Life::Length(seconds),
        LIFE_FOREVER => Life::Forever,
        _ => return None,
    };
    let address = match bytes.u8()? {
        4 => bytes.array::<4>()?.into(),
        6 => bytes.array::<16>()?.into(),
        _ => return None,
    };
    let words = bytes.text()?;
    let client = if words.is_empty() { None } else { Some(Client::parse(words)?) };
    Some((address, Entry { stamp, client, life }))
}

/// Rounded up: a lease must not end before its client believes so.
fn whole_seconds(left: Duration) -> u32 {
    let seconds = left.as_secs().saturating_add(u64::from(left.subsec_nanos() > 0));
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

const LIFE_UNTIL: u8 = 0;
const LIFE_LENGTH: u8 = 1;
const LIFE_FOREVER: u8 = 2;

fn read_have(bytes: &mut Bytes<'_>) -> Option<Have> {
    let mut have = Have::default();
    let writers = usize::from(bytes.u16()?);
    for _ in 0..Some(writers).filter(|count| *count <= WRITERS_MAX)? {
        have.add(Node(bytes.u32()?), bytes.u64()?);
    }
    Some(have)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Instant = Instant::from_micros(70_000_000);

    fn some_entry() -> impl Strategy<Value = (IpAddr, Entry)> {
        let life = prop_oneof![
            (0u32..u32::MAX).prop_map(|it| Life::Until(NOW.after(Duration::from_secs(it.into())))),
            any::<u32>().prop_map(Life::Length),
            Just(Life::Forever),
        ];
        let word = "[!-~]{1,40}";
        let client =
            prop::option::of((word, word, word).prop_map(|(a, b, c)| Client::new(&a, &b, &c).unwrap()));
        let stamp = (any::<u32>(), any::<u32>(), any::<u64>());
        (any::<IpAddr>(), stamp, client, life).prop_map(|(address, (term, node, seq), client, life)| {
            (address, Entry { stamp: Stamp { term, node: Node(node), seq }, client, life })
        })
    }

    proptest! {
        #[test]
        fn entries_come_back_as_they_were_put(all in prop::collection::vec(some_entry(), 0..20)) {
            let mut body = Vec::new();
            for (address, entry) in &all {
                put_entry(*address, entry, NOW, &mut body);
            }
            let back: Vec<_> = entries(&body, NOW).collect();
            prop_assert_eq!(back, all);
        }

        #[test]
        fn hello_comes_back_as_it_was_put(
            numbers in (any::<u8>(), any::<u32>(), any::<u32>(), any::<u64>()),
            have in prop::collection::btree_map(any::<u32>(), 1..u64::MAX, 0..20),
        ) {
            let (version, node, count, digest) = numbers;
            let mut hello = Hello {
                version, oldest: version, node: Node(node), term: count, count, digest, have: Have::default(),
            };
            for (node, seq) in have {
                hello.have.add(Node(node), seq);
            }
            prop_assert_eq!(Hello::decode(&hello.encode()), Some(hello.clone()));
            // A later version may say more.
            let mut longer = hello.encode();
            longer.extend(b"more");
            prop_assert_eq!(Hello::decode(&longer), Some(hello));
        }

        #[test]
        fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Hello::decode(&body);
            let _ = Batch::decode(&body);
            prop_assert!(entries(&body, NOW).count() <= body.len());
        }
    }

    #[test]
    fn entry_of_a_later_version_is_skipped_and_the_next_one_read() {
        let stamp = Stamp { term: 1, node: Node(2), seq: 3 };
        let entry = Entry { stamp, client: Client::new("02:00", "x", "*"), life: Life::Forever };
        let mut body = Vec::new();
        put_entry([10, 0, 0, 1].into(), &entry, NOW, &mut body);
        // A life of an unknown kind.
        body[2 + 16] = 9;
        let second = body.len();
        put_entry([10, 0, 0, 2].into(), &entry, NOW, &mut body);
        // More words than this version knows of.
        body.extend(b"more");
        let length = u16::from_be_bytes([body[second], body[second + 1]]) + 4;
        body[second..second + 2].copy_from_slice(&length.to_be_bytes());
        put_entry([10, 0, 0, 3].into(), &entry, NOW, &mut body);

        let addresses: Vec<IpAddr> = entries(&body, NOW).map(|(address, _)| address).collect();
        assert_eq!(addresses, [IpAddr::from([10, 0, 0, 2]), IpAddr::from([10, 0, 0, 3])]);
    }

    #[test]
    fn what_is_left_is_rounded_up_on_the_wire() {
        let stamp = Stamp { term: 1, node: Node(2), seq: 3 };
        let life = Life::Until(NOW.after(Duration::from_millis(1001)));
        let mut body = Vec::new();
        put_entry([10, 0, 0, 1].into(), &Entry { stamp, client: None, life }, NOW, &mut body);
        let (_, entry) = entries(&body, Instant::from_micros(5)).next().unwrap();
        assert_eq!(entry.life, Life::Until(Instant::from_micros(2_000_005)));
    }
}

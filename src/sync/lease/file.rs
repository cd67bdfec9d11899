//! dnsmasq's lease file.
//!
//! ```text
//! 1795231847 02:00:00:00:03:01 192.168.50.170 laptop 01:02:00:00:00:03:01
//! duid 00:01:00:01:32:93:24:26:76:bf:64:e4:dc:b5
//! 1795192645 366785301 fd00:50::133 laptop 00:01:00:01:32:93:20:82:76:bf:64:e4:dc:b6
//! ```
//!
//! The first number is the end in seconds since 1970, 0 for a lease without one, and the length of the lease where
//! dnsmasq was built for routers without a clock. Lines of other kinds (newer versions have some) are never
//! replicated: another version's dnsmasq loses the line behind one that it does not know.

use core::time::Duration;
use std::fmt::Write as _;
use std::net::IpAddr;

use crate::engine::Instant;

use super::table::Lease;
use super::{Client, Life};

/// One moment on both clocks: the edge between the file and everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// On the clock of this boot.
    pub now: Instant,
    /// Microseconds since 1970.
    pub wall: u64,
}

/// A line of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// A lease.
    Lease(Row<'a>),
    /// Something else: the server's DUID, or what a newer version writes.
    Other(&'a str),
}

/// A lease as it stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// The first number.
    pub end: u64,
    /// The address that is lent.
    pub address: IpAddr,
    /// First of the [`Client`]'s words.
    pub hardware: &'a str,
    /// Second of them.
    pub name: &'a str,
    /// Third of them.
    pub id: &'a str,
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Option<Row<'a>> {
        let mut words = line.split_ascii_whitespace();
        let (end, hardware) = (words.next()?, words.next()?);
        let (address, name, id) = (words.next()?, words.next()?, words.next()?);
        // `+1` is a number for Rust, and nothing that dnsmasq writes.
        let is_number = end.bytes().all(|byte| byte.is_ascii_digit());
        let row = Row {
            end: end.parse().ok().filter(|_| is_number)?,
            address: address.parse().ok()?,
            hardware,
            name,
            id,
        };
        words.next().is_none().then_some(row)
    }

    /// Its words; `None` if they are longer than dnsmasq writes them.
    pub fn client(&self) -> Option<Client> {
        Client::new(self.hardware, self.name, self.id)
    }

    /// Whether it is this client's.
    pub fn is_of(&self, client: &Client) -> bool {
        let mut words = client.text().split(' ');
        [self.hardware, self.name, self.id].into_iter().all(|word| words.next() == Some(word))
    }
}

/// What the first number of a line means now; `None`: the lease is over.
pub fn life(end: u64, clock: Clock) -> Option<Life> {
    match end {
        0 => Some(Life::Forever),
        length if length < LENGTH_BELOW => u32::try_from(length).ok().map(Life::Length),
        end => {
            let left = end.saturating_mul(1_000_000).saturating_sub(clock.wall);
            let left = Duration::from_micros(left).min(LEFT_MAX);
            (!left.is_zero()).then(|| Life::Until(clock.now.after(left)))
        }
    }
}

/// The first number of a line for a lease that lasts so long.
fn end(life: Life, clock: Clock) -> u64 {
    match life {
        Life::Forever => 0,
        Life::Length(seconds) => seconds.into(),
        Life::Until(end) => {
            let left = u64::try_from(end.since(clock.now).as_micros()).unwrap_or(u64::MAX);
            // Not a moment earlier than the client believes.
            clock.wall.saturating_add(left).div_ceil(1_000_000)
        }
    }
}

/// The complete lines of a text; what stands behind the last end of a line is left out.
pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let whole = text.rfind('\n').and_then(|at| text.get(..at)).unwrap_or_default();
    let written = whole.lines().filter(|line| !line.trim_ascii().is_empty());
    written.map(|line| Row::parse(line).map_or(Line::Other(line), Line::Lease))
}

/// Writes a file: IPv4, other lines, IPv6, as dnsmasq does. Of two leases of one client the last line counts for
/// dnsmasq, so they are given in the order in which they were granted.
pub fn write(leases: &[Lease<'_>], others: &[String], clock: Clock) -> String {
    let (mut first, mut last) = (String::new(), String::new());
    for Lease { address, client, life, .. } in leases {
        let text = if address.is_ipv4() { &mut first } else { &mut last };
        let (hardware, rest) = client.text().split_once(' ').unwrap_or_default();
        let _ = writeln!(text, "{} {hardware} {address} {rest}", end(*life, clock));
    }
    for line in others {
        first += line;
        first.push('\n');
    }
    first + &last
}

/// Numbers below are lengths: as an end they would lie before the middle of 1978.
const LENGTH_BELOW: u64 = 1 << 28;

/// The longest that the wire can say.
const LEFT_MAX: Duration = Duration::from_secs(u32::MAX as u64 - 1);

#[cfg(test)]
mod tests {
    use super::super::{Node, Stamp};
    use super::*;

    /// 2026-11-21, and five minutes after a boot.
    const CLOCK: Clock = Clock { now: Instant::from_micros(300_000_000), wall: 1_795_192_000_500_000 };

    /// As dnsmasq 2.90 wrote it after it had read a hand-made file.
    const BOTH: &str = "\
1795192645 02:00:00:00:03:03 192.168.50.171 d *
1795192645 02:00:00:00:03:02 192.168.50.171 c *
1795231847 02:00:00:00:03:01 192.168.50.170 b *
1795192645 02:00:00:00:03:01 192.168.50.160 a *
duid 00:01:00:01:32:93:24:26:76:bf:64:e4:dc:b5
1795192645 366785301 fd00:50::133 laptop 00:01:00:01:32:93:20:82:76:bf:64:e4:dc:b6
";

    fn rows(text: &str) -> Vec<Row<'_>> {
        lines(text)
            .filter_map(|line| match line {
                Line::Lease(row) => Some(row),
                Line::Other(_) => None,
            })
            .collect()
    }

    #[test]
    fn leases_of_both_families_are_read_and_the_server_is_not_one() {
        let rows = rows(BOTH);
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[2].client().unwrap().name(), Some("b"));
        assert_eq!(rows[2].client().unwrap().id(), None);
        assert_eq!(rows[4].address, "fd00:50::133".parse::<IpAddr>().unwrap());
        assert_eq!(rows[4].client().unwrap().hardware(), "366785301");
        let left = Duration::from_micros(644_500_000);
        assert_eq!(life(rows[0].end, CLOCK), Some(Life::Until(CLOCK.now.after(left))));
    }

    fn lease((address, client, life): &(IpAddr, Client, Life)) -> Lease<'_> {
        let stamp = Stamp { term: 1, node: Node(1), seq: 1 };
        Lease { address: *address, client, life: *life, stamp }
    }

    #[test]
    fn what_is_read_is_written_again_to_the_second() {
        let others = ["duid 00:01:00:01:32:93:24:26:76:bf:64:e4:dc:b5".to_owned()];
        let leases: Vec<_> = rows(BOTH)
            .into_iter()
            .map(|row| (row.address, row.client().unwrap(), life(row.end, CLOCK).unwrap()))
            .collect();
        let leases: Vec<_> = leases.iter().map(lease).collect();
        assert_eq!(write(&leases, &others, CLOCK), BOTH);
    }

    #[test]
    fn lease_without_end_and_lease_of_a_router_without_clock_keep_their_meaning() {
        let text = "0 02:00:00:00:03:05 192.168.50.165 inf *\n43200 02:00:00:00:03:01 192.168.50.160 * *\n";
        let rows = rows(text);
        assert_eq!(life(rows[0].end, CLOCK), Some(Life::Forever));
        assert_eq!(life(rows[1].end, CLOCK), Some(Life::Length(43200)));
        let leases: Vec<_> = rows
            .iter()
            .map(|row| (row.address, row.client().unwrap(), life(row.end, CLOCK).unwrap()))
            .collect();
        let leases: Vec<_> = leases.iter().map(lease).collect();
        assert_eq!(write(&leases, &[], CLOCK), text);
    }

    #[test]
    fn lease_that_ended_has_no_life_left() {
        assert_eq!(life(1_795_192_000, CLOCK), None);
        assert!(life(1_795_192_001, CLOCK).is_some());
    }

    #[test]
    fn line_that_is_not_whole_is_left_out() {
        for length in 0..BOTH.len() {
            let cut = &BOTH[..length];
            assert_eq!(
                rows(cut).len(),
                rows(&BOTH[..cut.rfind('\n').map_or(0, |at| at + 1)]).len(),
                "{length}"
            );
        }
    }

    #[test]
    fn other_lines_are_kept_apart() {
        let strange = [
            "vendorclass 192.168.50.170 4d53:46:54",
            "agent-info 192.168.50.170 01:02",
            "1795192645 02:00:00:00:03:03 192.168.50.171 d",
            "1795192645 02:00:00:00:03:03 192.168.50.171 d * more",
            "1795192645 02:00:00:00:03:03 192.168.50.1711 d *",
            "+5 02:00:00:00:03:03 192.168.50.171 d *",
            "99999999999999999999 02:00:00:00:03:03 192.168.50.171 d *",
        ];
        for line in strange {
            assert_eq!(lines(&format!("{line}\n")).collect::<Vec<_>>(), [Line::Other(line)]);
        }
    }

    #[test]
    fn words_that_dnsmasq_does_not_write_make_no_client() {
        assert!(Client::new("02:00", "x", "*").is_some());
        assert!(Client::new("02:00", "x y", "*").is_none());
        assert!(Client::new("", "x", "*").is_none());
        assert!(Client::new("02:00", &"n".repeat(256), "*").is_none());
        assert!(Client::parse("02:00 x *").is_some());
        assert!(Client::parse("02:00 x").is_none());
        assert!(Client::parse("02:00 x * y").is_none());
        assert!(Client::parse("02:00 x\n *").is_none());
    }
}

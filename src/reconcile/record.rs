//! The record of our addresses, for kernels that don't keep it. Pure: the file is its caller's.

use crate::sorted::Set;
use core::fmt;
use std::net::IpAddr;

use crate::netlink::IfName;

/// The addresses that this program has installed or is about to, by device.
///
/// As text a line each: device, blank, address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    entries: Set<(IfName, IpAddr)>,
}

impl Record {
    /// Reads a record; lines that are none are left out, as they can't be ours.
    pub fn parse(text: &str) -> Record {
        let mut record = Record::default();
        for line in text.lines() {
            let (device, address) = line.rsplit_once(' ').unwrap_or_default();
            if let (Some(device), Ok(address)) = (IfName::new(device), address.parse()) {
                record.insert(device, address);
            }
        }
        record
    }

    /// Whether the address is in it.
    pub fn contains(&self, device: IfName, address: IpAddr) -> bool {
        self.entries.contains(&(device, address))
    }

    /// Adds an address; a record that is full stays as it is.
    pub fn insert(&mut self, device: IfName, address: IpAddr) {
        if self.entries.len() < ENTRIES_MAX {
            self.entries.insert((device, address));
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (device, address) in &self.entries {
            writeln!(f, "{device} {address}")?;
        }
        Ok(())
    }
}

/// Far above what a configuration can have.
const ENTRIES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_reads_back() {
        let mut record = Record::default();
        for (device, address) in [("br-lan", "192.0.2.1"), ("br-lan", "fe80::1"), ("eth0.2", "2001:db8::1")] {
            record.insert(IfName::new(device).unwrap(), address.parse().unwrap());
        }

        assert_eq!(Record::parse(&record.to_string()), record);
        assert_eq!(record.to_string().lines().count(), 3);
    }

    #[test]
    fn a_damaged_file_costs_only_its_damaged_lines() {
        let record = Record::parse("br-lan 192.0.2.1\nbr-lan\n\n 192.0.2.2\nbr-lan 300.0.0.1\nbr-lan 192.0.");

        assert_eq!(record.to_string(), "br-lan 192.0.2.1\n");
    }

    #[test]
    fn a_record_has_a_limit() {
        let text: String = (0..10_000u32).map(|n| format!("lan0 {}\n", IpAddr::V4(n.into()))).collect();

        let mut record = Record::parse(&text);
        record.insert(IfName::new("lan1").unwrap(), "192.0.2.1".parse().unwrap());

        assert_eq!(record.to_string().lines().count(), ENTRIES_MAX);
    }
}

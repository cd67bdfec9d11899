//! Writes a lease file as dnsmasq does: in place, cut off first, then in blocks of 4 KiB.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

pub struct Writer {
    file: File,
    /// The name of each client, and when its lease ends.
    leases: Vec<(String, u64)>,
    renamed: u32,
}

impl Writer {
    pub fn new(path: &Path) -> Writer {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        Writer { file: file.expect("the file can be opened"), leases: Vec::new(), renamed: 0 }
    }

    /// So many leases in all.
    pub fn grow(&mut self, count: u32) {
        let end = super::wall().as_secs() + 43_200;
        while self.leases.len() < count as usize {
            self.leases.push((format!("host-{}", self.leases.len()), end));
        }
        self.write();
    }

    /// Renews leases at a rate, each under a new name; returns when each was in the file, and the name.
    pub fn churn(&mut self, rate: u32, period: Duration) -> Vec<(Duration, String)> {
        let (start, mut changes) = (Instant::now(), Vec::new());
        let mut next = start;
        while start.elapsed() < period {
            self.renamed += 1;
            let name = format!("n{}", self.renamed);
            let at = self.renamed as usize * 7 % self.leases.len();
            let lease = self.leases.get_mut(at).expect("within the file");
            *lease = (name.clone(), lease.1 + 1);
            self.write();
            changes.push((super::wall(), name));
            next += Duration::from_secs(1) / rate;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        changes
    }

    fn write(&mut self) {
        let mut text = String::new();
        for (number, (name, end)) in (0u32..).zip(&self.leases) {
            let address = Ipv4Addr::from(0x0a10_0000 + number);
            let (high, low) = (number >> 8, number & 255);
            let _ = writeln!(
                text,
                "{end} 02:00:00:01:{high:02x}:{low:02x} {address} {name} 01:02:00:00:01:{high:02x}:{low:02x}"
            );
        }
        self.file.rewind().expect("a file can be rewound");
        self.file.set_len(0).expect("a file can be cut off");
        for block in text.as_bytes().chunks(4096) {
            self.file.write_all(block).expect("a file can be written");
        }
    }
}

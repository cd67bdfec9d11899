//! When which lease came to the standby, from the file that it keeps in memory for a restart; and when the server
//! answered, from the capture.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use gwha::engine::Instant;
use gwha::sync::lease::Stamp;
use gwha::sync::lease::wire;

/// A lease in the standby's file.
#[derive(Clone)]
pub struct Arrival {
    /// Since 1970.
    pub at: Duration,
    pub address: IpAddr,
    pub name: String,
}

#[derive(Default)]
struct Seen {
    all: Vec<Arrival>,
    stamps: BTreeSet<Stamp>,
    addresses: BTreeSet<IpAddr>,
    /// The file, and how far it was read.
    file: u64,
    offset: usize,
}

pub struct Arrivals(Arc<Mutex<Seen>>);

/// How often the file is looked at.
const LOOK: Duration = Duration::from_micros(300);

impl Arrivals {
    pub fn watch(path: PathBuf) -> Arrivals {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            while Arc::strong_count(&shared) > 1 {
                look(&path, &mut shared.lock().expect("nobody panics"));
                thread::sleep(LOOK);
            }
        });
        Arrivals(seen)
    }

    pub fn all(&self) -> Vec<Arrival> {
        self.0.lock().expect("nobody panics").all.clone()
    }

    pub fn addresses(&self) -> usize {
        self.0.lock().expect("nobody panics").addresses.len()
    }

    pub fn forget(&self) {
        *self.0.lock().expect("nobody panics") = Seen::default();
    }
}

fn look(path: &Path, seen: &mut Seen) {
    let Ok((length, file)) = fs::metadata(path).map(|it| (it.len() as usize, it.ino())) else { return };
    if (file, length) == (seen.file, seen.offset) {
        return;
    }
    let at = super::wall();
    let bytes = fs::read(path).unwrap_or_default();
    let header = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
    let is_new = file != seen.file || seen.offset < header || bytes.len() < seen.offset;
    let from = if is_new { header } else { seen.offset };
    for (address, entry) in wire::entries(&bytes[from..], Instant::from_micros(0)) {
        let Some(client) = entry.client.filter(|_| seen.stamps.insert(entry.stamp)) else { continue };
        seen.addresses.insert(address);
        let name = client.name().unwrap_or_default().to_owned();
        seen.all.push(Arrival { at, address, name });
    }
    (seen.file, seen.offset) = (file, from + whole(&bytes[from..]));
}

/// The bytes of the entries that are there as a whole; one may just be being written.
fn whole(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Some(&[high, low]) = bytes.get(end..end + 2) {
        let next = end + 2 + usize::from(u16::from_be_bytes([high, low]));
        if next > bytes.len() {
            break;
        }
        end = next;
    }
    end
}

/// The DHCPACKs in a capture file of the lab: when, since 1970, and for which address.
pub fn acks(path: &Path) -> Vec<(Duration, IpAddr)> {
    let bytes = fs::read(path).expect("there is a capture");
    let mut rest = &bytes[24..];
    let mut found = Vec::new();
    while rest.len() >= 16 {
        let word = |at: usize| u32::from_ne_bytes(rest[at..at + 4].try_into().expect("four bytes"));
        let (at, length) = (Duration::new(word(0).into(), word(4)), word(8) as usize);
        let Some(frame) = rest.get(16..16 + length) else { break };
        found.extend(ack(frame).map(|address| (at, address)));
        rest = &rest[16 + length..];
    }
    found
}

/// The address in an Ethernet frame with a DHCPACK.
fn ack(frame: &[u8]) -> Option<IpAddr> {
    let is_from_server =
        frame.get(12..14)? == [8, 0] && frame.get(23)? == &17 && frame.get(34..36)? == [0, 67];
    let dhcp = frame.get(42..)?;
    let options = dhcp.get(240..)?;
    let is_ack = is_from_server && options.starts_with(&[53, 1, 5]);
    let address: [u8; 4] = dhcp.get(16..20)?.try_into().ok()?;
    is_ack.then(|| Ipv4Addr::from(address).into())
}

//! Names of devices and labels of addresses: short byte strings, kept inline.

use core::fmt;

/// `IFNAMSIZ` without the NUL at the end.
const LENGTH_MAX: usize = 15;

/// The name of a network device: 1 to 15 bytes, without blanks, `/` and `:` (`dev_valid_name`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfName(Short);

impl IfName {
    /// `None` if no device can have this name.
    pub fn new(name: impl AsRef<[u8]>) -> Option<IfName> {
        let name = name.as_ref();
        let allowed = |byte: &u8| !matches!(byte, 0 | b'/' | b':') && !is_space(*byte);
        let valid = name.iter().all(allowed) && name != b"." && name != b"..";
        valid.then(|| Short::new(name)).flatten().map(IfName)
    }

    /// The bytes of the name. The kernel does not ask for any encoding.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The label of an IPv4 address, as old tools show it: 1 to 15 bytes.
///
/// By convention it is the name of the device, or starts with that name and a colon; tools that work with
/// aliases (`ifconfig`) find the address only then.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Short);

impl Label {
    /// Any label: what the kernel reports. `None` if it is empty, longer than 15 bytes or contains NUL.
    pub fn new(label: impl AsRef<[u8]>) -> Option<Label> {
        let label = label.as_ref();
        (!label.contains(&0)).then(|| Short::new(label)).flatten().map(Label)
    }

    /// `name` as a label on `device`: prefixed with the device unless it is already, and cut to 15 bytes.
    ///
    /// `None` if nothing of `name` fits beside the device's own name, or nothing was given.
    pub fn on_device(device: IfName, name: &str) -> Option<Label> {
        let mut prefix = device.as_bytes().to_vec();
        prefix.push(b':');
        let name = name.strip_prefix(&*String::from_utf8_lossy(&prefix)).unwrap_or(name);
        let room = LENGTH_MAX.saturating_sub(prefix.len());
        let fits = (0..=room).rev().find_map(|end| name.get(..end)).filter(|cut| !cut.is_empty())?;
        prefix.extend_from_slice(fits.as_bytes());
        Label::new(prefix)
    }

    /// The bytes of the label.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// 1 to 15 bytes, none of them NUL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Short {
    /// Filled up with NUL, so that comparing the arrays compares the names.
    bytes: [u8; LENGTH_MAX],
}

impl Short {
    fn new(name: &[u8]) -> Option<Short> {
        let mut bytes = [0; LENGTH_MAX];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        (!name.is_empty()).then_some(Short { bytes })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}

/// The kernel's `isspace`, which counts the vertical tab and the Latin-1 no-break space too.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, 0x0b | 0xa0)
}

macro_rules! show_as_text {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&String::from_utf8_lossy(self.as_bytes()))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "\"{}\"", self.as_bytes().escape_ascii())
            }
        }
    };
}

show_as_text!(IfName);
show_as_text!(Label);

//! Kinds of values: how each is read, and what is said when it can't be.

use core::time::Duration;
use std::net::IpAddr;

use crate::collect::IntoVec as _;

use super::limits::TEXT_BYTES_MAX;
use super::model::{Vip, Weight};
use super::problem::Secs;

/// A kind of value.
pub trait Kind: Sync {
    /// What it is turned into.
    type Value;

    /// The value that `text` stands for, `None` if it is not allowed.
    fn parse(&self, text: &str) -> Option<Self::Value>;

    /// What is allowed, to go after "must be".
    fn allowed(&self) -> String;

    /// The words that are allowed, if there are only a few.
    fn words(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Whether the value may be shown in messages.
    fn visibility(&self) -> Visibility {
        Visibility::Shown
    }
}

/// Whether a value may be shown in messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// In full.
    Shown,
    /// As `***`.
    Hidden,
}

/// On or off, in any of the words that OpenWrt understands.
pub struct Switch;

impl Kind for Switch {
    type Value = bool;

    fn parse(&self, text: &str) -> Option<bool> {
        match text {
            "1" | "on" | "true" | "yes" | "enabled" => Some(true),
            "0" | "off" | "false" | "no" | "disabled" => Some(false),
            _ => None,
        }
    }

    fn allowed(&self) -> String {
        "'1' or '0'".into()
    }

    fn words(&self) -> Vec<&'static str> {
        vec!["1", "on", "true", "yes", "enabled", "0", "off", "false", "no", "disabled"]
    }
}

/// A whole number.
pub struct Integer {
    /// Least.
    pub min: u32,
    /// Greatest.
    pub max: u32,
    /// Unit with a blank before it, or nothing.
    pub unit: &'static str,
}

impl Kind for Integer {
    type Value = u32;

    fn parse(&self, text: &str) -> Option<u32> {
        digits(text)?.parse().ok().filter(|number| (self.min..=self.max).contains(number))
    }

    fn allowed(&self) -> String {
        format!("{}..{}{}", self.min, self.max, self.unit)
    }
}

/// A time in seconds, with up to three places after the point.
pub struct Seconds {
    /// Least, in milliseconds.
    pub min_ms: u32,
    /// Greatest, in milliseconds.
    pub max_ms: u32,
}

impl Kind for Seconds {
    type Value = Duration;

    fn parse(&self, text: &str) -> Option<Duration> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        if fraction.len() > 3 {
            return None;
        }
        let whole_ms = digits(whole)?.parse::<u32>().ok()?.checked_mul(1000)?;
        let fraction_ms = format!("{:0<3}", digits(fraction)?).parse::<u32>().ok()?;
        let ms = whole_ms.checked_add(fraction_ms)?;
        (self.min_ms..=self.max_ms).contains(&ms).then(|| Duration::from_millis(ms.into()))
    }

    fn allowed(&self) -> String {
        let show = |ms: u32| Secs(Duration::from_millis(ms.into()));
        format!("{}..{} seconds", show(self.min_ms), show(self.max_ms))
    }
}

/// One of a few words.
pub struct Choice<T: 'static>(
    /// The words and what they stand for.
    pub &'static [(&'static str, T)],
);

impl<T: Copy + Sync> Kind for Choice<T> {
    type Value = T;

    fn parse(&self, text: &str) -> Option<T> {
        self.0.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    }

    fn allowed(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(word, _)| format!("'{word}'")).into_vec();
        words.join(" or ")
    }

    fn words(&self) -> Vec<&'static str> {
        self.0.iter().map(|(word, _)| *word).into_vec()
    }
}

/// An address that a host can have.
pub struct Address;

impl Kind for Address {
    type Value = IpAddr;

    fn parse(&self, text: &str) -> Option<IpAddr> {
        text.parse().ok().filter(|address| is_host(*address))
    }

    fn allowed(&self) -> String {
        "an IPv4 or IPv6 address of a host".into()
    }
}

/// A virtual address: `ADDRESS[/LENGTH] [label NAME]`.
pub struct VirtualAddress;

impl Kind for VirtualAddress {
    type Value = Vip;

    fn parse(&self, text: &str) -> Option<Vip> {
        let mut words = text.split_ascii_whitespace();
        let address = words.next()?;
        let label = match (words.next(), words.next(), words.next()) {
            (None, ..) => None,
            (Some("label"), Some(label), None) if label.len() <= 15 && is_link_name(label) => {
                Some(label.to_owned())
            }
            _ => return None,
        };
        let (address, prefix) = match address.split_once('/') {
            Some((address, length)) => {
                (address, Some(u8::try_from(digits(length)?.parse::<u32>().ok()?).ok()?))
            }
            None => (address, None),
        };
        let address = Address.parse(address)?;
        let length_max = if address.is_ipv4() { 32 } else { 128 };
        let length_fits = prefix.is_none_or(|length| (1..=length_max).contains(&length));
        let label_fits = label.is_none() || address.is_ipv4();
        (length_fits && label_fits).then_some(Vip { address, prefix, label })
    }

    fn allowed(&self) -> String {
        "ADDRESS[/LENGTH] [label NAME] (length 1..32, for IPv6 1..128; a label has up to 15 characters, IPv4 only)"
            .into()
    }
}

/// A name, path or command: text that is kept as it is.
///
/// One type for all of them, told apart by a function: each kind of its own would repeat the code that
/// reads options, and flash is scarce.
pub struct Word {
    /// Whether a text is one.
    fits: fn(&str) -> bool,
    /// What is allowed.
    allowed: &'static str,
    /// Whether it may be shown.
    visibility: Visibility,
}

impl Word {
    /// A logical interface of `/etc/config/network`.
    pub const NETWORK: Word = Word::new(
        |text| text.len() <= 31 && is_link_name(text),
        "the name of a network in /etc/config/network (up to 31 characters, no blanks, no '/')",
    );
    /// A kernel device: IFNAMSIZ is 16 with the NUL; a colon is only for labels.
    pub const DEVICE: Word = Word::new(
        |text| text.len() <= 15 && !text.contains(':') && is_link_name(text),
        "the name of a device (up to 15 characters, no blanks, no '/' and ':')",
    );
    /// The name of an instance.
    pub const INSTANCE: Word = Word::new(is_printable, "the name of a section 'config instance'");
    /// The name of a track.
    pub const TRACK: Word = Word::new(is_printable, "the name of a section 'config track'");
    /// An absolute path without `..`.
    pub const PATH: Word = Word::new(
        |text| {
            text.starts_with('/')
                && text.split('/').all(|part| part != ".." && part != ".")
                && is_printable(text)
        },
        "an absolute path without '.' and '..'",
    );
    /// A service: the name of a script in `/etc/init.d`.
    pub const SERVICE: Word =
        Word::new(is_service, "the name of a service in /etc/init.d (letters, digits, '_', '-', '.')");
    /// `CONFIG.SECTION` or `CONFIG.SECTION.OPTION`, as the command `uci` writes it.
    pub const UCI_PATH: Word =
        Word::new(is_uci_path, "CONFIG.SECTION or CONFIG.SECTION.OPTION, such as 'network.lan.ipaddr'");
    /// Whom a track asks; what it must be depends on the track's type.
    pub const TARGET: Word = Word::new(is_printable, "an address, for 'tcp' ADDRESS:PORT");
    /// What a shell runs.
    pub const COMMAND: Word = Word::new(is_printable, "a command in one line");
    /// A password; never shown.
    pub const PASSWORD: Word =
        Word { visibility: Visibility::Hidden, ..Word::new(is_printable, "text of up to 8 bytes") };

    const fn new(fits: fn(&str) -> bool, allowed: &'static str) -> Word {
        Word { fits, allowed, visibility: Visibility::Shown }
    }
}

impl Kind for Word {
    type Value = String;

    fn parse(&self, text: &str) -> Option<String> {
        (self.fits)(text).then(|| text.to_owned())
    }

    fn allowed(&self) -> String {
        self.allowed.into()
    }

    fn visibility(&self) -> Visibility {
        self.visibility
    }
}

/// `fault`, or what is added to the priority.
pub struct TrackWeight;

impl Kind for TrackWeight {
    type Value = Weight;

    fn parse(&self, text: &str) -> Option<Weight> {
        if text == "fault" {
            return Some(Weight::Fault);
        }
        let number = digits(text.strip_prefix('-')?)?.parse::<u32>().ok()?;
        let number = i16::try_from(number).ok().filter(|number| (1..=253).contains(number))?;
        Some(Weight::Adjust(number.wrapping_neg()))
    }

    fn allowed(&self) -> String {
        "'fault' or -253..-1 (what a failed check takes from the priority)".into()
    }

    fn words(&self) -> Vec<&'static str> {
        vec!["fault"]
    }
}

/// `text` if it is nothing but digits: Rust's own parsers also take a sign.
fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control)
}

/// What the kernel takes as the name of a device (`dev_valid_name`) or as a label.
fn is_link_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"/'\"".contains(&byte);
    !text.is_empty() && text.bytes().all(fits) && text != "." && text != ".."
}

fn is_service(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-+@".contains(&byte);
    !text.is_empty() && text.len() <= 64 && text.bytes().all(fits) && !text.starts_with(['.', '-'])
}

fn is_uci_path(text: &str) -> bool {
    let parts = text.split('.');
    let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
    matches!(parts.clone().count(), 2 | 3)
        && parts.clone().all(|part| !part.is_empty())
        && text.bytes().all(fits)
}

fn is_host(address: IpAddr) -> bool {
    let special = match address {
        IpAddr::V4(v4) => v4.is_broadcast() || v4.octets().first() == Some(&0),
        IpAddr::V6(v6) => v6.to_ipv4_mapped().is_some(),
    };
    !special && !address.is_unspecified() && !address.is_multicast() && !address.is_loopback()
}

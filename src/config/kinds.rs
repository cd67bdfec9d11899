//! Kinds of values: how each is read, and what is said when it can't be.

use core::time::Duration;
use std::net::IpAddr;

use super::limits::TEXT_BYTES_MAX;
use super::model::{Vip, Weight};
use super::problem::Secs;

/// A kind of value.
pub trait Kind {
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

/// Milliseconds between adverts, in any version.
pub struct AdvertInterval;

impl Kind for AdvertInterval {
    type Value = u32;

    fn parse(&self, text: &str) -> Option<u32> {
        digits(text)?.parse().ok().filter(|ms| (10..=255_000).contains(ms))
    }

    fn allowed(&self) -> String {
        "10..40950 ms in steps of 10 (version 2: 1000..255000 ms in steps of 1000)".into()
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

impl<T: Copy> Kind for Choice<T> {
    type Value = T;

    fn parse(&self, text: &str) -> Option<T> {
        self.0.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    }

    fn allowed(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(word, _)| format!("'{word}'")).collect();
        words.join(" or ")
    }

    fn words(&self) -> Vec<&'static str> {
        self.0.iter().map(|(word, _)| *word).collect()
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
            (Some("label"), Some(label), None) if label.len() <= 15 => Some(link_name(label)?),
            _ => return None,
        };
        let (address, prefix) = match address.split_once('/') {
            Some((address, length)) => (address, Some(digits(length)?.parse::<u8>().ok()?)),
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

/// A logical interface of `/etc/config/network`.
pub struct Interface;

impl Kind for Interface {
    type Value = String;

    fn parse(&self, text: &str) -> Option<String> {
        (text.len() <= 31).then(|| link_name(text)).flatten()
    }

    fn allowed(&self) -> String {
        "the name of a network in /etc/config/network (up to 31 characters, no blanks, no '/')".into()
    }
}

/// A kernel device.
pub struct Device;

impl Kind for Device {
    type Value = String;

    fn parse(&self, text: &str) -> Option<String> {
        // IFNAMSIZ is 16 with the NUL; a colon is only for labels.
        (text.len() <= 15 && !text.contains(':')).then(|| link_name(text)).flatten()
    }

    fn allowed(&self) -> String {
        "the name of a device (up to 15 characters, no blanks, no '/' and ':')".into()
    }
}

/// The name of a section of this file.
pub struct Reference(
    /// Its type.
    pub &'static str,
);

impl Kind for Reference {
    type Value = String;

    fn parse(&self, text: &str) -> Option<String> {
        printable(text)
    }

    fn allowed(&self) -> String {
        format!("the name of a section 'config {}'", self.0)
    }
}

/// An absolute path without `..`.
pub struct Path;

impl Kind for Path {
    type Value = String;

    fn parse(&self, text: &str) -> Option<String> {
        let plain = text.starts_with('/') && text.split('/').all(|part| part != ".." && part != ".");
        if plain { printable(text) } else { None }
    }

    fn allowed(&self) -> String {
        "an absolute path without '.' and '..'".into()
    }
}

/// A service: the name of a script in `/etc/init.d`.
pub struct Service;

impl Kind for Service {
    type Value = String;

    fn parse(&self, text: &str) -> Option<String> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-+@".contains(&byte);
        let plain = text.len() <= 64 && text.bytes().all(fits) && !text.starts_with(['.', '-']);
        if plain { printable(text) } else { None }
    }

    fn allowed(&self) -> String {
        "the name of a service in /etc/init.d (letters, digits, '_', '-', '.')".into()
    }
}

/// `CONFIG.SECTION` or `CONFIG.SECTION.OPTION`, as the command `uci` writes it.
pub struct UciPath;

impl Kind for UciPath {
    type Value = String;

    fn parse(&self, text: &str) -> Option<String> {
        let parts = text.split('.').collect::<Vec<_>>();
        let plain = matches!(parts.len(), 2 | 3) && parts.iter().all(|part| !part.is_empty());
        let fits = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        if plain && fits { printable(text) } else { None }
    }

    fn allowed(&self) -> String {
        "CONFIG.SECTION or CONFIG.SECTION.OPTION, such as 'network.lan.ipaddr'".into()
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
        let number = digits(text.strip_prefix('-')?)?.parse::<i16>().ok()?;
        (1..=253).contains(&number).then(|| Weight::Adjust(number.wrapping_neg()))
    }

    fn allowed(&self) -> String {
        "'fault' or -253..-1 (what a failed check takes from the priority)".into()
    }

    fn words(&self) -> Vec<&'static str> {
        vec!["fault"]
    }
}

/// A password; never shown.
pub struct Password;

impl Kind for Password {
    type Value = String;

    fn parse(&self, text: &str) -> Option<String> {
        printable(text)
    }

    fn allowed(&self) -> String {
        "text of up to 8 bytes".into()
    }

    fn visibility(&self) -> Visibility {
        Visibility::Hidden
    }
}

/// Any line of text.
pub struct Text(
    /// What it is, with its article.
    pub &'static str,
);

impl Kind for Text {
    type Value = String;

    fn parse(&self, text: &str) -> Option<String> {
        printable(text)
    }

    fn allowed(&self) -> String {
        self.0.into()
    }
}

/// `text` if it is nothing but digits: Rust's own parsers also take a sign.
fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

fn printable(text: &str) -> Option<String> {
    let fits = !text.is_empty() && text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

/// What the kernel takes as the name of a device (`dev_valid_name`) or as a label.
fn link_name(text: &str) -> Option<String> {
    let fits = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"/'\"".contains(&byte));
    if fits && text != "." && text != ".." { printable(text) } else { None }
}

fn is_host(address: IpAddr) -> bool {
    let special = match address {
        IpAddr::V4(v4) => v4.is_broadcast() || v4.octets().first() == Some(&0),
        IpAddr::V6(v6) => v6.to_ipv4_mapped().is_some(),
    };
    !special && !address.is_unspecified() && !address.is_multicast() && !address.is_loopback()
}

//! What this router has: its place on the network, its key, its configuration.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use crate::config::model::Config;
use crate::config::{self, Loaded};
use crate::daemon::report::host_name;
use crate::daemon::{Resolver, read_bounded};
use crate::disk;
use crate::netlink::{Event, Groups, Mirror, Scope, Socket, address, link};
use crate::peer::key::{self, Key};
use crate::reconcile::MARK;
use crate::uci::{self, Section, Tree};

use super::agree::{KEY_FILE, key_file};
use super::message::Facts;

/// Which network the routers share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Where {
    /// The one called `lan`; without it, the only one there is.
    Usual,
    /// The one on which this router has this address.
    Address(Ipv4Addr),
    /// The one of this name, or on the device of this name.
    Interface(String),
    /// The one on which the other router has this address.
    Towards(Ipv4Addr),
}

/// What becomes of what this router has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// It is kept, and the other router gets it.
    Kept,
    /// `--force`: it is as if it were not there.
    GivenUp,
}

/// An own address on a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The address and the length of its subnet.
    pub address: (Ipv4Addr, u8),
    /// The device.
    pub device: String,
    /// What `/etc/config/network` calls it.
    pub network: Option<String>,
}

/// Finds this router's place, with `config` as its configuration file.
///
/// # Errors
/// A sentence: what there is to choose from.
pub fn place(config: &Path, wanted: &Where) -> Result<Place, String> {
    let all = places(config)?;
    let fits = |place: &&Place| match wanted {
        Where::Usual => place.network.as_deref() == Some("lan"),
        Where::Address(address) => place.address.0 == *address,
        Where::Interface(name) => place.network.as_ref() == Some(name) || place.device == *name,
        Where::Towards(other) => contains(place, *other),
    };
    match (all.iter().find(fits), all.as_slice()) {
        (Some(place), _) => Ok(place.clone()),
        (None, [only]) if *wanted == Where::Usual => Ok(only.clone()),
        (None, _) => Err(not_found(&all, wanted)),
    }
}

fn contains(place: &Place, other: Ipv4Addr) -> bool {
    let (address, length) = place.address;
    crate::netlink::Prefix::new(address.into(), length).is_some_and(|prefix| prefix.contains(other.into()))
}

fn not_found(all: &[Place], wanted: &Where) -> String {
    let list: Vec<String> =
        all.iter().map(|place| format!("{} ({})", place.address.0, place.device)).collect();
    let list = if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    match wanted {
        Where::Usual => {
            format!("on which network? Say it with --listen ADDRESS; this router has: {list}")
        }
        Where::Address(address) => format!("this router has no address {address}; it has: {list}"),
        Where::Interface(name) => format!("this router has no IPv4 address on {name}; it has: {list}"),
        Where::Towards(other) => {
            format!("this router has no address on the network of {other}; it has: {list}")
        }
    }
}

/// Own IPv4 addresses with a subnet, without those that gwha has put there.
fn places(config: &Path) -> Result<Vec<Place>, String> {
    let mut mirror = Mirror::default();
    let mut socket = Socket::open(Groups::NONE).map_err(|errno| disk::plain(&errno.into()))?;
    for request in [link::dump(), address::dump(None)] {
        let visit: &mut dyn FnMut(Event) = &mut |event| mirror.apply(&event);
        socket.dump(&request, visit).map_err(|error| error.to_string())?;
    }
    let mut resolver = Resolver::default();
    resolver.read_beside(config);
    let vips = virtual_addresses(config);
    let mut found = Vec::new();
    for own in mirror.addresses() {
        let (prefix, IpAddr::V4(address)) = (own.prefix, own.prefix.address()) else { continue };
        let is_ordinary = !prefix.is_host() && own.scope != Scope::HOST && own.peer.is_none();
        let is_virtual = own.protocol == MARK || vips.contains(&address.into());
        let Some(link) = mirror.link(own.index).filter(|_| is_ordinary && !is_virtual) else { continue };
        let device = link.name.to_string();
        let network = resolver.interface_on(&device).map(str::to_owned);
        found.push(Place { address: (address, prefix.length()), device, network });
    }
    Ok(found)
}

/// Addresses that move: kernels before 5.18 don't remember who has put them there.
fn virtual_addresses(config: &Path) -> Vec<IpAddr> {
    let bytes = read_bounded(config).unwrap_or_default();
    let mut found = Vec::new();
    if let Ok(loaded) = config::load("", &bytes) {
        for instance in &loaded.config.instances {
            for vip in &instance.vips {
                found.push(vip.address);
            }
        }
    }
    found
}

/// What this router has.
///
/// # Errors
/// A sentence: what has to be mended first.
pub fn gather(config: &Path, place: &Place, own: Own) -> Result<Facts, String> {
    let (text, loaded) = match own {
        Own::Kept => configuration(config)?.unzip(),
        Own::GivenUp => (None, None),
    };
    let key = match own {
        Own::Kept => usable_key(Path::new(loaded.as_ref().map_or(KEY_FILE, key_file)))?,
        Own::GivenUp => None,
    };
    Ok(Facts {
        node: host_name(),
        version: env!("CARGO_PKG_VERSION").into(),
        address: place.address,
        network: place.network.clone(),
        device: place.device.clone(),
        serves_dhcp: place.network.as_ref().is_some_and(|network| serves_dhcp(config, network)),
        key,
        config: text,
    })
}

/// The configuration, if there is one in use. What is switched off, as the package's example, is not in use.
fn configuration(path: &Path) -> Result<Option<(String, Config)>, String> {
    let bytes = match read_bounded(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {}", path.display(), disk::plain(&error))),
    };
    let is_bare = uci::parse(&bytes).is_ok_and(|tree| tree.sections.iter().all(|it| it.kind == "gwha"));
    if is_bare {
        return Ok(None);
    }
    let Ok(Loaded { config, .. }) = config::load("", &bytes) else {
        return Err(format!(
            "{} has errors, which `gwha check` shows: mend them, or give the file up with `gwha pair --force`",
            path.display()
        ));
    };
    if !config.enabled || config.instances.is_empty() {
        return Ok(None);
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", path.display()))?;
    Ok(Some((text, config)))
}

fn usable_key(path: &Path) -> Result<Option<Key>, String> {
    match Key::read(path) {
        Ok(key) => Ok(Some(key)),
        Err(key::Error::Missing) => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Whether `/etc/config/dhcp` has addresses to give away on this network.
fn serves_dhcp(config: &Path, network: &str) -> bool {
    let bytes = read_bounded(&disk::sibling(config, "dhcp")).unwrap_or_default();
    let tree: Tree = uci::parse(&bytes).unwrap_or_else(|broken| broken.tree);
    let says = |section: &Section, key: &str, words: &[&str]| {
        let items = section.get(key).map(|value| value.items()).unwrap_or_default();
        items.first().is_some_and(|item| words.iter().any(|word| word.as_bytes() == item.bytes))
    };
    tree.sections.iter().any(|section| {
        section.kind == "dhcp"
            && says(section, "interface", &[network])
            && !says(section, "ignore", &["1", "on", "true", "yes", "enabled"])
            && !says(section, "dhcpv4", &["disabled"])
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn place() -> Place {
        Place {
            address: (Ipv4Addr::new(192, 168, 1, 2), 24),
            device: "br-lan".into(),
            network: Some("lan".into()),
        }
    }

    /// The facts of a router with these files.
    fn with(gwha: Option<&str>, dhcp: &str) -> Result<Facts, String> {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("gwha");
        if let Some(text) = gwha {
            fs::write(&config, text.replace("KEY", &dir.path().join("key").display().to_string())).unwrap();
        }
        fs::write(dir.path().join("dhcp"), dhcp).unwrap();
        gather(&config, &place(), Own::Kept)
    }

    const IN_USE: &str = "config gwha 'main'\n\toption enabled '1'\nconfig instance 'lan'\n\toption interface 'lan'\n\
        \toption vrid '51'\n\tlist router '192.168.1.2'\n\tlist router '192.168.1.3'\n\tlist vip '192.168.1.1/24'\n\
        config sync 'peer'\n\toption instance 'lan'\n\toption key_file 'KEY'\n";

    #[test]
    fn configuration_in_use_is_kept_and_the_shipped_example_is_not() {
        let shipped =
            fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/files/etc/config/gwha")).unwrap();
        for text in [None, Some(""), Some("# nothing\n"), Some("config gwha 'main'\n"), Some(&*shipped)] {
            assert_eq!(with(text, "").unwrap().config, None, "{text:?}");
        }
        assert!(with(Some(IN_USE), "").unwrap().config.is_some_and(|text| text.contains("192.168.1.3")));
        let why = with(Some(&IN_USE.replace("51", "510")), "").unwrap_err();
        assert!(why.contains("gwha check") && why.contains("--force"), "{why}");
    }

    #[test]
    fn dhcp_server_counts_where_it_serves() {
        let serves = |dhcp: &str| with(None, dhcp).unwrap().serves_dhcp;
        assert!(serves("config dhcp 'lan'\n\toption interface 'lan'\n\toption start '100'\n"));
        assert!(!serves("config dhcp 'lan'\n\toption interface 'lan'\n\toption ignore '1'\n"));
        assert!(!serves("config dhcp 'lan'\n\toption interface 'lan'\n\toption dhcpv4 'disabled'\n"));
        assert!(!serves("config dhcp 'guest'\n\toption interface 'guest'\n"));
        assert!(!serves(""));
    }

    #[test]
    fn key_that_can_not_be_used_stops_it_and_one_given_up_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("gwha");
        let key = dir.path().join("key");
        fs::write(&config, IN_USE.replace("KEY", &key.display().to_string())).unwrap();
        assert_eq!(gather(&config, &place(), Own::Kept).unwrap().key, None);
        Key::new([7; 32]).write(&key).unwrap();
        assert_eq!(gather(&config, &place(), Own::Kept).unwrap().key, Some(Key::new([7; 32])));
        fs::write(&key, "no key").unwrap();
        assert!(gather(&config, &place(), Own::Kept).unwrap_err().contains("not a key"));
        let facts = gather(&config, &place(), Own::GivenUp).unwrap();
        assert_eq!((facts.key, facts.config), (None, None));
    }
}

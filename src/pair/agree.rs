//! From what both routers have to what both will have: pure.
//!
//! What one of them has and the other has not is taken over. What both have has to be the same. What neither has is made.

use std::net::{IpAddr, Ipv4Addr};

use crate::config;
use crate::config::model::{Config, Routers};
use crate::netlink::Prefix;
use crate::peer::key::Key;
use crate::uci::quote;

use super::message::{CONFIG_BYTES, Facts, Plan};

/// The virtual router, or why there is none to be had.
pub type Vip = Result<Gateway, String>;

/// A virtual router that has to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gateway {
    /// Its address.
    pub address: Ipv4Addr,
    /// The length of its subnet.
    pub length: u8,
    /// Its number on this network.
    pub vrid: u8,
}

/// Where the key is unless a configuration says otherwise.
pub const KEY_FILE: &str = "/etc/gwha/key";

/// The plan for both.
///
/// # Errors
/// A sentence for people on both routers: why not, and what to do about it.
pub fn agree(host: &Facts, guest: &Facts, vip: &Vip, new_key: &Key) -> Result<Plan, String> {
    one_network(host, guest)?;
    let key = match (&host.key, &guest.key) {
        (Some(own), Some(other)) if own != other => {
            return Err(format!(
                "both routers have a key, and they differ; `gwha pair --force` on {} or {} gives its key and \
                 configuration up",
                host.node, guest.node
            ));
        }
        (Some(key), _) | (None, Some(key)) => key.clone(),
        (None, None) => new_key.clone(),
    };
    let config = match (&host.config, &guest.config) {
        (Some(own), Some(other)) => {
            // One may have got the channel added in an earlier attempt.
            let (whole, others) = (keep(own, host, guest)?, keep(other, host, guest)?);
            if whole != others {
                return Err(format!(
                    "both routers have a configuration in use, and they differ; `gwha pair --force` on {} or {} \
                     gives its own up",
                    host.node, guest.node
                ));
            }
            whole
        }
        (Some(text), None) | (None, Some(text)) => keep(text, host, guest)?,
        (None, None) => smallest(host, guest, vip)?,
    };
    if config.len() > CONFIG_BYTES {
        return Err(format!("the configuration is longer than {CONFIG_BYTES} bytes: copy it by hand"));
    }
    Ok(Plan { node: host.node.clone(), key, config })
}

/// Where the configuration has its key.
pub fn key_file(config: &Config) -> &str {
    config.sync.as_ref().map_or(KEY_FILE, |sync| sync.key_file.as_str())
}

fn one_network(host: &Facts, guest: &Facts) -> Result<(), String> {
    let ((own, length), (other, _)) = (host.address, guest.address);
    if own == other {
        return Err(format!("both routers have the address {own}: give one of them another"));
    }
    match prefix(own, length) {
        Some(network) if network.contains(other.into()) => Ok(()),
        Some(_) | None => Err(format!("{other} is not in the network of {own}/{length}")),
    }
}

fn prefix(address: Ipv4Addr, length: u8) -> Option<Prefix> {
    Prefix::new(address.into(), length)
}

/// A configuration that is in use already, with the channel added if it has none.
fn keep(text: &str, host: &Facts, guest: &Facts) -> Result<String, String> {
    let (own, other) = (host.address.0, guest.address.0);
    let text = with_channel(text, own.into())?;
    let config = load(&text)?;
    if config.instances.iter().any(|it| matches!(it.routers, Routers::Peers { .. })) {
        return Err(
            "the configuration in use has options for one router alone (`source`, `peer`): it can't be \
                    shared. With `list router` in their place it can"
                .into(),
        );
    }
    if instance_of(&config, &[own.into(), other.into()]).is_none() {
        return Err(format!(
            "the configuration in use has no instance with both {own} and {other} in `list router`: mend that, or \
             begin anew with `gwha pair --force` on both routers"
        ));
    }
    Ok(text)
}

fn with_channel(text: &str, own: IpAddr) -> Result<String, String> {
    let config = load(text)?;
    match (config.sync.is_some(), instance_of(&config, &[own])) {
        (false, Some(name)) => Ok(format!("{}\n{}", text.trim_ascii_end(), channel(&name, Leases::Follow))),
        // Who has no address in it is told so by `keep`.
        (true, _) | (false, None) => Ok(text.to_owned()),
    }
}

/// The first instance with all these routers.
fn instance_of(config: &Config, routers: &[IpAddr]) -> Option<String> {
    let has_all = |all: &[IpAddr]| routers.iter().all(|router| all.contains(router));
    let found = config.instances.iter().find(|it| match &it.routers {
        Routers::Listed(all) => has_all(all),
        Routers::Peers { .. } => false,
    });
    found.map(|instance| instance.name.clone())
}

/// Whether a router with this address has a place in it.
pub fn has_router(config: &Config, own: IpAddr) -> bool {
    instance_of(config, &[own]).is_some()
}

/// Reads a configuration.
///
/// # Errors
/// Its first error, in words.
pub fn load(text: &str) -> Result<Config, String> {
    match config::load("the configuration", text.as_bytes()) {
        Ok(loaded) => Ok(loaded.config),
        Err(rejected) => {
            let first = rejected.errors.first().map(ToString::to_string).unwrap_or_default();
            Err(format!("{first} (`gwha check` shows all errors)"))
        }
    }
}

/// The smallest configuration that makes a gateway of the two.
fn smallest(host: &Facts, guest: &Facts, vip: &Vip) -> Result<String, String> {
    let (own, other) = (host.address.0, guest.address.0);
    let Gateway { address: vip, length, vrid } = vip.clone()?;
    for facts in [host, guest] {
        if facts.address.0 == vip {
            return Err(format!(
                "{vip} is to be the virtual address, but it is {}'s own: give that router another one first, or \
                 choose with `gwha pair --vip ADDRESS` on {}",
                facts.node, host.node
            ));
        }
    }
    let (link, name) = link(host, guest)?;
    let section = section_name(name);
    let dhcp = if host.serves_dhcp && guest.serves_dhcp { "\toption dhcp_on_master '1'\n" } else { "" };
    let leases = if host.serves_dhcp || guest.serves_dhcp { Leases::Follow } else { Leases::Stay };
    // So that what is changed later is changed on both. A system without UCI has the file somewhere else.
    let shared = if host.network.is_some() { "\tlist file '/etc/config/gwha'\n" } else { "" };
    let text = format!(
        "# Made by `gwha pair`; the same file is on both routers. All options: docs/OPTIONS.md of the project.\n\n\
         config gwha 'main'\n\toption enabled '1'\n\n\
         config instance '{section}'\n\toption {link} {}\n\toption vrid '{vrid}'\n\
         \tlist router '{own}'\n\tlist router '{other}'\n\tlist vip '{vip}/{length}'\n{dhcp}\n{}{shared}",
        quote(name),
        channel(&section, leases)
    );
    load(&text).map(|_| text)
}

enum Leases {
    Follow,
    Stay,
}

fn channel(instance: &str, leases: Leases) -> String {
    let leases = match leases {
        Leases::Follow => '1',
        Leases::Stay => '0',
    };
    format!(
        "config sync 'peer'\n\toption instance '{instance}'\n\toption key_file '{KEY_FILE}'\n\toption leases \
         '{leases}'\n"
    )
}

/// How both routers can name the network of both.
fn link<'a>(host: &'a Facts, guest: &Facts) -> Result<(&'static str, &'a str), String> {
    match (&host.network, &guest.network) {
        (Some(own), Some(other)) if own == other => Ok(("interface", own)),
        _ if host.device == guest.device => Ok(("device", &host.device)),
        (own, other) => {
            let own = own.as_ref().unwrap_or(&host.device);
            let other = other.as_ref().unwrap_or(&guest.device);
            Err(format!(
                "the network of both is called {own} on {} and {other} on {}: one configuration for both needs one \
                 name",
                host.node, guest.node
            ))
        }
    }
}

/// A network's name as a section's.
fn section_name(name: &str) -> String {
    name.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '_' }).collect()
}

/// The address that is usually the gateway's: the first of the network.
pub fn usual_vip((address, length): (Ipv4Addr, u8)) -> Option<(Ipv4Addr, u8)> {
    let host_bits = u32::MAX.checked_shr(length.into()).unwrap_or(0);
    let first = (address.to_bits() & !host_bits).checked_add(1)?;
    (length <= 30).then_some((Ipv4Addr::from_bits(first), length))
}

#[cfg(test)]
mod tests;

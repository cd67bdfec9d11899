//! What in OpenWrt's own configuration would spoil a takeover. Pure: it compares trees.
//!
//! docs/ACTIONS.md has the list, and what is left out of it.

mod dhcp;
mod firewall;
mod network;

use super::model::{Config, Group, Instance, LinkRef};
use crate::collect::IntoVec as _;
use crate::uci::{Section, Tree};

/// The files beside our own, as far as they are there.
#[derive(Debug, Default)]
pub struct SystemFiles {
    /// `/etc/config/network`.
    pub network: Tree,
    /// `/etc/config/dhcp`.
    pub dhcp: Tree,
    /// `/etc/config/firewall`.
    pub firewall: Tree,
}

/// A setting that would spoil a takeover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hazard {
    /// What is wrong, and what comes of it.
    pub text: String,
    /// The command of `uci` that mends it; empty if it takes more than that.
    pub remedy: String,
}

/// All of them, in the order of the files.
pub fn hazards(config: &Config, files: &SystemFiles) -> Vec<Hazard> {
    let mut check = Check { config, files, found: Vec::new() };
    check.dhcp();
    check.network();
    check.firewall();
    check.found
}

/// A check under way.
struct Check<'a> {
    config: &'a Config,
    files: &'a SystemFiles,
    found: Vec<Hazard>,
}

impl<'a> Check<'a> {
    fn add(&mut self, text: String, remedy: String) {
        // Two groups or networks may come to the same.
        if remedy.is_empty() || self.found.iter().all(|known| known.remedy != remedy) {
            self.found.push(Hazard { text, remedy });
        }
    }

    /// The option at `path` should be this.
    fn set(&mut self, path: &str, value: &str, why: &str) {
        self.add(format!("{path} should be '{value}': {why}"), format!("uci set {path}='{value}'"));
    }

    fn instances(&self, group: &Group) -> Vec<&'a Instance> {
        let config = self.config;
        group.instances.iter().filter_map(|id| config.instances.get(id.index())).into_vec()
    }

    /// The network that an instance is on, if it is configured by that.
    fn network_of(&self, instance: &Instance) -> Option<&'a str> {
        match self.config.links.get(instance.link.index())? {
            LinkRef::Interface(name) => Some(name),
            LinkRef::Device(_) => None,
        }
    }

    fn interface(&self, name: &str) -> Option<&'a Section> {
        let is_it = |section: &&Section| section.kind == "interface" && section.name.as_deref() == Some(name);
        self.files.network.sections.iter().find(is_it)
    }
}

/// The sections of a type with their paths, as the command `uci` takes them.
fn named<'a>(tree: &'a Tree, file: &str, kind: &str) -> Vec<(&'a Section, String)> {
    let mut found = Vec::new();
    for section in tree.sections.iter().filter(|section| section.kind == kind) {
        let path = match &section.name {
            Some(name) => format!("{file}.{name}"),
            None => format!("{file}.@{kind}[{}]", found.len()),
        };
        found.push((section, path));
    }
    found
}

/// The values of a list; of an option its words, as OpenWrt takes it where there should be a list.
fn words<'a>(section: &'a Section, key: &str) -> Vec<&'a str> {
    list(section, key).flat_map(|item| item.split_ascii_whitespace()).into_vec()
}

fn list<'a>(section: &'a Section, key: &str) -> impl Iterator<Item = &'a str> {
    let items = section.get(key).map(|value| value.items()).unwrap_or_default();
    items.iter().filter_map(|item| core::str::from_utf8(&item.bytes).ok())
}

fn text<'a>(section: &'a Section, key: &str) -> Option<&'a str> {
    list(section, key).next()
}

/// As OpenWrt's `config_get_bool` reads it.
fn flag(section: &Section, key: &str, default: bool) -> bool {
    match text(section, key) {
        Some("1" | "on" | "true" | "yes" | "enabled") => true,
        Some("0" | "off" | "false" | "no" | "disabled") => false,
        Some(_) | None => default,
    }
}

#[cfg(test)]
mod tests;

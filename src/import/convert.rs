//! What keepalived's words mean to gwha.

use crate::sorted::Map;

use super::parse::{Entry, parse};
use super::words::{Role, Section, milliseconds, name, pinged};
use super::{Imported, Note};

/// Converts a `keepalived.conf`.
pub fn convert(text: &str) -> Imported {
    let mut notes = Vec::new();
    let entries = parse(text, &mut notes);
    let mut converter = Converter { entries: &entries, notes, tracks: Map::new(), version: "2" };
    let text = converter.file();
    let mut notes: Vec<Note> = Vec::new();
    for note in converter.notes {
        let place = notes.partition_point(|earlier| earlier.line <= note.line);
        notes.insert(place, note);
    }
    Imported { text, notes }
}

struct Converter<'a> {
    entries: &'a [Entry],
    notes: Vec<Note>,
    /// The sections of tracks that are used, by name, with their weights.
    tracks: Map<String, String>,
    /// keepalived's, unless an instance says otherwise.
    version: &'static str,
}

impl<'a> Converter<'a> {
    fn note(&mut self, entry: &Entry, text: impl Into<String>) {
        self.notes.push(Note { line: entry.line, text: text.into() });
    }

    fn strange(&mut self, entry: &Entry, word: &str) {
        self.note(entry, format!("'{word}' has no counterpart"));
    }

    fn file(&mut self) -> String {
        let entries = self.entries;
        for entry in entries {
            match entry.key() {
                "global_defs" => self.global(entry),
                "vrrp_instance" | "vrrp_sync_group" | "vrrp_script" => {}
                other => self.note(entry, format!("'{other}' is not carried over")),
            }
        }
        let mut groups = Vec::new();
        for entry in entries.iter().filter(|entry| entry.key() == "vrrp_sync_group") {
            groups.push(Group { entry, members: members(entry), role: Role::default() });
        }
        let mut text = String::from("config gwha 'main'\n\toption enabled '1'\n");
        for entry in entries.iter().filter(|entry| entry.key() == "vrrp_instance") {
            let name = entry.value().unwrap_or_default();
            let group = groups.iter_mut().find(|group| group.members.contains(&name));
            text += &self.instance(entry, group.map(|group| &mut group.role));
        }
        for Group { entry, members, role } in &mut groups {
            self.role(&entry.block, role, "");
            let mut section = Section::new("group", &name(entry.value().unwrap_or("group")));
            for member in members {
                section.list("instance", &name(member));
            }
            section.role(role);
            text += &section.0;
        }
        text += &self.used_tracks();
        if !entries.iter().any(|entry| entry.key() == "vrrp_instance") {
            self.notes.push(Note { line: 1, text: "there is no vrrp_instance in this file".into() });
        }
        text
    }

    fn global(&mut self, entry: &Entry) {
        for option in &entry.block {
            match (option.key(), option.value()) {
                ("vrrp_version", Some("3")) => self.version = "3",
                ("vrrp_version", _) | ("router_id" | "enable_script_security" | "script_user", _) => {}
                _ => self.strange(option, option.key()),
            }
        }
    }

    fn instance(&mut self, entry: &Entry, group: Option<&mut Role>) -> String {
        let value = |key: &str| entry.value_of(key);
        let mut section = Section::new("instance", &name(entry.value().unwrap_or("instance")));
        let interface = value("interface").unwrap_or_default();
        section.option("device", interface);
        section.option("vrid", value("virtual_router_id").unwrap_or_default());
        let version = value("version").map_or(self.version, |given| if given == "3" { "3" } else { "2" });
        if version == "2" {
            section.option("version", "2");
        }
        section.option("advert_interval", &milliseconds(value("advert_int").unwrap_or("1")));
        self.authentication(entry, version, &mut section);
        self.addresses(entry, &mut section);
        let peers = entry.inner("unicast_peer");
        if let Some(source) = value("unicast_src_ip").or(value("mcast_src_ip")) {
            section.option("source", source);
        }
        match peers {
            None => section.option("mode", "multicast"),
            Some(peers) => {
                for peer in &peers.block {
                    section.list("peer", peer.key());
                }
                if peers.block.iter().any(|peer| peer.key().contains(':')) {
                    // keepalived's IPv6 unicast leaves with the system's hop limit.
                    section.option("ttl_min", "64");
                }
            }
        }
        let mut own = Role::default();
        match group {
            Some(role) => {
                self.role(&entry.block, role, interface);
            }
            None => {
                self.role(&entry.block, &mut own, interface);
                section.role(&own);
            }
        }
        section.0
    }

    fn authentication(&mut self, entry: &Entry, version: &str, section: &mut Section) {
        let Some(block) = entry.inner("authentication") else { return };
        match (version, block.value_of("auth_type"), block.value_of("auth_pass")) {
            ("2", Some("PASS"), Some(password)) => section.option("auth_pass", password),
            ("2", ..) => self.note(block, "only auth_type PASS is carried over"),
            _ => self.note(block, "version 3 has no authentication, and keepalived sends none either"),
        }
    }

    fn addresses(&mut self, entry: &Entry, section: &mut Section) {
        let interface = entry.value_of("interface");
        for block in entry.block.iter().filter(|option| option.key().starts_with("virtual_ipaddress")) {
            if block.key() == "virtual_ipaddress_excluded" && !block.block.is_empty() {
                self.note(block, "'virtual_ipaddress_excluded' becomes part of the adverts' list");
            }
            for address in &block.block {
                let mut vip = address.key().to_owned();
                let mut words = address.words.iter().skip(1);
                while let Some(word) = words.next() {
                    match word.as_str() {
                        "label" => {
                            if let Some(label) = words.next() {
                                vip += &format!(" label {label}");
                            }
                        }
                        "dev" => {
                            let device = words.next().map(String::as_str);
                            if device != interface {
                                let text = "an address goes on the instance's own device";
                                self.note(address, format!("'dev {}': {text}", device.unwrap_or_default()));
                            }
                        }
                        "brd" | "scope" => {
                            words.next();
                        }
                        other => self.strange(address, other),
                    }
                }
                section.list("vip", &vip);
            }
        }
    }

    /// What stands in an instance or in a group and is the group's business.
    fn role(&mut self, block: &[Entry], role: &mut Role, interface: &str) {
        for option in block {
            let value = option.value().unwrap_or_default();
            match option.key() {
                "priority" => self.priority(option, role),
                "nopreempt" => role.no_preempt = true,
                "preempt_delay" => role.preempt_delay = Some(value.to_owned()),
                "track_script" => {
                    for used in &option.block {
                        self.script(used, role);
                    }
                }
                "track_interface" => {
                    for used in option.block.iter().filter(|used| used.key() != interface) {
                        self.link(used, role);
                    }
                }
                "notify_master" => role.commands.push(("master", option.rest())),
                "notify_backup" => role.commands.push(("backup", option.rest())),
                "notify_fault" => role.commands.push(("fault", option.rest())),
                "notify" => role.commands.push(("", option.rest())),
                other if ELSEWHERE.contains(&other) => {}
                other if other.starts_with("garp_") => {
                    self.note(option, format!("'{other}': see option announce and announce_refresh"));
                }
                other => self.strange(option, other),
            }
        }
    }

    fn priority(&mut self, option: &Entry, role: &mut Role) {
        let given = option.value().and_then(|value| value.parse().ok());
        match (role.priority, given) {
            (Some(known), Some(given)) if known != given => {
                self.note(option, format!("a group has one priority: {known}, that of its first instance"));
            }
            (Some(_), _) => {}
            (None, given) => role.priority = given,
        }
    }

    /// A script that is used. One that only pings becomes a ping.
    fn script(&mut self, used: &Entry, role: &mut Role) {
        let entries = self.entries;
        let is_it = |entry: &&Entry| entry.key() == "vrrp_script" && entry.value() == Some(used.key());
        let Some(script) = entries.iter().find(is_it) else {
            return self.note(used, format!("there is no vrrp_script '{}'", used.key()));
        };
        let value = |key: &str| script.value_of(key);
        let command = script.inner("script").map(Entry::rest).unwrap_or_default();
        let mut section = Section::new("track", &name(used.key()));
        match pinged(&command) {
            Some(target) => {
                section.option("type", "ping");
                section.list("target", &target);
            }
            None => {
                section.option("type", "script");
                section.option("command", &command);
            }
        }
        let interval = value("interval").unwrap_or("1");
        section.option("interval", interval);
        section.option("timeout", value("timeout").unwrap_or(interval));
        section.option("fall", value("fall").unwrap_or("1"));
        section.option("rise", value("rise").unwrap_or("1"));
        let weight = self.weight(used, used.after("weight").or(value("weight")), role);
        section.option("weight", &weight);
        self.use_track(used.key(), section, role);
    }

    fn link(&mut self, used: &Entry, role: &mut Role) {
        let mut section = Section::new("track", &name(used.key()));
        section.option("type", "link");
        section.option("device", used.key());
        let weight = self.weight(used, used.after("weight"), role);
        section.option("weight", &weight);
        self.use_track(used.key(), section, role);
    }

    fn use_track(&mut self, track: &str, section: Section, role: &mut Role) {
        let track = name(track);
        if !self.tracks.contains_key(&track) {
            self.tracks.insert(track.clone(), section.0);
        }
        if !role.tracks.contains(&track) {
            role.tracks.push(track);
        }
    }

    /// keepalived adds a positive weight while the test is good; gwha only takes away.
    fn weight(&mut self, used: &Entry, given: Option<&str>, role: &mut Role) -> String {
        let given = given.unwrap_or("0");
        let size = given.strip_prefix('-');
        match size.unwrap_or(given).parse::<u32>() {
            Ok(0) => "fault".to_owned(),
            Ok(weight @ 1..=253) => {
                if size.is_none() && !role.tracks.contains(&name(used.key())) {
                    role.bonus = role.bonus.saturating_add(weight);
                }
                format!("-{weight}")
            }
            Ok(_) | Err(_) => {
                self.note(used, "its weight can't be read: taken for a fault");
                "fault".to_owned()
            }
        }
    }

    fn used_tracks(&mut self) -> String {
        for entry in self.entries.iter().filter(|entry| entry.key() == "vrrp_script") {
            if !self.tracks.contains_key(&name(entry.value().unwrap_or_default())) {
                self.note(entry, "a script that nothing uses");
            }
        }
        self.tracks.values().map(String::as_str).collect()
    }
}

/// A sync group, and what its instances say for it.
struct Group<'a> {
    entry: &'a Entry,
    members: Vec<&'a str>,
    role: Role,
}

fn members(entry: &Entry) -> Vec<&str> {
    let mut members = Vec::new();
    for group in entry.block.iter().filter(|option| option.key() == "group") {
        for line in &group.block {
            for word in &line.words {
                members.push(word.as_str());
            }
        }
    }
    members
}

/// What stands among the options of a role and is looked at elsewhere, or says what gwha does anyway.
const ELSEWHERE: [&str; 15] = [
    "interface",
    "virtual_router_id",
    "version",
    "advert_int",
    "authentication",
    "state",
    "virtual_ipaddress",
    "virtual_ipaddress_excluded",
    "unicast_peer",
    "unicast_src_ip",
    "mcast_src_ip",
    "group",
    "preempt",
    "global_tracking",
    "debug",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_test_that_adds_becomes_a_failed_one_that_takes() {
        let text = convert(
            "vrrp_script chk {\n script /x\n weight 20\n}\nvrrp_instance V {\n interface e\n priority 80\n \
             track_script {\n  chk\n }\n}\n",
        )
        .text;
        assert!(text.contains("option priority '100'\n") && text.contains("option weight '-20'\n"), "{text}");
    }
}

//! What two routers say of their configurations, and how these differ: pure.

use core::time::Duration;
use std::fmt::Write as _;

use blake2::{Blake2s256, Digest as _};

use crate::collect::IntoVec as _;
use crate::config::model::{Base, Config, Group, Instance, Routers};
use crate::wire::types::Version;

use super::message::{GroupSetup, InstanceSetup, Setup, clean};

/// Bytes of a list of addresses that are told in words.
const WORDS_BYTES: usize = 100;

/// Instances and groups that are told and compared one by one: so many fit a message. The digest is about all.
const COMPARED_MAX: usize = 64;

/// Differences that are told one by one.
const DIFFERENCES_MAX: usize = 8;

/// What this router's configuration says, as far as all routers must say the same.
pub fn setup(config: &Config) -> Setup {
    let instances = config.instances.iter().take(COMPARED_MAX).map(instance).into_vec();
    let group = |it: &Group| GroupSetup { name: it.name.clone(), ranks: ranks(it) };
    let groups = config.groups.iter().take(COMPARED_MAX).map(group).into_vec();
    Setup { digest: digest(config), instances, groups }
}

fn instance(instance: &Instance) -> InstanceSetup {
    InstanceSetup {
        name: instance.name.clone(),
        vrid: instance.vrid.get().into(),
        version: version(instance),
        interval: millis(instance.interval.duration()),
        vips: short(vips(instance)),
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

fn version(instance: &Instance) -> u32 {
    match instance.version {
        Version::V2 => 2,
        Version::V3 => 3,
    }
}

fn vips(instance: &Instance) -> String {
    let vips = instance.vips.iter().map(|vip| match vip.prefix {
        Some(length) => format!("{}/{length}", vip.address),
        None => vip.address.to_string(),
    });
    vips.into_vec().join(" ")
}

fn ranks(group: &Group) -> String {
    match &group.base {
        Base::ByPlace(ranks) => ranks.iter().map(ToString::to_string).into_vec().join(" "),
        Base::Own(_) => String::new(),
    }
}

fn short(text: String) -> String {
    if text.len() <= WORDS_BYTES {
        return text;
    }
    let begin: String = text.chars().take(WORDS_BYTES.saturating_sub(12)).collect();
    format!("{begin}...{}", hash(&text).get(..8).unwrap_or_default())
}

/// Of what both routers must have in common. Canonical text and not a dump of our types: another version of this
/// program has to come to the same. What a router has to itself (source, own priority, log level) is left out.
fn digest(config: &Config) -> String {
    let mut text = String::new();
    for it in &config.instances {
        let mut routers = match &it.routers {
            Routers::Listed(all) => all.clone(),
            Routers::Peers { source, peers } => source.iter().chain(peers).copied().into_vec(),
        };
        if let Routers::Peers { .. } = it.routers {
            routers.sort_unstable();
        }
        let _ = writeln!(
            text,
            "instance {} vrid {} version {} interval {} vips {} routers {}",
            it.name,
            it.vrid.get(),
            version(it),
            millis(it.interval.duration()),
            vips(it),
            list(&routers),
        );
    }
    for it in &config.groups {
        let members = it.instances.iter().filter_map(|id| config.instances.get(id.index()));
        let members: Vec<&str> = members.map(|it| it.name.as_str()).into_vec();
        let tracks = it.tracks.iter().filter_map(|it| config.tracks.get(it.track.index()));
        let tracks: Vec<&str> = tracks.map(|it| it.name.as_str()).into_vec();
        let _ = writeln!(
            text,
            "group {} members {} tracks {} ranks {} preempt {} delay {}",
            it.name,
            list(&members),
            list(&tracks),
            ranks(it),
            matches!(it.preempt, crate::config::model::Preempt::On),
            millis(it.preempt_delay),
        );
    }
    hash(&text)
}

/// Separated by commas, which neither names nor addresses have.
fn list(words: &[impl ToString]) -> String {
    words.iter().map(ToString::to_string).into_vec().join(",")
}

fn hash(text: &str) -> String {
    Blake2s256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// A difference: a stable word, and a sentence.
pub type Difference = (&'static str, String);

/// How the other router's configuration differs from ours in what keeps the two from being one gateway.
pub fn differences(own: &Setup, other: &Setup) -> Vec<Difference> {
    let mut found = Vec::new();
    for it in &own.instances {
        let Some(that) = other.instances.iter().take(COMPARED_MAX).find(|that| that.name == it.name) else {
            found.push((
                "peer_instance",
                format!("instance {}: the other router has none of this name", it.name),
            ));
            continue;
        };
        let mut compare = |code, what: &str, here: &str, there: &str| {
            if here != there {
                let there = clean(there);
                found.push((
                    code,
                    format!("instance {}: {what} is {here} here, {there} on the other router", it.name),
                ));
            }
        };
        compare("peer_vrid", "vrid", &it.vrid.to_string(), &that.vrid.to_string());
        compare("peer_vip", "vip", &it.vips, &that.vips);
        compare("peer_interval", "advert_interval", &it.interval.to_string(), &that.interval.to_string());
        compare("peer_vrrp_version", "version", &it.version.to_string(), &that.version.to_string());
    }
    for that in other.instances.iter().take(COMPARED_MAX) {
        if !own.instances.iter().any(|it| it.name == that.name) {
            let name = clean(&that.name);
            found.push(("peer_instance", format!("instance {name}: only the other router has it")));
        }
    }
    for it in &own.groups {
        let that = other.groups.iter().take(COMPARED_MAX).find(|that| that.name == it.name);
        if let Some(that) =
            that.filter(|that| !that.ranks.is_empty() && !it.ranks.is_empty() && that.ranks != it.ranks)
        {
            let (here, there) = (&it.ranks, clean(&that.ranks));
            found.push((
                "peer_rank",
                format!("group {}: ranks are {here} here, {there} on the other router", it.name),
            ));
        }
    }
    if found.is_empty() && own.digest != other.digest {
        found.push(("peer_config", "the other router has another configuration".into()));
    }
    found.truncate(DIFFERENCES_MAX);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    const FILE: &str = "config gwha 'main'\n\toption enabled '1'\nconfig instance 'lan'\n\toption interface 'lan'\n\
        \toption vrid '51'\n\tlist router '192.168.1.2'\n\tlist router '192.168.1.3'\n\tlist vip '192.168.1.1/24'\n";

    fn of(text: &str) -> Setup {
        setup(&config::load("gwha", text.as_bytes()).unwrap_or_else(|_| panic!("{text}")).config)
    }

    fn codes(change: &str, to: &str) -> Vec<&'static str> {
        let other = of(&FILE.replace(change, to));
        differences(&of(FILE), &other).into_iter().map(|(code, _)| code).collect()
    }

    #[test]
    fn same_configuration_has_no_difference_whatever_its_layout() {
        let other = of(&(FILE.replace("'51'", "51") + "\toption advert_interval '1000'\n# comment\n"));
        assert_eq!(other.digest, of(FILE).digest);
        assert_eq!(differences(&of(FILE), &other), []);
    }

    #[test]
    fn each_difference_has_its_own_word() {
        assert_eq!(codes("'51'", "'52'"), ["peer_vrid"]);
        assert_eq!(codes("168.1.1/24", "168.1.9/24"), ["peer_vip"]);
        assert_eq!(codes("\tlist vip", "\toption advert_interval '500'\n\tlist vip"), ["peer_interval"]);
        assert_eq!(
            codes("\tlist vip", "\tlist priority '100'\n\tlist priority '50'\n\tlist vip"),
            ["peer_rank"]
        );
        assert_eq!(codes("instance 'lan'", "instance 'lan2'"), ["peer_instance", "peer_instance"]);
        assert_eq!(codes("\tlist vip", "\toption preempt '0'\n\tlist vip"), ["peer_config"]);
        assert_eq!(
            codes("\toption enabled '1'", "\toption enabled '1'\n\toption log_level 'debug'"),
            [""; 0]
        );
    }

    #[test]
    fn router_that_talks_too_much_is_cut_short() {
        let many = InstanceSetup { name: "x\n".repeat(5000), ..InstanceSetup::default() };
        let other = Setup { instances: vec![many; 1000], ..Setup::default() };
        let found = differences(&of(FILE), &other);
        assert!(found.len() <= DIFFERENCES_MAX);
        assert!(found.iter().all(|(_, text)| text.len() < 2000 && !text.contains('\n')));
    }
}

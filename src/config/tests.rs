use core::time::Duration;
use std::net::IpAddr;

use super::model::{
    Base, InstanceId, LinkRef, Mode, Place, Places, Preempt, Routers, SyncPath, TrackScope, Weight,
};
use super::schema::{SECTIONS, Shape};
use super::*;
use crate::wire::types::{Family, Version};
use crate::wire::vrrp::Auth;

const LAN: &str = "
config instance 'lan'
    option interface 'lan'
    option vrid '51'
    list router '192.168.1.2'
    list router '192.168.1.3'
    list vip '192.168.1.1/24'
";

fn loaded(text: &str) -> Loaded {
    match load("gwha", text.as_bytes()) {
        Ok(loaded) => loaded,
        Err(rejected) => panic!("{rejected}"),
    }
}

fn config(text: &str) -> model::Config {
    loaded(text).config
}

fn errors(text: &str) -> Vec<String> {
    match load("gwha", text.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(rejected) => rejected.errors.iter().map(ToString::to_string).collect(),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn five_lines_make_a_virtual_router_with_good_defaults() {
    let config = config(LAN);

    assert!(config.enabled);
    assert_eq!(config.links, [LinkRef::Interface("lan".into())]);
    let [instance] = config.instances.as_slice() else { panic!("one instance") };
    assert_eq!((instance.version, instance.mode, instance.family), (Version::V3, Mode::Unicast, Family::V4));
    assert_eq!(instance.interval.duration(), Duration::from_secs(1));
    assert_eq!((instance.hop_limit_min, instance.auth), (255, Auth::None));
    assert_eq!(instance.routers, Routers::Listed(vec![ip("192.168.1.2"), ip("192.168.1.3")]));
    assert_eq!(instance.announce, model::AnnounceSchedule::default());
    let [group] = config.groups.as_slice() else { panic!("a group of one") };
    assert_eq!((group.name.as_str(), group.instances.as_slice()), ("lan", [InstanceId(0)].as_slice()));
    assert_eq!((&group.base, group.preempt), (&Base::ByPlace(vec![100, 90]), Preempt::On));
    assert_eq!(group.preempt_delay, Duration::from_secs(30));
    assert_eq!(group.actions, model::Actions::default());
}

#[test]
fn eight_routers_rank_from_100_down_to_30() {
    let routers =
        (4..=9).fold(LAN.to_owned(), |text, n| text + &format!("    list router '192.168.1.{n}'\n"));

    assert_eq!(config(&routers).groups[0].base, Base::ByPlace(vec![100, 90, 80, 70, 60, 50, 40, 30]));
}

#[test]
fn a_track_has_good_defaults() {
    let config = config(&(LAN.to_owned() + "list track 'x'\nconfig track 'x'\nlist target '192.0.2.1'\n"));

    let [track] = config.tracks.as_slice() else { panic!("one track") };
    assert_eq!((track.need, track.fall, track.rise, track.weight), (1, 2, 2, Weight::Fault));
    assert_eq!((track.interval, track.timeout), (Duration::from_secs(5), Duration::from_secs(2)));
    assert_eq!(track.link, None);
}

#[test]
fn the_default_timeout_is_not_longer_than_the_interval() {
    let config =
        config(&(LAN.to_owned() + "config track 'x'\nlist target '192.0.2.1'\noption interval '0.25'\n"));

    assert_eq!(config.tracks[0].timeout, Duration::from_millis(250));
}

#[test]
fn snat_comes_with_conntrack_unless_it_is_switched_off() {
    let snat = |text: &str| config(&(LAN.to_owned() + text)).groups[0].actions.snat;

    assert!(!snat(""));
    assert!(snat("option conntrack '1'\n"));
    assert!(!snat("option conntrack '1'\noption snat '0'\n"));
}

#[test]
fn a_track_on_an_interface_that_is_up_on_the_master_is_judged_there_only() {
    let track = "list track 'x'\nconfig track 'x'\nlist target '192.0.2.1'\noption interface 'wan'\n";
    let scope = |text: &str| config(&(LAN.to_owned() + text + track)).groups[0].tracks[0].scope;

    assert_eq!(scope("list up_on_master 'wan'\n"), TrackScope::MasterOnly);
    assert_eq!(scope("list up_on_master 'wg0'\n"), TrackScope::Any);
}

#[test]
fn a_track_for_one_router_counts_at_its_place() {
    let text = LAN.to_owned()
        + "list track 'x'\nconfig track 'x'\nlist target '192.0.2.1'\nlist only '192.168.1.3'\n";

    let places = config(&text).groups[0].tracks[0].places;

    assert_eq!(places, Places(0b10));
    assert!(places.contains(Some(Place(1))) && !places.contains(Some(Place(0))));
}

#[test]
fn a_password_is_padded_and_cut_to_eight_bytes() {
    let auth = |password: &str| {
        config(&format!("{LAN}option version '2'\noption auth_pass '{password}'\n")).instances[0].auth
    };

    assert!(auth("ab") == Auth::Password(*b"ab\0\0\0\0\0\0"));
    assert!(auth("longer than eight") == Auth::Password(*b"longer t"));
}

#[test]
fn a_section_for_some_routers_is_as_if_not_written_on_the_others() {
    let text = LAN.to_owned()
        + "config group 'a'\nlist only '192.168.1.2'\nlist instance 'lan'\nlist up_on_master 'wg0'\n"
        + "config group 'b'\nlist only '192.168.1.3'\nlist instance 'lan'\noption preempt '0'\n";
    let loaded = loaded(&text);
    let group = |own: &str| loaded.for_node(&[ip("10.0.0.1"), ip(own)]).unwrap().groups[0].clone();

    assert!(loaded.depends_on_node());
    assert_eq!(group("192.168.1.2").name, "a");
    assert_eq!(group("192.168.1.3").preempt, Preempt::Off);
    assert_eq!(group("192.168.1.4").name, "lan");
    assert_eq!(loaded.config.groups[0].name, "lan");
}

#[test]
fn an_error_that_only_one_router_meets_is_found_on_every_router() {
    let text = LAN.to_owned()
        + "config group 'b'\nlist only '192.168.1.3'\nlist instance 'lan'\nlist track 'nowhere'\n";

    assert_eq!(
        errors(&text),
        ["gwha:11: group 'b': list track 'nowhere': no track of that name (have: none)"]
    );
}

#[test]
fn a_reference_to_a_section_for_other_routers_is_no_error() {
    let text = LAN.to_owned()
        + "list only '192.168.1.2'\n"
        + "config group 'g'\nlist instance 'lan'\nconfig sync\noption instance 'lan'\n";
    let loaded = loaded(&text);

    let there = loaded.for_node(&[ip("192.168.1.2")]).unwrap();
    assert_eq!(there.sync.map(|sync| sync.path), Some(SyncPath::Instance(InstanceId(0))));
    let elsewhere = loaded.for_node(&[ip("192.168.1.3")]).unwrap();
    assert!(elsewhere.instances.is_empty() && elsewhere.groups.is_empty() && elsewhere.sync.is_none());
}

#[test]
fn a_file_without_only_is_the_same_for_every_node() {
    let loaded = loaded(LAN);

    assert!(!loaded.depends_on_node());
    assert_eq!(loaded.for_node(&[ip("192.168.1.3")]).unwrap(), loaded.config);
}

#[test]
fn what_is_missing_is_not_reported_of_a_file_that_could_not_be_read_whole() {
    let broken = "config instance 'lan'\n    option vrid '51' 2\n    option version '5'\n";

    assert_eq!(
        errors(broken),
        [
            "gwha:2:22: expected the end of the line (a value with blanks needs quotes)",
            "gwha:3: instance 'lan': option version '5': must be '2' or '3'",
        ]
    );
}

#[test]
fn a_reload_of_the_same_file_changes_nothing() {
    let config = config(LAN);

    let diff = diff(&config, &config.clone());

    assert_eq!(diff.instances, [Fate::Unchanged { old: InstanceId(0) }]);
    assert!(diff.removed.is_empty());
}

#[test]
fn an_instance_that_moves_in_the_file_is_unchanged() {
    let first = "config instance 'first'\noption interface 'iot'\noption vrid '7'\nlist router '10.0.0.2'\n\
                 list router '10.0.0.3'\nlist vip '10.0.0.1'\n";
    let (alone, both) = (config(LAN), config(&(first.to_owned() + LAN)));

    let added = diff(&alone, &both);
    assert_eq!(added.instances, [Fate::Added, Fate::Unchanged { old: InstanceId(0) }]);
    let removed = diff(&both, &alone);
    assert_eq!(removed.instances, [Fate::Unchanged { old: InstanceId(1) }]);
    assert_eq!(removed.removed, [InstanceId(0)]);
}

#[test]
fn other_settings_change_an_instance_and_another_vrid_makes_a_new_one() {
    let old = config(LAN);
    let fate = |new: &str| diff(&old, &config(new)).instances[0];

    assert_eq!(fate(&LAN.replace("1.1/24", "1.9/24")), Fate::Changed { old: InstanceId(0) });
    assert_eq!(
        fate(&LAN.replace("'lan'\n    option i", "'renamed'\n    option i")),
        Fate::Changed { old: InstanceId(0) }
    );
    assert_eq!(fate(&(LAN.to_owned() + "option preempt '0'\n")), Fate::Changed { old: InstanceId(0) });
    assert_eq!(fate(&LAN.replace("'51'", "'52'")), Fate::Added);
    assert_eq!(fate(&LAN.replace("option interface", "option device")), Fate::Added);
}

#[test]
fn a_track_that_changes_changes_the_instances_it_counts_for() {
    let with = |interval: u32| {
        config(&format!(
            "{LAN}list track 'x'\nconfig track 'x'\nlist target '192.0.2.1'\noption interval '{interval}'\n"
        ))
    };

    assert_eq!(diff(&with(5), &with(6)).instances, [Fate::Changed { old: InstanceId(0) }]);
    assert_eq!(diff(&with(5), &with(5)).instances, [Fate::Unchanged { old: InstanceId(0) }]);
}

#[test]
fn every_default_is_a_value_of_its_kind() {
    for option in SECTIONS.iter().flat_map(|section| section.options()) {
        assert!(option.default().is_none_or(|text| option.accepts(text)), "{}", option.name());
        assert!(option.words().iter().all(|word| option.accepts(word)), "{}", option.name());
    }
}

#[test]
fn every_option_is_there_once_and_says_in_a_line_what_it_does() {
    for section in SECTIONS {
        let names: Vec<_> = section.options().map(|option| option.name()).collect();
        for option in section.options() {
            let doc = schema::doc(option);
            assert!(doc.starts_with(char::is_uppercase) && !doc.ends_with('.'), "{}: {doc}", option.name());
            assert_eq!(names.iter().filter(|name| **name == option.name()).count(), 1, "{}", option.name());
            assert!(option.shape() == Shape::One || option.default().is_none(), "{}", option.name());
        }
    }
}

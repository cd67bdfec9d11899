use crate::status::{
    ConfigState, Counters, Group, Happening, Health, History, Instance, Master, Peer, PeerRouter, Status,
    Target, Track, Warning,
};
use crate::ubus::Decimal;

use super::super::text::COLUMNS;

fn standby() -> Status {
    Status {
        version: "0.1.0".into(),
        node: "gw-b".into(),
        uptime: Decimal::thousandths(7_380_000),
        role: "backup".into(),
        since: Some(Decimal::thousandths(3_723_400)),
        cause: Some("192.168.100.2 is master with priority 100".into()),
        health: Health::Degraded,
        warnings: vec![Warning {
            code: "track_down".into(),
            message: "track carrier is down (effect: -30), and this sentence goes on for longer than a line"
                .into(),
        }],
        config: ConfigState { state: "applied".into(), ..ConfigState::default() },
        groups: vec![Group {
            name: "gateway".into(),
            role: "backup".into(),
            since: Decimal::thousandths(3_723_400),
            priority: 60,
            base_priority: Some(90),
            epoch: 2,
            master: Some(Master {
                address: "192.168.100.2".into(),
                priority: 100,
                last_heard: Decimal::thousandths(420),
            }),
            blocked_by: vec!["track carrier is down".into()],
            ..Group::default()
        }],
        instances: vec![Instance {
            name: "lan".into(),
            group: "gateway".into(),
            interface: "lan".into(),
            device: Some("br-lan".into()),
            state: "backup".into(),
            vips: vec!["192.168.100.1/24".into(), "192.168.100.254/24".into()],
            peers: vec![PeerRouter {
                address: "192.168.100.2".into(),
                state: "alive".into(),
                priority: Some(100),
                last_heard: Some(Decimal::thousandths(420)),
                mismatch: None,
            }],
            counters: Counters {
                sent: 3,
                received: 123_456,
                rejected: [("checksum".to_owned(), 12), ("not a configured peer".to_owned(), 4)]
                    .into_iter()
                    .collect(),
            },
            ..Instance::default()
        }],
        tracks: vec![Track {
            name: "carrier".into(),
            kind: "ping".into(),
            state: "down".into(),
            targets: vec![Target { target: "10.0.0.1".into(), state: "down".into(), rtt_ms: None }],
            needed: 2,
            since: Decimal::thousandths(12_000),
            effect: "-30".into(),
            ..Track::default()
        }],
        ..Status::default()
    }
}

#[test]
fn first_line_says_what_is_going_on_and_why() {
    let text = super::status(&standby());

    let first = text.lines().next().unwrap();
    assert_eq!(first, "gw-b has been backup for 1 h 2 min: 192.168.100.2 is master with priority 100");
}

#[test]
fn first_line_is_a_sentence_in_every_role() {
    let roles = [
        ("master", "gw-b has been master for 1 h 2 min: the master fell silent"),
        ("fault", "gw-b has had a fault for 1 h 2 min: the master fell silent"),
        ("init", "gw-b has been undecided for 1 h 2 min: the master fell silent"),
        ("mixed", "gw-b has had different roles for 1 h 2 min: the master fell silent"),
    ];
    for (role, expected) in roles {
        let status = Status { role: role.into(), cause: Some("the master fell silent".into()), ..standby() };
        assert_eq!(super::status(&status).lines().next().unwrap(), expected);
    }
    let status = Status { maintenance: true, ..standby() };
    assert!(super::status(&status).starts_with("gw-b (in maintenance) has been backup for 1 h 2 min: 192."));
}

#[test]
fn channel_without_a_key_names_no_peer() {
    let error = Some("/etc/gwha/key: there is no such file".to_owned());
    let peer = Peer { state: Some("off".into()), error, ..Peer::default() };

    let text = super::status(&Status { peer, ..standby() });

    assert!(text.contains("\npeer channel off: /etc/gwha/key: there is no such file\n"), "{text}");
}

#[test]
fn everything_fits_eighty_columns() {
    let mut status = standby();
    status.instances[0].vips = (0..40).map(|number| format!("2001:db8:1234:5678::{number:x}/128")).collect();
    status.groups[0].blocked_by.push("a reason that is much longer than it should be ".repeat(5));

    for line in super::status(&status).lines() {
        assert!(line.chars().count() <= COLUMNS, "{line}");
    }
}

#[test]
fn peers_tracks_and_rejected_packets_are_shown() {
    let text = super::status(&standby());

    for part in [
        "priority 60 of 90",
        "follows 192.168.100.2 (priority 100), heard 0.4 s ago",
        "- track carrier is down",
        "192.168.100.2: alive, priority 100",
        "12 checksum",
        "track carrier (ping): down for 12 s",
        "! track carrier is down",
    ] {
        assert!(text.contains(part), "no '{part}' in:\n{text}");
    }
}

#[test]
fn alarm_is_in_the_first_lines() {
    let mut status = standby();
    status.health = Health::Critical;
    status.warnings =
        vec![Warning { code: "no_master".into(), message: "group gateway: no master is heard".into() }];

    let text = super::status(&status);

    let top: Vec<&str> = text.lines().take(3).collect();
    assert!(top.join(" ").contains("CRITICAL"), "{text}");
    assert!(top.contains(&"! group gateway: no master is heard"), "{text}");
}

#[test]
fn idle_daemon_says_that_it_is() {
    let text = super::status(&Status { node: "gw".into(), ..Status::default() });
    assert!(text.starts_with("gw stands idle"), "{text}");
}

#[test]
fn history_has_ages_and_wraps() {
    let event = |ms, message: &str| Happening {
        age: Some(Decimal::thousandths(ms)),
        message: message.into(),
        ..Happening::default()
    };
    let long = "group gateway: backup -> master (192.168.100.2 has lowered its priority to 70), epoch 17";
    let history = History { events: vec![event(90_000_000, long), event(3000, "track carrier is up")] };

    let text = super::history(&history);

    assert!(text.lines().last().unwrap().ends_with("3.0 s ago  track carrier is up"), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= COLUMNS, "{line}");
    }
}

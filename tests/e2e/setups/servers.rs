//! One DHCP server and one port with the shared hardware address, whatever becomes of the master.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::gwha::{Gwha, run_dir};
use crate::lab::process::Daemon;
use crate::lab::topology::{Host, OUTSIDE, Segment};
use crate::lab::{Lab, scenario, until};

use super::super::support::{LIMIT, ms, until_role};
use super::super::wire::{Asker, assert_one_at_a_time, dhcp_answers, overlap, shared_frames};
use super::SETTLED;
use super::place::is_settled;
use super::streams::{Direction, Stream};
use super::wan::{Carrier, pair_at};

fn until_settled(nodes: [&Gwha; 2]) {
    for node in nodes {
        until("everything follows the role", SETTLED, || is_settled(node));
    }
}

/// Waits until `host`'s server has answered since `since`.
fn until_answering(lab: &Lab, host: Host, since: Instant) {
    until("the new master's server answers", SETTLED, || {
        dhcp_answers(lab, since).iter().any(|(_, from)| *from == host)
    });
}

#[test]
fn orderly_moves_never_show_two_servers_or_the_shared_address_twice() {
    scenario(|lab| {
        let _carrier = Carrier::start(lab);
        let ((_place_a, mut a), (_place_b, b)) = pair_at(lab, 100);
        let _traffic = traffic();
        until_answering(lab, Host::A, lab.started);

        let moves: [(&str, Host); 4] =
            [("switch", Host::B), ("switch", Host::A), ("LAN cable", Host::B), ("switch", Host::A)];
        for (what, to) in moves {
            let event = Instant::now();
            let from = if to == Host::A { &b } else { &a };
            match what {
                "switch" => assert!(from.cli(&["switch"]).status.success()),
                _ => lab.pull_cable(Host::A, Segment::Lan),
            }
            until_answering(lab, to, event);
            lab.plug_cable(Host::A, Segment::Lan);
            until_settled([&a, &b]);
            assert_one_at_a_time(lab);
        }
        let event = Instant::now();
        a.daemon.terminate(LIMIT);
        until_answering(lab, Host::B, event);
        a.restart();
        until_role(&a, "backup");
        until_settled([&a, &b]);
        assert_one_at_a_time(lab);
    });
}

/// What procd does after a crash: the daemon again, one second later. At this pace of adverts the other router has taken
/// over by then, and tells so within a tenth of a second.
#[test]
fn killed_masters_server_and_wan_are_silent_as_soon_as_it_is_back() {
    scenario(|lab| crash(lab, 100, ms(1000)));
}

/// At the slowest pace, the first advert of the new master would be up to a second late.
#[test]
fn killed_master_that_is_back_asks_who_is_master_now() {
    scenario(|lab| crash(lab, 1000, ms(3400)));
}

#[test]
fn killed_master_that_is_back_in_time_goes_on_with_everything() {
    scenario(|lab| {
        let _carrier = Carrier::start(lab);
        let ((_place_a, mut a), (_place_b, b)) = pair_at(lab, 1000);
        let _traffic = traffic();
        let streams = [Direction::Upload, Direction::Download].map(|way| Stream::start(Host::Client, way));
        until_answering(lab, Host::A, lab.started);
        assert_eq!(conntrackds(Host::A), 1);

        let event = Instant::now();
        a.daemon.crash();
        thread::sleep(ms(1000).saturating_sub(event.elapsed()));
        a.restart();
        until_role(&a, "master");
        until_settled([&a, &b]);
        assert_eq!(conntrackds(Host::A), 1, "one of the life before is left");

        let answers = dhcp_answers(lab, event);
        let gaps = answers.iter().zip(answers.iter().skip(1)).map(|(one, next)| next.0.duration_since(one.0));
        let gap = gaps.max().expect("there were answers");
        eprintln!("the longest time without an answer: {gap:?}");
        assert!(gap < ms(500) && answers.iter().all(|(_, host)| *host == Host::A), "{gap:?}");
        streams.iter().for_each(Stream::assert_whole);
        assert_one_at_a_time(lab);
    });
}

/// How many conntrackd a host's gwha has started that still run.
fn conntrackds(host: Host) -> usize {
    let configuration = run_dir(host).join("conntrackd.conf").to_string_lossy().into_owned();
    let processes = fs::read_dir("/proc").expect("there are processes").flatten();
    let lines = processes.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.contains("conntrackd\0") && line.contains(&configuration)).count()
}

fn crash(lab: &Lab, interval_ms: u32, respawn: Duration) {
    let _carrier = Carrier::start(lab);
    let ((_place_a, mut a), (_place_b, b)) = pair_at(lab, interval_ms);
    let _traffic = traffic();
    until_answering(lab, Host::A, lab.started);

    let event = Instant::now();
    a.daemon.crash();
    thread::sleep(respawn.saturating_sub(event.elapsed()));
    let respawn = Instant::now();
    a.restart();
    until_role(&a, "backup");
    until_settled([&a, &b]);
    thread::sleep(ms(200));

    for (what, seen) in
        [("DHCP", dhcp_answers(lab, event)), ("the shared address", shared_frames(lab, event))]
    {
        let last = seen.iter().rfind(|(_, host)| *host == Host::A).map(|(at, _)| *at).expect("A was there");
        let after = last.saturating_duration_since(respawn);
        eprintln!(
            "{what}: two of it for {:?}, {after:?} of that after the respawn",
            overlap(&seen, Host::A, Host::B)
        );
        assert!(seen.iter().any(|(_, host)| *host == Host::B), "{what}: B was never seen");
        assert!(after < ms(150), "{what}: {after:?} after the respawn");
    }
    assert_eq!(conntrackds(Host::A), 1, "one of the life before is left");
}

/// Clients that ask for addresses, and routers that use their WAN themselves: whatever answers or sends is seen.
fn traffic() -> (Asker, [Daemon; 2]) {
    let ping = |host: Host| {
        let mut command = host.netns().command("sh");
        command.args(["-c", "exec ping -q -i 0.02 \"$0\"", &OUTSIDE.to_string()]);
        Daemon::start(command, Path::new("/dev/null"))
    };
    (Asker::start(), [Host::A, Host::B].map(ping))
}

//! Hooks: told of every role, one at a time, and never in the way.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::lab::gwha::{Gwha, configuration};
use crate::lab::setup::{Preempt, Setup};
use crate::lab::topology::{Host, Segment};
use crate::lab::{scenario, until};

use super::super::support::{LIMIT, ms, until_role};
use super::place::Place;

#[test]
fn a_script_is_told_of_the_role_and_its_end_is_shown() {
    scenario(|lab| {
        let told = lab.dir.join("told");
        let script = format!("echo \"$GROUP $FROM $TO $ACTION $EPOCH\" >>{}; exit 3", told.display());
        let text = format!("{}\toption script '{script}'\n", configuration(&Setup::lan(100), Host::A));
        let a = Gwha::start_with(lab, Host::A, &text);
        until_role(&a, "master");
        until("the script was told", LIMIT, || {
            fs::read_to_string(&told).is_ok_and(|text| text.contains("lan init master master 1\n"))
        });
        until("its failure is shown", LIMIT, || {
            let actions = a.at("/actions");
            let rows = actions.as_array().cloned().unwrap_or_default();
            rows.iter().any(|row| row["kind"] == "hook" && row["error"] == "exit status 3")
        });
        let history = String::from_utf8_lossy(&a.cli(&["history"]).stdout).into_owned();
        assert!(history.contains("exit status 3"), "{history}");
    });
}

#[test]
fn hooks_that_hang_keep_no_role_from_changing_and_the_newest_role_is_told() {
    scenario(|lab| {
        let told = lab.dir.join("told");
        let script = format!("echo $TO >>{}; exec sleep 1000", told.display());
        let setup = Setup { preempt: Preempt::No, ..Setup::lan(100) };
        let start =
            |host, hook: &str| Gwha::start_with(lab, host, &format!("{}{hook}", configuration(&setup, host)));
        let a = start(Host::A, &format!("\toption script '{script}'\n"));
        until_role(&a, "master");
        let b = start(Host::B, "");
        until_role(&b, "backup");

        let event = Instant::now();
        for (from, to) in [(&a, &b), (&b, &a), (&a, &b), (&b, &a), (&a, &b)] {
            assert!(from.cli(&["switch"]).status.success());
            until_role(to, "master");
            until("the address has moved", ms(1000), || lab.holders(Segment::Lan) == [to.host]);
        }
        assert!(event.elapsed() < ms(10_000), "hooks hold up roles: {:?}", event.elapsed());
        until("the newest role is told", LIMIT, || {
            fs::read_to_string(&told).is_ok_and(|text| text.lines().last() == Some("backup"))
        });
        let lines = fs::read_to_string(&told).unwrap_or_default();
        assert!(lines.lines().count() <= 4, "old roles were told: {lines}");
    });
}

/// A directory of hooks that nobody outside the lab sees.
fn hotplug_directory() -> PathBuf {
    for name in ["etc-upper", "etc-work"] {
        fs::create_dir(PathBuf::from("/run").join(name)).expect("the lab has a /run of its own");
    }
    let options = "lowerdir=/etc,upperdir=/run/etc-upper,workdir=/run/etc-work";
    let mounted = Command::new("mount").args(["-t", "overlay", "overlay", "-o", options, "/etc"]).status();
    assert!(mounted.is_ok_and(|status| status.success()), "the lab can have an /etc of its own");
    let directory = PathBuf::from("/etc/hotplug.d/gwha");
    fs::create_dir_all(&directory).expect("the directory can be made");
    directory
}

#[test]
fn hotplug_is_told_of_roles_peers_the_channel_and_leases_and_a_script_of_roles_only() {
    scenario(|lab| {
        let (told, scripted) = (lab.dir.join("told"), lab.dir.join("scripted"));
        let line = "echo \"$HOTPLUG_TYPE $ACTION $GROUP $FROM $TO\"";
        fs::write(hotplug_directory().join("10-tell"), format!("{line} >>{}\n", told.display()))
            .expect("a hook");
        let setup = Setup { preempt: Preempt::No, ..Setup::lan(100) };
        let router = |host| {
            let place = Place::new(lab, host);
            let script = match host {
                Host::A => format!("\toption script 'echo $ACTION >>{}'\n", scripted.display()),
                _ => String::new(),
            };
            let text = format!("{}{script}{}", configuration(&setup, host), place.sync());
            (Gwha::start_with(lab, host, &text), place)
        };
        let (a, place) = router(Host::A);
        until_role(&a, "master");
        let (mut b, _) = router(Host::B);
        until_role(&b, "backup");
        let heard = |what: &str| {
            until(&format!("hotplug: {what}"), LIMIT, || {
                fs::read_to_string(&told).is_ok_and(|text| text.lines().any(|line| line == what))
            });
        };
        heard("gwha master lan init master");
        heard("gwha channel_up   ");
        heard("gwha peer_found lan silent alive");
        assert!(a.cli(&["switch"]).status.success());
        heard("gwha backup lan master backup");
        b.daemon.kill();
        heard("gwha peer_lost lan alive silent");
        heard("gwha channel_down   ");
        until_role(&a, "master");
        let _ = fs::remove_file(place.lease_file());
        fs::create_dir(place.lease_file()).expect("nothing is there any more");
        heard("gwha sync_failed   ");
        fs::remove_dir(place.lease_file()).expect("it is empty");
        heard("gwha sync_recovered   ");

        let scripted = fs::read_to_string(&scripted).unwrap_or_default();
        assert_eq!(scripted.split_whitespace().collect::<Vec<_>>(), ["master", "backup", "master"]);
    });
}

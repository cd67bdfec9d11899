//! The command line, against running daemons and without one.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use crate::lab::gwha::{Gwha, binary, configuration};
use crate::lab::setup::Setup;
use crate::lab::topology::{Host, Segment};
use crate::lab::{holds_for, scenario, until};

use super::support::{LIMIT, ms, pair, until_role};

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("ended by a signal: {output:?}"))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs the program in this directory, without a daemon.
fn gwha(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(dir).stdin(Stdio::null());
    command.output().expect("gwha can be started")
}

/// What the program prints, and with which exit code it ends.
fn says(dir: &Path, arguments: &[&str], exit: i32, expected: &str) {
    let output = gwha(dir, arguments);
    assert_eq!((code(&output), &*text(&output)), (exit, expected), "{arguments:?}");
}

#[test]
fn keygen_makes_nothing_where_no_file_is_named() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    for path in ["new/", "new/deeper/", "", ".", "..", "/"] {
        let refused = format!("gwha: keygen: '{path}' is not the name of a file\n");
        says(dir.path(), &["keygen", path], 1, &refused);
    }
    assert_eq!(fs::read_dir(dir.path()).expect("it is there").count(), 0);
    fs::write(dir.path().join("file"), "").expect("it can be written");
    says(dir.path(), &["keygen", "file/key"], 2, "gwha: file: Not a directory\n");
    says(dir.path(), &["keygen", "file"], 1, "gwha: file: there is one already; it is not overwritten\n");
}

#[test]
fn errors_name_what_they_are_about_in_words_alone() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let dir = dir.path();
    fs::write(dir.join("file"), "").expect("it can be written");
    let socket = "gwha: file/control.sock: Not a directory\n";
    let run_dir = "gwha: file: Not a directory\n";
    let cases: [(&[&str], i32, &str); 12] = [
        (&["status", "--run-dir", "none"], 3, "gwha: gwha is not running\n"),
        (&["status", "--run-dir", "file"], 2, socket),
        (&["switch", "--run-dir", "file"], 2, socket),
        (&["run", "--run-dir", "file"], 2, run_dir),
        (&["release", "--run-dir", "file"], 2, run_dir),
        (&["pair", "--background", "--run-dir", "file"], 1, run_dir),
        (&["check", "none"], 2, "error: none: No such file or directory\nnone: can't be used\n"),
        (&["check", "."], 2, "error: .: not a regular file\n.: can't be used\n"),
        (&["import", "none"], 2, "gwha: none: No such file or directory\n"),
        (&["import", "file/none"], 2, "gwha: file/none: Not a directory\n"),
        (&["keygen", "/proc/none"], 2, "gwha: /proc/none: No such file or directory\n"),
        (&["stauts"], 64, "gwha: no such command: 'stauts'\ngwha: `gwha --help` shows what there is\n"),
    ];
    for (arguments, exit, words) in cases {
        says(dir, arguments, exit, words);
    }
    let imported = gwha(dir, &["import", "file"]);
    assert_eq!(code(&imported), 2);
    assert!(text(&imported).contains("gwha: file: line 1: there is no vrrp_instance in this file\n"));
}

#[test]
fn output_that_can_not_be_written_is_told() {
    let full = fs::File::create("/dev/full").expect("every Linux has it");
    let output = Command::new(binary()).arg("--help").stdout(full).output().expect("gwha can be started");
    let words = "gwha: standard output: No space left on device\n";
    assert_eq!((code(&output), &*String::from_utf8_lossy(&output.stderr)), (2, words));
}

#[test]
fn check_says_by_its_exit_code_whether_a_file_is_good() {
    scenario(|lab| {
        let node = Gwha::start(lab, Host::A, &Setup::lan(200));
        let check = || node.cli(&["check"]);
        let good = configuration(&Setup::lan(200), Host::A);
        assert_eq!(code(&check()), 0, "{}", text(&check()));

        node.write_config(&good.replace("option vrid", "option vrdi"));
        let broken = check();
        assert_eq!(code(&broken), 2, "{}", text(&broken));
        assert!(text(&broken).contains("vrid"), "{}", text(&broken));

        node.write_config(&(good.clone() + "\toption colour 'blue'\n"));
        let warned = check();
        assert_eq!(code(&warned), 1, "{}", text(&warned));
        assert!(text(&warned).contains("colour"), "{}", text(&warned));
    });
}

#[test]
fn status_speaks_to_people_and_programs_and_says_when_nobody_is_there() {
    scenario(|lab| {
        let (mut a, b) = pair(lab, &Setup::reference(200));
        let words = text(&a.cli(&["status"]));
        assert!(words.contains("master") && words.contains("gateway"), "{words}");
        assert_eq!(b.at("/instances/0/state"), "backup");
        assert_eq!(b.at("/instances/2/name"), "wan");
        assert_eq!(b.at("/groups/0/name"), "gateway");
        until("B hears A", LIMIT, || b.at("/instances/0/peers/0/state") == "alive");

        a.daemon.terminate(LIMIT);
        assert_eq!(code(&a.cli(&["status"])), 3);
        assert_eq!(code(&a.cli(&["switch"])), 3);
    });
}

#[test]
fn switch_hands_over_at_once_and_nobody_takes_it_back() {
    scenario(|lab| {
        let (a, b) = pair(lab, &Setup::reference(200));
        let probe = lab.probe_outside();
        probe.until_answered(LIMIT);

        let event = Instant::now();
        let switched = a.cli(&["switch"]);
        assert!(switched.status.success(), "{}", text(&switched));
        lab.until_serving(Host::B, LIMIT);
        until_role(&a, "backup");
        lab.stays_serving(Host::B, ms(3000));
        let lost = probe.lost_since(event);
        assert!(lost <= 10, "{lost} probes lost by a planned switch");

        let back = b.cli(&["switch"]);
        assert!(back.status.success(), "{}", text(&back));
        lab.until_serving(Host::A, LIMIT);
    });
}

#[test]
fn maintenance_gives_the_role_away_and_lasts_over_a_restart() {
    scenario(|lab| {
        let (mut a, _b) = pair(lab, &Setup::reference(200));
        let on = a.cli(&["maintenance", "on"]);
        assert!(on.status.success(), "{}", text(&on));
        lab.until_serving(Host::B, LIMIT);

        a.daemon.terminate(LIMIT);
        a.restart();
        until("A is there again", LIMIT, || a.status().is_some());
        assert_eq!(a.at("/maintenance"), true);
        lab.stays_serving(Host::B, ms(2000));

        let off = a.cli(&["maintenance", "off"]);
        assert!(off.status.success(), "{}", text(&off));
        lab.until_serving(Host::A, LIMIT);
        assert_eq!(a.at("/maintenance"), false);
    });
}

#[test]
fn history_tells_each_change_and_its_cause() {
    scenario(|lab| {
        let (a, _b) = pair(lab, &Setup::reference(200));
        a.cli(&["switch"]);
        lab.until_serving(Host::B, LIMIT);
        until_role(&a, "backup");
        let history = text(&a.cli(&["history"]));
        for word in ["gateway", "master", "backup"] {
            assert!(history.contains(word), "no '{word}' in:\n{history}");
        }
    });
}

#[test]
fn both_routers_say_in_sentences_why_the_gateway_has_moved() {
    scenario(|lab| {
        let (a, b) = pair(lab, &Setup::reference(200));
        let cause = |node: &Gwha| node.at("/cause").as_str().unwrap_or_default().to_owned();
        let until_cause = |node: &Gwha, begin: &str, end: &str| {
            until(&format!("'{begin}' ... '{end}'"), LIMIT, || {
                let cause = cause(node);
                cause.starts_with(begin) && cause.ends_with(end)
            });
        };
        until_cause(&a, "no master was heard", "");
        until_cause(&b, "192.168.", " is master with priority 100");

        lab.pull_cable(Host::A, Segment::Lan);
        until_cause(&a, "lan: no carrier; 192.168.", " took over with priority 90");
        until_cause(&b, "192.168.", " has a fault: priority 3");
        assert_eq!(a.at("/cause_code"), "higher_priority");
        let words = text(&a.cli(&["status"]));
        assert!(words.contains(" has had a fault for ") && words.contains(": lan: no carrier; "), "{words}");
        lab.plug_cable(Host::A, Segment::Lan);
        lab.until_serving(Host::A, LIMIT);

        assert!(a.cli(&["maintenance", "on"]).status.success());
        until_cause(&a, "in maintenance; 192.168.", " took over with priority 90");
        until_cause(&b, "192.168.", " gives the role away: priority 4");
    });
}

#[test]
fn an_orderly_stop_leaves_no_address_and_the_other_serves_at_once() {
    scenario(|lab| {
        let (mut a, _b) = pair(lab, &Setup::reference(1000));
        let event = Instant::now();
        a.daemon.terminate(LIMIT);
        let moved = lab.until_serving(Host::B, LIMIT).duration_since(event);
        assert!(moved < ms(600), "B took over after {moved:?}");
        holds_for("B serves alone", ms(1000), || lab.serves_alone(Host::B));
    });
}

#[test]
fn two_daemons_on_one_machine_do_not_share_a_run_directory() {
    scenario(|lab| {
        let setup = Setup::lan(200);
        let mut first = Gwha::start(lab, Host::A, &setup);
        until("the first answers", LIMIT, || first.status().is_some());
        let mut second = Gwha::start(lab, Host::A, &setup);
        let status = second.daemon.wait(LIMIT);
        assert!(!status.success(), "a second daemon ran beside the first");
        let released = first.cli(&["release"]);
        assert_eq!(code(&released), 2);
        assert!(text(&released).contains("used by a running gwha (process "), "{released:?}");
        assert!(first.daemon.is_running());
        assert!(first.status().is_some(), "the first no longer answers");
    });
}

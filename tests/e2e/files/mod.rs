//! Files that follow the master, between real daemons with a disk of their own each.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gwha::disk::{Move, move_to};
use serde_json::Value;

use crate::lab::gwha::{Gwha, SITE, configuration};
use crate::lab::setup::{Preempt, Setup};
use crate::lab::topology::Host;
use crate::lab::{Lab, holds_for, scenario, until};

use super::support::{LIMIT, ms, until_role};

mod disks;
mod evil;
mod histories;
mod services;

/// What both routers have in their configuration besides the virtual routers.
const LISTED: &[&str] = &["etc/config/dhcp", "etc/config/network", "etc/config/gwha", "etc/app"];

/// A gateway with a disk of its own.
struct Router {
    gwha: Gwha,
    site: PathBuf,
}

impl Router {
    fn start(lab: &Lab, setup: &Setup, host: Host, more: &str) -> Router {
        Router::start_on_bus(lab, setup, host, more, None)
    }

    fn start_on_bus(lab: &Lab, setup: &Setup, host: Host, more: &str, ubus: Option<&Path>) -> Router {
        let site = lab.dir.join(format!("{host}.site"));
        let key = lab.dir.join(format!("{host}.key"));
        fs::write(&key, "7".repeat(64)).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        // The configuration is the same on both, so the key has to be at the same place.
        fs::create_dir_all(site.join("secret")).unwrap();
        fs::rename(&key, site.join("secret/key")).unwrap();
        let text = shared_configuration(setup, more);
        Router { gwha: Gwha::start_on_site(lab, host, &text, &site, ubus), site }
    }

    fn file(&self, path: &str) -> PathBuf {
        self.site.join(path)
    }

    /// As an editor does it: a new file in the place of the old one. What that was, or nothing.
    fn write(&self, path: &str, content: &str) -> String {
        let (file, fresh) = (self.file(path), self.file("edit.tmp"));
        let written = || {
            fs::create_dir_all(file.parent().unwrap())?;
            fs::write(&fresh, content)?;
            match move_to(&fresh, &file, Move::Exchange) {
                Ok(()) => fs::read_to_string(&fresh),
                Err(_) => move_to(&fresh, &file, Move::IfFree).map(|()| String::new()),
            }
        };
        // On a standby what the master does not have may be removed at any moment, and come at any.
        let mut before = None;
        until("it is written", LIMIT, || {
            before = written().ok();
            before.is_some()
        });
        before.unwrap_or_default()
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.file(path)).unwrap_or_default()
    }

    fn row(&self, path: &str) -> Value {
        let files = self.gwha.at("/files").as_array().cloned().unwrap_or_default();
        let path = format!("{SITE}/{path}");
        files.into_iter().find(|row| row["path"] == path.as_str()).unwrap_or(Value::Null)
    }

    fn state(&self, path: &str) -> String {
        self.row(path)["state"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn until_content(&self, path: &str, content: &str) -> Duration {
        until(&format!("{} has {content:?} in {path}", self.gwha.host), LIMIT, || self.read(path) == content)
    }

    #[track_caller]
    fn until_state(&self, path: &str, state: &str) {
        until(&format!("{} says that {path} is {state}", self.gwha.host), LIMIT, || {
            self.state(path) == state
        });
    }

    fn warns(&self, code: &str) -> bool {
        let warnings = self.gwha.at("/warnings").as_array().cloned().unwrap_or_default();
        warnings.iter().any(|warning| warning["code"] == code)
    }
}

fn shared_configuration(setup: &Setup, more: &str) -> String {
    let mut text = configuration(setup, Host::A)
        + "\nconfig sync 'peer'\n\toption instance 'lan'\n\toption leases '0'\n";
    text += &format!("\toption key_file '{SITE}/secret/key'\n");
    for path in LISTED {
        text += &format!("\tlist file '{SITE}/{path}'\n");
    }
    text + more
}

fn lan() -> Setup {
    Setup { preempt: Preempt::No, ..Setup::lan(200) }
}

/// A is master, B follows, and both have the same.
fn pair(lab: &Lab, more: &str) -> (Router, Router) {
    pair_on_bus(lab, more, None)
}

/// The same, with B on a bus.
fn pair_on_bus(lab: &Lab, more: &str, ubus: Option<&Path>) -> (Router, Router) {
    let a = Router::start(lab, &lan(), Host::A, more);
    fs::create_dir_all(a.file("etc/app")).unwrap();
    until_role(&a.gwha, "master");
    let b = Router::start_on_bus(lab, &lan(), Host::B, more, ubus);
    until("B follows", LIMIT, || LISTED.iter().all(|path| b.state(path) == "in_sync"));
    until("A knows that", LIMIT, || LISTED.iter().all(|path| a.state(path) == "in_sync"));
    (a, b)
}

#[test]
fn edit_on_the_master_is_on_the_standby_within_a_second_whole_and_with_owner_and_mode() {
    scenario(|lab| {
        let (a, b) = pair(lab, "");
        let text = "config dnsmasq\n\toption domain 'lan'\n";
        a.write("etc/config/dhcp", text);
        let took = b.until_content("etc/config/dhcp", text);
        assert!(took < ms(1000), "{took:?}");

        let file = a.file("etc/app/sub/secret.conf");
        a.write("etc/app/sub/secret.conf", &"x".repeat(300_000));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::chown(&file, Some(7), Some(8)).unwrap();
        fs::set_permissions(a.file("etc/app/sub"), fs::Permissions::from_mode(0o711)).unwrap();
        let is_there = |path: &str, mode: u32, owner: (u32, u32)| {
            let found = fs::metadata(b.file(path));
            found.is_ok_and(|it| (it.mode() & 0o777, (it.uid(), it.gid())) == (mode, owner))
        };
        until("B has it with its owner", LIMIT, || is_there("etc/app/sub/secret.conf", 0o640, (7, 8)));
        until("B has its directory", LIMIT, || is_there("etc/app/sub", 0o711, (0, 0)));
        assert_eq!(b.read("etc/app/sub/secret.conf").len(), 300_000);
        // In place, as some editors write.
        fs::write(&file, "short").unwrap();
        b.until_content("etc/app/sub/secret.conf", "short");

        fs::remove_dir_all(a.file("etc/app/sub")).unwrap();
        fs::remove_file(a.file("etc/config/dhcp")).unwrap();
        until("it is gone on B", LIMIT, || {
            !b.file("etc/app/sub").exists() && !b.file("etc/config/dhcp").exists()
        });
        assert!(b.file("etc/app").is_dir());
        until("A knows", LIMIT, || a.state("etc/app") == "in_sync");
        assert!(a.row("etc/app")["last_success"].as_f64().is_some_and(|age| age < 20.0));
        assert_eq!(
            (a.row("etc/app")["direction"].as_str(), b.row("etc/app")["direction"].as_str()),
            (Some("sent"), Some("received"))
        );
        assert!(!b.warns("files_aside"), "what the master removes was never an edit of B's");
        let left: Vec<_> =
            fs::read_dir(b.file("etc/config")).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(left, ["gwha"], "nothing half-written, nothing unlisted");
    });
}

#[test]
fn edit_on_the_standby_is_kept_aside_listed_and_replaced() {
    scenario(|lab| {
        let (a, b) = pair(lab, "");
        a.write("etc/config/dhcp", "config dnsmasq\n");
        b.until_content("etc/config/dhcp", "config dnsmasq\n");
        b.write("etc/config/dhcp", "config dnsmasq 'edited'\n");
        b.write("etc/app/mine", "of B");
        b.until_content("etc/config/dhcp", "config dnsmasq\n");
        until("B's own file is gone", LIMIT, || !b.file("etc/app/mine").exists());
        b.until_state("etc/config/dhcp", "differs");
        b.until_state("etc/app", "differs");
        let kept = |path: &str| {
            let row = b.row(path);
            let [place] = row["asides"].as_array().map(Vec::as_slice).unwrap_or_default() else {
                panic!("{row}")
            };
            fs::read_to_string(place.as_str().unwrap()).unwrap()
        };
        assert_eq!(
            (kept("etc/config/dhcp").as_str(), kept("etc/app").as_str()),
            ("config dnsmasq 'edited'\n", "of B")
        );
        assert!(b.warns("files_aside"));
        until("A shows it too", LIMIT, || a.state("etc/config/dhcp") == "differs" && a.warns("files_aside"));
        let shown = String::from_utf8(b.gwha.cli(&["status"]).stdout).unwrap();
        assert!(shown.contains("differs"), "{shown}");

        // When nobody needs it any more.
        let place = b.row("etc/app")["asides"][0].as_str().unwrap().to_owned();
        fs::remove_file(place).unwrap();
        b.until_state("etc/app", "in_sync");
    });
}

#[test]
fn switch_of_the_role_turns_the_direction_and_the_last_edit_goes_first() {
    scenario(|lab| {
        let (a, b) = pair(lab, "");
        a.write("etc/app/last", "written right before the switch");
        let switched = a.gwha.cli(&["switch"]);
        assert!(switched.status.success(), "{switched:?}");
        assert_eq!(b.read("etc/app/last"), "written right before the switch");
        until_role(&b.gwha, "master");
        until_role(&a.gwha, "backup");
        b.write("etc/app/last", "of the new master");
        a.until_content("etc/app/last", "of the new master");
        assert_eq!(a.row("etc/app")["direction"], "received");
        assert!(!a.warns("files_aside"), "what B had confirmed is no edit that could be lost");

        // While A is away B goes on, and A comes back to what B has. What it has told B of it remembers.
        b.until_state("etc/app", "in_sync");
        let mut a = a;
        a.gwha.daemon.kill();
        b.write("etc/app/new", "while A was away");
        fs::remove_file(b.file("etc/app/last")).unwrap();
        a.gwha.restart();
        a.until_content("etc/app/new", "while A was away");
        until("removed on A", LIMIT, || !a.file("etc/app/last").exists());
        assert!(!a.warns("files_aside"));
    });
}

#[test]
fn bad_uci_file_is_refused_with_its_reason_on_both_and_a_kept_option_stays() {
    scenario(|lab| {
        let (a, b) = pair(lab, "\tlist keep 'network.lan.ipaddr'\n");
        let network = |address: &str, more: &str| {
            format!("# comment\nconfig interface 'lan'\n\toption ipaddr '{address}'\n\toption mtu '{more}'\n")
        };
        // Each has its own before the other knows of it: the second one arrives at a file that is there.
        b.write("etc/config/network", &network("192.168.1.3", "1400"));
        until("B's is put aside, for A has none", LIMIT, || !b.file("etc/config/network").exists());
        b.write("etc/config/network", &network("192.168.1.3", "1400"));
        a.write("etc/config/network", &network("192.168.1.2", "1500"));
        until("settled", LIMIT, || {
            a.state("etc/config/network") != "pending" && b.read("etc/config/network").contains("1500")
        });
        a.write("etc/config/network", &network("192.168.1.2", "1492"));
        until("B has the change", LIMIT, || b.read("etc/config/network").contains("1492"));
        assert!(!b.read("etc/config/network").contains("192.168.1.2"), "{}", b.read("etc/config/network"));

        let good = b.read("etc/config/dhcp");
        a.write("etc/config/dhcp", "config dnsmasq\n\toption domain 'lan\n");
        a.until_state("etc/config/dhcp", "failed");
        b.until_state("etc/config/dhcp", "failed");
        assert_eq!(b.read("etc/config/dhcp"), good);
        let why = a.row("etc/config/dhcp")["last_error"].as_str().unwrap().to_owned();
        assert!(why.contains("2:16"), "{why}");
        until("both warn", LIMIT, || a.warns("files_failed") && b.warns("files_failed"));
        // Other files go on.
        a.write("etc/app/x", "y");
        b.until_content("etc/app/x", "y");
        a.write("etc/config/dhcp", "config dnsmasq\n\toption domain 'lan'\n");
        b.until_state("etc/config/dhcp", "in_sync");
        until("nobody warns", LIMIT, || !a.warns("files_failed") && !b.warns("files_failed"));
        until("history", LIMIT, || {
            let history = String::from_utf8(b.gwha.cli(&["history", "--json"]).stdout).unwrap();
            history.contains("sync_failed") && history.contains("sync_recovered")
        });
    });
}

#[test]
fn changed_configuration_of_gwha_is_in_force_on_the_standby_first_and_a_refused_one_nowhere() {
    scenario(|lab| {
        let (a, b) = pair(lab, "");
        let text = a.read("etc/config/gwha");
        let interval = |router: &Router| router.gwha.at("/instances/0/advert_interval_ms").as_u64();
        assert_eq!((interval(&a), interval(&b)), (Some(200), Some(200)));

        let changed = text.replace("'200'", "'300'");
        a.write("etc/config/gwha", &changed);
        a.until_state("etc/config/gwha", "pending");
        holds_for("B waits for the reload", ms(500), || b.read("etc/config/gwha") == text);
        let reloaded = a.gwha.cli(&["reload"]);
        assert!(reloaded.status.success(), "{reloaded:?}");
        assert_eq!(
            (interval(&a), interval(&b)),
            (Some(300), Some(300)),
            "both at once when the command ends"
        );
        assert_eq!(b.read("etc/config/gwha"), changed);
        let of = |router: &Router, what: &str| router.gwha.daemon.output().find(what);
        assert!(of(&b, "the master's configuration has come").is_some());

        // Fine for this router, and no configuration for both.
        let own = changed.replace("\tlist vip", "\toption priority '100'\n\tlist vip");
        a.write("etc/config/gwha", &own);
        let refused = a.gwha.cli(&["reload"]);
        let said =
            String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
        assert!(!refused.status.success() && said.contains("for one router"), "{said}");
        assert_eq!(a.gwha.at("/config/state"), "rejected");
        a.until_state("etc/config/gwha", "failed");
        b.until_state("etc/config/gwha", "failed");
        assert_eq!(b.read("etc/config/gwha"), changed);
        assert_eq!(a.gwha.at("/groups/0/role"), "master");
        a.write("etc/config/gwha", &text);
        a.gwha.hup();
        until("both are as they were", LIMIT, || (interval(&a), interval(&b)) == (Some(200), Some(200)));
        until("A has nothing to reject", LIMIT, || a.gwha.at("/config/state") == "applied");
    });
}

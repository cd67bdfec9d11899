//! `gwha pair`: from two routers that have addresses and nothing else to a working pair, and everybody who is in the
//! way of that.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::lab::gwha::binary;
use crate::lab::topology::{Host, Segment};
use crate::lab::{Lab, scenario, until};

use super::support::{LIMIT, ms};

const PORT: u16 = 8471;

/// A router with an /etc of its own, and no gwha on it yet.
struct Router {
    host: Host,
    etc: PathBuf,
    run: PathBuf,
    log: PathBuf,
}

/// What procd and the package's script come to: a daemon that runs reads its file, one that does not is started.
const INIT: &str = "#!/bin/sh
case \"$1\" in
enable) touch /etc/enabled ;;
reload)
	if [ -f /var/run/gwha/test.pid ] && kill -HUP \"$(cat /var/run/gwha/test.pid)\" 2>/dev/null; then exit 0; fi
	GWHA run --stderr >>/var/run/gwha/test.log 2>&1 &
	echo $! >/var/run/gwha/test.pid ;;
esac
";

const NETWORK: &str = "config interface 'lan'\n\toption device 'lan'\n\toption proto 'static'\n\
    config interface 'wan'\n\toption device 'wan'\n\toption proto 'static'\n";

impl Router {
    /// As OpenWrt: networks have names, and there is an init script.
    fn openwrt(lab: &Lab, host: Host) -> Router {
        let router = Router::bare(lab, host);
        router.write("config/network", NETWORK);
        router.write("init.d/gwha", &INIT.replace("GWHA", &binary().display().to_string()));
        fs::set_permissions(router.etc.join("init.d/gwha"), fs::Permissions::from_mode(0o755)).unwrap();
        router
    }

    /// Some Linux.
    fn bare(lab: &Lab, host: Host) -> Router {
        let etc = lab.dir.join(format!("{host}.etc"));
        let run = lab.dir.join(format!("{host}.run"));
        for dir in [&etc, &run, &etc.join("config"), &etc.join("init.d"), &PathBuf::from("/var/run/gwha")] {
            fs::create_dir_all(dir).unwrap();
        }
        Router { host, etc, run, log: lab.dir.join(format!("{host}.pair.log")) }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.etc.join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.etc.join(name)).ok()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.host.netns().command("unshare");
        let script = "hostname \"$0\" && mount --bind \"$1\" /etc && mount --bind \"$2\" /var/run/gwha && shift 2 && \
                      exec \"$@\"";
        command.args(["--uts", "--mount", "sh", "-c", script, &format!("gw-{}", self.host.name())]);
        command.arg(&self.etc).arg(&self.run).arg(binary()).args(arguments);
        command
    }

    fn gwha(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Shows a line and waits.
    fn offer(&self, options: &[&str]) -> Offer {
        let log = File::create(&self.log).unwrap();
        let mut command = self.command(&[&["pair"], options].concat());
        command.stdin(Stdio::null()).stderr(log.try_clone().unwrap()).stdout(log);
        Offer { child: command.spawn().unwrap(), log: self.log.clone() }
    }

    fn status(&self) -> Value {
        serde_json::from_slice(&self.gwha(&["status", "--json"]).stdout).unwrap_or(Value::Null)
    }
}

/// A waiting host. Dropped, it is gone.
struct Offer {
    child: Child,
    log: PathBuf,
}

impl Offer {
    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The words that are typed on the other router, behind `gwha`.
    #[track_caller]
    fn line(&self) -> Vec<String> {
        until("the line is shown", LIMIT, || self.said().contains('\n'));
        let said = self.said();
        let words: Vec<String> = said.lines().next().unwrap().split(' ').skip(1).map(str::to_owned).collect();
        assert_eq!(words.len(), 3, "{said}");
        words
    }

    #[track_caller]
    fn until_says(&self, words: &str) {
        until(&format!("the host says '{words}'"), LIMIT, || self.said().contains(words));
    }

    fn is_waiting(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    #[track_caller]
    fn code(mut self) -> i32 {
        until("the host ends", 2 * LIMIT, || !self.is_waiting());
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn words(line: &[String]) -> Vec<&str> {
    line.iter().map(String::as_str).collect()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[track_caller]
fn paired(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", text(output));
    assert!(text(output).contains("Paired with"), "{}", text(output));
}

#[track_caller]
fn refused(output: &Output, words: &str) {
    assert_eq!(output.status.code(), Some(1), "{}", text(output));
    assert!(text(output).contains(words), "no '{words}' in: {}", text(output));
}

/// Both have the same key and configuration.
#[track_caller]
fn are_alike(a: &Router, b: &Router) {
    for file in ["gwha/key", "config/gwha"] {
        assert!(a.read(file).is_some(), "no {file} on A");
        assert_eq!(a.read(file), b.read(file), "{file}");
    }
    for router in [a, b] {
        let mode = fs::metadata(router.etc.join("gwha/key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let left: Vec<_> = ["config", "gwha"]
            .iter()
            .flat_map(|dir| fs::read_dir(router.etc.join(dir)).unwrap().flatten())
            .filter(|entry| entry.file_name().to_string_lossy().starts_with('.'))
            .collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(router.gwha(&["check"]).status.code(), Some(0));
    }
}

fn has_nothing(router: &Router) -> bool {
    router.read("gwha/key").is_none() && router.read("config/gwha").is_none()
}

#[test]
fn two_commands_make_a_working_pair_of_two_routers_with_addresses_only() {
    scenario(|lab| {
        let (a, b) = (Router::openwrt(lab, Host::A), Router::openwrt(lab, Host::B));
        let offer = a.offer(&[]);
        let line = offer.line();
        assert_eq!(line[..2], ["pair", "192.168.100.2"]);

        let joined = b.gwha(&words(&line));
        paired(&joined);
        assert!(text(&joined).contains("list vip '192.168.100.1/24'"), "{}", text(&joined));
        assert_eq!(offer.code(), 0);
        are_alike(&a, &b);

        until("both see each other", LIMIT, || {
            [&a, &b]
                .iter()
                .all(|router| router.status().pointer("/peer/connected") == Some(&Value::Bool(true)))
        });
        until("A is master", LIMIT, || a.status()["role"] == "master");
        until("B is standby", LIMIT, || b.status()["role"] == "backup");
        until("A has the address", LIMIT, || lab.holders(Segment::Lan) == [Host::A]);
        assert_eq!((a.read("enabled").is_some(), b.read("enabled").is_some()), (true, true));
        until("nothing is to be warned of", LIMIT, || {
            [&a, &b].iter().all(|router| router.status()["warnings"] == Value::Array(vec![]))
        });

        // The line is used up.
        let again = b.gwha(&words(&line));
        refused(&again, "used or expired");
    });
}

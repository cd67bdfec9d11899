//! `gwha pair`: from two routers that have addresses and nothing else to a working pair, and everybody who is in the
//! way of that.

mod cut;

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::lab::gwha::binary;
use crate::lab::topology::{Host, Segment};
use crate::lab::{Lab, keepalived, scenario, until};

use super::support::{LIMIT, ms};

/// On a slow machine the other router may have been alone for so long that the preferred one has to wait for the
/// `preempt_delay` of 30 s.
const TO_PREEMPT: Duration = Duration::from_secs(50);

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
        let script = "hostname \"$0\" && mount --rbind \"$1\" /etc && mount --bind \"$2\" /var/run/gwha && shift 2 && \
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
        until(&format!("the host says '{words}'"), 2 * LIMIT, || self.said().contains(words));
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
        assert_eq!(stray_files(router), [""; 0]);
        assert_eq!(router.gwha(&["check"]).status.code(), Some(0));
    }
}

/// What a pairing has left beside the files' places.
fn stray_files(router: &Router) -> Vec<String> {
    let dirs = ["config", "gwha"].map(|dir| router.etc.join(dir));
    let entries = dirs.iter().flat_map(fs::read_dir).flatten().flatten();
    entries.map(|it| it.file_name().to_string_lossy().into_owned()).filter(|it| it.starts_with('.')).collect()
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
        until("A is master", TO_PREEMPT, || a.status()["role"] == "master");
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

#[test]
fn mistyped_foreign_and_expired_codes_are_refused_with_clear_words() {
    scenario(|lab| {
        let (a, b) = (Router::openwrt(lab, Host::A), Router::openwrt(lab, Host::B));
        let nobody = b.gwha(&["pair", "192.168.100.2", "0000-0000-0000-0000-000j"]);
        refused(&nobody, "mistyped");
        let old = a.offer(&[]).line();
        refused(&b.gwha(&words(&old)), "nobody waits at 192.168.100.2");

        let mut offer = a.offer(&[]);
        let line = offer.line();
        let mut swapped: Vec<char> = line[2].chars().collect();
        let at = (0..swapped.len() - 1).find(|at| {
            let (one, other) = (swapped[*at], swapped[at + 1]);
            one != '-' && other != '-' && one != other
        });
        swapped.swap(at.unwrap(), at.unwrap() + 1);
        refused(&b.gwha(&["pair", "192.168.100.2", &swapped.iter().collect::<String>()]), "swapped");
        refused(&b.gwha(&["pair", "192.168.100.2", &line[2][1..]]), "19 letters");
        assert!(!offer.said().contains("another code"), "the network was asked: {}", offer.said());

        // One of an earlier line: it costs an attempt, and not the pairing.
        for attempt in 1..=4 {
            refused(&b.gwha(&words(&old)), "mistyped, used or expired");
            offer.until_says(&format!("192.168.100.3 tried with another code ({attempt} of 5)"));
        }
        assert!(offer.is_waiting());
        assert!(has_nothing(&a) && has_nothing(&b));
        // In capitals and with blanks, as people do.
        let loud = line[2].to_uppercase().replace('-', " ");
        paired(&b.gwha(&["pair", "192.168.100.2", &loud]));
        assert_eq!(offer.code(), 0);
    });
}

#[test]
fn fifth_wrong_code_ends_the_waiting_and_nothing_is_written() {
    scenario(|lab| {
        let (a, b) = (Router::openwrt(lab, Host::A), Router::openwrt(lab, Host::B));
        let old = a.offer(&[]).line();
        let offer = a.offer(&[]);
        let line = offer.line();
        for _ in 1..=5 {
            refused(&b.gwha(&words(&old)), "mistyped, used or expired");
        }
        offer.until_says("this code is no longer good");
        assert_eq!(offer.code(), 1);
        refused(&b.gwha(&words(&line)), "nobody waits");
        assert!(has_nothing(&a) && has_nothing(&b));
    });
}

#[test]
fn code_expires_and_says_so() {
    scenario(|lab| {
        let a = Router::openwrt(lab, Host::A);
        let offer = a.offer(&["--minutes", "1"]);
        offer.line();
        until("the code expires", ms(75_000), || offer.said().contains("the code is expired"));
        assert_eq!(offer.code(), 1);
        assert!(has_nothing(&a));
    });
}

/// Connections of a stranger and of the guest's own address that say nothing, junk or half of something, for as long as
/// what is returned lives.
fn crowd(host: Host, count: usize) -> Vec<TcpStream> {
    host.netns().enter(move || {
        let target = SocketAddr::new(Host::A.address(Segment::Lan).into(), PORT);
        let says: [&[u8]; 4] = [b"", b"\x01\x00\x35gwha\x01half", b"GET / HTTP/1.0\r\n\r\n", &[0xff; 4096]];
        let call = |index: usize| {
            let mut stream = TcpStream::connect_timeout(&target, ms(1000)).ok()?;
            let _ = stream.write_all(says[index % says.len()]);
            Some(stream)
        };
        (0..count).filter_map(call).collect()
    })
}

#[test]
fn silent_and_noisy_strangers_hold_nobody_up() {
    scenario(|lab| {
        let (a, b) = (Router::openwrt(lab, Host::A), Router::openwrt(lab, Host::B));
        let offer = a.offer(&[]);
        let line = offer.line();
        let strangers = [crowd(Host::Stranger, 40), crowd(Host::B, 40)];
        assert!(strangers.iter().all(|all| all.len() >= 20), "that was no crowd");
        let begin = std::time::Instant::now();
        paired(&b.gwha(&words(&line)));
        assert!(begin.elapsed() < ms(4000), "it took {:?}", begin.elapsed());
        assert!(!offer.said().contains("another code"), "{}", offer.said());
        assert_eq!(offer.code(), 0);
        are_alike(&a, &b);
    });
}

#[test]
fn of_three_routers_with_the_line_at_once_one_is_paired() {
    scenario(|lab| {
        let routers = Host::GATEWAYS.map(|host| Router::openwrt(lab, host));
        let [a, b, c] = &routers;
        // One of them is slow to write, so that the others come meanwhile.
        let offer = a.offer(&[]);
        let line = offer.line();
        let again =
            Router { host: Host::B, etc: b.etc.clone(), run: b.run.clone(), log: lab.dir.join("again") };
        let outputs = std::thread::scope(|scope| {
            let join = |router| {
                let line = &line;
                scope.spawn(move || Router::gwha(router, &words(line)))
            };
            [join(b), join(c), join(&again)].map(|it| it.join().unwrap())
        });
        let good = outputs.iter().filter(|output| text(output).contains("Paired with")).count();
        // Twice on the same router may be one after the other, which is the same pairing.
        assert!(good == 1 || (good == 2 && has_nothing(c)), "{:?}", outputs.each_ref().map(text));
        for output in outputs.iter().filter(|output| !text(output).contains("Paired with")) {
            let said = text(output);
            assert!(
                said.contains("at this moment") || said.contains("nobody waits") || said.contains("again"),
                "{said}"
            );
        }
        assert_eq!(offer.code(), 0);
        let winner = if has_nothing(c) { b } else { c };
        are_alike(a, winner);
    });
}

#[test]
fn guest_killed_at_any_moment_can_come_again_with_the_same_line() {
    scenario(|lab| {
        let (a, b) = (Router::openwrt(lab, Host::A), Router::openwrt(lab, Host::B));
        let mut offer = a.offer(&[]);
        let line = offer.line();
        for delay in [5, 10, 15, 20, 25, 30, 35, 40, 50, 60, 80] {
            let mut child =
                b.command(&words(&line)).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
            std::thread::sleep(ms(delay));
            let _ = child.kill();
            let _ = child.wait();
            // Whatever the guest has, the host has.
            if b.read("config/gwha").is_some() {
                assert_eq!(a.read("config/gwha"), b.read("config/gwha"));
                assert_eq!(a.read("gwha/key"), b.read("gwha/key"));
            }
            if !offer.is_waiting() {
                break;
            }
        }
        if offer.is_waiting() {
            paired(&b.gwha(&words(&line)));
        }
        assert_eq!(offer.code(), 0);
        are_alike(&a, &b);
    });
}

#[test]
fn configuration_in_use_goes_to_the_other_router_and_two_different_ones_are_refused() {
    scenario(|lab| {
        let (a, b) = (Router::openwrt(lab, Host::A), Router::openwrt(lab, Host::B));
        let in_use = |vrid: u8| {
            format!(
                "# mine\nconfig instance 'home'\n\toption interface 'lan'\n\toption vrid '{vrid}'\n\tlist router \
                 '192.168.100.3'\n\tlist router '192.168.100.2'\n\tlist vip '192.168.100.77/24'\n"
            )
        };
        // It is the guest's.
        b.write("config/gwha", &in_use(7));
        let offer = a.offer(&[]);
        paired(&b.gwha(&words(&offer.line())));
        assert_eq!(offer.code(), 0);
        are_alike(&a, &b);
        let text_now = a.read("config/gwha").unwrap();
        assert!(text_now.starts_with(&in_use(7)) && text_now.contains("config sync"), "{text_now}");
        until("B is master", TO_PREEMPT, || b.status()["role"] == "master");

        // Another one there now.
        b.write("config/gwha", &in_use(8));
        let offer = a.offer(&[]);
        let line = offer.line();
        let output = b.gwha(&words(&line));
        refused(&output, "differ");
        refused(&output, "--force");
        offer.until_says("differ");
        assert_eq!(b.read("config/gwha").unwrap(), in_use(8));
        // The code is still good, and one side gives way.
        paired(&b.gwha(&[&words(&line)[..], &["--force"]].concat()));
        assert_eq!(offer.code(), 0);
        are_alike(&a, &b);
        assert_eq!(b.read("gwha/config.before-pair").unwrap(), in_use(8));
    });
}

#[test]
fn virtual_address_that_somebody_has_is_refused_and_another_can_be_chosen() {
    scenario(|lab| {
        let (a, b) = (Router::openwrt(lab, Host::A), Router::openwrt(lab, Host::B));
        Host::Client.netns().ip_batch("address add 192.168.100.1/24 dev lan\n");
        let offer = a.offer(&[]);
        offer.until_says("Careful: 192.168.100.1");
        refused(&b.gwha(&words(&offer.line())), "somebody has it");
        assert!(has_nothing(&a) && has_nothing(&b));
        drop(offer);
        let offer = a.offer(&["--vip", "192.168.100.9"]);
        paired(&b.gwha(&words(&offer.line())));
        assert!(a.read("config/gwha").unwrap().contains("list vip '192.168.100.9/24'"));
        assert_eq!(offer.code(), 0);
    });
}

#[test]
fn number_that_other_routers_use_is_left_to_them() {
    scenario(|lab| {
        let (a, b) = (Router::openwrt(lab, Host::A), Router::openwrt(lab, Host::B));
        let _other = keepalived::start_with(lab, Host::Client, OTHER_PAIR);
        until("the other pair has its master", LIMIT, || {
            let shown = Host::Client.netns().command("ip").args(["-4", "address", "show"]).output().unwrap();
            text(&shown).contains("192.168.100.77") && text(&shown).contains("192.168.100.78")
        });
        let offer = a.offer(&[]);
        offer.until_says("192.168.100.50 uses VRID 51 here, so the pair will have VRID 53");
        paired(&b.gwha(&words(&offer.line())));
        assert_eq!(offer.code(), 0);
        are_alike(&a, &b);
        assert!(a.read("config/gwha").unwrap().contains("option vrid '53'"));
    });
}

/// Half of a pair that is on the LAN already.
const OTHER_PAIR: &str = "vrrp_instance one {
  interface lan
  virtual_router_id 51
  virtual_ipaddress { 192.168.100.77/24 }
}
vrrp_instance two {
  interface lan
  virtual_router_id 52
  version 3
  virtual_ipaddress { 192.168.100.78/24 }
}
";

#[test]
fn plain_linux_says_on_which_network_and_runs_what_it_is_told_to() {
    scenario(|lab| {
        let (a, b) = (Router::bare(lab, Host::A), Router::bare(lab, Host::B));
        let which = a.gwha(&["pair"]);
        refused(&which, "--listen");
        refused(&which, "192.168.100.2 (lan)");
        refused(&a.gwha(&["pair", "--listen", "192.168.100.9"]), "no address 192.168.100.9");
        refused(&a.gwha(&["pair", "192.168.100.2", "0000-0000-0000-0000-000g"]), "");
        let offer = a.offer(&["--interface", "lan"]);
        let line = offer.line();
        refused(
            &a.gwha(&["pair", "--listen", "192.168.100.2"]),
            "of 192.168.100.2 is in use: does another `gwha pair`",
        );
        refused(&a.gwha(&words(&line)), "this router");
        paired(&b.gwha(&words(&line)));
        offer.until_says("Start gwha now");
        assert_eq!(offer.code(), 0);
        are_alike(&a, &b);
        assert!(a.read("config/gwha").unwrap().contains("option device 'lan'"));
    });
}

#[test]
fn third_router_that_has_no_place_is_refused_and_told_where_it_would_get_one() {
    scenario(|lab| {
        let routers = Host::GATEWAYS.map(|host| Router::openwrt(lab, host));
        let [a, b, c] = &routers;
        let offer = a.offer(&[]);
        paired(&b.gwha(&words(&offer.line())));
        assert_eq!(offer.code(), 0);
        let before = a.read("config/gwha");

        let offer = a.offer(&[]);
        let output = c.gwha(&words(&offer.line()));
        refused(&output, "192.168.100.5");
        refused(&output, "list router");
        offer.until_says("not paired with 192.168.100.5");
        assert!(has_nothing(c));
        assert_eq!(a.read("config/gwha"), before);

        // The pair of old pairs again, as often as it likes.
        paired(&b.gwha(&words(&offer.line())));
        assert_eq!(offer.code(), 0);
        assert_eq!(a.read("config/gwha"), before);
        are_alike(a, b);
    });
}

#[test]
fn full_disk_of_either_router_is_told_while_nothing_is_changed() {
    scenario(|lab| {
        let (a, b) = (Router::openwrt(lab, Host::A), Router::openwrt(lab, Host::B));
        for (full, other) in [(&b, &a), (&a, &b)] {
            let _ = fs::create_dir(full.etc.join("gwha"));
            let dir = full.etc.join("gwha").display().to_string();
            let mount =
                Command::new("mount").args(["-t", "tmpfs", "-o", "size=4k", "none", &dir]).status().unwrap();
            assert!(mount.success());
            fs::write(full.etc.join("gwha/filler"), [0; 4096]).unwrap();
            let mut offer = a.offer(&[]);
            let line = offer.line();
            refused(&b.gwha(&words(&line)), "gwha/key: No space left");
            assert!(has_nothing(full) && has_nothing(other));
            assert!(stray_files(full).is_empty() && offer.is_waiting());

            fs::remove_file(full.etc.join("gwha/filler")).unwrap();
            if full.host == Host::B {
                drop(offer);
                assert!(Command::new("umount").arg(&dir).status().unwrap().success());
                continue;
            }
            paired(&b.gwha(&words(&line)));
            assert_eq!(offer.code(), 0);
            are_alike(&a, &b);
        }
    });
}

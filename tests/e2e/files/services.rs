//! What has to be told that files have come: the services of `list reload`, and procd.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use gwha::ubus::blobmsg::Type;
use gwha::ubus::session::Event;
use gwha::ubus::{Argument, Connection, Data, Method, Need, Object, Status, json};

use crate::daemon::{Daemon, kinds};
use crate::lab::topology::Segment;

use super::*;

/// What stands for the services' scripts: says when it begins and ends, and does `$1.sh` in between if that is there.
const SERVICE: &str = "#!/bin/sh\necho \"$(hostname) $1 $2 begins\" >>DIR/log\n\
    if [ -f DIR/$1.sh ]; then sh DIR/$1.sh; fi; status=$?\n\
    echo \"$(hostname) $1 $2 ends\" >>DIR/log\nexit $status\n";

/// The services' side of a lab.
struct Services {
    dir: PathBuf,
}

impl Services {
    fn new(lab: &Lab) -> Services {
        let dir = lab.dir.join("services");
        fs::create_dir_all(&dir).unwrap();
        let script = dir.join("service");
        fs::write(&script, SERVICE.replace("DIR", &dir.display().to_string())).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        Services { dir }
    }

    /// What a service does when it reloads.
    fn does(&self, name: &str, script: &str) {
        fs::write(self.dir.join(format!("{name}.sh")), script).unwrap();
    }

    /// What the configuration says besides the rest.
    fn options(&self, names: &[&str]) -> String {
        let lists: String = names.iter().map(|name| format!("\tlist reload '{name}'\n")).collect();
        let command = self.dir.join("service");
        format!("{lists}config gwha 'main'\n\toption service_command '{}'\n", command.display())
    }

    fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn count(&self, line: &str) -> usize {
        self.log().iter().filter(|it| *it == line).count()
    }
}

#[test]
fn services_are_reloaded_when_files_have_come_and_what_fails_is_shown() {
    scenario(|lab| {
        let services = Services::new(lab);
        services.does("bad", "echo cannot >&2; exit 3\n");
        let (a, b) = pair(lab, &services.options(&["app", "bad"]));
        a.write("etc/app/x", "1");
        a.write("etc/app/y", "2");
        b.until_content("etc/app/y", "2");
        until("reloaded on B", LIMIT, || services.count("gw-b bad reload ends") > 0);
        assert!(services.count("gw-b app reload ends") > 0);
        assert!(!services.log().iter().any(|line| line.starts_with("gw-a")), "{:?}", services.log());
        until("B says what went wrong", LIMIT, || b.warns("files_reload"));
        let text = b.gwha.at("/warnings").to_string();
        assert!(text.contains("bad: exit status 3: cannot"), "{text}");

        services.does("bad", "true\n");
        a.write("etc/app/x", "3");
        until("nobody warns", LIMIT, || !b.warns("files_reload"));
    });
}

#[test]
fn slow_reload_delays_no_file_and_is_no_stalled_disk_and_the_newest_wins() {
    scenario(|lab| {
        let services = Services::new(lab);
        services.does("slow", "sleep 7\n");
        let (a, b) = pair(lab, &services.options(&["slow"]));
        a.write("etc/app/x", "0");
        until("it reloads", LIMIT, || services.count("gw-b slow reload begins") == 1);
        let start = Instant::now();
        for edit in 1..=5 {
            let text = edit.to_string();
            a.write("etc/app/x", &text);
            let took = b.until_content("etc/app/x", &text);
            assert!(took < ms(1500), "edit {edit} took {took:?}");
        }
        until("it is shown as what it is", ms(6900).saturating_sub(start.elapsed()), || {
            b.warns("files_reload")
        });
        let text = b.gwha.at("/warnings").to_string();
        assert!(text.contains("slow") && !b.warns("files_stalled"), "{text}");
        assert_eq!(b.state("etc/app"), "in_sync");
        assert_eq!(services.count("gw-b slow reload ends"), 0, "that was not during the reload");

        // One after the other, and one for all that came meanwhile.
        services.does("slow", "sleep 1\n");
        until("the next one is over", LIMIT, || services.count("gw-b slow reload ends") == 2);
        until("nobody warns", LIMIT, || !b.warns("files_reload"));
        holds_for("there is no more to reload", ms(1500), || services.log().len() == 4);
        let begins = |at: usize| services.log()[at].ends_with("begins");
        assert_eq!([0, 1, 2, 3].map(begins), [true, false, true, false], "{:?}", services.log());
    });
}

/// What procd's object does with a call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Fine,
    Refuses,
    Silent,
}

const EVENT: &[Method] = &[Method {
    name: "event",
    arguments: &[
        Argument { name: "type", kind: Type::String, need: Need::Required },
        Argument { name: "data", kind: Type::Table, need: Need::Required },
    ],
}];

/// procd, as far as it matters here: the object `service` with its method `event`.
struct Procd {
    heard: Arc<Mutex<Vec<String>>>,
    mood: Arc<Mutex<Mood>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Procd {
    fn start(socket: &Path, mood: Mood) -> Procd {
        let mut procd = Procd {
            heard: Arc::default(),
            mood: Arc::new(Mutex::new(mood)),
            is_over: Arc::default(),
            thread: None,
        };
        let (heard, mood, is_over) =
            (Arc::clone(&procd.heard), Arc::clone(&procd.mood), Arc::clone(&procd.is_over));
        let mut connection = Connection::new([socket]);
        procd.thread = Some(thread::spawn(move || {
            let start = Instant::now();
            connection.session().publish(0, Object { path: "service".into(), methods: EVENT });
            while !is_over.load(Ordering::Relaxed) {
                let mut events = Vec::new();
                connection.drive(start.elapsed().as_micros() as u64, &mut events);
                for event in events {
                    let Event::Call(call) = event else { continue };
                    let said = call.data.to_json(json::Layout::Compact).unwrap();
                    heard.lock().unwrap().push(format!("{} {said}", call.method));
                    match *mood.lock().unwrap() {
                        Mood::Fine => connection.session().answer(call.id, Ok(&Data::EMPTY)),
                        Mood::Refuses => connection.session().answer(call.id, Err(Status::PermissionDenied)),
                        Mood::Silent => {}
                    }
                }
                connection.flush();
                thread::sleep(ms(5));
            }
        }));
        procd
    }

    fn turn(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Procd {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// What procd hears of a package.
fn changed(package: &str) -> String {
    format!(r#"event {{"type":"config.change","data":{{"package":"{package}"}}}}"#)
}

fn dhcp(edit: u32) -> String {
    format!("config dnsmasq\n\toption edit '{edit}'\n")
}

#[test]
fn procd_hears_of_each_package_that_came_and_of_nothing_else() {
    scenario(|lab| {
        let bus = Daemon::start(kinds()[0]);
        let procd = Procd::start(&bus.socket(), Mood::Fine);
        let (a, b) = pair_on_bus(lab, "", Some(&bus.socket()));
        a.write("etc/app/x", "no package");
        b.until_content("etc/app/x", "no package");
        for edit in 1..=2 {
            a.write("etc/config/dhcp", &dhcp(edit));
            b.until_content("etc/config/dhcp", &dhcp(edit));
            until("procd has heard it", LIMIT, || procd.heard() == vec![changed("dhcp"); edit as usize]);
        }
        fs::remove_file(a.file("etc/config/dhcp")).unwrap();
        until("procd hears of a removal too", LIMIT, || procd.heard() == vec![changed("dhcp"); 3]);
        // What is refused never came.
        a.write("etc/config/dhcp", "config dnsmasq\n\toption x 'unterminated\n");
        b.until_state("etc/config/dhcp", "failed");
        // Our own configuration is put in force by ourselves.
        let text = a.read("etc/config/gwha").replace("'200'", "'300'");
        a.write("etc/config/gwha", &text);
        assert!(a.gwha.cli(&["reload"]).status.success());
        b.until_content("etc/config/gwha", &text);
        holds_for("procd hears nothing more", ms(1500), || procd.heard().len() == 3);
        assert!(!b.warns("files_reload"), "{}", b.gwha.at("/warnings"));
    });
}

#[test]
fn procd_that_refuses_or_is_away_is_shown_and_told_again_until_it_has_taken_it_in() {
    scenario(|lab| {
        let mut bus = Daemon::start(kinds()[0]);
        let procd = Procd::start(&bus.socket(), Mood::Refuses);
        let (a, b) = pair_on_bus(lab, "", Some(&bus.socket()));
        let said = || b.gwha.at("/warnings").to_string();
        a.write("etc/config/dhcp", &dhcp(1));
        until("the refusal is shown", LIMIT, || said().contains("files_reload"));
        assert!(said().contains("dhcp") && said().contains("ermission denied"), "{}", said());
        assert_eq!((b.read("etc/config/dhcp"), b.state("etc/config/dhcp")), (dhcp(1), "in_sync".into()));
        procd.turn(Mood::Fine);
        let before = procd.heard().len();
        until("it is told again, and all is well", LIMIT, || {
            procd.heard().len() > before && !said().contains("files_reload")
        });

        drop(procd);
        a.write("etc/config/dhcp", &dhcp(2));
        until("its absence is shown", LIMIT, || said().contains("files_reload"));
        assert!(said().contains("no such object"), "{}", said());
        bus.kill();
        a.write("etc/config/dhcp", &dhcp(3));
        b.until_content("etc/config/dhcp", &dhcp(3));
        bus.restart();
        let procd = Procd::start(&bus.socket(), Mood::Fine);
        until("it is told when it is back", 2 * LIMIT, || {
            procd.heard() == [changed("dhcp")] && !said().contains("files_reload")
        });
    });
}

#[test]
fn procd_that_never_answers_is_shown_and_holds_nothing_up() {
    scenario(|lab| {
        let bus = Daemon::start(kinds()[0]);
        let procd = Procd::start(&bus.socket(), Mood::Silent);
        let (a, b) = pair_on_bus(lab, "", Some(&bus.socket()));
        let start = Instant::now();
        a.write("etc/config/dhcp", &dhcp(1));
        until("procd is told", LIMIT, || procd.heard() == [changed("dhcp")]);
        for edit in 2..=4 {
            a.write("etc/config/dhcp", &dhcp(edit));
            let took = b.until_content("etc/config/dhcp", &dhcp(edit));
            assert!(took < ms(1500), "edit {edit} took {took:?}");
        }
        until("it is shown", 2 * LIMIT, || b.warns("files_reload"));
        let text = b.gwha.at("/warnings").to_string();
        assert!(text.contains("no answer in time"), "{text}");
        procd.turn(Mood::Fine);
        until("all is well", 2 * LIMIT, || !b.warns("files_reload"));
        let adverts = lab.capture.adverts(Host::A, Segment::Lan, start);
        let longest = adverts.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap();
        assert!(longest < ms(400), "adverts {longest:?} apart");
        assert_eq!((a.gwha.role(), b.gwha.role()), ("master".into(), "backup".into()));
    });
}

//! Routers that come and go while people edit on both.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crate::lab::fault::Direction;
use crate::lab::topology::Segment;

use super::*;

fn preempting() -> Setup {
    Setup { preempt: Preempt::Yes, preempt_delay_s: 0.0, ..Setup::lan(200) }
}

fn started(lab: &Lab, host: Host) -> Router {
    let router = Router::start(lab, &preempting(), host, "");
    fs::create_dir_all(router.file("etc/app")).unwrap();
    router
}

#[test]
fn returning_router_has_the_masters_files_before_it_takes_the_role_back() {
    scenario(|lab| {
        let mut a = started(lab, Host::A);
        until_role(&a.gwha, "master");
        let b = started(lab, Host::B);
        a.write("etc/app/x", "old");
        b.until_content("etc/app/x", "old");
        for round in 0..3 {
            lab.silence(Host::A);
            a.gwha.daemon.kill();
            until_role(&b.gwha, "master");
            for file in 0..20 {
                b.write(&format!("etc/app/{file}"), &format!("{round} {}", "x".repeat(50_000)));
            }
            b.write("etc/app/x", &format!("round {round}"));
            lab.reboot(Host::A);
            a.gwha.restart();
            until_role(&a.gwha, "master");
            assert_eq!(a.read("etc/app/x"), format!("round {round}"), "A took back before it had pulled");
            assert!((0..20).all(|file| a.read(&format!("etc/app/{file}")).starts_with(&format!("{round} "))));
            assert!(!a.warns("files_unpulled") && !b.warns("files_aside"));
            until("B follows", LIMIT, || b.state("etc/app") == "in_sync");
        }
    });
}

#[test]
fn router_that_can_not_pull_takes_back_after_half_a_minute_with_a_warning() {
    scenario(|lab| {
        let mut a = started(lab, Host::A);
        until_role(&a.gwha, "master");
        let b = started(lab, Host::B);
        until("B follows", LIMIT, || b.state("etc/app") == "in_sync");
        a.gwha.daemon.kill();
        until_role(&b.gwha, "master");
        // Adverts pass, the channel does not.
        let closed = "table inet closed {\nchain in {\ntype filter hook input priority 0\ntcp dport 8470 drop\ntcp sport 8470 drop\n}\n}\n";
        let rules = lab.dir.join("closed.nft");
        fs::write(&rules, closed).unwrap();
        let closed = lab.netns(Host::A).command("nft").arg("-f").arg(&rules).status().unwrap();
        assert!(closed.success());
        a.gwha.restart();
        until_role(&a.gwha, "backup");
        holds_for("A waits", ms(20_000), || a.gwha.role() == "backup");
        until_role(&a.gwha, "master");
        until("A warns", LIMIT, || a.warns("files_unpulled"));

        let open =
            lab.netns(Host::A).command("nft").args(["delete", "table", "inet", "closed"]).status().unwrap();
        assert!(open.success());
        until("B follows A", 2 * LIMIT, || b.state("etc/app") == "in_sync");
    });
}

/// What has been in the files of both routers.
struct Seen {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<BTreeSet<(usize, String)>>,
}

impl Seen {
    fn watch(dirs: [PathBuf; 2]) -> Seen {
        let is_over = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !end.load(Ordering::Relaxed) {
                for (at, dir) in dirs.iter().enumerate() {
                    seen.extend(tree(dir).into_values().map(|text| (at, text)));
                }
                thread::sleep(ms(5));
            }
            seen
        });
        Seen { is_over, thread }
    }

    fn stop(self) -> BTreeSet<(usize, String)> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Every file below a directory, with its content.
fn tree(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(
                tree(&path)
                    .into_iter()
                    .map(|(below, text)| (PathBuf::from(entry.file_name()).join(below), text)),
            );
        } else {
            all.insert(entry.file_name().into(), fs::read_to_string(&path).unwrap_or_default());
        }
    }
    all
}

/// The files that are edited: so many that none is kept aside more often than there is room for.
const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "sub/a", "sub/b", "sub/c", "sub/sub/a", "sub/sub/b"];

/// How many edits a history has: `EDITS`, or what takes a minute.
fn edits_wanted() -> u32 {
    std::env::var("EDITS").ok().and_then(|it| it.parse().ok()).unwrap_or(EDITS)
}

const EDITS: u32 = 200;

/// A file on a router.
type Place = (usize, String);

/// What was written.
#[derive(Default)]
struct Edits {
    /// The last edit of each file on each router.
    last: BTreeMap<Place, String>,
    /// Those before it that somebody else has replaced.
    replaced: Vec<(Place, String)>,
    /// What an edit found on a router in its place, however short it had been there.
    met: BTreeSet<(usize, String)>,
}

impl Edits {
    /// Edits on both routers, and what happens to routers meanwhile.
    fn play(lab: &Lab, routers: &mut [Router; 2]) -> Edits {
        let mut below = dice();
        let mut edits = Edits::default();
        for number in 0..edits_wanted() {
            let at = below(2) as usize;
            let name = format!("etc/app/{}", NAMES[below(NAMES.len() as u64) as usize]);
            edits.write(&routers[at], (at, name), format!("edit {number} on {at}"));
            thread::sleep(ms(below(400)));
            match below(12) {
                0 => lab.cut(Host::A, Segment::Lan, Direction::Both),
                1 => lab.mend_all(),
                2 => drop(routers[at].gwha.cli(&["switch"])),
                3 => {
                    routers[at].gwha.daemon.kill();
                    thread::sleep(ms(below(300)));
                    routers[at].gwha.restart();
                }
                _ => {}
            }
        }
        lab.mend_all();
        edits
    }

    fn write(&mut self, router: &Router, place: Place, text: String) {
        let before = router.write(&place.1, &text);
        self.met.insert((place.0, before.clone()));
        if let Some(last) = self.last.insert(place.clone(), text).filter(|last| *last != before) {
            self.replaced.push((place, last));
        }
    }

    fn all(&self) -> impl Iterator<Item = (&Place, &String)> {
        self.last.iter().chain(self.replaced.iter().map(|(place, text)| (place, text)))
    }
}

/// Numbers below a limit, by `SEED` or the clock.
fn dice() -> impl FnMut(u64) -> u64 {
    let seed = std::env::var("SEED").ok().and_then(|it| it.parse().ok()).unwrap_or_else(|| {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos()
    });
    eprintln!("SEED={seed}");
    let mut random = u64::from(seed) | 1;
    move |limit: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % limit
    }
}

#[test]
fn edits_on_both_through_splits_switches_and_power_losses_end_equal_and_none_is_lost() {
    scenario(|lab| {
        let (a, b) = pair(lab, "");
        let mut routers = [a, b];
        let seen = Seen::watch([routers[0].file("etc/app"), routers[1].file("etc/app")]);
        let edits = Edits::play(lab, &mut routers);
        let roles = || routers.iter().map(|router| router.gwha.role()).collect::<Vec<_>>();
        let is_one_master = || roles().iter().filter(|role| *role == "master").count() == 1;
        until("one master", 2 * LIMIT, is_one_master);
        let master = roles().iter().position(|role| role == "master").unwrap();
        let (epoch, had) = (routers[master].gwha.epoch(), tree(&routers[master].file("etc/app")));
        let trees = || routers.iter().map(|router| tree(&router.file("etc/app"))).collect::<Vec<_>>();
        until("equal", 2 * LIMIT, || {
            let trees = trees();
            let is_done = routers
                .iter()
                .all(|router| ["in_sync", "differs"].contains(&router.state("etc/app").as_str()));
            is_done && trees[0] == trees[1]
        });
        // The last edit of each file on each router is in force, or was on the other router too, or is aside.
        let asides: Vec<BTreeMap<PathBuf, String>> =
            ["A", "B"].iter().map(|host| tree(Path::new(&format!("/run/gwha-{host}/aside")))).collect();
        let final_tree = trees().swap_remove(0);
        assert_eq!((routers[master].gwha.role().as_str(), routers[master].gwha.epoch()), ("master", epoch));
        assert_eq!(final_tree, had, "the last master has lost something");
        let listed = |at: usize| routers[at].row("etc/app")["asides"].as_array().map_or(0, Vec::len);
        let lists_all = || (listed(0), listed(1)) == (asides[0].len(), asides[1].len());
        until("what is kept aside is listed", LIMIT, lists_all);
        let mut seen = seen.stop();
        seen.extend(edits.met.iter().cloned());
        let mut kept = 0;
        for ((at, name), text) in edits.all() {
            let is_in_force = final_tree.values().any(|it| it == text);
            let is_aside = asides[*at].values().any(|it| it == text);
            // Then it was the master's, and the other router took it before it was replaced.
            let went = seen.contains(&(1 - *at, text.clone()));
            kept += usize::from(is_aside);
            assert!(is_in_force || is_aside || went, "{text} of {name} on {at} is nowhere");
        }
        eprintln!("{} last edits, {} replaced before, {kept} aside", edits.last.len(), edits.replaced.len());
    });
}

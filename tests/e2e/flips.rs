//! Role after role, while half of what follows from them is slow, fails or hangs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use gwha::ubus::Status;

use crate::daemon::{Daemon, kinds};
use crate::lab::gwha::{Gwha, configuration};
use crate::lab::setup::{Preempt, Setup};
use crate::lab::topology::{Host, Segment};
use crate::lab::{Lab, scenario};
use crate::netifd::{Netifd, Power, Reaction};

use super::setups::place::{Place, follows};
use super::support::{ms, until_role};
use super::wire::{Asker, assert_one_at_a_time};

/// In front of a program: while there is a file `trouble`, one call in eight hangs, and without it too one fails and one
/// takes its time.
const TROUBLE: &str = r#"#!/bin/bash
dir=$(dirname "$0")
case $((RANDOM % 8)) in
0) [ ! -f "$dir/trouble" ] || exec sleep 1000 ;;
# Not with the status that says that a service does not run: that would be a lie.
1) echo "not today" >&2; [ "$2" != running ] || exit 126; exit 1 ;;
2) sleep "0.$((RANDOM % 10))" ;;
3) [ ! -f "$dir/trouble" ] || sleep "$((RANDOM % 3)).5" ;;
esac
"#;

fn script(place: &Place, name: &str, rest: &str) -> String {
    let path = place.dir.join(name);
    fs::write(&path, format!("{TROUBLE}{rest}")).expect("a script can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be made executable");
    path.display().to_string()
}

/// The same of netifd: it refuses, takes its time, does what it is told without saying so, or says nothing and does
/// nothing. What it is asked for hangs as its orders do.
fn temper(mut dice: Dice, trouble: PathBuf) -> impl FnMut(&str) -> Reaction {
    move |_| {
        let is_troubled = trouble.exists();
        let takes = ms(dice.below(400));
        let good = Reaction { takes, ..Reaction::GOOD };
        match dice.below(8) {
            0 if is_troubled => Reaction { obeys: false, says: None, ..good },
            1 if is_troubled => Reaction { says: None, ..good },
            2 => Reaction { obeys: false, says: Some(Err(Status::UnknownError)), ..good },
            3 => Reaction { busy: ms(dice.below(1000)), ..good },
            4 if is_troubled => Reaction { busy: ms(dice.below(3000)), ..good },
            _ => good,
        }
    }
}

/// A gateway with everything that follows from a role, all of it troubled.
struct Router {
    place: Place,
    gwha: Gwha,
    netifd: Netifd,
    _bus: Daemon,
}

impl Router {
    fn start(lab: &Lab, host: Host, dice: Dice) -> Router {
        let place = Place::new(lab, host);
        place.dnsmasq();
        place.service("vpn", "sleep 100000");
        place.service("upnp", "sleep 100000");
        host.netns().ip_batch("link add wg0 type veth peer name wg0-far\nlink set wg0-far up\n");
        // By this gwha knows that there should be a netifd.
        fs::write(lab.dir.join("network"), "config interface 'tunnel'\n\toption device 'wg0'\n")
            .expect("the network configuration can be written");
        let bus = Daemon::start(kinds()[0]);
        let switch = move |device: &str, power: Power| {
            let word = if power == Power::Up { "up" } else { "down" };
            host.netns().ip_batch(&format!("link set {device} {word}\n"));
        };
        let temper = temper(dice, place.dir.join("trouble"));
        let interfaces = [("tunnel", "wireguard", "wg0")];
        let netifd = Netifd::start(&bus.socket(), &interfaces, Box::new(temper), Box::new(switch));
        let text = Router::configuration(&place);
        let gwha = Gwha::start_with_on_bus(lab, host, &text, &bus.socket());
        Router { place, gwha, netifd, _bus: bus }
    }

    fn configuration(place: &Place) -> String {
        let service = script(place, "troubled-service", "exec \"$dir/service\" \"$@\"\n");
        let hook = script(place, "troubled-hook", "echo \"$TO\" >>\"$dir/told\"\n");
        let options =
            place.options().replace(&format!("{}/service'", place.dir.display()), &format!("{service}'"));
        let text = configuration(&Setup { preempt: Preempt::No, ..Setup::lan(100) }, place.host);
        let (_, instances) = text.split_once("\n\n").expect("the first section ends");
        format!(
            "{options}\n{instances}\toption dhcp_on_master '1'\n\tlist up_on_master 'tunnel'\n\tlist run_on_master 'vpn'\n\
             \tlist run_on_master 'upnp'\n\tlist reload_on_master 'firewall'\n\toption standby_gateway '192.168.100.1'\n\
             \toption script '{hook}'\n"
        )
    }

    fn trouble(&self) -> PathBuf {
        self.place.dir.join("trouble")
    }

    /// What is not as on a router of this role; all of it as it is, and not as gwha says it is.
    fn differences(&self, role: &str) -> Vec<String> {
        let Router { place, gwha, netifd, .. } = self;
        let is_master = role == "master";
        let mut found = Vec::new();
        let mut expect = |what: &str, is_so: bool| {
            if !is_so {
                found.push(format!("{what} of {}", gwha.host));
            }
        };
        expect("role", gwha.role() == role);
        // The hooks are no state: how the last one ended is only shown.
        expect("what gwha says", follows(gwha));
        for service in ["vpn", "upnp"] {
            expect(service, place.is_running(service) == is_master);
        }
        expect("dnsmasq", place.is_running("dnsmasq"));
        expect("netifd", if is_master { netifd.is_up("tunnel") } else { netifd.is_down("tunnel") });
        expect("device", place.is_up("wg0") == is_master);
        expect("guard", place.is_serving("gwha_dhcp_lan") == is_master);
        found
    }
}

/// Chance that a failed run can be repeated with.
#[derive(Clone, Copy)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn seed() -> u64 {
    let given = std::env::var("SEED").ok().and_then(|text| text.parse().ok());
    let now = || UNIX_EPOCH.elapsed().map_or(0, |since| since.subsec_nanos());
    given.unwrap_or_else(|| now().into())
}

/// How often the role moves: `FLIPS=200` is the promise; fewer hold up a whole test run less.
fn flips() -> u32 {
    std::env::var("FLIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(30)
}

#[test]
fn within_10_s_of_the_last_of_many_flips_everything_is_as_the_roles_want_it() {
    scenario(|lab| {
        let seed = seed();
        eprintln!("SEED={seed}");
        let mut dice = Dice(seed);
        let routers = [(Host::A, "master"), (Host::B, "backup")].map(|(host, role)| {
            let router = Router::start(lab, host, Dice(dice.below(u64::MAX)));
            until_role(&router.gwha, role);
            router
        });
        let [a, b] = &routers;
        let _asker = Asker::start();
        for router in &routers {
            fs::write(router.trouble(), "").expect("there can be trouble");
        }
        let (mut master, mut standby) = (a, b);
        let mut last = Instant::now();
        for flip in 1..=flips() {
            if flip == flips() {
                // What hangs from here on would hang for ever.
                for router in &routers {
                    fs::remove_file(router.trouble()).expect("there was trouble");
                }
            }
            last = Instant::now();
            let switched = master.gwha.cli(&["switch"]);
            assert!(switched.status.success(), "flip {flip}: {switched:?}");
            (master, standby) = (standby, master);
            until_role(&master.gwha, "master");
            if flip < flips() {
                thread::sleep(ms(dice.below(512)));
            }
        }
        settles(master, standby, last);
        assert!(lab.holders(Segment::Lan) == [master.gwha.host]);
        assert_one_at_a_time(lab);
    });
}

/// Waits until everything is as these roles want it, and says how long that took since the last of the flips.
fn settles(master: &Router, standby: &Router, last: Instant) {
    let promised = Duration::from_secs(10);
    loop {
        let late = last.elapsed() > promised;
        let differences = [master.differences("master"), standby.differences("backup")].concat();
        if differences.is_empty() {
            break;
        }
        let actions = || [master, standby].map(|router| router.gwha.at("/actions"));
        assert!(!late, "{differences:?} after {promised:?}: {:#?}", actions());
        thread::sleep(ms(20));
    }
    eprintln!("{} flips, settled {:?} after the last", flips(), last.elapsed());
}

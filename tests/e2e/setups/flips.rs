//! Role after role, while half of what follows from them is slow, fails or hangs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::gwha::{Gwha, configuration};
use crate::lab::setup::{Preempt, Setup};
use crate::lab::topology::Host;
use crate::lab::{Lab, scenario, until};

use super::super::support::{ms, until_role};
use super::super::wire::{Asker, assert_one_at_a_time};
use super::place::{Place, follows};

/// In front of a program: while there is a file `trouble`, one call in eight hangs, and without it too one fails and one
/// takes its time.
const TROUBLE: &str = r#"#!/bin/bash
dir=$(dirname "$0")
case $((RANDOM % 8)) in
0) [ ! -f "$dir/trouble" ] || exec sleep 1000 ;;
1) echo "not today" >&2; exit 1 ;;
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

fn router(lab: &Lab, host: Host) -> (Place, Gwha) {
    let place = Place::new(lab, host);
    place.dnsmasq();
    place.service("vpn", "sleep 100000");
    place.service("upnp", "sleep 100000");
    host.netns().ip_batch("link add wg0 type veth peer name wg0-far\nlink set wg0-far up\n");
    let service = script(&place, "troubled-service", "exec \"$dir/service\" \"$@\"\n");
    let hook = script(&place, "troubled-hook", "echo \"$TO\" >>\"$dir/told\"\n");
    let options =
        place.options().replace(&format!("{}/service'", place.dir.display()), &format!("{service}'"));
    let (_, rest) = configuration(&Setup { preempt: Preempt::No, ..Setup::lan(100) }, host)
        .split_once("\n\n")
        .map(|(first, rest)| (first.to_owned(), rest.to_owned()))
        .expect("the first section ends");
    let text = format!(
        "{options}\n{rest}\toption dhcp_on_master '1'\n\tlist up_on_master 'wg0'\n\tlist run_on_master 'vpn'\n\
         \tlist run_on_master 'upnp'\n\tlist reload_on_master 'firewall'\n\toption standby_gateway '192.168.100.1'\n\
         \toption script '{hook}'\n"
    );
    let gwha = Gwha::start_with(lab, host, &text);
    (place, gwha)
}

/// How often the role moves: `FLIPS=200` is the promise; fewer hold up a whole test run less.
fn flips() -> u32 {
    std::env::var("FLIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(30)
}

#[test]
fn within_10_s_of_the_last_of_many_flips_everything_is_as_the_roles_want_it() {
    scenario(|lab| {
        let routers = [Host::A, Host::B].map(|host| router(lab, host));
        let [a, b] = routers.each_ref().map(|(_, gwha)| gwha);
        until_role(a, "master");
        until_role(b, "backup");
        let _asker = Asker::start();
        for (place, _) in &routers {
            fs::write(place.dir.join("trouble"), "").expect("there can be trouble");
        }
        let mut dice = std::process::id();
        let (mut master, mut standby) = (a, b);
        for flip in 1..=flips() {
            if flip == flips() {
                // What hangs from here on would hang for ever.
                for (place, _) in &routers {
                    fs::remove_file(place.dir.join("trouble")).expect("there was trouble");
                }
            }
            let switched = master.cli(&["switch"]);
            assert!(switched.status.success(), "flip {flip}: {switched:?}");
            (master, standby) = (standby, master);
            until_role(master, "master");
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            thread::sleep(ms(u64::from(dice >> 24) * 2));
        }
        let last = Instant::now();
        let promised = Duration::from_secs(10);
        for node in [master, standby] {
            // The hooks are no state: how the last one ended is only shown.
            until("everything follows the role", promised, || follows(node));
        }
        eprintln!("{} flips, settled {:?} after the last", flips(), last.elapsed());
        assert!(last.elapsed() < promised + ms(500));

        for (place, gwha) in &routers {
            let is_master = gwha.host == master.host;
            for service in ["vpn", "upnp"] {
                assert_eq!(place.is_running(service), is_master, "{service} on {}", gwha.host);
            }
            assert!(place.is_running("dnsmasq"), "dnsmasq on {}", gwha.host);
            assert_eq!(place.is_up("wg0"), is_master, "wg0 on {}", gwha.host);
            assert_eq!(place.is_serving("gwha_dhcp_lan"), is_master, "the guard of {}", gwha.host);
            assert_eq!(gwha.role(), if is_master { "master" } else { "backup" });
        }
        until_role(master, "master");
        assert!(lab.holders(crate::lab::topology::Segment::Lan) == [master.host]);
        assert_one_at_a_time(lab);
    });
}

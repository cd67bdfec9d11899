//! A carrier that allows an account one connection: on one router it is over before the other one begins its own.
//!
//! netifd is a stand-in whose connection takes 0.1 s to begin and 0.7 s to end, and has a device as long as it stands, as pppd's.

use std::fs;
use std::time::{Duration, Instant};

use crate::daemon::{Daemon, kinds};
use crate::lab::gwha::{Gwha, configuration};
use crate::lab::setup::{Preempt, Setup};
use crate::lab::topology::{Host, Segment};
use crate::lab::{Lab, scenario, until};
use crate::netifd::{Netifd, Power, Reaction};

use super::setups::place::follows;
use super::support::{LIMIT, ms, until_role};

struct Router {
    gwha: Gwha,
    netifd: Netifd,
    _bus: Daemon,
}

impl Router {
    fn start(lab: &Lab, host: Host) -> Router {
        let network = "config interface 'dsl'\n\toption proto 'pppoe'\n\toption device 'wan'\n";
        fs::write(lab.dir.join("network"), network).expect("the network configuration can be written");
        let bus = Daemon::start(kinds()[0]);
        let temper =
            |method: &str| Reaction { takes: ms(if method == "down" { 700 } else { 100 }), ..Reaction::GOOD };
        let switch = move |device: &str, power: Power| {
            host.netns().ip_batch(&match power {
                Power::Up => format!("link add {device} type veth peer name isp\nlink set {device} up\n"),
                Power::Down => format!("link delete {device}\n"),
            });
        };
        let interfaces = [("dsl", "pppoe", "pppoe-dsl")];
        let netifd = Netifd::start(&bus.socket(), &interfaces, Box::new(temper), Box::new(switch));
        let key = lab.dir.join("key");
        fs::write(&key, "7".repeat(64)).expect("the key can be written");
        fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .expect("it can be kept from others");
        let setup = Setup { preempt: Preempt::No, ..Setup::reference(100) };
        let text = configuration(&setup, host);
        let sync =
            format!("\nconfig sync 'peer'\n\toption instance 'lan'\n\toption key_file '{}'\n", key.display());
        let group = "config group 'gateway'\n";
        let text = text.replace(group, &format!("{group}\tlist up_on_master 'dsl'\n")) + &sync;
        let gwha = Gwha::start_with_on_bus(lab, host, &text, &bus.socket());
        Router { gwha, netifd, _bus: bus }
    }

    /// From the order that begins each connection to its end, if it has ended.
    fn connections(&self) -> Vec<(Instant, Option<Instant>)> {
        let moves = self.netifd.moves();
        let ends = || moves.iter().filter(|(_, _, power)| *power == Power::Down).map(|(at, ..)| *at);
        let mut found: Vec<(Instant, Option<Instant>)> = Vec::new();
        for order in self.netifd.orders().iter().filter(|order| order.method == "up") {
            let is_under_way = found.last().is_some_and(|(_, end)| end.is_none_or(|end| order.at < end));
            if !is_under_way {
                found.push((order.at, ends().find(|end| *end > order.at)));
            }
        }
        found
    }

    #[track_caller]
    fn until_serving(&self, other: &Router) {
        until_role(&self.gwha, "master");
        until("it is connected", LIMIT, || self.netifd.is_up("dsl") && other.netifd.is_down("dsl"));
        for node in [&self.gwha, &other.gwha] {
            until("everything follows the role", LIMIT, || follows(node));
        }
    }
}

fn pair(lab: &Lab) -> (Router, Router) {
    let a = Router::start(lab, Host::A);
    until_role(&a.gwha, "master");
    let b = Router::start(lab, Host::B);
    a.until_serving(&b);
    for node in [&a.gwha, &b.gwha] {
        until_connected(node);
    }
    (a, b)
}

#[track_caller]
fn until_connected(node: &Gwha) {
    until(&format!("{} is connected", node.host), LIMIT, || node.at("/peer/connected") == true);
}

#[test]
fn in_orderly_moves_the_carrier_never_sees_two_connections() {
    scenario(|lab| {
        let (a, mut b) = pair(lab);

        assert!(a.gwha.cli(&["switch"]).status.success());
        b.until_serving(&a);

        let stopped = b.gwha.daemon.terminate(LIMIT);
        assert!(stopped.success(), "{stopped:?}");
        until_role(&a.gwha, "master");
        until("it is connected", LIMIT, || a.netifd.is_up("dsl"));
        b.gwha.restart();
        until_role(&b.gwha, "backup");
        until_connected(&a.gwha);

        lab.pull_cable(Host::A, Segment::Iot);
        b.until_serving(&a);

        let mut all = [a.connections(), b.connections()].concat();
        all.sort();
        assert_eq!(all.len(), 4, "{all:?}");
        for pair in all.windows(2) {
            let (end, next) = (pair[0].1.expect("it has ended"), pair[1].0);
            assert!(end <= next, "two at once for {:?}", end - next);
            // Two seconds after the role changed it would have been begun in any case.
            let pause = next - end;
            eprintln!("the next one began {pause:?} after the end");
            assert!(pause < ms(1000), "not begun when the other one was over, but {pause:?} later");
        }
    });
}

#[test]
fn after_a_power_loss_no_connection_is_waited_for() {
    scenario(|lab| {
        let (mut a, b) = pair(lab);
        assert_eq!(b.connections(), []);

        let event = Instant::now();
        lab.silence(Host::A);
        a.gwha.daemon.kill();
        until("B dials", LIMIT, || !b.connections().is_empty());

        let dialled: Duration = b.connections()[0].0 - event;
        eprintln!("B dials {dialled:?} after the power loss");
        assert!(dialled < ms(1800), "{dialled:?}");
    });
}

//! `option realtime`.

use std::fs;

use crate::lab::gwha::{Gwha, configuration};
use crate::lab::process::Daemon;
use crate::lab::setup::Setup;
use crate::lab::topology::Host;
use crate::lab::{scenario, until};

use super::support::{LIMIT, until_role};

/// `SCHED_FIFO` and `SCHED_OTHER`.
const REAL_TIME: &str = "1";
const ORDINARY: &str = "0";

#[test]
fn realtime_follows_the_option_and_not_the_children() {
    scenario(|lab| {
        let track = "\nconfig track 'slow'\n\toption type 'script'\n\toption command 'sleep 1'\n\toption timeout '2'\n";
        let text = configuration(&Setup::lan(200), Host::A) + "\tlist track 'slow'\n" + track;
        let fast = text.replacen("option enabled '1'\n", "option enabled '1'\n\toption realtime '1'\n", 1);
        let a = Gwha::start_with(lab, Host::A, &fast);
        until_role(&a, "master");

        assert_eq!(policy(a.daemon.pid().as_raw()), REAL_TIME);
        until("the check's child runs", LIMIT, || child_of(&a.daemon).is_some());
        let child = child_of(&a.daemon).expect("it has just been seen");
        assert_eq!(policy(child), ORDINARY);

        a.write_config(&text);
        a.hup();
        until("it is ordinary again", LIMIT, || policy(a.daemon.pid().as_raw()) == ORDINARY);
    });
}

/// The scheduling policy: the 41st field of `stat` (proc(5)).
fn policy(pid: i32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after_name.split_whitespace().nth(38).unwrap_or_default().to_owned()
}

fn child_of(daemon: &Daemon) -> Option<i32> {
    let pid = daemon.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().next().and_then(|child| child.parse().ok())
}

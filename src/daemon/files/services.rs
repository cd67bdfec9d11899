//! The services of `list reload`, on a thread of its own: one may take half a minute, and no file waits for that.
//!
//! One after the other; what comes meanwhile is one more round for all, with the services that are listed by then.

use core::time::Duration;
use std::ffi::CString;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags, poll};

use crate::engine::Instant;
use crate::exec::child::{Child, Ending, Leftovers, Output};
use crate::thread;

use super::super::bounded::plain;
use super::super::clock;
use super::mail::{Mail, Services};

/// What is to be done, and how it goes.
#[derive(Debug, Default)]
pub struct Desk {
    /// The next round.
    wanted: Option<Services>,
    /// Whether the thread is there.
    is_manned: bool,
    /// For the loop.
    pub progress: Progress,
}

/// How reloads go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The service that is at it, and since when.
    pub running: Option<(String, Instant)>,
    /// What went wrong in the last round, and when.
    pub error: Option<(String, Instant)>,
}

/// How long a service may take to reload.
const RELOAD_MAX: Duration = Duration::from_secs(30);

/// Has the services reload.
pub fn reload(mail: &Arc<Mail>, services: &Services) {
    let mut desk = mail.desk();
    desk.wanted = Some(services.clone());
    if desk.is_manned {
        return;
    }
    let own = Arc::clone(mail);
    match thread::start(c"reload", thread::STACK, Box::new(move || work(&own))) {
        Ok(()) => desk.is_manned = true,
        Err(error) => desk.progress.error = Some((plain(&error), clock::now())),
    }
}

fn work(mail: &Mail) {
    loop {
        let mut desk = mail.desk();
        let Some(services) = desk.wanted.take() else {
            desk.is_manned = false;
            return;
        };
        drop(desk);
        let mut failed = None;
        for name in &services.names {
            mail.desk().progress.running = Some((name.clone(), clock::now()));
            mail.ring();
            if let Err(why) = reload_one(name, services.command.as_deref()) {
                log::warn!("reload of {name}: {why}");
                failed.get_or_insert((format!("reload of {name}: {why}"), clock::now()));
            }
        }
        mail.desk().progress = Progress { running: None, error: failed };
        mail.ring();
    }
}

fn reload_one(name: &str, command: Option<&str>) -> Result<(), String> {
    let script = format!("/etc/init.d/{name}");
    match command {
        Some(command) => run(&[command, name, "reload"]),
        None if Path::new(&script).exists() => run(&[&script, "reload"]),
        None => Err(format!("there is no {script}")),
    }
}

fn run(command: &[&str]) -> Result<(), String> {
    let words: Vec<CString> = command.iter().filter_map(|word| CString::new(*word).ok()).collect();
    let words: Vec<_> = words.iter().map(AsRef::as_ref).collect();
    let mut child = Child::spawn(&words, &[], Output::Kept).map_err(|error| plain(&error))?;
    let timeout = clock::wait_for(clock::now().after(RELOAD_MAX));
    let _ = poll(&mut [PollFd::new(child.as_fd(), PollFlags::POLLIN)], timeout);
    match child.reap(Leftovers::Left) {
        Some(Ending::Exited(0)) => Ok(()),
        Some(Ending::Exited(status)) => {
            let said = child.said().map(|said| format!(": {said}")).unwrap_or_default();
            Err(format!("exit status {status}{said}"))
        }
        Some(Ending::Killed(signal)) => Err(format!("killed by signal {signal}")),
        Some(Ending::Lost) => Err("lost".to_owned()),
        // It is killed with everything that it has started when it goes out of scope.
        None => Err(format!("takes longer than {} s", RELOAD_MAX.as_secs())),
    }
}

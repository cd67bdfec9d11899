//! `gwha pair`: on one router it shows a line, on the other one that line is typed.

mod background;

use core::time::Duration;
use std::ffi::CString;
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::control::client;
use crate::disk::plain;
use crate::exec::child::{Child, Ending as ChildEnding, Leftovers, Output};
use crate::pair::agree::{Gateway, Vip};
use crate::pair::code::Code;
use crate::pair::facts::{self, Own, Where};
use crate::pair::guest::Guest;
use crate::pair::host::Host;
use crate::pair::listen::{Ending, Listener, WRONG_MAX};
use crate::pair::{PORT, connect, vip, vrid};
use crate::ubus::{Data, Table, Value, json};

use super::args::Scope;
use super::exit_codes::{CRITICAL, DEGRADED};
use super::{check, complain, print};

/// What was typed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The line's address and code; none on the router that shows the line.
    pub join: Option<(Ipv4Addr, String)>,
    /// `--listen`
    pub listen: Option<Ipv4Addr>,
    /// `--interface`
    pub interface: Option<String>,
    /// `--vip`
    pub vip: Option<(Ipv4Addr, Option<u8>)>,
    /// `--minutes`
    pub minutes: Option<u32>,
    /// `--force`
    pub force: bool,
    /// `--background`, `--show`
    pub stage: Stage,
}

/// Where the line is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stage {
    /// On the terminal.
    #[default]
    Terminal,
    /// As JSON, once; the waiting goes on behind it.
    Background,
    /// As JSON, as it was shown by an earlier command.
    Earlier,
}

/// Where the result is to be put to work.
#[derive(Debug)]
pub struct Target<'a> {
    /// The configuration file.
    pub config: &'a Path,
    /// The daemon's run-time directory.
    pub run_dir: &'a Path,
    /// Its control socket.
    pub socket: Option<&'a Path>,
    /// Whether that is the system's own daemon, which procd starts.
    pub is_system: bool,
}

/// Does it.
pub fn pair(request: &Request, target: &Target<'_>) -> u8 {
    let result = match (&request.join, request.stage) {
        (Some((address, code)), _) => join(request, *address, code, target),
        (None, Stage::Earlier) => Ok(show(target.run_dir)),
        (None, Stage::Terminal | Stage::Background) => offer(request, target),
    };
    result.unwrap_or_else(|why| {
        complain(&why);
        DEGRADED
    })
}

fn own(request: &Request) -> Own {
    if request.force { Own::GivenUp } else { Own::Kept }
}

fn show(run_dir: &Path) -> u8 {
    let state = Value::Table(background::state(run_dir));
    print(&format!("{}\n", json::to_string(&state, json::Layout::Pretty)))
}

/// Shows the line and waits.
fn offer(request: &Request, target: &Target<'_>) -> Result<u8, String> {
    let unusable = |error: io::Error| format!("{}: {}", target.run_dir.display(), plain(&error));
    let mut paper = match request.stage {
        Stage::Terminal | Stage::Earlier => None,
        Stage::Background => match background::take(target.run_dir).map_err(unusable)? {
            None => return Ok(show(target.run_dir)),
            paper => paper,
        },
    };
    let wanted = match (&request.interface, request.listen) {
        (Some(name), _) => Where::Interface(name.clone()),
        (None, Some(address)) => Where::Address(address),
        (None, None) => Where::Usual,
    };
    let place = facts::place(target.config, &wanted)?;
    let own_facts = facts::gather(target.config, &place, own(request))?;
    let address = place.address.0;
    let minutes = request.minutes.unwrap_or(MINUTES).clamp(1, MINUTES_MAX);
    let code = Code::generate().ok_or("the system has no randomness to give")?;
    let patience = Duration::from_secs(u64::from(minutes).saturating_mul(60));
    let mut listener = Listener::open(&place, code, patience).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            format!("TCP port {PORT} of {address} is in use: does another `gwha pair` wait?")
        }
        _ => format!("can't wait at {address}: {}", plain(&error)),
    })?;
    let line = format!("gwha pair {address} {code}");
    match &mut paper {
        Some(paper) => {
            paper.begin(&line, listener.until()).map_err(unusable)?;
            show(target.run_dir);
            paper.detach().map_err(unusable)?;
        }
        None => {
            print(&(line + "\n"));
        }
    }
    let (vip, user) = vip::choose(&place, request.vip);
    print(&format!(
        "Type this line on the other router, within {minutes} minutes. Ctrl-C ends the waiting.\n"
    ));
    if own_facts.config.is_none() {
        print(&prospect(&vip, user));
    }
    let mut host = Host::new(target.config, place, own(request), vip)?;
    loop {
        match listener
            .wait(&mut host, &mut complain)
            .map_err(|error| format!("can't wait: {}", plain(&error)))?
        {
            Ending::Paired => {
                print(&format!("Paired with {}.\n", host.guest));
                return Ok(finish(target, host.aside.as_deref()));
            }
            Ending::Half => {
                print("This router is set up; the other one may not be. Waiting for it to come back.\n");
                finish(target, host.aside.as_deref());
            }
            Ending::Expired => return Err(gone("nobody came in time: the code is expired", &host)),
            Ending::Guessed => {
                let why = format!("{WRONG_MAX} attempts with other codes: this code is no longer good");
                return Err(gone(&why, &host));
            }
        }
    }
}

/// What the new configuration will have. `user` has the VRID that it would have had.
fn prospect(vip: &Vip, user: Option<Ipv4Addr>) -> String {
    match vip {
        Ok(Gateway { address, length, vrid }) => {
            let taken = user.map_or_else(String::new, |user| {
                format!("{user} uses VRID {} here, so the pair will have VRID {vrid}.\n", vrid::USUAL)
            });
            format!("The virtual address will be {address}/{length} (another: --vip ADDRESS).\n{taken}")
        }
        Err(why) => format!("Careful: {why}\n"),
    }
}

fn gone(why: &str, host: &Host) -> String {
    let half =
        if host.committed { " This router stays set up; `gwha pair` again mends the other one." } else { "" };
    format!("{why}.{half}")
}

/// Joins the router that shows the line.
fn join(request: &Request, address: Ipv4Addr, code: &str, target: &Target<'_>) -> Result<u8, String> {
    let code = Code::parse(code).map_err(|mistyped| mistyped.to_string())?;
    let place = facts::place(target.config, &Where::Towards(address))?;
    if place.address.0 == address {
        return Err(format!("{address} is this router: type the line on the other one"));
    }
    let mut guest = Guest::new(target.config, place, own(request));
    connect::join(&mut guest, address, &code, &mut complain)?;
    print(&format!("Paired with {}.\n", guest.host));
    Ok(finish(target, guest.aside.as_deref()))
}

/// Shows what is there now, checks it, and puts it to work.
fn finish(target: &Target<'_>, aside: Option<&Path>) -> u8 {
    let config = target.config;
    if let Some(aside) = aside {
        print(&format!("The configuration that was here before is in {}.\n", aside.display()));
    }
    let text = crate::daemon::read_bounded(config).unwrap_or_default();
    print(&format!("\n{}:\n{}\n", config.display(), String::from_utf8_lossy(&text).trim_ascii_end()));
    check(config, Scope::System);
    match start(target) {
        Ok(Started::Yes) => print("gwha is enabled and runs with it. `gwha status` shows both routers.\n"),
        Ok(Started::No) => print("Start gwha now (`gwha run`). `gwha status` shows both routers then.\n"),
        Err(why) => {
            complain(&why);
            CRITICAL
        }
    }
}

/// Whether there is a daemon.
enum Started {
    Yes,
    /// This is no OpenWrt, and who starts it is not known.
    No,
}

/// Has the daemon started with the configuration, or read it.
fn start(target: &Target<'_>) -> Result<Started, String> {
    let script = Path::new(INIT_SCRIPT);
    if target.is_system && script.exists() {
        run(script, "enable")?;
        run(script, "reload")?;
        return Ok(Started::Yes);
    }
    let arguments = Data::encode(&Table::default()).map_err(|error| error.to_string())?;
    let answer = target.socket.map(|socket| client::call(socket, "reload", &arguments, SCRIPT_PATIENCE));
    match answer {
        Some(Ok(_)) => Ok(Started::Yes),
        Some(Err(client::Error::NotRunning)) | None => Ok(Started::No),
        Some(Err(error)) => Err(error.to_string()),
    }
}

fn run(script: &Path, action: &str) -> Result<(), String> {
    let failed = |what: &str| format!("{} {action}: {what}", script.display());
    let program = CString::new(script.as_os_str().as_bytes()).map_err(|error| failed(&error.to_string()))?;
    let argument = CString::new(action).map_err(|error| failed(&error.to_string()))?;
    let mut child =
        Child::spawn(&[&program, &argument], &[], Output::Kept).map_err(|error| failed(&plain(&error)))?;
    let patience = PollTimeout::try_from(SCRIPT_PATIENCE).unwrap_or(PollTimeout::MAX);
    let _ = poll(&mut [PollFd::new(child.as_fd(), PollFlags::POLLIN)], patience);
    match child.reap(Leftovers::Left) {
        Some(ChildEnding::Exited(0)) => Ok(()),
        Some(ChildEnding::Exited(_) | ChildEnding::Killed(_) | ChildEnding::Lost) => {
            Err(failed(&child.said().unwrap_or_else(|| "failed".into())))
        }
        None => Err(failed("takes too long")),
    }
}

const INIT_SCRIPT: &str = "/etc/init.d/gwha";

/// `reload` may wait for a hand-over.
const SCRIPT_PATIENCE: Duration = Duration::from_secs(30);

/// How long a code is good.
const MINUTES: u32 = 10;
const MINUTES_MAX: u32 = 60;

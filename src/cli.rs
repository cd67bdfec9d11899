//! The command line: what is typed, what is shown, and the exit code.

mod args;
mod ask;
mod bus;
pub mod exit_codes;
mod help;
mod pair;
mod show;
mod system;
mod text;

use std::ffi::CStr;
use std::io;
use std::path::Path;

use crate::config;
use crate::daemon::{self, config_file, run_dir};
use crate::peer::key::{self, Key};
use crate::{disk, stdio, syslog};

use args::{Command, Invocation, Scope};
use exit_codes::{CRITICAL, DEGRADED, HEALTHY, NOT_RUNNING, USAGE};

/// Does what the arguments behind the program's name say. The exit status.
pub fn main(arguments: &[&CStr]) -> u8 {
    let mut words = Vec::new();
    for argument in arguments {
        words.extend(argument.to_str());
    }
    let invocation = match words.len() == arguments.len() {
        true => args::parse(&words),
        false => Err("arguments must be UTF-8".into()),
    };
    match invocation {
        Ok(invocation) => invocation.carry_out(),
        Err(error) => {
            complain(&error);
            complain("`gwha --help` shows what there is");
            USAGE
        }
    }
}

impl Invocation {
    fn carry_out(&self) -> u8 {
        let socket = (!self.only_ubus).then(|| run_dir::control_socket(&self.run_dir));
        let place = ask::Place { socket, ubus: &self.ubus };
        match &self.command {
            Command::Help => print(help::TEXT),
            Command::Version => print(concat!("gwha ", env!("CARGO_PKG_VERSION"), "\n")),
            Command::Run { stderr } => {
                syslog::install(*stderr);
                let (config, run_dir) = (self.config.clone(), self.run_dir.clone());
                ended(daemon::run(daemon::Options { config, run_dir, ubus: self.ubus.clone() }))
            }
            Command::Check { scope, file } => check(file.as_deref().unwrap_or(&self.config), *scope),
            Command::Import { file } => import(file),
            Command::Status { form } => ask::status(&place, *form),
            Command::History { form, limit } => ask::history(&place, *form, *limit),
            Command::Leases { form } => ask::leases(&place, *form),
            Command::Switch { to } => ask::switch(&place, to.as_deref()),
            Command::Maintenance { on } => ask::maintenance(&place, *on),
            Command::Sync => ask::sync(&place),
            Command::Keygen { file } => keygen(file),
            Command::Pair(request) => {
                let is_system = disk::is_same(&self.run_dir, Path::new(run_dir::DEFAULT))
                    && disk::is_same(&self.config, Path::new(args::CONFIG));
                let (config, run_dir) = (&self.config, &self.run_dir);
                let target = pair::Target { config, run_dir, socket: place.socket.as_deref(), is_system };
                pair::pair(request, &target)
            }
            Command::Reload => ask::reload(&place),
            Command::Release => ended(daemon::release(&self.run_dir, &self.config)),
        }
    }
}

fn ended(result: Result<(), daemon::Error>) -> u8 {
    match result {
        Ok(()) => HEALTHY,
        Err(error) => {
            // The log may be somewhere else; whoever started this sees why it ended.
            log::error!("{error}");
            complain(&error.to_string());
            CRITICAL
        }
    }
}

fn check(file: &Path, scope: Scope) -> u8 {
    let (checked, loaded) = config_file::check(file);
    print(&show::checked(&checked));
    let code = exit_codes::of_check(&checked);
    match (scope, loaded) {
        (Scope::System, Some(loaded)) => code.max(system::check(file, &loaded.config)),
        (Scope::System, None) | (Scope::File, _) => code,
    }
}

/// The converted file goes to standard output, everything else to standard error.
fn import(file: &Path) -> u8 {
    let text = match daemon::read_bounded(file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => {
            complain(&format!("{}: {}", file.display(), disk::plain(&error)));
            return CRITICAL;
        }
    };
    let imported = crate::import::convert(&text);
    for note in &imported.notes {
        complain(&format!("{}: {note}", file.display()));
    }
    if print(&imported.text) != HEALTHY {
        return CRITICAL;
    }
    match config::load("the result", imported.text.as_bytes()) {
        Ok(_) if imported.notes.is_empty() => HEALTHY,
        Ok(_) => DEGRADED,
        Err(rejected) => {
            for error in &rejected.errors {
                complain(&error.to_string());
            }
            CRITICAL
        }
    }
}

/// The key itself is never printed: it would stay in a scrollback, or in a log.
fn keygen(file: &Path) -> u8 {
    let (dir, name) = disk::split(file);
    if name.is_empty() || file.is_dir() {
        complain(&format!("keygen: '{}' is not the name of a file", file.display()));
        return DEGRADED;
    }
    if let Err(error) = disk::make_dirs(dir, 0o700) {
        complain(&format!("{}: {}", dir.display(), disk::plain(&error)));
        return CRITICAL;
    }
    match Key::generate().and_then(|key| key.write(file)) {
        Ok(()) => print(&format!("{}: written. The other router needs the same file.\n", file.display())),
        Err(error) => {
            complain(&format!("{}: {error}", file.display()));
            match error {
                key::Error::Exists => DEGRADED,
                key::Error::Missing
                | key::Error::Open(_)
                | key::Error::Owner(_)
                | key::Error::NotAFile
                | key::Error::Malformed
                | key::Error::Io(_) => CRITICAL,
            }
        }
    }
}

/// Writes to standard output. That nobody reads it (`gwha status | head`) is no error.
fn print(text: &str) -> u8 {
    match stdio::print(stdio::OUTPUT, text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("standard output: {}", disk::plain(&error)));
            CRITICAL
        }
        Ok(()) | Err(_) => HEALTHY,
    }
}

fn complain(text: &str) {
    // Where else could it be told?
    let _ = stdio::print(stdio::ERROR, &format!("gwha: {text}\n"));
}

/// For what asks a daemon: it is told apart whether there is one.
fn failed(error: &crate::control::client::Error) -> u8 {
    complain(&error.to_string());
    match error {
        crate::control::client::Error::NotRunning => NOT_RUNNING,
        crate::control::client::Error::NotAllowed
        | crate::control::client::Error::NoAnswer
        | crate::control::client::Error::Failed(_)
        | crate::control::client::Error::Io(_) => CRITICAL,
    }
}

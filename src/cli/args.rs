//! From arguments to a command.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::collect::take_first;
use crate::daemon::run_dir;
use crate::syslog::Stderr;
use crate::ubus::conn::SOCKETS;

use super::pair::{Request, Stage};

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
pub struct Invocation {
    /// What to do.
    pub command: Command,
    /// `--config`.
    pub config: PathBuf,
    /// `--run-dir`.
    pub run_dir: PathBuf,
    /// `--ubus`: where ubusd may listen; nowhere: without ubus. A daemon with a run-time directory of its own stays
    /// away from the machine's bus, where the name `gwha` is another one's.
    pub ubus: Vec<PathBuf>,
    /// `--ubus` without `--run-dir`: that bus is asked, and no control socket.
    pub only_ubus: bool,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Be the daemon.
    Run {
        /// Where its log goes too.
        stderr: Stderr,
    },
    /// Show the state.
    Status {
        /// For whom.
        form: Form,
    },
    /// Convert a keepalived.conf.
    Import {
        /// Which one.
        file: PathBuf,
    },
    /// Check a file; `None`: the daemon's.
    Check {
        /// Whether OpenWrt's own settings are looked at too.
        scope: Scope,
        /// Which.
        file: Option<PathBuf>,
    },
    /// Move the role.
    Switch {
        /// To whom; `None`: away from the master.
        to: Option<String>,
    },
    /// Enter or leave maintenance.
    Maintenance {
        /// Enter.
        on: bool,
    },
    /// Copy leases and files now.
    Sync,
    /// Make a key for the channel between the routers.
    Keygen {
        /// Where; never replaces a file.
        file: PathBuf,
    },
    /// Give two routers one key and one configuration.
    Pair(Request),
    /// Show what happened.
    History {
        /// For whom.
        form: Form,
        /// How much of it.
        limit: Option<u32>,
    },
    /// Show leases.
    Leases {
        /// For whom.
        form: Form,
    },
    /// Read the configuration again.
    Reload,
    /// Put away what a daemon has left behind.
    Release,
    /// Show the help.
    Help,
    /// Show the version.
    Version,
}

/// For whom something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// People.
    Text,
    /// Programs.
    Json,
}

/// What `check` looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Our own file.
    File,
    /// OpenWrt's network and DHCP too, and what has to be installed.
    System,
}

/// What comes behind an option.
#[derive(Clone, Copy)]
enum Takes {
    Nothing,
    Value,
}

const OPTIONS: [(&str, Takes); 19] = [
    ("-h", Takes::Nothing),
    ("-V", Takes::Nothing),
    ("--help", Takes::Nothing),
    ("--version", Takes::Nothing),
    ("--config", Takes::Value),
    ("--run-dir", Takes::Value),
    ("--ubus", Takes::Value),
    ("--json", Takes::Nothing),
    ("--stderr", Takes::Nothing),
    ("--system", Takes::Nothing),
    ("--to", Takes::Value),
    ("--limit", Takes::Value),
    ("--listen", Takes::Value),
    ("--interface", Takes::Value),
    ("--vip", Takes::Value),
    ("--minutes", Takes::Value),
    ("--force", Takes::Nothing),
    ("--background", Takes::Nothing),
    ("--show", Takes::Nothing),
];

/// Understands the arguments behind the program's name. Options may stand anywhere.
///
/// # Errors
/// What makes no sense, in words.
pub fn parse(arguments: &[&str]) -> Result<Invocation, String> {
    let mut typed = Typed::split(arguments)?;
    let config = typed.value("--config");
    let run_dir = typed.value("--run-dir");
    let ubus = typed.value("--ubus");
    let command = if typed.has("--help") || typed.has("-h") {
        Command::Help
    } else if typed.has("--version") || typed.has("-V") {
        Command::Version
    } else {
        typed.command()?
    };
    Ok(Invocation {
        command,
        config: config.unwrap_or(CONFIG).into(),
        run_dir: run_dir.unwrap_or(run_dir::DEFAULT).into(),
        ubus: match (ubus, run_dir) {
            (Some(socket), _) => vec![socket.into()],
            (None, None) => SOCKETS.map(PathBuf::from).into(),
            (None, Some(_)) => Vec::new(),
        },
        only_ubus: ubus.is_some() && run_dir.is_none(),
    })
}

/// Words and options, before they are looked at together. A command takes all that it understands; what is left
/// would be ignored, and not what was meant.
struct Typed<'a> {
    words: Vec<&'a str>,
    /// With their values; empty where there is none.
    options: Vec<(&'static str, &'a str)>,
}

impl<'a> Typed<'a> {
    fn split(arguments: &[&'a str]) -> Result<Typed<'a>, String> {
        let mut typed = Typed { words: Vec::new(), options: Vec::new() };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if !argument.starts_with('-') {
                typed.words.push(argument);
                continue;
            }
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (*argument, None),
            };
            let Some((option, takes)) = OPTIONS.iter().find(|(option, _)| *option == name) else {
                return Err(format!("no such option: '{name}'"));
            };
            let value = match (takes, value) {
                (Takes::Nothing, None) => "",
                (Takes::Nothing, Some(_)) => return Err(format!("{option} takes no value")),
                (Takes::Value, Some(value)) => value,
                (Takes::Value, None) => arguments.next().ok_or_else(|| format!("{option} needs a value"))?,
            };
            typed.options.push((option, value));
        }
        Ok(typed)
    }

    fn word(&mut self) -> Option<&'a str> {
        take_first(&mut self.words)
    }

    /// Takes the value of an option, the last one if it was typed twice.
    fn value(&mut self, name: &str) -> Option<&'a str> {
        let mut value = None;
        while let Some(at) = self.options.iter().position(|(option, _)| *option == name) {
            value = Some(self.options.remove(at).1);
        }
        value
    }

    /// Whether an option was typed; takes it.
    fn has(&mut self, name: &str) -> bool {
        self.value(name).is_some()
    }

    fn number(&mut self, name: &str) -> Result<Option<u32>, String> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match value.parse() {
            Ok(number) if number > 0 => Ok(Some(number)),
            Ok(_) | Err(_) => Err(format!("{name}: '{value}' is no number from 1 to {}", u32::MAX)),
        }
    }

    fn form(&mut self) -> Form {
        if self.has("--json") { Form::Json } else { Form::Text }
    }

    fn command(mut self) -> Result<Command, String> {
        let name = self.word().ok_or("which command?")?;
        let command = match name {
            "help" => Command::Help,
            "version" => Command::Version,
            "run" => Command::Run {
                stderr: if self.has("--stderr") { Stderr::Always } else { Stderr::IfTerminal },
            },
            "status" => Command::Status { form: self.form() },
            "import" => {
                let file = self.word().ok_or("import: which keepalived.conf?")?;
                Command::Import { file: file.into() }
            }
            "check" => Command::Check {
                scope: if self.has("--system") { Scope::System } else { Scope::File },
                file: self.word().map(PathBuf::from),
            },
            "switch" => Command::Switch { to: self.value("--to").map(String::from) },
            "maintenance" => match self.word() {
                Some("on") => Command::Maintenance { on: true },
                Some("off") => Command::Maintenance { on: false },
                Some(_) | None => return Err("maintenance: `on` or `off`?".into()),
            },
            "sync" => Command::Sync,
            "keygen" => Command::Keygen { file: self.word().unwrap_or(KEY).into() },
            "pair" => Command::Pair(self.pair()?),
            "history" => Command::History { form: self.form(), limit: self.number("--limit")? },
            "leases" => Command::Leases { form: self.form() },
            "reload" => Command::Reload,
            "release" => Command::Release,
            _ => return Err(format!("no such command: '{name}'")),
        };
        let left = self.word().or(self.options.first().map(|(option, _)| *option));
        left.map_or(Ok(command), |what| Err(format!("{name}: '{what}' means nothing here")))
    }

    /// Without words the line is shown, with the two of a line it is typed. The code may have blanks in it.
    fn pair(&mut self) -> Result<Request, String> {
        let force = self.has("--force");
        if let Some(address) = self.word() {
            let address = address.parse().map_err(|_| PAIR)?;
            let mut code = String::new();
            while let Some(part) = self.word() {
                code += part;
            }
            if code.is_empty() {
                return Err(PAIR.into());
            }
            return Ok(Request { join: Some((address, code)), force, ..Request::default() });
        }
        let listen = |text: &str| {
            text.parse().map_err(|_| format!("--listen: '{text}' is no IPv4 address, such as 192.168.1.2"))
        };
        Ok(Request {
            join: None,
            listen: self.value("--listen").map(listen).transpose()?,
            interface: self.value("--interface").map(String::from),
            vip: self
                .value("--vip")
                .map(|text| vip(text).ok_or_else(|| format!("--vip: '{text}' {VIP}")))
                .transpose()?,
            minutes: self.number("--minutes")?,
            force,
            stage: match (self.has("--background"), self.has("--show")) {
                (_, true) => Stage::Earlier,
                (true, false) => Stage::Background,
                (false, false) => Stage::Terminal,
            },
        })
    }
}

/// ADDRESS[/LENGTH]
fn vip(text: &str) -> Option<(Ipv4Addr, Option<u8>)> {
    let Some((address, length)) = text.split_once('/') else { return Some((text.parse().ok()?, None)) };
    let length = length.parse::<u32>().ok().filter(|it| (1..=32).contains(it))?;
    Some((address.parse().ok()?, u8::try_from(length).ok()))
}

const VIP: &str = "is neither an IPv4 address nor ADDRESS/LENGTH, such as 192.168.1.1/24";
const PAIR: &str = "pair: the line has the other router's IPv4 address and a code";

/// Where the configuration is unless `--config` says otherwise.
pub const CONFIG: &str = "/etc/config/gwha";

/// Where `keygen` writes, and where `config sync` looks unless its `key_file` says otherwise.
const KEY: &str = "/etc/gwha/key";

#[cfg(test)]
mod tests;

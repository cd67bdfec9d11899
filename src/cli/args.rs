//! From arguments to a command.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt as _};

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

/// What makes no sense.
#[derive(Debug)]
pub enum Error {
    /// No command.
    Missing,
    /// No such command.
    Unknown(String),
    /// A command without its argument.
    Incomplete(&'static str),
    /// An option that the command does not have.
    DoesNotTake(&'static str),
    /// Anything else.
    Syntax(lexopt::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Missing => f.write_str("a command is missing"),
            Error::Unknown(name) => write!(f, "no such command: {name}"),
            Error::Incomplete(what) => f.write_str(what),
            Error::DoesNotTake(option) => write!(f, "{option} means nothing to this command"),
            Error::Syntax(error) => error.fmt(f),
        }
    }
}

impl From<lexopt::Error> for Error {
    fn from(error: lexopt::Error) -> Error {
        Error::Syntax(error)
    }
}

/// Everything as it comes, before it is looked at together.
#[derive(Default)]
struct Raw {
    words: Vec<String>,
    config: Option<PathBuf>,
    run_dir: Option<PathBuf>,
    ubus: Option<PathBuf>,
    json: bool,
    stderr: bool,
    system: bool,
    to: Option<String>,
    limit: Option<u32>,
    pair: Request,
}

/// Understands the arguments. Options may stand anywhere.
///
/// # Errors
/// See [`Error`].
pub fn parse(mut parser: Parser) -> Result<Invocation, Error> {
    let mut raw = Raw::default();
    let mut early = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => early = Some(Command::Help),
            Arg::Long("version") | Arg::Short('V') => early = Some(Command::Version),
            Arg::Long("config") => raw.config = Some(parser.value()?.into()),
            Arg::Long("run-dir") => raw.run_dir = Some(parser.value()?.into()),
            Arg::Long("ubus") => raw.ubus = Some(parser.value()?.into()),
            Arg::Long("json") => raw.json = true,
            Arg::Long("stderr") => raw.stderr = true,
            Arg::Long("system") => raw.system = true,
            Arg::Long("to") => raw.to = Some(parser.value()?.string()?),
            Arg::Long("limit") => raw.limit = Some(parser.value()?.parse()?),
            Arg::Long("listen") => raw.pair.listen = Some(parser.value()?.parse()?),
            Arg::Long("interface") => raw.pair.interface = Some(parser.value()?.string()?),
            Arg::Long("vip") => raw.pair.vip = Some(vip(&parser.value()?.string()?)?),
            Arg::Long("minutes") => raw.pair.minutes = Some(parser.value()?.parse()?),
            Arg::Long("force") => raw.pair.force = true,
            Arg::Long("background") => raw.pair.stage = Stage::Background,
            Arg::Long("show") => raw.pair.stage = Stage::Earlier,
            Arg::Value(word) => raw.words.push(word.string()?),
            Arg::Short(_) | Arg::Long(_) => return Err(argument.unexpected().into()),
        }
    }
    let command = match early {
        Some(command) => command,
        None => raw.command()?,
    };
    let only_ubus = raw.ubus.is_some() && raw.run_dir.is_none();
    let ubus = match (raw.ubus, &raw.run_dir) {
        (Some(socket), _) => vec![socket],
        (None, None) => SOCKETS.map(PathBuf::from).into(),
        (None, Some(_)) => Vec::new(),
    };
    let config = raw.config.unwrap_or_else(|| CONFIG.into());
    let run_dir = raw.run_dir.unwrap_or_else(|| run_dir::DEFAULT.into());
    Ok(Invocation { command, config, run_dir, ubus, only_ubus })
}

impl Raw {
    fn command(&mut self) -> Result<Command, Error> {
        let mut words = core::mem::take(&mut self.words).into_iter();
        let form = if core::mem::take(&mut self.json) { Form::Json } else { Form::Text };
        let name = words.next().ok_or(Error::Missing)?;
        let command = match name.as_str() {
            "help" => Command::Help,
            "version" => Command::Version,
            "run" => Command::Run {
                stderr: if core::mem::take(&mut self.stderr) { Stderr::Always } else { Stderr::IfTerminal },
            },
            "status" => Command::Status { form },
            "import" => match words.next() {
                Some(file) => Command::Import { file: file.into() },
                None => return Err(Error::Incomplete("import: which keepalived.conf?")),
            },
            "check" => Command::Check {
                scope: if core::mem::take(&mut self.system) { Scope::System } else { Scope::File },
                file: words.next().map(PathBuf::from),
            },
            "switch" => Command::Switch { to: self.to.take() },
            "maintenance" => match words.next().as_deref() {
                Some("on") => Command::Maintenance { on: true },
                Some("off") => Command::Maintenance { on: false },
                Some(_) | None => return Err(Error::Incomplete("maintenance: on or off?")),
            },
            "sync" => Command::Sync,
            "keygen" => Command::Keygen { file: words.next().unwrap_or_else(|| KEY.into()).into() },
            "pair" => Command::Pair(self.pair(&mut words)?),
            "history" => Command::History { form, limit: self.limit.take() },
            "leases" => Command::Leases { form },
            "reload" => Command::Reload,
            "release" => Command::Release,
            _ => return Err(Error::Unknown(name)),
        };
        self.must_be_used_up(&command, form)?;
        match words.next() {
            Some(word) => Err(lexopt::Error::UnexpectedArgument(word.into()).into()),
            None => Ok(command),
        }
    }

    /// Without words the line is shown, with the two of a line it is typed. The code may have blanks in it.
    fn pair(&mut self, words: &mut dyn Iterator<Item = String>) -> Result<Request, Error> {
        let mut request = core::mem::take(&mut self.pair);
        if let Some(address) = words.next() {
            let address = address.parse().map_err(|_| Error::Incomplete(PAIR))?;
            let code = words.collect::<String>();
            if code.is_empty() {
                return Err(Error::Incomplete(PAIR));
            }
            if (Request { force: false, ..request }) != Request::default() {
                return Err(Error::Incomplete(
                    "pair: beside the other router's line, only --force has a meaning",
                ));
            }
            request = Request { join: Some((address, code)), force: request.force, ..Request::default() };
        }
        Ok(request)
    }

    /// A command takes all that it understands; what is left would be ignored, and not what was meant.
    fn must_be_used_up(&self, command: &Command, form: Form) -> Result<(), Error> {
        let shows =
            matches!(command, Command::Status { .. } | Command::History { .. } | Command::Leases { .. });
        let left = [
            (self.stderr, "--stderr"),
            (self.system, "--system"),
            (self.to.is_some(), "--to"),
            (self.limit.is_some(), "--limit"),
            (self.pair != Request::default(), "what `pair` takes"),
            (form == Form::Json && !shows, "--json"),
        ];
        match left.into_iter().find(|(is_left, _)| *is_left) {
            Some((_, option)) => Err(Error::DoesNotTake(option)),
            None => Ok(()),
        }
    }
}

/// ADDRESS[/LENGTH]
fn vip(text: &str) -> Result<(Ipv4Addr, Option<u8>), Error> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let length = length.map(str::parse).transpose().map_err(|_| Error::Incomplete(VIP))?;
    Ok((address.parse().map_err(|_| Error::Incomplete(VIP))?, length))
}

const VIP: &str = "--vip: an IPv4 address, or ADDRESS/LENGTH";
const PAIR: &str = "pair: the line has the other router's address and a code";

/// Where the configuration is unless `--config` says otherwise.
pub const CONFIG: &str = "/etc/config/gwha";

/// Where `keygen` writes, and where `config sync` looks unless its `key_file` says otherwise.
const KEY: &str = "/etc/gwha/key";

#[cfg(test)]
mod tests;

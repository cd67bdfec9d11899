//! Commands that ask a running daemon.

use core::time::Duration;
use std::path::PathBuf;

use crate::control::client::{self, Error};
use crate::status::{Checked, History, LeaseList, Outcome, Status};
use crate::ubus::{self, Data, Decode, Table, json};

use super::args::Form;
use super::exit_codes::{self, CRITICAL, DEGRADED, HEALTHY};
use super::{bus, complain, failed, print, show};

/// Where the daemon is asked.
#[derive(Debug)]
pub struct Place<'a> {
    /// The control socket. First, because it leads to the daemon and to nobody else: it is there when ubusd hangs.
    pub socket: Option<PathBuf>,
    /// Then the bus.
    pub ubus: &'a [PathBuf],
}

impl Place<'_> {
    fn call(&self, method: &str, arguments: &Data, patience: Duration) -> Result<Data, Error> {
        let over_ubus = || bus::call(self.ubus, method, arguments, patience);
        let Some(socket) = &self.socket else { return over_ubus() };
        match client::call(socket, method, arguments, patience) {
            // Nobody has seen the request, so it may be made once more.
            Err(error @ (Error::NotRunning | Error::NotAllowed)) if !self.ubus.is_empty() => {
                match over_ubus() {
                    // Then that is what is wrong; whether there is a bus is of no interest.
                    Err(Error::NotRunning | Error::NotAllowed) => Err(error),
                    other => other,
                }
            }
            other => other,
        }
    }
}

/// `gwha status`
pub fn status(place: &Place<'_>, form: Form) -> u8 {
    show_answer(place, ("status", &Table::default()), form, &|answer| {
        let status: Status = answer.decode()?;
        Ok((show::status(&status), exit_codes::of_health(status.health)))
    })
}

/// `gwha history`
pub fn history(place: &Place<'_>, form: Form, limit: Option<u32>) -> u8 {
    let arguments = Table::default().with("limit", limit.map_or(i64::from(HISTORY_LIMIT), i64::from));
    show_answer(place, ("history", &arguments), form, &|answer| {
        let history: History = answer.decode()?;
        Ok((show::history(&history), HEALTHY))
    })
}

/// `gwha leases`
pub fn leases(place: &Place<'_>, form: Form) -> u8 {
    show_answer(place, ("leases", &Table::default()), form, &|answer| {
        let list: LeaseList = answer.decode()?;
        Ok((show::leases(&list), HEALTHY))
    })
}

/// `gwha switch`
pub fn switch(place: &Place<'_>, to: Option<&str>) -> u8 {
    let arguments = match to {
        Some(to) => Table::default().with("to", to),
        None => Table::default(),
    };
    // The daemon waits for the other router for Master_Down + 1 s: with the longest interval two minutes.
    command(place, "switch", &arguments, SWITCH_PATIENCE)
}

/// `gwha maintenance`
pub fn maintenance(place: &Place<'_>, on: bool) -> u8 {
    command(place, "maintenance", &Table::default().with("on", on), SWITCH_PATIENCE)
}

/// `gwha sync`
pub fn sync(place: &Place<'_>) -> u8 {
    command(place, "sync", &Table::default(), PATIENCE)
}

/// `gwha reload`
pub fn reload(place: &Place<'_>) -> u8 {
    match ask(place, "reload", &Table::default(), PATIENCE).and_then(|data| decoded::<Checked>(&data)) {
        Ok(checked) => {
            print(&show::checked(&checked));
            exit_codes::of_check(&checked)
        }
        Err(error) => failed(&error),
    }
}

fn command(place: &Place<'_>, method: &str, arguments: &Table, patience: Duration) -> u8 {
    match ask(place, method, arguments, patience).and_then(|data| decoded::<Outcome>(&data)) {
        Ok(Outcome { done: true, took_ms, .. }) => {
            let took = took_ms.map(|took| format!(" in {} ms", took.whole())).unwrap_or_default();
            print(&format!("{method}: done{took}\n"))
        }
        Ok(Outcome { error, .. }) => {
            complain(&format!("{method}: {}", error.as_deref().unwrap_or("refused")));
            DEGRADED
        }
        Err(error) => failed(&error),
    }
}

/// An answer in words, and its exit code.
type Shown = Result<(String, u8), ubus::Error>;

/// Asks, shows the answer in the form that is wanted, and has an exit code made of it.
fn show_answer(
    place: &Place<'_>,
    (method, arguments): (&str, &Table),
    form: Form,
    show: &dyn Fn(&Data) -> Shown,
) -> u8 {
    let answer =
        ask(place, method, arguments, PATIENCE).and_then(|data| Ok((show(&data).map_err(unreadable)?, data)));
    let ((text, code), data) = match answer {
        Ok(answer) => answer,
        Err(error) => return failed(&error),
    };
    let text = match form {
        Form::Text => text,
        Form::Json => match data.to_json(json::Layout::Pretty) {
            Ok(text) => text + "\n",
            Err(error) => {
                complain(&error.to_string());
                return CRITICAL;
            }
        },
    };
    match print(&text) {
        HEALTHY => code,
        failure => failure,
    }
}

fn ask(place: &Place<'_>, method: &str, arguments: &Table, patience: Duration) -> Result<Data, Error> {
    let arguments = Data::encode(arguments).map_err(unreadable)?;
    place.call(method, &arguments, patience)
}

fn decoded<T: Decode + Default>(data: &Data) -> Result<T, Error> {
    data.decode().map_err(unreadable)
}

fn unreadable(error: ubus::Error) -> Error {
    Error::Failed(error.to_string())
}

/// A daemon that is alive answers within milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Three times the longest interval of 41 s, and some.
const SWITCH_PATIENCE: Duration = Duration::from_secs(150);

/// A screenful.
const HISTORY_LIMIT: u32 = 20;

//! Commands that ask a running daemon.

use core::time::Duration;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::control::client::{self, Error};
use crate::status::{Checked, History, LeaseList, Outcome, Status};
use crate::ubus::{Data, Table, json};

use super::args::Form;
use super::exit_codes::{self, CRITICAL, DEGRADED, HEALTHY};
use super::{complain, failed, print, show};

/// `gwha status`
pub fn status(socket: &Path, form: Form) -> u8 {
    show_answer(socket, ("status", &Table::default()), form, |status: &Status| {
        (show::status(status), exit_codes::of_health(status.health))
    })
}

/// `gwha history`
pub fn history(socket: &Path, form: Form, limit: Option<u32>) -> u8 {
    let arguments = Table::default().with("limit", limit.map_or(i64::from(HISTORY_LIMIT), i64::from));
    show_answer(socket, ("history", &arguments), form, |history: &History| (show::history(history), HEALTHY))
}

/// `gwha leases`
pub fn leases(socket: &Path, form: Form) -> u8 {
    show_answer(socket, ("leases", &Table::default()), form, |list: &LeaseList| (show::leases(list), HEALTHY))
}

/// `gwha switch`
pub fn switch(socket: &Path, to: Option<String>) -> u8 {
    let arguments = match to {
        Some(to) => Table::default().with("to", to),
        None => Table::default(),
    };
    // The daemon waits for the other router for Master_Down + 1 s: with the longest interval two minutes.
    command(socket, "switch", &arguments, SWITCH_PATIENCE)
}

/// `gwha maintenance`
pub fn maintenance(socket: &Path, on: bool) -> u8 {
    command(socket, "maintenance", &Table::default().with("on", on), SWITCH_PATIENCE)
}

/// `gwha sync`
pub fn sync(socket: &Path) -> u8 {
    command(socket, "sync", &Table::default(), PATIENCE)
}

/// `gwha reload`
pub fn reload(socket: &Path) -> u8 {
    match ask::<_, Checked>(socket, "reload", &Table::default(), PATIENCE) {
        Ok((_, checked)) => {
            print(&show::checked(&checked));
            exit_codes::of_check(&checked)
        }
        Err(error) => failed(&error),
    }
}

fn command(socket: &Path, method: &str, arguments: &Table, patience: Duration) -> u8 {
    match ask::<_, Outcome>(socket, method, arguments, patience) {
        Ok((_, Outcome { done: true, took_ms, .. })) => {
            let took = took_ms.map(|took| format!(" in {took:.0} ms")).unwrap_or_default();
            print(&format!("{method}: done{took}\n"))
        }
        Ok((_, Outcome { error, .. })) => {
            complain(&format!("{method}: {}", error.as_deref().unwrap_or("refused")));
            DEGRADED
        }
        Err(error) => failed(&error),
    }
}

/// Asks, shows the answer in the form that is wanted, and has an exit code made of it.
fn show_answer<T: DeserializeOwned>(
    socket: &Path,
    (method, arguments): (&str, &Table),
    form: Form,
    show: impl Fn(&T) -> (String, u8),
) -> u8 {
    let (data, answer) = match ask(socket, method, arguments, PATIENCE) {
        Ok(answer) => answer,
        Err(error) => return failed(&error),
    };
    let (text, code) = show(&answer);
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

fn ask<A: Serialize, T: DeserializeOwned>(
    socket: &Path,
    method: &str,
    arguments: &A,
    patience: Duration,
) -> Result<(Data, T), Error> {
    let arguments = Data::encode(arguments).map_err(|error| Error::Failed(error.to_string()))?;
    let data = client::call(socket, method, &arguments, patience)?;
    let answer = data.decode().map_err(|error| Error::Failed(error.to_string()))?;
    Ok((data, answer))
}

/// A daemon that is alive answers within milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// Three times the longest interval of 41 s, and some.
const SWITCH_PATIENCE: Duration = Duration::from_secs(150);

/// A screenful.
const HISTORY_LIMIT: u32 = 20;

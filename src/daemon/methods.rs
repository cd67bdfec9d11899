//! The methods that operators and programs call: over the control socket, and over ubus.

use core::time::Duration;
use std::net::IpAddr;

use crate::config::model::{Config, InstanceId};
use crate::control::server::ClientId;
use crate::control::{Answer, Failure};
use crate::engine::{Command, CommandId, Done, Event, Instant, Maintenance, Refusal, SwitchTo};
use crate::limits;
use crate::peer::PeerId;
use crate::record::record;
use crate::status::{self, Outcome};
use crate::ubus::blobmsg::Type;
use crate::ubus::{Argument, Data, Decimal, Decode, Encode, Method, Need, Object, session};

use super::config_file;
use super::leases::After;
use super::report::host_name;
use super::run::Daemon;

/// Where an answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A client of the control socket.
    Control(ClientId),
    /// A caller on the bus.
    Bus(session::CallId),
    /// Another router, and the number of its request.
    Peer(PeerId, u32),
}

/// When a method answers.
#[derive(Debug)]
pub enum Reply {
    /// At once.
    Now(Answer),
    /// When the engine has carried it out, or given up.
    Later,
}

/// Callers that wait for the engine.
#[derive(Debug, Default)]
pub struct Waiting {
    callers: Vec<(CommandId, Caller)>,
    last: u32,
}

impl Waiting {
    /// Somebody waits for the engine's answer to a command.
    ///
    /// # Errors
    /// If too many do.
    pub fn enter(&mut self, caller: Caller) -> Result<CommandId, Failure> {
        if self.callers.len() >= limits::PENDING_COMMANDS {
            return Err(Failure::Busy);
        }
        self.last = self.last.wrapping_add(1);
        let id = CommandId(self.last);
        self.callers.push((id, caller));
        Ok(id)
    }

    /// Who waits for the answer to a command. Each is asked for once.
    pub fn leave(&mut self, id: CommandId) -> Option<Caller> {
        let position = self.callers.iter().position(|(waiting, _)| *waiting == id)?;
        Some(self.callers.swap_remove(position).1)
    }
}

/// What the bus knows of the methods. It checks the arguments of a call before it comes here.
pub fn object() -> Object {
    Object { path: "gwha".into(), methods: METHODS }
}

const METHODS: &[Method] = &[
    Method { name: "status", arguments: &[] },
    Method { name: "history", arguments: &[argument("limit", Type::Int32, Need::Optional)] },
    Method { name: "leases", arguments: &[] },
    Method { name: "switch", arguments: &[argument("to", Type::String, Need::Optional)] },
    Method { name: "maintenance", arguments: &[argument("on", Type::Bool, Need::Required)] },
    Method { name: "sync", arguments: &[] },
    Method { name: "reload", arguments: &[] },
    Method { name: "check", arguments: &[] },
];

const fn argument(name: &'static str, kind: Type, need: Need) -> Argument {
    Argument { name, kind, need }
}

#[derive(Default)]
struct SwitchArguments {
    to: Option<String>,
}

#[derive(Default)]
struct MaintenanceArguments {
    on: Option<bool>,
}

#[derive(Default)]
struct HistoryArguments {
    limit: Option<u32>,
}

record! {
    SwitchArguments: to;
    MaintenanceArguments: on;
    HistoryArguments: limit;
}

impl Daemon {
    /// Calls a method.
    pub fn call(&mut self, caller: Caller, method: &str, arguments: &Data, now: Instant) -> Reply {
        Reply::Now(match method {
            "status" => encode(&self.status(now)),
            "history" => self.history(arguments, now),
            "leases" => encode(&self.leases.list(now)),
            "sync" => match self.sync(caller, now) {
                Ok(()) => return Reply::Later,
                Err(answer) => answer,
            },
            "check" => encode(&config_file::check(self.config_path()).0),
            "reload" => return self.reload_asked(Some(caller), now),
            "switch" => match self.switch(caller, arguments, now) {
                Ok(()) => return Reply::Later,
                Err(answer) => answer,
            },
            "maintenance" => match self.maintain(caller, arguments, now) {
                Ok(()) => return Reply::Later,
                Err(failure) => Err(failure),
            },
            _ => Err(Failure::UnknownMethod),
        })
    }

    fn history(&self, arguments: &Data, now: Instant) -> Answer {
        let HistoryArguments { limit } = decode(arguments)?;
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(HISTORY_DEFAULT);
        encode(&status::History { events: self.happened(limit, now) })
    }

    /// Begins a switch; `Err` is the answer if that is not possible.
    fn switch(&mut self, caller: Caller, arguments: &Data, now: Instant) -> Result<(), Answer> {
        let SwitchArguments { to } = decode(arguments).map_err(Err)?;
        if self.config.groups.is_empty() {
            return Err(refused_answer("no virtual router is configured and enabled"));
        }
        let to = match to.as_deref() {
            None | Some("") => SwitchTo::Other,
            Some(name) => match self.router_named(name, now) {
                Some(address) => SwitchTo::Router(address),
                None => {
                    let source = |id| self.engine.source(id);
                    target(name, &self.config, &source).map_err(|why| refused_answer(&why))?
                }
            },
        };
        let id = self.waiting().enter(caller).map_err(Err)?;
        self.begin_switch(id, to, now);
        Ok(())
    }

    /// Brings over now what is not yet; `Err` is the answer if there is nobody to bring it to.
    fn sync(&mut self, caller: Caller, now: Instant) -> Result<(), Answer> {
        if self.leases.path().is_none() && !self.files.is_on() {
            return Err(refused_answer(NO_SYNC));
        }
        if self.peering.mesh.connected().next().is_none() {
            return Err(refused_answer("the other router is not connected"));
        }
        let id = self.waiting().enter(caller).map_err(Err)?;
        self.flush_leases(After::Told(id, now), SYNC_PATIENCE, now);
        Ok(())
    }

    fn maintain(&mut self, caller: Caller, arguments: &Data, now: Instant) -> Result<(), Failure> {
        let MaintenanceArguments { on } = decode(arguments)?;
        let on = on.ok_or_else(|| Failure::InvalidArgument("`on` is missing".into()))?;
        let wanted = if on { Maintenance::On } else { Maintenance::Off };
        self.command(caller, Command::Maintenance(wanted), now)
    }

    fn command(&mut self, caller: Caller, command: Command, now: Instant) -> Result<(), Failure> {
        let id = self.waiting().enter(caller)?;
        self.step(now, Event::Command { id, command });
        Ok(())
    }
}

/// The engine's reply as an answer.
pub fn outcome(result: &Result<Done, Refusal>) -> Answer {
    match result {
        Ok(it) => done(it.took),
        Err(refusal) => refused_answer(&refusal.to_string()),
    }
}

/// The answer to a command that another router carried out.
pub fn done(took: Duration) -> Answer {
    encode(&Outcome { done: true, error: None, took_ms: Some(Decimal::milliseconds(took)) })
}

/// The answer to a command that was not carried out.
pub fn refused_answer(why: &str) -> Answer {
    encode(&Outcome { done: false, error: Some(why.into()), took_ms: None })
}

/// Which router is meant by `--to`. `source` gives this node's own address on an instance.
fn target(
    name: &str,
    config: &Config,
    source: &dyn Fn(InstanceId) -> Option<IpAddr>,
) -> Result<SwitchTo, Box<str>> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SwitchTo::Router(address));
    }
    if name == "self" || name == host_name() {
        return Ok(SwitchTo::This);
    }
    if name != "peer" {
        let text = format!("no router is known by the name '{name}': use its address, 'peer' or 'self'");
        return Err(text.into());
    }
    for (id, instance) in (0..).map(InstanceId).zip(&config.instances) {
        let Some(own) = source(id) else { continue };
        let mut others = instance.others(own);
        return match (others.next(), others.next()) {
            (Some(peer), None) => Ok(SwitchTo::Router(peer)),
            (Some(_), Some(_)) => Err("there are several peers: use an address".into()),
            (None, _) => Err("no peer is configured".into()),
        };
    }
    Err("this router has its address on none of its networks yet".into())
}

/// A value as an answer.
pub fn encode(value: &dyn Encode) -> Answer {
    Data::encode(value).map_err(|_| Failure::TooLong)
}

fn decode<T: Decode + Default>(arguments: &Data) -> Result<T, Failure> {
    arguments.decode().map_err(|error| Failure::InvalidArgument(error.to_string()))
}

const NO_SYNC: &str = "sync is not configured";

/// How long `sync` waits for the other router.
const SYNC_PATIENCE: Duration = Duration::from_secs(5);

/// What `history` tells if it is not asked for a number.
const HISTORY_DEFAULT: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn config(routers: &[&str]) -> Config {
        let mut text = String::from("config gwha 'main'\n option enabled '1'\nconfig instance 'lan'\n");
        text += " option device 'lan'\n option vrid '1'\n list vip '192.0.2.9'\n";
        for router in routers {
            text += &format!(" list router '{router}'\n");
        }
        crate::config::load("test", text.as_bytes()).map_err(|rejected| rejected.to_string()).unwrap().config
    }

    fn own(_: InstanceId) -> Option<IpAddr> {
        Some([192, 0, 2, 1].into())
    }

    #[test]
    fn router_is_named_by_address_by_host_name_or_by_its_part() {
        let pair = config(&["192.0.2.1", "192.0.2.2"]);
        let expected = [
            ("192.0.2.2", SwitchTo::Router([192, 0, 2, 2].into())),
            ("self", SwitchTo::This),
            (&host_name(), SwitchTo::This),
            // Not `Other`: on a standby that would be this very node.
            ("peer", SwitchTo::Router([192, 0, 2, 2].into())),
        ];
        for (name, to) in expected {
            assert_eq!(target(name, &pair, &own), Ok(to), "{name}");
        }
    }

    #[test]
    fn name_that_may_mean_several_routers_or_none_is_refused() {
        let three = config(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]);

        assert!(target("peer", &three, &own).unwrap_err().contains("several peers"));
        assert!(target("peer", &three, &|_| None).is_err());
        assert!(target("no-such-router", &three, &own).unwrap_err().contains("no-such-router"));
    }
}

//! Operators' commands: which groups they concern, and the one answer from all of them.

use core::time::Duration;
use std::net::IpAddr;

use crate::collect::IntoVec as _;
use crate::config::model::{GroupId, Instance, Routers};

use super::action::{Action, Done, Refusal};
use super::event::{Command, CommandId, SwitchTo};
use super::group::{Giving, Group};
use super::time::Instant;
use super::{Engine, Results, ids};

/// A command that waits for its groups.
#[derive(Debug)]
pub(super) struct Pending {
    pub id: CommandId,
    began: Instant,
    waiting: usize,
    refusal: Option<Refusal>,
}

impl Engine {
    pub(super) fn command(&mut self, now: Instant, id: CommandId, command: Command, out: &mut Vec<Action>) {
        if self.stopping {
            return out.push(Action::Reply { id, result: Err(Refusal::Stopping) });
        }
        match command {
            Command::Switch(to) => self.switch(now, id, to, out),
            Command::Maintenance(maintenance) => {
                self.maintenance = maintenance;
                out.push(Action::KeepMaintenance(maintenance));
                self.with_all(now, out, &mut Group::refresh);
                out.push(Action::Reply { id, result: Ok(Done { took: Duration::ZERO }) });
            }
            Command::Recheck => {
                self.with_all(now, out, &mut Group::recheck);
                out.push(Action::Reply { id, result: Ok(Done { took: Duration::ZERO }) });
            }
        }
    }

    fn switch(&mut self, now: Instant, id: CommandId, to: SwitchTo, out: &mut Vec<Action>) {
        let giving = match self.direction(to) {
            Ok(giving) => giving,
            Err(refusal) => return out.push(Action::Reply { id, result: Err(refusal) }),
        };
        let concerned = |group: &Group| group.is_serving() == (giving == Giving::Away);
        let groups: Vec<u16> =
            ids(self.groups.len()).filter(|at| concerned(&self.groups[usize::from(*at)])).into_vec();
        if groups.is_empty() {
            return out.push(Action::Reply { id, result: Err(Refusal::AlreadyMaster) });
        }
        self.commands.push(Pending { id, began: now, waiting: groups.len(), refusal: None });
        for at in groups {
            self.with(now, GroupId(at), out, &mut |group, cx| group.switch(cx, id, giving));
        }
    }

    /// Which way a switch goes for this node. Where the roles are mixed, "other" means away.
    fn direction(&self, to: SwitchTo) -> Result<Giving, Refusal> {
        let serving = self.groups.iter().any(Group::is_serving);
        match to {
            SwitchTo::Other if serving => Ok(Giving::Away),
            SwitchTo::Other | SwitchTo::This => Ok(Giving::Take),
            SwitchTo::Router(address) if self.is_own(address) => Ok(Giving::Take),
            SwitchTo::Router(address) => {
                let has = |instance: &Instance| {
                    let (Routers::Listed(all) | Routers::Peers { peers: all, .. }) = &instance.routers;
                    all.contains(&address).then_some(all.len())
                };
                match self.config.instances.iter().find_map(has) {
                    None => Err(Refusal::UnknownRouter),
                    Some(_) if !serving => Err(Refusal::AlreadyMaster),
                    Some(count) if count > 2 => Err(Refusal::NeedsChannel),
                    Some(_) => Ok(Giving::Away),
                }
            }
        }
    }

    fn is_own(&self, address: IpAddr) -> bool {
        self.groups.iter().flat_map(|group| &group.members).any(|member| member.source == Some(address))
    }

    /// Answers commands whose groups have all come to an end.
    pub(super) fn book(&mut self, now: Instant, results: Results, out: &mut Vec<Action>) {
        for (id, result) in results {
            let Some(at) = self.commands.iter().position(|pending| pending.id == id) else { continue };
            let pending = &mut self.commands[at];
            pending.waiting = pending.waiting.saturating_sub(1);
            if let Err(refusal) = result {
                pending.refusal.get_or_insert(refusal);
            }
            if pending.waiting == 0 {
                let pending = self.commands.swap_remove(at);
                let done = Done { took: now.since(pending.began) };
                out.push(Action::Reply { id, result: pending.refusal.map_or(Ok(done), Err) });
            }
        }
    }
}

//! The programs, started alike.

use std::time::Duration;

use crate::lab::gwha::{self, Gwha};
use crate::lab::process::Daemon;
use crate::lab::setup::Setup;
use crate::lab::topology::Host;
use crate::lab::{Lab, keepalived};

use super::bare;
use super::many::{self, Many};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Keepalived,
    Gwha,
    /// The same packets without a program around them.
    Bare,
}

impl Program {
    pub const ALL: [Program; 3] = [Program::Keepalived, Program::Gwha, Program::Bare];

    pub fn name(self) -> &'static str {
        match self {
            Program::Keepalived => "keepalived",
            Program::Gwha => "gwha",
            Program::Bare => "bare",
        }
    }

    pub fn from_name(name: &str) -> Option<Program> {
        Program::ALL.into_iter().find(|program| program.name() == name)
    }

    /// Starts it on `host`.
    pub fn start(self, lab: &Lab, host: Host, plan: &Plan) -> Router {
        match self {
            Program::Keepalived => {
                Router::Other(keepalived::start_with(lab, host, &for_keepalived(plan, host)))
            }
            Program::Gwha => Router::Gwha(Gwha::start_with(lab, host, &for_gwha(plan, host))),
            Program::Bare => Router::Other(bare::start(lab, host, plan.interval())),
        }
    }
}

fn for_keepalived(plan: &Plan, host: Host) -> String {
    match plan {
        Plan::Reference(setup, scheduling) => {
            keepalived::configuration(setup, host).replacen("global_defs {\n", scheduling.keepalived(), 1)
        }
        Plan::Many(many) => many::keepalived(many, host),
    }
}

fn for_gwha(plan: &Plan, host: Host) -> String {
    match plan {
        Plan::Reference(setup, scheduling) => gwha::configuration(setup, host)
            .replacen("'debug'", "'info'", 1)
            .replacen("\n\n", scheduling.gwha(), 1),
        Plan::Many(many) => many::gwha(many),
    }
}

/// What the routers are to do.
pub enum Plan {
    /// The reference network, its three instances in one group.
    Reference(Setup, Scheduling),
    /// Many instances on the LAN, each on its own.
    Many(Many),
}

impl Plan {
    fn interval(&self) -> Duration {
        Duration::from_millis(match self {
            Plan::Reference(setup, _) => u64::from(setup.interval_ms),
            Plan::Many(many) => u64::from(many.interval_ms),
        })
    }
}

/// Whether the daemon goes before ordinary programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    Ordinary,
    RealTime,
}

impl Scheduling {
    /// What begins keepalived's file.
    fn keepalived(self) -> &'static str {
        match self {
            Scheduling::Ordinary => "global_defs {\n",
            Scheduling::RealTime => "global_defs {\n  vrrp_rt_priority 50\n  vrrp_no_swap\n",
        }
    }

    /// What ends gwha's first section.
    fn gwha(self) -> &'static str {
        match self {
            Scheduling::Ordinary => "\n\n",
            Scheduling::RealTime => "\n\toption realtime '1'\n\n",
        }
    }
}

/// A running daemon.
pub enum Router {
    Gwha(Gwha),
    Other(Daemon),
}

impl Router {
    pub fn daemon(&mut self) -> &mut Daemon {
        match self {
            Router::Gwha(gwha) => &mut gwha.daemon,
            Router::Other(daemon) => daemon,
        }
    }
}

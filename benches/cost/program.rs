//! The two programs, started alike.

use crate::lab::gwha::{self, Gwha};
use crate::lab::process::Daemon;
use crate::lab::setup::Setup;
use crate::lab::topology::Host;
use crate::lab::{Lab, keepalived};

use super::many::{self, Many};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Keepalived,
    Gwha,
}

impl Program {
    pub const ALL: [Program; 2] = [Program::Keepalived, Program::Gwha];

    pub fn name(self) -> &'static str {
        match self {
            Program::Keepalived => "keepalived",
            Program::Gwha => "gwha",
        }
    }

    pub fn from_name(name: &str) -> Option<Program> {
        Program::ALL.into_iter().find(|program| program.name() == name)
    }

    /// Its configuration file.
    pub fn configuration(self, plan: &Plan, host: Host) -> String {
        match (self, plan) {
            (Program::Keepalived, Plan::Reference(setup, scheduling)) => {
                keepalived::configuration(setup, host).replacen("global_defs {\n", scheduling.keepalived(), 1)
            }
            (Program::Gwha, Plan::Reference(setup, scheduling)) => gwha::configuration(setup, host)
                .replacen("'debug'", "'info'", 1)
                .replacen("\n\n", scheduling.gwha(), 1),
            (Program::Keepalived, Plan::Many(many)) => many::keepalived(many, host),
            (Program::Gwha, Plan::Many(many)) => many::gwha(many),
        }
    }

    /// Starts it on `host`.
    pub fn start(self, lab: &Lab, host: Host, plan: &Plan) -> Router {
        let configuration = self.configuration(plan, host);
        match self {
            Program::Keepalived => Router::Keepalived(keepalived::start_with(lab, host, &configuration)),
            Program::Gwha => Router::Gwha(Gwha::start_with(lab, host, &configuration)),
        }
    }
}

/// What the routers are to do.
pub enum Plan {
    /// The reference network, its three instances in one group.
    Reference(Setup, Scheduling),
    /// Many instances on the LAN, each on its own.
    Many(Many),
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
    Keepalived(Daemon),
}

impl Router {
    pub fn daemon(&mut self) -> &mut Daemon {
        match self {
            Router::Gwha(gwha) => &mut gwha.daemon,
            Router::Keepalived(daemon) => daemon,
        }
    }
}

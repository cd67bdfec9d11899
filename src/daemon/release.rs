//! The end of gwha on this machine: what a daemon has left behind is put away.

use std::path::Path;

use crate::config::model::Config;
use crate::engine::{Addresses, Epoch};

use super::clock;
use super::duties;
use super::poller::Poller;
use super::run::Error;
use super::run_dir::RunDir;
use super::system::System;

/// Takes off every address that a daemon with this run-time directory has installed and not removed itself, and gives back
/// what follows from a role, as the file `config` names it: DHCP answers, the guard is lifted, interfaces and
/// services are as they would be without gwha.
///
/// A stopped daemon leaves a standby, a killed one whatever it held. Whoever disables or removes the program wants
/// neither.
///
/// # Errors
/// While a daemon runs: it would only put back what is taken. Otherwise as [`super::run`].
pub fn release(run_dir: &Path, config: &Path) -> Result<(), Error> {
    let run_dir = RunDir::open(run_dir)?;
    let mut poller = Poller::new().map_err(|errno| Error::refused("epoll", errno))?;
    let now = clock::now();
    let mut system = System::open(&run_dir, now, &mut poller)?;
    system.configure(&Config::idle(), &|_| (Addresses::Absent, Epoch(0)));
    system.settle(now);
    duties::give_back(config, &run_dir, &system, &mut poller)
        .map_err(|error| Error::new("not everything is given back", &error))
}

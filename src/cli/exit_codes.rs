//! What the exit codes mean. They are documented in the help and the README, and never change.

use crate::status::{Checked, Health};

/// All is well; the command was carried out.
pub const HEALTHY: u8 = 0;
/// There are warnings; the command was refused, and nothing has changed.
pub const DEGRADED: u8 = 1;
/// No master, or two, or a faulted one; the file can't be used; the command failed.
pub const CRITICAL: u8 = 2;
/// No daemon runs.
pub const NOT_RUNNING: u8 = 3;
/// The command line makes no sense (`EX_USAGE` of sysexits.h).
pub const USAGE: u8 = 64;

/// For `status`.
pub const fn of_health(health: Health) -> u8 {
    match health {
        Health::Healthy => HEALTHY,
        Health::Degraded => DEGRADED,
        Health::Critical => CRITICAL,
    }
}

/// For `check` and `reload`.
pub fn of_check(checked: &Checked) -> u8 {
    match (checked.valid, checked.warnings.is_empty()) {
        (true, true) => HEALTHY,
        (true, false) => DEGRADED,
        (false, _) => CRITICAL,
    }
}

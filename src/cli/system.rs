//! `gwha check --system`: what on this router would spoil a takeover.

use std::path::Path;

use crate::config::model::Config;
use crate::config::{Hazard, SystemFiles, hazards};
use crate::daemon::read_bounded;
use crate::disk;
use crate::uci::{self, Tree};

use super::exit_codes::{DEGRADED, HEALTHY};
use super::print;

/// Prints what is found, beside the configuration `file`, and returns the exit code.
pub fn check(file: &Path, config: &Config) -> u8 {
    let files = SystemFiles {
        network: tree(file, "network"),
        dhcp: tree(file, "dhcp"),
        firewall: tree(file, "firewall"),
    };
    let mut all = if is_empty(&files) { Vec::new() } else { hazards(config, &files) };
    all.extend(missing(config));
    let mut text = String::new();
    for Hazard { text: what, remedy } in &all {
        text += &format!("system: {what}\n");
        if !remedy.is_empty() {
            text += &format!("    {remedy}\n");
        }
    }
    if all.iter().any(|hazard| !hazard.remedy.is_empty()) {
        text += "    uci commit\n";
    } else if all.is_empty() {
        text += "system: nothing would spoil a takeover\n";
    }
    print(&text).max(if all.is_empty() { HEALTHY } else { DEGRADED })
}

/// A file of OpenWrt; of a broken or missing one, what there is.
fn tree(beside: &Path, name: &str) -> Tree {
    let bytes = read_bounded(&disk::sibling(beside, name)).unwrap_or_default();
    uci::parse(&bytes).unwrap_or_else(|broken| broken.tree)
}

/// Whether this is no OpenWrt.
fn is_empty(files: &SystemFiles) -> bool {
    files.network.sections.is_empty() && files.dhcp.sections.is_empty()
}

/// Programs and services that are used and not there, or started by somebody else too.
fn missing(config: &Config) -> Vec<Hazard> {
    let actions = || config.groups.iter().map(|group| &group.actions);
    let mut found = Vec::new();
    let mut program = |is_used: bool, name: &str, package: &str| {
        let is_there =
            ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].iter().any(|dir| Path::new(dir).join(name).exists());
        if is_used && !is_there {
            let text = format!("{name} is not installed: package {package}");
            found.push(Hazard { text, remedy: String::new() });
        }
    };
    let uses_filter = actions().any(|it| it.dhcp_on_master || it.conntrack || it.snat);
    program(uses_filter, "nft", "nftables");
    program(actions().any(|it| it.conntrack), "conntrackd", "conntrackd");
    if config.tools.service_command.is_some() {
        return found;
    }
    for name in actions().flat_map(|it| it.run_on_master.iter().chain(&it.reload_on_master)) {
        if !Path::new("/etc/init.d").join(name).exists() {
            found.push(Hazard {
                text: format!("there is no service /etc/init.d/{name}"),
                remedy: String::new(),
            });
        }
    }
    let links = disk::names(Path::new("/etc/rc.d")).unwrap_or_default();
    for name in actions().flat_map(|it| &it.run_on_master) {
        if links.iter().any(|link| link.starts_with('S') && link.get(3..) == Some(name.as_str())) {
            found.push(Hazard {
                text: format!("service {name} is started at boot, also on a standby"),
                remedy: format!("/etc/init.d/{name} disable"),
            });
        }
    }
    found
}

//! The programs the lab needs from the system, and how to get those that are missing.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// Each program with the Debian package that has it.
const PACKAGES: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("keepalived", "keepalived"),
    ("dnsmasq", "dnsmasq-base"),
    ("busybox", "busybox"),
    ("unshare", "util-linux"),
    ("mount", "mount"),
    ("hostname", "hostname"),
    ("strace", "strace"),
];

/// Fails with the command that installs what is missing.
pub fn require(programs: &[&str]) {
    let missing: Vec<&str> = programs.iter().copied().filter(|name| find(name).is_none()).collect();
    if missing.is_empty() {
        return;
    }
    let packages: Vec<&str> = PACKAGES
        .iter()
        .filter(|(program, _)| missing.contains(program))
        .map(|(_, package)| *package)
        .collect();
    panic!("{} not found. Install with:  apt-get install {}", missing.join(", "), packages.join(" "));
}

/// The full path of a program, also when an ordinary user's PATH leaves out the system directories.
pub fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&path()).map(|dir| dir.join(program)).find(|candidate| candidate.is_file())
}

/// PATH with the system directories.
pub fn path() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin:/usr/bin:/bin");
    path
}

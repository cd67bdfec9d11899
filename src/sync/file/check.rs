//! What must be true of a content before it is put in place.

use crate::config;
use crate::uci::{self, Tree, Value};

use super::keep::is_kept;
use super::rules::Rules;

/// Whether a content may be put in place.
///
/// `is_same_program`: whether it comes from a router with the same version of this program, which means the same
/// options.
///
/// # Errors
/// Why not, in a sentence.
pub fn check(rules: &Rules, path: &str, content: &[u8], is_same_program: bool) -> Result<(), String> {
    if path == rules.own {
        if !is_same_program {
            return Err(
                "the routers run different versions of gwha: its configuration waits until both are the same"
                    .to_owned(),
            );
        }
        return check_own(rules, path, content);
    }
    if !rules.is_uci(path) {
        return Ok(());
    }
    uci::parse(content).map(|_| ()).map_err(|broken| match broken.errors.first() {
        Some(error) => format!("not put in place: {error}"),
        None => String::new(),
    })
}

/// Our own configuration has to be in order, and the same on both routers.
fn check_own(rules: &Rules, path: &str, content: &[u8]) -> Result<(), String> {
    if let Err(rejected) = config::load(path, content) {
        let first = rejected.errors.first().map(ToString::to_string).unwrap_or_default();
        return Err(format!("rejected: {first}"));
    }
    let tree = uci::parse(content).unwrap_or_else(|broken| broken.tree);
    match of_one_router(rules, &tree) {
        Some(option) => Err(format!(
            "'{option}' is for one router: use 'list router' and 'list priority', or 'list keep', or don't list this file"
        )),
        None => Ok(()),
    }
}

/// An option that can't be the same on both routers, and is not kept.
fn of_one_router(rules: &Rules, tree: &Tree) -> Option<String> {
    for section in &tree.sections {
        for entry in &section.options {
            let is_own = match (section.kind.as_str(), entry.name.as_str()) {
                ("instance", "source" | "peer") => true,
                ("instance" | "group", "priority") => matches!(entry.value, Value::Single(_)),
                _ => false,
            };
            if is_own && !is_kept(rules, &rules.own, tree, section, &entry.name) {
                let name = section.name.as_deref().unwrap_or(section.kind.as_str());
                return Some(format!("{name}: option {}", entry.name));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "config instance 'lan'\n\toption interface 'lan'\n\toption vrid '51'\n\
        \tlist router '192.168.1.2'\n\tlist router '192.168.1.3'\n\tlist vip '192.168.1.1/24'\n";

    fn rules(keep: &[&str]) -> Rules {
        Rules {
            roots: vec!["/etc/config".into()],
            keep: keep.iter().map(|it| (*it).to_owned()).collect(),
            uci: "/etc/config".into(),
            own: "/etc/config/gwha".into(),
            ..Rules::default()
        }
    }

    fn own(keep: &[&str], text: &str) -> Result<(), String> {
        check(&rules(keep), "/etc/config/gwha", text.as_bytes(), true)
    }

    #[test]
    fn broken_uci_file_is_refused_with_its_place_and_other_files_are_not_looked_into() {
        let broken = b"config dnsmasq\n\toption x 'unterminated\n";
        let why = check(&rules(&[]), "/etc/config/dhcp", broken, true).unwrap_err();
        assert!(why.contains("2:11"), "{why}");
        assert_eq!(check(&rules(&[]), "/etc/config/sub/dhcp", broken, true), Ok(()));
        assert_eq!(check(&rules(&[]), "/etc/config/dhcp", b"config dnsmasq\n", false), Ok(()));
    }

    #[test]
    fn own_configuration_has_to_pass_the_check() {
        assert_eq!(own(&[], GOOD), Ok(()));
        let why = own(&[], &GOOD.replace("'51'", "'512'")).unwrap_err();
        assert!(why.contains("vrid"), "{why}");
    }

    #[test]
    fn own_configuration_with_options_of_one_router_is_refused_unless_they_are_kept() {
        let priority = GOOD.to_owned() + "\toption priority '100'\n";
        let why = own(&[], &priority).unwrap_err();
        assert!(why.contains("lan: option priority"), "{why}");
        assert_eq!(own(&["gwha.lan.priority"], &priority), Ok(()));
        assert_eq!(own(&[], &(GOOD.to_owned() + "\tlist priority '100'\n\tlist priority '90'\n")), Ok(()));
        let peers = GOOD.replace("\tlist router '192.168.1.2'", "\toption source '192.168.1.2'");
        let peers = peers.replace("list router", "list peer") + "\toption priority '100'\n";
        let why = own(&["gwha.lan.priority"], &peers).unwrap_err();
        assert!(why.contains("lan: option source"), "{why}");
    }

    #[test]
    fn own_configuration_of_another_version_waits() {
        assert!(check(&rules(&[]), "/etc/config/gwha", GOOD.as_bytes(), false).is_err());
    }
}

//! Which paths may follow.

use crate::limits;

/// The paths that follow, on one router. Both routers keep to their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// The files and directories of `list file`.
    pub roots: Vec<String>,
    /// What never follows, with all that is below it, whatever is listed: the key, the maintenance flag, our own records.
    pub never: Vec<String>,
    /// The options of `list keep`.
    pub keep: Vec<String>,
    /// The directory of UCI files.
    pub uci: String,
    /// Our own configuration.
    pub own: String,
}

/// A file that is being written. It stands beside the file that it will be, and does not follow.
pub const FRESH: &str = ".gwha-new";

/// What holds files of the kernel's.
const SYSTEM: [&str; 3] = ["/proc", "/sys", "/dev"];

impl Rules {
    /// The listed file or directory that a path belongs to.
    pub fn root_of(&self, path: &str) -> Option<&str> {
        self.roots.iter().map(String::as_str).find(|root| is_within(path, root))
    }

    /// Whether something at this path may follow. The path may come from anybody.
    pub fn admit(&self, path: &str) -> bool {
        let Some(root) = self.root_of(path) else { return false };
        let below = path.get(root.len()..).unwrap_or_default();
        is_plain(path)
            && below.split('/').count() <= limits::FILE_DEPTH
            && !self.never.iter().map(String::as_str).chain(SYSTEM).any(|it| is_within(path, it))
            && !path.rsplit('/').next().is_some_and(is_fresh)
    }

    /// Whether a file is read by UCI.
    pub fn is_uci(&self, path: &str) -> bool {
        self.package(path).is_some()
    }

    /// The package that a UCI file is.
    pub fn package<'a>(&self, path: &'a str) -> Option<&'a str> {
        let name = path.strip_prefix(self.uci.as_str())?.strip_prefix('/')?;
        (!name.contains('/')).then_some(name)
    }
}

/// Whether a path is `place` or something below it.
pub fn is_within(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a name is that of a file that is being written.
pub fn is_fresh(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(FRESH)
}

/// Absolute, in one line, short enough, and without `.`, `..` and empty names: no two such paths are the same file.
fn is_plain(path: &str) -> bool {
    let Some(relative) = path.strip_prefix('/') else { return false };
    path.len() <= limits::FILE_PATH_BYTES
        && !path.chars().any(char::is_control)
        && relative.split('/').all(|name| !matches!(name, "" | "." | "..") && name.len() <= NAME_BYTES)
}

/// The longest name, with room for what a file is called that is being written.
const NAME_BYTES: usize = 255 - 1 - FRESH.len();

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let words = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect();
        Rules {
            roots: words(&["/etc/config/dhcp", "/etc/wireguard", "/etc/gwha", "/etc/app"]),
            never: words(&["/etc/gwha", "/etc/app/key"]),
            keep: Vec::new(),
            uci: "/etc/config".into(),
            own: "/etc/config/gwha".into(),
        }
    }

    #[test]
    fn listed_files_and_what_is_below_listed_directories_is_admitted() {
        for path in ["/etc/config/dhcp", "/etc/wireguard", "/etc/wireguard/wg0.conf", "/etc/app/a/b/c"] {
            assert!(rules().admit(path), "{path}");
        }
    }

    #[test]
    fn nothing_else_is_admitted_however_it_is_written() {
        let deep = format!("/etc/app{}", "/x".repeat(limits::FILE_DEPTH));
        let long = format!("/etc/app/{}", "x".repeat(limits::FILE_PATH_BYTES));
        let name = format!("/etc/app/{}", "x".repeat(250));
        let paths = [
            "",
            "/",
            "etc/config/dhcp",
            "/etc/config/dhcp2",
            "/etc/config/dhc",
            "/etc/config/firewall",
            "/etc/config/dhcp/../firewall",
            "/etc/wireguard/../passwd",
            "/etc/wireguard/..",
            "/etc/wireguard/.",
            "/etc/wireguard//x",
            "/etc/wireguard/",
            "//etc/wireguard/x",
            "/etc/wireguard/a\nb",
            "/etc/wireguard/a\0b",
            "/etc/gwha/key",
            "/etc/gwha",
            "/etc/app/key",
            "/etc/app/key/x",
            "/etc/wireguard/.wg0.conf.gwha-new",
            &deep,
            &long,
            &name,
        ];
        for path in paths {
            assert!(!rules().admit(path), "{path:?}");
        }
    }

    #[test]
    fn file_that_only_begins_like_a_forbidden_one_is_admitted() {
        assert!(rules().admit("/etc/app/key2"));
        assert!(rules().admit("/etc/wireguard/.hidden"));
    }

    #[test]
    fn uci_files_are_those_right_in_the_directory() {
        assert_eq!(rules().package("/etc/config/dhcp"), Some("dhcp"));
        assert_eq!(rules().package("/etc/config/a/b"), None);
        assert_eq!(rules().package("/etc/configs"), None);
    }
}

//! What is written: sections of UCI, and words that have to fit there.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::uci::quote;

/// The options of a group, gathered from its instances and its own block.
#[derive(Default)]
pub struct Role {
    pub priority: Option<u32>,
    /// What a good test adds in keepalived, and the lack of a failed one is here.
    pub bonus: u32,
    pub no_preempt: bool,
    pub preempt_delay: Option<String>,
    pub tracks: Vec<String>,
    /// Commands by the role that they are for; all roles for `notify`.
    pub commands: Vec<(&'static str, String)>,
}

/// A section with its options, in UCI's format.
pub struct Section(pub String);

impl Section {
    pub fn new(kind: &str, name: &str) -> Section {
        Section(format!("\nconfig {kind} '{name}'\n"))
    }

    pub fn option(&mut self, name: &str, value: &str) {
        self.line("option", name, value);
    }

    pub fn list(&mut self, name: &str, value: &str) {
        self.line("list", name, value);
    }

    fn line(&mut self, keyword: &str, name: &str, value: &str) {
        let _ = writeln!(self.0, "\t{keyword} {name} {}", quote(value));
    }

    pub fn role(&mut self, role: &Role) {
        if let Some(priority) = role.priority {
            self.option("priority", &priority.saturating_add(role.bonus).min(254).to_string());
        }
        match (role.no_preempt, &role.preempt_delay) {
            (true, _) => self.option("preempt", "0"),
            // keepalived takes back at once.
            (false, delay) => self.option("preempt_delay", delay.as_deref().unwrap_or("0")),
        }
        for track in &role.tracks {
            self.list("track", track);
        }
        if let Some(command) = role.command() {
            self.option("script", &command);
        }
    }
}

impl Role {
    fn command(&self) -> Option<String> {
        if self.commands.is_empty() {
            return None;
        }
        let mut cases = String::new();
        let mut always = String::new();
        for (role, command) in &self.commands {
            match *role {
                "" => {
                    let _ = write!(always, "; {command} GROUP \"$GROUP\" \"$(echo $TO | tr a-z A-Z)\" 0");
                }
                role => {
                    let _ = write!(cases, "{role}) {command};; ");
                }
            }
        }
        Some(match (cases.as_str(), always.strip_prefix("; ")) {
            ("", Some(only)) => only.to_owned(),
            (cases, _) => format!("case $TO in {cases}esac{always}"),
        })
    }
}

/// A name that UCI takes for a section.
pub fn name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
}

/// Seconds with a fraction as milliseconds, one second if it is no number. Reading it as a float would cost 15 KB.
pub fn milliseconds(seconds: &str) -> String {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let value = format!("{whole}{fraction:0<3.3}").parse::<u64>().unwrap_or(1000);
    // Within the range of the option in any case; what is outside of it is refused there.
    value.min(1_000_000).to_string()
}

/// Whom a command pings, if that is all it does.
pub fn pinged(command: &str) -> Option<String> {
    let mut words = command.split_ascii_whitespace();
    let program = words.next()?;
    if !matches!(program, "ping" | "/bin/ping" | "/usr/bin/ping" | "ping6" | "/bin/ping6") {
        return None;
    }
    let mut target = None;
    while let Some(word) = words.next() {
        match word {
            "-c" | "-W" | "-w" | "-i" | "-s" => {
                words.next()?;
            }
            "-q" | "-n" | "-4" | "-6" | ">/dev/null" | "2>&1" | "&>/dev/null" => {}
            other if other.starts_with("-c") || other.starts_with("-W") => {}
            other => {
                target = Some(other.parse::<IpAddr>().ok()?.to_string());
            }
        }
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_milliseconds() {
        for (seconds, expected) in [
            ("1", "1000"),
            ("0.01", "10"),
            (".25", "250"),
            ("3.", "3000"),
            ("0.12345", "123"),
            ("1e9", "1000"),
            ("99999999", "1000000"),
        ] {
            assert_eq!(milliseconds(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn command_that_only_pings_becomes_a_ping() {
        assert_eq!(pinged("/bin/ping -c 1 -W 2 10.0.0.1").as_deref(), Some("10.0.0.1"));
        assert_eq!(pinged("ping -q -c1 2001:db8::1 >/dev/null").as_deref(), Some("2001:db8::1"));
        for other in
            ["ping -c 1 example.org", "ping -I wan 10.0.0.1", "/etc/check.sh 10.0.0.1", "ping -c", ""]
        {
            assert_eq!(pinged(other), None, "{other}");
        }
    }
}

//! conntrackd's configuration.

use core::time::Duration;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::disk::{self, OFlag};
use crate::duties::Side;
use crate::engine::Instant;
use crate::exec::children::{Children, Ended, Program};

/// The daemon conntrackd, as a child.
#[derive(Debug)]
pub struct Conntrackd {
    /// The number of the child, and what it does.
    running: Option<(u32, Side)>,
    starts: u32,
    /// How often it has asked for all connections since it was started, and when it is to ask next.
    asked: (usize, Instant),
}

impl Default for Conntrackd {
    fn default() -> Conntrackd {
        Conntrackd { running: None, starts: 0, asked: (0, AT_ONCE) }
    }
}

impl Conntrackd {
    /// What it does; `None` if it does not run.
    pub fn side(&self) -> Option<Side> {
        self.running.map(|(_, side)| side)
    }

    /// Ends it at once. What it knows is in the kernel.
    pub fn stop(&mut self, children: &mut Children) {
        if let Some((number, _)) = self.running.take() {
            children.kill(number);
        }
    }

    /// Ends the one of a life that ended without doing so: it would go on telling the other router of connections that end
    /// here, whatever the role is now.
    pub fn bury(dir: &Path) {
        let Ok(number) = disk::text(&dir.join(PID_FILE)) else { return };
        let Some(pid) = number.trim_ascii().parse().ok().filter(|pid| *pid > 1) else { return };
        // The number may be somebody else's by now.
        let command = disk::load(Path::new(&format!("/proc/{pid}/cmdline")), disk::SMALL).unwrap_or_default();
        let path = dir.join(CONFIGURATION);
        if command.split(|byte| *byte == 0).any(|word| word == path.as_os_str().as_encoded_bytes()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    /// Has it ask the other router for all its connections, if that is due: the program that does so.
    ///
    /// The other one tells of what happens. What was there before is not told by itself: to one that was restarted, or whose own
    /// were lost with its WAN, which has just become the standby. And a connection that goes on for hours without any event is
    /// still there, while the copy has run out.
    pub fn ask(&mut self, program: &str, dir: &Path, now: Instant) -> Option<Program> {
        let (times, due) = self.asked;
        if self.side() != Some(Side::Standby) || now < due {
            return None;
        }
        let pause = ASK_EARLY.get(times).copied().unwrap_or(ASK_EVERY);
        self.asked = (times.saturating_add(1), now.after(pause));
        Some(Program::new(&[program, "-C", &dir.join(CONFIGURATION).to_string_lossy(), "-n"]))
    }

    /// Starts it with this configuration.
    ///
    /// # Errors
    /// If a file can't be written, or it can't be started, in words.
    pub fn start(
        &mut self,
        program: &str,
        dir: &Path,
        text: &str,
        side: Side,
        children: &mut Children,
    ) -> Result<(), Box<str>> {
        set_kernel_parameters();
        let path = dir.join(CONFIGURATION);
        super::recipe::write(&path, text)?;
        // One that was killed leaves it behind, and the next one would not start.
        super::recipe::remove(&dir.join("conntrackd.lock"))?;
        super::recipe::remove(&dir.join("conntrackd.ctl"))?;
        self.starts = self.starts.wrapping_add(1);
        let number = NUMBERS | (self.starts & 0xffff);
        let command = Program::new(&[program, "-C", &path.to_string_lossy()]);
        let pid = children
            .start(number, &command)
            .map_err(|error| format!("{program}: {}", disk::plain(&error)))?;
        self.running = Some((number, side));
        self.asked = (0, AT_ONCE);
        super::recipe::write(&dir.join(PID_FILE), &pid.to_string())?;
        Ok(())
    }

    /// Whether a child is it.
    pub fn is(&self, number: u32) -> bool {
        self.running.is_some_and(|(known, _)| known == number)
    }

    /// It has ended by itself.
    pub fn ended(&mut self, ended: &Ended) -> Box<str> {
        self.running = None;
        ended.success().err().unwrap_or_else(|| "has ended".into())
    }
}

/// What lets a connection go on in the middle: packets of one that is not known yet, and windows that have moved.
/// The kernel's module may not be loaded yet, and the defaults are almost right, so failure is no news.
fn set_kernel_parameters() {
    for (name, value) in [("nf_conntrack_tcp_loose", "1"), ("nf_conntrack_tcp_be_liberal", "1")] {
        let path = Path::new("/proc/sys/net/netfilter").join(name);
        let _ = disk::open(&path, OFlag::O_WRONLY).and_then(|mut file| file.write_all(value.as_bytes()));
    }
}

/// Files in the directory of this life, and of the next one.
const CONFIGURATION: &str = "conntrackd.conf";
const PID_FILE: &str = "conntrackd.pid";

/// It asks when it is looked at for the first time, two seconds after its start, and then after this: the other router's may have
/// been started later.
const ASK_EARLY: [Duration; 1] = [Duration::from_secs(5)];

/// And then this often: OpenWrt keeps a TCP connection without any packet for two hours.
const ASK_EVERY: Duration = Duration::from_secs(600);

/// Long ago.
const AT_ONCE: Instant = Instant::from_micros(0);

/// Children have numbers of their own from here on, beyond those of attempts.
const NUMBERS: u32 = 0xc000_0000;

/// How the routers reach each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Between {
    /// The kernel device.
    pub device: String,
    /// This router there.
    pub own: IpAddr,
    /// The other one.
    pub peer: IpAddr,
}

/// The configuration of a router that sends its connections to the other one, or of one that takes them in.
///
/// There is no external cache: what comes in goes straight into the kernel, so that a takeover has nothing to do.
/// FTFW, since NOTRACK without caches keeps what it has to say until its next sign of life, up to a second later. Each event is
/// sent as it happens. A standby sends nothing: its copies run out where
/// nobody uses them, and their ends would be the ends of connections in use on the master.
pub fn configuration(between: &Between, side: Side, run_dir: &Path, ignored: &[IpAddr]) -> String {
    let Between { device, own, peer } = between;
    let family = if own.is_ipv4() { "IPv4" } else { "IPv6" };
    let accepted = match side {
        Side::Master => "TCP\n\t\t\tUDP\n\t\t\tSCTP\n\t\t\tDCCP\n\t\t\tICMP",
        // There has to be one; nobody has seen a packet of this one for years.
        Side::Standby | Side::Gone => "UDPLite",
    };
    // A client that asks for a lease has no address yet.
    let mut ignore = String::from("\t\t\tIPv4_address 127.0.0.1\n\t\t\tIPv4_address 0.0.0.0\n");
    for address in ignored {
        let word = if address.is_ipv4() { "IPv4_address" } else { "IPv6_address" };
        let _ = writeln!(ignore, "\t\t\t{word} {address}");
    }
    let (lock, socket) = (run_dir.join("conntrackd.lock"), run_dir.join("conntrackd.ctl"));
    let (lock, socket) = (lock.display(), socket.display());
    format!(
        "# written by gwha: changes are lost\n\
         Sync {{\n\
         \tMode FTFW {{\n\
         \t\tDisableExternalCache On\n\
         \t}}\n\
         \tUDP {{\n\
         \t\t{family}_address {own}\n\
         \t\t{family}_Destination_Address {peer}\n\
         \t\tPort {PORT}\n\
         \t\tInterface {device}\n\
         \t\tChecksum on\n\
         \t}}\n\
         }}\n\
         General {{\n\
         \tSystemd off\n\
         \tHashSize 8192\n\
         \tHashLimit 131072\n\
         \tLogFile off\n\
         \tSyslog off\n\
         \tLockFile {lock}\n\
         \tUNIX {{\n\
         \t\tPath {socket}\n\
         \t}}\n\
         \tNetlinkBufferSize 2097152\n\
         \tNetlinkBufferSizeMaxGrowth 8388608\n\
         \tNetlinkOverrunResync On\n\
         \tFilter From Userspace {{\n\
         \t\tProtocol Accept {{\n\
         \t\t\t{accepted}\n\
         \t\t}}\n\
         \t\tAddress Ignore {{\n\
         {ignore}\
         \t\t}}\n\
         \t}}\n\
         }}\n"
    )
}

/// What conntrackd's own examples use.
const PORT: u16 = 3780;

#[cfg(test)]
mod tests {
    use super::*;

    fn between() -> Between {
        let address = |text: &str| text.parse().unwrap();
        Between { device: "br-lan".into(), own: address("192.168.1.2"), peer: address("192.168.1.3") }
    }

    #[test]
    fn standby_asks_for_all_connections_twice_soon_and_then_now_and_then() {
        let at = |seconds: u64| Instant::from_micros(1_000_000 * (1000 + seconds));
        let mut conntrackd = Conntrackd { running: Some((1, Side::Standby)), ..Conntrackd::default() };
        let mut asks =
            |seconds| conntrackd.ask("/usr/sbin/conntrackd", Path::new("/run"), at(seconds)).is_some();
        let asked: Vec<u64> = (2..1300).filter(|seconds| asks(*seconds)).collect();
        assert_eq!(asked, [2, 7, 607, 1207]);

        conntrackd.running = Some((2, Side::Master));
        assert_eq!(conntrackd.ask("/usr/sbin/conntrackd", Path::new("/run"), at(9000)), None);
    }

    #[test]
    fn only_the_master_sends_and_nobody_waits_for_a_commit() {
        let text = |side| configuration(&between(), side, Path::new("/run"), &["10.0.0.4".parse().unwrap()]);
        let (master, standby) = (text(Side::Master), text(Side::Standby));
        for text in [&master, &standby] {
            assert!(text.contains("DisableExternalCache On"), "{text}");
            assert!(text.contains("\t\t\tIPv4_address 10.0.0.4\n"), "{text}");
            assert_eq!(text.matches('{').count(), text.matches('}').count());
        }
        assert!(master.contains("\t\t\tTCP\n") && !standby.contains("TCP"));
    }
}

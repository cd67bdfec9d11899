//! Real DHCP: dnsmasq on a gateway, busybox's udhcpc on the LAN, each client with a hardware address of its own.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use super::process::Daemon;
use super::topology::{Host, Segment};
use super::{Lab, tools, until};

/// The lease file of a gateway, in the run's directory.
pub fn lease_file(lab: &Lab, host: Host) -> PathBuf {
    lab.dir.join(format!("{host}.leases"))
}

/// A DHCP server. Addresses are given in order and without asking around first: a server that does not know a lease gives its
/// address to the next one who comes.
pub fn serve(lab: &Lab, host: Host) -> Daemon {
    tools::require(&["dnsmasq"]);
    let mut command = host.netns().command("dnsmasq");
    let vip = Segment::Lan.vip();
    command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--pid-file="]);
    command.args(["--log-dhcp", "--log-facility=-", "--interface=lan", "--bind-dynamic"]);
    command.args(["--dhcp-authoritative", "--dhcp-sequential-ip", "--no-ping"]);
    command.arg("--dhcp-range=192.168.100.100,192.168.100.250,255.255.255.0,2m");
    command.arg(format!("--dhcp-option=3,{vip}")).arg(format!("--dhcp-option=6,{vip}"));
    command.arg(format!("--dhcp-leasefile={}", lease_file(lab, host).display()));
    let daemon = Daemon::start(command, &lab.dir.join(format!("{host}.dnsmasq.log")));
    let pid = daemon.pid();
    until("dnsmasq listens", Duration::from_secs(10), || {
        let sockets = host.netns().command("cat").arg("/proc/net/udp").output().expect("cat can be started");
        let sockets = String::from_utf8_lossy(&sockets.stdout).into_owned();
        // Port 67.
        sockets.contains(":0043 ") && fs::exists(format!("/proc/{pid}")).unwrap_or(false)
    });
    daemon
}

/// DHCP clients on the LAN.
pub struct Clients {
    script: PathBuf,
    host: Host,
}

impl Clients {
    /// So many, each on a device of its own in the client's namespace.
    pub fn new(lab: &Lab, count: u8) -> Clients {
        Clients::on(lab, Host::Client, 0..count)
    }

    /// Those of these numbers, on a host of the LAN.
    pub fn on(lab: &Lab, host: Host, numbers: Range<u8>) -> Clients {
        tools::require(&["busybox"]);
        let mut devices = String::new();
        for number in numbers {
            devices += &format!(
                "link add c{number} link lan address 02:00:00:00:99:{number:02x} type macvlan mode bridge\n\
                 link set c{number} up\n"
            );
        }
        host.netns().ip_batch(&devices);
        let script = lab.dir.join(format!("{host}.udhcpc.script"));
        // The address is the answer; it need not be on the device.
        fs::write(&script, "#!/bin/sh\n[ \"$1\" != bound ] || echo \"got $ip\"\n")
            .expect("the script is written");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))
            .expect("the script is made executable");
        Clients { script, host }
    }

    /// An exchange: the address that the client is given, or `None` if nobody answers for three seconds. The client does not
    /// say which address it had.
    pub fn ask(&self, number: u8) -> Option<Ipv4Addr> {
        let mut command = self.host.netns().command("busybox");
        command.args(["udhcpc", "-f", "-n", "-q", "-t", "6", "-T", "1", "-A", "1"]);
        command.arg("-i").arg(format!("c{number}")).arg("-s").arg(&self.script);
        command.args(["-p", &format!("/run/udhcpc.{number}.pid")]);
        let output = command.stdin(Stdio::null()).output().expect("udhcpc can be started");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().find_map(|line| line.strip_prefix("got ")?.parse().ok())
    }
}

/// The addresses in the answer of `gwha leases --json`, with the hardware address of their clients.
pub fn listed(answer: &serde_json::Value) -> Vec<(IpAddr, String)> {
    let leases = answer["leases"].as_array().cloned().unwrap_or_default();
    let lease = |lease: &serde_json::Value| {
        Some((lease["address"].as_str()?.parse().ok()?, lease["client"].as_str()?.to_owned()))
    };
    leases.iter().filter_map(lease).collect()
}

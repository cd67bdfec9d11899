//! What a gateway of a setup has besides gwha: services, and a DHCP server for the LAN.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::lab::Lab;
use crate::lab::gwha::Gwha;
use crate::lab::topology::{Host, Segment};

/// The services of one host: a stand-in for procd, driven by `option service_command`.
pub struct Place {
    pub host: Host,
    pub dir: PathBuf,
}

/// Starts, stops and asks for services, each of which is a script that stays in the foreground.
const SERVICES: &str = r#"#!/bin/sh
name=$1 dir=$(dirname "$0")
pid="$dir/$name.pid"
alive() { [ -f "$pid" ] && kill -0 "$(cat "$pid")" 2>/dev/null; }
echo "$name $2" >>"$dir/calls"
case $2 in
start)
    alive && exit 0
    [ -x "$dir/$name.run" ] || { echo "no such service: $name" >&2; exit 1; }
    rm -f "$pid"
    # Whoever gives this start up kills its process group: before setsid that ends the service too, and afterwards it is known.
    sh -c 'echo $$ >"$0"; exec setsid "$1"' "$pid" "$dir/$name.run" </dev/null >>"$dir/$name.out" 2>&1 &
    until [ -s "$pid" ]; do sleep 0.01; done
    new=$(cat "$pid")
    while kill -0 "$new" 2>/dev/null && [ "$(cut -d' ' -f6 "/proc/$new/stat" 2>/dev/null)" != "$new" ]; do sleep 0.01; done
    for _ in 1 2 3 4 5 6 7 8 9 10; do alive && exit 0; sleep 0.02; done
    exit 1;;
stop)
    alive || exit 0
    kill "$(cat "$pid")"
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do alive || exit 0; sleep 0.02; done
    kill -9 "$(cat "$pid")"; sleep 0.05;;
running) alive;;
reload) exit 0;;
esac
"#;

impl Place {
    /// Prepares `host`.
    pub fn new(lab: &Lab, host: Host) -> Place {
        let dir = lab.dir.join(format!("services-{host}"));
        fs::create_dir_all(dir.join("dnsmasq.d")).expect("the directory can be made");
        let place = Place { host, dir };
        place.script("service", SERVICES);
        place
    }

    /// Adds a service: a command that stays in the foreground.
    pub fn service(&self, name: &str, command: &str) {
        self.script(&format!("{name}.run"), &format!("#!/bin/sh\nexec {command}\n"));
    }

    /// The LAN's dnsmasq, as both routers have it.
    pub fn dnsmasq(&self) {
        self.dnsmasq_with("dhcp-range=192.168.100.100,192.168.100.200,12h\n");
    }

    /// The LAN's dnsmasq with a range of addresses, and other lines.
    pub fn dnsmasq_with(&self, lines: &str) {
        let dir = self.dir.display();
        let text = format!(
            "no-resolv\nno-hosts\nport=53\nbind-dynamic\ninterface=lan\nexcept-interface=lo\n\
             dhcp-authoritative\nno-ping\n{lines}\
             dhcp-leasefile={dir}/dhcp.leases\nconf-dir={dir}/dnsmasq.d\npid-file=\nuser=root\n\
             address=/router.test/192.168.100.77\nlog-dhcp\nlog-facility={dir}/dnsmasq.log\n"
        );
        fs::write(self.dir.join("dnsmasq.conf"), text).expect("dnsmasq's configuration can be written");
        self.service("dnsmasq", &format!("dnsmasq -k -C {dir}/dnsmasq.conf"));
    }

    /// The options of `config gwha` that lead gwha here.
    pub fn options(&self) -> String {
        let dir = self.dir.display();
        format!(
            "config gwha 'main'\n\toption enabled '1'\n\toption log_level 'debug'\n\
             \toption service_command '{dir}/service'\n\toption dnsmasq_dir '{dir}/dnsmasq.d'\n"
        )
    }

    /// The section of the channel, which leases follow.
    pub fn sync(&self) -> String {
        let key = self.dir.join("key");
        fs::write(&key, "7".repeat(64)).expect("the key can be written");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("it can be kept from others");
        format!(
            "\nconfig sync 'peer'\n\toption instance 'lan'\n\toption key_file '{}'\n\
             \toption lease_file '{}/dhcp.leases'\n",
            key.display(),
            self.dir.display()
        )
    }

    /// The host loses its power: nothing says goodbye, and what was in memory is gone.
    pub fn lose_power(&self) {
        for entry in fs::read_dir(&self.dir).expect("the directory is there").flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "pid") {
                let pid = fs::read_to_string(entry.path()).unwrap_or_default();
                if let Ok(pid) = pid.trim().parse() {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
            }
        }
        let _ = fs::remove_file(self.lease_file());
        for entry in fs::read_dir(self.dir.join("dnsmasq.d")).expect("the directory is there").flatten() {
            let _ = fs::remove_file(entry.path());
        }
        let flushed = self.run("nft", &["flush", "ruleset"]);
        assert!(flushed.status.success(), "{flushed:?}");
    }

    /// Where dnsmasq keeps its leases.
    pub fn lease_file(&self) -> PathBuf {
        self.dir.join("dhcp.leases")
    }

    /// Whether a service runs.
    pub fn is_running(&self, name: &str) -> bool {
        let status = Command::new(self.dir.join("service")).args([name, "running"]).status();
        status.is_ok_and(|status| status.success())
    }

    /// Whether a device of the host is up.
    pub fn is_up(&self, device: &str) -> bool {
        let output = self.run("ip", &["link", "show", device]);
        String::from_utf8_lossy(&output.stdout)
            .split(['<', '>'])
            .nth(1)
            .is_some_and(|flags| flags.split(',').any(|flag| flag == "UP"))
    }

    /// Whether the host's packet filter has a table.
    pub fn has_table(&self, name: &str) -> bool {
        self.run("nft", &["list", "table", "inet", name]).status.success()
    }

    /// Whether a table of the host's packet filter is as on the master.
    pub fn is_serving(&self, table: &str) -> bool {
        let output = self.run("nft", &["list", "set", "inet", table, "serving"]);
        assert!(output.status.success(), "{}: {output:?}", self.host);
        String::from_utf8_lossy(&output.stdout).contains('"')
    }

    /// What a program of the host prints.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Output {
        self.host.netns().command(program).args(arguments).output().expect("a program can be run")
    }

    fn script(&self, name: &str, text: &str) {
        let path = self.dir.join(name);
        fs::write(&path, text).expect("a script can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be made executable");
    }
}

/// Whether everything that follows from the node's role is as it should be.
pub fn is_settled(node: &Gwha) -> bool {
    let actions = node.at("/actions");
    let actions = actions.as_array().cloned().unwrap_or_default();
    !actions.is_empty() && actions.iter().all(|action| action["wanted"] == action["observed"])
}

/// As [`is_settled`], whatever became of hooks: those are no state.
pub fn follows(node: &Gwha) -> bool {
    let actions = node.at("/actions");
    let actions = actions.as_array().cloned().unwrap_or_default();
    actions.iter().all(|action| action["kind"] == "hook" || action["wanted"] == action["observed"])
}

/// What a client was given: by whom, which address, which router, which DNS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub server: String,
    pub address: String,
    pub router: String,
    pub dns: String,
}

/// Asks for a lease on a segment, from DISCOVER on; `None` if nobody gives one within three seconds.
pub fn lease(lab: &Lab, host: Host, segment: Segment) -> Option<Lease> {
    let script = lab.dir.join("udhcpc.sh");
    let text = "#!/bin/sh\n[ \"$1\" = bound ] && echo \"LEASE $serverid $ip $router $dns\"\nexit 0\n";
    fs::write(&script, text).expect("a script can be written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it can be made executable");
    let mut command = host.netns().command("busybox");
    command.args(["udhcpc", "-f", "-q", "-n", "-t", "3", "-T", "1", "-i", segment.name(), "-s"]).arg(&script);
    let output = command.output().expect("udhcpc can be run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with("LEASE "))?;
    let mut words = line.split(' ').skip(1).map(str::to_owned);
    Some(Lease { server: words.next()?, address: words.next()?, router: words.next()?, dns: words.next()? })
}

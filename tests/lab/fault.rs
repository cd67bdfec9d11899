//! Breaking the network, and mending it.

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;

use super::netns::{ip, ip_batch, nft};
use super::topology::{Host, Segment, addresses};
use super::{Lab, gwha};

/// Which of a host's frames a silent fault takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Those the host sends.
    From,
    /// Those sent to the host.
    To,
    /// All.
    Both,
}

/// The frames that the switch loses without any sign on the cables.
#[derive(Clone, Debug, PartialEq)]
enum Loss {
    /// All frames of one port.
    Port { host: Host, segment: Segment, direction: Direction },
    /// All frames from one host to another.
    Path { from: Host, to: Host, segment: Segment },
    /// A share of the frames between two hosts, each frame on its own, in per mille.
    Share { per_mille: u16, between: (Host, Host), segment: Segment },
}

impl Loss {
    /// The nftables conditions, each a rule of its own.
    fn rules(&self) -> Vec<String> {
        match *self {
            Loss::Port { host, segment, direction } => {
                let port = host.port(segment);
                let (from, to) = (format!("iifname {port}"), format!("oifname {port}"));
                match direction {
                    Direction::From => vec![from],
                    Direction::To => vec![to],
                    Direction::Both => vec![from, to],
                }
            }
            Loss::Path { from, to, segment } => vec![path(from, to, segment)],
            Loss::Share { per_mille, between: (one, other), segment } => {
                let chance = format!("numgen random mod 1000 < {per_mille}");
                vec![
                    format!("{} {chance}", path(one, other, segment)),
                    format!("{} {chance}", path(other, one, segment)),
                ]
            }
        }
    }
}

fn path(from: Host, to: Host, segment: Segment) -> String {
    format!("iifname {} oifname {}", from.port(segment), to.port(segment))
}

/// Every silent fault in force.
#[derive(Default)]
pub struct Faults(Vec<Loss>);

impl Faults {
    /// Replaces the switch's rules by the present faults in one transaction.
    fn apply(&self) {
        let mut script = String::from("flush chain bridge lab forward\n");
        for rule in self.0.iter().flat_map(Loss::rules) {
            let _ = writeln!(script, "add rule bridge lab forward {rule} drop");
        }
        nft(&script);
    }
}

impl Lab {
    /// Pulls the cable between `host` and the switch: the host sees its carrier go.
    pub fn pull_cable(&self, host: Host, segment: Segment) {
        ip(&["link", "set", &host.port(segment), "down"]);
    }

    /// Plugs the cable in again.
    pub fn plug_cable(&self, host: Host, segment: Segment) {
        ip(&["link", "set", &host.port(segment), "up"]);
    }

    /// Loses the frames of one port silently: the link stays up.
    pub fn cut(&self, host: Host, segment: Segment, direction: Direction) {
        self.change(|losses| losses.push(Loss::Port { host, segment, direction }));
    }

    /// Ends what [`Lab::cut`] did to the port.
    pub fn mend(&self, host: Host, segment: Segment) {
        self.change(|losses| {
            losses.retain(
                |loss| !matches!(loss, Loss::Port { host: h, segment: s, .. } if (*h, *s) == (host, segment)),
            );
        });
    }

    /// Loses every frame from one host to another on `segment`.
    pub fn cut_path(&self, from: Host, to: Host, segment: Segment) {
        self.change(|losses| losses.push(Loss::Path { from, to, segment }));
    }

    /// The carrier router can no longer be reached by `host`; the rest of the WAN stays as it is.
    pub fn cut_carrier(&self, host: Host) {
        self.change(|losses| {
            losses.push(Loss::Path { from: host, to: Host::Carrier, segment: Segment::Wan });
            losses.push(Loss::Path { from: Host::Carrier, to: host, segment: Segment::Wan });
        });
    }

    /// Loses each frame between the two hosts with the given chance.
    pub fn lose(&self, per_mille: u16, between: (Host, Host), segment: Segment) {
        self.change(|losses| losses.push(Loss::Share { per_mille, between, segment }));
    }

    /// Ends every silent fault. Pulled cables stay pulled.
    pub fn mend_all(&self) {
        self.change(Vec::clear);
    }

    /// No frame of `host` reaches anybody any more, on any segment. The other half of a power loss is to kill its
    /// daemon.
    pub fn silence(&self, host: Host) {
        self.change(|losses| {
            let all = host.segments().iter();
            losses.extend(all.map(|&segment| Loss::Port { host, segment, direction: Direction::Both }));
        });
    }

    /// The host loses its power, as the others see it: every link is down, and nothing that it still does is seen on any
    /// port. The other half is to kill what runs there.
    pub fn power_off(&self, host: Host) {
        host.segments().iter().for_each(|&segment| self.pull_cable(host, segment));
    }

    /// What a reboot leaves of `host`: its own addresses and routes, no others, and its cables answering again.
    pub fn reboot(&self, host: Host) {
        let _ = fs::remove_dir_all(gwha::run_dir(host));
        for file in ["keepalived", "vrrp"] {
            let _ = fs::remove_file(format!("/run/{host}.{file}.pid"));
        }
        let mut script = String::new();
        for segment in host.segments() {
            let _ = writeln!(script, "address flush dev {}", segment.name());
            let _ = writeln!(script, "neigh flush dev {}", segment.name());
        }
        host.netns().ip_batch(&(script + &addresses(host)));
        for &segment in host.segments() {
            self.mend(host, segment);
            self.plug_cable(host, segment);
        }
    }

    /// Gives `host` another address, as an operator does by hand.
    pub fn add_address(&self, host: Host, segment: Segment, address: IpAddr) {
        host.netns().ip_batch(&format!("address add {address}/32 dev {}\n", segment.name()));
    }

    /// Takes an address from `host` by hand, whatever its prefix.
    pub fn remove_address(&self, host: Host, segment: Segment, address: IpAddr) {
        host.netns().ip_batch(&format!("address flush dev {} to {address}\n", segment.name()));
    }

    /// The switch itself forgets on which port each address lives, as after a power cut.
    pub fn restart_switch(&self, segment: Segment) {
        let bridge = segment.bridge();
        ip_batch(&format!("link set {bridge} down\nlink set {bridge} up\n"));
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Loss>)) {
        let mut faults = self.faults.borrow_mut();
        change(&mut faults.0);
        faults.apply();
    }
}

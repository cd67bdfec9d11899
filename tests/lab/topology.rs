//! Who is connected to what, and every address of the lab.

use std::fmt;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::thread;

use super::netns::{Netns, ip_batch, nft};

/// An address of the world behind the carrier router.
pub const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));

/// The carrier router's own address on the WAN.
pub const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// One Ethernet segment: a bridge in the switch's namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    Lan,
    Iot,
    Wan,
}

impl Segment {
    pub const ALL: [Segment; 3] = [Segment::Lan, Segment::Iot, Segment::Wan];

    /// The interface's name on every host connected to the segment.
    pub fn name(self) -> &'static str {
        match self {
            Segment::Lan => "lan",
            Segment::Iot => "iot",
            Segment::Wan => "wan",
        }
    }

    /// The bridge's name.
    pub fn bridge(self) -> String {
        format!("sw-{}", self.name())
    }

    /// The virtual router id used on the segment.
    pub fn vrid(self) -> u8 {
        self.number() + 1
    }

    /// The IPv4 address that the gateways share.
    pub fn vip(self) -> Ipv4Addr {
        self.address(match self {
            Segment::Lan | Segment::Iot => 1,
            Segment::Wan => 4,
        })
    }

    /// The IPv6 addresses that the gateways share, the link-local one first.
    pub fn vips6(self) -> [Ipv6Addr; 2] {
        let number = u16::from(self.number());
        [
            Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x100 + number, 1),
            Ipv6Addr::new(0xfd00, 0, 0, 0x100 + number, 0, 0, 0, 1),
        ]
    }

    fn address(self, host: u8) -> Ipv4Addr {
        match self {
            Segment::Lan => Ipv4Addr::new(192, 168, 100, host),
            Segment::Iot => Ipv4Addr::new(192, 168, 101, host),
            Segment::Wan => Ipv4Addr::new(10, 0, 0, host),
        }
    }

    fn number(self) -> u8 {
        match self {
            Segment::Lan => 0,
            Segment::Iot => 1,
            Segment::Wan => 2,
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name().to_uppercase())
    }
}

/// A host of the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    A,
    B,
    C,
    Carrier,
    Client,
    Phone,
    Stranger,
}

impl Host {
    pub const ALL: [Host; 7] =
        [Host::A, Host::B, Host::C, Host::Carrier, Host::Client, Host::Phone, Host::Stranger];
    pub const GATEWAYS: [Host; 3] = [Host::A, Host::B, Host::C];

    /// The name of the host and of its namespace.
    pub fn name(self) -> &'static str {
        match self {
            Host::A => "a",
            Host::B => "b",
            Host::C => "c",
            Host::Carrier => "carrier",
            Host::Client => "client",
            Host::Phone => "phone",
            Host::Stranger => "stranger",
        }
    }

    pub fn netns(self) -> Netns {
        Netns(self.name())
    }

    /// The segments to which the host has a cable.
    pub fn segments(self) -> &'static [Segment] {
        match self {
            Host::A | Host::B | Host::C => &Segment::ALL,
            Host::Carrier => &[Segment::Wan],
            Host::Client | Host::Stranger => &[Segment::Lan],
            Host::Phone => &[Segment::Iot],
        }
    }

    /// The host's own IPv4 address on `segment`.
    pub fn address(self, segment: Segment) -> Ipv4Addr {
        segment.address(self.number())
    }

    /// The host's own link-local address, the same on each segment.
    pub fn link_local(self) -> Ipv6Addr {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(self.number()))
    }

    /// The switch's port to which the host's cable leads.
    pub fn port(self, segment: Segment) -> String {
        format!("{}-{}", segment.name(), self.name())
    }

    fn number(self) -> u8 {
        match self {
            Host::A => 2,
            Host::B => 3,
            Host::C => 5,
            Host::Carrier => 1,
            Host::Client | Host::Phone => 50,
            Host::Stranger => 66,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::A | Host::B | Host::C => f.write_str(&self.name().to_uppercase()),
            Host::Carrier | Host::Client | Host::Phone | Host::Stranger => f.write_str(self.name()),
        }
    }
}

/// Creates the switch, the hosts, their cables and addresses.
pub fn build() {
    for host in Host::ALL {
        host.netns().create();
    }
    ip_batch(&switch());
    nft("table bridge lab {\nchain forward {\ntype filter hook forward priority 0\n}\n}\n");
    thread::scope(|scope| {
        for host in Host::ALL {
            scope.spawn(move || configure(host));
        }
    });
}

/// The bridges and cables, as `ip` commands.
fn switch() -> String {
    let mut script = String::from("link set lo up\n");
    for segment in Segment::ALL {
        // Home switches flood VRRP's multicast; so does this one.
        let _ =
            writeln!(script, "link add {} type bridge mcast_snooping 0 forward_delay 0", segment.bridge());
        let _ = writeln!(script, "link set {} up", segment.bridge());
    }
    for host in Host::ALL {
        for &segment in host.segments() {
            let (port, name, bridge) = (host.port(segment), segment.name(), segment.bridge());
            let mac = format!("02:00:00:00:{:02x}:{:02x}", segment.vrid(), host.number());
            let ns = host.name();
            let _ = writeln!(script, "link add {port} type veth peer name {name} address {mac} netns {ns}");
            let _ = writeln!(script, "link set {port} master {bridge} up");
        }
    }
    script
}

/// Gives `host` its addresses, routes and kernel parameters.
fn configure(host: Host) {
    let forward = if Host::GATEWAYS.contains(&host) || host == Host::Carrier { "1" } else { "0" };
    host.netns().sysctl(&[
        ("ipv4/ip_forward", forward),
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
        ("ipv4/conf/all/send_redirects", "0"),
        ("ipv4/conf/default/send_redirects", "0"),
        ("ipv4/conf/all/accept_redirects", "0"),
        ("ipv6/conf/all/accept_dad", "0"),
        ("ipv6/conf/default/accept_dad", "0"),
        ("ipv6/conf/all/accept_ra", "0"),
    ]);
    host.netns().ip_batch(&addresses(host));
}

/// The addresses and routes of `host`, as `ip` commands. They are also what a reboot restores.
pub fn addresses(host: Host) -> String {
    let mut script = String::new();
    for &segment in host.segments() {
        let name = segment.name();
        let _ = writeln!(script, "link set {name} addrgenmode none");
        let _ = writeln!(script, "address replace {}/24 dev {name}", host.address(segment));
        let _ = writeln!(script, "link set {name} up");
        let _ = writeln!(script, "address replace {}/64 dev {name} nodad", host.link_local());
    }
    match host {
        Host::A | Host::B | Host::C => {
            let _ = writeln!(script, "route replace default via {CARRIER}");
        }
        Host::Carrier => {
            let _ = writeln!(script, "address replace {OUTSIDE}/32 dev lo");
            for inside in [Segment::Lan, Segment::Iot] {
                let _ = writeln!(script, "route replace {}/24 via {}", inside.address(0), Segment::Wan.vip());
            }
        }
        Host::Client | Host::Stranger | Host::Phone => {
            let segment = host.segments()[0];
            let _ = writeln!(script, "route replace default via {}", segment.vip());
        }
    }
    script
}

//! Many virtual routers on one network.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::lab::Lab;
use crate::lab::topology::{Host, Segment};

/// So many of them, each on its own.
pub struct Many {
    pub instances: u8,
    pub interval_ms: u32,
}

impl Many {
    /// The virtual addresses, one for each instance.
    pub fn vips(&self) -> impl Iterator<Item = Ipv4Addr> {
        (1..=self.instances).map(|number| Ipv4Addr::new(10, 20, 1, number))
    }
}

/// A second, wider network on the LAN: the first has no room for so many.
pub fn widen(_lab: &Lab) {
    for host in [Host::A, Host::B] {
        let (own, name) = (own(host), Segment::Lan.name());
        host.netns().ip_batch(&format!("address replace {own}/16 dev {name}\n"));
    }
}

/// A router's own address there.
fn own(host: Host) -> Ipv4Addr {
    let [.., last] = host.address(Segment::Lan).octets();
    Ipv4Addr::new(10, 20, 0, last)
}

pub fn gwha(many: &Many) -> String {
    let mut text = String::from("config gwha 'main'\n\toption enabled '1'\n");
    for (number, vip) in (1..).zip(many.vips()) {
        let _ = write!(
            text,
            "\nconfig instance 'i{number}'\n\toption device '{}'\n\toption vrid '{number}'\n\toption \
             advert_interval '{}'\n\tlist router '{}'\n\tlist router '{}'\n\tlist vip '{vip}/16'\n\toption \
             preempt_delay '0'\n",
            Segment::Lan.name(),
            many.interval_ms,
            own(Host::A),
            own(Host::B)
        );
    }
    text
}

pub fn keepalived(many: &Many, host: Host) -> String {
    let (own_priority, peer) = if host == Host::A { (100, Host::B) } else { (90, Host::A) };
    let mut text = format!("global_defs {{\n  router_id {host}\n}}\n");
    for (number, vip) in (1..).zip(many.vips()) {
        let _ = write!(
            text,
            "vrrp_instance i{number} {{\n  state BACKUP\n  interface {name}\n  virtual_router_id {number}\n  \
             priority {own_priority}\n  version 3\n  advert_int {}\n  unicast_src_ip {}\n  unicast_peer {{ {} \
             }}\n  virtual_ipaddress {{\n    {vip}/16 dev {name}\n  }}\n}}\n",
            f64::from(many.interval_ms) / 1000.0,
            own(host),
            own(peer),
            name = Segment::Lan.name(),
        );
    }
    text
}

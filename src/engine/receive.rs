//! From a packet to the group that it concerns.

use crate::sorted::Map;
use std::net::IpAddr;

use crate::config::model::{Config, Instance, InstanceId, LinkId, Mode, Routers};
use crate::wire::types::Family;
use crate::wire::vrrp::{self, AcceptChecksum, Delivery, Expect, Packet, Senders};

use super::Engine;
use super::action::{Action, Mismatch};
use super::group::Heard;
use super::time::Instant;

/// Finds the instance of a packet by link, family and VRID.
#[derive(Debug, Default)]
pub(super) struct Demux {
    instances: Map<(LinkId, Family, u8), InstanceId>,
    unknown: u32,
}

impl Demux {
    pub fn new(config: &Config) -> Demux {
        let key = |instance: &Instance| (instance.link, instance.family, instance.vrid.get());
        let instances = super::ids(config.instances.len())
            .map(|id| (key(&config.instances[usize::from(id)]), InstanceId(id)));
        Demux { instances: instances.collect(), unknown: 0 }
    }

    /// The same counts for another configuration.
    pub fn renew(&mut self, config: &Config) {
        self.instances = Demux::new(config).instances;
    }

    pub fn unknown(&self) -> u32 {
        self.unknown
    }

    fn find(&mut self, link: LinkId, packet: &Packet<'_>) -> Option<InstanceId> {
        let family = if packet.source.is_ipv4() { Family::V4 } else { Family::V6 };
        let (_, vrid) = vrrp::peek(packet.bytes)?;
        self.instances.get(&(link, family, vrid)).copied()
    }
}

impl Engine {
    pub(super) fn receive(&mut self, now: Instant, link: LinkId, packet: &Packet<'_>, out: &mut Vec<Action>) {
        if self.stopping {
            return;
        }
        let Some(id) = self.demux.find(link, packet) else {
            self.demux.unknown = self.demux.unknown.saturating_add(1);
            return;
        };
        let config = self.config.clone();
        let instance = &config.instances[id.index()];
        let own = self.source(id);
        let checked = vrrp::check(packet, &expect(instance, own.as_slice()));
        self.with_member(now, id, out, &mut |group, cx, member| match checked {
            Err(reject) => group.members[member].refuse(cx, packet.source, reject),
            Ok(advert) => {
                let (priority, interval) = (advert.priority, advert.interval);
                group.heard(cx, Heard { member, source: packet.source, priority, interval });
                if differs(instance, &advert) {
                    group.members[member].differs(cx, packet.source, Mismatch::Addresses);
                }
            }
        });
    }
}

fn expect<'a>(instance: &'a Instance, own: &'a [IpAddr]) -> Expect<'a> {
    let senders = match &instance.routers {
        Routers::Listed(all) => Senders::Only(all),
        Routers::Peers { peers, .. } if peers.is_empty() => Senders::Any,
        Routers::Peers { peers, .. } => Senders::Only(peers),
    };
    Expect {
        version: instance.version,
        vrid: instance.vrid,
        interval: instance.interval,
        auth: instance.auth,
        own,
        senders,
        delivery: match instance.mode {
            Mode::Unicast => Delivery::Unicast,
            Mode::Multicast => Delivery::Multicast,
        },
        hop_limit_min: instance.hop_limit_min,
        checksum: if instance.accept_old_checksum {
            AcceptChecksum::OldUnicast
        } else {
            AcceptChecksum::Usual
        },
    }
}

/// Whether the sender serves other addresses: shown, never a reason to refuse (RFC 9568 §7.1).
fn differs(instance: &Instance, advert: &vrrp::Advert<'_>) -> bool {
    let own = instance.vips.iter().map(|vip| vip.address);
    advert.addresses.len() != instance.vips.len() || !own.eq(advert.addresses.iter())
}

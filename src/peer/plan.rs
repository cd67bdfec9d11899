//! Where the channel can run, at this moment: pure.

use std::net::IpAddr;

use crate::config::model::{Config, Instance, InstanceId, LinkId, Routers, SyncPath};
use crate::daemon::sockets::Device;

use super::PeerId;

/// Segments that the channel may use. More would only make a dead peer take longer to be given up.
const ROUTES_MAX: usize = 4;

/// A segment that both routers are on, and this router's place there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What people call it: an instance, or a link.
    pub name: String,
    /// The device; the channel's sockets are bound to it.
    pub device: Device,
    /// This router's own address there.
    pub own: IpAddr,
    /// The other routers' addresses there.
    pub others: Vec<(PeerId, IpAddr)>,
}

impl Route {
    /// A router's address here.
    pub fn address(&self, peer: PeerId) -> Option<IpAddr> {
        self.others.iter().find(|(id, _)| *id == peer).map(|(_, address)| *address)
    }

    /// Whose address this is.
    pub fn peer(&self, address: IpAddr) -> Option<PeerId> {
        self.others.iter().find(|(_, it)| *it == address).map(|(id, _)| *id)
    }
}

/// Where the channel can run, the preferred segment first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The segments that can be used now.
    pub routes: Vec<Route>,
}

impl Plan {
    /// The segments on which a router can be reached, the preferred one first, and where.
    pub fn routes_to(&self, peer: PeerId) -> Vec<(&Route, IpAddr)> {
        let mut routes = Vec::new();
        for route in &self.routes {
            if let Some(address) = route.address(peer) {
                routes.push((route, address));
            }
        }
        routes
    }

    /// Makes the plan. `source` is this router's address on an instance while it is there, `own` all its addresses, and
    /// `device` what a link is now.
    pub fn new(
        config: &Config,
        source: &dyn Fn(InstanceId) -> Option<IpAddr>,
        own: &[IpAddr],
        device: &dyn Fn(LinkId) -> Option<Device>,
    ) -> Plan {
        let mut plan = Plan::default();
        let Some(sync) = &config.sync else { return plan };
        let mut add = |name: &str, all: &[IpAddr], at: Option<IpAddr>, link: LinkId| {
            if let (Some(own), Some(device), true) = (at, device(link), plan.routes.len() < ROUTES_MAX) {
                plan.routes.push(Route { name: name.to_owned(), device, own, others: others(all, own) });
            }
        };
        let first = match &sync.path {
            SyncPath::Instance(id) => Some(*id),
            SyncPath::Dedicated { link, routers } => {
                let name = config.links.get(link.index()).map(ToString::to_string).unwrap_or_default();
                let own = own.iter().find(|address| routers.contains(address));
                add(&name, routers, own.copied(), *link);
                None
            }
        };
        for id in usable(config, first) {
            if let Some(instance) = config.instances.get(id.index()) {
                let (Routers::Listed(all) | Routers::Peers { peers: all, .. }) = &instance.routers;
                add(&instance.name, all, source(id), instance.link);
            }
        }
        plan
    }
}

/// The instances whose segments may carry the channel, the chosen one first. With more than two routers a position
/// means the same router only within a group.
fn usable(config: &Config, first: Option<InstanceId>) -> Vec<InstanceId> {
    let chosen = first.and_then(|id| config.instances.get(id.index())).or(config.instances.first());
    let fits = |instance: &Instance| {
        chosen.is_some_and(|chosen| {
            let count = count(&chosen.routers);
            count == count_of(instance) && (count == 1 || chosen.group == instance.group)
        })
    };
    let mut usable = Vec::from_iter(first);
    for (id, instance) in (0..).zip(&config.instances) {
        if Some(InstanceId(id)) != first && fits(instance) {
            usable.push(InstanceId(id));
        }
    }
    usable
}

fn count_of(instance: &Instance) -> usize {
    count(&instance.routers)
}

/// How many others there are.
fn count(routers: &Routers) -> usize {
    match routers {
        Routers::Listed(all) => all.len().saturating_sub(1),
        Routers::Peers { peers, .. } => peers.len(),
    }
}

fn others(all: &[IpAddr], own: IpAddr) -> Vec<(PeerId, IpAddr)> {
    let mut others = Vec::new();
    for (place, address) in (0..).zip(all) {
        if *address != own {
            others.push((PeerId(place), *address));
        }
    }
    others
}

#[cfg(test)]
mod tests;

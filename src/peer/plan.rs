//! Where the channel can run, at this moment: pure.

use std::net::IpAddr;

use crate::collect::IntoVec as _;
use crate::config::model::{Config, Instance, InstanceId, LinkId, Routers, Sync, SyncPath};
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
    /// Makes the plan. `source` is this router's address on an instance while it is there, `own` all its addresses, and
    /// `device` what a link is now.
    pub fn new(
        config: &Config,
        source: impl Fn(InstanceId) -> Option<IpAddr>,
        own: &[IpAddr],
        device: impl Fn(LinkId) -> Option<Device>,
    ) -> Plan {
        let Some(sync) = &config.sync else { return Plan::default() };
        let dedicated = match &sync.path {
            SyncPath::Dedicated { link, routers } => {
                let found = own.iter().find(|address| routers.contains(address)).copied();
                found.zip(device(*link)).map(|(own, device)| Route {
                    name: config.links.get(link.index()).map(ToString::to_string).unwrap_or_default(),
                    device,
                    own,
                    others: others(routers, own),
                })
            }
            SyncPath::Instance(_) => None,
        };
        let instances = usable(config, sync).filter_map(|id| {
            let instance = config.instances.get(id.index())?;
            let (own, device) = (source(id)?, device(instance.link)?);
            let (Routers::Listed(all) | Routers::Peers { peers: all, .. }) = &instance.routers;
            Some(Route { name: instance.name.clone(), device, own, others: others(all, own) })
        });
        Plan { routes: dedicated.into_iter().chain(instances).take(ROUTES_MAX).into_vec() }
    }
}

/// The instances whose segments may carry the channel, the chosen one first. With more than two routers a position
/// means the same router only within a group.
fn usable<'a>(config: &'a Config, sync: &Sync) -> impl Iterator<Item = InstanceId> + 'a {
    let first = match &sync.path {
        SyncPath::Instance(id) => Some(*id),
        SyncPath::Dedicated { .. } => None,
    };
    let chosen = first.and_then(|id| config.instances.get(id.index())).or(config.instances.first());
    let fits = move |instance: &Instance| {
        chosen.is_some_and(|chosen| {
            let count = count(&chosen.routers);
            count == count_of(instance) && (count == 1 || chosen.group == instance.group)
        })
    };
    let ids = (0..).map(InstanceId).zip(&config.instances);
    let rest = ids.filter(move |(id, instance)| Some(*id) != first && fits(instance)).map(|(id, _)| id);
    first.into_iter().chain(rest)
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
    (0..).map(PeerId).zip(all.iter().copied()).filter(|(_, address)| *address != own).into_vec()
}

#[cfg(test)]
mod tests;

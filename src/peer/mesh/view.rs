//! The channel as status shows it.

use core::time::Duration;
use std::net::IpAddr;

use crate::engine::Instant;

use super::Mesh;
use crate::peer::PeerId;
use crate::peer::dial::Reach;
use crate::peer::message::Hello;
use crate::peer::session::End;

/// A router as the channel sees it.
#[derive(Debug, Clone)]
pub struct View {
    /// Which.
    pub id: PeerId,
    /// Its address on the segment in use, or on the preferred one.
    pub address: Option<IpAddr>,
    /// That segment.
    pub route: Option<String>,
    /// Since when the channel stands, or does not.
    pub since: Instant,
    /// Who is, or was last, there.
    pub hello: Option<Hello>,
    /// `None`: connected.
    pub trouble: Option<Reach>,
    /// How the last channel ended.
    pub ended: Option<End>,
}

/// How long a wrong key is shown after its last attempt: both routers try more often than this.
const WRONG_KEY_SHOWN: Duration = Duration::from_secs(30);

impl Mesh {
    /// Every other router.
    pub fn views(&self, now: Instant) -> Vec<View> {
        let mut views = Vec::new();
        for peer in &self.peers {
            let current = peer.current.and_then(|slot| self.link(slot));
            let routes = self.plan.routes_to(peer.id);
            let route = match current {
                Some(link) => routes.iter().find(|(route, _)| link.is_on(route)),
                None => routes.first(),
            };
            let is_wrong_key = peer.wrong_key.is_some_and(|at| now.since(at) < WRONG_KEY_SHOWN);
            let trouble = match current {
                Some(_) => None,
                None if is_wrong_key => Some(Reach::Key),
                None => Some(peer.dial.reach().clone()),
            };
            views.push(View {
                id: peer.id,
                address: route.map(|(_, address)| *address),
                route: route.map(|(route, _)| route.name.clone()),
                since: peer.since,
                hello: peer.hello.clone(),
                trouble,
                ended: peer.ended.clone(),
            });
        }
        views
    }
}

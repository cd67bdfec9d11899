//! The other routers: who is who, and who wins a tie.

use std::net::IpAddr;

use crate::config::model::{Place, Routers};
use crate::limits;

use super::super::action::{Action, Notice};
use super::super::cx::Cx;
use super::super::member::Peer;
use super::super::time::Instant;
use super::standby::Present;
use super::{Group, Heard, State};

/// Another router, as far as it can be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Speaker {
    /// By its place in `list router`.
    Place(Place),
    /// By its position in `list peer`.
    Peer(usize),
    /// By its address: in multicast anybody may speak.
    Stranger(IpAddr),
}

/// What is remembered of another router.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub speaker: Speaker,
    /// It was heard to answer the question.
    pub answers: bool,
    /// When it was asked last, and how often in all.
    pub asked: Option<Instant>,
    pub times_asked: u8,
}

impl Group {
    /// The record of another router, made when it is first heard.
    pub(super) fn node(&mut self, speaker: Speaker) -> Option<&mut Node> {
        let known = self.nodes.iter().position(|node| node.speaker == speaker);
        match known {
            Some(at) => self.nodes.get_mut(at),
            None if self.nodes.len() < limits::PEERS_MAX => {
                self.nodes.push(Node { speaker, answers: false, asked: None, times_asked: 0 });
                self.nodes.last_mut()
            }
            None => None,
        }
    }

    /// The address that ties are broken by (RFC 9568 §6.4.3). With places it is that on the first member:
    /// a group whose members order the routers differently would never settle otherwise.
    pub(super) fn address_key(&self, cx: &Cx<'_>, speaker: Speaker, source: IpAddr) -> IpAddr {
        let first = self.members.first().map(|member| &cx.instance(member.id).routers);
        match (speaker, first) {
            (Speaker::Place(place), Some(Routers::Listed(all))) => {
                all.get(usize::from(place.0)).copied().unwrap_or(source)
            }
            _ => source,
        }
    }

    /// Whether a tie goes to the speaker.
    pub(super) fn loses_tie(&self, cx: &Cx<'_>, speaker: Speaker, heard: &Heard) -> bool {
        let own_source = self.members[heard.member].source.unwrap_or(heard.source);
        let own = match self.place {
            Some(place) => self.address_key(cx, Speaker::Place(place), own_source),
            None => own_source,
        };
        self.address_key(cx, speaker, heard.source) > own
    }

    /// When the master's present word is believed to be all it says (rule 8): after a better one it must have stood for
    /// two intervals. Somebody who forges the better one beside it would else be followed by a preemption each time.
    pub(super) fn believed_from(&self, master: &Present) -> Instant {
        let wait = self.members[master.member].learned.duration().saturating_mul(2);
        let changed = master.previous.filter(|(old, _)| *old > self.priority);
        changed.map_or_else(Instant::default, |(_, at)| at.after(wait))
    }

    /// One silent member is no reason to move (rule 4), but worth a word.
    pub(super) fn report_silent(&mut self, cx: &mut Cx<'_>) {
        let since = match &self.state {
            State::Standby(standby) => standby.since,
            State::Init | State::Serving(_) => cx.now,
        };
        for member in self.members.iter_mut().filter(|member| member.usable() && !member.silent) {
            if !member.master_down.is_due(cx.now) {
                continue;
            }
            member.silent = true;
            let stopped = core::mem::take(&mut member.stopped);
            let heard = |peer: &&mut Peer| !peer.lost && peer.last_heard.is_some_and(|at| at >= since);
            for peer in member.peers.iter_mut().filter(heard) {
                peer.lost = true;
                let (group, instance, peer) = (self.id, member.id, peer.address);
                let notice = if stopped {
                    Notice::PeerSplit { group, peer }
                } else {
                    Notice::PeerLost { instance, peer }
                };
                cx.out.push(Action::Notice(notice));
            }
        }
    }
}

/// Who an address belongs to.
pub(super) fn speaker(routers: &Routers, source: IpAddr) -> Speaker {
    let position = |list: &[IpAddr]| list.iter().position(|address| *address == source);
    match routers {
        Routers::Listed(all) => match position(all).and_then(|at| u8::try_from(at).ok()) {
            Some(place) => Speaker::Place(Place(place)),
            None => Speaker::Stranger(source),
        },
        Routers::Peers { peers, .. } => match position(peers) {
            Some(at) => Speaker::Peer(at),
            None => Speaker::Stranger(source),
        },
    }
}

/// The place of the node that has this address.
pub(super) fn place_of(routers: &Routers, own: Option<IpAddr>) -> Option<Place> {
    let Routers::Listed(all) = routers else { return None };
    let at = all.iter().position(|address| Some(*address) == own)?;
    u8::try_from(at).ok().map(Place)
}

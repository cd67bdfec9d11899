//! What a group shows of itself.

use super::super::cx::Cx;
use super::super::event::Maintenance;
use super::super::member::Member;
use super::super::view::{GroupView, InstanceView, MasterView, PeerState, PeerView, TrackState};
use super::standby::Present;
use super::{Group, State, is_down};
use crate::collect::IntoVec as _;
use crate::config::model::{Preempt, TrackScope, Weight};
use crate::wire::vrrp::Reject;

impl Group {
    pub fn view(&self, cx: &Cx<'_>) -> GroupView {
        let master = self.master().map(|master| MasterView {
            address: master.address,
            priority: master.word,
            last_heard: master.last_heard,
        });
        GroupView {
            id: self.id,
            role: self.role,
            since: self.since,
            cause: self.cause.clone(),
            epoch: self.epoch,
            priority: self.priority,
            base: self.base(cx),
            place: self.place,
            master,
            blocked_by: self.blocked_by(cx),
            maintenance: cx.maintenance,
            switched_away: self.switched_away,
        }
    }

    /// The master that a standby follows.
    pub(super) fn master(&self) -> Option<&Present> {
        match &self.state {
            State::Standby(standby) => standby.master(),
            State::Init | State::Serving(_) => None,
        }
    }

    /// Why this node is not master, or not fully healthy.
    fn blocked_by(&self, cx: &Cx<'_>) -> Vec<String> {
        let mut reasons = self.burdens(cx);
        for (at, config) in self.counted(cx) {
            let used = &self.uses[at];
            if used.config.scope == TrackScope::Any && self.verdict(cx, used) == TrackState::Unknown {
                reasons.push(format!("track {} is not judged yet", config.name));
            }
        }
        if let State::Standby(_) = self.state {
            self.why_not_preempting(cx, &mut reasons);
        }
        reasons
    }

    /// What lowers this node's priority, in words.
    pub(super) fn burden(&self, cx: &Cx<'_>) -> String {
        self.burdens(cx).join(", ")
    }

    /// What lowers this node's priority.
    fn burdens(&self, cx: &Cx<'_>) -> Vec<String> {
        let mut burdens: Vec<String> = self.fault(cx).iter().map(|fault| fault.to_string()).into_vec();
        for (at, config) in self.counted(cx) {
            let used = &self.uses[at];
            if matches!(config.weight, Weight::Adjust(_)) && is_down(self.verdict(cx, used)) {
                let remembered = if used.remembered { " (remembered)" } else { "" };
                burdens.push(format!("track {} is down{remembered}", config.name));
            }
        }
        if cx.maintenance == Maintenance::On {
            burdens.push("in maintenance".to_string());
        }
        burdens
    }

    fn why_not_preempting(&self, cx: &Cx<'_>, reasons: &mut Vec<String>) {
        if self.switched_away {
            reasons.push("an operator moved the role away".to_string());
        } else if let Some(due) = self.claim.at().filter(|due| *due > cx.now) {
            reasons.push(format!("takes over in {} s if all stays well", due.since(cx.now).as_secs() + 1));
        } else if reasons.is_empty() && self.config(cx).preempt == Preempt::Off {
            reasons.push("preempt is off".to_string());
        }
    }

    pub fn member_view(&self, cx: &Cx<'_>, member: &Member) -> InstanceView {
        let instance = cx.instance(member.id);
        let master_down = member.master_down_interval(instance, self.priority, self.watch(cx));
        let peer = |peer: &super::super::member::Peer| PeerView {
            address: peer.address,
            last_heard: peer.last_heard,
            priority: peer.priority,
            state: match peer.mismatch {
                Some(what) => PeerState::Misconfigured(what),
                None if peer.last_heard.is_some_and(|at| cx.now.since(at) <= master_down) => PeerState::Alive,
                None => PeerState::Silent,
            },
        };
        let rejected = Reject::ALL.iter().map(|reject| (reject.name(), member.rejected[reject.index()]));
        InstanceView {
            id: member.id,
            source: member.source,
            problem: member.problem,
            master_down,
            peers: member
                .peers
                .iter()
                .filter(|peer| Some(peer.address) != member.source)
                .map(peer)
                .into_vec(),
            sent: member.sent,
            received: member.received,
            rejected: rejected.filter(|(_, count)| *count > 0).into_vec(),
        }
    }

    /// What a track's verdict does to this group now.
    pub fn effect_of(&self, cx: &Cx<'_>, at: usize) -> String {
        let used = &self.uses[at];
        let config = &cx.config.tracks[used.config.track.index()];
        let seen = cx.track(used.config.track).verdict();
        match (self.verdict(cx, used), config.weight) {
            (TrackState::Down, Weight::Fault) => "fault".to_string(),
            (TrackState::Down, Weight::Adjust(weight)) if used.remembered => format!("{weight} (remembered)"),
            (TrackState::Down, Weight::Adjust(weight)) => weight.to_string(),
            (TrackState::Up | TrackState::Unknown, _) if is_down(seen) && self.is_serving() => {
                "damped".to_string()
            }
            (TrackState::Up | TrackState::Unknown, _) => "none".to_string(),
        }
    }
}

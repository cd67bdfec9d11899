//! A group that goes on under a new configuration.

use crate::collect::IntoVec as _;
use crate::config::model::{Config, Instance};

use super::super::cx::Cx;
use super::super::member::Member;
use super::super::reload::find;
use super::standby::Standby;
use super::{Group, State, Use};

impl Group {
    /// `fresh` is what the group would be if it were new; what this one knows and still means something goes
    /// over. The role is kept. Whether the links still fit is for [`Group::look`] to find out.
    pub fn renewed(mut self, fresh: Group, cx: &Cx<'_>, before: &Config) -> Group {
        let serving = self.is_serving();
        let known = |new: &Member| {
            let id = find(before, cx.config, cx.instance(new.id))?;
            let at = self.members.iter().position(|member| member.id == id)?;
            Some((self.members[at].clone(), &before.instances[id.index()]))
        };
        let renew = |mut new: Member| match known(&new) {
            Some((member, was)) => renewed_member(member, new, was, cx, serving),
            None => {
                new.awaited = true;
                new
            }
        };
        let members: Vec<Member> = fresh.members.into_iter().map(renew).into_vec();
        self.follow_members(cx, before, &members);
        let uses =
            fresh.uses.into_iter().map(|used| renewed_use(used, &self.uses, cx.config, before)).into_vec();
        self.id = fresh.id;
        self.members = members;
        self.uses = uses;
        self.place = None;
        self.end_doubt();
        self
    }
}

impl Group {
    /// The master that a standby follows was heard last on a member that may have another place now. If it is gone, any
    /// will do: it stands for the interval only, and there is always one.
    fn follow_members(&mut self, cx: &Cx<'_>, before: &Config, members: &[Member]) {
        let State::Standby(Standby { master: Some(master), .. }) = &mut self.state else { return };
        let was = self.members.get(master.member).map(|member| member.id);
        let is = members.iter().position(|new| find(before, cx.config, cx.instance(new.id)) == was);
        master.member = is.unwrap_or(0);
    }
}

/// The same virtual router under a new id, with what a changed configuration makes of it.
fn renewed_member(mut member: Member, new: Member, was: &Instance, cx: &Cx<'_>, serving: bool) -> Member {
    let is = cx.instance(new.id);
    member.id = new.id;
    let old = core::mem::take(&mut member.peers);
    let keep = |peer: super::super::member::Peer| {
        old.iter().find(|known| known.address == peer.address).cloned().unwrap_or(peer)
    };
    member.peers = new.peers.into_iter().map(keep).into_vec();
    if was.interval != is.interval {
        member.learned = is.interval;
        if serving && member.usable() {
            member.advert.set(cx.now);
        }
    }
    if was.vips != is.vips && serving && member.usable() {
        member.announcer.start(cx.now, &is.announce);
    }
    member
}

/// The use of a track of the same name keeps its memory.
fn renewed_use(new: Use, old: &[Use], config: &Config, before: &Config) -> Use {
    let name = &config.tracks[new.config.track.index()].name;
    let known = old.iter().find(|used| before.tracks[used.config.track.index()].name == *name);
    match known {
        Some(known) => Use { config: new.config, ..known.clone() },
        None => new,
    }
}

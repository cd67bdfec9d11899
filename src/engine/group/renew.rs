//! A group that goes on under a new configuration.

use crate::config::model::Config;

use super::super::cx::Cx;
use super::super::member::Member;
use super::super::reload::find;
use super::standby::Standby;
use super::{Group, State, Use};

impl Group {
    /// Takes over the new configuration, as whose `fresh` group it would begin. The role is kept, and what is known and
    /// still means something. Whether the links still fit is for [`Group::look`] to find out.
    pub fn renew(&mut self, fresh: Group, cx: &Cx<'_>, before: &Config) {
        self.id = fresh.id;
        self.place = None;
        self.renew_members(fresh.members, cx, before);
        self.renew_uses(fresh.uses, cx.config, before);
        self.end_doubt();
    }

    fn renew_members(&mut self, fresh: Vec<Member>, cx: &Cx<'_>, before: &Config) {
        let serving = self.is_serving();
        let mut old = core::mem::replace(&mut self.members, fresh);
        // The master that a standby follows was heard last on a member that may have another place now. If it is gone, any
        // will do: it stands for the interval only, and there is always one.
        let mut followed = None;
        if let State::Standby(Standby { master: Some(master), .. }) = &mut self.state {
            followed = old.get(master.member).map(|member| member.id);
            master.member = 0;
        }
        for (place, member) in self.members.iter_mut().enumerate() {
            let is = cx.instance(member.id);
            let was = find(before, cx.config, is);
            let known = old.iter().position(|old| Some(old.id) == was);
            let (Some(was), Some(at)) = (was, known) else {
                member.awaited = true;
                continue;
            };
            if let State::Standby(Standby { master: Some(master), .. }) = &mut self.state {
                if followed == Some(was) {
                    master.member = place;
                }
            }
            let fresh = core::mem::replace(member, old.swap_remove(at));
            let (was, serves) = (&before.instances[was.index()], serving && member.usable());
            if was.interval != is.interval {
                member.learned = is.interval;
                if serves {
                    member.advert.set(cx.now);
                }
            }
            if was.vips != is.vips && serves {
                member.announcer.start(cx.now, &is.announce);
            }
            renew_member(member, fresh);
        }
    }

    /// A track goes on for this group if it had the same name.
    fn renew_uses(&mut self, fresh: Vec<Use>, config: &Config, before: &Config) {
        let old = core::mem::replace(&mut self.uses, fresh);
        for used in &mut self.uses {
            let name = &config.tracks[used.config.track.index()].name;
            let known = old.iter().find(|used| before.tracks[used.config.track.index()].name == *name);
            if let Some(known) = known {
                (used.remembered, used.damping) = (known.remembered, known.damping);
                used.damped_until = known.damped_until;
            }
        }
    }
}

/// The same member under another id, with the routers that it has now.
fn renew_member(member: &mut Member, fresh: Member) {
    member.id = fresh.id;
    let old = core::mem::replace(&mut member.peers, fresh.peers);
    for peer in &mut member.peers {
        if let Some(known) = old.iter().find(|known| known.address == peer.address) {
            *peer = known.clone();
        }
    }
}

//! Rules 13 and 22: the beginning and the end of a daemon's life, and addresses that can't be installed.

use crate::limits;

use super::super::action::Refusal;
use super::super::cx::Cx;
use super::super::event::ApplyOutcome;
use super::super::member::Member;
use super::super::role::{Cause, Epoch, Role};
use super::master::Serving;
use super::standby::Standby;
use super::{Group, State};

impl Group {
    /// Taken up again within Master_Down of the last advert: nobody has noticed, so nothing is touched. Later, there may be
    /// another master, which is asked to speak: until it is heard, this router has what it died with.
    pub(super) fn resume(&mut self, cx: &mut Cx<'_>) {
        let Some(last_advert) = self.resume.filter(|_| self.members.iter().any(Member::usable)) else {
            return;
        };
        self.resume = None;
        let interval = self.master_down(cx);
        if !matches!(self.state, State::Init) {
            return;
        }
        if cx.now.since(last_advert) >= interval {
            return self.ask_anyone(cx);
        }
        self.state = State::Serving(Serving::new(cx.now, None));
        self.priority = self.effective(cx);
        self.say(cx);
        self.set_role(cx, Role::Master, Cause::Resumed);
        for member in self.members.iter_mut().filter(|member| member.usable()) {
            member.announcer.resume(cx.now, &cx.config.instances[member.id.index()].announce);
        }
    }

    /// Whether the addresses that the role asks for are in place (rule 22).
    pub fn applied(&mut self, cx: &mut Cx<'_>, epoch: Epoch, outcome: ApplyOutcome) {
        if epoch != self.epoch || self.role != Role::Master {
            return;
        }
        match outcome {
            ApplyOutcome::Complete => {
                self.unapplied.stop();
                self.unapplied_until = None;
                self.refresh(cx);
            }
            ApplyOutcome::Failing if self.unapplied.at().is_none() => {
                self.unapplied.set(cx.now.after(limits::APPLY_GRACE));
            }
            ApplyOutcome::Failing => {}
        }
    }

    /// Three seconds without its addresses: a master without them is an outage (rule 22).
    pub(super) fn give_up_addresses(&mut self, cx: &mut Cx<'_>) {
        self.unapplied.stop();
        if !self.nodes.is_empty() {
            self.unapplied_until = Some(cx.now.after(limits::APPLY_FAULT_REMEMBERED));
            self.refresh(cx);
        }
    }

    /// Leaves for good (rule 13): the addresses first, then priority 0 if this node was master.
    pub fn terminate(&mut self, cx: &mut Cx<'_>, cause: &Cause) {
        let serving = matches!(self.state, State::Serving(_));
        if serving || self.role == Role::Init {
            self.state = State::Standby(Standby::new(cx.now));
            self.set_role(cx, Role::Backup, cause.clone());
        }
        if serving {
            self.say_once(cx, 0);
        }
        for member in &mut self.members {
            member.silence();
            member.master_down.stop();
        }
        self.refuse_switch(cx, Refusal::Stopping);
    }
}

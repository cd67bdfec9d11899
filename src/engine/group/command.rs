//! What operators ask of a group.

use super::super::action::Refusal;
use super::super::cx::Cx;
use super::super::event::CommandId;
use super::super::role::Cause;
use super::super::time::Instant;
use super::priority::{STEP_BACK, TAKE};
use super::{Group, State};
use crate::config::model::Base;
use crate::limits;

/// A switch under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Switch {
    pub id: CommandId,
    pub giving: Giving,
    pub until: Instant,
    answered: bool,
}

/// Which way a role goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Giving {
    /// This master says 4 until another one takes over, or the time is up (rule 3).
    Away,
    /// This standby takes the role, saying 254 for a while so that the other one understands.
    Take,
}

impl Group {
    /// Whether the group is master here.
    pub fn is_serving(&self) -> bool {
        matches!(self.state, State::Serving(_))
    }

    /// Begins a switch. Its result goes to [`Cx::results`], now or later.
    pub fn switch(&mut self, cx: &mut Cx<'_>, id: CommandId, giving: Giving) {
        let refusal = match giving {
            _ if self.switch.is_some() => Some(Refusal::Busy),
            Giving::Away => None,
            // The other one is taking it at this moment; two that take would decide by their addresses.
            Giving::Take if self.follows_a_taker() => Some(Refusal::Busy),
            Giving::Take if self.can_take(cx) => None,
            Giving::Take => Some(Refusal::CannotClaim),
        };
        if let Some(refusal) = refusal {
            return cx.results.push((id, Err(refusal)));
        }
        let until = cx.now.after(self.master_down(cx).saturating_add(limits::SWITCH_GRACE));
        self.switch = Some(Switch { id, giving, until, answered: false });
        match giving {
            Giving::Away => self.refresh(cx),
            Giving::Take => {
                self.switched_away = false;
                self.promote(cx, Cause::Operator);
                self.answer_switch(cx, Ok(()));
            }
        }
    }

    /// A standby can take the role if it is well, and if its base is known to the other one.
    fn can_take(&self, cx: &Cx<'_>) -> bool {
        matches!(self.state, State::Standby(_))
            && self.fault(cx).is_none()
            && self.priority > STEP_BACK
            && matches!(self.config(cx).base, Base::ByPlace(_))
    }

    fn follows_a_taker(&self) -> bool {
        let State::Standby(standby) = &self.state else { return false };
        standby.master().is_some_and(|master| master.word == TAKE)
    }

    fn answer_switch(&mut self, cx: &mut Cx<'_>, result: Result<(), Refusal>) {
        if let Some(switch) = self.switch.as_mut().filter(|switch| !switch.answered) {
            switch.answered = true;
            cx.results.push((switch.id, result));
        }
    }

    /// The role went to somebody else.
    pub(super) fn finish_switch(&mut self, cx: &mut Cx<'_>) {
        self.answer_switch(cx, Ok(()));
        self.switch = None;
    }

    /// The switch can't be done any more.
    pub(super) fn refuse_switch(&mut self, cx: &mut Cx<'_>, refusal: Refusal) {
        self.answer_switch(cx, Err(refusal));
        self.switch = None;
    }

    /// Nobody took over in time: the node goes on as before. Or: the other one has understood.
    pub(super) fn switch_timeout(&mut self, cx: &mut Cx<'_>) {
        if self.switch.as_ref().is_some_and(|switch| switch.until <= cx.now) {
            self.refuse_switch(cx, Refusal::NobodyTookOver);
            self.refresh(cx);
        }
    }
}

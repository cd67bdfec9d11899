//! What another router still has, and which of it the new master waits for.
//!
//! A carrier that allows an account one connection refuses the second one, or ends the wrong one. So where the other router gives
//! up the role, lives, and says that its connection still stands, the new master does not dial before that is over. Where
//! nobody is heard nobody is waited for.

use crate::engine::{Cause, Role};

/// How the role has come to this router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handover {
    /// The other router has given it up: it lives, and what it still has will go.
    Given,
    /// Nobody was there to give it, as far as is known.
    Taken,
}

impl Handover {
    /// What the cause of a promotion says.
    pub const fn by(cause: &Cause) -> Handover {
        match cause {
            Cause::Told { .. } | Cause::Stopped { .. } | Cause::Preempt | Cause::Operator => Handover::Given,
            Cause::Started
            | Cause::Resumed
            | Cause::MasterHeard { .. }
            | Cause::MasterDown { .. }
            | Cause::HigherPriority { .. }
            | Cause::Stalled { .. }
            | Cause::NoUsableMember { .. }
            | Cause::FaultBegan(_)
            | Cause::FaultEnded
            | Cause::Terminated
            | Cause::Reconfigured => Handover::Taken,
        }
    }
}

/// What another router, to which the channel stands, said last of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'a> {
    /// Its role there.
    pub role: &'a str,
    /// What it has of that which only one router may have, separated by blanks. An older version says nothing of it.
    pub holds: &'a str,
}

impl Word<'_> {
    /// Whether to wait until it does not hold `name` any more.
    ///
    /// Its word that it is master may be from before it gave the role away, or from before its power was lost. Which of the
    /// two is seen in how the role has come.
    pub fn is_waited_for(&self, name: &str, handover: Handover) -> bool {
        let is_leaving = self.role != Role::Master.name() || handover == Handover::Given;
        is_leaving && self.holds.split(' ').any(|held| held == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(role: &str, holds: &[&str], handover: Handover) -> bool {
        Word { role, holds: &holds.join(" ") }.is_waited_for("wan", handover)
    }

    #[test]
    fn connection_of_a_router_that_gives_the_role_away_is_waited_for() {
        for role in ["backup", "fault", "init"] {
            assert!(waits(role, &["vpn", "wan"], Handover::Given), "{role}");
            assert!(
                waits(role, &["wan"], Handover::Taken),
                "{role}: it has seen its fault before it was missed"
            );
        }
        assert!(waits("master", &["wan"], Handover::Given), "its word is older than the role change");
    }

    #[test]
    fn power_loss_costs_nothing() {
        assert!(!waits("master", &["wan"], Handover::Taken));
        assert_eq!(Handover::by(&Cause::MasterDown { master: None }), Handover::Taken);
    }

    #[test]
    fn older_version_and_one_that_has_let_go_are_not_waited_for() {
        assert!(!waits("backup", &[], Handover::Given));
        assert!(!waits("backup", &["vpn"], Handover::Given), "another one");
    }

    #[test]
    fn what_a_living_master_causes_is_given() {
        let from = std::net::IpAddr::from([192, 168, 1, 2]);
        for cause in
            [Cause::Operator, Cause::Preempt, Cause::Stopped { from }, Cause::Told { from, priority: 1 }]
        {
            assert_eq!(Handover::by(&cause), Handover::Given, "{cause}");
        }
    }
}

//! The options of a group, which may also stand in an instance that is in none.

use core::time::Duration;
use std::net::IpAddr;

use crate::collect::IntoVec as _;

use super::finding::At;
use super::model::{Actions, Preempt};
use super::problem::Problem;
use super::reader::{Given, Reader};
use super::schema::{
    CONNTRACK, DHCP_ON_MASTER, PREEMPT, PREEMPT_DELAY, PRIORITY, RELOAD_ON_MASTER, ROLE_OPTIONS,
    RULE_PRIORITY, RUN_ON_MASTER, SCRIPT, SNAT, STANDBY_GATEWAY, TABLE, TRACK, UP_ON_MASTER,
};

/// The options as far as they could be read. What is `None` or left out has been reported.
pub struct RoleDraft {
    /// Where such options are written, but for `priority`, which may also stand in a member.
    pub places: Vec<At>,
    /// Priorities.
    pub priority: PriorityDraft,
    /// Names of tracks.
    pub tracks: Vec<Given<String>>,
    /// Whether it takes back.
    pub preempt: Option<Preempt>,
    /// After which time.
    pub preempt_delay: Option<Given<Duration>>,
    /// Interfaces up on the master, with their places.
    pub up_on_master: Vec<Given<String>>,
    /// Where the standby's own gateway is written.
    pub standby_gateway: Option<Given<IpAddr>>,
    /// What follows from the role.
    pub actions: Option<Actions>,
}

/// Priorities as they are written.
#[derive(Debug, Clone)]
pub enum PriorityDraft {
    /// Not at all.
    Default,
    /// Not understood; reported.
    Wrong,
    /// `option priority`: one.
    Own(Given<u8>),
    /// `list priority`: one for each router; not empty.
    Each(Vec<Given<u8>>),
}

impl RoleDraft {
    /// Reads them from a section.
    pub fn read(reader: &mut Reader<'_>) -> RoleDraft {
        let tracks = reader.distinct(&TRACK);
        let up_on_master = reader.distinct(&UP_ON_MASTER);
        let standby_gateway = reader.one(&STANDBY_GATEWAY);
        let preempt = reader.value_or_default(&PREEMPT);
        RoleDraft {
            places: reader.places(ROLE_OPTIONS, PRIORITY.info.name),
            priority: priority(reader),
            tracks,
            preempt: preempt.map(|takes_back| if takes_back { Preempt::On } else { Preempt::Off }),
            preempt_delay: reader.one_or_default(&PREEMPT_DELAY),
            actions: actions(reader, &up_on_master, standby_gateway.as_ref()),
            up_on_master,
            standby_gateway,
        }
    }
}

fn priority(reader: &mut Reader<'_>) -> PriorityDraft {
    let Some(written) = reader.written(&PRIORITY) else { return PriorityDraft::Default };
    let read = reader.many(&PRIORITY);
    let bytes: Vec<_> = read
        .into_iter()
        .filter_map(|given| Some(Given { value: u8::try_from(given.value).ok()?, at: given.at }))
        .into_vec();
    match <[Given<u8>; 1]>::try_from(bytes) {
        Ok([own]) if !reader.is_list(&PRIORITY) => PriorityDraft::Own(own),
        Ok(one) if written == 1 => PriorityDraft::Each(one.into()),
        Err(each) if written == each.len() => PriorityDraft::Each(each),
        Ok(_) | Err(_) => PriorityDraft::Wrong,
    }
}

fn actions(
    reader: &mut Reader<'_>,
    up_on_master: &[Given<String>],
    standby_gateway: Option<&Given<IpAddr>>,
) -> Option<Actions> {
    let run_on_master = values(reader.distinct(&RUN_ON_MASTER));
    let reload_on_master = values(reader.distinct(&RELOAD_ON_MASTER));
    let dhcp_on_master = reader.value_or_default(&DHCP_ON_MASTER);
    let conntrack = reader.value_or_default(&CONNTRACK);
    let snat = reader.value(&SNAT);
    let (table, rule_priority) = route(reader);
    let script = reader.value(&SCRIPT);
    let conntrack = conntrack?;
    Some(Actions {
        up_on_master: up_on_master.iter().map(|given| given.value.clone()).into_vec(),
        run_on_master,
        reload_on_master,
        dhcp_on_master: dhcp_on_master?,
        conntrack,
        snat: snat.unwrap_or(conntrack),
        standby_gateway: standby_gateway.map(|given| given.value),
        table,
        rule_priority,
        script,
    })
}

/// Table and rule of the standby's default route.
fn route(reader: &mut Reader<'_>) -> (Option<u32>, Option<u32>) {
    let table = reader.one(&TABLE);
    let rule = reader.one(&RULE_PRIORITY);
    if let (Some(table), None) = (&table, reader.place(&STANDBY_GATEWAY)) {
        reader.findings.error(table.at.clone(), Problem::Needs { what: "'option standby_gateway'" });
    }
    if let (Some(rule), None) = (&rule, reader.place(&TABLE)) {
        reader.findings.error(rule.at.clone(), Problem::Needs { what: "'option table'" });
    }
    (table.map(|given| given.value), rule.map(|given| given.value))
}

/// The values without their places.
pub fn values<T>(given: Vec<Given<T>>) -> Vec<T> {
    given.into_iter().map(|given| given.value).into_vec()
}

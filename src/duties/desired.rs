//! The duties of a configuration.

use crate::config::model::{Actions, Config, Group, GroupId};

use super::step::Kind;

/// One thing that follows from the role of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// What it is.
    pub kind: Kind,
    /// Which one: the name of a network or a service, else of the group.
    pub name: String,
    /// The name of the group whose role it follows.
    pub group: String,
}

/// The duties of a configuration with the groups that they belong to, in the order of groups and steps.
///
/// A thing that two groups want is the first one's: it can follow one role only.
pub fn of(config: &Config) -> Vec<(GroupId, Duty)> {
    let mut duties: Vec<(GroupId, Duty)> = Vec::new();
    if !config.enabled {
        return duties;
    }
    for (id, group) in (0..).map(GroupId).zip(&config.groups) {
        for (kind, name) in names(config, group) {
            if !duties.iter().any(|(_, duty)| duty.kind == kind && duty.name == name) {
                duties.push((id, Duty { kind, name, group: group.name.clone() }));
            }
        }
    }
    duties
}

/// The name of the standby's route says everything about it, so that another table is another route.
fn route(actions: &Actions) -> Option<String> {
    let mut name = actions.standby_gateway?.to_string();
    for (word, number) in [("table", actions.table), ("rule", actions.rule_priority)] {
        if let Some(number) = number {
            name += &format!(" {word} {number}");
        }
    }
    Some(name)
}

/// Whether a group has a virtual address that can be the IPv6 gateway of clients.
fn has_gateway6(config: &Config, group: &Group) -> bool {
    group.instances.iter().filter_map(|id| config.instances.get(id.index())).any(|it| it.gateway6().is_some())
}

fn names(config: &Config, group: &Group) -> Vec<(Kind, String)> {
    let is_gateway6 = group.actions.dhcp_on_master && has_gateway6(config, group);
    let Group { actions, name: group, .. } = group;
    let is_filtered = actions.conntrack || actions.snat || actions.standby_gateway.is_some();
    let mut names = Vec::new();
    let own = [
        (actions.dhcp_on_master, Kind::Guard),
        (actions.dhcp_on_master, Kind::Dhcp),
        (is_gateway6, Kind::Adverts),
        (actions.conntrack, Kind::Conntrack),
        (is_filtered, Kind::Firewall),
    ];
    for (is_wanted, kind) in own {
        if is_wanted {
            names.push((kind, group.clone()));
        }
    }
    if let Some(name) = route(actions) {
        names.push((Kind::Route, name));
    }
    let lists = [
        (&actions.up_on_master, Kind::Interface),
        (&actions.run_on_master, Kind::Service),
        (&actions.reload_on_master, Kind::Reload),
    ];
    for (list, kind) in lists {
        for name in list {
            names.push((kind, name.clone()));
        }
    }
    names
}

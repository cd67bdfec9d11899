//! The standby's own default route, through the virtual address that another router has.

use core::str::FromStr;
use std::net::IpAddr;

use crate::duties::{Seen, Side};
use crate::netlink::{
    Error, Event, Existing, Family, IfIndex, Prefix, Protocol, Route, RouteKind, Rule, Scope, Socket, route,
    rule,
};
use crate::reconcile::MARK;

/// What there is to be, as the name of the duty says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    gateway: IpAddr,
    table: u32,
    rule: Option<u32>,
}

impl Wanted {
    fn of(name: &str) -> Option<Wanted> {
        let mut words = name.split(' ');
        let gateway = words.next()?.parse().ok()?;
        let mut wanted = Wanted { gateway, table: Route::MAIN, rule: None };
        while let (Some(word), Some(number)) = (words.next(), words.next()) {
            let number = u32::from_str(number).ok()?;
            match word {
                "table" => wanted.table = number,
                "rule" => wanted.rule = Some(number),
                _ => return None,
            }
        }
        Some(wanted)
    }

    fn family(self) -> Family {
        Family::of(self.gateway)
    }

    fn route(self, device: IfIndex) -> Route {
        Route {
            destination: Prefix::all(self.family()),
            gateway: Some(self.gateway),
            device: Some(device),
            source: None,
            table: self.table,
            metric: METRIC,
            protocol: MARK,
            scope: Scope::UNIVERSE,
            kind: RouteKind::UNICAST,
        }
    }

    fn rule(self) -> Option<Rule> {
        self.rule.map(|priority| Rule::all(self.family(), priority, self.table, MARK))
    }

    /// Our routes through this gateway, in this table or, if it was another one once, in others.
    fn routes(self, netlink: &mut Socket) -> Result<Vec<Route>, Box<str>> {
        let mut found = Vec::new();
        let mut visit = |event| {
            if let Event::Route(route) = event {
                let is_ours = route.protocol == MARK && route.gateway == Some(self.gateway);
                if is_ours && route.table == self.table && route.destination.length() == 0 {
                    found.push(route);
                }
            }
        };
        netlink.dump(&route::dump(self.family(), MARK), &mut visit).map_err(words)?;
        Ok(found)
    }

    fn rules(self, netlink: &mut Socket) -> Result<Vec<Rule>, Box<str>> {
        let mut found = Vec::new();
        let Some(wanted) = self.rule() else { return Ok(found) };
        let mut visit = |event| {
            if let Event::Rule(rule) = event {
                if (rule.priority, rule.table) == (wanted.priority, wanted.table) {
                    found.push(rule);
                }
            }
        };
        netlink.dump(&rule::dump(self.family()), &mut visit).map_err(words)?;
        Ok(found)
    }
}

fn words(error: Error) -> Box<str> {
    error.to_string().into()
}

/// How it is.
pub fn look(netlink: &mut Option<Socket>, name: &str) -> Result<Seen, Box<str>> {
    let netlink = netlink.as_mut().ok_or(NO_NETLINK)?;
    let wanted = Wanted::of(name).ok_or(BAD_NAME)?;
    let is_route = !wanted.routes(netlink)?.is_empty();
    let is_rule = !wanted.rules(netlink)?.is_empty();
    Ok(match (is_route, is_rule || wanted.rule.is_none()) {
        (true, true) => Seen::As(Side::Standby),
        (false, _) if !is_rule => Seen::As(Side::Master),
        (true, false) | (false, _) => Seen::Neither,
    })
}

/// Makes it so. `device` says by which device a gateway is reached.
pub fn bring(
    netlink: &mut Option<Socket>,
    name: &str,
    side: Side,
    device: &dyn Fn(IpAddr) -> Option<IfIndex>,
) -> Result<(), Box<str>> {
    let netlink = netlink.as_mut().ok_or(NO_NETLINK)?;
    let wanted = Wanted::of(name).ok_or(BAD_NAME)?;
    match side {
        Side::Standby => {
            let device =
                device(wanted.gateway).ok_or("no interface has an address in the gateway's network")?;
            netlink.request(&wanted.route(device).add(Existing::Replace)).map_err(words)?;
            if let (Some(rule), true) = (wanted.rule(), wanted.rules(netlink)?.is_empty()) {
                netlink.request(&rule.add(Existing::Refuse)).map_err(words)?;
            }
        }
        Side::Master | Side::Gone => {
            for rule in wanted.rules(netlink)? {
                if rule.protocol == MARK {
                    netlink.request(&rule.delete()).map_err(words)?;
                }
            }
            for route in wanted.routes(netlink)? {
                netlink.request(&route.delete()).map_err(words)?;
            }
        }
    }
    Ok(())
}

/// The devices that a default route of somebody else leaves by.
pub fn default_devices(netlink: &mut Option<Socket>) -> Result<Vec<IfIndex>, Box<str>> {
    let netlink = netlink.as_mut().ok_or(NO_NETLINK)?;
    let mut found = Vec::new();
    for family in [Family::V4, Family::V6] {
        let mut visit = |event| {
            if let Event::Route(route) = event {
                let is_default = route.destination.length() == 0 && route.table == Route::MAIN;
                if is_default && route.protocol != MARK {
                    found.extend(route.device);
                }
            }
        };
        netlink.dump(&route::dump(family, Protocol::UNSPECIFIED), &mut visit).map_err(words)?;
    }
    Ok(found)
}

/// Worse than any default route that netifd or an administrator makes, so that it counts only while there is none.
const METRIC: u32 = 60_000;

/// Why nothing can be done about routes and links.
pub const NO_NETLINK: &str = "no netlink socket";
const BAD_NAME: &str = "not a gateway";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_the_duty_says_everything() {
        let gateway = "192.168.1.1".parse().unwrap();
        assert_eq!(Wanted::of("192.168.1.1"), Some(Wanted { gateway, table: Route::MAIN, rule: None }));
        assert_eq!(
            Wanted::of("192.168.1.1 table 500 rule 30000"),
            Some(Wanted { gateway, table: 500, rule: Some(30000) })
        );
        assert_eq!(Wanted::of("nonsense"), None);
    }
}

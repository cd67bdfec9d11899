//! Leases as people see them.

use core::time::Duration;

use crate::collect::IntoVec as _;
use crate::engine::Instant;
use crate::limits;
use crate::status::{self, LeaseList};
use crate::sync::lease::table::Lease;
use crate::ubus::Decimal;

use super::{Leases, Service};

/// A change that waits for longer than this although the channel stands is worth a warning.
const LAG_WARNED: Duration = Duration::from_secs(2);

impl Leases {
    /// The leases that are known, in the order of their addresses.
    pub fn list(&self, now: Instant) -> LeaseList {
        if self.path.is_none() {
            let error =
                Some("leases are not followed: there is no 'config sync', or it says leases '0'".into());
            return LeaseList { leases: Vec::new(), error };
        }
        let mut running = self.table.running(now);
        let error = (running.len() > limits::LEASES_LISTED)
            .then(|| format!("these are the first {} of {}", limits::LEASES_LISTED, running.len()));
        running.truncate(limits::LEASES_LISTED);
        LeaseList { leases: running.iter().map(|lease| show(lease, now)).into_vec(), error }
    }

    /// For the status.
    pub fn status(&self, now: Instant) -> status::Leases {
        if self.path.is_none() {
            return status::Leases::default();
        }
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let open = || self.feeds.values().filter(|feed| feed.is_open());
        let lag = self.feeds.values().filter_map(|feed| feed.lag(now)).max();
        status::Leases {
            count: Some(count(self.table.count(now))),
            peer_count: open().filter_map(|feed| feed.count()).min(),
            pending: self.feeds.values().map(|feed| feed.pending(&self.table)).max().map(count),
            lag_ms: lag.map(Decimal::milliseconds),
            last_success: self.level.map(|at| Decimal::seconds(now.since(at))),
            last_error: self.troubles(now).into_iter().next().map(|(_, text)| text),
        }
    }

    /// What is wrong: a stable word, and a sentence with the age.
    pub fn troubles(&self, now: Instant) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.path.is_none() {
            return found;
        }
        let age = |since: Instant| format!("{} s", now.since(since).as_secs());
        let mut add = |code, told: &Option<(String, Instant)>| {
            if let Some((text, since)) = told {
                found.push((code, format!("leases: {text} ({} ago)", age(*since))));
            }
        };
        add("leases_takeover", &self.trouble.takeover);
        add("leases_file", &self.trouble.file);
        add("leases_version", &self.trouble.version);
        let lag = self.feeds.values().filter(|feed| feed.is_open()).filter_map(|feed| feed.lag(now)).max();
        if let Some(lag) = lag.filter(|lag| *lag > LAG_WARNED) {
            let text = format!("leases: the other router has not confirmed changes for {} s", lag.as_secs());
            found.push(("leases_lag", text));
        }
        if self.service == Service::On && !self.unserved.is_empty() {
            let count = self.unserved.len();
            found.push((
                "leases_unserved",
                format!("leases: the DHCP server does not know of {count} that run"),
            ));
        }
        if let Some(since) = self.trouble.full {
            let text = format!("leases: no room for more than {} ({} ago)", limits::LEASES, age(since));
            found.push(("leases_full", text));
        }
        found
    }
}

fn show(lease: &Lease<'_>, now: Instant) -> status::Lease {
    let client = lease.client;
    let id = if lease.address.is_ipv6() { client.id() } else { None };
    status::Lease {
        address: lease.address.to_string(),
        client: id.unwrap_or(client.hardware()).to_owned(),
        name: client.name().map(str::to_owned),
        expires_in: lease.life.left(now).map(Decimal::seconds),
    }
}

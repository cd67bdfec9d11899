//! What the other methods answer.

use crate::record::record;
use crate::ubus::Decimal;

/// Something that happened: in the history, and as an event on ubus at the end of the turn in which it did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Happening {
    /// How long ago, in seconds.
    pub age: Option<Decimal>,
    /// When, in microseconds since boot; in the history file only.
    pub at_us: Option<u64>,
    /// `role`, `peer_found`, `peer_lost`, `track`, ...
    pub event: String,
    /// One line for people.
    pub message: String,
    /// The group whose role changed, or which the instance is in.
    pub group: Option<String>,
    /// Where another router was found or lost.
    pub instance: Option<String>,
    /// The address of that router.
    pub peer: Option<String>,
    /// The role before; of another router `alive` or `silent`.
    pub from: Option<String>,
    /// The same from then on.
    pub to: Option<String>,
    /// Why, in words.
    pub cause: Option<String>,
    /// Why, as a stable word.
    pub cause_code: Option<String>,
    /// The group's count of role changes.
    pub epoch: Option<u32>,
}

/// The answer to `history`: the youngest last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// What happened.
    pub events: Vec<Happening>,
}

/// The answer to a command.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Whether it was carried out. If not, nothing has changed.
    pub done: bool,
    /// Why not.
    pub error: Option<String>,
    /// From the command to its effect.
    pub took_ms: Option<Decimal>,
}

/// The answer to `check` and `reload`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Whether the file can be used.
    pub valid: bool,
    /// The file.
    pub file: String,
    /// Why not.
    pub errors: Vec<String>,
    /// What is odd about it.
    pub warnings: Vec<String>,
}

/// The answer to `leases`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LeaseList {
    /// The leases that both routers share.
    pub leases: Vec<Lease>,
    /// Why there are none.
    pub error: Option<String>,
}

/// A DHCP lease.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lease {
    /// The address that is lent.
    pub address: String,
    /// To whom: hardware address or DUID.
    pub client: String,
    /// Its name.
    pub name: Option<String>,
    /// For how long yet, in seconds; absent: for ever.
    pub expires_in: Option<Decimal>,
}

record! {
    Happening: age, at_us, event, message, group, instance, peer, from, to, cause, cause_code, epoch;
    History: events;
    Outcome: done, error, took_ms;
    Checked: valid, file, errors, warnings;
    LeaseList: leases, error;
    Lease: address, client, name, expires_in;
}

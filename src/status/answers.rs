//! What the other methods answer.

use serde::Serialize;

use crate::record::decode;

/// Something that happened: in the history, and as an event on ubus at the end of the turn in which it did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Happening {
    /// How long ago, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<f64>,
    /// When, in microseconds since boot; in the history file only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_us: Option<u64>,
    /// `role`, `peer_found`, `peer_lost`, `track`, ...
    pub event: String,
    /// One line for people.
    pub message: String,
    /// The group whose role changed, or which the instance is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Where another router was found or lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The address of that router.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The role before; of another router `alive` or `silent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The same from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Why, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Why, as a stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause_code: Option<String>,
    /// The group's count of role changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
}

/// The answer to `history`: the youngest last.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct History {
    /// What happened.
    pub events: Vec<Happening>,
}

/// The answer to a command.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Outcome {
    /// Whether it was carried out. If not, nothing has changed.
    pub done: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// From the command to its effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<f64>,
}

/// The answer to `check` and `reload`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LeaseList {
    /// The leases that both routers share.
    pub leases: Vec<Lease>,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A DHCP lease.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Lease {
    /// The address that is lent.
    pub address: String,
    /// To whom: hardware address or DUID.
    pub client: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For how long yet, in seconds; absent: for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<f64>,
}

decode! {
    Happening: age, at_us, event, message, group, instance, peer, from, to, cause, cause_code, epoch;
    History: events;
    Outcome: done, error, took_ms;
    Checked: valid, file, errors, warnings;
    LeaseList: leases, error;
    Lease: address, client, name, expires_in;
}

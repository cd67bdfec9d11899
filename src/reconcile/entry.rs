//! One virtual address of the configuration, and how it fared.

use core::time::Duration;
use std::net::IpAddr;

use crate::config::model::{GroupId, LinkId, LinkRef, Vip};
use crate::engine::{Addresses, Instant};
use crate::netlink::{Family, IfIndex, IfName, Label, Mirror};

use super::plan::{Observed, Op, Standing, WantedAddress};
use super::retry::{Jitter, Retry};

/// One virtual address of the configuration.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) group: GroupId,
    link: LinkId,
    /// The link as the user named it: with the address it makes an entry the same after a reload.
    link_ref: LinkRef,
    vip: Vip,
    device: Option<Device>,
    standing: Standing,
    pub(super) retry: Retry,
    error: Option<String>,
}

/// The device of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Device {
    index: IfIndex,
    name: IfName,
    power: Power,
}

/// Whether the operator has switched a device on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Power {
    On,
    Off,
}

/// A line of `actions` in the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What kind of thing it is.
    pub kind: &'static str,
    /// Which one.
    pub name: String,
    /// What should be with it: `present`, `absent` or `hold`.
    pub wanted: &'static str,
    /// What is with it: `present`, `absent`, or `foreign` if only somebody else has put it there.
    pub observed: &'static str,
    /// Why it is not as it should be.
    pub error: Option<String>,
    /// When it is tried again.
    pub retry_in: Option<Duration>,
}

impl Entry {
    pub(super) fn new(group: GroupId, link: LinkId, link_ref: LinkRef, vip: Vip) -> Entry {
        let (device, standing, retry, error) = (None, Standing::Absent, Retry::default(), None);
        Entry { group, link, link_ref, vip, device, standing, retry, error }
    }

    /// Whether `other` is about the same thing, though its details and ids may differ.
    pub(super) fn is_same(&self, other: &Entry) -> bool {
        (&self.link_ref, self.vip.address) == (&other.link_ref, other.vip.address)
    }

    /// Takes over what its earlier self had seen.
    pub(super) fn inherit(&mut self, old: Entry) {
        (self.device, self.standing) = (old.device, old.standing);
        (self.retry, self.error) = (old.retry, old.error);
    }

    /// Forgets its failures: something else is wanted of it now.
    pub(super) fn start_over(&mut self) {
        (self.retry, self.error) = (Retry::default(), None);
    }

    /// Finds its device again.
    pub(super) fn resolve(&mut self, mirror: &Mirror, names: &[Option<IfName>]) -> Continuity {
        let before = self.device;
        let name = names.get(self.link.index()).copied().flatten();
        self.device = name.and_then(|name| mirror.link_named(name)).map(|link| Device {
            index: link.index,
            name: link.name,
            power: if link.flags.is_up() { Power::On } else { Power::Off },
        });
        match self.device {
            Some(device) if self.device == before && device.power == Power::On => Continuity::Unbroken,
            Some(_) | None => Continuity::Broken,
        }
    }

    /// Takes in what is with the address now.
    pub(super) fn see(
        &mut self,
        standing: Standing,
        wanted: Addresses,
        was: Continuity,
        now: Instant,
        jitter: &mut Jitter,
    ) {
        let is_gone = self.standing == Standing::Ours && standing == Standing::Absent;
        self.standing = standing;
        // A device that goes away or down takes its addresses along; that is nobody's doing.
        if is_gone && wanted == Addresses::Present && was == Continuity::Unbroken {
            self.error = Some("removed by somebody else".to_owned());
            self.retry.lost(now, jitter);
        }
    }

    /// What the plan is told of it.
    ///
    /// While its device is not known (netifd has not answered yet, or the device is gone), an address of ours stays
    /// wherever it is, or goes if it should.
    pub(super) fn wishes(&self, wanted: Addresses, observed: &Observed) -> Vec<WantedAddress> {
        let Some(device) = self.device else {
            let wanted = if wanted == Addresses::Absent { Addresses::Absent } else { Addresses::Hold };
            let mut wishes = Vec::new();
            for placed in observed.ours() {
                if placed.prefix.address() == self.vip.address {
                    wishes.push(placed.wanted(wanted));
                }
            }
            return wishes;
        };
        let family = Family::of(self.vip.address);
        // A device that is down loses its IPv6 addresses, and would lose them again.
        let is_in_vain = device.power == Power::Off && family == Family::V6;
        let wanted = if wanted == Addresses::Present && is_in_vain { Addresses::Hold } else { wanted };
        let label = self.vip.label.as_deref().filter(|_| family == Family::V4);
        let label = label.and_then(|label| Label::on_device(device.name, label));
        let Vip { address, prefix: length, .. } = self.vip;
        vec![WantedAddress { device: device.index, address, length, label, wanted }]
    }

    /// What is with it.
    pub(super) fn standing_in(&self, observed: &Observed) -> Standing {
        self.device.map_or(Standing::Absent, |device| observed.standing(device.index, self.vip.address))
    }

    /// Whether it is about `address` on `device`. As long as its own is not known it can be any.
    pub(super) fn is_about(&self, device: IfIndex, address: IpAddr) -> bool {
        self.vip.address == address && self.device.is_none_or(|own| own.index == device)
    }

    /// Whether it is what `op` changes.
    pub(super) fn is_changed_by(&self, op: &Op) -> bool {
        match op {
            Op::AddAddress(placed) | Op::RemoveAddress(placed) => {
                self.is_about(placed.device, placed.prefix.address())
            }
            Op::KeepSecondaries(_) => false,
        }
    }

    /// Nothing is left to do for it.
    pub(super) fn settled(&mut self, now: Instant) {
        self.error = None;
        self.retry.settled(now);
    }

    /// A step for it was taken.
    pub(super) fn stepped(&mut self, op: &Op) {
        self.error = None;
        self.standing = match op {
            Op::AddAddress(_) => Standing::Ours,
            Op::RemoveAddress(_) => Standing::Absent,
            Op::KeepSecondaries(_) => self.standing,
        };
    }

    /// A step for it failed.
    pub(super) fn failed(&mut self, error: String, now: Instant, jitter: &mut Jitter) {
        self.error = Some(error);
        self.retry.failed(now, jitter);
    }

    /// Whether it is not as it should be.
    pub(super) fn is_failing(&self) -> bool {
        self.error.is_some()
    }

    /// Its line in the status.
    pub(super) fn row(&self, wanted: Addresses, now: Instant) -> Row {
        let length = self.vip.prefix.map(|length| format!("/{length}")).unwrap_or_default();
        let missing = self.device.is_none().then(|| format!("no interface {} yet", self.link_ref));
        Row {
            kind: "address",
            name: format!("{}{length} {}", self.vip.address, self.link_ref),
            wanted: match wanted {
                Addresses::Present => "present",
                Addresses::Absent => "absent",
                Addresses::Hold => "hold",
            },
            observed: match self.standing {
                Standing::Ours => "present",
                Standing::Absent => "absent",
                Standing::Foreign => "foreign",
            },
            error: self.error.clone().or(missing.filter(|_| wanted == Addresses::Present)),
            retry_in: self.retry.due().map(|due| due.since(now)),
        }
    }
}

/// Whether a device was there and on since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Continuity {
    Unbroken,
    Broken,
}

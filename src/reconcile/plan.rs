//! The plan: from what is wanted and what is there to the steps between them. Pure.
//!
//! Addresses are the only kind of thing yet. A further kind becomes a field of [`Desired`] and of [`Observed`],
//! variants of [`Op`], and a part of [`plan`], whose order is the order of phases.

use std::net::IpAddr;

use crate::engine::Addresses;
use crate::netlink::{Family, IfIndex, Label, Prefix};
use crate::sorted::Set;

/// What the roles ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Desired {
    /// The virtual addresses of all groups whose device is there, each once.
    pub addresses: Vec<WantedAddress>,
}

/// A virtual address, and what should be with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedAddress {
    /// The device it belongs on.
    pub device: IfIndex,
    /// The address.
    pub address: IpAddr,
    /// The written prefix length, at most 32 or 128; `None`: that of the device's network.
    pub length: Option<u8>,
    /// Its label.
    pub label: Option<Label>,
    /// What should be with it.
    pub wanted: Addresses,
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// All addresses of all devices, in the kernel's order.
    pub addresses: Vec<SeenAddress>,
}

/// An address that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenAddress {
    /// Where and what.
    pub placed: Placed,
    /// Who put it there.
    pub owner: Owner,
}

/// Who put something into the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// This program.
    Ours,
    /// Somebody else. Never touched.
    Stranger,
}

/// An address exactly as it is, or is to be, installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// On which device.
    pub device: IfIndex,
    /// The address and the network that it makes reachable; a host prefix makes none reachable.
    pub prefix: Prefix,
    /// Its label, unless it is the device's name.
    pub label: Option<Label>,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// From now on the other addresses of a network stay on the device when the first one goes.
    KeepSecondaries(IfIndex),
    /// Install an address of ours; fails if it is there.
    AddAddress(Placed),
    /// Remove an address of ours; if it is gone already, that is as good.
    RemoveAddress(Placed),
}

/// What is with a wanted address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is not there.
    Absent,
    /// It is there, and ours.
    Ours,
    /// It is there, and only somebody else's.
    Foreign,
}

impl Observed {
    /// What is with `address` on `device`.
    pub fn standing(&self, device: IfIndex, address: IpAddr) -> Standing {
        if self.has(device, address, Owner::Ours) {
            Standing::Ours
        } else if self.has(device, address, Owner::Stranger) {
            Standing::Foreign
        } else {
            Standing::Absent
        }
    }

    fn has(&self, device: IfIndex, address: IpAddr, owner: Owner) -> bool {
        let is_it = |placed: &Placed| placed.device == device && placed.is(address);
        self.addresses.iter().any(|seen| seen.owner == owner && is_it(&seen.placed))
    }

    /// What is ours.
    pub fn ours(&self) -> Vec<&Placed> {
        let mut ours = Vec::new();
        for seen in &self.addresses {
            if seen.owner == Owner::Ours {
                ours.push(&seen.placed);
            }
        }
        ours
    }
}

impl Placed {
    /// The wish for the same address, wherever it came from.
    pub(super) fn wanted(&self, wanted: Addresses) -> WantedAddress {
        let Placed { device, prefix, label } = *self;
        WantedAddress { device, address: prefix.address(), length: None, label, wanted }
    }

    fn is(&self, address: IpAddr) -> bool {
        self.prefix.address() == address
    }

    /// Whether the network of `inner` is reachable through this address.
    fn covers(&self, inner: Prefix) -> bool {
        self.prefix.length() <= inner.length() && self.prefix.contains(inner.address())
    }
}

/// The steps from `observed` to `desired`.
///
/// Total: any input gives a plan. Idempotent: once it is carried out, the next one is empty. Only what is
/// [`Owner::Ours`] is removed. What goes comes before what comes, because "off" is what another router
/// may be waiting for.
pub fn plan(desired: &Desired, observed: &Observed) -> Vec<Op> {
    let goals = goals(desired, observed);
    let is_left_alone = |placed: &Placed| {
        let is_it = |entry: &WantedAddress| entry.device == placed.device && placed.is(entry.address);
        desired.addresses.iter().any(|entry| is_it(entry) && entry.leaves_alone(observed))
    };
    let ours = observed.ours();
    let mut stale = ours.clone();
    stale.retain(|placed| !goals.contains(placed) && !is_left_alone(placed));
    let mut missing = Vec::new();
    for goal in &goals {
        if !ours.contains(&goal) {
            missing.push(goal);
        }
    }
    let is_replaced =
        |old: &Placed| missing.iter().any(|new| new.device == old.device && new.is(old.prefix.address()));

    let mut ops = keep_secondaries(&stale, observed, &goals);
    for old in &stale {
        if !is_replaced(old) {
            ops.push(Op::RemoveAddress(**old));
        }
    }
    for new in missing {
        let mut later = Vec::new();
        for old in &stale {
            if old.device == new.device && old.is(new.prefix.address()) {
                let when = if must_go_first(old, new) { &mut ops } else { &mut later };
                when.push(Op::RemoveAddress(**old));
            }
        }
        ops.push(Op::AddAddress(*new));
        ops.append(&mut later);
    }
    ops
}

/// Whether `old` must be removed before the same address can be added as `new`. Otherwise it is removed
/// after, so that the address is never gone: IPv4 can have it twice, with different lengths.
fn must_go_first(old: &Placed, new: &Placed) -> bool {
    match old.prefix.family() {
        Family::V4 => old.prefix == new.prefix,
        Family::V6 => true,
    }
}

/// What should be installed, exactly.
fn goals(desired: &Desired, observed: &Observed) -> Vec<Placed> {
    let ours = observed.ours();
    // The widest network first, as it makes the narrower ones reachable too. Of several virtual addresses of one
    // network the one that has done so goes on doing it; else their order is that of the file.
    let mut present: Set<(u8, bool, usize)> = Set::new();
    for (at, entry) in desired.addresses.iter().enumerate() {
        if entry.wanted == Addresses::Present && !entry.leaves_alone(observed) {
            let written = entry.placed(entry.written());
            present.insert((written.prefix.length(), !ours.contains(&&written), at));
        }
    }
    let mut goals: Vec<Placed> = Vec::with_capacity(present.len());
    for (.., at) in &present {
        let Some(entry) = desired.addresses.get(*at) else { continue };
        let covers = |other: &Placed| {
            other.device == entry.device && !other.is(entry.address) && other.covers(entry.written())
        };
        let is_strangers = |seen: &SeenAddress| seen.owner == Owner::Stranger && covers(&seen.placed);
        let is_covered = observed.addresses.iter().any(is_strangers) || goals.iter().any(covers);
        let prefix = if is_covered { Prefix::host(entry.address) } else { entry.written() };
        goals.push(entry.placed(prefix));
    }
    goals
}

impl WantedAddress {
    /// Whether nothing is to be done about it. That is also so while a stranger has put it on the device: it is
    /// there, which is all that is wanted, and ours beside it can't take every form.
    fn leaves_alone(&self, observed: &Observed) -> bool {
        match self.wanted {
            Addresses::Hold => true,
            Addresses::Present => observed.has(self.device, self.address, Owner::Stranger),
            Addresses::Absent => false,
        }
    }

    /// The prefix as it is written.
    ///
    /// A host address is all that is needed without a length, which means the device's own network, and for IPv6
    /// link-local addresses, whose network is reachable on every device (the kernel tells of the router's
    /// own only a second or two after the device is up, when it is proven to be unique).
    fn written(&self) -> Prefix {
        let is_link_local = match self.address {
            IpAddr::V4(_) => false,
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        let length = self.length.filter(|_| !is_link_local);
        length.and_then(|length| Prefix::new(self.address, length)).unwrap_or(Prefix::host(self.address))
    }

    fn placed(&self, prefix: Prefix) -> Placed {
        Placed { device: self.device, prefix, label: self.label }
    }
}

/// The devices on which an IPv4 address that goes would take others with it.
///
/// That is what the kernel does with the first address of a network, and the others can be the router's own: they
/// came while ours was the only one. With these steps done first they stay.
fn keep_secondaries(stale: &[&Placed], observed: &Observed, goals: &[Placed]) -> Vec<Op> {
    let takes_others_along = |old: &Placed| {
        let is_beside = |other: &Placed| {
            other.device == old.device
                && other.prefix != old.prefix
                && other.prefix.length() == old.prefix.length()
                && old.prefix.contains(other.prefix.address())
        };
        let are_there = observed.addresses.iter().any(|seen| is_beside(&seen.placed));
        old.prefix.family() == Family::V4 && (are_there || goals.iter().any(is_beside))
    };
    let mut devices = Set::new();
    let mut ops = Vec::new();
    for old in stale {
        if takes_others_along(old) && devices.insert(old.device) {
            ops.push(Op::KeepSecondaries(old.device));
        }
    }
    ops
}

#[cfg(test)]
mod tests;

//! Both sides of the plan, and how each thing fared so far.

use crate::config::model::{Config, GroupId};
use crate::engine::{Addresses, ApplyOutcome, Epoch, Instant};
use crate::netlink::{Address, IfName, Label, Mirror, Protocol};

use super::MARK;
use super::entry::{Entry, Row};
use super::plan::{Desired, Observed, Op, Owner, Placed, SeenAddress, WantedAddress, plan};
use super::record::Record;
use super::retry::{Jitter, Retry};

/// Keeps what is wanted, what is there, and the retries between the two.
///
/// [`Reconciler::settle`] brings them together. It is to be called when a role, the configuration or the kernel's
/// state has changed, and at [`Reconciler::next_deadline`]; then [`Reconciler::applied`] has the news for the engine.
#[derive(Debug)]
pub struct Reconciler {
    groups: Vec<GroupState>,
    entries: Vec<Entry>,
    observed: Observed,
    record: Record,
    marks: Marks,
    /// The removal of what is ours and in no configuration any more.
    leftovers: Retry,
    jitter: Jitter,
}

/// Whether the kernel tells who added an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marks {
    /// It does: some address carried a number.
    Kept,
    /// None did, so far.
    NotSeen,
}

#[derive(Debug)]
struct GroupState {
    wanted: Addresses,
    epoch: Epoch,
    /// What was last told of it.
    told: Option<(Epoch, ApplyOutcome)>,
}

/// Whether a group's addresses are as its role asks, for [`crate::engine::Event::Applied`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// Which group.
    pub group: GroupId,
    /// In which of its epochs.
    pub epoch: Epoch,
    /// Whether they are.
    pub outcome: ApplyOutcome,
}

/// The hands that carry out the steps.
pub trait Hands {
    /// The kernel's links and addresses, with the steps that succeeded.
    fn mirror(&self) -> &Mirror;

    /// Puts the record on file, unless it is there already. Called before the steps that it is about.
    fn keep(&mut self, record: &Record);

    /// Takes one step. The error is a reason for people.
    fn take(&mut self, op: &Op) -> Result<(), String>;
}

impl Reconciler {
    /// Nothing is wanted yet. `record` is what an earlier life of the daemon has left.
    pub fn new(record: Record, seed: u64) -> Reconciler {
        Reconciler {
            groups: Vec::new(),
            entries: Vec::new(),
            observed: Observed::default(),
            record,
            marks: Marks::NotSeen,
            leftovers: Retry::default(),
            jitter: Jitter::new(seed),
        }
    }

    /// Takes a new configuration, and what the role of each group asks for.
    ///
    /// What is in both configurations keeps its history. A disabled configuration wants nothing.
    pub fn configure(&mut self, config: &Config, role: &dyn Fn(GroupId) -> (Addresses, Epoch)) {
        self.groups.clear();
        for id in 0..config.groups.len() {
            let (wanted, epoch) = role(group_id(id));
            self.groups.push(GroupState { wanted, epoch, told: None });
        }
        let mut known = core::mem::take(&mut self.entries);
        for instance in config.instances.iter().filter(|_| config.enabled) {
            let Some(link_ref) = config.links.get(instance.link.index()) else { continue };
            for vip in &instance.vips {
                let mut entry = Entry::new(instance.group, instance.link, link_ref.clone(), vip.clone());
                if let Some(old) = known.iter().position(|old| old.is_same(&entry)) {
                    entry.inherit(known.swap_remove(old));
                }
                self.entries.push(entry);
            }
        }
    }

    /// A group's role changed. Failures under the old one no longer count.
    pub fn set_role(&mut self, id: GroupId, wanted: Addresses, epoch: Epoch) {
        let Some(group) = self.groups.get_mut(id.index()) else { return };
        if group.wanted != wanted {
            self.entries.iter_mut().filter(|entry| entry.group == id).for_each(Entry::start_over);
        }
        (group.wanted, group.epoch) = (wanted, epoch);
    }

    /// Takes all steps that are due. `names` says which device each link of the configuration is, as far as
    /// that is known.
    pub fn settle(&mut self, now: Instant, names: &[Option<IfName>], hands: &mut impl Hands) {
        // A step that fails makes its entry wait. So each round but the last two has one entry less to deal with.
        for _ in 0..self.entries.len().saturating_add(2) {
            self.observe(now, hands.mirror(), names);
            let steps = self.plan(now, hands.mirror());
            hands.keep(&self.record);
            if steps.is_empty() {
                return;
            }
            self.take(now, &steps, hands);
        }
    }

    /// Takes the steps up to one that fails, since the later ones may rest on it.
    fn take(&mut self, now: Instant, steps: &[Op], hands: &mut impl Hands) {
        for op in steps {
            let result = hands.take(op);
            let is_over = result.is_err() && !matches!(op, Op::KeepSecondaries(_));
            self.done(now, op, result);
            if is_over {
                return;
            }
        }
    }

    fn observe(&mut self, now: Instant, mirror: &Mirror, names: &[Option<IfName>]) {
        if mirror.addresses().any(|address| address.protocol != Protocol::UNSPECIFIED) {
            self.marks = Marks::Kept;
        }
        let mut continuity = Vec::new();
        for entry in &mut self.entries {
            continuity.push(entry.resolve(mirror, names));
        }
        let mut addresses = Vec::new();
        for address in mirror.addresses() {
            addresses.extend(self.judge(address, mirror));
        }
        self.observed.addresses = addresses;
        for (entry, was) in self.entries.iter_mut().zip(continuity) {
            let standing = entry.standing_in(&self.observed);
            entry.see(standing, wanted(&self.groups, entry.group), was, now, &mut self.jitter);
        }
    }

    /// An address and whose it is.
    fn judge(&self, address: &Address, mirror: &Mirror) -> Option<SeenAddress> {
        let link = mirror.link(address.index)?;
        // The kernel labels an address that was given no label with the name of the device.
        let label = address.label.filter(|label| Label::new(link.name.as_bytes()) != Some(*label));
        let placed = Placed { device: link.index, prefix: address.prefix, label };
        let ip = address.prefix.address();
        let is_configured = self.entries.iter().any(|entry| entry.is_about(link.index, ip));
        let is_recorded = self.record.contains(link.name, ip);
        let is_ours = match self.marks {
            Marks::Kept => address.protocol == MARK && (is_configured || is_recorded),
            Marks::NotSeen => is_recorded,
        };
        let owner = if is_ours { Owner::Ours } else { Owner::Stranger };
        Some(SeenAddress { placed, owner })
    }

    /// The steps that are due now. The record must be on file before they are taken.
    fn plan(&mut self, now: Instant, mirror: &Mirror) -> Vec<Op> {
        let all = plan(&self.desired(&|_| false), &self.observed);
        for entry in &mut self.entries {
            if !all.iter().any(|op| entry.is_changed_by(op)) {
                entry.settled(now);
            }
        }
        if self.leftovers().is_empty() {
            self.leftovers.settled(now);
        }
        let mut desired = self.desired(&|entry| entry.retry.is_waiting(now));
        if self.leftovers.is_waiting(now) {
            desired.addresses.extend(self.leftovers());
        }
        let due = plan(&desired, &self.observed);
        self.remember(&due, mirror);
        due
    }

    /// What is ours and in no configuration any more, as if it were held.
    fn leftovers(&self) -> Vec<WantedAddress> {
        let mut held = Vec::new();
        for placed in self.observed.ours() {
            if !self.entries.iter().any(|entry| entry.is_about(placed.device, placed.prefix.address())) {
                held.push(placed.wanted(Addresses::Hold));
            }
        }
        held
    }

    /// What is wanted; nothing is wanted of an entry that has to wait.
    fn desired(&self, has_to_wait: &dyn Fn(&Entry) -> bool) -> Desired {
        let mut wishes: Vec<WantedAddress> = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let wanted = wanted(&self.groups, entry.group);
            let wanted = if has_to_wait(entry) { Addresses::Hold } else { wanted };
            for wish in entry.wishes(wanted, &self.observed) {
                // Two instances may name one device in two ways. The address is there for whichever needs it.
                let is_same =
                    |known: &&mut WantedAddress| (known.device, known.address) == (wish.device, wish.address);
                match wishes.iter_mut().find(is_same) {
                    Some(known) if strength(wish.wanted) > strength(known.wanted) => *known = wish,
                    Some(_) => {}
                    None => wishes.push(wish),
                }
            }
        }
        Desired { addresses: wishes }
    }

    /// Puts into the record what is ours and what is about to be.
    fn remember(&mut self, due: &[Op], mirror: &Mirror) {
        let mut ours = self.observed.ours();
        for op in due {
            match op {
                Op::AddAddress(placed) => ours.push(placed),
                Op::RemoveAddress(_) | Op::KeepSecondaries(_) => {}
            }
        }
        let mut record = Record::default();
        for placed in ours {
            if let Some(link) = mirror.link(placed.device) {
                record.insert(link.name, placed.prefix.address());
            }
        }
        self.record = record;
    }

    fn done(&mut self, now: Instant, op: &Op, result: Result<(), String>) {
        let mut is_leftover = matches!(op, Op::RemoveAddress(_));
        for entry in &mut self.entries {
            if entry.is_changed_by(op) {
                is_leftover = false;
                match &result {
                    Ok(()) => entry.stepped(op),
                    Err(error) => entry.failed(error.clone(), now, &mut self.jitter),
                }
            }
        }
        if is_leftover && result.is_err() {
            self.leftovers.failed(now, &mut self.jitter);
        }
    }

    /// What the engine has not been told yet, once the plan is empty.
    pub fn applied(&mut self) -> Vec<Applied> {
        let Reconciler { groups, entries, .. } = self;
        let mut news = Vec::new();
        for (at, group) in groups.iter_mut().enumerate() {
            if group.wanted == Addresses::Hold {
                continue;
            }
            let id = group_id(at);
            let is_failing = entries.iter().any(|entry| entry.group == id && entry.is_failing());
            let outcome = if is_failing { ApplyOutcome::Failing } else { ApplyOutcome::Complete };
            if group.told != Some((group.epoch, outcome)) {
                group.told = Some((group.epoch, outcome));
                news.push(Applied { group: id, epoch: group.epoch, outcome });
            }
        }
        news
    }

    /// When there is something to try again.
    pub fn next_deadline(&self) -> Option<Instant> {
        let mut next = self.leftovers.due();
        for entry in &self.entries {
            next = Instant::earliest(&[next, entry.retry.due()]);
        }
        next
    }

    /// The lines of the status, in the order of the configuration.
    pub fn rows(&self, now: Instant) -> impl Iterator<Item = Row> {
        self.entries.iter().map(move |entry| entry.row(wanted(&self.groups, entry.group), now))
    }
}

/// What a group wants; of a group that is not there nothing is known, so that nothing is touched.
fn wanted(groups: &[GroupState], id: GroupId) -> Addresses {
    groups.get(id.index()).map_or(Addresses::Hold, |group| group.wanted)
}

fn group_id(place: usize) -> GroupId {
    GroupId(u16::try_from(place).unwrap_or(u16::MAX))
}

fn strength(wanted: Addresses) -> u8 {
    match wanted {
        Addresses::Absent => 0,
        Addresses::Hold => 1,
        Addresses::Present => 2,
    }
}

#[cfg(test)]
mod tests;

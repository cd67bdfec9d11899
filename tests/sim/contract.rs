//! What an engine may ask for, whatever happens: held at every step of every run.

use gwha::config::model::GroupId;
use gwha::engine::{Action, Engine, Epoch, Instant, Role};

/// More actions than this in one step would be a loop, not a decision.
const ACTIONS_MAX: usize = 64;

/// Adverts of one instance in a second, beyond its periodic ones and answers to questions (protocol
/// rule 11 bounds them).
const EXTRA_ADVERTS_MAX: u32 = 100;

/// What the engine of one life has done so far.
#[derive(Debug)]
pub struct Contract {
    role: Role,
    epoch: Option<Epoch>,
    stopping: bool,
    /// The role is taken in this step; the advert goes first.
    rising: bool,
    second: u64,
    adverts: Vec<u32>,
    /// Adverts of priority 0 or 1 that came in: each may be answered.
    questions: u32,
}

impl Default for Contract {
    fn default() -> Contract {
        Contract {
            role: Role::Init,
            epoch: None,
            stopping: false,
            rising: false,
            second: 0,
            adverts: Vec::new(),
            questions: 0,
        }
    }
}

impl Contract {
    /// A life that has come to this role: for showing that the contract is held.
    pub fn pretend(&mut self, role: Role) {
        self.role = role;
    }

    /// An advert is about to be read.
    pub fn hears(&mut self, priority: u8) {
        self.questions += u32::from(priority < 2);
    }

    /// Looks at the actions of a step.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn look(&mut self, at: Instant, actions: &[Action], engine: &Engine) -> Result<(), String> {
        if actions.len() > ACTIONS_MAX {
            return Err(format!("{} actions in one step", actions.len()));
        }
        let rises = |action: &Action| matches!(action, Action::Role(change) if change.to == Role::Master);
        self.rising = actions.iter().any(rises);
        for action in actions {
            self.action(at, action, engine)?;
        }
        let (role, epoch) = engine.role(GroupId(0));
        if role != self.role || self.epoch.is_some_and(|known| known != epoch) {
            return Err(format!("the engine is {role} in epoch {epoch}, and never said so"));
        }
        Ok(())
    }

    fn action(&mut self, at: Instant, action: &Action, engine: &Engine) -> Result<(), String> {
        match action {
            Action::Role(change) => {
                if change.from != self.role || change.to == self.role {
                    return Err(format!("role change {} to {} of a {}", change.from, change.to, self.role));
                }
                if self.epoch.is_some_and(|known| change.epoch != known.next()) {
                    let known = self.epoch.unwrap_or_default();
                    return Err(format!("epoch {} follows {known}", change.epoch));
                }
                if change.to == Role::Master && self.is_mute(at, engine) {
                    return Err("a node without a usable member becomes master".to_owned());
                }
                (self.role, self.epoch) = (change.to, Some(change.epoch));
                self.stopping |= change.cause == gwha::engine::Cause::Terminated;
                Ok(())
            }
            Action::Advertise { instance, priority } => {
                self.advert(*priority)?;
                self.count(at, instance.index(), engine)
            }
            Action::Announce { .. } if self.role != Role::Master => {
                Err(format!("a {} announces the addresses", self.role))
            }
            Action::Announce { .. }
            | Action::Probe { .. }
            | Action::EndProbe { .. }
            | Action::KeepMaintenance(_)
            | Action::Reply { .. }
            | Action::Notice(_)
            | Action::Configured
            | Action::Exit => Ok(()),
        }
    }

    fn is_mute(&self, at: Instant, engine: &Engine) -> bool {
        let instances = &engine.config().groups[0].instances;
        instances.iter().all(|id| engine.instance(*id, at).problem.is_some())
    }

    /// Rules 2, 10, 12, 13: a master says its priority, 1 is a question, 0 is said when stopping.
    fn advert(&self, priority: u8) -> Result<(), String> {
        match priority {
            0 if !self.stopping => Err("priority 0 from a daemon that does not stop".to_owned()),
            0 | 1 => Ok(()),
            2..=4 | 16..=255 if self.role == Role::Master || self.rising => Ok(()),
            _ => Err(format!("a {} advertises priority {priority}", self.role)),
        }
    }

    fn count(&mut self, at: Instant, instance: usize, engine: &Engine) -> Result<(), String> {
        let second = at.as_micros() / 1_000_000;
        if second != self.second {
            (self.second, self.questions) = (second, 0);
            self.adverts.clear();
        }
        self.adverts.resize(self.adverts.len().max(instance + 1), 0);
        self.adverts[instance] += 1;
        let interval = u32::from(engine.config().instances[instance].interval.centiseconds());
        if self.adverts[instance] > 200 / interval + EXTRA_ADVERTS_MAX + self.questions {
            return Err(format!("{} adverts of one instance within a second", self.adverts[instance]));
        }
        Ok(())
    }
}

//! What an engine may ask for, whatever happens: held at every step of every run.

use gwha::config::model::GroupId;
use gwha::engine::{Action, Engine, Epoch, Instant, Role};

/// More actions than this in one step would be a loop, not a decision.
const ACTIONS_MAX: usize = 64;

/// Adverts of one instance in a second, beyond its periodic ones (protocol rule 11 bounds them).
const EXTRA_ADVERTS_MAX: u32 = 60;

/// What the engine of one life has done so far.
#[derive(Debug)]
pub struct Contract {
    role: Role,
    epoch: Option<Epoch>,
    stopping: bool,
    second: u64,
    adverts: Vec<u32>,
}

impl Default for Contract {
    fn default() -> Contract {
        Contract { role: Role::Init, epoch: None, stopping: false, second: 0, adverts: Vec::new() }
    }
}

impl Contract {
    /// Looks at the actions of a step.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn look(&mut self, at: Instant, actions: &[Action], engine: &Engine) -> Result<(), String> {
        if actions.len() > ACTIONS_MAX {
            return Err(format!("{} actions in one step", actions.len()));
        }
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
                    return Err(format!("epoch {} follows {:?}", change.epoch, self.epoch));
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
            | Action::Exit => Ok(()),
        }
    }

    /// Rules 2, 10, 12, 13: a master says its priority, 1 is a question, 0 is said when stopping.
    fn advert(&self, priority: u8) -> Result<(), String> {
        match priority {
            0 if !self.stopping => Err("priority 0 from a daemon that does not stop".to_owned()),
            0 | 1 => Ok(()),
            2..=4 | 16..=255 if self.role == Role::Master => Ok(()),
            _ => Err(format!("a {} advertises priority {priority}", self.role)),
        }
    }

    fn count(&mut self, at: Instant, instance: usize, engine: &Engine) -> Result<(), String> {
        let second = at.as_micros() / 1_000_000;
        if second != self.second {
            self.second = second;
            self.adverts.clear();
        }
        self.adverts.resize(self.adverts.len().max(instance + 1), 0);
        self.adverts[instance] += 1;
        let interval = u32::from(engine.config().instances[instance].interval.centiseconds());
        if self.adverts[instance] > 200 / interval + EXTRA_ADVERTS_MAX {
            return Err(format!("{} adverts of one instance within a second", self.adverts[instance]));
        }
        Ok(())
    }
}

//! What the router with the code answers.

use std::path::{Path, PathBuf};

use crate::peer::key::Key;

use super::agree::{self, Vip};
use super::facts::{self, Own, Place};
use super::files;
use super::message::{Message, Plan};

/// The host's side of every conversation that its code opens.
#[derive(Debug)]
pub struct Host {
    /// Its configuration file.
    pub config: PathBuf,
    /// Where it is.
    pub place: Place,
    /// What becomes of what it has.
    pub own: Own,
    /// The virtual address, if a configuration has to be made.
    pub vip: Vip,
    /// The key, if one has to be made: the same in every attempt.
    pub new_key: Key,
    /// What the guest said that it is called.
    pub guest: String,
    /// What the guest is thinking about.
    plan: Option<Plan>,
    /// Whether this router has carried a plan out.
    pub committed: bool,
    /// Where the configuration is that was there before.
    pub aside: Option<PathBuf>,
}

impl Host {
    /// A host that nobody has talked to.
    ///
    /// # Errors
    /// If the kernel has no randomness to give.
    pub fn new(config: &Path, place: Place, own: Own, vip: Vip) -> Result<Host, String> {
        let new_key = Key::generate().map_err(|error| error.to_string())?;
        let (config, guest) = (config.to_owned(), String::new());
        Ok(Host { config, place, own, vip, new_key, guest, plan: None, committed: false, aside: None })
    }

    /// What it says to a message; nothing to the last one.
    pub fn answer(&mut self, message: Message) -> Option<Message> {
        match message {
            Message::Hello(guest) => Some(match self.plan_for(&guest) {
                Ok(plan) => {
                    self.guest = guest.node;
                    self.plan = Some(plan.clone());
                    Message::Plan(plan)
                }
                Err(why) => Message::Refuse(why),
            }),
            Message::Ready => Some(match self.carry_out() {
                Ok(()) => Message::Commit,
                Err(why) => Message::Refuse(why),
            }),
            Message::Plan(_) | Message::Commit | Message::Done | Message::Refuse(_) => None,
        }
    }

    fn plan_for(&self, guest: &super::message::Facts) -> Result<Plan, String> {
        // What was carried out in an attempt that broke off is ours now, and not to be given up again.
        let own = if self.committed { Own::Kept } else { self.own };
        let facts = facts::gather(&self.config, &self.place, own)?;
        agree::agree(&facts, guest, &self.vip, &self.new_key)
    }

    fn carry_out(&mut self) -> Result<(), String> {
        let plan = self.plan.take().ok_or("nothing is agreed on")?;
        let config = agree::load(&plan.config)?;
        let key_file = Path::new(agree::key_file(&config));
        let own = if self.committed { Own::Kept } else { self.own };
        let staged = files::stage(&plan.key, key_file, &plan.config, &self.config, own)?;
        self.aside = staged.commit()?.or(self.aside.take());
        self.committed = true;
        Ok(())
    }
}

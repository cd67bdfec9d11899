//! What the router on which the code is typed says.

use std::path::{Path, PathBuf};

use super::agree;
use super::facts::{self, Own, Place};
use super::files::{self, Staged};
use super::message::{Facts, Message, Plan};

/// The guest's side of a conversation.
#[derive(Debug)]
pub struct Guest {
    /// Its configuration file.
    pub config: PathBuf,
    /// Where it is.
    pub place: Place,
    /// What becomes of what it has.
    pub own: Own,
    /// What the host said that it is called.
    pub host: String,
    /// What it has.
    facts: Option<Facts>,
    /// What waits for the host.
    staged: Option<Staged>,
    /// Where the configuration is that was there before.
    pub aside: Option<PathBuf>,
}

impl Guest {
    /// A guest that has said nothing.
    pub fn new(config: &Path, place: Place, own: Own) -> Guest {
        Guest {
            config: config.into(),
            place,
            own,
            host: String::new(),
            facts: None,
            staged: None,
            aside: None,
        }
    }

    /// Its first message.
    ///
    /// # Errors
    /// A sentence: what has to be mended first.
    pub fn hello(&mut self) -> Result<Message, String> {
        let facts = facts::gather(&self.config, &self.place, self.own)?;
        self.staged = None;
        self.facts = Some(facts.clone());
        Ok(Message::Hello(facts))
    }

    /// What it says to a message; nothing to a refusal.
    pub fn answer(&mut self, message: Message) -> Option<Message> {
        match message {
            Message::Plan(plan) => Some(match self.prepare(plan) {
                Ok(()) => Message::Ready,
                Err(why) => Message::Refuse(why),
            }),
            Message::Commit => Some(match self.carry_out() {
                Ok(()) => Message::Done,
                Err(why) => Message::Refuse(why),
            }),
            Message::Hello(_) | Message::Ready | Message::Done | Message::Refuse(_) => None,
        }
    }

    fn prepare(&mut self, plan: Plan) -> Result<(), String> {
        let facts = self.facts.as_ref().ok_or("nothing was asked for")?;
        // The host is known by its code, but what is here and was not given up is not replaced by anything.
        if facts.key.as_ref().is_some_and(|own| *own != plan.key) {
            return Err(format!("{} has a key of its own", facts.node));
        }
        if facts.config.as_ref().is_some_and(|own| !plan.config.starts_with(own.trim_ascii_end())) {
            return Err(format!("{} has a configuration of its own", facts.node));
        }
        let config = agree::load(&plan.config)?;
        let own = facts.address.0.into();
        if !agree::has_router(&config, own) {
            return Err(format!("the configuration has no place for {own} ({})", facts.node));
        }
        let key_file = Path::new(agree::key_file(&config));
        self.staged = Some(files::stage(&plan.key, key_file, &plan.config, &self.config, self.own)?);
        self.host = plan.node;
        Ok(())
    }

    fn carry_out(&mut self) -> Result<(), String> {
        let staged = self.staged.take().ok_or("nothing is agreed on")?;
        self.aside = staged.commit()?;
        Ok(())
    }
}

//! The configuration file: what it said when it was read last, and what of it is in force.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::collect::IntoVec as _;
use crate::config::model::{Config, Scheduling};
use crate::config::{self, Loaded, Rejected, Variants};
use crate::status::{Checked, ConfigState};
use crate::sync::file::{Hash, hash};

use super::bounded;

/// The file and its fate.
pub struct ConfigFile {
    path: PathBuf,
    /// What is in force: for every node, and for each; `None` until a file was good.
    in_force: Option<(Arc<Config>, Option<Variants>)>,
    /// Why the file as it was read last is not.
    errors: Vec<String>,
    warnings: Vec<String>,
    /// Of the text that is in force.
    content: Option<Hash>,
}

impl ConfigFile {
    /// Nothing has been read yet.
    pub fn new(path: PathBuf) -> ConfigFile {
        ConfigFile { path, in_force: None, errors: Vec::new(), warnings: Vec::new(), content: None }
    }

    /// Reads the file again. If it is in order it is in force, else what was in force before still is.
    pub fn read(&mut self) -> Checked {
        let (checked, loaded) = check_content(&self.path);
        if let Some((loaded, content)) = loaded {
            self.in_force = Some((Arc::new(loaded.config), loaded.variants));
            self.content = Some(content);
        }
        (self.errors, self.warnings) = (checked.errors.clone(), checked.warnings.clone());
        checked
    }

    /// The configuration in force, for a node with these addresses: without anything in it if it is disabled, or if no
    /// file was ever good.
    pub fn config(&self, own: &[IpAddr]) -> Arc<Config> {
        let Some((common, variants)) = &self.in_force else { return Arc::new(Config::idle()) };
        let config = match variants.as_ref().map(|variants| variants.for_node(own)) {
            None => Arc::clone(common),
            Some(Ok(config)) => Arc::new(config),
            Some(Err(rejected)) => {
                log::error!("{}", sentences(&rejected.errors).join("; "));
                Arc::clone(common)
            }
        };
        if config.enabled { config } else { Arc::new(Config::idle()) }
    }

    /// What the file says to every router, for comparing it with another router's.
    pub fn common(&self) -> Option<&Config> {
        self.in_force.as_ref().map(|(common, _)| &**common)
    }

    /// Whether [`ConfigFile::config`] depends on the addresses.
    pub fn depends_on_node(&self) -> bool {
        self.in_force.as_ref().is_some_and(|(_, variants)| variants.is_some())
    }

    /// Whether some file was good.
    pub fn is_in_force(&self) -> bool {
        self.in_force.is_some()
    }

    /// Whether the user has switched it off.
    pub fn is_disabled(&self) -> bool {
        self.common().is_some_and(|config| !config.enabled)
    }

    /// How much to log.
    pub fn log_level(&self) -> log::LevelFilter {
        self.common().map_or(log::LevelFilter::Info, |config| config.log_level)
    }

    /// What the daemon gets of the processor.
    pub fn scheduling(&self) -> Scheduling {
        self.common().map_or(Scheduling::Ordinary, |config| config.scheduling)
    }

    /// The hash of the text that is in force.
    pub fn content(&self) -> Option<Hash> {
        self.content
    }

    /// The file as it is now does not come into force, for this reason.
    pub fn refuse(&mut self, error: String) {
        self.errors = vec![error];
    }

    /// For the status.
    pub fn state(&self) -> ConfigState {
        ConfigState {
            state: if self.errors.is_empty() { "applied" } else { "rejected" }.into(),
            file: self.path.display().to_string(),
            errors: self.errors.clone(),
            warnings: self.warnings.clone(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Checks a file without using it.
pub fn check(path: &Path) -> (Checked, Option<Loaded>) {
    let (checked, loaded) = check_content(path);
    (checked, loaded.map(|(loaded, _)| loaded))
}

/// The hash of a file's text, if it could come into force.
pub fn content_if_valid(path: &Path) -> Option<Hash> {
    check_content(path).1.map(|(_, content)| content)
}

fn check_content(path: &Path) -> (Checked, Option<(Loaded, Hash)>) {
    let file = path.display().to_string();
    let result = bounded::read(path).map(|bytes| config::load(&file, &bytes).map(|it| (it, hash(&bytes))));
    let checked = Checked { file, ..Checked::default() };
    match result {
        Ok(Ok((loaded, content))) => {
            let warnings = sentences(&loaded.warnings);
            (Checked { valid: true, warnings, ..checked }, Some((loaded, content)))
        }
        Ok(Err(Rejected { errors, warnings, omitted })) => {
            let mut errors = sentences(&errors);
            if omitted > 0 {
                errors.push(format!("{}: and {omitted} more", checked.file));
            }
            (Checked { errors, warnings: sentences(&warnings), ..checked }, None)
        }
        Err(error) => (
            Checked { errors: vec![format!("{}: {}", checked.file, bounded::plain(&error))], ..checked },
            None,
        ),
    }
}

fn sentences(findings: &[config::Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).into_vec()
}

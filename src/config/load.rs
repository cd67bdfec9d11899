//! A file's bytes to configurations.

use std::net::IpAddr;

use super::assemble::{Node, assemble};
use super::drafts::Drafts;
use super::finding::{Finding, Findings, Rejected, Spot};
use super::limits::ROUTERS_MAX;
use super::model::{Config, Scheduling, Tools};
use super::problem::Problem;
use crate::collect::IntoVec as _;
use crate::uci;

/// A file that is in order.
pub struct Loaded {
    /// The configuration of a node that does not know its addresses yet. It is everybody's unless
    /// [`Loaded::depends_on_node`].
    pub config: Config,
    /// What should be looked at, by line.
    pub warnings: Vec<Finding>,
    /// Only if the configuration depends on the node.
    pub variants: Option<Variants>,
}

/// The configurations of nodes that know their addresses.
pub struct Variants {
    file: String,
    drafts: Drafts,
}

impl Config {
    /// Nothing to do: what a disabled daemon runs with.
    pub fn idle() -> Config {
        Config {
            enabled: false,
            log_level: log::LevelFilter::Info,
            scheduling: Scheduling::Ordinary,
            tools: Tools::default(),
            links: Vec::new(),
            instances: Vec::new(),
            groups: Vec::new(),
            tracks: Vec::new(),
            sync: None,
        }
    }
}

/// Reads a configuration and checks it for every router that it is for.
///
/// # Errors
///
/// Everything that is wrong with it at once. What is missing, or does not fit another section, is judged
/// only if the text could be read whole.
pub fn load(file: &str, bytes: &[u8]) -> Result<Loaded, Rejected> {
    let mut findings = Findings::new(file);
    let tree = uci::parse(bytes).map_err(|broken| reject(broken, file))?;
    let drafts = Drafts::read(&tree, &mut findings);
    drafts.check_only(&mut findings);
    let depends_on_node = !drafts.only_of_sections().is_empty();
    let config = assemble(&drafts, Node::Unknown, &mut findings);
    if depends_on_node {
        for place in 0..ROUTERS_MAX {
            let own: Vec<IpAddr> = at_place(&drafts, place);
            if !own.is_empty() {
                assemble(&drafts, Node::Known(&own), &mut findings);
            }
        }
    }
    let (config, warnings) = findings.finish(config)?;
    let variants = depends_on_node.then(|| Variants { file: file.to_owned(), drafts });
    Ok(Loaded { config, warnings, variants })
}

impl Loaded {
    /// Whether some section is only for some routers.
    pub fn depends_on_node(&self) -> bool {
        self.variants.is_some()
    }

    /// The configuration of the node with these addresses.
    ///
    /// # Errors
    ///
    /// Those of [`Variants::for_node`].
    pub fn for_node(&self, own: &[IpAddr]) -> Result<Config, Rejected> {
        self.variants.as_ref().map_or_else(|| Ok(self.config.clone()), |variants| variants.for_node(own))
    }
}

impl Variants {
    /// The configuration of the node with these addresses.
    ///
    /// # Errors
    ///
    /// Almost none that [`load`] did not find: only if the node has addresses of several places.
    pub fn for_node(&self, own: &[IpAddr]) -> Result<Config, Rejected> {
        let mut findings = Findings::new(&self.file);
        let config = assemble(&self.drafts, Node::Known(own), &mut findings);
        findings.finish(config).map(|(config, _)| config)
    }
}

/// The errors of the text, and those values that are wrong whatever the missing text says.
fn reject(broken: uci::Broken, file: &str) -> Rejected {
    let mut findings = Findings::new(file);
    Drafts::read(&broken.tree, &mut findings);
    findings.keep_values();
    for error in broken.errors {
        let column = Some(error.at.column);
        let spot = Spot { column, ..Spot::section(error.at.line, "".into()) };
        findings.error(spot.into(), Problem::Syntax(error));
    }
    findings.reject()
}

/// The addresses of the router at `place` of every list.
fn at_place(drafts: &Drafts, place: usize) -> Vec<IpAddr> {
    drafts.instances.iter().filter_map(|instance| Some(instance.listed().get(place)?.value)).into_vec()
}

//! What is found wrong with a configuration: where, and what would be right.

use core::fmt;
use core::ops::Deref;
use std::sync::Arc;

use super::limits::FINDINGS_MAX;
use super::model::Config;
use super::problem::Problem;

/// An error or a warning, in the form
/// `FILE:LINE: SECTION: option NAME 'VALUE': what is allowed; did you mean ...?`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, as it was named to [`super::load`].
    pub file: Arc<str>,
    /// What it is about.
    pub at: At,
    /// What is wrong.
    pub problem: Problem,
}

/// What a finding is about; cheap to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At(Arc<Spot>);

/// See [`At`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Line in the file, from 1.
    pub line: u32,
    /// Column, from 1, where only the text of the file is known to be wrong.
    pub column: Option<u32>,
    /// Type and name of the section; empty if it is not known.
    pub section: Arc<str>,
    /// The option, as it is written, such as `list vip`.
    pub option: Option<String>,
    /// The value, if it may be shown.
    pub value: Option<String>,
}

impl Spot {
    /// A section as a whole.
    pub fn section(line: u32, section: Arc<str>) -> Spot {
        Spot { line, column: None, section, option: None, value: None }
    }
}

impl From<Spot> for At {
    fn from(spot: Spot) -> At {
        At(Arc::new(spot))
    }
}

impl Deref for At {
    type Target = Spot;

    fn deref(&self) -> &Spot {
        &self.0
    }
}

impl At {
    /// The option without its value, for what is wrong with a list as a whole.
    pub fn without_value(&self) -> At {
        Spot { value: None, ..Spot::clone(self) }.into()
    }

    /// Another option of the same section, which is not there.
    pub fn option(&self, written: String) -> At {
        Spot { option: Some(written), ..Spot::section(self.line, self.section.clone()) }.into()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.file, self.at.line)?;
        if let Some(column) = self.at.column {
            write!(f, "{column}:")?;
        }
        if !self.at.section.is_empty() {
            write!(f, " {}:", self.at.section)?;
        }
        match (&self.at.option, &self.at.value) {
            (Some(option), Some(value)) => write!(f, " {option} '{value}':")?,
            (Some(option), None) => write!(f, " {option}:")?,
            (None, _) => {}
        }
        write!(f, " {}", self.problem)
    }
}

/// Why a file is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// What must be put right, by line; at least one.
    pub errors: Vec<Finding>,
    /// What should be looked at: often the cause of an error, such as a misspelt option.
    pub warnings: Vec<Finding>,
    /// How many more were found than are listed.
    pub omitted: usize,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        for error in &self.errors {
            writeln!(f, "error: {error}")?;
        }
        if self.omitted > 0 {
            writeln!(f, "and {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for Rejected {}

/// Collects findings.
pub struct Findings {
    file: Arc<str>,
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
    omitted: usize,
}

impl Findings {
    /// None yet, about `file`.
    pub fn new(file: &str) -> Findings {
        Findings { file: file.into(), errors: Vec::new(), warnings: Vec::new(), omitted: 0 }
    }

    /// Something that keeps the file from being used.
    pub fn error(&mut self, at: At, problem: impl Into<Problem>) {
        let finding = Finding { file: self.file.clone(), at, problem: problem.into() };
        push(&mut self.errors, &mut self.omitted, finding);
    }

    /// Something that is probably not what was meant.
    pub fn warn(&mut self, at: At, problem: impl Into<Problem>) {
        let finding = Finding { file: self.file.clone(), at, problem: problem.into() };
        push(&mut self.warnings, &mut self.omitted, finding);
    }

    /// Forgets what may only look wrong because part of the file could not be read.
    pub fn keep_values(&mut self) {
        self.errors.retain(|finding| finding.problem.stands_alone());
        self.warnings.retain(|finding| finding.problem.stands_alone());
    }

    /// The configuration with the warnings, or the rejection if there is an error.
    pub fn finish(self, config: Option<Config>) -> Result<(Config, Vec<Finding>), Rejected> {
        match config {
            Some(config) if self.errors.is_empty() => Ok((config, self.warnings)),
            Some(_) | None => Err(self.reject()),
        }
    }

    /// The rejection of the file.
    pub fn reject(mut self) -> Rejected {
        if self.errors.is_empty() {
            self.error(Spot::section(1, "".into()).into(), Problem::Unexplained);
        }
        Rejected { errors: self.errors, warnings: self.warnings, omitted: self.omitted }
    }
}

/// Adds in the order of the file. The same section is looked at once for each router that it may be
/// for: what was said is not repeated.
fn push(list: &mut Vec<Finding>, omitted: &mut usize, finding: Finding) {
    let text = finding.to_string();
    if list.iter().any(|earlier| earlier.at == finding.at && earlier.to_string() == text) {
        return;
    }
    if list.len() >= FINDINGS_MAX {
        *omitted = omitted.saturating_add(1);
        return;
    }
    let place = |finding: &Finding| (finding.at.line, finding.at.column);
    let index = list.partition_point(|earlier| place(earlier) <= place(&finding));
    list.insert(index, finding);
}

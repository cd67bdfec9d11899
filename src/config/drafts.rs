//! From the tree to drafts: each section by itself.

use crate::collect::IntoVec as _;
use crate::sorted::Map;
use std::net::IpAddr;
use std::sync::Arc;

use log::LevelFilter;

use super::conflict::Conflict;
use super::finding::{At, Findings, Spot};
use super::instance::{InstanceDraft, section_name};
use super::model::Tools;
use super::problem::Problem;
use super::reader::{Given, Reader};
use super::role::RoleDraft;
use super::schema::{
    self, DNSMASQ_DIR, ENABLED, INSTANCES, LOG_LEVEL, ONLY, REALTIME, SECTIONS, SERVICE_COMMAND, SectionKind,
    docs,
};
use super::suggest::nearest;
use super::sync::SyncDraft;
use super::track::TrackDraft;
use crate::uci::{Section, Tree};

/// Every section of a file, in the order of the file.
#[derive(Default)]
pub struct Drafts {
    /// `config gwha`.
    pub mains: Vec<MainDraft>,
    /// `config instance`.
    pub instances: Vec<InstanceDraft>,
    /// `config group`.
    pub groups: Vec<GroupDraft>,
    /// `config track`.
    pub tracks: Vec<TrackDraft>,
    /// `config sync`.
    pub syncs: Vec<SyncDraft>,
}

/// `config gwha` as far as it could be read.
pub struct MainDraft {
    /// The section.
    pub at: At,
    /// For which routers it is; all if empty.
    pub only: Vec<Given<IpAddr>>,
    /// Whether the daemon does anything.
    pub enabled: Option<bool>,
    /// Least severe messages that are logged.
    pub log_level: Option<LevelFilter>,
    /// Where the system's own tools are.
    pub tools: Tools,
    /// Whether it goes before ordinary programs.
    pub realtime: Option<bool>,
}

/// `config group` as far as it could be read.
pub struct GroupDraft {
    /// Section name.
    pub name: String,
    /// The section.
    pub at: At,
    /// For which routers it is; all if empty.
    pub only: Vec<Given<IpAddr>>,
    /// Names of the instances.
    pub instances: Vec<Given<String>>,
    /// What follows from the role.
    pub role: RoleDraft,
}

impl Drafts {
    /// Reads every section; what does not fit the schema is reported.
    pub fn read(tree: &Tree, findings: &mut Findings) -> Drafts {
        let mut drafts = Drafts::default();
        let mut seen: Map<&str, usize> = Map::new();
        for section in &tree.sections {
            let index = seen.get_or_default(section.kind.as_str());
            drafts.section(section, *index, findings);
            *index += 1;
        }
        drafts
    }

    /// The addresses in `list router` of every instance, each once.
    pub fn routers(&self) -> Vec<IpAddr> {
        let mut all = Vec::new();
        for router in self.instances.iter().flat_map(InstanceDraft::listed) {
            if !all.contains(&router.value) {
                all.push(router.value);
            }
        }
        all
    }

    /// Reports what a `list only` names that is no router.
    pub fn check_only(&self, findings: &mut Findings) {
        let have = self.routers();
        for given in self.only() {
            if have.contains(&given.value) {
                continue;
            }
            let words: Vec<_> = have.iter().map(ToString::to_string).into_vec();
            let suggestion = nearest(&given.value.to_string(), &words.iter().map(String::as_str).into_vec());
            findings.error(given.at.clone(), Conflict::NoSuchRouter { have: have.clone(), suggestion });
        }
    }

    fn only(&self) -> Vec<&Given<IpAddr>> {
        let mut all = self.only_of_sections();
        for track in &self.tracks {
            all.extend(&track.only);
        }
        all
    }

    /// Every `list only` that makes whole sections come and go; that of a track counts in the engine.
    pub fn only_of_sections(&self) -> Vec<&Given<IpAddr>> {
        let mut all = Vec::new();
        for main in &self.mains {
            all.extend(&main.only);
        }
        for instance in &self.instances {
            all.extend(&instance.only);
        }
        for group in &self.groups {
            all.extend(&group.only);
        }
        for sync in &self.syncs {
            all.extend(&sync.only);
        }
        all
    }

    /// Reads one section, the `index`-th of its type.
    fn section(&mut self, section: &Section, index: usize, findings: &mut Findings) {
        let label = label(section, index);
        let Some(schema) = schema::section_type(&section.kind) else {
            let suggestion = nearest(&section.kind, &SECTIONS.iter().map(|known| known.name).into_vec());
            findings.warn(Spot::section(section.line, label).into(), Problem::UnknownSection { suggestion });
            return;
        };
        if index >= schema.max {
            findings.error(
                Spot::section(section.line, label).into(),
                Conflict::TooManySections { max: schema.max },
            );
            return;
        }
        let reader = Reader::new(section, label, schema, findings);
        match schema.kind {
            SectionKind::Main => self.mains.push(MainDraft::read(reader)),
            SectionKind::Instance => self.instances.push(InstanceDraft::read(reader)),
            SectionKind::Group => self.groups.push(GroupDraft::read(reader)),
            SectionKind::Track => self.tracks.push(TrackDraft::read(reader)),
            SectionKind::Sync => self.syncs.push(SyncDraft::read(reader)),
        }
    }
}

impl MainDraft {
    fn read(mut reader: Reader<'_>) -> MainDraft {
        MainDraft {
            at: reader.head(),
            only: reader.distinct(&ONLY),
            enabled: reader.value_or_default(&ENABLED),
            log_level: reader.value_or_default(&LOG_LEVEL),
            tools: Tools {
                service_command: reader.value(&SERVICE_COMMAND),
                dnsmasq_dir: reader.value(&DNSMASQ_DIR),
            },
            realtime: reader.value_or_default(&REALTIME),
        }
    }
}

impl GroupDraft {
    fn read(mut reader: Reader<'_>) -> GroupDraft {
        if reader.place(&INSTANCES).is_none() {
            reader.missing(&INSTANCES, docs::INSTANCES);
        }
        GroupDraft {
            name: section_name(&mut reader),
            at: reader.head(),
            only: reader.distinct(&ONLY),
            instances: reader.distinct(&INSTANCES),
            role: RoleDraft::read(&mut reader),
        }
    }
}

/// A section as it is shown; an unnamed one as the command `uci` shows it.
fn label(section: &Section, index: usize) -> Arc<str> {
    match &section.name {
        Some(name) => format!("{} '{name}'", section.kind).into(),
        None => format!("@{}[{index}]", section.kind).into(),
    }
}

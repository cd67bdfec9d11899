//! `config sync`.

use std::net::IpAddr;

use super::finding::At;
use super::instance::{Need, addresses, link};
use super::model::LinkRef;
use super::problem::Problem;
use super::reader::{Given, Reader};
use super::role::values;
use super::schema::{
    DEVICE, FILE, INSTANCE, INTERFACE, KEEP, KEY_FILE, LEASE_FILE, LEASES, ONLY, RELOAD, SYNC_ROUTER, docs,
};

/// A sync section as far as it could be read.
pub struct SyncDraft {
    /// Section name, or `sync`.
    pub name: String,
    /// The section.
    pub at: At,
    /// For which routers it is; all if empty.
    pub only: Vec<Given<IpAddr>>,
    /// Where the channel runs; `None` after an error.
    pub path: Option<PathDraft>,
    /// Everything else; `None` after an error.
    pub content: Option<Content>,
}

/// Where the channel runs.
pub enum PathDraft {
    /// Between the routers of an instance.
    Instance(Given<String>),
    /// On a link of its own.
    Dedicated {
        /// The link.
        link: Given<LinkRef>,
        /// The routers' addresses there.
        routers: Vec<Given<IpAddr>>,
    },
}

/// What goes over the channel.
pub struct Content {
    /// Shared key.
    pub key_file: String,
    /// Whether leases go.
    pub leases: bool,
    /// Where the DHCP server keeps them.
    pub lease_file: Option<String>,
    /// Files and directories that go.
    pub files: Vec<String>,
    /// Services reloaded after a file arrived.
    pub reload: Vec<String>,
    /// UCI options that stay.
    pub keep: Vec<String>,
}

impl SyncDraft {
    /// Reads a section.
    pub fn read(mut reader: Reader<'_>) -> SyncDraft {
        SyncDraft {
            name: reader.name().unwrap_or("sync").to_owned(),
            at: reader.head(),
            only: reader.distinct(&ONLY),
            path: path(&mut reader),
            content: content(&mut reader),
        }
    }
}

fn path(reader: &mut Reader<'_>) -> Option<PathDraft> {
    let dedicated = reader.place(&INTERFACE).or(reader.place(&DEVICE)).or(reader.place(&SYNC_ROUTER));
    match (reader.place(&INSTANCE), dedicated) {
        (Some(_), Some(at)) => {
            reader.findings.error(at, Problem::Excludes { other: "option instance" });
            None
        }
        (None, None) => {
            reader.missing(&INSTANCE, docs::INSTANCE);
            None
        }
        (Some(_), None) => reader.one(&INSTANCE).map(PathDraft::Instance),
        (None, Some(_)) => dedicated_path(reader),
    }
}

fn dedicated_path(reader: &mut Reader<'_>) -> Option<PathDraft> {
    let link = link(reader, Need::Required);
    match reader.place(&SYNC_ROUTER) {
        None => reader.missing(&SYNC_ROUTER, docs::SYNC_ROUTER),
        Some(at) if reader.written(&SYNC_ROUTER).is_some_and(|count| count < 2) => {
            reader.findings.error(at, Problem::TooFew { min: 2 });
        }
        Some(_) => {}
    }
    let routers = addresses(reader, &SYNC_ROUTER, None);
    let complete = routers.len() >= 2 && reader.written(&SYNC_ROUTER) == Some(routers.len());
    complete.then_some(PathDraft::Dedicated { link: link?, routers })
}

fn content(reader: &mut Reader<'_>) -> Option<Content> {
    let key_file = reader.value_or_default(&KEY_FILE);
    let leases = reader.value_or_default(&LEASES);
    let lease_file = reader.value(&LEASE_FILE);
    let files = reader.distinct(&FILE);
    let reload = values(reader.distinct(&RELOAD));
    let keep = values(reader.distinct(&KEEP));
    let key_file = key_file?;
    for file in files.iter().filter(|file| file.value == key_file) {
        reader.findings.error(file.at.clone(), Problem::KeyTravels);
    }
    Some(Content { key_file, leases: leases?, lease_file, files: values(files), reload, keep })
}

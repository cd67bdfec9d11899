//! A packet on its way to an engine, right or wrong.

use std::net::IpAddr;

use gwha::wire::vrrp::Packet;

use crate::input::micros;
use crate::support::setup::{self, Node, Setup, number};
use crate::support::vrrp::{Advert, Cover};

/// A packet before it is one.
pub struct Raw {
    source: IpAddr,
    destination: IpAddr,
    hop_limit: u8,
    bytes: Vec<u8>,
}

impl Raw {
    /// As the engine gets it.
    pub fn packet(&self) -> Packet<'_> {
        Packet {
            source: self.source,
            destination: self.destination,
            hop_limit: self.hop_limit,
            bytes: &self.bytes,
        }
    }
}

/// A packet being written, with whatever is wrong with it.
pub struct Letter {
    link: usize,
    advert: Advert,
    cover: Cover,
    raw: Raw,
    cut: Option<usize>,
    extra: usize,
    sum: Sum,
}

enum Sum {
    Good,
    Bad,
    Zero,
}

impl Letter {
    /// A good advert of `from` to `to`, by this suite's own codec.
    pub fn new(setup: &Setup, member: usize, priority: u8, from: Node, to: Node) -> Letter {
        let (source, destination) = (setup.address(member, from), setup.destination(member, to));
        Letter {
            link: member,
            advert: setup.advert(member, priority),
            cover: setup.cover(member, source, destination),
            raw: Raw { source, destination, hop_limit: 255, bytes: Vec::new() },
            cut: None,
            extra: 0,
            sum: Sum::Good,
        }
    }

    /// Changes one thing, given as `key=value`.
    pub fn set(&mut self, option: &str, setup: &Setup) -> Result<(), String> {
        let (key, value) = option.split_once('=').ok_or(format!("'{option}' is not key=value"))?;
        match key {
            "interval" => self.advert.interval = (micros(value)? / 10_000) as u16,
            "ttl" => self.raw.hop_limit = number(value)?,
            "vrid" => self.advert.vrid = number(value)?,
            "version" => self.advert.version = number(value)?,
            "type" => self.advert.kind = number(value)?,
            "auth" => self.advert.auth_type = number(value)?,
            "password" => (self.advert.auth_type, self.advert.auth) = (1, setup::password(value)),
            "vips" => {
                let mut other = setup.clone();
                other.members[self.link].vips = number(value)?;
                self.advert.vips = other.vips(self.link);
            }
            "link" => self.link = setup::position(&setup.members, value)?,
            "to" => {
                self.raw.destination = setup.address(self.link, setup::node(value)?);
                if let Cover::Pseudo(source, _) = self.cover {
                    self.cover = Cover::Pseudo(source, self.raw.destination);
                }
            }
            "cut" => self.cut = Some(number(value)?),
            "extra" => self.extra = number(value)?,
            "sum" => match value {
                "bad" => self.sum = Sum::Bad,
                "zero" => self.sum = Sum::Zero,
                "message" => self.cover = Cover::Message,
                "pseudo" => self.cover = Cover::Pseudo(self.raw.source, self.raw.destination),
                "old" => self.cover = Cover::Pseudo(self.raw.source, setup::group(false)),
                other => return Err(format!("unknown sum '{other}'")),
            },
            other => return Err(format!("unknown packet option '{other}'")),
        }
        Ok(())
    }

    /// The link it arrives on, and its bytes.
    pub fn seal(mut self) -> (usize, Raw) {
        let mut bytes = self.advert.encode(self.cover);
        match self.sum {
            Sum::Good => {}
            Sum::Bad => bytes[7] ^= 0x55,
            Sum::Zero => bytes[6..8].fill(0),
        }
        bytes.resize(bytes.len() + self.extra, 0);
        bytes.truncate(self.cut.unwrap_or(bytes.len()));
        self.raw.bytes = bytes;
        (self.link, self.raw)
    }
}

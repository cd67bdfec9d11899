//! Policy rules: which routing table a packet is looked up in.

use super::request::dump_header;
use super::{Attribute, Attributes, Event, Existing, Family, IfName, ParseError, Prefix, Protocol, Request};

/// A rule that sends packets to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its place among the rules, smaller first.
    pub priority: u32,
    /// The source addresses that it is about. Its family is the rule's.
    pub from: Prefix,
    /// The destination addresses that it is about. Of the same family.
    pub to: Prefix,
    /// The device that packets come in by; `None` is any.
    pub input: Option<IfName>,
    /// The table; 0 if the rule does something else than a lookup.
    pub table: u32,
    /// Who added it. Kernels before 4.17 don't store this.
    pub protocol: Protocol,
}

/// Asks for the rules of one family.
pub fn dump(family: Family) -> Request {
    Request::dump(libc::RTM_GETRULE, &dump_header::<HEADER_SIZE>(Some(family)))
}

impl Rule {
    /// A rule that is about all packets of `family`.
    pub fn all(family: Family, priority: u32, table: u32, protocol: Protocol) -> Rule {
        Rule { priority, from: Prefix::all(family), to: Prefix::all(family), input: None, table, protocol }
    }

    /// Adds the rule. The kernel can't replace one: with [`Existing::Replace`] there may be two of it.
    pub fn add(&self, existing: Existing) -> Request {
        self.request(libc::RTM_NEWRULE, existing.flags())
    }

    /// Removes the rule.
    pub fn delete(&self) -> Request {
        self.request(libc::RTM_DELRULE, 0)
    }

    fn request(&self, kind: u16, flags: i32) -> Request {
        let table = u8::try_from(self.table).unwrap_or(libc::RT_TABLE_UNSPEC);
        let family = self.from.family().number();
        let header = [family, self.to.length(), self.from.length(), 0, table, 0, 0, TO_TABLE, 0, 0, 0, 0];
        let mut request = Request::change(kind, flags, &header);
        request.range(FRA_SRC, self.from);
        request.range(FRA_DST, self.to);
        if let Some(name) = &self.input {
            request.text(FRA_IIFNAME, name.as_bytes());
        }
        request.u32(FRA_PRIORITY, self.priority);
        request.u32(FRA_TABLE, self.table);
        request.attribute(FRA_PROTOCOL, &[self.protocol.0]);
        request
    }

    /// Reads the payload of `RTM_NEWRULE`. `None` for rules of other families.
    pub(super) fn parse(payload: &[u8]) -> Result<Option<Event>, ParseError> {
        let (header, rest) = payload.split_first_chunk::<HEADER_SIZE>().ok_or(ParseError::ShortHeader)?;
        let [family, to_length, from_length, _, table, _, _, action, ..] = *header;
        let Ok(family) = Family::from_number(family) else { return Ok(None) };
        let mut rule = Rule::all(family, 0, table.into(), Protocol::UNSPECIFIED);
        for attribute in Attributes::new(rest) {
            rule.take(attribute?, family)?;
        }
        rule.from = sized(rule.from, from_length)?;
        rule.to = sized(rule.to, to_length)?;
        if action != TO_TABLE {
            rule.table = libc::RT_TABLE_UNSPEC.into();
        }
        Ok(Some(Event::Rule(rule)))
    }

    fn take(&mut self, attribute: Attribute<'_>, family: Family) -> Result<(), ParseError> {
        match attribute.kind {
            FRA_SRC => self.from = Prefix::host(attribute.ip(family)?),
            FRA_DST => self.to = Prefix::host(attribute.ip(family)?),
            FRA_IIFNAME => {
                self.input = Some(IfName::new(attribute.text()).ok_or(ParseError::BadName(attribute.kind))?);
            }
            FRA_PRIORITY => self.priority = attribute.u32()?,
            FRA_TABLE => self.table = attribute.u32()?,
            FRA_PROTOCOL => self.protocol = Protocol(attribute.u8()?),
            _ => {}
        }
        Ok(())
    }
}

/// The address of `prefix` with the length that the header gave.
fn sized(prefix: Prefix, length: u8) -> Result<Prefix, ParseError> {
    Prefix::new(prefix.address(), length).ok_or(ParseError::BadPrefixLength(length))
}

/// `struct fib_rule_hdr`: family, destination length, source length, TOS, table, two reserved bytes, action,
/// flags (4 bytes).
const HEADER_SIZE: usize = 12;

/// `FR_ACT_TO_TBL`.
const TO_TABLE: u8 = 1;

const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_PRIORITY: u16 = 6;
const FRA_TABLE: u16 = 15;
const FRA_PROTOCOL: u16 = 21;

//! Sets of nftables, as far as a rule's being in force depends on them: whether a table is there, and which devices a
//! set of it names.
//!
//! Rules are loaded by `nft`. What changes with a role is an element of a set, and one message does that: at once,
//! where the program takes ten milliseconds on a PC and a hundred on a router.
//!
//! Constants and layouts are those of `linux/netfilter/nfnetlink.h` and `nf_tables.h`; all integers in attributes are
//! big-endian.

use core::time::Duration;

use super::Request;

/// The names of devices that a set is to hold, instead of what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetContent<'a> {
    /// Of the family `inet`.
    pub table: &'a str,
    /// A set of that table, of the type `ifname`.
    pub set: &'a str,
    /// Names of devices, of 15 bytes at most.
    pub devices: &'a [String],
    /// After which they go by themselves. The set must have the flag `timeout` then.
    pub timeout: Option<Duration>,
}

impl SetContent<'_> {
    /// Empties the set and fills it, as one datagram: all of it happens, or nothing.
    pub(super) fn batch(&self, sequence: u32) -> Vec<u8> {
        let header = |request: Request| {
            request
                .header(&FAMILY_HEADER)
                .text(LIST_TABLE, self.table.as_bytes())
                .text(LIST_SET, self.set.as_bytes())
        };
        // The last change is the one that is acknowledged.
        let clear = match self.devices.is_empty() {
            true => Request::change(TABLES | DELETE_ELEMENTS, 0),
            false => Request::part(TABLES | DELETE_ELEMENTS, 0),
        };
        let mut datagram = Request::part(BATCH_BEGIN, 0).header(&BATCH_HEADER).numbered(sequence);
        datagram.extend(header(clear).numbered(sequence));
        if !self.devices.is_empty() {
            let fill = header(Request::change(TABLES | NEW_ELEMENTS, libc::NLM_F_CREATE));
            let fill = fill.nested(LIST_ELEMENTS, |list| {
                self.devices.iter().fold(list, |list, name| self.element(list, name))
            });
            datagram.extend(fill.numbered(sequence));
        }
        datagram.extend(Request::part(BATCH_END, 0).header(&BATCH_HEADER).numbered(sequence));
        datagram
    }

    fn element(&self, list: Request, name: &str) -> Request {
        let mut key = [0; KEY_BYTES];
        for (to, from) in key.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        list.nested(LIST_ELEMENT, |element| {
            let element = element.nested(ELEMENT_KEY, |data| data.attribute(DATA_VALUE, &key));
            element.maybe(self.timeout, |element, timeout| {
                let milliseconds = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                element.attribute(ELEMENT_TIMEOUT, &milliseconds.to_be_bytes())
            })
        })
    }
}

/// Asks for a table of the family `inet`.
pub(super) fn look_for(name: &str) -> Request {
    Request::change(TABLES | GET_TABLE, 0).header(&FAMILY_HEADER).text(TABLE_NAME, name.as_bytes())
}

/// `NFNL_SUBSYS_NFTABLES`.
const TABLES_NUMBER: u8 = 10;
const TABLES: u16 = (TABLES_NUMBER as u16) << 8;
/// `struct nfgenmsg`: the family `NFPROTO_INET`, version 0, and no number.
const FAMILY_HEADER: [u8; 4] = [1, 0, 0, 0];
const BATCH_HEADER: [u8; 4] = [0, 0, 0, TABLES_NUMBER];
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const GET_TABLE: u16 = 1;
const NEW_ELEMENTS: u16 = 12;
const DELETE_ELEMENTS: u16 = 14;
const TABLE_NAME: u16 = 1;
const LIST_TABLE: u16 = 1;
const LIST_SET: u16 = 2;
const LIST_ELEMENTS: u16 = 3;
const LIST_ELEMENT: u16 = 1;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_TIMEOUT: u16 = 4;
const DATA_VALUE: u16 = 1;
/// `IFNAMSIZ`.
const KEY_BYTES: usize = 16;

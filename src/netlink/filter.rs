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
        let edge = |kind| Request::part(kind, 0, &BATCH_HEADER).numbered(sequence);
        let mut datagram = edge(BATCH_BEGIN);
        // The last change is the one that is acknowledged.
        let ack = if self.devices.is_empty() { libc::NLM_F_ACK } else { 0 };
        datagram.extend(self.change(DELETE_ELEMENTS, ack).numbered(sequence));
        if !self.devices.is_empty() {
            let mut fill = self.change(NEW_ELEMENTS, libc::NLM_F_CREATE | libc::NLM_F_ACK);
            let list = fill.nest(LIST_ELEMENTS);
            for name in self.devices {
                self.put_element(name, &mut fill);
            }
            fill.end(list);
            datagram.extend(fill.numbered(sequence));
        }
        datagram.extend(edge(BATCH_END));
        datagram
    }

    fn change(&self, kind: u16, flags: i32) -> Request {
        let mut request = Request::part(TABLES | kind, flags, &FAMILY_HEADER);
        request.text(LIST_TABLE, self.table.as_bytes());
        request.text(LIST_SET, self.set.as_bytes());
        request
    }

    fn put_element(&self, name: &str, out: &mut Request) {
        let mut key = [0; KEY_BYTES];
        for (to, from) in key.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        let element = out.nest(LIST_ELEMENT);
        let data = out.nest(ELEMENT_KEY);
        out.attribute(DATA_VALUE, &key);
        out.end(data);
        if let Some(timeout) = self.timeout {
            let milliseconds = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            out.attribute(ELEMENT_TIMEOUT, &milliseconds.to_be_bytes());
        }
        out.end(element);
    }
}

/// Asks for a table of the family `inet`.
pub(super) fn look_for(name: &str) -> Request {
    let mut request = Request::change(TABLES | GET_TABLE, 0, &FAMILY_HEADER);
    request.text(TABLE_NAME, name.as_bytes());
    request
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

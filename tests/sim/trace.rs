//! The record of a run: a hash of everything, the last lines as text, all of it with `TRACE=1`.

use core::fmt::{self, Write};
use std::collections::VecDeque;

use gwha::engine::{Action, RoleChange};

use crate::fault::Fault;
use crate::support::setup::{Node, letter};
use crate::world::Micros;

/// Lines that a failure shows.
const LAST: usize = 200;

/// Something that happened, at one node or to the world.
#[derive(Debug, Clone)]
pub enum Entry {
    Fault(Fault),
    Sends(usize, u8),
    /// A frame arrives at this node from another.
    Hears(usize, Node, u8),
    Role(RoleChange),
    Does(Action),
    Probed(usize),
    Note(String),
}

/// The record.
#[derive(Debug)]
pub struct Trace {
    hash: Fnv,
    last: VecDeque<(Micros, Option<Node>, Entry)>,
    entries: u64,
    print: bool,
}

impl Trace {
    pub fn new() -> Trace {
        let print = std::env::var_os("TRACE").is_some();
        Trace { hash: Fnv(0xcbf2_9ce4_8422_2325), last: VecDeque::with_capacity(LAST), entries: 0, print }
    }

    pub fn add(&mut self, at: Micros, node: Option<Node>, entry: Entry) {
        self.entries += 1;
        self.hash.number(at);
        self.hash.number(node.map_or(u64::MAX, |node| node as u64));
        match &entry {
            // The two that make up nearly all of a run are worth a short cut.
            Entry::Sends(member, priority) => {
                self.hash.number(1 << 32 | (*member as u64) << 8 | u64::from(*priority))
            }
            Entry::Hears(member, from, priority) => {
                self.hash
                    .number(2 << 32 | (*from as u64) << 16 | (*member as u64) << 8 | u64::from(*priority));
            }
            Entry::Fault(_) | Entry::Role(_) | Entry::Does(_) | Entry::Probed(_) | Entry::Note(_) => {
                write!(self.hash, "{entry:?}").expect("a hash takes everything");
            }
        }
        if self.print {
            println!("{}", line(at, node, &entry));
        }
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back((at, node, entry));
    }

    /// Equal for equal runs.
    pub fn hash(&self) -> u64 {
        self.hash.0
    }

    pub fn len(&self) -> u64 {
        self.entries
    }

    /// The last lines.
    pub fn tail(&self) -> String {
        self.last.iter().map(|(at, node, entry)| line(*at, *node, entry) + "\n").collect()
    }
}

/// One aligned line: seconds, node, and what happened in that node's column.
fn line(at: Micros, node: Option<Node>, entry: &Entry) -> String {
    let seconds = format!("{:>5}.{:06}", at / 1_000_000, at % 1_000_000);
    let Some(node) = node else { return format!("{seconds}  {}", entry.text()) };
    let indent = 4 + 30 * node;
    format!("{seconds}  {:indent$}{} {}", "", letter(node), entry.text())
}

impl Entry {
    fn text(&self) -> String {
        match self {
            Entry::Fault(fault) => format!("** {fault:?}"),
            Entry::Sends(member, priority) => format!("{member}> {priority}"),
            Entry::Hears(member, from, priority) => format!("{member}< {priority} of {}", letter(*from)),
            Entry::Role(change) => format!("== {} ({})", change.to.name().to_uppercase(), change.cause),
            Entry::Does(action) => format!("{action:?}"),
            Entry::Probed(track) => format!("probe {track}"),
            Entry::Note(text) => text.clone(),
        }
    }
}

/// FNV-1a.
#[derive(Debug)]
struct Fnv(u64);

impl Fnv {
    fn number(&mut self, number: u64) {
        number.to_le_bytes().iter().for_each(|byte| self.byte(*byte));
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
}

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.byte(byte));
        Ok(())
    }
}

//! A daemon and what it uses while it lives.

use std::fs;

use crate::lab::gwha::Gwha;

/// After so many looks everything that is kept has been filled: what it uses then is what it needs.
const EARLY: u32 = 30;

/// Above that it may use so much more, in KiB: the allocator's pages do not all come back.
const SLACK_KIB: u64 = 192;

/// Descriptors of clients that are just being served.
const SLACK_FILES: u64 = 2;

/// What one process uses at a moment.
#[derive(Clone, Copy, Default)]
struct Usage {
    /// Memory of its own, not backed by a file.
    memory_kib: u64,
    files: u64,
}

/// One router and its present process.
pub struct Life {
    pub gwha: Gwha,
    looks: u32,
    early: Usage,
    now: Usage,
    most: Usage,
    /// Its memory at each look, in KiB.
    memory: Vec<u64>,
    /// The figures of the process that has been looked at most often.
    longest: Option<(u32, String)>,
}

impl Life {
    pub fn new(gwha: Gwha) -> Life {
        let none = Usage::default();
        Life { gwha, looks: 0, early: none, now: none, most: none, memory: Vec::new(), longest: None }
    }

    /// Starts a new process.
    pub fn restart(&mut self) {
        self.longest = Some((self.longest_looks().max(self.looks), self.figures()));
        self.gwha.restart();
        (self.looks, self.early, self.most) = (0, Usage::default(), Usage::default());
        self.memory.clear();
    }

    /// Reads what the process uses now, and fails if it has grown.
    pub fn look(&mut self) {
        let pid = self.gwha.daemon.pid();
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let anonymous = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:"));
        let memory = anonymous.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        let files = fs::read_dir(format!("/proc/{pid}/fd")).expect("the daemon runs").count() as u64;
        self.now = Usage { memory_kib: memory.expect("the kernel tells a process's memory"), files };
        self.looks += 1;
        self.memory.push(self.now.memory_kib);
        self.most.memory_kib = self.most.memory_kib.max(self.now.memory_kib);
        self.most.files = self.most.files.max(files);
        if self.looks <= EARLY {
            self.early.memory_kib = self.early.memory_kib.max(self.now.memory_kib);
            self.early.files = self.early.files.max(files);
            return;
        }
        let (early, now, host) = (self.early, self.now, self.gwha.host);
        assert!(
            now.memory_kib <= early.memory_kib + SLACK_KIB,
            "{host} has grown from {} to {} KiB",
            early.memory_kib,
            now.memory_kib
        );
        assert!(
            now.files <= early.files + SLACK_FILES,
            "{host} had {} descriptors, and has {}",
            early.files,
            now.files
        );
    }

    /// The row of the report, of the process that lived longest.
    pub fn figures(&self) -> String {
        if let Some((looks, figures)) = &self.longest
            && *looks >= self.looks
        {
            return figures.clone();
        }
        let (early, now, most) = (self.early, self.now, self.most);
        let half = self.memory.get(self.memory.len() / 2).copied().unwrap_or_default();
        format!(
            "{} | {} / {} / {} / {} | {} / {} / {}",
            self.looks,
            early.memory_kib,
            half,
            now.memory_kib,
            most.memory_kib,
            early.files,
            now.files,
            most.files
        )
    }

    fn longest_looks(&self) -> u32 {
        self.longest.as_ref().map_or(0, |(looks, _)| *looks)
    }
}

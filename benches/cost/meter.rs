//! What a running daemon has used so far, from the kernel's own counters.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::lab::process::family;
use crate::lab::tools;

/// The processes of one daemon.
pub struct Meter(Vec<Pid>);

/// The counters at one moment, summed over the processes.
#[derive(Clone, Copy)]
pub struct Reading {
    pub at: Instant,
    /// Processor time of the daemon itself.
    pub own: Duration,
    /// Processor time of children that have ended: scripts.
    pub children: Duration,
    /// How often it gave the processor up by itself: each time it was woken up again.
    pub wakeups: u64,
}

impl Meter {
    /// The daemon with this process id, and the processes that make it up: those of the same name.
    pub fn new(main: Pid) -> Meter {
        let name = |pid: Pid| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let own = name(main);
        // A script's child has the daemon's name for the moment between fork and exec.
        let mut pids = family(main);
        thread::sleep(Duration::from_millis(50));
        pids.retain(|pid| name(*pid) == own);
        Meter(pids)
    }

    pub fn read(&self) -> Reading {
        let sum = |of: fn(Pid) -> u64| self.0.iter().map(|pid| of(*pid)).sum::<u64>();
        Reading {
            at: Instant::now(),
            own: Duration::from_nanos(sum(running_ns)),
            children: Duration::from_millis(sum(children_ticks) * 10),
            wakeups: sum(voluntary_switches),
        }
    }

    /// Proportional memory in KiB: what is shared with other processes counts in part.
    pub fn memory_kib(&self) -> u64 {
        let of = |pid: &Pid| field(Path::new(&format!("/proc/{pid}/smaps_rollup")), "Pss:");
        self.0.iter().map(of).sum()
    }

    /// System calls in a second, counted for `period`.
    pub fn system_calls(&self, period: Duration, scratch: &Path) -> f64 {
        let mut command = Command::new("strace");
        command.env("PATH", tools::path()).args(["-c", "-f", "-o"]).arg(scratch);
        for pid in &self.0 {
            command.args(["-p", &pid.to_string()]);
        }
        let mut strace = command.stderr(Stdio::null()).spawn().expect("strace can be started");
        // Attaching takes a moment; it costs no calls.
        thread::sleep(Duration::from_millis(500) + period);
        let pid = i32::try_from(strace.id()).expect("a process id is positive");
        kill(Pid::from_raw(pid), Signal::SIGINT).expect("strace runs");
        strace.wait().expect("strace can be waited for");
        let text = fs::read_to_string(scratch).unwrap_or_default();
        let total = text.lines().rev().find(|line| line.ends_with(" total"));
        let calls = total.and_then(|line| line.split_whitespace().nth(3)?.parse::<f64>().ok());
        calls.unwrap_or(0.0) / (period.as_secs_f64() + 0.5)
    }
}

/// A thread's time on a processor is the first number of its `schedstat`.
fn running_ns(pid: Pid) -> u64 {
    let time = |task: &Path| {
        let text = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
        text.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    over_threads(pid, time)
}

fn voluntary_switches(pid: Pid) -> u64 {
    over_threads(pid, |task| field(&task.join("status"), "voluntary_ctxt_switches:"))
}

fn over_threads(pid: Pid, of: impl Fn(&Path) -> u64) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks.map(|task| of(&task.path())).sum()
}

/// The fields `cutime` and `cstime`, in hundredths of a second (`proc(5)`; Linux's unit on every processor we know).
fn children_ticks(pid: Pid) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, after)| after).split_whitespace().collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    number(13) + number(14)
}

/// The number after a word at the beginning of a line.
fn field(path: &Path, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

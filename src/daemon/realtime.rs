//! `option realtime`: before ordinary programs, and always in memory.
//!
//! A busy router makes an ordinary program wait tens of milliseconds for the processor; at intervals of 100 ms and less
//! three late adverts in a row are a takeover. What real-time asks for is little: the kernel lets such programs
//! have 95 % of a processor at most (`sched_rt_runtime_us`), and this one uses far below one.

use std::io;

use crate::config::model::Scheduling;
use crate::disk::plain;

/// Changes over, if that is a change. A refusal is a warning: the daemon does its work also without.
pub fn change(from: Scheduling, to: Scheduling) {
    if from == to {
        return;
    }
    if let Err(error) = set_policy(to) {
        log::warn!("option realtime: the kernel refuses the priority: {}", plain(&error));
    }
    if let Err(error) = hold_memory(to) {
        log::warn!("option realtime: the kernel refuses to lock memory: {}", plain(&error));
    }
}

/// Of this thread alone. What it starts (checks by script, the writer to flash) is ordinary again.
///
/// By its number, as musl refuses the function of that name, and the kernel's parameter is one `int`.
#[allow(unsafe_code)]
fn set_policy(to: Scheduling) -> io::Result<()> {
    let (policy, priority) = match to {
        Scheduling::Ordinary => (libc::SCHED_OTHER, 0),
        Scheduling::RealTime => (libc::SCHED_FIFO | RESET_ON_FORK, PRIORITY),
    };
    // SAFETY: the kernel reads one `int` from the pointer, which is valid during the call; 0 is the calling thread.
    let result = unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) };
    succeeded(result == 0)
}

/// Keeps the pages that are used in memory, program and data, from the moment of their first use.
#[allow(unsafe_code)]
fn hold_memory(to: Scheduling) -> io::Result<()> {
    // SAFETY: both change nothing that a program could see.
    let result = unsafe {
        match to {
            Scheduling::Ordinary => libc::munlockall(),
            Scheduling::RealTime => libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT),
        }
    };
    succeeded(result == 0)
}

fn succeeded(is_success: bool) -> io::Result<()> {
    if is_success { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Below the kernel's own threads that handle interrupts (50), without which no packet arrives.
const PRIORITY: libc::c_int = 20;

/// Flag of a policy: children and new threads get the ordinary one (sched_setscheduler(2)).
const RESET_ON_FORK: libc::c_int = 0x4000_0000;

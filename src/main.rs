//! The `gwha` program.
//!
//! The C library calls it itself. What Rust does before an ordinary `main` is for programs that report their stack
//! overflows and name their threads: six kilobytes of package on MIPS.

#![no_main]

use std::ffi::{CStr, c_char, c_int};

use nix::sys::signal::{SigHandler, Signal, signal};

/// What the C library starts, with its arguments.
// SAFETY: nothing else in the program has this name, and it has the arguments of C's `main`.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    // SAFETY: nothing runs in a handler. Who writes where nobody reads any more gets an error instead of a signal.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the C library gives so many strings, which stay as they are until the program ends.
    let arguments: Vec<&CStr> = (1..count).map(|at| unsafe { CStr::from_ptr(*arguments.add(at)) }).collect();
    gwha::cli::main(&arguments).into()
}

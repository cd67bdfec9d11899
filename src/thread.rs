//! Threads as the C library makes them: they cannot be joined, do not catch panics and have no data of their own, which
//! with the rest of what `std::thread` has is five kilobytes of package on MIPS.

use std::ffi::{CStr, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

/// What a thread does.
type Work = Box<dyn FnOnce() + Send>;

/// Enough for any work: untouched memory costs nothing.
pub const STACK: usize = 2 << 20;
/// The least that C libraries allow, for work that hardly calls anything.
pub const SMALL_STACK: usize = 64 << 10;

/// Starts a thread with a stack of so many bytes; what `ps` shows of its name ends after 15 of them.
///
/// # Errors
/// If the system has no threads or memory left. The work is dropped then.
pub fn start(name: &'static CStr, stack: usize, work: Work) -> io::Result<()> {
    let begun: Box<Work> = Box::new(Box::new(move || {
        // Only for people who look at the processes.
        let _ = nix::sys::prctl::set_name(name);
        work();
    }));
    let work = Box::into_raw(begun);
    match create(stack, work.cast()) {
        0 => Ok(()),
        error => {
            // SAFETY: it is what has been made above, and there is no thread that takes it.
            #[allow(unsafe_code)]
            drop(unsafe { Box::from_raw(work) });
            Err(io::Error::from_raw_os_error(error))
        }
    }
}

#[allow(unsafe_code)]
fn create(stack: usize, work: *mut c_void) -> i32 {
    let (mut attributes, mut id) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: the attributes are initialised before they are used, and `begin` takes what `start` has made.
    unsafe {
        libc::pthread_attr_init(attributes.as_mut_ptr());
        libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), stack);
        libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED);
        libc::pthread_create(id.as_mut_ptr(), attributes.as_ptr(), begin, work)
    }
}

extern "C" fn begin(work: *mut c_void) -> *mut c_void {
    // SAFETY: `start` has made it, and gives it to one thread only.
    #[allow(unsafe_code)]
    let work = unsafe { Box::from_raw(work.cast::<Work>()) };
    work();
    ptr::null_mut()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn work_is_done_beside_under_its_name() {
        let (sender, receiver) = mpsc::channel();
        for stack in [STACK, SMALL_STACK] {
            let sender = sender.clone();
            let work = move || {
                let own = nix::unistd::gettid();
                sender.send((own, nix::sys::prctl::get_name().unwrap())).unwrap();
            };
            start(c"helper", stack, Box::new(work)).unwrap();

            let (thread, name) = receiver.recv_timeout(Duration::from_secs(10)).unwrap();

            assert_ne!(thread, nix::unistd::gettid());
            assert_eq!(name.to_bytes(), b"helper");
        }
    }
}

//! The kernel's addresses and links, through netlink.

use core::time::Duration;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;

use crate::engine::Instant;
use crate::netlink::{
    Address, AddressFlags, Error, Event, Existing, Family, Groups, Lifetimes, Mirror, Received, Scope,
    Socket, address, link, words,
};
use crate::reconcile::{Hands, MARK, Op, Placed, Record};

use super::record_file::RecordFile;

/// A copy of the kernel's links and addresses, and the means to change the latter.
///
/// Its descriptor is readable when the kernel has news; [`Kernel::read`] takes them in.
#[derive(Debug)]
pub struct Kernel {
    requests: Socket,
    monitor: Socket,
    mirror: Mirror,
    record: RecordFile,
    /// When everything is looked at again, whatever the notifications say.
    refresh_at: Instant,
    /// The last failure, so that it is logged once and not at each retry.
    complaint: Option<String>,
}

/// Whether there was news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// The copy may have changed.
    News,
    /// Nothing was waiting.
    Nothing,
}

impl Kernel {
    /// Looks at everything once, and listens from then on.
    ///
    /// # Errors
    ///
    /// Without netlink there is nothing that the daemon could do.
    pub fn open(record: RecordFile, now: Instant) -> Result<Kernel, Error> {
        // It listens before it looks, so that nothing is missed in between.
        let monitor = Socket::open(Groups::LINKS.with(Groups::ADDRESSES)).map_err(Error::Socket)?;
        let requests = Socket::open(Groups::NONE).map_err(Error::Socket)?;
        let mirror = Mirror::default();
        let mut kernel = Kernel { requests, monitor, mirror, record, refresh_at: now, complaint: None };
        kernel.look(now)?;
        Ok(kernel)
    }

    /// The copy.
    pub fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// Takes in the kernel's news, and a fresh copy of everything if some were lost or it is time for one.
    pub fn read(&mut self, now: Instant) -> Read {
        let mut read = Read::Nothing;
        let mirror = &mut self.mirror;
        let result = self.monitor.notifications(DATAGRAMS_MAX, &mut |event| {
            mirror.apply(&event);
            read = Read::News;
        });
        let is_complete = match result {
            Ok(Received::All | Received::More) => true,
            Err(error) => {
                log::info!("netlink: {error}; reading everything again");
                false
            }
        };
        if is_complete && now < self.refresh_at {
            return read;
        }
        self.refresh(now);
        Read::News
    }

    /// When [`Kernel::read`] should be called even without news.
    pub fn next_deadline(&self) -> Instant {
        self.refresh_at
    }

    /// Looks at everything again; the old copy has to do if that fails.
    fn refresh(&mut self, now: Instant) {
        if let Err(error) = self.look(now) {
            log::warn!("netlink: can't read links and addresses: {error}");
            self.refresh_at = now.after(REFRESH_RETRY);
        }
    }

    fn look(&mut self, now: Instant) -> Result<(), Error> {
        let delay = match self.replace_mirror()? {
            Consistency::Whole => REFRESH_EVERY,
            Consistency::Interrupted => REFRESH_RETRY,
        };
        self.refresh_at = now.after(delay);
        Ok(())
    }

    /// A dump that a change has interrupted is begun again; on a busy machine the last attempt has to do.
    fn replace_mirror(&mut self) -> Result<Consistency, Error> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            self.forget_notifications();
            let (mirror, consistency) = self.dump().inspect_err(|_| self.reopen())?;
            if consistency == Consistency::Whole || attempts == DUMPS_MAX {
                self.mirror = mirror;
                return Ok(consistency);
            }
        }
    }

    /// Reads what is waiting and drops it, because a dump follows.
    ///
    /// After an overrun the kernel drops what is new, and what waits is old: taken in after the dump it would undo
    /// it, and nothing would ever put that right.
    fn forget_notifications(&mut self) {
        for _ in 0..DISCARDS_MAX {
            match self.monitor.notifications(DATAGRAMS_MAX, &mut |_| {}) {
                Ok(Received::All) | Err(Error::Socket(_)) => return,
                Ok(Received::More) | Err(_) => {}
            }
        }
    }

    fn dump(&mut self) -> Result<(Mirror, Consistency), Error> {
        let mut mirror = Mirror::default();
        let mut consistency = Consistency::Whole;
        for request in [link::dump(), address::dump(None)] {
            match self.requests.dump(&request, &mut |event| mirror.apply(&event)) {
                Ok(()) => {}
                Err(Error::Interrupted) => consistency = Consistency::Interrupted,
                Err(error) => return Err(error),
            }
        }
        Ok((mirror, consistency))
    }

    /// An exchange that broke off may have left answers in the socket, or a dump that the kernel thinks is going on.
    fn reopen(&mut self) {
        match Socket::open(Groups::NONE) {
            Ok(socket) => self.requests = socket,
            Err(errno) => log::warn!("netlink: can't open a socket: {}", words(errno)),
        }
    }

    fn add(&mut self, placed: &Placed) -> Result<(), Error> {
        let address = address_of(placed);
        self.requests.request(&address.add(Existing::Refuse))?;
        // The kernel tells of it too, of an IPv6 address a moment later.
        self.mirror.apply(&Event::Address(address));
        Ok(())
    }

    fn remove(&mut self, placed: &Placed) -> Result<(), Error> {
        let address = address_of(placed);
        match self.requests.request(&address.delete()) {
            Err(Error::Refused(error)) if is_gone(error.errno) => {}
            result => result?,
        }
        self.mirror.apply(&Event::AddressGone(address));
        Ok(())
    }

    /// After a failure: makes sure that the copy is not what caused it.
    fn doubt(&mut self, error: &Error) {
        match error {
            // Somebody else has it, or the copy missed something: who has it decides what is to be done.
            Error::Refused(refusal) if refusal.errno == Errno::EEXIST => {}
            Error::Refused(_) => return,
            // Whether it was done is not known.
            Error::Overrun
            | Error::Interrupted
            | Error::NoAnswer
            | Error::Malformed(_)
            | Error::Socket(_) => {
                self.reopen();
            }
        }
        match self.replace_mirror() {
            Ok(Consistency::Whole) => {}
            Ok(Consistency::Interrupted) => self.refresh_at = AT_ONCE,
            Err(error) => {
                log::warn!("netlink: can't read links and addresses: {error}");
                self.refresh_at = AT_ONCE;
            }
        }
    }

    fn report(&mut self, op: &Op, result: &Result<(), Error>) {
        match result {
            Ok(()) => {
                log::debug!("{}", self.describe(op));
                self.complaint = None;
            }
            Err(error) => {
                let complaint = format!("{}: {error}", self.describe(op));
                if self.complaint.as_ref() != Some(&complaint) {
                    log::warn!("{complaint}");
                    self.complaint = Some(complaint);
                }
            }
        }
    }

    fn describe(&self, op: &Op) -> String {
        let name = |index| match self.mirror.link(index) {
            Some(link) => link.name.to_string(),
            None => format!("device {index}"),
        };
        match op {
            Op::KeepSecondaries(device) => format!("promote secondary addresses on {}", name(*device)),
            Op::AddAddress(placed) => format!("add {} to {}", placed.prefix, name(placed.device)),
            Op::RemoveAddress(placed) => format!("remove {} from {}", placed.prefix, name(placed.device)),
        }
    }
}

impl Hands for Kernel {
    fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    fn keep(&mut self, record: &Record) {
        self.record.keep(record);
    }

    fn take(&mut self, op: &Op) -> Result<(), String> {
        let result = match op {
            Op::KeepSecondaries(device) => self.requests.request(&link::keep_secondaries(*device)),
            Op::AddAddress(placed) => self.add(placed),
            Op::RemoveAddress(placed) => self.remove(placed),
        };
        self.report(op, &result);
        if let Err(error) = &result {
            self.doubt(error);
        }
        result.map_err(|error| error.to_string())
    }
}

impl AsFd for Kernel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.monitor.as_fd()
    }
}

/// How an address of ours is installed.
fn address_of(placed: &Placed) -> Address {
    let Placed { device, prefix, label } = *placed;
    let route = if prefix.is_host() { AddressFlags::NOPREFIXROUTE } else { AddressFlags::NONE };
    let (flags, lifetimes) = match prefix.family() {
        // The kernel takes the first address of a device as the source of what the router sends itself. That is
        // the router's own, which was there first; a deprecated address would change nothing.
        Family::V4 => (route, Lifetimes::FOREVER),
        // No duplicate detection: the other router may still have the address for a moment, and clients
        // wait. Deprecated, or it could become the source of what the router sends itself.
        Family::V6 => (route.with(AddressFlags::NODAD), Lifetimes::DEPRECATED),
    };
    Address {
        index: device,
        prefix,
        peer: None,
        flags,
        scope: Scope::UNIVERSE,
        label,
        broadcast: prefix.broadcast(),
        protocol: MARK,
        lifetimes,
    }
}

/// Whether an address that can't be removed is not there: it is gone already, or its device is.
fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::EADDRNOTAVAIL | Errno::ENODEV | Errno::ENXIO)
}

/// Whether a dump shows one state of the kernel, or parts of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consistency {
    Whole,
    Interrupted,
}

/// Notifications that are read in one turn; the rest is read in the next one.
const DATAGRAMS_MAX: usize = 256;

/// Times [`DATAGRAMS_MAX`] notifications that are dropped before a dump: ten times what the socket can hold.
const DISCARDS_MAX: usize = 32;

/// Attempts at a dump that no change interrupts.
const DUMPS_MAX: u32 = 3;

/// Everything is looked at this often even without a reason, in case there was one that nobody knows of.
const REFRESH_EVERY: Duration = Duration::from_secs(60);

/// A look that is overdue: what was waiting to be read has been dropped, and no full copy has replaced it.
const AT_ONCE: Instant = Instant::from_micros(0);

/// After a look that failed.
const REFRESH_RETRY: Duration = Duration::from_secs(1);

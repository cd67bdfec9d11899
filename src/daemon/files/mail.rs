//! What goes between the loop and the thread. Neither waits for the other: a lock is held for as long as it takes to
//! move what is in a queue.

use core::sync::atomic::{AtomicU32, Ordering};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::limits;
use crate::peer::PeerId;
use crate::sync::file::Hash;
use crate::sync::file::party::View;
use crate::sync::file::rules::Rules;

use super::services::{Desk, Progress};

/// What the loop tells the thread.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Other rules, and the services to be reloaded.
    Configure(Rules, Services),
    /// Whether this router is the source.
    Source(bool),
    /// The channel to a router stands.
    Up(PeerId),
    /// It is gone.
    Down(PeerId),
    /// A router says something: the kind, and the body.
    Said(PeerId, u8, Vec<u8>),
    /// The daemon runs with the configuration of this hash.
    Release(Hash),
    /// Look at the disk now. The number comes back with what is known then.
    Look(u32),
    /// The thread is not needed any more.
    Stop,
}

/// What is reloaded when files have come.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Services {
    /// Their names.
    pub names: Vec<String>,
    /// `option service_command`.
    pub command: Option<String>,
}

/// What the thread tells the loop.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A message for a router.
    Send(PeerId, u8, Vec<u8>),
    /// Our own configuration is another one.
    OwnChanged,
    /// A UCI package is another one.
    Package(String),
}

/// How things stood at the end of a round of the thread.
#[derive(Debug, Default)]
pub struct Known {
    /// Of the files.
    pub view: View,
    /// The last [`Order::Look`] that this is about.
    pub looked: u32,
    /// The thread knows this router as the source.
    pub is_source: bool,
}

/// What the loop wants.
#[derive(Debug, Default)]
struct Inbox {
    orders: Vec<Order>,
    /// Of what other routers have said.
    bytes: usize,
}

/// The two letter boxes.
#[derive(Debug)]
pub struct Mail {
    orders: Mutex<Inbox>,
    items: Mutex<(Vec<Item>, Option<Known>)>,
    desk: Mutex<Desk>,
    /// From the thread to the loop.
    bell: EventFd,
    /// From the loop to the thread.
    nudge: EventFd,
    /// Odd while the thread does something.
    round: AtomicU32,
}

impl Mail {
    /// Empty ones.
    ///
    /// # Errors
    /// If the system has no descriptors left.
    pub fn new() -> io::Result<Mail> {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        Ok(Mail {
            orders: Mutex::default(),
            items: Mutex::default(),
            desk: Mutex::default(),
            bell: EventFd::from_flags(flags)?,
            nudge: EventFd::from_flags(flags)?,
            round: AtomicU32::new(0),
        })
    }

    // --- the loop's side ---

    /// Hands over what is in `orders`; what can't be at this moment stays there. Messages of other routers are left out
    /// while too many wait: they say everything again.
    pub fn post(&self, orders: &mut Vec<Order>) {
        let Ok(mut inbox) = self.orders.try_lock() else { return };
        let is_known = !inbox.orders.is_empty();
        for order in orders.drain(..) {
            let bytes = order.bytes();
            let waiting = inbox.bytes.saturating_add(bytes);
            if bytes == 0 || waiting <= limits::FILE_INBOX_BYTES {
                inbox.bytes = waiting;
                inbox.orders.push(order);
            }
        }
        if !is_known {
            let _ = self.nudge.write(1);
        }
    }

    /// What the thread has to tell, how things stand if that is news, and how reloads go; `None` if it is just being told.
    pub fn take(&self) -> Option<(Vec<Item>, Option<Known>, Progress)> {
        let mut items = self.items.try_lock().ok()?;
        let progress = self.desk.try_lock().ok()?.progress.clone();
        let _ = self.bell.read();
        let (items, known) = core::mem::take(&mut *items);
        Some((items, known, progress))
    }

    /// Which round the thread is in; odd while it is in one.
    pub fn round(&self) -> u32 {
        self.round.load(Ordering::Relaxed)
    }

    // --- the thread's side ---

    /// What the loop wants, in its order.
    pub fn take_orders(&self) -> Vec<Order> {
        core::mem::take(&mut *lock(&self.orders)).orders
    }

    /// Readable when there are orders.
    pub fn nudged(&self) -> &EventFd {
        &self.nudge
    }

    /// Tells the loop.
    pub fn tell(&self, items: Vec<Item>, known: Known) {
        let mut told = lock(&self.items);
        told.0.extend(items);
        told.1 = Some(known);
        drop(told);
        self.ring();
    }

    /// Has the loop look.
    pub fn ring(&self) {
        let _ = self.bell.write(1);
    }

    /// Where reloads are asked for.
    pub fn desk(&self) -> MutexGuard<'_, Desk> {
        lock(&self.desk)
    }

    /// A round begins, or ends.
    pub fn turn(&self) {
        self.round.fetch_add(1, Ordering::Relaxed);
    }
}

impl AsFd for Mail {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

impl Order {
    /// What it takes of the room for what other routers say.
    fn bytes(&self) -> usize {
        match self {
            Order::Said(_, _, body) => body.len().saturating_add(size_of::<Order>()),
            Order::Configure(..)
            | Order::Source(_)
            | Order::Up(_)
            | Order::Down(_)
            | Order::Release(_)
            | Order::Look(_)
            | Order::Stop => 0,
        }
    }
}

/// A thread that has panicked has ended the process.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

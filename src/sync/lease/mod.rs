//! DHCP leases on two routers, without a file or a socket.
//!
//! In reading order:
//!
//! * [`file`]: dnsmasq's lease file, a line at a time.
//! * [`shadow`]: from the file as it was to the file as it is. It tells a release from a torn read.
//! * [`table`]: what this router knows of each address, and in which order things were said. Two tables become equal by
//!   exchanging entries, in any order and any number of times.
//! * [`wire`]: entries as bytes.
//! * [`feed`]: what one router still lacks, what is on its way, what it has confirmed.
//!
//! # How it works
//!
//! Each change that a master finds in its file becomes an entry with a [`Stamp`], and replaces the entry with the same
//! address and a lower stamp wherever it arrives. A router numbers its own changes; what a router has is therefore
//! told by one number for each router that ever wrote (a version vector), and what it lacks are the entries
//! with higher numbers, in their order. A new standby, one that was away, and one that misses only the last renewal
//! are the same case, with a different number of entries to send. A router says that it has
//! something only when it has got all that was lacking; a digest of all entries, compared now and then, would show a mistake in
//! that, and then everything is sent.
//!
//! The term in a stamp is one more than the highest that its writer has seen of others. So whoever takes over
//! writes above everything that it knew, and after a split the two need no agreement on who was right: for each
//! address the higher stamp stands. A lease that was released leaves an entry behind (without a client)
//! until the lease would have ended, so that an older copy can't bring it back.
//!
//! No wall clock is compared between routers. On the wire a lease has seconds left; in a table it has an end on the
//! clock of this boot; only [`file`] knows the wall clock, as an argument.

mod blocks;
pub mod feed;
pub mod file;
pub mod shadow;
pub mod table;
pub mod wire;

use core::time::Duration;

use crate::engine::Instant;

/// A life of a daemon that has leases to tell of; chosen at random at each start. A number that was given out
/// before a crash must not be given out again for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(pub u32);

/// Which of two things said of an address counts: the higher.
///
/// The order of the fields is the order of what counts: the term, and among equal terms, which come of a split,
/// always the same writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// One more than the highest term of others that the writer had seen.
    pub term: u32,
    /// Who wrote.
    pub node: Node,
    /// Counts the writer's changes, from 1.
    pub seq: u64,
}

/// How long a lease lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Until then, on the clock of this boot.
    Until(Instant),
    /// For so many seconds, from when nobody knows: a dnsmasq built for routers without a clock (`no-RTC`) writes only
    /// this. It lasts until the server removes it.
    Length(u32),
    /// Without end.
    Forever,
}

impl Life {
    /// Whether it is over.
    pub fn is_over(self, now: Instant) -> bool {
        self.left(now) == Some(Duration::ZERO)
    }

    /// What is left of it; `None` if it has no end that is known here.
    pub fn left(self, now: Instant) -> Option<Duration> {
        match self {
            Life::Until(end) => Some(end.since(now)),
            Life::Length(_) | Life::Forever => None,
        }
    }
}

/// The words of a lease that are carried as they are: three, with a blank between them, as in the file.
///
/// Hardware address (IPv6: IAID), host name or `*`, client identifier (IPv6: DUID) or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client(Box<str>);

impl Client {
    /// Of the three words; `None` if one of them is not what a lease file can hold.
    pub fn new(hardware: &str, name: &str, id: &str) -> Option<Client> {
        let fits = is_word(hardware, HARDWARE_BYTES) && is_word(name, NAME_BYTES) && is_word(id, ID_BYTES);
        fits.then(|| Client(format!("{hardware} {name} {id}").into()))
    }

    /// Of the three words with blanks between them.
    pub fn parse(text: &str) -> Option<Client> {
        let mut words = text.split(' ');
        let client = Client::new(words.next()?, words.next()?, words.next()?)?;
        words.next().is_none().then_some(client)
    }

    /// The three words with blanks between them.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Hardware address; for IPv6 the IAID, with a `T` before it if the address is temporary.
    pub fn hardware(&self) -> &str {
        self.word(0)
    }

    /// Host name.
    pub fn name(&self) -> Option<&str> {
        Some(self.word(1)).filter(|word| *word != NONE)
    }

    /// Client identifier; for IPv6 the DUID.
    pub fn id(&self) -> Option<&str> {
        Some(self.word(2)).filter(|word| *word != NONE)
    }

    /// Whether both are one client to a DHCP server, whatever its name.
    pub fn is_same(&self, other: &Client) -> bool {
        match (self.id(), other.id()) {
            (None, None) => self.hardware() == other.hardware(),
            (id, other) => id == other,
        }
    }

    fn word(&self, number: usize) -> &str {
        let mut words = self.0.split(' ');
        for _ in 0..number {
            words.next();
        }
        words.next().unwrap_or(NONE)
    }
}

/// What stands for a word that there is none of.
const NONE: &str = "*";

/// A hardware address of dnsmasq's 16 bytes, with its type before it, takes 50.
const HARDWARE_BYTES: usize = 64;
const NAME_BYTES: usize = 255;
/// 255 bytes as `xx:xx:..`.
const ID_BYTES: usize = 764;

fn is_word(word: &str, limit: usize) -> bool {
    (1..=limit).contains(&word.len()) && !word.chars().any(|it| it == ' ' || it.is_control())
}

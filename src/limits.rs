//! Every bound of the program, with its reason.

use core::time::Duration;

/// Routers that a multicast member keeps apart. A LAN host that invents sources must not grow the table;
/// the adverts of those beyond it still count.
pub const PEERS_MAX: usize = 16;

/// A peer whose configuration differs is mentioned once in this time: its adverts come every interval.
pub const MISMATCH_NOTICE_EVERY: Duration = Duration::from_secs(60);

/// First wait before an advert that could not be sent is tried again; doubles, within the interval.
pub const SEND_RETRY_FIRST: Duration = Duration::from_millis(10);

/// How long addresses may be missing on a master before it lowers itself (protocol rule 22).
pub const APPLY_GRACE: Duration = Duration::from_secs(3);

/// How long a node that could not install its addresses counts as faulty after it lost the role: it can
/// find out only by serving, and must not do so every preempt delay.
pub const APPLY_FAULT_REMEMBERED: Duration = Duration::from_secs(600);

/// Moves for a track that only the master can judge: the first is free, the next one may come after this
/// time, doubling up to the maximum (protocol rule 9).
pub const DAMPING_FIRST: Duration = Duration::from_secs(600);

/// See [`DAMPING_FIRST`].
pub const DAMPING_MAX: Duration = Duration::from_secs(3600);

/// How long after Master_Down a `switch` waits for another router to take over (protocol rule 3).
pub const SWITCH_GRACE: Duration = Duration::from_secs(1);

/// How long a track whose link is down when the daemon starts waits for it: at boot the links come one by one.
pub const LINK_GRACE: Duration = Duration::from_secs(10);

//! Every bound of the program, with its reason. Bounds of a format stand beside its reader.

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
/// VRRP packets that are read from one socket in one turn of the loop. More wait for the next turn, so
/// that a flood on one link delays the adverts of the others by a millisecond at most.
pub const PACKETS_PER_TURN: usize = 64;

/// Turns for which a full socket may hold back the timers. After a stall the adverts that queued up
/// must be seen before a Master_Down timer fires; a flood must not silence this node's own adverts.
pub const BACKLOG_TURNS: u32 = 16;

/// A timer that is served this late was held up, and packets may have come in the meantime. Less than the 5 ms
/// that Master_Down has beyond three intervals.
pub const TIMER_LATE: Duration = Duration::from_millis(2);

/// Turns in a row, each with new packets, after which the next packets are read by the handful. A router with three
/// networks needs two for the adverts of its master.
pub const GATHER_AFTER: u32 = 4;

/// How long packets are given to arrive together: far below what an advert may be late.
pub const GATHER: Duration = Duration::from_millis(1);

/// Datagrams of kernel notifications read in one turn.
pub const NETLINK_DATAGRAMS_PER_TURN: usize = 32;

/// ARP and neighbour frames that are read from one link in one turn.
pub const CONFLICTS_PER_TURN: usize = 16;

/// Bytes of a received packet: an IPv4 header of 60 and a VRRP packet with 255 addresses of 16 fit.
pub const PACKET_BYTES: usize = 4352;

/// Receive buffer of a VRRP socket: 250 masters on one link at 10 ms, while this node stalls for a
/// tenth of a second. The kernel counts about 800 bytes for a small packet.
pub const PACKET_QUEUE_BYTES: usize = 2 << 20;

/// Clients of the control socket at a time; the next one is told to come back.
pub const CONTROL_CLIENTS: usize = 8;

/// Bytes of one request on the control socket. The longest has a file name in it.
pub const REQUEST_BYTES: usize = 8 << 10;

/// Bytes of one answer: what ubus can carry.
pub const ANSWER_BYTES: usize = 1 << 20;

/// How long a client of the control socket may take to send its request, and to read its answer.
pub const CLIENT_PATIENCE: Duration = Duration::from_secs(10);

/// How long ubus, or netifd on it, may be away before that is worth a warning: both are restarted within a second or two.
pub const BUS_GRACE: Duration = Duration::from_secs(10);

/// Interfaces of netifd that are looked at; the largest routers have a few dozen.
pub const INTERFACES: usize = 512;

/// Commands that wait for the engine's reply.
pub const PENDING_COMMANDS: usize = 32;

/// Events that `gwha history` can tell of.
pub const HISTORY_ENTRIES: usize = 200;

/// Bytes of the history file that are read at a start: [`HISTORY_ENTRIES`] long ones, twice.
pub const HISTORY_BYTES: usize = 256 << 10;

/// Bytes of a configuration file. Two hundred instances need about 60 KiB.
pub const CONFIG_BYTES: usize = 1 << 20;

/// Bytes of one log line; the kernel's limit for a datagram is far above, a reader's patience is not.
pub const LOG_LINE_BYTES: usize = 1024;

/// How often a log socket that is gone is tried again.
pub const LOG_RETRY: Duration = Duration::from_secs(1);

/// How often the same repeatable fact (a rival, a contradiction) is logged.
pub const LOG_REPEAT: Duration = Duration::from_secs(60);

/// Facts whose last log time is remembered.
pub const LOG_REPEAT_KEYS: usize = 256;

/// Groups whose last advert is remembered over a restart: as many as there are VRIDs in both families.
pub const REMEMBERED_GROUPS: usize = 512;

/// Addresses of which something is known: leases, and releases that are remembered. dnsmasq itself is of no use with
/// more than a few thousand.
pub const LEASES: usize = 16_384;

/// Bytes of a lease file: as many lines as there can be addresses, each with a long name.
pub const LEASE_FILE_BYTES: usize = 4 << 20;

/// Bytes of what a restart of the daemon is left of leases: several times what they take.
pub const LEASE_JOURNAL_BYTES: usize = 32 << 20;

/// Things found in the lease file that are taken in in one turn of the loop.
pub const LEASES_PER_TURN: usize = 128;

/// Leases that are listed in one answer.
pub const LEASES_LISTED: usize = 2048;

/// Own changes whose age is remembered until they are confirmed; with more the age of the youngest is not exact.
pub const LEASE_MARKS: usize = 64;

/// Bytes of a file that follows: it is in memory as a whole while it is sent, and while it is put in place. UCI files have the
/// same limit.
pub const FILE_BYTES: usize = 1 << 20;

/// Files and directories that follow, with all that is below them. More would be data, and no configuration.
pub const FILES: usize = 1024;

/// Directories below a listed one, within each other.
pub const FILE_DEPTH: usize = 16;

/// Bytes of a path: what the configuration can name, and something below it.
pub const FILE_PATH_BYTES: usize = 1280;

/// Edits of one file that are kept aside. A program that writes a file again and again on the standby gets no further.
pub const ASIDE_PER_FILE: usize = 16;

/// Bytes of all edits that are kept aside: flash is small.
pub const ASIDE_BYTES: u64 = 1 << 20;

/// Bytes of messages about files that wait for the thread that takes them in, while its disk is slow.
pub const FILE_INBOX_BYTES: usize = 256 << 10;

//! Bounds of a configuration. They are far above any home or small office and keep every list, table
//! and advert of the program within sizes that were thought about. Reaching one is a config error.

/// Virtual routers: as many as there are VRIDs. keepalived users with one for each VLAN have twenty; `make bench`
/// measures 250.
pub const INSTANCES_MAX: usize = 256;

/// Sync groups; there can't be more than instances.
pub const GROUPS_MAX: usize = INSTANCES_MAX;

/// Checks.
pub const TRACKS_MAX: usize = 64;

/// Virtual addresses of an instance: an advert over IPv6 with 64 of them still fits an MTU of 1280.
pub const VIPS_MAX: usize = 64;

/// Routers of an instance. Places beyond the eighth would have a rank of 20 and less, which meets the
/// priorities that mean a fault; sets of places are kept in a byte.
pub const ROUTERS_MAX: usize = 8;

/// Targets of a check. They are all asked in each test.
pub const TARGETS_MAX: usize = 16;

/// Entries of each list of interfaces and services.
pub const ACTIONS_MAX: usize = 32;

/// Files and directories that follow to the other router.
pub const FILES_MAX: usize = 128;

/// Announcement rounds after a takeover.
pub const BURSTS_MAX: usize = 16;

/// Length of a section's name, for tables and log lines.
pub const NAME_BYTES_MAX: usize = 32;

/// Length of a path or a command.
pub const TEXT_BYTES_MAX: usize = 1024;

/// Errors and warnings that are reported of one file; what is beyond is counted.
pub const FINDINGS_MAX: usize = 100;

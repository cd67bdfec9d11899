//! Bounds of the reader. They are far above every real file and keep a damaged or hostile one from
//! using up the memory or the processor of a small router. Reaching one is an error with a position.

/// Size of a file. The largest real ones, `/etc/config/dhcp` with two thousand static leases or a
/// firewall with long sets, stay below a third of it.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// Sections of a file, named and unnamed.
pub const SECTIONS_MAX: usize = 8192;

/// Different option names in a section. They are looked up one by one, so that this bounds the time
/// that a file of the largest size takes.
pub const OPTIONS_MAX: usize = 512;

/// Length of one word: a value, a name or a type. Certificates and keys are below 8 KiB.
pub const WORD_BYTES_MAX: usize = 16 << 10;

/// Errors that are reported of one file. After each the reader starts again on the next line; a file
/// with more is not UCI at all.
pub const ERRORS_MAX: usize = 20;

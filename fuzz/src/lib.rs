//! What the fuzz targets do with their bytes. Nothing here needs the fuzzer.

pub mod files;
pub mod pair;
pub mod peer;
pub mod ubus;

//! The hands: what touches the kernel.

pub mod announce;
pub mod child;
pub mod children;
pub mod kernel;
pub mod links;
pub mod record_file;

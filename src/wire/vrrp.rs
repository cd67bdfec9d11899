//! The VRRP payload.

use std::net::IpAddr;

/// v2 authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Type 0.
    None,
    /// Type 1: a password in clear, padded with zeros.
    Password([u8; 8]),
}

/// Which bytes a v3 checksum over IPv4 covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumForm {
    /// The message only (RFC 9568 §5.2.8).
    Message,
    /// The message and a pseudo-header with the packet's addresses (keepalived).
    PseudoHeader,
}

/// A VRRP payload as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Sender.
    pub source: IpAddr,
    /// Receiver.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// What followed the IP header.
    pub bytes: &'a [u8],
}

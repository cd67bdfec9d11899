//! Noise with the shared key: `Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s`.
//!
//! NN, for the routers have no keys besides the one they share; the ephemeral keys give forward secrecy. *psk0*, for
//! then the first message is sealed with the shared key already: a stranger is refused before any Diffie-Hellman, for
//! the price of some hashing. ChaCha20 and BLAKE2s are the fastest of the set on routers without AES instructions.
//!
//! A prelude in clear comes before each of the two messages. It is part of what is authenticated, and so are the two
//! addresses in the order of the roles: a message that is reflected to its sender, or moved to another pair of
//! routers with the same key, does not open.

use core::fmt;
use std::net::IpAddr;

use super::key::Key;
use super::noise::{self, Before, Forged, Initiator, Seal};

/// Which end of a connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It connected.
    Initiator,
    /// It was connected to.
    Responder,
}

/// The addresses of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Of who connected.
    pub initiator: IpAddr,
    /// Of who was connected to.
    pub responder: IpAddr,
}

/// What is wrong with the other side's handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It does not begin as a handshake does.
    NotGwha,
    /// It is of another version of the handshake.
    Version(u8),
    /// It was not made with this key for this pair of addresses.
    Key,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NotGwha => f.write_str("what answers there does not speak this protocol"),
            Failure::Version(version) => write!(f, "it speaks version {version} of the handshake"),
            Failure::Key => f.write_str("it has another key"),
        }
    }
}

/// A handshake under way: each side has one message to say and one to hear.
pub enum Handshake {
    /// Has connected, and waits for the answer to what it has said.
    Initiator(Initiator),
    /// Was connected to, and waits.
    Responder(Before),
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handshake(..)")
    }
}

impl Handshake {
    /// A handshake, and what the initiator says first (one scalar multiplication); `None` if the kernel has no
    /// randomness to give.
    pub fn new(side: Side, key: &Key, ends: &Ends) -> Option<(Handshake, Vec<u8>)> {
        let prologue = [PRELUDE.as_slice(), &octets(ends.initiator), &octets(ends.responder)].concat();
        let mut before = Before { prologue, psk: *key.bytes(), private: [0; 32] };
        getrandom::fill(&mut before.private).ok()?;
        Some(match side {
            Side::Initiator => {
                let (initiator, message) = Initiator::begin(&before);
                (Handshake::Initiator(initiator), with_prelude(&message))
            }
            Side::Responder => (Handshake::Responder(before), Vec::new()),
        })
    }

    /// Takes in the other side's message: then the handshake is done, and the responder has its own message to say.
    /// It costs the responder two scalar multiplications, without the key only some hashing; the initiator one.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn finish(&mut self, body: &[u8]) -> Result<(Seal, Vec<u8>), Failure> {
        let (prelude, message) = body.split_at_checked(PRELUDE.len()).ok_or(Failure::NotGwha)?;
        match prelude.split_last() {
            Some((version, name)) if name == NAME => match *version {
                VERSION => {}
                other => return Err(Failure::Version(other)),
            },
            Some(_) | None => return Err(Failure::NotGwha),
        }
        match self {
            Handshake::Initiator(initiator) => initiator.finish(message).map(|seal| (seal, Vec::new())),
            Handshake::Responder(before) => {
                noise::respond(before, message).map(|(seal, message)| (seal, with_prelude(&message)))
            }
        }
        .map_err(|Forged| Failure::Key)
    }
}

fn with_prelude(message: &[u8]) -> Vec<u8> {
    [PRELUDE.as_slice(), message].concat()
}

/// Both families in sixteen bytes.
fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

const NAME: &[u8; 4] = b"gwha";
/// Of the handshake, not of the messages.
const VERSION: u8 = 1;
const PRELUDE: [u8; 5] = *b"gwha\x01";

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

use curve25519_dalek::MontgomeryPoint;
use curve25519_dalek::constants::X25519_BASEPOINT;
use snow::params::{
    BaseChoice, CipherChoice, DHChoice, HandshakeChoice, HandshakeModifier, HandshakeModifierList,
    HandshakePattern, HashChoice, NoiseParams,
};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};

use super::key::Key;

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

/// A handshake under way.
pub struct Handshake(snow::HandshakeState);

/// Seals and opens records once the handshake is done.
pub struct Seal(snow::TransportState);

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handshake(..)")
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(..)")
    }
}

/// A record that was not made by the other side, or not at this point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forged;

impl Handshake {
    /// A handshake that has not begun; `None` if the kernel has no randomness to give.
    pub fn new(side: Side, key: &Key, ends: &Ends) -> Option<Handshake> {
        let prologue = [PRELUDE.as_slice(), &octets(ends.initiator), &octets(ends.responder)].concat();
        let builder = snow::Builder::with_resolver(parameters(), Box::new(OurChoice));
        let builder = builder.psk(0, key.bytes()).ok()?.prologue(&prologue).ok()?;
        let state = match side {
            Side::Initiator => builder.build_initiator(),
            Side::Responder => builder.build_responder(),
        };
        state.ok().map(Handshake)
    }

    /// This side's message. Costs one scalar multiplication for the initiator, two for the responder.
    pub fn write(&mut self) -> Option<Vec<u8>> {
        let mut message = vec![0; MESSAGE_BYTES_MAX];
        let length = self.0.write_message(&[], &mut message).ok()?;
        Some([PRELUDE.as_slice(), message.get(..length)?].concat())
    }

    /// Takes in the other side's message. Without the key it costs some hashing only.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn read(&mut self, body: &[u8]) -> Result<(), Failure> {
        let (prelude, message) = body.split_at_checked(PRELUDE.len()).ok_or(Failure::NotGwha)?;
        match prelude.split_last() {
            Some((version, name)) if name == NAME => match *version {
                VERSION => {}
                other => return Err(Failure::Version(other)),
            },
            Some(_) | None => return Err(Failure::NotGwha),
        }
        let mut payload = [0; MESSAGE_BYTES_MAX];
        self.0.read_message(message, &mut payload).map(|_| ()).map_err(|_| Failure::Key)
    }

    /// After both messages.
    pub fn finish(self) -> Option<Seal> {
        self.0.into_transport_mode().ok().map(Seal)
    }
}

impl Seal {
    /// Seals the content of a record; `None` if it is too long.
    pub fn seal(&mut self, content: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = vec![0; content.len().checked_add(TAG_BYTES)?];
        let length = self.0.write_message(content, &mut sealed).ok()?;
        sealed.truncate(length);
        Some(sealed)
    }

    /// Opens a record. Records come in the order in which they were sealed, each once; nothing else opens.
    ///
    /// # Errors
    /// [`Forged`], after which the connection is to be closed.
    pub fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, Forged> {
        let mut content = vec![0; sealed.len()];
        let length = self.0.read_message(sealed, &mut content).map_err(|_| Forged)?;
        content.truncate(length);
        Ok(content)
    }
}

/// What [`PROTOCOL`] says, without the reader of all such names.
fn parameters() -> NoiseParams {
    let modifiers = HandshakeModifierList { list: vec![HandshakeModifier::Psk(0)] };
    NoiseParams::new(
        PROTOCOL.to_owned(),
        BaseChoice::Noise,
        HandshakeChoice { pattern: HandshakePattern::NN, modifiers },
        DHChoice::Curve25519,
        CipherChoice::ChaChaPoly,
        HashChoice::Blake2s,
    )
}

/// The primitives of [`PROTOCOL`] and no others: what nobody can ask for is left out of the program.
struct OurChoice;

impl CryptoResolver for OurChoice {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        DefaultResolver.resolve_rng()
    }

    fn resolve_dh(&self, _: &DHChoice) -> Option<Box<dyn Dh>> {
        Some(Box::<X25519>::default())
    }

    fn resolve_hash(&self, _: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(&HashChoice::Blake2s)
    }

    fn resolve_cipher(&self, _: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(&CipherChoice::ChaChaPoly)
    }
}

/// X25519 with the one multiplication that its agreement needs anyway. Snow's own takes the public key from the
/// curve's other form, which is three kilobytes of code for nothing else.
#[derive(Default)]
struct X25519 {
    private: [u8; 32],
    public: [u8; 32],
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        self.public.len()
    }

    fn priv_len(&self) -> usize {
        self.private.len()
    }

    fn set(&mut self, private: &[u8]) {
        self.private.copy_from_slice(private);
        self.public = X25519_BASEPOINT.mul_clamped(self.private).to_bytes();
    }

    fn generate(&mut self, random: &mut dyn Random) -> Result<(), snow::Error> {
        let mut private = [0; 32];
        random.try_fill_bytes(&mut private)?;
        self.set(&private);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        &self.private
    }

    fn dh(&self, theirs: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        // The longest that snow knows has 56 bytes, of which the first are the key.
        let theirs = theirs.first_chunk().copied().map(MontgomeryPoint).ok_or(snow::Error::Dh)?;
        let shared = theirs.mul_clamped(self.private).to_bytes();
        out.first_chunk_mut().map(|out| *out = shared).ok_or(snow::Error::Dh)
    }
}

/// Both families in sixteen bytes.
fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

const PROTOCOL: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";
const NAME: &[u8; 4] = b"gwha";
/// Of the handshake, not of the messages.
const VERSION: u8 = 1;
const PRELUDE: [u8; 5] = *b"gwha\x01";
/// An ephemeral key and a tag.
const MESSAGE_BYTES_MAX: usize = 32 + TAG_BYTES;
const TAG_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_protocol_is_what_its_name_says() {
        assert_eq!(Ok(parameters()), PROTOCOL.parse());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]

        #[test]
        fn keys_and_what_is_agreed_are_those_of_snow(ours in any::<[u8; 32]>(), theirs in any::<[u8; 32]>()) {
            let mut own = OurChoice.resolve_dh(&DHChoice::Curve25519).unwrap();
            let mut other = DefaultResolver.resolve_dh(&DHChoice::Curve25519).unwrap();
            own.set(&ours);
            other.set(&theirs);
            let (mut here, mut there) = ([0; 56], [0; 56]);
            own.dh(other.pubkey(), &mut here).unwrap();
            other.dh(own.pubkey(), &mut there).unwrap();
            prop_assert_eq!(here, there);
            other.set(&ours);
            prop_assert_eq!(own.pubkey(), other.pubkey());
            prop_assert_eq!(own.privkey(), other.privkey());
        }
    }
}

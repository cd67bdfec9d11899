//! Noise as the routers speak it, `Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s`, and nothing besides.
//!
//! Names and sections are those of the Noise Protocol Framework, revision 34. The primitives are libraries; what is
//! here is the order in which they are called, for one pattern of two messages:
//!
//! ```text
//! -> psk, e
//! <- e, ee
//! ```
//!
//! The tests hold both sides of it to another implementation.

use core::fmt;

use blake2::{Blake2s256, Digest as _};
use chacha20poly1305::aead::AeadInPlace as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use curve25519_dalek::MontgomeryPoint;
use curve25519_dalek::constants::X25519_BASEPOINT;

/// A key of any sort, public or not, and a hash: all have 32 bytes (DHLEN, HASHLEN).
pub type Key = [u8; 32];

/// A message that did not come from the other side, or not at this point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forged;

/// What both sides know before the first message.
#[derive(Clone)]
pub struct Before {
    /// What both must see alike.
    pub prologue: Vec<u8>,
    /// The shared key.
    pub psk: Key,
    /// This side's ephemeral key: random, and for this handshake alone.
    pub private: Key,
}

/// Who has said the first message and waits for the second.
pub struct Initiator {
    symmetric: Symmetric,
    private: Key,
}

impl Initiator {
    /// Says `psk, e`.
    pub fn begin(before: &Before) -> (Initiator, Vec<u8>) {
        let mut symmetric = Symmetric::new(before);
        let public = public(&before.private);
        symmetric.mix_ephemeral(&public);
        let message = symmetric.message(public);
        (Initiator { symmetric, private: before.private }, message)
    }

    /// Hears `e, ee`.
    ///
    /// # Errors
    /// [`Forged`] if the responder did not hear the first message, or has not the shared key.
    pub fn finish(&mut self, message: &[u8]) -> Result<Seal, Forged> {
        let (theirs, tag) = message.split_first_chunk().ok_or(Forged)?;
        self.symmetric.mix_ephemeral(theirs);
        self.symmetric.mix_key(&agreed(&self.private, *theirs));
        self.symmetric.open(tag)?;
        let [ours, theirs] = self.symmetric.split();
        Ok(Seal { ours, theirs })
    }
}

/// All that the responder does: hears `psk, e`, says `e, ee`.
///
/// # Errors
/// [`Forged`] if the initiator has not the shared key. Then it has cost some hashing, and no more.
pub fn respond(before: &Before, message: &[u8]) -> Result<(Seal, Vec<u8>), Forged> {
    let (theirs, tag) = message.split_first_chunk().ok_or(Forged)?;
    let mut symmetric = Symmetric::new(before);
    symmetric.mix_ephemeral(theirs);
    symmetric.open(tag)?;
    let public = public(&before.private);
    symmetric.mix_ephemeral(&public);
    symmetric.mix_key(&agreed(&before.private, *theirs));
    let message = symmetric.message(public);
    let [theirs, ours] = symmetric.split();
    Ok((Seal { ours, theirs }, message))
}

/// Seals and opens messages once the handshake is done.
pub struct Seal {
    ours: Cipher,
    theirs: Cipher,
}

impl Seal {
    /// Seals a message; `None` if it is longer than Noise allows (§3).
    pub fn seal(&mut self, content: &[u8]) -> Option<Vec<u8>> {
        if content.len() > CONTENT_BYTES_MAX {
            return None;
        }
        self.ours.seal(&[], content)
    }

    /// Opens a message. They come in the order in which they were sealed, each once; nothing else opens.
    ///
    /// # Errors
    /// [`Forged`], after which the connection is to be closed.
    pub fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, Forged> {
        self.theirs.open(&[], sealed)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(..)")
    }
}

/// One direction (CipherState, §5.1).
struct Cipher {
    key: Key,
    /// The nonce of the next message.
    next: u64,
}

impl Cipher {
    fn new(key: Key) -> Cipher {
        Cipher { key, next: 0 }
    }

    /// `None` once the nonces are used up.
    fn seal(&mut self, associated: &[u8], content: &[u8]) -> Option<Vec<u8>> {
        let nonce = self.nonce()?;
        let mut sealed = content.to_vec();
        let tag = self.primitive().encrypt_in_place_detached(&nonce.into(), associated, &mut sealed).ok()?;
        sealed.extend_from_slice(&tag);
        self.next = self.next.saturating_add(1);
        Some(sealed)
    }

    /// What does not open changes nothing.
    fn open(&mut self, associated: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Forged> {
        let (content, tag) = sealed.split_last_chunk::<TAG_BYTES>().ok_or(Forged)?;
        let nonce = self.nonce().ok_or(Forged)?;
        let mut content = content.to_vec();
        let opened =
            self.primitive().decrypt_in_place_detached(&nonce.into(), associated, &mut content, tag.into());
        opened.map_err(|_| Forged)?;
        self.next = self.next.saturating_add(1);
        Ok(content)
    }

    fn primitive(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(&self.key.into())
    }

    /// Four bytes of zero and the counter, little endian (§12.3), whose last value is never used (§5.1).
    fn nonce(&self) -> Option<[u8; 12]> {
        let mut nonce = [0; 12];
        *nonce.last_chunk_mut()? = self.next.to_le_bytes();
        Some(nonce).filter(|_| self.next != u64::MAX)
    }
}

/// What both sides have seen and agreed on so far (SymmetricState, §5.2).
struct Symmetric {
    chaining_key: Key,
    hash: Key,
    cipher: Cipher,
}

impl Symmetric {
    /// With the prologue and the shared key, `psk`.
    fn new(before: &Before) -> Symmetric {
        let name = hash(&[PROTOCOL.as_bytes()]);
        let [chaining_key, mixed, cipher_key] = derive(&name, &before.psk);
        let hash = hash(&[&hash(&[&name, &before.prologue]), &mixed]);
        Symmetric { chaining_key, hash, cipher: Cipher::new(cipher_key) }
    }

    fn mix_hash(&mut self, data: &[u8]) {
        self.hash = hash(&[&self.hash, data]);
    }

    fn mix_key(&mut self, material: &Key) {
        let [chaining_key, cipher_key, _] = derive(&self.chaining_key, material);
        self.chaining_key = chaining_key;
        self.cipher = Cipher::new(cipher_key);
    }

    /// `e`, in a pattern with a shared key (§9.2).
    fn mix_ephemeral(&mut self, public: &Key) {
        self.mix_hash(public);
        self.mix_key(public);
    }

    /// A public key and the tag of an empty payload (EncryptAndHash).
    fn message(&mut self, public: Key) -> Vec<u8> {
        let tag = self.cipher.seal(&self.hash, &[]).unwrap_or_default();
        self.mix_hash(&tag);
        [public.as_slice(), &tag].concat()
    }

    /// Looks at the tag of an empty payload (DecryptAndHash). A payload would be nothing that is understood here.
    fn open(&mut self, tag: &[u8]) -> Result<(), Forged> {
        let payload = self.cipher.open(&self.hash, tag)?;
        self.mix_hash(tag);
        if payload.is_empty() { Ok(()) } else { Err(Forged) }
    }

    /// For what the initiator says from now on, and what the responder does.
    fn split(&self) -> [Cipher; 2] {
        let [initiator, responder, _] = derive(&self.chaining_key, &[]);
        [Cipher::new(initiator), Cipher::new(responder)]
    }
}

fn public(private: &Key) -> Key {
    X25519_BASEPOINT.mul_clamped(*private).to_bytes()
}

fn agreed(private: &Key, theirs: Key) -> Key {
    MontgomeryPoint(theirs).mul_clamped(*private).to_bytes()
}

/// HKDF with three outputs (§4.3); where two are asked for, the third is not used.
fn derive(chaining_key: &Key, material: &[u8]) -> [Key; 3] {
    let secret = hmac(chaining_key, material, &[]);
    let first = hmac(&secret, &[1], &[]);
    let second = hmac(&secret, &first, &[2]);
    let third = hmac(&secret, &second, &[3]);
    [first, second, third]
}

/// HMAC (RFC 2104) with a key that is shorter than a block.
fn hmac(key: &Key, first: &[u8], second: &[u8]) -> Key {
    hash(&[&pad(key, 0x5c), &hash(&[&pad(key, 0x36), first, second])])
}

fn pad(key: &Key, filler: u8) -> [u8; BLOCK_BYTES] {
    let mut block = [filler; BLOCK_BYTES];
    for (byte, key) in block.iter_mut().zip(key) {
        *byte ^= key;
    }
    block
}

fn hash(parts: &[&[u8]]) -> Key {
    let mut hasher = Blake2s256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

const PROTOCOL: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";
/// Of BLAKE2s (BLOCKLEN).
const BLOCK_BYTES: usize = 64;
const TAG_BYTES: usize = 16;
/// A message has 65,535 bytes at most, with its tag.
const CONTENT_BYTES_MAX: usize = 65_535 - TAG_BYTES;

#[cfg(test)]
mod tests;

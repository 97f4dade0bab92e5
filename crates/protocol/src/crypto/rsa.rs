//! RSA for channels whose encType or signType is RSA: PKCS#1 v1.5 in blocks, and SHA256withRSA.
//!
//! Operations with a private key are blinded, because how long the arithmetic takes depends on its
//! numbers (RUSTSEC-2023-0071; `docs/decisions.md` says what remains of it). What does not decrypt
//! is one error, whatever was wrong with it, so that an answer is no oracle of the padding.

use std::fmt;

use ::rsa::pkcs1::{DecodeRsaPrivateKey as _, DecodeRsaPublicKey as _};
use ::rsa::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use ::rsa::rand_core::{CryptoRng, Error as RngError, RngCore};
use ::rsa::traits::PublicKeyParts as _;
use ::rsa::{Pkcs1v15Encrypt, Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use sha2::{Digest as _, Sha256};

use crate::ambient::Randomness;

/// Bits that a key has at least; below, it can be factored.
pub const LEAST_BITS: usize = 2048;
/// Bits that a key has at most; above, one message costs too much.
pub const MOST_BITS: usize = 4096;
/// Blocks that one message has at most: each costs a private operation of about a millisecond.
pub const MOST_BLOCKS: usize = 256;

/// What PKCS#1 v1.5 puts around the plaintext of a block, at the least.
const PADDING_BYTES: usize = 11;

/// DER of `DigestInfo { sha256, .. }` up to the digest itself (RFC 8017, 9.2, note 1).
const SHA256_PREFIX: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// Somebody's public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(RsaPublicKey);

/// Our own key.
#[derive(Clone)]
pub struct PrivateKey(RsaPrivateKey);

/// The text or bytes are no RSA key that we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// It can't be read.
    #[error("not an RSA key in PEM (PKCS#8, PKCS#1 or a certificate)")]
    Unreadable,
    /// It has too few or too many bits.
    #[error("an RSA key needs {LEAST_BITS} to {MOST_BITS} bits")]
    Size,
}

/// The ciphertext is none for this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not RSA with PKCS#1 v1.5 padding under this key")]
pub struct NotDecryptable;

impl PublicKey {
    /// Reads `BEGIN PUBLIC KEY` or `BEGIN RSA PUBLIC KEY`.
    ///
    /// # Errors
    /// See [`BadKey`].
    pub fn from_pem(pem: &str) -> Result<Self, BadKey> {
        let key = RsaPublicKey::from_public_key_pem(pem)
            .or_else(|_| RsaPublicKey::from_pkcs1_pem(pem))
            .map_err(|_| BadKey::Unreadable)?;
        Self::of(key)
    }

    pub(super) fn of(key: RsaPublicKey) -> Result<Self, BadKey> {
        sized(&key)?;
        Ok(Self(key))
    }

    /// PKCS#1 v1.5, block after block.
    #[must_use]
    pub fn encrypt(&self, plaintext: &[u8], random: &dyn Randomness) -> Option<Vec<u8>> {
        let block = self.0.size() - PADDING_BYTES;
        let mut rng = Rng(random);
        let mut blocks: Vec<&[u8]> = plaintext.chunks(block).collect();
        if blocks.is_empty() {
            blocks.push(&[]);
        }
        let mut ciphertext = Vec::with_capacity(blocks.len() * self.0.size());
        for block in blocks {
            ciphertext.extend(self.0.encrypt(&mut rng, Pkcs1v15Encrypt, block).ok()?);
        }
        Some(ciphertext)
    }

    /// Whether this is the holder's SHA256withRSA of these bytes.
    #[must_use]
    pub fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        self.0
            .verify(sha256(), &Sha256::digest(bytes), signature)
            .is_ok()
    }
}

impl PrivateKey {
    /// Reads `BEGIN PRIVATE KEY` or `BEGIN RSA PRIVATE KEY`, neither of them encrypted.
    ///
    /// # Errors
    /// See [`BadKey`].
    pub fn from_pem(pem: &str) -> Result<Self, BadKey> {
        let key = RsaPrivateKey::from_pkcs8_pem(pem)
            .or_else(|_| RsaPrivateKey::from_pkcs1_pem(pem))
            .map_err(|_| BadKey::Unreadable)?;
        sized(&key)?;
        Ok(Self(key))
    }

    /// The plaintext of the blocks of [`PublicKey::encrypt`].
    ///
    /// # Errors
    /// Where any block does not decrypt, or there are more than [`MOST_BLOCKS`].
    pub fn decrypt(
        &self,
        ciphertext: &[u8],
        random: &dyn Randomness,
    ) -> Result<Vec<u8>, NotDecryptable> {
        let size = self.0.size();
        let blocks = ciphertext.len() / size;
        if blocks == 0 || blocks > MOST_BLOCKS || !ciphertext.len().is_multiple_of(size) {
            return Err(NotDecryptable);
        }
        let mut plaintext = Vec::with_capacity(ciphertext.len());
        for block in ciphertext.chunks(size) {
            let part = self
                .0
                .decrypt_blinded(&mut Rng(random), Pkcs1v15Encrypt, block)
                .map_err(|_| NotDecryptable)?;
            plaintext.extend(part);
        }
        Ok(plaintext)
    }

    /// SHA256withRSA of these bytes.
    #[must_use]
    pub fn sign(&self, bytes: &[u8], random: &dyn Randomness) -> Option<Vec<u8>> {
        self.0
            .sign_with_rng(&mut Rng(random), sha256(), &Sha256::digest(bytes))
            .ok()
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.to_public_key())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(***)")
    }
}

fn sized(key: &impl ::rsa::traits::PublicKeyParts) -> Result<(), BadKey> {
    let bits = key.n().bits();
    if (LEAST_BITS..=MOST_BITS).contains(&bits) {
        Ok(())
    } else {
        Err(BadKey::Size)
    }
}

fn sha256() -> Pkcs1v15Sign {
    Pkcs1v15Sign {
        hash_len: Some(32),
        prefix: Box::new(SHA256_PREFIX),
    }
}

/// Our randomness in the shape that the crate asks for.
struct Rng<'a>(&'a dyn Randomness);

impl RngCore for Rng<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), RngError> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl CryptoRng for Rng<'_> {}

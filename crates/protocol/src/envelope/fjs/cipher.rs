//! encType (dictionary 3.2.2.1): each algorithm is a file of `crypto`, chosen here by its code.

use std::sync::Arc;

use super::{Keys, MissingKey, Peer, key_of};
use crate::ambient::Randomness;
use crate::crypto::cms::{self, Certificate};
use crate::crypto::rsa::{PrivateKey, PublicKey};
use crate::crypto::{aes, sm4};
use crate::dictionaries::EncType;
use crate::envelope::Secret;

/// An algorithm with all the keys that it needs besides the channel's secret.
#[derive(Debug, Clone)]
pub enum Cipher {
    /// SM4-ECB, key = the first 16 bytes of the secret.
    Sm4,
    /// AES-128-ECB, the same key.
    Aes,
    /// RSA, PKCS#1 v1.5 in blocks.
    Rsa {
        /// Decrypts.
        own: Arc<PrivateKey>,
        /// Encrypts.
        peer: Arc<PublicKey>,
    },
    /// CMS EnvelopedData.
    Pkcs7 {
        /// Decrypts.
        own: Arc<PrivateKey>,
        /// Encrypts.
        peer: Arc<Certificate>,
    },
}

impl Cipher {
    /// The algorithm of this code.
    ///
    /// # Errors
    /// Where a key that it needs is not there.
    pub fn new(code: EncType, keys: &Keys) -> Result<Self, MissingKey> {
        let own = || keys.own.clone().map(Arc::new).ok_or(MissingKey::Own);
        let peer = || keys.peer.as_ref().ok_or(MissingKey::Peer);
        Ok(match code {
            EncType::Sm4 => Self::Sm4,
            EncType::Aes => Self::Aes,
            EncType::Rsa => Self::Rsa {
                peer: Arc::new(peer()?.key().clone()),
                own: own()?,
            },
            EncType::Pkcs7 => match peer()? {
                Peer::Certificate(certificate) => Self::Pkcs7 {
                    peer: Arc::new(Certificate::clone(certificate)),
                    own: own()?,
                },
                Peer::Key(_) => return Err(MissingKey::Certificate),
            },
        })
    }

    /// Its code.
    #[must_use]
    pub const fn code(&self) -> EncType {
        match self {
            Self::Sm4 => EncType::Sm4,
            Self::Aes => EncType::Aes,
            Self::Rsa { .. } => EncType::Rsa,
            Self::Pkcs7 { .. } => EncType::Pkcs7,
        }
    }

    /// Whether opening takes a private key: slow, and nothing that may be told apart from a wrong
    /// signature.
    #[must_use]
    pub const fn is_asymmetric(&self) -> bool {
        matches!(self, Self::Rsa { .. } | Self::Pkcs7 { .. })
    }

    /// The ciphertext; `None` where the other side's key can't encrypt.
    pub(super) fn encrypt(
        &self,
        plaintext: &str,
        secret: &Secret,
        random: &dyn Randomness,
    ) -> Option<Vec<u8>> {
        let plaintext = plaintext.as_bytes();
        match self {
            Self::Sm4 => Some(secret.cipher().encrypt_ecb(plaintext)),
            Self::Aes => Some(aes::encrypt_ecb(key_of(secret)?, plaintext)),
            Self::Rsa { peer, .. } => peer.encrypt(plaintext, random),
            Self::Pkcs7 { peer, .. } => peer.encrypt(plaintext, random),
        }
    }

    /// The plaintext; `None` where it does not decrypt.
    pub(super) fn decrypt(
        &self,
        ciphertext: Vec<u8>,
        secret: &Secret,
        random: &dyn Randomness,
    ) -> Option<Vec<u8>> {
        match self {
            Self::Sm4 => decrypt_sm4(secret.cipher(), ciphertext),
            Self::Aes => aes::decrypt_ecb(key_of(secret)?, ciphertext).ok(),
            Self::Rsa { own, .. } => own.decrypt(&ciphertext, random).ok(),
            Self::Pkcs7 { own, .. } => cms::decrypt(own, &ciphertext, random).ok(),
        }
    }
}

fn decrypt_sm4(cipher: &sm4::Sm4, ciphertext: Vec<u8>) -> Option<Vec<u8>> {
    cipher.decrypt_ecb(ciphertext).ok()
}

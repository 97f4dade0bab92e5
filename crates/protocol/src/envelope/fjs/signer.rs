//! signType (dictionary 3.2.2.2): each algorithm is a file of `crypto`, chosen here by its code.

use std::sync::Arc;

use subtle::ConstantTimeEq as _;

use super::{Keys, MissingKey};
use crate::ambient::Randomness;
use crate::crypto::rsa::{PrivateKey, PublicKey};
use crate::crypto::{md5, sm3};
use crate::dictionaries::SignType;

/// An algorithm with all the keys that it needs. All of them sign the same string, which ends in
/// the channel's secret.
#[derive(Debug, Clone)]
pub enum Signer {
    /// SM3.
    Sm3,
    /// MD5.
    Md5,
    /// SHA256withRSA.
    Rsa {
        /// Signs.
        own: Arc<PrivateKey>,
        /// Verifies.
        peer: Arc<PublicKey>,
    },
}

impl Signer {
    /// The algorithm of this code.
    ///
    /// # Errors
    /// Where a key that it needs is not there.
    pub fn new(code: SignType, keys: &Keys) -> Result<Self, MissingKey> {
        Ok(match code {
            SignType::Sm3 => Self::Sm3,
            SignType::Md5 => Self::Md5,
            SignType::Rsa => Self::Rsa {
                peer: Arc::new(keys.peer.as_ref().ok_or(MissingKey::Peer)?.key().clone()),
                own: Arc::new(keys.own.clone().ok_or(MissingKey::Own)?),
            },
        })
    }

    /// Its code.
    #[must_use]
    pub const fn code(&self) -> SignType {
        match self {
            Self::Sm3 => SignType::Sm3,
            Self::Md5 => SignType::Md5,
            Self::Rsa { .. } => SignType::Rsa,
        }
    }

    /// Our signature; `None` where our own key can't sign.
    pub(super) fn sign(&self, text: &str, random: &dyn Randomness) -> Option<Vec<u8>> {
        match self {
            Self::Sm3 => Some(sm3::digest(text.as_bytes()).to_vec()),
            Self::Md5 => Some(md5::digest(text.as_bytes()).to_vec()),
            Self::Rsa { own, .. } => own.sign(text.as_bytes(), random),
        }
    }

    /// Whether this is the other side's signature of the text.
    pub(super) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        match self {
            Self::Sm3 => sm3::digest(text.as_bytes())[..].ct_eq(signature).into(),
            Self::Md5 => md5::digest(text.as_bytes())[..].ct_eq(signature).into(),
            Self::Rsa { peer, .. } => peer.verifies(text.as_bytes(), signature),
        }
    }

    /// What a signature looks like, for whoever sent something else.
    pub(super) const fn described(&self) -> &'static str {
        match self {
            Self::Sm3 => "应为 SM3 摘要（32 字节）的 base64 或十六进制",
            Self::Md5 => "应为 MD5 摘要（16 字节）的 base64 或十六进制",
            Self::Rsa { .. } => "应为 SHA256withRSA 签名的 base64",
        }
    }

    /// Bytes of a digest; `None` where a signature is as long as its key.
    pub(super) const fn digest_bytes(&self) -> Option<usize> {
        match self {
            Self::Sm3 => Some(sm3::DIGEST_BYTES),
            Self::Md5 => Some(16),
            Self::Rsa { .. } => None,
        }
    }
}

//! 接入方密钥.

use zeroize::Zeroizing;

use crate::crypto::sm4::{KEY_BYTES, Sm4};

/// A partner's secret: the whole of it signs, its first 16 bytes encrypt.
#[derive(Clone)]
pub struct Secret {
    text: Zeroizing<String>,
    cipher: Sm4,
}

/// SM4 needs the first 16 bytes of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret needs at least 16 bytes")]
pub struct SecretTooShort;

impl Secret {
    /// Takes the secret and expands its key once.
    ///
    /// # Errors
    /// Where it is shorter than 16 bytes.
    pub fn parse(text: &str) -> Result<Self, SecretTooShort> {
        let key = text
            .as_bytes()
            .first_chunk::<KEY_BYTES>()
            .ok_or(SecretTooShort)?;
        Ok(Self {
            text: Zeroizing::new(text.to_owned()),
            cipher: Sm4::with_key(key),
        })
    }

    /// The secret itself, said aloud.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The cipher under its first 16 bytes.
    #[must_use]
    pub const fn cipher(&self) -> &Sm4 {
        &self.cipher
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

//! AES-128-ECB with PKCS#7 padding, for channels whose encType is AES: the same key rule as SM4's.

use aes::Aes128;
use cipher::KeyInit as _;
use ecb::cipher::block_padding::Pkcs7;
use ecb::cipher::common::InnerInit as _;
use ecb::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _};

/// The length of a key in bytes.
pub const KEY_BYTES: usize = 16;

/// The ciphertext is no whole number of blocks, or its padding is not PKCS#7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not AES-128-ECB with PKCS#7 padding under this key")]
pub struct NotDecryptable;

/// AES-128-ECB with PKCS#7 padding: always longer than the plaintext, by 1 to 16 bytes.
#[must_use]
pub fn encrypt_ecb(key: &[u8; KEY_BYTES], plaintext: &[u8]) -> Vec<u8> {
    ecb::Encryptor::inner_init(Aes128::new(key.into())).encrypt_padded_vec::<Pkcs7>(plaintext)
}

/// The plaintext of what [`encrypt_ecb`] made.
///
/// # Errors
/// Where the length or the padding can't be, which is also what a wrong key looks like.
pub fn decrypt_ecb(
    key: &[u8; KEY_BYTES],
    mut ciphertext: Vec<u8>,
) -> Result<Vec<u8>, NotDecryptable> {
    let length = ecb::Decryptor::inner_init(Aes128::new(key.into()))
        .decrypt_padded::<Pkcs7>(&mut ciphertext)
        .map_err(|_| NotDecryptable)?
        .len();
    ciphertext.truncate(length);
    Ok(ciphertext)
}

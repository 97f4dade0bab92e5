//! Every plausible way to get the business JSON out of `encryptData`.
//!
//! The order is: how the ciphertext is written, which key, which mode, which padding, which
//! characters. A reading counts only where a JSON object comes out, which no wrong key brings
//! about by chance; the first that does is taken.

use banyan_protocol::crypto::sm3;
use banyan_protocol::crypto::sm4::{KEY_BYTES, Sm4};
use base64::Engine as _;
use cipher::{Array, BlockCipherDecrypt as _};
use encoding_rs::GB18030;
use md5::{Digest as _, Md5};
use percent_encoding::percent_decode_str;

use crate::deviation::Deviation;
use crate::json::Json;
use crate::text::{self, Written};

/// The business JSON, and how it was protected.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    /// As it was encrypted, byte for byte, in UTF-8.
    pub(crate) business: String,
    pub(crate) deviations: Vec<Deviation>,
}

/// Opens the ciphertext; `None` where nothing gives JSON. `tried` counts the readings.
pub(crate) fn open(ciphertext: &str, secret: &str, tried: &mut usize) -> Option<Opening> {
    if let Some(opening) = not_encrypted(ciphertext) {
        return Some(opening);
    }
    for (bytes, written) in spellings(ciphertext) {
        for (key, about_key) in keys(secret) {
            let cipher = Sm4::with_key(&key);
            for mode in [Mode::Ecb, Mode::CbcZero, Mode::CbcKey, Mode::CbcInFront] {
                *tried += 1;
                let Some(plain) = decrypt(&cipher, &key, mode, &bytes) else {
                    continue;
                };
                for padding in [Padding::Pkcs7, Padding::Zero, Padding::None] {
                    let Some(unpadded) = unpad(&plain, padding) else {
                        continue;
                    };
                    if let Some((business, more)) = as_business(unpadded) {
                        let mut deviations = written.clone();
                        deviations.extend(about_key);
                        deviations.extend(mode.deviation());
                        deviations.extend(padding.deviation());
                        deviations.extend(more);
                        return Some(Opening {
                            business,
                            deviations,
                        });
                    }
                }
            }
        }
    }
    None
}

/// What ciphertext looks like that is no whole number of blocks: cut, or not SM4 at all.
pub(crate) fn is_whole(ciphertext: &str) -> Option<bool> {
    let (bytes, _) = spellings(ciphertext).into_iter().next()?;
    Some(!bytes.is_empty() && bytes.len() % KEY_BYTES == 0)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Ecb,
    CbcZero,
    CbcKey,
    CbcInFront,
}

impl Mode {
    const fn deviation(self) -> Option<Deviation> {
        match self {
            Self::Ecb => None,
            Self::CbcZero => Some(Deviation::CbcZeroIv),
            Self::CbcKey => Some(Deviation::CbcKeyIv),
            Self::CbcInFront => Some(Deviation::CbcIvInFront),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Padding {
    Pkcs7,
    Zero,
    None,
}

impl Padding {
    const fn deviation(self) -> Option<Deviation> {
        match self {
            Self::Pkcs7 => None,
            Self::Zero => Some(Deviation::PaddingZero),
            Self::None => Some(Deviation::PaddingNone),
        }
    }
}

/// Plaintext, or plaintext in base64, that stands where ciphertext should.
fn not_encrypted(text: &str) -> Option<Opening> {
    let direct = || is_object(text).then(|| text.to_owned());
    let encoded = || {
        String::from_utf8(text::base64(text)?.0)
            .ok()
            .filter(|text| is_object(text))
    };
    let business = direct().or_else(encoded)?;
    Some(Opening {
        business,
        deviations: vec![Deviation::NotEncrypted],
    })
}

/// The bytes that the text may stand for, and how it deviates. Hex comes first, because hex text
/// is base64 text too, and hardly ever the other way round.
fn spellings(text: &str) -> Vec<(Vec<u8>, Vec<Deviation>)> {
    let trimmed = text.trim();
    let mut found = Vec::new();
    if let Ok(bytes) = hex::decode(trimmed) {
        found.push((bytes, vec![Deviation::CipherHex]));
    }
    let mut by_base64 = |text: &str, before: Option<Deviation>| {
        let Some((bytes, written)) = text::base64(text) else {
            return;
        };
        let mut deviations: Vec<Deviation> = before.into_iter().collect();
        if written == Written::Standard {
            deviations.push(Deviation::CipherStandard);
        }
        let inner = std::str::from_utf8(&bytes).ok();
        let inner = inner.and_then(|inner| {
            hex::decode(inner)
                .ok()
                .or_else(|| Some(text::base64(inner)?.0))
        });
        if let Some(inner) = inner {
            let mut twice = deviations.clone();
            twice.push(Deviation::CipherTwice);
            found.push((inner, twice));
        }
        found.push((bytes, deviations));
    };
    by_base64(trimmed, None);
    if trimmed.contains(' ') {
        by_base64(&trimmed.replace(' ', "+"), Some(Deviation::CipherSpaces));
    }
    if trimmed.contains('%') {
        let plain = percent_decode_str(trimmed).decode_utf8_lossy();
        by_base64(&plain, Some(Deviation::CipherPercent));
    }
    found
}

/// Every key that somebody may have made of the secret, the guide's own first.
fn keys(secret: &str) -> Vec<([u8; KEY_BYTES], Option<Deviation>)> {
    let bytes = secret.as_bytes();
    let first = |bytes: &[u8]| bytes.first_chunk::<KEY_BYTES>().copied();
    let md5: [u8; KEY_BYTES] = Md5::digest(bytes).into();
    let md5_text = hex::encode(md5);
    let by_base64 = text::base64(secret).map(|(bytes, _)| bytes);
    let candidates = [
        (first(bytes), None),
        (bytes.last_chunk().copied(), Some(Deviation::KeyLast16)),
        (
            hex::decode(secret).ok().and_then(|key| first(&key)),
            Some(Deviation::KeyHex),
        ),
        (
            by_base64.and_then(|key| first(&key)),
            Some(Deviation::KeyBase64),
        ),
        (Some(md5), Some(Deviation::KeyMd5)),
        (first(md5_text.as_bytes()), Some(Deviation::KeyMd5)),
        (
            first(md5_text.to_uppercase().as_bytes()),
            Some(Deviation::KeyMd5),
        ),
        (
            first(md5_text.get(8..24).unwrap_or_default().as_bytes()),
            Some(Deviation::KeyMd5),
        ),
        (first(&sm3::digest(bytes)), Some(Deviation::KeySm3)),
        (
            first(secret.to_lowercase().as_bytes()),
            Some(Deviation::KeyCase),
        ),
        (
            first(secret.to_uppercase().as_bytes()),
            Some(Deviation::KeyCase),
        ),
    ];
    let mut keys: Vec<([u8; KEY_BYTES], Option<Deviation>)> = Vec::new();
    for (key, deviation) in candidates {
        if let Some(key) = key
            && keys.iter().all(|(known, _)| *known != key)
        {
            keys.push((key, deviation));
        }
    }
    keys
}

fn decrypt(cipher: &Sm4, key: &[u8; KEY_BYTES], mode: Mode, bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut before, bytes) = match mode {
        Mode::Ecb | Mode::CbcZero => ([0; KEY_BYTES], bytes),
        Mode::CbcKey => (*key, bytes),
        Mode::CbcInFront => {
            let (iv, rest) = bytes.split_first_chunk()?;
            (*iv, rest)
        }
    };
    let (blocks, rest) = bytes.as_chunks::<KEY_BYTES>();
    if blocks.is_empty() || !rest.is_empty() {
        return None;
    }
    let mut plain = Vec::with_capacity(bytes.len());
    for block in blocks {
        let mut out = Array::from(*block);
        cipher.decrypt_block(&mut out);
        if mode != Mode::Ecb {
            for (byte, before) in out.iter_mut().zip(before) {
                *byte ^= before;
            }
            before = *block;
        }
        plain.extend_from_slice(&out);
        // JSON begins with a printable character; what does not is no reading of anything.
        if plain.len() == KEY_BYTES && plain.first().is_some_and(|byte| *byte < b'\t') {
            return None;
        }
    }
    Some(plain)
}

fn unpad(plain: &[u8], padding: Padding) -> Option<&[u8]> {
    match padding {
        Padding::Pkcs7 => {
            let count = usize::from(*plain.last()?);
            if !(1..=KEY_BYTES).contains(&count) {
                return None;
            }
            let (text, pad) = plain.split_at_checked(plain.len().checked_sub(count)?)?;
            pad.iter()
                .all(|byte| usize::from(*byte) == count)
                .then_some(text)
        }
        Padding::Zero => {
            let end = plain.iter().rposition(|byte| *byte != 0)? + 1;
            (end < plain.len()).then(|| plain.get(..end)).flatten()
        }
        Padding::None => Some(plain),
    }
}

/// The business JSON in these bytes, and how it deviates.
fn as_business(bytes: &[u8]) -> Option<(String, Vec<Deviation>)> {
    let (text, mut deviations) = match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), Vec::new()),
        Err(_) => {
            let text = GB18030.decode_without_bom_handling_and_without_replacement(bytes)?;
            (text.into_owned(), vec![Deviation::PlaintextGbk])
        }
    };
    if is_object(&text) {
        return Some((text, deviations));
    }
    let (inner, deviation) = if let Ok(inner) = serde_json::from_str::<String>(&text) {
        (inner, Deviation::PlaintextQuoted)
    } else if let Ok(inner) = hex::decode(text.trim()) {
        (String::from_utf8(inner).ok()?, Deviation::PlaintextHex)
    } else {
        let inner = base64::engine::general_purpose::STANDARD
            .decode(text.trim())
            .ok()?;
        (String::from_utf8(inner).ok()?, Deviation::PlaintextBase64)
    };
    deviations.push(deviation);
    // What was encrypted is what was signed, quotes and all.
    is_object(&inner).then_some((text, deviations))
}

fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{') && Json::parse(text).is_some()
}

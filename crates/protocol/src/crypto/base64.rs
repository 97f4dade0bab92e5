//! Base64 in every kind that partners send, and in the one kind that we send.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::memchr2;

/// Padding is optional on the way in: the guide shows both, and half of the languages leave it out.
const TOLERANT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(false);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, TOLERANT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, TOLERANT);

/// The text is in no kind of base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not base64")]
pub struct NotBase64;

/// URL-safe with padding, as the guide's response example shows it.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE.encode(bytes)
}

/// Standard with padding, for partners who write that.
#[must_use]
pub fn encode_standard(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Standard or URL-safe, padded or not, with or without the line breaks that some encoders put in.
///
/// # Errors
/// Where a character stands outside both alphabets, the two are mixed, or the length can't be.
pub fn decode(text: &str) -> Result<Vec<u8>, NotBase64> {
    let bytes = text.as_bytes();
    if memchr2(b'\r', b'\n', bytes).is_some() {
        let joined: Vec<u8> = bytes
            .iter()
            .copied()
            .filter(|byte| !matches!(byte, b'\r' | b'\n'))
            .collect();
        return decode_joined(&joined);
    }
    decode_joined(bytes)
}

/// Whether this is written in the URL-safe alphabet, where that can be told.
#[must_use]
pub fn is_url_safe(text: &str) -> bool {
    memchr2(b'-', b'_', text.as_bytes()).is_some()
}

fn decode_joined(bytes: &[u8]) -> Result<Vec<u8>, NotBase64> {
    let standard = memchr2(b'+', b'/', bytes).is_some();
    let engine = if standard { &STANDARD } else { &URL_SAFE };
    engine.decode(bytes).map_err(|_| NotBase64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_and_one_kind_is_written() {
        let bytes = [0xfb, 0xff, 0xfe, 0x01];
        assert_eq!(encode(&bytes), "-__-AQ==");
        assert_eq!(encode_standard(&bytes), "+//+AQ==");
        for kind in ["-__-AQ==", "-__-AQ", "+//+AQ==", "+//+AQ", "+//+\r\nAQ==\n"] {
            assert_eq!(decode(kind).unwrap(), bytes, "{kind}");
            assert_eq!(is_url_safe(kind), kind.starts_with('-'), "{kind}");
        }
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        // The last one has bits at its end that no encoder leaves behind.
        for text in ["+//-AQ==", "A", "中文", "AQ==AQ==", "AR=="] {
            assert_eq!(decode(text), Err(NotBase64), "{text}");
        }
    }
}

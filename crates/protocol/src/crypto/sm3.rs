//! SM3 (GB/T 32905-2016): the digest under every signature and every chain.

use sm3::Digest as _;

/// The length of a digest in bytes.
pub const DIGEST_BYTES: usize = 32;

/// A digest.
pub type Sm3Digest = [u8; DIGEST_BYTES];

/// The digest of these bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> Sm3Digest {
    sm3::Sm3::digest(bytes).into()
}

/// The digest of these parts one after the other, each preceded by its length (8 bytes, big
/// endian), so that no two lists of parts share a digest.
#[must_use]
pub fn digest_parts(parts: &[&[u8]]) -> Sm3Digest {
    let mut hasher = sm3::Sm3::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GB/T 32905-2016, annex A.
    #[test]
    fn the_standards_own_examples() {
        assert_eq!(
            hex::encode(digest(b"abc")),
            "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
        );
        assert_eq!(
            hex::encode(digest(&b"abcd".repeat(16))),
            "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
        );
    }

    #[test]
    fn parts_can_not_run_into_each_other() {
        assert_ne!(digest_parts(&[b"ab", b"c"]), digest_parts(&[b"a", b"bc"]));
        assert_ne!(digest_parts(&[b"abc"]), digest_parts(&[b"abc", b""]));
    }
}

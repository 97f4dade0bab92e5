//! CMS EnvelopedData (RFC 5652, "PKCS7") for channels whose encType is PKCS7: the content under a
//! key of its own, that key under the recipient's RSA key.
//!
//! We write AES-256-CBC and read AES-128, -192 and -256-CBC and SM4-CBC; a recipient is named by
//! issuer and serial number of its certificate. Triple DES and RC2, which old tools write by
//! default, are not read.

use std::fmt;

use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use cms::cert::IssuerAndSerialNumber;
use cms::cert::x509::der::asn1::{Null, ObjectIdentifier, OctetString, SetOfVec};
use cms::cert::x509::der::{Any, AnyRef, Decode as _, DecodePem as _, Encode as _};
use cms::cert::x509::spki::AlgorithmIdentifierOwned;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::enveloped_data::{
    EncryptedContentInfo, EnvelopedData, KeyTransRecipientInfo, RecipientIdentifier, RecipientInfo,
    RecipientInfos,
};
use subtle::{Choice, ConditionallySelectable as _};
use x509_cert::Certificate as X509;

use super::rsa::{BadKey, PrivateKey, PublicKey};
use super::sm4::Sm4;
use crate::ambient::Randomness;

const ENVELOPED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.3");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const AES_128_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.2");
const AES_192_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.22");
const AES_256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");
const SM4_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.104.2");

/// More recipients than any message for us has; each may cost a private operation.
const MOST_RECIPIENTS: usize = 8;

/// An RSA certificate: a public key and the name under which it is addressed. Who issued it and
/// until when does not matter here, because an operator registers it by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    name: IssuerAndSerialNumber,
    key: PublicKey,
}

/// The bytes are no EnvelopedData for this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no CMS EnvelopedData for this key (AES-CBC or SM4-CBC, RSA key transport)")]
pub struct NotDecryptable;

impl Certificate {
    /// Reads `BEGIN CERTIFICATE`.
    ///
    /// # Errors
    /// See [`BadKey`].
    pub fn from_pem(pem: &str) -> Result<Self, BadKey> {
        let certificate = X509::from_pem(pem).map_err(|_| BadKey::Unreadable)?;
        let certificate = certificate.tbs_certificate;
        let spki = certificate
            .subject_public_key_info
            .to_der()
            .map_err(|_| BadKey::Unreadable)?;
        let key = ::rsa::pkcs8::DecodePublicKey::from_public_key_der(&spki)
            .map_err(|_| BadKey::Unreadable)?;
        Ok(Self {
            name: IssuerAndSerialNumber {
                issuer: certificate.issuer,
                serial_number: certificate.serial_number,
            },
            key: PublicKey::of(key)?,
        })
    }

    /// Its key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// DER of an EnvelopedData that only the holder of the certificate's key opens; `None` where
    /// it can't be written.
    #[must_use]
    pub fn encrypt(&self, plaintext: &[u8], random: &dyn Randomness) -> Option<Vec<u8>> {
        let (mut key, mut iv) = ([0; 32], [0; 16]);
        random.fill(&mut key);
        random.fill(&mut iv);
        let content = cbc::Encryptor::<Aes256>::new(&key.into(), &iv.into())
            .encrypt_padded_vec::<Pkcs7>(plaintext);
        let recipient = KeyTransRecipientInfo {
            version: CmsVersion::V0,
            rid: RecipientIdentifier::IssuerAndSerialNumber(self.name.clone()),
            key_enc_alg: AlgorithmIdentifierOwned {
                oid: RSA_ENCRYPTION,
                parameters: Some(Any::from(Null)),
            },
            enc_key: OctetString::new(self.key.encrypt(&key, random)?).ok()?,
        };
        let iv = Any::encode_from(&OctetString::new(iv).ok()?).ok()?;
        let enveloped = EnvelopedData {
            version: CmsVersion::V0,
            originator_info: None,
            recip_infos: RecipientInfos(
                SetOfVec::try_from(vec![RecipientInfo::Ktri(recipient)]).ok()?,
            ),
            encrypted_content: EncryptedContentInfo {
                content_type: DATA,
                content_enc_alg: AlgorithmIdentifierOwned {
                    oid: AES_256_CBC,
                    parameters: Some(iv),
                },
                encrypted_content: Some(OctetString::new(content).ok()?),
            },
            unprotected_attrs: None,
        };
        let content = AnyRef::from_der(&enveloped.to_der().ok()?).ok()?.into();
        ContentInfo {
            content_type: ENVELOPED_DATA,
            content,
        }
        .to_der()
        .ok()
    }
}

/// What somebody put in for the holder of this key.
///
/// Whether a key under RSA had the right padding must not show, not even by the time that it takes
/// (RFC 3218): every recipient's key is decrypted, and where none is ours the content is opened
/// nevertheless, under a key that randomness gives.
///
/// # Errors
/// One error for whatever is wrong with it.
pub fn decrypt(
    key: &PrivateKey,
    der: &[u8],
    random: &dyn Randomness,
) -> Result<Vec<u8>, NotDecryptable> {
    let read = || -> Option<EnvelopedData> {
        let info = ContentInfo::from_der(der).ok()?;
        (info.content_type == ENVELOPED_DATA)
            .then(|| info.content.decode_as().ok())
            .flatten()
    };
    let enveloped = read().ok_or(NotDecryptable)?;
    let content = &enveloped.encrypted_content;
    let sealed = content
        .encrypted_content
        .as_ref()
        .ok_or(NotDecryptable)?
        .as_bytes();
    let iv: OctetString = content
        .content_enc_alg
        .parameters
        .as_ref()
        .and_then(|iv| iv.decode_as().ok())
        .ok_or(NotDecryptable)?;
    // What anybody can see to be wrong is refused before the private key is used.
    let cipher = ContentCipher::of(content.content_enc_alg.oid).ok_or(NotDecryptable)?;
    let mut content_key = vec![0; cipher.key_bytes()];
    random.fill(&mut content_key);
    let mut is_found = Choice::from(0);
    let recipients = enveloped.recip_infos.0.iter().take(MOST_RECIPIENTS);
    for recipient in recipients {
        let RecipientInfo::Ktri(recipient) = recipient else {
            continue;
        };
        if recipient.key_enc_alg.oid != RSA_ENCRYPTION {
            continue;
        }
        // The recipient's name is not looked at: a certificate that was renewed over the same key
        // has another serial number.
        let opened = key.decrypt(recipient.enc_key.as_bytes(), random);
        let fits = opened
            .as_ref()
            .is_ok_and(|opened| opened.len() == content_key.len());
        let opened = opened.unwrap_or_default();
        let is_first = Choice::from(u8::from(fits)) & !is_found;
        for (nth, byte) in content_key.iter_mut().enumerate() {
            byte.conditional_assign(opened.get(nth).unwrap_or(&0), is_first);
        }
        is_found |= is_first;
    }
    cipher
        .open(&content_key, iv.as_bytes(), sealed)
        .ok_or(NotDecryptable)
}

/// A cipher that contents come in.
#[derive(Clone, Copy)]
enum ContentCipher {
    Aes128,
    Aes192,
    Aes256,
    Sm4,
}

impl ContentCipher {
    fn of(algorithm: ObjectIdentifier) -> Option<Self> {
        match algorithm {
            AES_128_CBC => Some(Self::Aes128),
            AES_192_CBC => Some(Self::Aes192),
            AES_256_CBC => Some(Self::Aes256),
            SM4_CBC => Some(Self::Sm4),
            _ => None,
        }
    }

    const fn key_bytes(self) -> usize {
        match self {
            Self::Aes128 | Self::Sm4 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    fn open(self, key: &[u8], iv: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        macro_rules! open {
            ($cipher:ty) => {
                cbc::Decryptor::<$cipher>::new_from_slices(key, iv)
                    .ok()?
                    .decrypt_padded_vec::<Pkcs7>(sealed)
                    .ok()
            };
        }
        match self {
            Self::Aes128 => open!(Aes128),
            Self::Aes192 => open!(Aes192),
            Self::Aes256 => open!(Aes256),
            Self::Sm4 => open!(Sm4),
        }
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (serial {})",
            self.name.issuer, self.name.serial_number
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = include_str!("../../../../fixtures/keys/platform.key.pem");
    const CERTIFICATE: &str = include_str!("../../../../fixtures/keys/platform.crt.pem");

    /// Gives the same byte for ever, so that a test knows the key that randomness gives.
    #[derive(Debug)]
    struct Sevens;

    impl Randomness for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    #[test]
    fn a_wrong_padding_of_the_key_shows_nowhere() {
        let key = PrivateKey::from_pem(KEY).unwrap();
        let certificate = Certificate::from_pem(CERTIFICATE).unwrap();
        let der = certificate.encrypt(b"content", &Sevens).unwrap();
        assert_eq!(decrypt(&key, &der, &Sevens).unwrap(), b"content");
        // Where the key under RSA begins, an octet string of 256 bytes.
        let begins = der
            .windows(4)
            .position(|window| window == [0x04, 0x82, 0x01, 0x00])
            .unwrap();
        let mut spoilt = der;
        spoilt[begins + 200] ^= 1;
        // It goes on as if nothing were wrong, here under the very key by chance.
        assert_eq!(decrypt(&key, &spoilt, &Sevens).unwrap(), b"content");
        let random = crate::ambient::SystemRandomness;
        assert_ne!(
            decrypt(&key, &spoilt, &random).ok().as_deref(),
            Some(&b"content"[..])
        );
    }
}

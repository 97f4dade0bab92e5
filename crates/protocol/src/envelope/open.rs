//! Opening what somebody sent.

use std::fmt;

use subtle::ConstantTimeEq as _;

use super::signing::{self, Dialect, Manner, PlainMember, Protection};
use super::{Envelope, Environment, Secret};
use crate::crypto::base64;
use crate::crypto::sm3::Sm3Digest;
use crate::wire::FieldFault;

/// A message that was decrypted and whose signature holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The business JSON exactly as its maker wrote it; `None` where there is none.
    pub business: Option<String>,
    /// How it was protected and signed.
    pub manner: Manner,
    /// The signature; `None` on an unsigned message.
    pub signature: Option<Sm3Digest>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("business", &self.business.as_ref().map(|_| "***"))
            .field("manner", &self.manner)
            .finish_non_exhaustive()
    }
}

/// Why a message does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeFault {
    /// A member of the envelope is missing or can't be (000105).
    #[error("{0}")]
    Malformed(FieldFault),
    /// The ciphertext does not decrypt under this secret (000101).
    #[error("{0}")]
    Undecryptable(&'static str),
    /// No dialect gives the signature that stands there (000102).
    #[error("签名与报文不符：请核对密钥、参与签名的字段与顺序，以及 param 是否为加密前的原文")]
    BadSignature,
}

impl From<FieldFault> for EnvelopeFault {
    fn from(fault: FieldFault) -> Self {
        Self::Malformed(fault)
    }
}

impl Envelope<'_> {
    /// Decrypts and verifies. `first` is the dialect to try first, so that a partner whose
    /// dialect is known costs one hash.
    ///
    /// # Errors
    /// See [`EnvelopeFault`].
    pub fn open(
        &self,
        secret: &Secret,
        environment: Environment,
        first: Dialect,
    ) -> Result<Opened, EnvelopeFault> {
        let protection = self.protection(environment)?;
        let (business, plain_member) = if protection.encrypted {
            (self.decrypt(secret)?, PlainMember::default())
        } else {
            self.plain_business()
        };
        let mut opened = Opened {
            business,
            manner: Manner {
                protection,
                dialect: first,
                plain_member,
            },
            signature: None,
        };
        if protection.signed {
            let (signature, dialect) = self.verify(secret, opened.business.as_deref(), first)?;
            opened.signature = Some(signature);
            opened.manner.dialect = dialect;
        }
        Ok(opened)
    }

    /// The string that the message's signature was made of under this dialect, given the
    /// business JSON: for people who look for their fault.
    #[must_use]
    pub fn string_to_sign(
        &self,
        business: Option<&str>,
        dialect: Dialect,
        secret: &Secret,
    ) -> String {
        // The business data is signed under the dialect's own name, so neither of its names may
        // come in a second time through the member that carried it.
        let members = self
            .members()
            .filter(|(name, _)| !signing::is_unsigned(name) && !matches!(*name, "data" | "param"));
        signing::string_to_sign(members, business, dialect, secret)
    }

    fn protection(&self, environment: Environment) -> Result<Protection, FieldFault> {
        let choose = |member, real: &str| -> Result<bool, FieldFault> {
            let said = self.required(member)?;
            if said.eq_ignore_ascii_case(real) {
                Ok(true)
            } else if !said.eq_ignore_ascii_case("PLAIN") {
                Err(FieldFault::new(
                    member,
                    format!("应为 {real}（测试环境可用 PLAIN）"),
                ))
            } else if environment == Environment::Production {
                Err(FieldFault::new(
                    member,
                    format!("正式环境必须为 {real}，PLAIN 仅测试环境可用"),
                ))
            } else {
                Ok(false)
            }
        };
        Ok(Protection {
            encrypted: choose("encryptType", "SM4")?,
            signed: choose("signType", "SM3")?,
        })
    }

    fn decrypt(&self, secret: &Secret) -> Result<Option<String>, EnvelopeFault> {
        let Some(text) = self.business("encryptData") else {
            return Ok(None);
        };
        let ciphertext = base64::decode(text).map_err(|_| {
            EnvelopeFault::Undecryptable("encryptData 不是 base64（URL 安全或标准均可）")
        })?;
        let plaintext = secret.cipher().decrypt_ecb(ciphertext).map_err(|_| {
            EnvelopeFault::Undecryptable(
                "encryptData 无法用 SM4-ECB/PKCS7 解密：请核对密钥前 16 位、模式与填充，密文是否完整",
            )
        })?;
        String::from_utf8(plaintext).map(Some).map_err(|_| {
            EnvelopeFault::Undecryptable(
                "解密结果不是 UTF-8 文本：请核对密钥前 16 位与字符集（不可用 GBK）",
            )
        })
    }

    fn plain_business(&self) -> (Option<String>, PlainMember) {
        for (name, place) in [("data", PlainMember::Data), ("param", PlainMember::Param)] {
            if let Some(text) = self.business(name) {
                return (Some(text.to_owned()), place);
            }
        }
        (None, PlainMember::default())
    }

    fn verify(
        &self,
        secret: &Secret,
        business: Option<&str>,
        first: Dialect,
    ) -> Result<(Sm3Digest, Dialect), EnvelopeFault> {
        let stated: Sm3Digest = base64::decode(self.required("sign")?)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| FieldFault::new("sign", "应为 SM3 摘要（32 字节）的 base64"))?;
        let others = Dialect::ALL.into_iter().filter(|dialect| *dialect != first);
        for dialect in std::iter::once(first).chain(others) {
            let made = signing::sign(&self.string_to_sign(business, dialect, secret));
            if made.ct_eq(&stated).into() {
                return Ok((stated, dialect));
            }
        }
        Err(EnvelopeFault::BadSignature)
    }
}

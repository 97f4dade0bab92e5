//! The envelope of the 统一对外接口 (chapter 3): `chs_fjs_*` members around a business message.
//!
//! A channel has a [`Level`] that says how much of the envelope it uses, a [`Cipher`] and a
//! [`Signer`] out of the document's two dictionaries. The document's own chapter on security is
//! missing, so what it leaves open is done as in the provincial envelope with the names changed.
//!
//! [`call`] is what an insurer says and the platform opens, [`answer`] what goes back.

pub mod answer;
pub mod call;
mod cipher;
mod signer;
#[cfg(test)]
mod tests;

use crate::wire::Entry;

pub use answer::{Answered, Told};
pub use call::{Calling, Carrier, Manner, OpenedCall, SignText};
pub use cipher::Cipher;
pub use signer::Signer;

use super::Secret;
use crate::crypto::cms::Certificate;
use crate::crypto::rsa::{PrivateKey, PublicKey};

/// Names of the members.
pub mod member {
    /// 渠道 id
    pub const APPID: &str = "chs_fjs_appid";
    /// 渠道私钥
    pub const APPSECRET: &str = "chs_fjs_appsecret";
    /// 渠道 token
    pub const TOKEN: &str = "chs_fjs_token";
    /// 服务编号
    pub const FUNID: &str = "chs_fjs_funid";
    /// 请求时间戳
    pub const TIMESTAMP: &str = "chs_fjs_timestamp";
    /// 请求加密数据串
    pub const ENCDATA: &str = "chs_fjs_encdata";
    /// 请求签名数据串
    pub const SIGN: &str = "chs_fjs_sign";
    /// What all of them begin with.
    pub const PREFIX: &str = "chs_fjs_";
}

/// 安全等级 of a channel; each holds what the one before holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// appid and appsecret, in plain text; test environments only.
    Secret,
    /// A token as well.
    Token,
    /// Timestamp and signature as well; the appsecret need no longer be sent.
    Signed,
    /// Encrypted as well.
    Encrypted,
}

impl Level {
    /// Every level with its number and what it means, for operators.
    pub const ENTRIES: [Entry; 4] = [
        Entry {
            code: "1",
            name: "渠道 id 与私钥，明文（仅测试环境）",
        },
        Entry {
            code: "2",
            name: "再加动态令牌",
        },
        Entry {
            code: "3",
            name: "再加时间戳与签名",
        },
        Entry {
            code: "4",
            name: "再加加密",
        },
    ];

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The level with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Secret),
            2 => Some(Self::Token),
            3 => Some(Self::Signed),
            4 => Some(Self::Encrypted),
            _ => None,
        }
    }
}

/// How a channel is spoken with, its secret apart.
#[derive(Debug, Clone)]
pub struct Channel {
    /// 安全等级
    pub level: Level,
    /// encType
    pub cipher: Cipher,
    /// signType
    pub signer: Signer,
}

/// The RSA keys of a channel, as far as it has any.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// Our own: it decrypts what was encrypted for us, and signs.
    pub own: Option<PrivateKey>,
    /// The other side's: it verifies, and encrypts for them.
    pub peer: Option<Peer>,
}

/// The other side's public key, by itself or in a certificate.
#[derive(Debug, Clone)]
pub enum Peer {
    /// By itself: enough for RSA.
    Key(PublicKey),
    /// In a certificate, which PKCS7 needs.
    Certificate(Box<Certificate>),
}

impl Peer {
    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        match self {
            Self::Key(key) => key,
            Self::Certificate(certificate) => certificate.key(),
        }
    }

    /// Reads a certificate or a public key in PEM.
    ///
    /// # Errors
    /// Where it is neither, or has too few bits.
    pub fn from_pem(pem: &str) -> Result<Self, crate::crypto::rsa::BadKey> {
        if pem.contains("BEGIN CERTIFICATE") {
            Certificate::from_pem(pem).map(|certificate| Self::Certificate(Box::new(certificate)))
        } else {
            PublicKey::from_pem(pem).map(Self::Key)
        }
    }
}

/// An algorithm wants a key that the channel has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MissingKey {
    /// Our own private key.
    #[error("RSA、PKCS7 须给出平台用于该渠道的私钥（--own-key-file）")]
    Own,
    /// The channel's public key.
    #[error("RSA、PKCS7 须登记渠道的公钥或证书（--key-file）")]
    Peer,
    /// A certificate rather than a bare key.
    #[error("PKCS7 须登记渠道的证书，只有公钥不够（--key-file）")]
    Certificate,
}

/// The first 16 bytes of a secret: the key of SM4 and AES.
fn key_of(secret: &Secret) -> Option<&[u8; 16]> {
    secret.expose().as_bytes().first_chunk()
}

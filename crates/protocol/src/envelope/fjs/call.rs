//! What an insurer says: sealing it, and opening it on the platform.

use std::fmt;

use serde_json::value::RawValue;

use super::{Channel, Level, Signer, member};
use crate::ambient::Randomness;
use crate::crypto::base64;
use crate::crypto::sm3::Sm3Digest;
use crate::envelope::signing::{self, Dialect};
use crate::envelope::{Envelope, EnvelopeFault, Secret};
use crate::wire::FieldFault;

/// How a call was made beyond what its channel prescribes: what the answer mirrors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// How the string to sign was built.
    pub dialect: Dialect,
    /// Where the business message stands when it is not encrypted.
    pub carrier: Carrier,
    /// Standard base64 rather than the URL-safe one.
    pub standard_base64: bool,
    /// How the signature is written.
    pub sign_text: SignText,
}

/// Where a business message stands that is not encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Carrier {
    /// In `chs_fjs_encdata`, as text.
    #[default]
    Text,
    /// In `chs_fjs_encdata`, as an object.
    Object,
    /// Beside the `chs_fjs_*` members, in `data`, as the document's examples begin.
    Beside,
}

/// How the bytes of a signature are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignText {
    /// Base64.
    #[default]
    Base64,
    /// Lower-case hexadecimal.
    LowerHex,
    /// Upper-case hexadecimal, as many MD5 helpers write.
    UpperHex,
}

impl Manner {
    /// How we speak first.
    pub const FIRST: Self = Self {
        dialect: Dialect::ALL[0],
        carrier: Carrier::Text,
        standard_base64: true,
        sign_text: SignText::Base64,
    };
}

/// A call about to be sealed.
#[derive(Clone, Copy)]
pub struct Calling<'a> {
    /// 渠道 id
    pub app_id: &'a str,
    /// 渠道 token, from level 2 on.
    pub token: Option<&'a str>,
    /// 服务编号; `None` where a code is asked for.
    pub funid: Option<&'a str>,
    /// 请求时间戳, milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// The business message: `{"data":{..}}`, or its inner object alone.
    pub business: Option<&'a str>,
    /// How it is made.
    pub manner: Manner,
}

impl Calling<'_> {
    /// The message as it goes on the wire; `None` where a key can't do what its algorithm wants.
    #[must_use]
    pub fn seal(
        &self,
        channel: &Channel,
        secret: &Secret,
        random: &dyn Randomness,
    ) -> Option<String> {
        let mut members = serde_json::Map::new();
        members.insert(member::APPID.into(), self.app_id.into());
        if channel.level < Level::Signed {
            members.insert(member::APPSECRET.into(), secret.expose().into());
        }
        if let Some(token) = self.token {
            members.insert(member::TOKEN.into(), token.into());
        }
        if let Some(funid) = self.funid {
            members.insert(member::FUNID.into(), funid.into());
        }
        if channel.level >= Level::Signed || self.funid.is_none() {
            members.insert(member::TIMESTAMP.into(), self.timestamp_ms.into());
            let text = self.string_to_sign(secret);
            let sign = channel.signer.sign(&text, random)?;
            members.insert(member::SIGN.into(), self.manner.written(&sign).into());
        }
        if let Some(business) = self.business {
            let carrier = self.manner.carrier;
            if channel.level >= Level::Encrypted {
                let sealed = channel.cipher.encrypt(business, secret, random)?;
                members.insert(member::ENCDATA.into(), self.manner.encoded(&sealed).into());
            } else if carrier == Carrier::Text {
                members.insert(member::ENCDATA.into(), business.into());
            } else {
                let raw: &RawValue = serde_json::from_str(business).ok()?;
                let (name, raw) = match carrier {
                    Carrier::Beside => ("data", inner(raw)),
                    _ => (member::ENCDATA, raw),
                };
                return with_raw(&members, name, raw.get());
            }
        }
        serde_json::to_string(&members).ok()
    }

    /// The string that [`Calling::seal`] signs: for people who look for their fault.
    #[must_use]
    pub fn string_to_sign(&self, secret: &Secret) -> String {
        let timestamp = self.timestamp_ms.to_string();
        let members = [
            (member::APPID, Some(self.app_id)),
            (member::TOKEN, self.token),
            (member::FUNID, self.funid),
            (member::TIMESTAMP, Some(&*timestamp)),
        ];
        let members = members
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| (name, value)));
        let business = self.business.map(|business| match self.manner.carrier {
            Carrier::Beside => {
                serde_json::from_str::<&RawValue>(business).map_or(business, |raw| inner(raw).get())
            }
            _ => business,
        });
        signing::string_to_sign(members, business, self.manner.dialect, secret)
    }
}

impl fmt::Debug for Calling<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calling")
            .field("app_id", &self.app_id)
            .field("funid", &self.funid)
            .field("manner", &self.manner)
            .finish_non_exhaustive()
    }
}

/// A call that was opened.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedCall {
    /// The inner object of the business message as its maker wrote it; `None` where there is none, a
    /// fault where it is no JSON. Whoever sent that is answered in his own manner like everybody.
    pub business: Result<Option<String>, FieldFault>,
    /// How it was made.
    pub manner: Manner,
    /// What tells the signature from any other, for the replay guard; `None` on an unsigned message.
    pub signature: Option<Sm3Digest>,
    /// 请求时间戳; `None` where the level wants none and none was given.
    pub timestamp_ms: Option<i64>,
}

impl fmt::Debug for OpenedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedCall")
            .field("business", &self.business.as_ref().map(|_| "***"))
            .field("manner", &self.manner)
            .finish_non_exhaustive()
    }
}

/// Opens a call as its channel prescribes; `first` is the dialect to try first. Neither the token nor
/// the appsecret is looked at here: that is the platform's, before it spends work on opening.
///
/// # Errors
/// See [`EnvelopeFault`]. Where the cipher takes a private key, what does not decrypt and what is
/// signed wrongly get one answer, so that it is no oracle of the padding.
pub fn open(
    envelope: &Envelope<'_>,
    channel: &Channel,
    secret: &Secret,
    first: Dialect,
    random: &dyn Randomness,
) -> Result<OpenedCall, EnvelopeFault> {
    let is_oracle = channel.level >= Level::Encrypted && channel.cipher.is_asymmetric();
    open_plainly(envelope, channel, secret, first, random).map_err(|fault| match fault {
        EnvelopeFault::Malformed(_) => fault,
        _ if is_oracle => EnvelopeFault::Undecryptable(
            "chs_fjs_encdata 无法解密或签名与报文不符：请核对平台公钥（证书）、填充方式、密钥与参与签名的字段；RSA 分块加密的报文最多 256 块，更大的请用 PKCS7 或 SM4",
        ),
        _ => fault,
    })
}

fn open_plainly(
    envelope: &Envelope<'_>,
    channel: &Channel,
    secret: &Secret,
    first: Dialect,
    random: &dyn Randomness,
) -> Result<OpenedCall, EnvelopeFault> {
    let mut manner = Manner {
        dialect: first,
        ..Manner::FIRST
    };
    let timestamp_ms = timestamp_of(envelope, channel.level)?;
    // Read before anything is decrypted: a message without a signature would else tell by its refusal
    // whether its padding was right.
    let stated = if channel.level >= Level::Signed {
        Some(Stated::read(envelope, &channel.signer)?)
    } else {
        None
    };
    let whole = if channel.level >= Level::Encrypted {
        decrypt(envelope, channel, secret, &mut manner, random)?
    } else {
        let (whole, carrier) = plain(envelope);
        manner.carrier = carrier;
        whole
    };
    let mut signature = None;
    if let Some(stated) = stated {
        manner.sign_text = stated.sign_text;
        let business = whole.as_deref();
        let (digest, dialect) =
            stated.verify(envelope, &channel.signer, secret, business, first)?;
        manner.dialect = dialect;
        signature = Some(digest);
    }
    let business = whole
        .map(|whole| unwrapped(whole, manner.carrier))
        .transpose();
    Ok(OpenedCall {
        business,
        manner,
        signature,
        timestamp_ms,
    })
}

/// Verifies the signature of a message without a body, as which a code is asked for.
///
/// # Errors
/// See [`EnvelopeFault`].
pub fn verify_bare(
    envelope: &Envelope<'_>,
    signer: &Signer,
    secret: &Secret,
    first: Dialect,
) -> Result<(Sm3Digest, i64), EnvelopeFault> {
    let timestamp_ms = timestamp_of(envelope, Level::Signed)?
        .ok_or_else(|| FieldFault::new(member::TIMESTAMP, "不可缺少"))?;
    let stated = Stated::read(envelope, signer)?;
    let (signature, _) = stated.verify(envelope, signer, secret, None, first)?;
    Ok((signature, timestamp_ms))
}

/// 请求时间戳, which must be there where the level says so; elsewhere (table 3.2.1.1 marks it N) an
/// empty one is none.
fn timestamp_of(envelope: &Envelope<'_>, level: Level) -> Result<Option<i64>, FieldFault> {
    if level < Level::Signed && envelope.business(member::TIMESTAMP).is_none() {
        return Ok(None);
    }
    let stated = envelope.required(member::TIMESTAMP)?;
    stated.parse().map(Some).map_err(|_| {
        FieldFault::new(
            member::TIMESTAMP,
            "应为 Unix 毫秒时间戳，例如 1630639075173",
        )
    })
}

fn decrypt(
    envelope: &Envelope<'_>,
    channel: &Channel,
    secret: &Secret,
    manner: &mut Manner,
    random: &dyn Randomness,
) -> Result<Option<String>, EnvelopeFault> {
    let Some(text) = envelope.business(member::ENCDATA) else {
        return Ok(None);
    };
    manner.standard_base64 = !base64::is_url_safe(text);
    let ciphertext = base64::decode(text).map_err(|_| {
        EnvelopeFault::Undecryptable("chs_fjs_encdata 不是 base64（URL 安全或标准均可）")
    })?;
    let plaintext = channel
        .cipher
        .decrypt(ciphertext, secret, random)
        .ok_or(EnvelopeFault::Undecryptable(
            "chs_fjs_encdata 无法解密：请核对密钥前 16 位、模式（ECB）与填充（PKCS7），密文是否完整",
        ))?;
    String::from_utf8(plaintext).map(Some).map_err(|_| {
        EnvelopeFault::Undecryptable(
            "解密结果不是 UTF-8 文本：请核对密钥前 16 位与字符集（不可用 GBK）",
        )
    })
}

/// The plain business message and where it stood.
fn plain(envelope: &Envelope<'_>) -> (Option<String>, Carrier) {
    if let Some(text) = envelope.business(member::ENCDATA) {
        let carrier = if envelope.is_string(member::ENCDATA) {
            Carrier::Text
        } else {
            Carrier::Object
        };
        return (Some(text.to_owned()), carrier);
    }
    for name in ["data", "param"] {
        if let Some(text) = envelope.business(name) {
            return (Some(text.to_owned()), Carrier::Beside);
        }
    }
    (None, Carrier::Text)
}

/// A signature as it was written.
struct Stated {
    bytes: Vec<u8>,
    sign_text: SignText,
}

impl Stated {
    fn read(envelope: &Envelope<'_>, signer: &Signer) -> Result<Self, FieldFault> {
        let text = envelope.required(member::SIGN)?;
        let (bytes, sign_text) = signature_bytes(text, signer.digest_bytes())
            .ok_or_else(|| FieldFault::new(member::SIGN, signer.described()))?;
        Ok(Self { bytes, sign_text })
    }

    /// What tells the signature from any other, and the dialect in which it holds; `first` is tried
    /// first.
    fn verify(
        self,
        envelope: &Envelope<'_>,
        signer: &Signer,
        secret: &Secret,
        business: Option<&str>,
        first: Dialect,
    ) -> Result<(Sm3Digest, Dialect), EnvelopeFault> {
        let others = Dialect::ALL.into_iter().filter(|dialect| *dialect != first);
        let dialect = std::iter::once(first)
            .chain(others)
            .find(|dialect| {
                let text = string_to_sign(envelope, business, *dialect, secret);
                signer.verifies(&text, &self.bytes)
            })
            .ok_or(EnvelopeFault::BadSignature)?;
        Ok((signing::told_apart(&self.bytes), dialect))
    }
}

/// The string that a received message's signature was made of under this dialect.
#[must_use]
pub fn string_to_sign(
    envelope: &Envelope<'_>,
    business: Option<&str>,
    dialect: Dialect,
    secret: &Secret,
) -> String {
    let members = envelope.members().filter(|(name, _)| {
        name.starts_with(member::PREFIX)
            && !matches!(*name, member::ENCDATA | member::SIGN | member::APPSECRET)
    });
    signing::string_to_sign(members, business, dialect, secret)
}

/// The bytes of a signature: hexadecimal where it has exactly the digits of a digest, else base64.
fn signature_bytes(text: &str, digest_bytes: Option<usize>) -> Option<(Vec<u8>, SignText)> {
    if let Some(length) = digest_bytes
        && text.len() == 2 * length
        && let Ok(bytes) = hex::decode(text)
    {
        let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        let written = if upper {
            SignText::UpperHex
        } else {
            SignText::LowerHex
        };
        return Some((bytes, written));
    }
    let bytes = base64::decode(text).ok()?;
    let fits = digest_bytes.is_none_or(|length| bytes.len() == length);
    fits.then_some((bytes, SignText::Base64))
}

/// The inner object of `{"data":{..}}`, or the whole where it is that already.
fn unwrapped(whole: String, carrier: Carrier) -> Result<String, FieldFault> {
    if carrier == Carrier::Beside {
        return Ok(whole);
    }
    // Nearly every message is wrapped; whatever is not is read once more for what is wrong with it.
    if let Ok(wrapped) = serde_json::from_str::<Wrapped<'_>>(&whole) {
        return Ok(wrapped.data.get().to_owned());
    }
    let raw: &RawValue = serde_json::from_str(&whole).map_err(|error| {
        FieldFault::new(
            "",
            format!(
                "业务数据不是合法的 JSON（第 {} 行第 {} 列附近）",
                error.line(),
                error.column()
            ),
        )
    })?;
    Ok(raw.get().to_owned())
}

#[derive(serde::Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

fn inner(raw: &RawValue) -> &RawValue {
    serde_json::from_str::<Wrapped<'_>>(raw.get()).map_or(raw, |wrapped| wrapped.data)
}

impl Manner {
    /// Base64 of the kind that the other side uses.
    pub(super) fn encoded(&self, bytes: &[u8]) -> String {
        if self.standard_base64 {
            base64::encode_standard(bytes)
        } else {
            base64::encode(bytes)
        }
    }

    /// A signature as the other side writes its own.
    pub(super) fn written(&self, signature: &[u8]) -> String {
        match self.sign_text {
            SignText::LowerHex => hex::encode(signature),
            SignText::UpperHex => hex::encode_upper(signature),
            SignText::Base64 => self.encoded(signature),
        }
    }
}

/// The members with one more whose value is JSON already, byte for byte.
pub(super) fn with_raw(
    members: &serde_json::Map<String, serde_json::Value>,
    name: &str,
    raw: &str,
) -> Option<String> {
    let mut text = serde_json::to_string(members).ok()?;
    text.pop();
    if !members.is_empty() {
        text.push(',');
    }
    text.push_str(&serde_json::to_string(name).ok()?);
    text.push(':');
    text.push_str(raw);
    text.push('}');
    Some(text)
}

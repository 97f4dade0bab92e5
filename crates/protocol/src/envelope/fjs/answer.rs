//! What goes back: `{"code","data","message","type"}` in an envelope of the channel's own level.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::{self, Carrier, Manner};
use super::{Channel, Level, member};
use crate::ambient::Randomness;
use crate::crypto::base64;
use crate::envelope::signing::{self, Dialect};
use crate::envelope::{Envelope, EnvelopeFault, Secret};
use crate::wire::FieldFault;

/// The code of an answer that says it was done.
pub const DONE: &str = "0";

/// What the platform tells.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// [`DONE`], or the 响应码 of a refusal.
    pub code: &'a str,
    /// 说明, in Chinese.
    pub message: &'a str,
    /// The inner object, JSON that goes out as it stands; `null` where there is none.
    pub data: Option<&'a str>,
    /// 时间戳, milliseconds since the epoch.
    pub timestamp_ms: i64,
}

/// The envelope of an answer, its members in the order of their names.
#[derive(Serialize)]
struct Sealed<'a> {
    #[serde(rename = "chs_fjs_encdata")]
    encdata: &'a str,
    #[serde(rename = "chs_fjs_sign", skip_serializing_if = "Option::is_none")]
    sign: Option<&'a str>,
    #[serde(rename = "chs_fjs_timestamp")]
    timestamp_ms: i64,
}

impl Told<'_> {
    /// The business message: `{"code","data","message","type"}`.
    #[must_use]
    pub fn plaintext(&self) -> String {
        // Written piece by piece: what a room answered is JSON already and need not be read again.
        let kind = if self.code == DONE {
            "success"
        } else {
            "error"
        };
        let (code, message) = (Value::from(self.code), Value::from(self.message));
        let data = self.data.unwrap_or("null");
        format!("{{\"code\":{code},\"data\":{data},\"message\":{message},\"type\":\"{kind}\"}}")
    }

    /// Without an envelope, for somebody we do not know.
    #[must_use]
    pub fn bare(&self) -> String {
        let mut text = format!("{{\"{}\":{},", member::TIMESTAMP, self.timestamp_ms);
        text.push_str(&self.plaintext()[1..]);
        text
    }

    /// In the envelope of the channel, in the caller's manner; `None` where a key can't do what its
    /// algorithm wants.
    #[must_use]
    pub fn seal(
        &self,
        channel: &Channel,
        secret: &Secret,
        manner: Manner,
        random: &dyn Randomness,
    ) -> Option<String> {
        let plaintext = self.plaintext();
        if channel.level < Level::Signed && manner.carrier == Carrier::Beside {
            return Some(self.bare());
        }
        let mut sign = None;
        if channel.level >= Level::Signed {
            let timestamp = self.timestamp_ms.to_string();
            let signed = [(member::TIMESTAMP, &*timestamp)].into_iter();
            let text = signing::string_to_sign(signed, Some(&plaintext), manner.dialect, secret);
            sign = Some(manner.written(&channel.signer.sign(&text, random)?));
        }
        if channel.level < Level::Encrypted && manner.carrier == Carrier::Object {
            let mut members = serde_json::Map::new();
            members.insert(member::TIMESTAMP.into(), self.timestamp_ms.into());
            if let Some(sign) = sign {
                members.insert(member::SIGN.into(), sign.into());
            }
            return call::with_raw(&members, member::ENCDATA, &plaintext);
        }
        let encdata = if channel.level >= Level::Encrypted {
            manner.encoded(&channel.cipher.encrypt(&plaintext, secret, random)?)
        } else {
            plaintext
        };
        let sealed = Sealed {
            encdata: &encdata,
            sign: sign.as_deref(),
            timestamp_ms: self.timestamp_ms,
        };
        serde_json::to_string(&sealed).ok()
    }
}

/// An answer as an insurer reads it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Answered {
    /// [`DONE`], or why not.
    pub code: String,
    /// 说明
    #[serde(default)]
    pub message: String,
    /// `success` or `error`.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// The inner object.
    #[serde(default)]
    pub data: serde_json::Value,
}

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered")
            .field("code", &self.code)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

/// Opens an answer. One without an envelope is taken where it refuses, because a platform that does
/// not know us can neither sign nor encrypt for us, and from a channel whose level has none.
///
/// # Errors
/// See [`EnvelopeFault`].
pub fn open(
    bytes: &[u8],
    channel: &Channel,
    secret: &Secret,
    random: &dyn Randomness,
) -> Result<Answered, EnvelopeFault> {
    let envelope = Envelope::parse(bytes)?;
    let read = |json: &str| -> Result<Answered, EnvelopeFault> {
        serde_json::from_str(json)
            .map_err(|_| FieldFault::new("", "应答应含 code、data、message、type").into())
    };
    let Some(text) = envelope.business(member::ENCDATA) else {
        let answered = read(&String::from_utf8_lossy(bytes))?;
        if answered.code == DONE && channel.level >= Level::Signed {
            return Err(FieldFault::new(member::ENCDATA, "不可缺少").into());
        }
        return Ok(answered);
    };
    let plaintext = if channel.level >= Level::Encrypted {
        let undecryptable = EnvelopeFault::Undecryptable("应答无法解密");
        let sealed = base64::decode(text).map_err(|_| undecryptable.clone())?;
        let plain = channel.cipher.decrypt(sealed, secret, random);
        plain
            .and_then(|plain| String::from_utf8(plain).ok())
            .ok_or(undecryptable)?
    } else {
        text.to_owned()
    };
    if channel.level >= Level::Signed {
        let stated = envelope.required(member::SIGN)?;
        let bytes = hex::decode(stated)
            .or_else(|_| base64::decode(stated))
            .map_err(|_| EnvelopeFault::BadSignature)?;
        let holds = Dialect::ALL.into_iter().any(|dialect| {
            let text = call::string_to_sign(&envelope, Some(&plaintext), dialect, secret);
            channel.signer.verifies(&text, &bytes)
        });
        if !holds {
            return Err(EnvelopeFault::BadSignature);
        }
    }
    read(&plaintext)
}

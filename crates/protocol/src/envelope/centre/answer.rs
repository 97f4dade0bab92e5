//! Answers of the centre: making one, and opening one.

use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;
use subtle::ConstantTimeEq as _;

use super::super::signing::{self, Dialect};
use super::super::{Envelope, EnvelopeFault, Secret};
use super::call::{Extra, ExtraForm};
use super::{OURS, TAKEN};
use crate::credential::CentreCode;
use crate::crypto::base64;
use crate::crypto::sm3::Sm3Digest;
use crate::wire::FieldFault;

/// An answer about to be made.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// 机构 ID, as the request had it.
    pub org_id: &'a str,
    /// 返回码.
    pub code: CentreCode,
    /// 返回信息, in Chinese.
    pub message: &'a str,
    /// 接口响应参数, where it went well.
    pub data: Option<&'a str>,
}

/// 4.2.4.2: the longest 返回信息, in characters.
const MOST_MESSAGE: usize = 200;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AnswerForm<'a> {
    org_id: &'a str,
    code: i32,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra: Option<String>,
}

impl<'a> Told<'a> {
    /// The answer, signed for a partner in the manner in which he signed. `None` where `data` is no
    /// JSON, which our own writer gives no cause for.
    #[must_use]
    pub fn seal(
        &self,
        app_id: &str,
        timestamp_ms: i64,
        dialect: Option<Dialect>,
        secret: &Secret,
    ) -> Option<String> {
        let (timestamp, message) = (timestamp_ms.to_string(), self.short());
        let members = [
            ("appId", app_id),
            ("code", self.code.code()),
            ("message", message),
            ("orgId", self.org_id),
            ("timestamp", &timestamp),
        ];
        let dialect = dialect.unwrap_or(OURS);
        let text = signing::string_to_sign(members.into_iter(), self.data, dialect, secret);
        let extra = ExtraForm {
            app_id,
            timestamp: &timestamp,
            sign: &base64::encode(&signing::sign(&text)),
            qr_code: None,
        };
        self.write(message, Some(serde_json::to_string(&extra).ok()?))
    }

    /// The answer without a signature, for somebody we do not know.
    #[must_use]
    pub fn bare(&self) -> Option<String> {
        self.write(self.short(), None)
    }

    fn write(&self, message: &str, extra: Option<String>) -> Option<String> {
        let data = self.data.map(serde_json::from_str::<&RawValue>);
        let form = AnswerForm {
            org_id: self.org_id,
            code: self.code.number(),
            message,
            data: data.transpose().ok()?,
            extra,
        };
        serde_json::to_string(&form).ok()
    }

    fn short(&self) -> &'a str {
        match self.message.char_indices().nth(MOST_MESSAGE) {
            Some((end, _)) => &self.message[..end],
            None => self.message,
        }
    }
}

impl fmt::Debug for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Told({})", self.code.code())
    }
}

impl CentreCode {
    /// As it stands on the wire: a number.
    #[must_use]
    pub fn number(self) -> i32 {
        // Every code of the dictionary is one.
        self.code().parse().unwrap_or(-1)
    }
}

/// An answer that was opened.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// It went well: 接口响应参数.
    Done(String),
    /// It did not.
    Refused {
        /// 返回码.
        code: String,
        /// 返回信息.
        message: String,
    },
}

/// Why an answer can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerFault {
    /// It is no answer of the centre.
    #[error("应答不是医保电子凭证中心的报文：{0}")]
    NoAnswer(FieldFault),
    /// Its signature does not hold.
    #[error("应答：{0}")]
    NotVerified(EnvelopeFault),
}

/// Opens an answer. A refusal may be unsigned: who does not know us can't sign for us.
///
/// # Errors
/// See [`AnswerFault`].
pub fn open_answer(text: &str, secret: &Secret) -> Result<Answer, AnswerFault> {
    let no_answer = AnswerFault::NoAnswer;
    let envelope = Envelope::parse(text.as_bytes()).map_err(no_answer)?;
    let code = envelope.required("code").map_err(no_answer)?;
    let message = envelope.get("message").unwrap_or_default();
    let extra = envelope.get("extra").filter(|text| !text.is_empty());
    let extra = extra.map(Extra::parse).transpose().map_err(no_answer)?;
    let extra = extra.unwrap_or_default();
    if code == "0" || extra.sign.is_some() {
        verify(&envelope, &extra, code, message, secret).map_err(AnswerFault::NotVerified)?;
    }
    if code == "0" {
        let data = envelope.get("data").unwrap_or_default();
        return Ok(Answer::Done(data.to_owned()));
    }
    Ok(Answer::Refused {
        code: code.chars().take(20).collect(),
        message: message.chars().take(500).collect(),
    })
}

fn verify(
    envelope: &Envelope<'_>,
    extra: &Extra,
    code: &str,
    message: &str,
    secret: &Secret,
) -> Result<(), EnvelopeFault> {
    let stated = extra.sign.as_deref().unwrap_or_default();
    let stated: Option<Sm3Digest> = base64::decode(stated)
        .ok()
        .and_then(|bytes| bytes.try_into().ok());
    let stated = stated.ok_or(EnvelopeFault::BadSignature)?;
    let members = [
        ("appId", extra.app_id.as_deref().unwrap_or_default()),
        ("code", code),
        ("message", message),
        ("orgId", envelope.get("orgId").unwrap_or_default()),
        ("timestamp", extra.timestamp.as_deref().unwrap_or_default()),
    ];
    let holds = TAKEN.into_iter().any(|dialect| {
        let members = members.into_iter();
        let text = signing::string_to_sign(members, envelope.get("data"), dialect, secret);
        signing::sign(&text).ct_eq(&stated).into()
    });
    if holds {
        Ok(())
    } else {
        Err(EnvelopeFault::BadSignature)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(_) => f.write_str("Done(***)"),
            Self::Refused { code, .. } => write!(f, "Refused({code})"),
        }
    }
}

//! Requests of the centre: opening one, and making one.

use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;
use subtle::ConstantTimeEq as _;

use super::super::signing::{self, Dialect};
use super::super::{Envelope, EnvelopeFault, Secret};
use super::{OURS, TAKEN};
use crate::crypto::base64;
use crate::crypto::sm3::Sm3Digest;
use crate::wire::FieldFault;

/// A request as it came in, not verified yet.
#[derive(Debug)]
pub struct Received<'a> {
    envelope: Envelope<'a>,
    /// What stands in `extra`.
    pub extra: Extra,
}

/// 扩展参数: who signed when, and what was scanned.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Extra {
    /// 应用 ID.
    pub app_id: Option<String>,
    /// 时间戳, milliseconds since the epoch, as it was signed.
    pub timestamp: Option<String>,
    /// 签名.
    pub sign: Option<String>,
    /// 码值 that a scanner read.
    pub qr_code: Option<String>,
}

/// 4.2.4.1: the longest `extra`, in characters.
const MOST_EXTRA: usize = 2_048;

impl Extra {
    pub(super) fn parse(text: &str) -> Result<Self, FieldFault> {
        if text.chars().count() > MOST_EXTRA {
            return Err(FieldFault::new(
                "extra",
                format!("最多 {MOST_EXTRA} 个字符"),
            ));
        }
        let envelope = Envelope::parse(text.as_bytes()).map_err(|fault| {
            if fault.path.is_empty() {
                FieldFault::new("extra", "应为 JSON 格式字符串")
            } else {
                FieldFault::new(format!("extra.{}", fault.path), fault.expected)
            }
        })?;
        let member = |name| {
            let text = envelope.get(name).filter(|text| !text.is_empty());
            text.map(str::to_owned)
        };
        Ok(Self {
            app_id: member("appId"),
            timestamp: member("timestamp"),
            sign: member("sign"),
            qr_code: member("qrCode"),
        })
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extra")
            .field("app_id", &self.app_id)
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

impl<'a> Received<'a> {
    /// Reads a request.
    ///
    /// # Errors
    /// Where it is no JSON object, or `extra` holds none.
    pub fn parse(text: &'a str) -> Result<Self, FieldFault> {
        let envelope = Envelope::parse(text.as_bytes())?;
        let extra = envelope.get("extra").filter(|text| !text.is_empty());
        let extra = extra.map(Extra::parse).transpose()?.unwrap_or_default();
        Ok(Self { envelope, extra })
    }

    /// 机构 ID; empty where there is none.
    #[must_use]
    pub fn org_id(&self) -> &str {
        self.member("orgId")
    }

    /// 交易类型; empty where there is none.
    #[must_use]
    pub fn trans_type(&self) -> &str {
        self.member("transType")
    }

    /// 接口请求参数, its exact text: a string's content, an object byte for byte.
    #[must_use]
    pub fn data(&self) -> Option<&str> {
        self.envelope.get("data").filter(|text| !text.is_empty())
    }

    /// Checks the signature; gives it, and how it was made.
    ///
    /// # Errors
    /// Where a member of `extra` is missing, or the signature does not hold.
    pub fn verify(&self, secret: &Secret) -> Result<(Sm3Digest, Dialect), EnvelopeFault> {
        let stated: Sm3Digest = base64::decode(needed(&self.extra.sign, "extra.sign")?)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| FieldFault::new("extra.sign", "应为 SM3 摘要（32 字节）的 base64"))?;
        for dialect in TAKEN {
            let made = signing::sign(&self.string_to_sign(dialect, secret)?);
            if made.ct_eq(&stated).into() {
                return Ok((stated, dialect));
            }
        }
        Err(EnvelopeFault::BadSignature)
    }

    fn string_to_sign(&self, dialect: Dialect, secret: &Secret) -> Result<String, FieldFault> {
        let members = [
            ("appId", needed(&self.extra.app_id, "extra.appId")?),
            ("orgId", self.org_id()),
            (
                "timestamp",
                needed(&self.extra.timestamp, "extra.timestamp")?,
            ),
            ("transType", self.trans_type()),
        ];
        let members = members.into_iter();
        Ok(signing::string_to_sign(
            members,
            self.data(),
            dialect,
            secret,
        ))
    }

    fn member(&self, name: &str) -> &str {
        self.envelope.get(name).unwrap_or_default()
    }
}

fn needed<'a>(member: &'a Option<String>, path: &str) -> Result<&'a str, FieldFault> {
    let text = member.as_deref();
    text.ok_or_else(|| FieldFault::new(path, "不可缺少"))
}

/// A request about to be made.
#[derive(Clone, Copy)]
pub struct Calling<'a> {
    /// 应用 ID.
    pub app_id: &'a str,
    /// 机构 ID.
    pub org_id: &'a str,
    /// 交易类型.
    pub trans_type: &'a str,
    /// 接口请求参数, compact JSON.
    pub data: &'a str,
    /// 码值, where one was scanned.
    pub qr_code: Option<&'a str>,
    /// 时间戳, milliseconds since the epoch.
    pub timestamp_ms: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallForm<'a> {
    org_id: &'a str,
    trans_type: &'a str,
    data: &'a RawValue,
    extra: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExtraForm<'a> {
    pub(super) app_id: &'a str,
    pub(super) timestamp: &'a str,
    pub(super) sign: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) qr_code: Option<&'a str>,
}

/// Business data that is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("data 不是 JSON")]
pub struct NotJson;

impl Calling<'_> {
    /// The message, signed.
    ///
    /// # Errors
    /// Where `data` is no JSON.
    pub fn seal(&self, secret: &Secret) -> Result<String, NotJson> {
        let timestamp = self.timestamp_ms.to_string();
        let data: &RawValue = serde_json::from_str(self.data).map_err(|_| NotJson)?;
        let text = self.string_to_sign(secret);
        let extra = ExtraForm {
            app_id: self.app_id,
            timestamp: &timestamp,
            sign: &base64::encode(&signing::sign(&text)),
            qr_code: self.qr_code,
        };
        let form = CallForm {
            org_id: self.org_id,
            trans_type: self.trans_type,
            data,
            extra: serde_json::to_string(&extra).map_err(|_| NotJson)?,
        };
        serde_json::to_string(&form).map_err(|_| NotJson)
    }
}

impl Calling<'_> {
    /// The string that [`Calling::seal`] signs: for people who look for their fault.
    #[must_use]
    pub fn string_to_sign(&self, secret: &Secret) -> String {
        let timestamp = self.timestamp_ms.to_string();
        let members = [
            ("appId", self.app_id),
            ("orgId", self.org_id),
            ("timestamp", &*timestamp),
            ("transType", self.trans_type),
        ];
        signing::string_to_sign(members.into_iter(), Some(self.data.trim()), OURS, secret)
    }
}

impl fmt::Debug for Calling<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calling")
            .field("app_id", &self.app_id)
            .field("org_id", &self.org_id)
            .field("trans_type", &self.trans_type)
            .finish_non_exhaustive()
    }
}

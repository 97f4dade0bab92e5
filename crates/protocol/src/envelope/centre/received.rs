//! Requests as the centre gets them.

use std::fmt;

use subtle::ConstantTimeEq as _;

use super::super::signing::{self, Dialect};
use super::super::{Envelope, EnvelopeFault, Secret};
use super::TAKEN;
use crate::crypto::base64;
use crate::crypto::sm3::Sm3Digest;
use crate::wire::FieldFault;

/// A request as it came in, not verified yet.
#[derive(Debug)]
pub struct Received<'a> {
    envelope: Envelope<'a>,
    /// What stands in `extra`.
    pub extra: SignedBy,
}

/// 扩展参数: who signed when, and what was scanned.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SignedBy {
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

impl SignedBy {
    fn parse(text: &str) -> Result<Self, FieldFault> {
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

impl fmt::Debug for SignedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedBy")
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
        let extra = extra.map(SignedBy::parse).transpose()?.unwrap_or_default();
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
    text.ok_or_else(|| FieldFault::absent(path, "不可缺少"))
}

//! Answers as the centre makes them.

use std::fmt;

use super::super::Secret;
use super::super::signing::{self, Dialect};
use super::OURS;
use crate::credential::CentreCode;
use crate::crypto::base64;
use serde::Serialize;
use serde_json::value::RawValue;

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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExtraForm<'a> {
    app_id: &'a str,
    timestamp: &'a str,
    sign: &'a str,
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

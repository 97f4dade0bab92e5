//! Sealing what we say.

use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

use super::signing::{self, Manner, PlainMember};
use super::{INTERFACE_VERSION, Secret};
use crate::crypto::base64;
use crate::result_code::ResultCode;

/// A message about to be sealed.
#[derive(Clone, Copy)]
pub struct Sealing<'a> {
    /// 应用 ID.
    pub app_id: &'a str,
    /// 接口版本; [`INTERFACE_VERSION`] when we call, the caller's own when we answer.
    pub version: &'a str,
    /// 时间戳, milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// 响应协议码 and 响应说明, on an answer.
    pub outcome: Option<Outcome<'a>>,
    /// The business JSON, compact and final; `None` on an answer that has none.
    pub business: Option<&'a str>,
    /// How to protect and sign it.
    pub manner: Manner,
}

impl fmt::Debug for Sealing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealing")
            .field("app_id", &self.app_id)
            .field("outcome", &self.outcome)
            .field("manner", &self.manner)
            .finish_non_exhaustive()
    }
}

/// How an answer begins.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    /// 响应协议码.
    pub code: ResultCode,
    /// 响应说明, in Chinese.
    pub message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireForm<'a> {
    app_id: &'a str,
    version: &'a str,
    timestamp: &'a str,
    encrypt_type: &'a str,
    sign_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resp_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resp_msg: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypt_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a RawValue>,
}

impl<'a> Sealing<'a> {
    /// A call in the sealed manner.
    #[must_use]
    pub const fn call(app_id: &'a str, timestamp_ms: i64, business: &'a str) -> Self {
        Self {
            app_id,
            version: INTERFACE_VERSION,
            timestamp_ms,
            outcome: None,
            business: Some(business),
            manner: Manner::SEALED,
        }
    }

    /// The message as it goes on the wire.
    #[must_use]
    pub fn seal(&self, secret: &Secret) -> String {
        let timestamp = self.timestamp_ms.to_string();
        let protection = self.manner.protection;
        let sign = protection.signed.then(|| {
            let text = self.string_to_sign_at(&timestamp, secret);
            base64::encode(&signing::sign(&text))
        });
        let encrypt_data = self
            .business
            .filter(|_| protection.encrypted)
            .map(|json| base64::encode(&secret.cipher().encrypt_ecb(json.as_bytes())));
        // Business JSON is made by our own writer; text that is no JSON is not sent at all.
        let plain: Option<&RawValue> = self
            .business
            .filter(|_| !protection.encrypted)
            .and_then(|json| serde_json::from_str(json).ok());
        let in_data = self.manner.plain_member == PlainMember::Data;
        let form = WireForm {
            app_id: self.app_id,
            version: self.version,
            timestamp: &timestamp,
            encrypt_type: if protection.encrypted { "SM4" } else { "PLAIN" },
            sign_type: if protection.signed { "SM3" } else { "PLAIN" },
            resp_code: self.outcome.map(|outcome| outcome.code.code()),
            resp_msg: self.outcome.map(|outcome| outcome.message),
            sign,
            encrypt_data,
            data: plain.filter(|_| in_data),
            param: plain.filter(|_| !in_data),
        };
        #[expect(
            clippy::expect_used,
            reason = "strings written to memory have no way to fail"
        )]
        serde_json::to_string(&form).expect("an envelope can be written")
    }

    /// The string that [`Sealing::seal`] signs: for people who look for their fault.
    #[must_use]
    pub fn string_to_sign(&self, secret: &Secret) -> String {
        self.string_to_sign_at(&self.timestamp_ms.to_string(), secret)
    }

    fn string_to_sign_at(&self, timestamp: &str, secret: &Secret) -> String {
        let protection = self.manner.protection;
        let outcome = self.outcome.map(|outcome| {
            [
                ("respCode", outcome.code.code()),
                ("respMsg", outcome.message),
            ]
        });
        let members = [
            ("appId", self.app_id),
            ("version", self.version),
            ("timestamp", timestamp),
            (
                "encryptType",
                if protection.encrypted { "SM4" } else { "PLAIN" },
            ),
            ("signType", if protection.signed { "SM3" } else { "PLAIN" }),
        ];
        signing::string_to_sign(
            members.into_iter().chain(outcome.into_iter().flatten()),
            self.business,
            self.manner.dialect,
            secret,
        )
    }
}

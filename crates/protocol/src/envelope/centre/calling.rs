//! Messages of the centre as its callers see them: the library NationECCode, terminals, tools.
//!
//! [`Request::seal`] and [`open_reply`] take and give text, and whoever sends it encodes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use subtle::ConstantTimeEq as _;

use super::super::signing::{self, sign};
use super::super::{Envelope, Secret};
use super::OURS;
use crate::crypto::base64;
use crate::crypto::sm3::Sm3Digest;

/// Members of `extra` by name, each as it was written.
pub type Extra = BTreeMap<String, Box<RawValue>>;

/// 请求报文 (4.2.4.1).
#[derive(Clone)]
pub struct Request {
    /// 机构 ID
    pub org_id: String,
    /// 交易类型
    pub trans_type: String,
    /// 接口请求参数
    pub data: Data,
    /// 扩展参数: what the caller says there; the signature's members are added.
    pub extra: Extra,
}

/// `data` in either of its two forms.
#[derive(Clone)]
pub enum Data {
    /// An object, signed byte for byte.
    Object(Box<RawValue>),
    /// A string that holds JSON, signed without its quotes and escapes.
    Text(String),
}

impl Data {
    /// The text that is signed.
    #[must_use]
    pub fn as_signed(&self) -> &str {
        match self {
            Self::Object(raw) => raw.get(),
            Self::Text(text) => text,
        }
    }
}

/// Business data that is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("data 不是 JSON")]
pub struct NotJson;

impl Request {
    /// A message of these business data, with the code that was scanned, if any.
    ///
    /// # Errors
    /// Where `data` is no JSON.
    pub fn new(
        org_id: &str,
        trans_type: &str,
        data: &str,
        qr_code: Option<&str>,
    ) -> Result<Self, NotJson> {
        let raw = |json: String| RawValue::from_string(json).map_err(|_| NotJson);
        let mut extra = Extra::new();
        if let Some(code) = qr_code {
            extra.insert("qrCode".to_owned(), raw(quoted(code))?);
        }
        Ok(Self {
            org_id: org_id.to_owned(),
            trans_type: trans_type.to_owned(),
            data: Data::Object(raw(data.trim().to_owned())?),
            extra,
        })
    }

    /// The string that [`Request::seal`] signs: for people who look for their fault.
    #[must_use]
    pub fn string_to_sign(&self, app_id: &str, secret: &Secret, now_ms: i64) -> String {
        let timestamp = now_ms.to_string();
        let members = [
            ("appId", app_id),
            ("data", self.data.as_signed()),
            ("orgId", &*self.org_id),
            ("timestamp", &*timestamp),
            ("transType", &*self.trans_type),
        ];
        signing::string_to_sign(members.into_iter(), None, OURS, secret)
    }

    /// The message, signed at this moment.
    #[must_use]
    pub fn seal(&self, app_id: &str, secret: &Secret, now_ms: i64) -> String {
        let timestamp = now_ms.to_string();
        let signature = base64::encode(&sign(&self.string_to_sign(app_id, secret, now_ms)));
        let mut extra = self.extra.clone();
        for (name, value) in [
            ("appId", app_id),
            ("timestamp", &timestamp),
            ("sign", &signature),
        ] {
            // What `quoted` gives is JSON, so there is a raw value of it.
            if let Ok(value) = RawValue::from_string(quoted(value)) {
                extra.insert(name.to_owned(), value);
            }
        }
        let data = match &self.data {
            Data::Object(raw) => raw.get().to_owned(),
            Data::Text(text) => quoted(text),
        };
        format!(
            r#"{{"orgId":{},"transType":{},"data":{data},"extra":{}}}"#,
            quoted(&self.org_id),
            quoted(&self.trans_type),
            quoted(&object(&extra)),
        )
    }
}

/// 返回报文 (4.2.4.2), its signature verified.
pub struct Reply {
    /// 机构 ID
    pub org_id: Option<String>,
    /// 返回码
    pub code: i64,
    /// 返回信息
    pub message: String,
    /// 接口响应参数 as it was written, or as text where it came as a string.
    pub data: Option<String>,
    /// Whether `data` came as a string.
    pub data_is_text: bool,
    /// 扩展参数 without the signature's members.
    pub extra: Extra,
    /// When the centre signed it: milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
}

/// Why a reply can't be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadReply {
    /// No JSON object, or one without a number in `code`.
    #[error("no reply of a credential centre")]
    Unreadable,
    /// Without a signature: the centre answers so whom it does not know.
    #[error("an unsigned reply with code {code}")]
    Unsigned {
        /// 返回码
        code: i64,
        /// 返回信息
        message: String,
    },
    /// The signature is of another text, another secret or another appId.
    #[error("the signature of a reply does not hold")]
    Forged,
}

/// Reads and verifies a reply.
///
/// # Errors
/// See [`BadReply`].
pub fn open_reply(text: &str, app_id: &str, secret: &Secret) -> Result<Reply, BadReply> {
    let envelope = Envelope::parse(text.as_bytes()).map_err(|_| BadReply::Unreadable)?;
    let code_text = envelope.get("code").ok_or(BadReply::Unreadable)?;
    let code: i64 = code_text.parse().map_err(|_| BadReply::Unreadable)?;
    let message = envelope.get("message");
    let unsigned = || BadReply::Unsigned {
        code,
        message: message.unwrap_or_default().to_owned(),
    };
    let mut extra: Extra = match envelope.get("extra") {
        None | Some("") => return Err(unsigned()),
        Some(extra) => serde_json::from_str(extra).map_err(|_| BadReply::Unreadable)?,
    };
    let mut own = |name: &str| extra.remove(name).and_then(|raw| text_of(&raw));
    let (signer, timestamp, sign) = (own("appId"), own("timestamp"), own("sign"));
    let (Some(signer), Some(timestamp), Some(sign)) = (signer, timestamp, sign) else {
        return Err(unsigned());
    };
    let members = [
        ("appId", Some(&*signer)),
        ("code", Some(code_text)),
        ("data", envelope.get("data")),
        ("message", message),
        ("orgId", envelope.get("orgId")),
        ("timestamp", Some(&*timestamp)),
    ];
    let present = members
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let stated = base64::decode(&sign).map_err(|_| BadReply::Forged)?;
    let holds: bool = code_of(present, secret).ct_eq(&stated[..]).into();
    if !holds || signer != app_id {
        return Err(BadReply::Forged);
    }
    Ok(Reply {
        org_id: envelope.get("orgId").map(str::to_owned),
        code,
        message: message.unwrap_or_default().to_owned(),
        data: envelope.get("data").map(str::to_owned),
        data_is_text: envelope.is_string("data"),
        extra,
        timestamp_ms: timestamp.parse().map_err(|_| BadReply::Forged)?,
    })
}

/// The members as a JSON object, each value as it was written.
#[must_use]
pub fn object(members: &Extra) -> String {
    // Names are strings and values JSON already, so nothing can fail.
    serde_json::to_string(members).unwrap_or_default()
}

/// The code of these members under the secret.
fn code_of<'a>(members: impl Iterator<Item = (&'a str, &'a str)>, secret: &Secret) -> Sm3Digest {
    sign(&signing::string_to_sign(members, None, OURS, secret))
}

/// A string's text, a number's digits; nothing else can stand where a signature's members do.
fn text_of(raw: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Scalar {
        Text(String),
        Number(i64),
    }
    Some(match serde_json::from_str(raw.get()).ok()? {
        Scalar::Text(text) => text,
        Scalar::Number(number) => number.to_string(),
    })
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Request({}, ***)", self.trans_type)
    }
}

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Data(***)")
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply({}, ***)", self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::sm3;

    const SECRET: &str = "the-secret-of-a-kiosk";

    fn secret() -> Secret {
        Secret::parse(SECRET).unwrap()
    }

    fn reply(members: &str, signed: &str) -> String {
        let sign = base64::encode(&sm3::digest(
            format!("appId=kiosk&{signed}&timestamp=1700000000000&key={SECRET}").as_bytes(),
        ));
        let extra = format!(r#"{{"appId":"kiosk","timestamp":"1700000000000","sign":"{sign}"}}"#);
        format!("{{{members},\"extra\":{}}}", quoted(&extra))
    }

    #[test]
    fn a_request_signs_data_as_it_is_written_and_keeps_what_extra_says() {
        let raw = r#"{ "officeName":"内科", "n":1.0 }"#;
        let mut extra = Extra::new();
        let value = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        extra.insert("qrCode".to_owned(), value(r#""EC1""#));
        extra.insert("sign".to_owned(), value(r#""somebody else's""#));
        let mut request = Request {
            org_id: "1234567".to_owned(),
            trans_type: "ec.query".to_owned(),
            data: Data::Object(value(raw)),
            extra,
        };
        let message = request.seal("kiosk", &secret(), 1_700_000_000_000);
        assert!(message.contains(raw), "{message}");
        let signed = format!(
            "appId=kiosk&data={raw}&orgId=1234567&timestamp=1700000000000&transType=ec.query&key={SECRET}"
        );
        let sign = base64::encode(&sm3::digest(signed.as_bytes()));
        let read: serde_json::Value = serde_json::from_str(&message).unwrap();
        let extra: serde_json::Value =
            serde_json::from_str(read["extra"].as_str().unwrap()).unwrap();
        assert_eq!(
            extra,
            serde_json::json!({"appId":"kiosk","timestamp":"1700000000000","sign":sign,"qrCode":"EC1"})
        );

        // As a string, `data` signs the same text.
        request.data = Data::Text(raw.to_owned());
        let message = request.seal("kiosk", &secret(), 1_700_000_000_000);
        assert!(message.contains(&sign) && message.contains(r#"{ \"officeName\""#));
        assert!(!format!("{request:?}").contains("内科"));
    }

    #[test]
    fn a_reply_is_believed_only_as_it_was_signed() {
        let good = reply(
            r#""orgId":"1","code":0,"message":"处理成功","data":{"idNo": "x"}"#,
            r#"code=0&data={"idNo": "x"}&message=处理成功&orgId=1"#,
        );
        let opened = open_reply(&good, "kiosk", &secret()).unwrap();
        assert_eq!((opened.code, &*opened.message), (0, "处理成功"));
        assert_eq!(opened.data.as_deref(), Some(r#"{"idNo": "x"}"#));
        assert!(opened.extra.is_empty() && opened.timestamp_ms == 1_700_000_000_000);

        let bare = reply(r#""code":500049,"data":null"#, "code=500049");
        assert_eq!(open_reply(&bare, "kiosk", &secret()).unwrap().code, 500_049);

        let forged = good.replace("\"x\"", "\"y\"");
        let other = Secret::parse("another-secret-of-a-kiosk").unwrap();
        for (text, app_id, secret) in [
            (&forged, "kiosk", &secret()),
            (&good, "another", &secret()),
            (&good, "kiosk", &other),
        ] {
            assert_eq!(
                open_reply(text, app_id, secret).err(),
                Some(BadReply::Forged)
            );
        }
        let unknown = r#"{"code":500012,"message":"该电子凭证应用渠道不存在"}"#;
        assert!(matches!(
            open_reply(unknown, "kiosk", &secret()),
            Err(BadReply::Unsigned { code: 500_012, .. })
        ));
        for text in ["", "<html>", "{}", r#"{"code":"x"}"#, "[]"] {
            assert!(matches!(
                open_reply(text, "kiosk", &secret()),
                Err(BadReply::Unreadable)
            ));
        }
    }
}

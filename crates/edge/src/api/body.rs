//! What the HIS sends.

use axum::body::Body;
use axum::http::StatusCode;
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::{self, Entry, Kind, Member, Message, member_fault};
use banyan_web::Unread;
use http_body_util::BodyExt as _;
use serde::de::{Deserialize, Deserializer};
use serde::ser::SerializeMap;
use serde_json::Value;

use super::reply::Reply;

/// About a hundred thousand items.
pub(super) const MAX_BODY_BYTES: usize = 32 << 20;
/// Room for the bodies of all calls under way: eight of the greatest length, or any number of those
/// that are usual.
pub(super) const ROOM_BYTES: usize = 256 << 20;

/// Reads a body as a message.
pub(super) async fn read<M: Message>(body: Body) -> Result<M, Reply> {
    let text = text(body).await?;
    // An interface that needs nothing may be called with nothing.
    let text = if text.trim().is_empty() { "{}" } else { &text };
    wire::read(text).map_err(|fault| Reply::field(&fault))
}

/// The body, which [`super::admit`] has read, as text.
pub(super) async fn text(body: Body) -> Result<String, Reply> {
    let whole = body.collect().await.map_err(|_| unread(Unread::NotWhole))?;
    String::from_utf8(whole.to_bytes().into()).map_err(|_| {
        Reply::refused(
            ResultCode::BadParameter,
            "报文不是 UTF-8 文本；HIS 若以 GBK 编码，请先转换",
        )
    })
}

/// What is answered where a body was not read.
pub(super) fn unread(unread: Unread) -> Reply {
    match unread {
        Unread::NoRoom => Reply::refused(
            ResultCode::RateLimited,
            "同时提交的报文过大过多，请稍后重试",
        )
        .with(StatusCode::TOO_MANY_REQUESTS),
        Unread::TooLong => Reply::refused(
            ResultCode::BadParameter,
            format!("报文超过 {} MB，请分次提交", MAX_BODY_BYTES >> 20),
        )
        .with(StatusCode::PAYLOAD_TOO_LARGE),
        Unread::NotWhole => Reply::refused(ResultCode::BadParameter, "报文未完整送达，请重新提交")
            .with(StatusCode::REQUEST_TIMEOUT),
    }
}

/// A yes or no that may be left out, which is no; written as JSON truth, as text or as 1 and 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Flag(pub(super) bool);

impl Member for Flag {
    const KIND: Kind = Kind::Dictionary {
        name: "是否",
        entries: &[
            Entry {
                code: "true",
                name: "是",
            },
            Entry {
                code: "false",
                name: "否",
            },
        ],
    };
    const REQUIRED: bool = false;

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self(false)),
            Value::Bool(truth) => Ok(Self(truth)),
            Value::Number(number) if number.as_u64() == Some(1) => Ok(Self(true)),
            Value::Number(number) if number.as_u64() == Some(0) => Ok(Self(false)),
            Value::String(text) => match text.as_str() {
                "true" | "1" => Ok(Self(true)),
                "false" | "0" | "" => Ok(Self(false)),
                _ => Err(member_fault("应为 true 或 false")),
            },
            _ => Err(member_fault("应为 true 或 false")),
        }
    }

    fn absent() -> Option<Self> {
        Some(Self(false))
    }

    fn write<S: SerializeMap>(&self, key: &'static str, map: &mut S) -> Result<(), S::Error> {
        map.serialize_entry(key, &self.0)
    }
}

//! What the HIS sends.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::{self, Entry, Kind, Member, Message, member_fault};
use http_body_util::BodyExt as _;
use serde::de::{Deserialize, Deserializer};
use serde::ser::SerializeMap;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::reply::Reply;

/// About a hundred thousand items.
const MAX_BODY_BYTES: u32 = 32 * 1024 * 1024;
/// A body of that length takes three seconds on the slowest of hospital networks.
const PATIENCE: Duration = Duration::from_secs(30);
/// A client that still sends when it is refused sees a broken line instead of the answer, so this
/// much more is read and thrown away.
const DRAINED_BYTES: usize = 32 * 1024 * 1024;

/// Room for the bodies of all calls under way.
pub(super) struct Room(Semaphore);

/// Eight bodies of the greatest length, or any number of those that are usual.
const ROOM_BYTES: usize = 256 * 1024 * 1024;

impl Room {
    /// All of it free.
    pub(super) const fn new() -> Self {
        Self(Semaphore::const_new(ROOM_BYTES))
    }

    /// Keeps room for a body until it is worked on, by the length that it is said to have, or else
    /// the greatest; `None` where there is none now. A body that is said to be longer than any
    /// needs none: it is not kept.
    pub(super) fn take(&self, body: &Body) -> Option<SemaphorePermit<'_>> {
        let length = match body.size_hint().upper() {
            Some(length) if length > u64::from(MAX_BODY_BYTES) => 0,
            Some(length) => u32::try_from(length).unwrap_or(MAX_BODY_BYTES),
            None => MAX_BODY_BYTES,
        };
        self.0.try_acquire_many(length).ok()
    }
}

/// Reads a body as a message.
pub(super) async fn read<M: Message>(body: Body) -> Result<M, Reply> {
    let text = text(body).await?;
    // An interface that needs nothing may be called with nothing.
    let text = if text.trim().is_empty() { "{}" } else { &text };
    wire::read(text).map_err(|fault| Reply::field(&fault))
}

/// The body as text.
pub(super) async fn text(body: Body) -> Result<String, Reply> {
    text_within(body, PATIENCE).await
}

async fn text_within(body: Body, patience: Duration) -> Result<String, Reply> {
    let bytes = match tokio::time::timeout(patience, collect(body)).await {
        Ok(Ok(Some(bytes))) => bytes,
        Ok(Ok(None)) => {
            return Err(Reply::refused(
                ResultCode::BadParameter,
                format!("报文超过 {} MB，请分次提交", MAX_BODY_BYTES >> 20),
            )
            .with(StatusCode::PAYLOAD_TOO_LARGE));
        }
        Ok(Err(_)) | Err(_) => {
            return Err(
                Reply::refused(ResultCode::BadParameter, "报文未完整送达，请重新提交")
                    .with(StatusCode::REQUEST_TIMEOUT),
            );
        }
    };
    String::from_utf8(bytes.into()).map_err(|_| {
        Reply::refused(
            ResultCode::BadParameter,
            "报文不是 UTF-8 文本；HIS 若以 GBK 编码，请先转换",
        )
    })
}

/// The whole body; `None` where it is too long.
async fn collect(mut body: Body) -> Result<Option<Bytes>, axum::Error> {
    let most = MAX_BODY_BYTES as usize;
    let said = body.size_hint().upper();
    let mut is_too_long = said.is_some_and(|said| said > u64::from(MAX_BODY_BYTES));
    let mut whole: Vec<u8> = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        length += data.len();
        is_too_long |= length > most;
        if !is_too_long {
            whole.extend_from_slice(&data);
            continue;
        }
        whole = Vec::new();
        if length > most + DRAINED_BYTES {
            break;
        }
    }
    Ok((!is_too_long).then(|| whole.into()))
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

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;

    use super::*;

    /// A body of no said length that never ends.
    struct Endless;

    impl HttpBody for Endless {
        type Data = Bytes;
        type Error = axum::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn too_long_a_body_is_refused_as_such() {
        let most = MAX_BODY_BYTES as usize;
        assert_eq!(text(Body::from("12")).await.unwrap(), "12");
        assert_eq!(
            text(Body::from("1".repeat(most))).await.unwrap().len(),
            most
        );
        let refused = text(Body::from("1".repeat(most + 1))).await.unwrap_err();
        assert_eq!(refused.into_response().status(), 413);
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_not_waited_for() {
        let patience = Duration::from_millis(10);
        let waited = text_within(Body::new(Endless), patience).await;
        let refused = waited.unwrap_err();
        assert_eq!(refused.into_response().status(), 408);
    }

    #[test]
    fn there_is_room_for_so_many_bytes_and_it_comes_back() {
        let room = Room::new();
        let unknown = || Body::new(Endless);
        let long = Body::from("1".repeat(MAX_BODY_BYTES as usize));
        let mut taken: Vec<_> = (0..7).map(|_| room.take(&unknown()).unwrap()).collect();
        taken.push(room.take(&long).unwrap());
        assert!(room.take(&Body::from("1")).is_none());
        assert!(room.take(&Body::empty()).is_some(), "a question needs none");
        taken.pop();
        assert!(room.take(&Body::from("1")).is_some());
    }
}

//! How the edge answers the HIS.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use banyan_client::CallFault;
use banyan_protocol::envelope::CONTENT_TYPE;
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::FieldFault;
use banyan_store::db::StoreError;
use serde::Serialize;
use serde_json::Value;

use crate::line::in_chinese;

/// An answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reply {
    resp_code: String,
    resp_msg: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip)]
    status: StatusCode,
}

/// What a handler gives: an answer, or a refusal that `?` returns early.
pub(super) type Answer = Result<Reply, Reply>;

impl Reply {
    /// Success, with what was asked for.
    pub(super) fn done(data: Value) -> Self {
        Self::done_with(ResultCode::Success.label(), data)
    }

    /// The same with other words.
    pub(super) fn done_with(message: &str, data: Value) -> Self {
        Self {
            resp_code: ResultCode::Success.code().to_owned(),
            resp_msg: message.to_owned(),
            data: Some(data),
            status: StatusCode::OK,
        }
    }

    /// A refusal.
    pub(super) fn refused(code: ResultCode, message: impl Into<String>) -> Self {
        Self {
            resp_code: code.code().to_owned(),
            resp_msg: message.into(),
            data: None,
            status: StatusCode::OK,
        }
    }

    /// A refusal that says more.
    pub(super) fn refused_with(code: ResultCode, message: String, data: Value) -> Self {
        Self {
            data: Some(data),
            ..Self::refused(code, message)
        }
    }

    /// A member that is wrong.
    pub(super) fn field(fault: &FieldFault) -> Self {
        Self::refused(ResultCode::BadParameter, fault.to_string())
    }

    /// A call of the platform that brought nothing usable, or its refusal in its own words.
    pub(super) fn fault(fault: &CallFault) -> Self {
        match fault {
            CallFault::Refused { code, message } => Self {
                resp_code: code.clone(),
                resp_msg: message.clone(),
                data: None,
                status: StatusCode::OK,
            },
            CallFault::Timeout => Self::refused(ResultCode::Timeout, in_chinese(fault)),
            other => Self::refused(ResultCode::ExternalFailure, in_chinese(other)),
        }
    }

    /// Our own failure; the log has why.
    pub(super) fn ours(error: &StoreError) -> Self {
        tracing::error!(%error, "a call of the HIS failed");
        Self::refused(
            ResultCode::SystemError,
            "前置机未能保存或读取，本次未受理，请重试；若持续出现请查看前置机日志与磁盘空间",
        )
    }

    /// The same under another status of HTTP than 200.
    pub(super) fn with(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let text = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (self.status, text).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl From<StoreError> for Reply {
    fn from(error: StoreError) -> Self {
        Self::ours(&error)
    }
}

impl From<CallFault> for Reply {
    fn from(fault: CallFault) -> Self {
        Self::fault(&fault)
    }
}

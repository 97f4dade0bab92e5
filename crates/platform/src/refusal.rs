//! Refusals: who erred, what the caller is told, and what the operator reads.

use std::time::Duration;

use banyan_protocol::credential::CentreCode;
use banyan_protocol::envelope::EnvelopeFault;
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::FieldFault;
use banyan_store::db::StoreError;

/// Why a call is not done. The caller gets code and message, the log gets the operator's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 响应协议码.
    pub code: ResultCode,
    /// What to change, in Chinese; nothing of our internals and nobody else's data.
    pub message: String,
    /// What happened, in English, without personal data; `None` where the caller erred and the
    /// message says it all.
    pub operator: Option<String>,
}

impl Refusal {
    /// The caller erred.
    pub fn caller(code: ResultCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            operator: None,
        }
    }

    /// A member of the message is wrong (000105).
    pub fn field(path: impl Into<String>, expected: impl Into<String>) -> Self {
        FieldFault::new(path, expected).into()
    }

    /// We erred (000002).
    pub fn ours(operator: impl Into<String>) -> Self {
        Self {
            code: ResultCode::SystemError,
            message: ResultCode::SystemError.label().to_owned(),
            operator: Some(operator.into()),
        }
    }

    /// The same with a number that the caller can give to the operator, who finds it in the log.
    #[must_use]
    pub fn numbered(mut self, id: &str) -> Self {
        self.message = format!("{}（编号 {id}）", self.message);
        self
    }

    /// What anybody can send again and again, and be refused each time.
    #[must_use]
    pub const fn is_noise(&self) -> bool {
        matches!(
            self.code,
            ResultCode::RateLimited
                | ResultCode::Replay
                | ResultCode::Centre(CentreCode::RateLimited)
        )
    }

    /// No answer within this time; what became of the call is not known.
    #[must_use]
    pub fn timed_out(limit: Duration) -> Self {
        Self {
            operator: Some(format!("timed out after {limit:?}")),
            ..Self::caller(ResultCode::Timeout, TIMED_OUT)
        }
    }

    /// The HTTP status that goes with it: 200 for nearly all, because callers read the code and many
    /// of their stacks throw the body of anything else away. The rest is what gateways and retrying
    /// clients act on by themselves: no such path, too often, not now.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self.code {
            ResultCode::UnknownPath | ResultCode::Centre(CentreCode::UnknownPath) => 404,
            ResultCode::RateLimited | ResultCode::Centre(CentreCode::RateLimited) => 429,
            ResultCode::Maintenance => 503,
            _ => 200,
        }
    }
}

/// What is said where nobody knows what became of a call, whichever interface it was of.
const TIMED_OUT: &str = "处理超时，结果未知，请重试（有批次号、流水号的沿用原号）或查询结果";

impl From<FieldFault> for Refusal {
    fn from(fault: FieldFault) -> Self {
        Self::caller(ResultCode::BadParameter, fault.to_string())
    }
}

impl From<EnvelopeFault> for Refusal {
    fn from(fault: EnvelopeFault) -> Self {
        let code = match &fault {
            EnvelopeFault::Malformed(_) => ResultCode::BadParameter,
            EnvelopeFault::Undecryptable(_) => ResultCode::CipherFailure,
            EnvelopeFault::BadSignature => ResultCode::BadSignature,
        };
        Self::caller(code, fault.to_string())
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let (code, message) = match &error {
            StoreError::Busy | StoreError::Closed => (
                ResultCode::Maintenance,
                "系统繁忙或维护中，本次请求未处理，请稍后以新的时间戳重试",
            ),
            // Where the line breaks in the middle of a commit nobody knows what became of it.
            StoreError::Unavailable(_) => (
                ResultCode::Maintenance,
                "系统维护中，本次请求结果未知，请稍后以新的时间戳重试（有批次号、流水号的沿用原号）",
            ),
            StoreError::Timeout => (ResultCode::Timeout, TIMED_OUT),
            _ => (ResultCode::SystemError, ResultCode::SystemError.label()),
        };
        Self {
            code,
            message: message.to_owned(),
            operator: Some(format!("store: {error}")),
        }
    }
}

//! Why a call failed, who erred, and whether to try again.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use banyan_protocol::envelope::{EnvelopeFault, ReplyFault};
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::FieldFault;

use crate::HostRefused;

/// Why a call brought no answer that can be used.
///
/// `Display` is for the operator's log. It repeats nothing of the content of a message, and
/// `Debug` shows no more than it.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// The guard does not let us call this host; nothing was sent.
    #[error("the call is not allowed: {0}")]
    Forbidden(HostRefused),
    /// We hold no secret of the partner that is live; nothing was sent.
    #[error("there is no live secret to seal the call with")]
    NoSecret,
    /// No connection; nothing was sent.
    #[error("no connection: {0}")]
    Connect(ConnectFault),
    /// The TLS handshake failed, or the certificate is not one that we trust; nothing was sent.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// No complete answer within the time of the whole call.
    #[error("no complete answer in time")]
    Timeout,
    /// An HTTP status other than 2xx, without an envelope that says why.
    #[error("the answer's HTTP status is {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// The answer is longer than the limit.
    #[error("the answer is longer than the limit")]
    TooLarge,
    /// The connection broke, or what came over it is not HTTP.
    #[error("the exchange broke off: {0}")]
    Http(String),
    /// The answer does not open.
    #[error("{}", not_opened(.0))]
    NotOpened(ReplyFault),
    /// The partner refused.
    #[error("refused with code {:?}", .code)]
    Refused {
        /// 响应协议码.
        code: String,
        /// 响应说明, in the partner's own words; not in `Display`, because it may repeat our data.
        message: String,
    },
    /// The answer opened, but its business JSON is not the reply of this interface.
    #[error("the answer's business JSON does not fit the interface{}", at(.0))]
    BadReply(FieldFault),
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectFault {
    /// The name stands for no address, or the resolver does not answer.
    #[error("{host} does not resolve: {reason}")]
    Unresolved {
        /// The name.
        host: String,
        /// What the system said.
        reason: String,
    },
    /// The address does not accept the connection.
    #[error("{address} is not reached: {reason}")]
    Unreached {
        /// The address that was tried.
        address: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// No connection, with TLS where the address asks for it, in time.
    #[error("{address} gave no connection within {} ms", .after.as_millis())]
    Slow {
        /// The address that was tried.
        address: SocketAddr,
        /// The connect timeout.
        after: Duration,
    },
    /// The target does not say which address was checked: a defect of this crate.
    #[error("the target carries no checked address")]
    Unchecked,
}

/// Who has to change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// We: our message, our settings, our key.
    Us,
    /// The partner that we called.
    Them,
    /// The line between us.
    Line,
}

impl CallFault {
    /// Whether the same call may succeed later without anybody changing it.
    ///
    /// A refused or broken TLS handshake counts: certificates expire and are renewed while the
    /// call waits.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Tls(_) | Self::Timeout | Self::Http(_) => true,
            Self::Status { status } => matches!(status, 408 | 425 | 429 | 500..=599),
            // Gateways answer 200 with a page of their own while the server behind is away.
            Self::NotOpened(fault) => matches!(fault, ReplyFault::NoEnvelope(_)),
            Self::Refused { code, .. } => is_passing(code),
            Self::Forbidden(_) | Self::NoSecret | Self::TooLarge | Self::BadReply(_) => false,
        }
    }

    /// Who has to change something.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Forbidden(_) | Self::NoSecret => Blame::Us,
            Self::Connect(_) | Self::Timeout | Self::Http(_) => Blame::Line,
            Self::Status {
                status: 400..=499, ..
            } => Blame::Us,
            Self::Refused { code, .. } => refusal_blame(code),
            Self::Tls(_)
            | Self::Status { .. }
            | Self::TooLarge
            | Self::NotOpened(_)
            | Self::BadReply(_) => Blame::Them,
        }
    }

    /// One word for metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Forbidden(_) => "forbidden",
            Self::NoSecret => "no_secret",
            Self::Connect(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Timeout => "timeout",
            Self::Status { .. } => "status",
            Self::TooLarge => "too_large",
            Self::Http(_) => "http",
            Self::NotOpened(_) => "not_opened",
            Self::Refused { .. } => "refused",
            Self::BadReply(_) => "bad_reply",
        }
    }
}

impl fmt::Debug for CallFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallFault({}: {self})", self.kind())
    }
}

impl From<HostRefused> for CallFault {
    fn from(refused: HostRefused) -> Self {
        Self::Forbidden(refused)
    }
}

impl From<ConnectFault> for CallFault {
    fn from(fault: ConnectFault) -> Self {
        Self::Connect(fault)
    }
}

/// Whether a refusal with this code passes by itself.
pub(crate) fn is_passing(code: &str) -> bool {
    match ResultCode::from_code(code) {
        Some(
            ResultCode::SystemError
            | ResultCode::Maintenance
            | ResultCode::ExternalFailure
            | ResultCode::UnknownSubsystemError
            | ResultCode::Timeout
            | ResultCode::RateLimited
            | ResultCode::AuthSubsystemError,
        ) => true,
        Some(
            ResultCode::Success
            | ResultCode::UnknownApp
            | ResultCode::CipherFailure
            | ResultCode::BadSignature
            | ResultCode::BadParameter
            | ResultCode::Replay
            | ResultCode::BadRequest
            | ResultCode::NotGranted
            | ResultCode::UnknownPath
            | ResultCode::AppNotFound
            | ResultCode::Fatal
            | ResultCode::SwitchedOff
            // No answer in the access guide's envelope has such a code.
            | ResultCode::Centre(_),
        )
        | None => false,
    }
}

fn refusal_blame(code: &str) -> Blame {
    match ResultCode::from_code(code) {
        Some(
            ResultCode::UnknownApp
            | ResultCode::CipherFailure
            | ResultCode::BadSignature
            | ResultCode::BadParameter
            | ResultCode::Replay
            | ResultCode::BadRequest
            | ResultCode::NotGranted
            | ResultCode::UnknownPath
            | ResultCode::RateLimited
            | ResultCode::AppNotFound,
        ) => Blame::Us,
        Some(
            ResultCode::Success
            | ResultCode::SystemError
            | ResultCode::Maintenance
            | ResultCode::ExternalFailure
            | ResultCode::UnknownSubsystemError
            | ResultCode::Timeout
            | ResultCode::AuthSubsystemError
            | ResultCode::Fatal
            | ResultCode::SwitchedOff
            | ResultCode::Centre(_),
        )
        | None => Blame::Them,
    }
}

/// The protocol explains such faults in Chinese and with the sender's own member names; the log
/// gets the kind alone.
const fn not_opened(fault: &ReplyFault) -> &'static str {
    match fault {
        ReplyFault::NoEnvelope(_) => "the answer is no envelope",
        ReplyFault::NotOpened(EnvelopeFault::Malformed(_)) => {
            "the answer's envelope lacks a member, or protects itself in a way we do not take"
        }
        ReplyFault::NotOpened(EnvelopeFault::Undecryptable(_)) => {
            "the answer does not decrypt under the secret that we share"
        }
        ReplyFault::NotOpened(EnvelopeFault::BadSignature) => "the answer's signature is wrong",
        ReplyFault::NotSealed => "the answer is not sealed, and this partner's must be",
        ReplyFault::Empty => "the answer carries no business data",
    }
}

/// Where the fault is, unless the path holds more than member names.
fn at(fault: &FieldFault) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'[' | b']');
    if fault.path.is_empty() || fault.path.len() > 100 || !fault.path.bytes().all(plain) {
        String::new()
    } else {
        format!(" at {}", fault.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_message_shows() {
        let name = "张三 350102199001011234";
        let field = || FieldFault::new(name, name);
        for fault in [
            CallFault::Refused {
                code: "000105".to_owned(),
                message: name.to_owned(),
            },
            CallFault::BadReply(field()),
            CallFault::NotOpened(ReplyFault::NoEnvelope(field())),
            CallFault::NotOpened(ReplyFault::NotOpened(EnvelopeFault::Malformed(field()))),
        ] {
            for text in [
                fault.to_string(),
                format!("{fault:?}"),
                format!("{fault:#?}"),
            ] {
                assert!(text.is_ascii() && !text.contains("3501"), "{text}");
            }
        }
        let fault = CallFault::BadReply(FieldFault::new("list[0].state", "不可缺少"));
        assert!(fault.to_string().ends_with("at list[0].state"));
    }

    #[test]
    fn refusals_pass_or_stay_and_have_their_author() {
        let refused = |code: &str| CallFault::Refused {
            code: code.to_owned(),
            message: String::new(),
        };
        for (code, retryable, blame) in [
            ("000002", true, Blame::Them),
            ("000003", true, Blame::Them),
            ("-6", true, Blame::Us),
            ("000102", false, Blame::Us),
            ("404404", false, Blame::Them),
            ("unheard of", false, Blame::Them),
        ] {
            assert_eq!(refused(code).is_retryable(), retryable, "{code}");
            assert_eq!(refused(code).blame(), blame, "{code}");
        }
    }

    #[test]
    fn statuses_pass_or_stay() {
        for (status, retryable, blame) in [
            (302, false, Blame::Them),
            (404, false, Blame::Us),
            (429, true, Blame::Us),
            (503, true, Blame::Them),
        ] {
            let fault = CallFault::Status { status };
            assert_eq!((fault.is_retryable(), fault.blame()), (retryable, blame));
        }
    }
}

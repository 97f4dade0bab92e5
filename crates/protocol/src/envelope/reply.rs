//! Opening what a partner answers when we called.

use std::fmt;

use super::signing::Dialect;
use super::{Envelope, EnvelopeFault, Environment, Secret};
use crate::wire::FieldFault;

/// Which answers we take from a partner besides sealed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptedReplies {
    /// Plain envelopes, and the single-layer `{"state":"1"}` of access guide 4.4.1.4.
    pub plain_and_bare: bool,
}

/// An answer that was opened.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// The partner did what it was asked; its business JSON.
    Done(String),
    /// The partner refused, in its own words.
    Refused {
        /// 响应协议码.
        code: String,
        /// 响应说明.
        message: String,
    },
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(_) => f.write_str("Done(***)"),
            Self::Refused { code, .. } => write!(f, "Refused({code})"),
        }
    }
}

/// Why an answer can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyFault {
    /// It is neither an envelope nor, where that is taken, a bare object.
    #[error("the answer is no envelope: {0}")]
    NoEnvelope(FieldFault),
    /// It is an envelope that does not open.
    #[error("the answer does not open: {0}")]
    NotOpened(EnvelopeFault),
    /// It is plain or bare, which this partner is not allowed.
    #[error("the answer is not sealed, and this partner's must be")]
    NotSealed,
    /// It says success but carries no business data.
    #[error("the answer carries no business data")]
    Empty,
}

/// Opens an answer (access guide 4.1.4.2).
///
/// # Errors
/// See [`ReplyFault`]. A refusal may be unsigned: a server that does not know us can't sign for us.
pub fn open_reply(
    bytes: &[u8],
    secret: &Secret,
    accepted: AcceptedReplies,
) -> Result<Answer, ReplyFault> {
    let envelope = Envelope::parse(bytes).map_err(ReplyFault::NoEnvelope)?;
    let code = envelope.get("respCode");
    if let Some(code) = code
        && code != "000000"
    {
        return Ok(Answer::Refused {
            code: code.chars().take(20).collect(),
            message: envelope
                .get("respMsg")
                .unwrap_or_default()
                .chars()
                .take(500)
                .collect(),
        });
    }
    if envelope.get("encryptType").is_none() {
        return bare(bytes, code.is_some(), accepted);
    }
    let environment = if accepted.plain_and_bare {
        Environment::Test
    } else {
        Environment::Production
    };
    let opened = envelope
        .open(secret, environment, Dialect::default())
        .map_err(ReplyFault::NotOpened)?;
    opened.business.map(Answer::Done).ok_or(ReplyFault::Empty)
}

/// When an answer was made by its maker's clock, in milliseconds since the epoch; only of one that
/// our partner signed, refusals included.
#[must_use]
pub fn signed_time_ms(bytes: &[u8], secret: &Secret) -> Option<i64> {
    let envelope = Envelope::parse(bytes).ok()?;
    let opened = envelope
        .open(secret, Environment::Production, Dialect::default())
        .ok()?;
    opened.signature?;
    envelope.get("timestamp")?.parse().ok()
}

fn bare(bytes: &[u8], has_code: bool, accepted: AcceptedReplies) -> Result<Answer, ReplyFault> {
    if !accepted.plain_and_bare {
        return Err(ReplyFault::NotSealed);
    }
    if has_code {
        return Err(ReplyFault::Empty);
    }
    Ok(Answer::Done(String::from_utf8_lossy(bytes).into_owned()))
}

//! One signed call of the credential centre, in UTF-8.

use banyan_protocol::envelope::centre::{self, Answer, AnswerFault, Calling};
use banyan_protocol::envelope::{ReplyFault, Secret};
use banyan_protocol::wire::FieldFault;
use bytes::Bytes;
use url::Url;

use crate::{CallFault, HostGuard, HttpClient};

/// Signs the message, posts it, and opens the answer. A refusal is an answer, whatever the HTTP
/// status that it came with.
///
/// # Errors
/// See [`CallFault`]; never `Refused` or `BadReply`.
pub async fn call_centre(
    http: &HttpClient,
    url: &Url,
    guard: &HostGuard,
    secret: &Secret,
    calling: &Calling<'_>,
) -> Result<Answer, CallFault> {
    let not_json = |error: centre::NotJson| {
        let fault = FieldFault::new("data", error.to_string());
        CallFault::NotOpened(ReplyFault::NoEnvelope(fault))
    };
    let signed = calling.seal(secret).map_err(not_json)?;
    let reply = http.post(url, Bytes::from(signed), guard).await?;
    let text = String::from_utf8_lossy(&reply.body);
    match centre::open_answer(&text, secret) {
        Ok(Answer::Done(_)) if !(200..300).contains(&reply.status) => Err(CallFault::Status {
            status: reply.status,
        }),
        Ok(answer) => Ok(answer),
        Err(_) if !(200..300).contains(&reply.status) => Err(CallFault::Status {
            status: reply.status,
        }),
        Err(AnswerFault::NoAnswer(fault)) => {
            Err(CallFault::NotOpened(ReplyFault::NoEnvelope(fault)))
        }
        Err(AnswerFault::NotVerified(fault)) => {
            Err(CallFault::NotOpened(ReplyFault::NotOpened(fault)))
        }
    }
}

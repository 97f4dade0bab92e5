//! One sealed call: seal, post, open.

use std::fmt;
use std::sync::Arc;

use banyan_protocol::ambient::Clock;
use banyan_protocol::envelope::{AcceptedReplies, Answer, Manner, Sealing, Secret, open_reply};
use banyan_protocol::wire::{self, Message};
use bytes::Bytes;
use url::Url;

use crate::{CallFault, HostGuard, HttpClient, HttpReply};

/// Who we are to the partner that we call, and how the two of us speak.
#[derive(Clone)]
pub struct Credentials {
    /// 应用 ID.
    pub app_id: Arc<str>,
    /// 密钥.
    pub secret: Arc<Secret>,
    /// Which answers we take besides sealed ones.
    pub accepted: AcceptedReplies,
    /// How we protect and sign what we send.
    pub manner: Manner,
}

/// Seals the business JSON with the clock's time, posts it, and opens the answer. A refusal is an
/// answer, whatever the HTTP status that it came with.
///
/// # Errors
/// See [`CallFault`]; never `NoSecret`, `Refused` or `BadReply`.
pub async fn call(
    http: &HttpClient,
    url: &Url,
    guard: &HostGuard,
    credentials: &Credentials,
    clock: &dyn Clock,
    business: &str,
) -> Result<Answer, CallFault> {
    let sealing = Sealing {
        manner: credentials.manner,
        ..Sealing::call(&credentials.app_id, clock.now_ms(), business)
    };
    let sealed = Bytes::from(sealing.seal(&credentials.secret));
    let reply = http.post(url, sealed, guard).await?;
    open_answer(&reply, credentials)
}

/// [`call`] with messages instead of JSON.
///
/// # Errors
/// See [`CallFault`].
pub async fn call_typed<Request: Message, Reply: Message>(
    http: &HttpClient,
    url: &Url,
    guard: &HostGuard,
    credentials: &Credentials,
    clock: &dyn Clock,
    request: &Request,
) -> Result<Reply, CallFault> {
    let business = wire::write(request);
    read(call(http, url, guard, credentials, clock, &business).await?)
}

/// The reply message that an answer carries.
pub(crate) fn read<Reply: Message>(answer: Answer) -> Result<Reply, CallFault> {
    match answer {
        Answer::Done(business) => wire::read(&business).map_err(CallFault::BadReply),
        Answer::Refused { code, message } => Err(CallFault::Refused { code, message }),
    }
}

/// The answer in a reply; a refusal is one, whatever the HTTP status that it came with.
///
/// # Errors
/// `Status` or `NotOpened`.
pub fn open_answer(reply: &HttpReply, credentials: &Credentials) -> Result<Answer, CallFault> {
    let opened = open_reply(&reply.body, &credentials.secret, credentials.accepted);
    if (200..300).contains(&reply.status) {
        return opened.map_err(CallFault::NotOpened);
    }
    // Only a refusal explains such a status; a page of a gateway does not, nor does a success.
    match opened {
        Ok(refused @ Answer::Refused { .. }) => Ok(refused),
        Ok(Answer::Done(_)) | Err(_) => Err(CallFault::Status {
            status: reply.status,
        }),
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("app_id", &self.app_id)
            .finish_non_exhaustive()
    }
}

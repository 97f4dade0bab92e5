//! One signed call of the credential centre, in UTF-8.

use banyan_protocol::envelope::centre::{BadReply, Request, open_reply};
use banyan_protocol::envelope::{Answer, EnvelopeFault, ReplyFault, Secret};
use banyan_protocol::wire::FieldFault;
use bytes::Bytes;
use url::Url;

use crate::{CallFault, HostGuard, HttpClient};

/// Who calls the centre, and when.
#[derive(Debug, Clone, Copy)]
pub struct CentreCaller<'a> {
    /// 应用 ID.
    pub app_id: &'a str,
    /// 密钥.
    pub secret: &'a Secret,
    /// 时间戳, milliseconds since the epoch.
    pub now_ms: i64,
}

/// Signs the message, posts it, and opens the answer. A refusal is an answer, whatever the HTTP
/// status that it came with; it may be unsigned, for who does not know us can't sign for us.
///
/// # Errors
/// See [`CallFault`]; never `NoSecret`, `Refused` or `BadReply`.
pub async fn call_centre(
    http: &HttpClient,
    url: &Url,
    guard: &HostGuard,
    caller: CentreCaller<'_>,
    request: &Request,
) -> Result<Answer, CallFault> {
    let CentreCaller {
        app_id,
        secret,
        now_ms,
    } = caller;
    let signed = Bytes::from(request.seal(app_id, secret, now_ms));
    let reply = http.post(url, signed, guard).await?;
    let not_opened = |fault| match (200..300).contains(&reply.status) {
        true => CallFault::NotOpened(fault),
        false => CallFault::Status {
            status: reply.status,
        },
    };
    let unreadable = || {
        let fault = FieldFault::new("", "应答不是医保电子凭证中心的报文");
        not_opened(ReplyFault::NoEnvelope(fault))
    };
    let text = std::str::from_utf8(&reply.body).map_err(|_| unreadable())?;
    let (code, message, data) = match open_reply(text, app_id, secret) {
        Ok(opened) => (opened.code, opened.message, opened.data),
        Err(BadReply::Unsigned { code, message }) if code != 0 => (code, message, None),
        Err(BadReply::Unreadable) => return Err(unreadable()),
        Err(BadReply::Unsigned { .. } | BadReply::Forged) => {
            return Err(not_opened(ReplyFault::NotOpened(
                EnvelopeFault::BadSignature,
            )));
        }
    };
    Ok(match code {
        0 => Answer::Done(data.unwrap_or_default()),
        code => Answer::Refused {
            code: code.to_string(),
            message: message.chars().take(500).collect(),
        },
    })
}

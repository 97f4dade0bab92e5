//! 终端医保电子凭证码解码接口 (cn.nhsa.qrcode.get): the same as ec.query, under a number that is used
//! once.

use banyan_protocol::credential::CentreCode;
use banyan_protocol::credential::cn_nhsa_qrcode_get::TerminalDecodeRequest;
use banyan_protocol::credential::ec_query::PersonReply;
use banyan_store::credential::biz_nos;
use banyan_store::db::StoreError;
use banyan_store::journal;

use super::{ec_query, holder, refuse_saying, same_institution};
use crate::inbound::call::{About, Call};
use crate::refusal::Refusal;

/// Answers cn.nhsa.qrcode.get.
///
/// # Errors
/// Those of `ec.query`; 500014 where the number was used before.
pub async fn handle(
    call: &Call<'_>,
    request: TerminalDecodeRequest,
) -> Result<PersonReply, Refusal> {
    same_institution(call, request.orgId.as_str())?;
    let holder = ec_query::scanned(call).await?;
    let reply = holder::told(call.app, &holder, call.partner.id, call.now_ms)?;
    let entry = call
        .entry(About {
            person: Some(holder.person.identity.person_code(&call.app.vault)),
            purpose: Some(request.businessType.code().to_owned()),
            subject: Some(request.outBizNo.as_str().to_owned()),
        })
        .await?;
    let (partner, now_ms) = (call.partner.id, call.now_ms);
    let is_new = call
        .app
        .db
        .write(move |tx| -> Result<bool, StoreError> {
            let is_new = biz_nos::use_up(tx, partner, request.outBizNo.as_str(), now_ms)?;
            if is_new {
                journal::append(tx, std::slice::from_ref(&entry))?;
            }
            Ok(is_new)
        })
        .await?;
    if is_new { Ok(reply) } else { Err(used()) }
}

/// A number that was used before.
pub(super) fn used() -> Refusal {
    refuse_saying(
        CentreCode::BadBizNo,
        "outBizNo：业务流水号已使用过，每次请求都需要唯一",
    )
}

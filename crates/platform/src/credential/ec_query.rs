//! 电子凭证二维码解码接口 (ec.query): who is behind the code that a scanner read?

use banyan_protocol::credential::ec_query::{DecodeRequest, PersonReply};
use banyan_protocol::wire::FieldFault;
use banyan_store::credential::holders::Holder;

use super::{code, holder, same_institution};
use crate::inbound::call::{About, Call};
use crate::refusal::Refusal;

/// Answers ec.query.
///
/// # Errors
/// Those of [`scanned`]; 500316 where `data` names another institution.
pub async fn handle(call: &Call<'_>, request: DecodeRequest) -> Result<PersonReply, Refusal> {
    same_institution(call, request.orgId.as_str())?;
    let holder = scanned(call).await?;
    let reply = holder::told(call.app, &holder, call.partner.id, call.now_ms)?;
    call.journal_read(About {
        person: Some(holder.person.identity.person_code(&call.app.vault)),
        purpose: Some(request.businessType.code().to_owned()),
        subject: None,
    })
    .await?;
    Ok(reply)
}

/// The holder of the code that came beside the message.
///
/// # Errors
/// -2 where none came, the codes of [`code`], 500001 where nobody holds it any more.
pub(super) async fn scanned(call: &Call<'_>) -> Result<Holder, Refusal> {
    let text = call.beside.qr_code.ok_or_else(|| {
        FieldFault::new("extra.qrCode", "不可缺少：应为扫码得到的医保电子凭证码值")
    })?;
    let person = code::read(call.app, call.partner, text, call.now_ms)?;
    holder::by_id(call.app, person).await
}

//! 现金支付人员信息接受 (CI00.02.00.07): somebody paid in cash.

use banyan_protocol::supplement::ci00_02_00_07::CashPaymentRequest;
use banyan_protocol::supplement::fen;
use banyan_store::db::StoreError;
use banyan_store::journal;
use banyan_store::supplement::payments::{self, FIELDS, Payment};
use banyan_store::supplement::{Named, content::Content};

use super::{channel, note_overtaken, own_service, weighed, year_of};
use crate::inbound::call::{About, Call};
use crate::refusal::Refusal;

/// Answers CI00.02.00.07.
///
/// # Errors
/// 000105 where a member is wrong, -4 where the service is not the channel's; nothing is kept then.
pub async fn handle(call: &Call<'_>, request: CashPaymentRequest) -> Result<(), Refusal> {
    let app = call.app;
    let channel = channel(call)?;
    own_service(channel, "service_id", request.service_id.as_str())?;
    let note = weighed(call, channel, request.faults(&call.partner.app_id))?;
    let (number, name) = (request.idcard.expose(), request.name.expose());
    let payment = Payment {
        hi_pay_no: request.hi_pay_no.as_str().to_owned(),
        named: Named::new(&app.vault, number.as_str(), name.as_str()),
        service_id: request.service_id.as_str().to_owned(),
        year: year_of(request.hi_pay_date.filled()),
        amount_fen: request.medfee_sumamt.filled().and_then(fen),
        content: Content::of(FIELDS, |field| request.said(field)),
    };
    let ids = app.ids.take(1).await?;
    let payments = std::slice::from_ref(&payment);
    let ready = payments::ready(&app.vault, call.partner.id, call.said_ms, ids, payments)?;
    let entry = call
        .entry(About {
            person: None,
            purpose: note,
            subject: Some("payment".to_owned()),
        })
        .await?;
    let now_ms = call.now_ms;
    let kept = app
        .db
        .write(move |tx| -> Result<_, StoreError> {
            let kept = payments::keep(tx, &ready, now_ms)?;
            journal::append(tx, std::slice::from_ref(&entry))?;
            Ok(kept)
        })
        .await?;
    note_overtaken(call, &kept);
    Ok(())
}

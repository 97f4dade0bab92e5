//! 理赔信息接收 (CI00.03.00.03): claims that an insurer settled.

use banyan_protocol::supplement::ci00_03_00_03::{Claim, ClaimsRequest};
use banyan_protocol::supplement::fen;
use banyan_store::db::StoreError;
use banyan_store::journal;
use banyan_store::supplement::claims::{self, FIELDS, Left};
use banyan_store::supplement::{Named, content::Content};
use banyan_store::vault::Vault;

use super::{channel, note_overtaken, own_service, weighed};
use crate::inbound::call::{About, Call};
use crate::refusal::Refusal;

/// Answers CI00.03.00.03.
///
/// # Errors
/// 000105 where a member is wrong, -4 where a service is not the channel's; nothing is kept then.
pub async fn handle(call: &Call<'_>, request: ClaimsRequest) -> Result<(), Refusal> {
    let app = call.app;
    let channel = channel(call)?;
    request.check()?;
    for (row, claim) in request.claimsInfo.iter().enumerate() {
        if let Some(service) = &claim.serviceId {
            let path = || format!("claimsInfo[{row}].serviceId");
            own_service(channel, &path(), service.as_str())?;
        }
    }
    let note = weighed(call, channel, request.faults())?;
    let rows = request.claimsInfo.len();
    let claims: Vec<claims::Claim> = request
        .claimsInfo
        .iter()
        .map(|claim| kept(&app.vault, claim))
        .collect();
    let ids = app.ids.take(rows.max(1)).await?;
    let ready = claims::ready(&app.vault, call.partner.id, call.said_ms, ids, &claims)?;
    let entry = call
        .entry(About {
            person: None,
            purpose: note,
            subject: Some(format!("claims {rows}")),
        })
        .await?;
    let now_ms = call.now_ms;
    let kept = app
        .db
        .write(move |tx| -> Result<_, StoreError> {
            let kept = claims::keep(tx, &ready, now_ms)?;
            journal::append(tx, std::slice::from_ref(&entry))?;
            Ok(kept)
        })
        .await?;
    note_overtaken(call, &kept);
    Ok(())
}

fn kept(vault: &Vault, claim: &Claim) -> claims::Claim {
    let (number, name) = (
        claim.certno.expose().as_str(),
        claim.psnName.expose().as_str(),
    );
    let amount = |said: Option<&str>| said.and_then(fen);
    claims::Claim {
        service_id: claim
            .serviceId
            .as_ref()
            .map(|id| id.as_str().to_owned())
            .unwrap_or_default(),
        case_no: claim.caseNo.as_str().to_owned(),
        named: Named::new(vault, number, name),
        year: claim.year.filled().unwrap_or_default().to_owned(),
        claim_fen: amount(claim.claimTotal.filled()),
        invoice_fen: amount(claim.invoiceTotal.filled()),
        left: Left {
            one_fen: amount(claim.duty_one_left()),
            two_fen: amount(claim.said("dutTLeaDed")),
            four_fen: amount(claim.said("dutFLeaDed")),
        },
        content: Content::of(FIELDS, |field| claim.said(field)),
    }
}

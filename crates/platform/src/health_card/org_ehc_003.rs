//! 电子健康卡验码 (ORG_EHC_003): whose code is this? Asked once: whoever comes second with the same
//! code is refused, also if it comes at the same moment.

use banyan_protocol::dictionaries::CardType;
use banyan_protocol::health_card::org_ehc_003::{VerifyReply, VerifyRequest};
use banyan_store::db::StoreError;
use banyan_store::health_card::codes::{self, CodeId};
use banyan_store::health_card::persons;
use banyan_store::journal;

use super::card::{self, NO_CODE, USED};
use super::identity::OnWire;
use crate::inbound::call::{About, Call};
use crate::refusal::Refusal;

/// Answers ORG_EHC_003.
///
/// # Errors
/// 000105 at `ehealthCode` where the code is none of ours, has expired, or was used.
pub async fn handle(call: &Call<'_>, request: VerifyRequest) -> Result<VerifyReply, Refusal> {
    let app = call.app;
    call.own_org_id(request.orgId.as_str())?;
    let refused = |why: &str| Refusal::field("ehealthCode", why);
    let code = card::read_code(app, request.ehealthCode.expose().as_str(), call.now_ms)
        .map_err(refused)?;
    let person = persons::by_id(&app.db, &app.vault, code.person)
        .await?
        .ok_or_else(|| refused(NO_CODE))?;
    let entry = call
        .entry(About {
            person: Some(person.identity.person_code(&app.vault)),
            ..About::default()
        })
        .await?;
    let (partner, now_ms) = (call.partner.id, call.now_ms);
    let first = app
        .db
        .write(move |tx| -> Result<bool, StoreError> {
            let id = CodeId(code.id);
            let first = codes::use_up(tx, id, code.person, partner, now_ms, code.expires_ms)?;
            if first {
                journal::append(tx, std::slice::from_ref(&entry))?;
            }
            Ok(first)
        })
        .await?;
    if !first {
        return Err(refused(USED));
    }
    let person = OnWire::of(&app.vault, &person)?;
    Ok(VerifyReply {
        ehealthCardId: person.ehealth_card_id,
        cardNo: person.card_no,
        cardType: CardType::EhealthCard,
        idNo: person.id_no,
        idType: person.id_type,
        userName: person.user_name,
        userSex: person.user_sex,
        birthday: person.birthday,
        mobilePhone: person.mobile_phone,
        extData: None,
    })
}

//! 查询电子健康卡授权结果 (ORG_EHC_002): a hospital asks how an authorisation stands, again and again
//! until it is over.
//!
//! Until it succeeds only the state is known; the members that the guide requires stand there as
//! empty strings, so that a strict reader finds them.

use banyan_protocol::dictionaries::{AuthStatus, CardType};
use banyan_protocol::health_card::org_ehc_002::{AuthResultReply, AuthResultRequest};
use banyan_protocol::wire::{ExtData, OrEmpty};
use banyan_store::health_card::authorisations::{self, State};
use banyan_store::health_card::persons;
use serde_json::json;

use super::identity::OnWire;
use crate::inbound::call::{About, Call};
use crate::refusal::Refusal;

/// Answers ORG_EHC_002.
///
/// # Errors
/// 000105 where a member is wrong or the hospital has no such authorisation.
pub async fn handle(
    call: &Call<'_>,
    request: AuthResultRequest,
) -> Result<AuthResultReply, Refusal> {
    let app = call.app;
    call.own_org_id(request.orgId.as_str())?;
    let number = request.outAuthNo.as_str();
    let authorisation = authorisations::by_number(&app.db, call.partner.id, number)
        .await?
        .ok_or_else(|| Refusal::field("outAuthNo", "本机构没有该授权流水号"))?;
    let mut about = About {
        subject: Some(number.to_owned()),
        ..About::default()
    };
    let reply = match authorisation.state_at(call.now_ms) {
        State::Ing => nobody(AuthStatus::Ing, None),
        State::Fail(reason) => nobody(AuthStatus::Fail, Some(&reason)),
        State::Cancel => nobody(AuthStatus::Cancel, Some("患者取消了授权")),
        State::Succ(id) => {
            let person = persons::by_id(&app.db, &app.vault, id)
                .await?
                .ok_or_else(|| Refusal::ours(format!("authorisation of nobody, person {id}")))?;
            about.person = Some(person.identity.person_code(&app.vault));
            somebody(OnWire::of(&app.vault, &person)?)
        }
    };
    call.journal_read(about).await?;
    Ok(reply)
}

fn somebody(person: OnWire) -> AuthResultReply {
    AuthResultReply {
        ehealthCardId: OrEmpty(Some(person.ehealth_card_id)),
        authStatus: AuthStatus::Succ,
        cardNo: OrEmpty(Some(person.card_no)),
        cardType: OrEmpty(Some(CardType::EhealthCard)),
        idNo: OrEmpty(Some(person.id_no)),
        idType: OrEmpty(Some(person.id_type)),
        userName: OrEmpty(Some(person.user_name)),
        userSex: person.user_sex,
        birthday: person.birthday,
        mobilePhone: person.mobile_phone,
        extData: None,
    }
}

fn nobody(status: AuthStatus, reason: Option<&str>) -> AuthResultReply {
    let reason = reason.map(|reason| json!({ "reason": reason }));
    AuthResultReply {
        ehealthCardId: OrEmpty(None),
        authStatus: status,
        cardNo: OrEmpty(None),
        cardType: OrEmpty(None),
        idNo: OrEmpty(None),
        idType: OrEmpty(None),
        userName: OrEmpty(None),
        userSex: None,
        birthday: None,
        mobilePhone: None,
        extData: reason.and_then(|reason| reason.as_object().cloned().map(ExtData)),
    }
}

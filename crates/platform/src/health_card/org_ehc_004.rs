//! 查询医保患者主索引 (ORG_EHC_004): the index of an insured patient whom the hospital names.
//!
//! The hospital has read card or credential, so a patient who is not registered yet is registered
//! by its word, and his number is kept with him. From then on number, identity and name must
//! agree; what does not is refused and kept for review.

use banyan_protocol::dictionaries::CardType;
use banyan_protocol::health_card::org_ehc_004::{InsuredReply, InsuredRequest};
use banyan_store::db::StoreError;
use banyan_store::health_card::names::same_name;
use banyan_store::health_card::persons::{Identity, Person};
use banyan_store::health_card::{Claim, Registered, insured, persons, register};
use banyan_store::ids::HealthCardPersonId;
use banyan_store::journal;

use super::identity::{OnWire, Stated};
use crate::inbound::call::{About, Call};
use crate::refusal::Refusal;

/// Answers ORG_EHC_004.
///
/// # Errors
/// 000105 where a member is wrong or contradicts what is registered.
pub async fn handle(call: &Call<'_>, request: InsuredRequest) -> Result<InsuredReply, Refusal> {
    let app = call.app;
    call.own_org_id(request.orgId.as_str())?;
    let identity = Stated {
        id_type: request.idType.code(),
        id_no: request.idNo.expose().as_str(),
        user_name: request.userName.expose().as_str(),
        ..Stated::default()
    }
    .check()?;
    let psn_no = request.psnNo.expose().as_str().trim();
    let about = About {
        person: Some(identity.person_code(&app.vault)),
        purpose: None,
        subject: None,
    };
    // Nearly always everything is known and agrees, and nothing need be written but the journal.
    let number = app.vault.insured_code(psn_no);
    let person = match insured::person(&app.db, &app.vault, &number).await? {
        Some(person) if agrees(call, &person, &identity) => {
            call.journal_read(about).await?;
            person
        }
        _ => Box::pin(register_claim(call, identity, psn_no, about)).await?,
    };
    let person = OnWire::of(&app.vault, &person)?;
    Ok(InsuredReply {
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

fn agrees(call: &Call<'_>, person: &Person, identity: &Identity) -> bool {
    let vault = &call.app.vault;
    person.identity.index(vault) == identity.index(vault)
        && same_name(&person.identity.user_name, &identity.user_name)
}

/// Registers what the hospital says, or refuses it.
async fn register_claim(
    call: &Call<'_>,
    identity: Identity,
    psn_no: &str,
    about: About,
) -> Result<Person, Refusal> {
    let app = call.app;
    let id = HealthCardPersonId(app.person_ids.next().await?);
    let claim = Claim::new(&app.vault, id, identity, Some(psn_no.to_owned()));
    let entry = call.entry(about).await?;
    let (vault, source, now_ms) = (app.vault.clone(), call.partner.app_id.clone(), call.now_ms);
    let (registered, person) = app
        .db
        .write(move |tx| -> Result<_, StoreError> {
            let registered = register(tx, &vault, &claim, &source, now_ms)?;
            let person = match registered {
                Registered::New(id) | Registered::Known(id) | Registered::Completed(id) => {
                    journal::append(tx, std::slice::from_ref(&entry))?;
                    persons::in_tx(tx, &vault, id)?
                }
                // A refusal is journalled where all refusals are.
                Registered::NameContradicts(_) | Registered::NumberContradicts(_) => None,
            };
            Ok((registered, person))
        })
        .await?;
    match registered {
        Registered::NameContradicts(_) => Err(Refusal::field("userName", NAME_CONTRADICTS)),
        Registered::NumberContradicts(_) => Err(Refusal::field(
            "psnNo",
            "该人员编号已对应另一位登记人员，已转人工核实；请核对人员编号与证件是否属于同一人",
        )),
        _ => person.ok_or_else(|| Refusal::ours("a registered person is not there")),
    }
}

const NAME_CONTRADICTS: &str = "与该证件登记的姓名不一致，已转人工核实；请核对患者有效证件上的姓名";

//! 查询医疗欠费状况 (ORG_MDL_002): may this person be treated first and pay later?

use banyan_protocol::dictionaries::ItemState;
use banyan_protocol::overdue::org_mdl_002::{OverdueItem, QueryReply, QueryRequest};
use banyan_protocol::wire::{Amount, ExtData, LocalTime, Scalar};
use banyan_store::db::StoreError;
use banyan_store::overdue::items::{self, UnpaidItem};
use serde_json::{Map, Value};

use super::policy;
use crate::directory::Partner;
use crate::inbound::call::{About, Call, exposed};
use crate::refusal::Refusal;

/// More unpaid items than anybody has; it bounds what one answer can cost.
const MOST_ITEMS: i64 = 1_000;

/// Answers ORG_MDL_002.
///
/// # Errors
/// 000105 where a member is wrong.
pub async fn handle(call: &Call<'_>, request: QueryRequest) -> Result<QueryReply, Refusal> {
    let app = call.app;
    let of = request
        .orgId
        .as_ref()
        .map(|org_id| {
            app.directory
                .by_org_id(org_id.as_str())
                .ok_or_else(|| Refusal::field("orgId", "该机构未登记"))
        })
        .transpose()?;
    let person = call.person(
        request.idType.code(),
        request.idNo.expose().as_str(),
        exposed(request.ehealthCardId.as_ref()),
    )?;
    let asker = call.partner.id;
    let of = of.map(|partner| partner.id);
    let unpaid = items::unpaid_of_person(&app.db, &person, asker, of, MOST_ITEMS).await?;
    let next = policy::next(&app.settings.overdue.next, &unpaid, call.now_ms);
    let item_list = unpaid
        .iter()
        .map(|item| {
            let hospital = app
                .directory
                .by_id(item.partner)
                .ok_or_else(|| Refusal::ours(format!("item {} has no hospital", item.id)))?;
            Ok(listed(item, &hospital)?)
        })
        .collect::<Result<_, Refusal>>()?;
    call.journal_read(About {
        person: Some(person),
        purpose: Some(request.businessType.code().to_owned()),
        // Who asked about one hospital was not shown what others had reported.
        subject: request.orgId.map(|org_id| org_id.as_str().to_owned()),
    })
    .await?;
    Ok(QueryReply {
        next,
        itemList: item_list,
        extData: appealed(&unpaid),
    })
}

/// The traceIds under an open appeal, so that the window can judge for itself; nothing where there
/// are none.
fn appealed(unpaid: &[UnpaidItem]) -> Option<ExtData> {
    let trace_ids: Vec<Value> = unpaid
        .iter()
        .filter(|item| item.appealed)
        .map(|item| item.id.to_string().into())
        .collect();
    (!trace_ids.is_empty()).then(|| {
        let mut data = Map::new();
        data.insert("appealed".to_owned(), trace_ids.into());
        ExtData(data)
    })
}

fn listed(item: &UnpaidItem, hospital: &Partner) -> Result<OverdueItem, StoreError> {
    let corrupt = |what: &str| StoreError::Corrupt(format!("item {}: {what}", item.id));
    let org_id = hospital.org_id.as_deref().unwrap_or_default();
    Ok(OverdueItem {
        orgId: Scalar::parse(org_id).map_err(|_| corrupt("orgId"))?,
        orgName: Scalar::parse(&hospital.name).map_err(|_| corrupt("orgName"))?,
        itemName: Scalar::parse(&item.item_name).map_err(|_| corrupt("itemName"))?,
        amount: Amount::from_fen(item.amount_fen).ok_or_else(|| corrupt("amount"))?,
        actualTime: LocalTime::from_epoch_ms(item.actual_ms),
        state: ItemState::Unpaid,
    })
}

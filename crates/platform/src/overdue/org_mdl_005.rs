//! 查询上报/更新结果 (ORG_MDL_005): for whoever missed the callback.

use banyan_protocol::overdue::org_mdl_005::{ResultReply, ResultRequest};
use banyan_protocol::wire::ExtData;
use banyan_store::overdue::batches;
use serde_json::json;

use super::outcome::Outcome;
use super::results;
use crate::inbound::call::{About, Call};
use crate::refusal::Refusal;

/// Answers ORG_MDL_005.
///
/// # Errors
/// 000105 where a member is wrong or no batch of the caller has this number.
pub async fn handle(call: &Call<'_>, request: ResultRequest) -> Result<ResultReply, Refusal> {
    let app = call.app;
    call.own_org_id(request.orgId.as_str())?;
    let number = request.orgRequestId.as_str();
    let batch = batches::by_request_id(&app.db, call.partner.id, number)
        .await?
        .ok_or_else(|| Refusal::field("orgRequestId", "未找到该批次"))?;
    let (list, ext) = match &batch.outcome {
        None => (Vec::new(), json!({ "batchState": "received" })),
        Some(outcome) => {
            let outcome = Outcome::read(outcome)?;
            let list = results::by_person(app, &outcome.items()).await?;
            let mut ext = json!({ "batchState": "judged" });
            if !outcome.errors.is_empty() {
                ext["errors"] = outcome.errors_json();
            }
            (list, ext)
        }
    };
    call.journal_read(About {
        subject: Some(number.to_owned()),
        ..About::default()
    })
    .await?;
    Ok(ResultReply {
        orgId: request.orgId,
        orgName: results::org_name(call.partner)?,
        reportResultList: list,
        extData: match ext {
            serde_json::Value::Object(map) => Some(ExtData(map)),
            _ => None,
        },
    })
}

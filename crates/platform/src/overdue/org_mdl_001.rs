//! 上报医疗欠费数据 (ORG_MDL_001): keep the batch, answer `success`, judge it later.

use banyan_protocol::dictionaries::Receipt;
use banyan_protocol::overdue::org_mdl_001::{ReportReply, ReportRequest};

use super::message::Message;
use super::take_in::{RECEIVED, take_in};
use crate::inbound::call::Call;
use crate::refusal::Refusal;

/// Answers ORG_MDL_001.
///
/// # Errors
/// 000105 where a member is wrong, the address may not be called, or the batch number was used
/// for another content.
pub async fn handle(call: &Call<'_>, request: ReportRequest) -> Result<ReportReply, Refusal> {
    request.check()?;
    call.own_org_id(request.orgId.as_str())?;
    take_in(call, Message::Report(request)).await?;
    Ok(ReportReply {
        state: Receipt::Success,
        msg: RECEIVED.clone(),
        extData: None,
    })
}

//! 院内医疗欠费结算结果查询 (ORG_001), access guide 4.4.1: from the HIS where it can be asked, from
//! the edge's own ledger where not.

use banyan_protocol::dictionaries::ItemState;
use banyan_protocol::envelope::Refusal;
use banyan_protocol::overdue::org_001::{SettlementReply, SettlementRequest};
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire;

use super::{is_for_us, ours, unfit};
use crate::edge::Edge;
use crate::his::Word;

pub(super) async fn answer(edge: &Edge, business: &str) -> Result<String, Refusal> {
    let request: SettlementRequest = wire::read(business).map_err(unfit)?;
    is_for_us(edge, &request.orgId)?;
    let org_trace_id = request.orgTraceId.as_str();
    let state = match edge.his.settlement(org_trace_id).await {
        Some(Ok(Word::State(state))) => {
            if state != ItemState::Unpaid {
                edge.outbox
                    .learn_his_state(org_trace_id, state, edge.now_ms())
                    .await
                    .map_err(|error| ours("learn", &error))?;
            }
            state
        }
        // A HIS that knows nothing of it may have forgotten; the ledger has what it said then.
        None | Some(Ok(Word::Unknown)) => from_ledger(edge, org_trace_id).await?,
        // What stands in the ledger may be old: better no answer than a wrong one.
        Some(Err(reason)) => {
            tracing::warn!(reason, "the HIS did not answer");
            return Err(Refusal::new(
                ResultCode::Timeout,
                "院内系统暂时无法应答，请稍后重试",
            ));
        }
    };
    Ok(wire::write(&SettlementReply {
        state,
        extData: None,
    }))
}

async fn from_ledger(edge: &Edge, org_trace_id: &str) -> Result<ItemState, Refusal> {
    let item = edge
        .outbox
        .item(org_trace_id)
        .await
        .map_err(|error| ours("ledger", &error))?;
    item.map(|item| item.his_state)
        .ok_or_else(|| Refusal::new(ResultCode::BadParameter, "orgTraceId：院内没有这条记录"))
}
